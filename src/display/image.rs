//! [`Image`]: pixels of a surface, and how one is drawn over another. Pure.

use crate::media::screen::{Bgra, Rect};
use crate::model::Size;

/// Bytes of a pixel: blue, green, red, alpha.
pub(super) const PIXEL: usize = 4;

/// Pixels, rows without gaps. What is not opaque has its colours multiplied by its alpha already.
#[derive(Debug, Default)]
pub(super) struct Image {
    size: Option<Size>,
    data: Vec<u8>,
    is_opaque: bool,
}

/// Where pixels stand in a window, px of the device; may reach beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// From the window's left edge.
    pub(super) x: i32,
    /// From the window's top edge.
    pub(super) y: i32,
    /// Width and height.
    pub(super) width: u32,
    /// See `width`.
    pub(super) height: u32,
}

/// The part of an image that is shown, px of the image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Crop {
    /// From the image's left edge.
    pub(super) x: f64,
    /// From the image's top edge.
    pub(super) y: f64,
    /// Width.
    pub(super) width: f64,
    /// Height.
    pub(super) height: f64,
}

impl Image {
    /// Black pixels.
    pub(super) fn black(size: Size) -> Self {
        let mut image = Self::default();
        image.shape(size, true);
        image
    }

    /// Makes it this size, and says whether that makes all of it new.
    pub(super) fn shape(&mut self, size: Size, is_opaque: bool) -> bool {
        let is_new = self.size != Some(size) || self.is_opaque != is_opaque;
        if is_new {
            self.data.clear();
            self.data
                .resize(size.width as usize * size.height as usize * PIXEL, 0);
            (self.size, self.is_opaque) = (Some(size), is_opaque);
        }
        is_new
    }

    /// Width and height.
    pub(super) fn size(&self) -> Size {
        self.size.unwrap_or(Size::new(0, 0))
    }

    /// The pixels of a part of one row.
    pub(super) fn row_mut(&mut self, x: u32, y: u32, width: u32) -> Option<&mut [u8]> {
        let size = self.size();
        let fits = y < size.height && x.checked_add(width)? <= size.width;
        let start = (y as usize * size.width as usize + x as usize) * PIXEL;
        let bytes = start..start + width as usize * PIXEL;
        self.data.get_mut(bytes).filter(|_| fits)
    }

    /// All of it, borrowed.
    pub(super) fn pixels(&self) -> Option<Bgra<'_>> {
        let size = self.size?;
        Bgra::new(size, size.width as usize * PIXEL, &self.data)
    }

    /// Makes a part black.
    pub(super) fn clear(&mut self, part: Rect) {
        for y in part.y..part.bottom() {
            if let Some(row) = self.row_mut(part.x, y, part.width) {
                row.fill(0);
            }
        }
    }

    /// Draws the `crop` of another image at `place`, within `part` of this one.
    pub(super) fn draw(&mut self, other: &Self, crop: Crop, place: Place, part: Rect) {
        let part = place.within(self.size()).intersection(part);
        if part.is_empty() || other.data.is_empty() {
            return;
        }
        let columns: Vec<usize> = (part.x..part.right())
            .map(|x| crop.column(place, x, other.size().width) * PIXEL)
            .collect();
        let is_plain = crop.is_plain(place);
        for y in part.y..part.bottom() {
            let line = crop.row(place, y, other.size().height);
            let start = line * other.size().width as usize * PIXEL;
            let source = &other.data[start..start + other.size().width as usize * PIXEL];
            let Some(target) = self.row_mut(part.x, y, part.width) else {
                continue;
            };
            match (is_plain, other.is_opaque) {
                (true, true) => {
                    let from = columns[0];
                    target.copy_from_slice(&source[from..from + target.len()]);
                }
                (true, false) => blend(target, &source[columns[0]..]),
                (false, is_opaque) => {
                    for (to, from) in target.chunks_exact_mut(PIXEL).zip(&columns) {
                        let from = &source[*from..from + PIXEL];
                        if is_opaque {
                            to.copy_from_slice(from);
                        } else {
                            blend(to, from);
                        }
                    }
                }
            }
        }
    }
}

impl Place {
    /// All of a window.
    pub(super) const fn of(size: Size) -> Self {
        Self {
            x: 0,
            y: 0,
            width: size.width,
            height: size.height,
        }
    }

    /// The part of it that lies in a window of that size.
    pub(super) fn within(self, size: Size) -> Rect {
        let (left, top) = (i64::from(self.x), i64::from(self.y));
        let clip = |from: i64, length: u32, end: u32| {
            let start = from.clamp(0, i64::from(end));
            let stop = (from + i64::from(length)).clamp(0, i64::from(end));
            // Both lie between 0 and `end`.
            (start as u32, (stop - start) as u32)
        };
        let (x, width) = clip(left, self.width, size.width);
        let (y, height) = clip(top, self.height, size.height);
        Rect {
            x,
            y,
            width,
            height,
        }
    }
}

impl Crop {
    /// All of an image.
    pub(super) fn of(size: Size) -> Self {
        Self {
            x: 0.0,
            y: 0.0,
            width: f64::from(size.width),
            height: f64::from(size.height),
        }
    }

    /// Whether each pixel of the image is one of the window.
    pub(super) fn is_plain(self, place: Place) -> bool {
        let is_whole = self.x.fract() == 0.0 && self.y.fract() == 0.0;
        is_whole && self.width == f64::from(place.width) && self.height == f64::from(place.height)
    }

