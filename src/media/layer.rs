//! [`Layer`]: the two sizes in which a picture is sent, and how the smaller one is made.

use super::picture::{Picture, Plane};
use crate::model::Size;

/// Which of a picture's two sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layer {
    /// The picture as it is.
    #[default]
    Full,
    /// Half as wide and half as high.
    Low,
}

impl Layer {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Full, Self::Low];

    /// Its word in metrics and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Low => "low",
        }
    }
}

/// The size of the low layer: even, so an odd half loses its last row or column.
pub fn low_size(full: Size) -> Size {
    let half = |side: u32| (side / 4 * 2).max(2);
    Size::new(half(full.width), half(full.height))
}

/// Makes `low` the picture at half its size: each sample is the mean of the four that it stands for.
pub fn halve(full: &Picture, low: &mut Picture) {
    let size = low_size(full.size());
    if low.size() != size {
        *low = Picture::new(size);
    }
    for plane in [Plane::Y, Plane::U, Plane::V] {
        let (width, height) = low.plane_size(plane);
        // A picture of two rows has one of chroma, whose half is itself.
        let is_halved =
            full.plane_size(plane).0 >= 2 * width && full.plane_size(plane).1 >= 2 * height;
        if !is_halved {
            continue;
        }
        let (from, to) = (full.stride(plane), low.stride(plane));
        let pairs = full.plane(plane).chunks_exact(2 * from);
        let rows = low.plane_mut(plane).chunks_exact_mut(to);
        for (row, pair) in rows.zip(pairs).take(height) {
            let (upper, lower) = pair.split_at(from);
            let upper = upper[..2 * width].chunks_exact(2);
            let lower = lower[..2 * width].chunks_exact(2);
            for (sample, (upper, lower)) in row.iter_mut().zip(upper.zip(lower)) {
                let above = u16::from(upper[0]) + u16::from(upper[1]);
                let below = u16::from(lower[0]) + u16::from(lower[1]);
                *sample = ((above + below + 2) >> 2) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean, one sample at a time.
    fn reference(full: &Picture, plane: Plane, x: usize, y: usize) -> u8 {
        let (samples, stride) = (full.plane(plane), full.stride(plane));
        let at = |dx, dy| u32::from(samples[(2 * y + dy) * stride + 2 * x + dx]);
        ((at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1) + 2) / 4) as u8
    }

    #[test]
    fn each_sample_is_the_mean_of_four() {
        for (width, height) in [(1280, 720), (1366, 768), (642, 362), (34, 18), (4, 4)] {
            let mut full = Picture::new(Size::new(width, height));
            for (n, sample) in full.data_mut().iter_mut().enumerate() {
                *sample = (n * 7919 % 251) as u8;
            }
            let mut low = Picture::new(Size::new(2, 2));
            halve(&full, &mut low);
            assert_eq!(low.size(), low_size(full.size()));
            for plane in [Plane::Y, Plane::U, Plane::V] {
                let (columns, rows) = low.plane_size(plane);
                let stride = low.stride(plane);
                for y in 0..rows {
                    for x in 0..columns {
                        let sample = low.plane(plane)[y * stride + x];
                        let wanted = reference(&full, plane, x, y);
                        assert_eq!(sample, wanted, "{width}x{height} {plane:?} {x},{y}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_half_is_even_and_never_nothing() {
        let half = |width, height| low_size(Size::new(width, height));
        assert_eq!(half(1280, 720), Size::new(640, 360));
        assert_eq!(half(1366, 768), Size::new(682, 384));
        assert_eq!(half(2, 2), Size::new(2, 2));
        let mut low = Picture::new(Size::new(2, 2));
        halve(&Picture::new(Size::new(2, 2)), &mut low);
    }
}
