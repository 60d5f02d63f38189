//! [`Screen`]: pixels that are looked at where they are, when a picture is drawn.
//!
//! A display holds what a window shows, uncompressed. Nothing is copied for a picture that nobody
//! draws: the studio asks for the pixels when it draws, and is told which of them are new.

use std::fmt::Debug;
use std::time::Instant;

use crate::model::Size;

/// Rectangles that are kept apart; more of them grow together.
const RECTS_MAX: usize = 16;

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// From the left edge, px.
    pub x: u32,
    /// From the top edge, px.
    pub y: u32,
    /// Width, px.
    pub width: u32,
    /// Height, px.
    pub height: u32,
}

/// Which pixels have changed: a few rectangles that hold all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Damage {
    rects: Vec<Rect>,
}

/// Pixels of four bytes, blue first, the fourth without meaning; rows `stride` bytes apart.
#[derive(Debug, Clone, Copy)]
pub struct Bgra<'a> {
    size: Size,
    stride: usize,
    data: &'a [u8],
}

/// What a window shows.
pub trait Screen: Debug + Send + Sync {
    /// Shows the pixels, and what has changed of them since the last look. They stand still until
    /// `see` returns, which is therefore quick.
    fn look(&self, see: &mut dyn FnMut(Bgra<'_>, &Damage));

    /// Says that a picture of the last look was drawn at `now`, and that the next one will be drawn
    /// at `due` if there is something new by then.
    fn taken(&self, now: Instant, due: Instant);
}

impl Rect {
    /// All of a picture.
    pub const fn of(size: Size) -> Self {
        Self {
            x: 0,
            y: 0,
            width: size.width,
            height: size.height,
        }
    }

    /// Whether it holds no pixel.
    pub const fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// The part that both share, which may be empty.
    pub fn intersection(self, other: Self) -> Self {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        Self {
            x,
            y,
            width: self.right().min(other.right()).saturating_sub(x),
            height: self.bottom().min(other.bottom()).saturating_sub(y),
        }
    }

    /// The smallest one that holds both.
    pub fn union(self, other: Self) -> Self {
        if self.is_empty() || other.is_empty() {
            return if self.is_empty() { other } else { self };
        }
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        Self {
            x,
            y,
            width: self.right().max(other.right()) - x,
            height: self.bottom().max(other.bottom()) - y,
        }
    }

    /// Its sides moved outwards to even, within `size`: chroma samples span two pixels each way.
    pub fn to_even(self, size: Size) -> Self {
        let (x, y) = (self.x & !1, self.y & !1);
        Self {
            x,
            y,
            width: (self.right().saturating_add(1) & !1).min(size.width) - x.min(size.width),
            height: (self.bottom().saturating_add(1) & !1).min(size.height) - y.min(size.height),
        }
    }

    /// The first column behind it.
    pub const fn right(self) -> u32 {
        self.x.saturating_add(self.width)
    }

    /// The first row behind it.
    pub const fn bottom(self) -> u32 {
        self.y.saturating_add(self.height)
    }

    /// How many pixels it holds.
    pub const fn area(self) -> u64 {
        self.width as u64 * self.height as u64
    }
}

impl Damage {
    /// All of a picture.
    pub fn all(size: Size) -> Self {
        let mut damage = Self::default();
        damage.add(Rect::of(size));
        damage
    }

    /// Adds a rectangle. It is merged with those that it costs nothing to be merged with, and with the
    /// nearest one when there are too many.
    pub fn add(&mut self, rect: Rect) {
        let mut rect = rect;
        if rect.is_empty() {
            return;
        }
        // What two hold together may now meet a third.
        while let Some(at) = self.rects.iter().position(|other| joins(*other, rect)) {
            rect = rect.union(self.rects.swap_remove(at));
        }
        if self.rects.len() < RECTS_MAX {
            return self.rects.push(rect);
        }
        let grown = |other: &Rect| other.union(rect).area() - other.area();
        let nearest = (0..self.rects.len()).min_by_key(|at| grown(&self.rects[*at]));
        if let Some(at) = nearest {
            let other = self.rects.swap_remove(at);
            self.add(other.union(rect));
        }
    }

    /// Adds all of another one.
    pub fn extend(&mut self, other: &Self) {
        for rect in &other.rects {
            self.add(*rect);
        }
    }

    /// The rectangles; none overlaps another by much.
    pub fn rects(&self) -> &[Rect] {
        &self.rects
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.rects.is_empty()
    }

    /// Forgets all; keeps its allocation.
    pub fn clear(&mut self) {
        self.rects.clear();
    }

    /// How many pixels it holds at most.
    pub fn area(&self) -> u64 {
        self.rects.iter().map(|rect| rect.area()).sum()
    }
}

/// Whether two rectangles together are no more than both of them by themselves.
fn joins(one: Rect, other: Rect) -> bool {
    one.union(other).area() <= one.area() + other.area()
}

impl<'a> Bgra<'a> {
    /// Pixels of that size; `None` when `data` does not hold so many.
    pub fn new(size: Size, stride: usize, data: &'a [u8]) -> Option<Self> {
        let row = size.width as usize * 4;
        let rows_before = (size.height as usize).checked_sub(1)?;
        let needed = rows_before.checked_mul(stride)?.checked_add(row)?;
        (stride >= row && row > 0 && data.len() >= needed).then_some(Self { size, stride, data })
    }

    /// Width and height, px.
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Bytes from one row to the next.
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// The bytes, from the first pixel of the first row to the last one of the last.
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// A part of it, cut to what there is.
    pub fn part(&self, rect: Rect) -> Option<Self> {
        let rect = rect.intersection(Rect::of(self.size));
        let start = rect.y as usize * self.stride + rect.x as usize * 4;
        Self::new(
            Size::new(rect.width, rect.height),
            self.stride,
            self.data.get(start..)?,
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rects() -> impl Strategy<Value = Vec<Rect>> {
        let rect = (0..60u32, 0..60u32, 0..9u32, 0..9u32);
        let rect = rect.prop_map(|(x, y, width, height)| Rect {
            x,
            y,
            width,
            height,
        });
        prop::collection::vec(rect, 0..60)
    }

    proptest! {
        #[test]
        fn damage_holds_all_that_was_added(rects in rects()) {
            let mut damage = Damage::default();
            for rect in &rects {
                damage.add(*rect);
            }
            prop_assert!(damage.rects().len() <= RECTS_MAX);
            for rect in rects.iter().filter(|rect| !rect.is_empty()) {
                for (x, y) in [(rect.x, rect.y), (rect.right() - 1, rect.bottom() - 1)] {
                    let pixel = Rect { x, y, width: 1, height: 1 };
                    let holds = |held: &Rect| held.intersection(pixel) == pixel;
                    prop_assert!(damage.rects().iter().any(holds), "{x},{y} of {damage:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_the_same_or_stands_side_by_side_is_one() {
        let at = |x| Rect {
            x,
            y: 0,
            width: 10,
            height: 10,
        };
        let mut damage = Damage::default();
        for x in [0, 20, 0, 10] {
            damage.add(at(x));
        }
        let all = Rect { width: 30, ..at(0) };
        assert_eq!(damage.rects(), [all]);
    }

    #[test]
    fn pixels_that_are_not_there_are_none() {
        let bytes = [0; 64];
        assert!(Bgra::new(Size::new(4, 4), 16, &bytes).is_some());
        assert!(Bgra::new(Size::new(4, 5), 16, &bytes).is_none());
        assert!(Bgra::new(Size::new(4, 4), 12, &bytes).is_none());
        assert!(Bgra::new(Size::new(0, 4), 16, &bytes).is_none());
        assert!(Bgra::new(Size::new(4, u32::MAX), usize::MAX, &bytes).is_none());
        let whole = Bgra::new(Size::new(4, 4), 16, &bytes).unwrap();
        let corner = Rect {
            x: 3,
            y: 3,
            width: 9,
            height: 9,
        };
        assert_eq!(whole.part(corner).unwrap().size(), Size::new(1, 1));
        assert!(whole.part(Rect { x: 4, ..corner }).is_none());
    }
}