    /// Where a part of the image shows in the window.
    pub(super) fn shown(self, part: Rect, place: Place, size: Size) -> Rect {
        let across = f64::from(place.width) / self.width;
        let down = f64::from(place.height) / self.height;
        let left = ((f64::from(part.x) - self.x) * across).floor();
        let top = ((f64::from(part.y) - self.y) * down).floor();
        let right = ((f64::from(part.right()) - self.x) * across).ceil();
        let bottom = ((f64::from(part.bottom()) - self.y) * down).ceil();
        // Casts of numbers with a fraction end at the type's ends.
        let moved = Place {
            x: place.x.saturating_add(left as i32),
            y: place.y.saturating_add(top as i32),
            width: (right - left) as u32,
            height: (bottom - top) as u32,
        };
        moved.within(size).intersection(place.within(size))
    }

    fn column(self, place: Place, x: u32, width: u32) -> usize {
        let into = f64::from(i64_as_i32(i64::from(x) - i64::from(place.x)));
        pick(self.x, self.width, into, place.width, width)
    }

    fn row(self, place: Place, y: u32, height: u32) -> usize {
        let into = f64::from(i64_as_i32(i64::from(y) - i64::from(place.y)));
        pick(self.y, self.height, into, place.height, height)
    }
}

/// The pixel of an image that stands nearest to one of the window.
fn pick(start: f64, length: f64, into: f64, shown: u32, count: u32) -> usize {
    let at = start + (into + 0.5) * length / f64::from(shown.max(1));
    (at.max(0.0) as usize).min(count.saturating_sub(1) as usize)
}

fn i64_as_i32(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Lays pixels over others; their colours are multiplied by their alpha.
fn blend(under: &mut [u8], over: &[u8]) {
    for (under, over) in under.chunks_exact_mut(PIXEL).zip(over.chunks_exact(PIXEL)) {
        match over[3] {
            0 if over == [0; 4] => {}
            255 => under.copy_from_slice(over),
            alpha => {
                let rest = 255 - u32::from(alpha);
                for (under, over) in under.iter_mut().zip(over) {
                    let left = (u32::from(*under) * rest + 127) / 255;
                    *under = u8::try_from(u32::from(*over) + left).unwrap_or(u8::MAX);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(size: Size, pixel: [u8; 4], is_opaque: bool) -> Image {
        let mut image = Image::default();
        image.shape(size, is_opaque);
        for y in 0..size.height {
            for at in image.row_mut(0, y, size.width).unwrap().chunks_mut(PIXEL) {
                at.copy_from_slice(&pixel);
            }
        }
        image
    }

    fn at(image: &Image, x: u32, y: u32) -> [u8; 4] {
        let start = (y as usize * image.size().width as usize + x as usize) * PIXEL;
        image.data[start..start + PIXEL].try_into().unwrap()
    }

    #[test]
    fn what_hangs_over_the_edge_is_cut_off() {
        let window = Size::new(8, 8);
        let mut under = filled(window, [1, 2, 3, 255], true);
        let over = filled(Size::new(6, 6), [9, 9, 9, 255], true);
        for (x, y) in [(-3, -3), (5, 5), (-100, 0), (i32::MAX, i32::MIN)] {
            let place = Place {
                x,
                y,
                width: 6,
                height: 6,
            };
            under.draw(&over, Crop::of(over.size()), place, Rect::of(window));
        }
        assert_eq!(at(&under, 0, 0), [9, 9, 9, 255]);
        assert_eq!(at(&under, 2, 2), [9, 9, 9, 255]);
        assert_eq!(at(&under, 3, 3), [1, 2, 3, 255]);
        assert_eq!(at(&under, 7, 7), [9, 9, 9, 255]);
    }

    #[test]
    fn what_shines_through_does_so_by_its_alpha() {
        let window = Size::new(2, 1);
        let mut under = filled(window, [200, 100, 0, 255], true);
        // Half of (100, 100, 100), multiplied by its alpha as clients do.
        let over = filled(window, [50, 50, 50, 128], false);
        let part = Rect {
            width: 1,
            ..Rect::of(window)
        };
        under.draw(&over, Crop::of(window), Place::of(window), part);
        assert_eq!(at(&under, 0, 0)[..3], [150, 100, 50]);
        assert_eq!(at(&under, 1, 0)[..3], [200, 100, 0]);
    }

    #[test]
    fn a_crop_is_stretched_to_its_place() {
        let mut source = Image::black(Size::new(4, 1));
        for x in 0..4u8 {
            source.row_mut(u32::from(x), 0, 1).unwrap().fill(x);
        }
        let crop = Crop {
            x: 1.0,
            width: 2.0,
            ..Crop::of(source.size())
        };
        let window = Size::new(4, 1);
        let mut target = Image::black(window);
        target.draw(&source, crop, Place::of(window), Rect::of(window));
        let row: Vec<u8> = (0..4).map(|x| at(&target, x, 0)[0]).collect();
        assert_eq!(row, [1, 1, 2, 2]);
        let second = Rect {
            x: 2,
            ..Rect::of(Size::new(1, 1))
        };
        let shown = crop.shown(second, Place::of(window), window);
        assert_eq!((shown.x, shown.width), (2, 2));
    }
}
