//! Pixels into a [`Picture`]: what all ways in have in common.

use yuv::{BufferStoreMut, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use super::picture::{Picture, Plane};
use super::screen::{Bgra, Damage, Rect};
use crate::model::Size;

/// Largest side accepted, px: the encoder takes no more, and it bounds what a decoder allocates.
const SIDE_PX_MAX: usize = 4096;

pub(super) const RGB_BYTES: usize = 3;

const BGRA_BYTES: usize = 4;

/// Why pixels are no picture.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// RGB could not be converted.
    #[error("convert RGB to I420")]
    Convert(#[source] yuv::YuvError),
    /// The picture is empty or larger than the encoder takes.
    #[error("a picture of {width}x{height} px")]
    Size {
        /// Width, px.
        width: usize,
        /// Height, px.
        height: usize,
    },
}

/// Has a picture hold pixels of that size.
pub(super) fn resize(picture: &mut Picture, width: usize, height: usize) -> Result<Size, Error> {
    if !(1..=SIDE_PX_MAX).contains(&width) || !(1..=SIDE_PX_MAX).contains(&height) {
        return Err(Error::Size { width, height });
    }
    let size = Size::new(width as u32, height as u32);
    if picture.size() != size.to_even() {
        *picture = Picture::new(size);
    }
    Ok(size)
}

/// Converts RGB over the whole of a picture of its size.
pub(super) fn rgb_to_picture(rgb: &[u8], size: Size, picture: &mut Picture) -> Result<(), Error> {
    let strides = [picture.stride(Plane::Y), picture.stride(Plane::U)];
    let [y, u, v] = picture.planes_mut();
    // The converter finds an odd last row by what is left of the plane, so it sees the page's rows
    // only.
    let y = &mut y[..strides[0] * size.height as usize];
    let mut planar = planar(size, [y, u, v], strides);
    yuv::rgb_to_yuv420(
        &mut planar,
        rgb,
        size.width * 3,
        YuvRange::Limited,
        YuvStandardMatrix::Bt601,
        YuvConversionMode::Balanced,
    )
    .map_err(Error::Convert)?;
    pad_edges(picture, size);
    Ok(())
}

/// Converts what a screen shows into the picture that showed it before, where it has changed; keeps
/// its buffers between calls.
#[derive(Debug, Default)]
pub struct Converter {
    /// The last rows of a rectangle: luma, then both chroma planes; and their pixels.
    rows: Vec<u8>,
    pixels: Vec<u8>,
}

impl Converter {
    /// Converts the damaged part, and all of it when the picture is of another size. Answers how many
    /// pixels that were.
    pub fn convert(
        &mut self,
        screen: Bgra<'_>,
        damage: &Damage,
        picture: &mut Picture,
    ) -> Result<u64, Error> {
        let size = screen.size();
        let is_new = picture.size() != size.to_even();
        resize(picture, size.width as usize, size.height as usize)?;
        let all = Damage::all(size);
        let damage = if is_new { &all } else { damage };
        let mut pixels = 0;
        for rect in damage.rects() {
            let rect = rect.intersection(Rect::of(size)).to_even(size);
            if let Some(part) = screen.part(rect) {
                self.convert_rect(part, rect, picture)?;
                pixels += rect.area();
            }
        }
        if pixels > 0 {
            pad_edges(picture, size);
        }
        Ok(pixels)
    }

    fn convert_rect(
        &mut self,
        part: Bgra<'_>,
        rect: Rect,
        picture: &mut Picture,
    ) -> Result<(), Error> {
        let strides = [picture.stride(Plane::Y), picture.stride(Plane::U)];
        let (x, y) = (rect.x as usize, rect.y as usize);
        let (width, height) = (rect.width as usize, rect.height as usize);
        // The converter works on whole pairs of whole rows, of which the last of a plane has no more
        // than what is right of the rectangle's left side: it goes by itself.
        let body = (height - 1) & !1;
        let [luma, u, v] = picture.planes_mut();
        let luma = &mut luma[y * strides[0] + x..];
        let chroma_at = y / 2 * strides[1] + x / 2;
        let (u, v) = (&mut u[chroma_at..], &mut v[chroma_at..]);
        if body > 0 {
            let ends = [body * strides[0], body / 2 * strides[1]];
            let planes = [&mut luma[..ends[0]], &mut u[..ends[1]], &mut v[..ends[1]]];
            let pixels = &part.data()[..body * part.stride()];
            let size = Size::new(rect.width, body as u32);
            bgra_to_planes(pixels, part.stride(), size, planes, strides)?;
        }
        let tail = height - body;
        let half = width.div_ceil(2);
        self.rows.resize(2 * width + 2 * half, 0);
        let (last_luma, chroma) = self.rows.split_at_mut(2 * width);
        let (last_u, last_v) = chroma.split_at_mut(half);
        let luma_rows = &mut last_luma[..tail * width];
        let row = width * BGRA_BYTES;
        self.pixels.clear();
        for at in body..height {
            self.pixels
                .extend_from_slice(&part.data()[at * part.stride()..][..row]);
        }
        let size = Size::new(rect.width, tail as u32);
        let planes = [luma_rows, &mut *last_u, &mut *last_v];
        bgra_to_planes(&self.pixels, row, size, planes, [width, half])?;
        for (at, samples) in last_luma[..tail * width].chunks_exact(width).enumerate() {
            luma[(body + at) * strides[0]..][..width].copy_from_slice(samples);
        }
        u[body / 2 * strides[1]..][..half].copy_from_slice(last_u);
        v[body / 2 * strides[1]..][..half].copy_from_slice(last_v);
        Ok(())
    }
}

/// Luma and both chroma planes, as the converter takes them.
fn planar<'a>(
    size: Size,
    [y, u, v]: [&'a mut [u8]; 3],
    [y_stride, chroma_stride]: [usize; 2],
) -> YuvPlanarImageMut<'a, u8> {
    YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(y),
        y_stride: y_stride as u32,
        u_plane: BufferStoreMut::Borrowed(u),
        u_stride: chroma_stride as u32,
        v_plane: BufferStoreMut::Borrowed(v),
        v_stride: chroma_stride as u32,
        width: size.width,
        height: size.height,
    }
}

fn bgra_to_planes(
    pixels: &[u8],
    stride: usize,
    size: Size,
    planes: [&mut [u8]; 3],
    strides: [usize; 2],
) -> Result<(), Error> {
    let mut planar = planar(size, planes, strides);
    yuv::bgra_to_yuv420(
        &mut planar,
        pixels,
        stride as u32,
        YuvRange::Limited,
        YuvStandardMatrix::Bt601,
        YuvConversionMode::Balanced,
    )
    .map_err(Error::Convert)
}

/// Repeats the last column and row of an odd-sized page into the padding of the even canvas.
pub(super) fn pad_edges(picture: &mut Picture, page: Size) {
    let size = picture.size();
    let stride = picture.stride(Plane::Y);
    let (width, height) = (page.width as usize, page.height as usize);
    let y = picture.plane_mut(Plane::Y);
    if size.width > page.width {
        for row in y.chunks_exact_mut(stride).take(height) {
            row[width] = row[width - 1];
        }
    }
    if size.height > page.height {
        y.copy_within((height - 1) * stride..height * stride, height * stride);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pixels(size: Size, seed: u32) -> Vec<u8> {
        let mut state = seed | 1;
        let count = size.width as usize * size.height as usize * BGRA_BYTES;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    fn rects() -> impl Strategy<Value = Vec<Rect>> {
        let rect = (0..70u32, 0..50u32, 1..30u32, 1..30u32);
        let rect = rect.prop_map(|(x, y, width, height)| Rect {
            x,
            y,
            width,
            height,
        });
        prop::collection::vec(rect, 0..6)
    }

    proptest! {
        /// What is converted bit by bit is what is converted at once, within a step, at any size and place.
        #[test]
        fn the_damaged_part_is_as_the_whole(
            width in 1..70u32, height in 1..50u32, rects in rects(), seed: u32,
        ) {
            let size = Size::new(width, height);
            let (before, after) = (pixels(size, seed), pixels(size, seed ^ 0x5555));
            let mut mixed = before.clone();
            let mut damage = Damage::default();
            for rect in rects {
                let rect = rect.intersection(Rect::of(size));
                damage.add(rect);
                let rows = if rect.is_empty() { 0 } else { rect.height };
                for y in rect.y..rect.y + rows {
                    let from = (y * width + rect.x) as usize * BGRA_BYTES;
                    let to = from + rect.width as usize * BGRA_BYTES;
                    mixed[from..to].copy_from_slice(&after[from..to]);
                }
            }
            let stride = width as usize * BGRA_BYTES;
            let mut converter = Converter::default();
            let (mut by_parts, mut at_once) = (Picture::new(size), Picture::new(size));
            let [first, second] = [&before, &mixed].map(|data| Bgra::new(size, stride, data).unwrap());
            converter.convert(first, &Damage::all(size), &mut by_parts).unwrap();
            converter.convert(second, &damage, &mut by_parts).unwrap();
            converter.convert(second, &Damage::all(size), &mut at_once).unwrap();
            // The converter rounds at the ends of rows as it does not in between.
            for plane in [Plane::Y, Plane::U, Plane::V] {
                let samples = by_parts.plane(plane).iter().zip(at_once.plane(plane));
                let differs = |(one, other): (&u8, &u8)| one.abs_diff(*other) > 1;
                prop_assert!(!samples.into_iter().any(differs), "{plane:?}");
            }
        }
    }

    #[test]
    fn colours_are_those_of_the_page() {
        let size = Size::new(64, 48);
        let red = [51, 51, 204, 255].repeat(64 * 48);
        let mut picture = Picture::new(Size::new(2, 2));
        let screen = Bgra::new(size, 256, &red).unwrap();
        let converted = Converter::default().convert(screen, &Damage::default(), &mut picture);
        assert_eq!(
            converted.unwrap(),
            64 * 48,
            "a picture of another size is converted whole"
        );
        let want = |plane| match plane {
            Plane::Y => 16.0 + (65.481 * 204.0 + 128.553 * 51.0 + 24.966 * 51.0) / 255.0,
            Plane::U => 128.0 + (-37.797 * 204.0 - 74.203 * 51.0 + 112.0 * 51.0) / 255.0,
            Plane::V => 128.0 + (112.0 * 204.0 - 93.786 * 51.0 - 18.214 * 51.0) / 255.0,
        };
        for plane in [Plane::Y, Plane::U, Plane::V] {
            for sample in picture.plane(plane) {
                assert!(
                    (f64::from(*sample) - want(plane)).abs() <= 1.0,
                    "{plane:?} {sample}"
                );
            }
        }
    }
}
