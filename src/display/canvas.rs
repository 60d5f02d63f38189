//! [`Canvas`]: what a window shows, made of its surfaces. Pure.
//!
//! Each surface keeps its pixels, so that its buffer is given back at once. A window that consists of
//! one surface shows that surface's own; otherwise they are laid over each other when somebody looks,
//! in the damaged part only.

use std::collections::HashMap;

use crate::media::screen::{Bgra, Damage, Rect};
use crate::model::Size;

use super::image::{Crop, Image, Place};

/// A surface, by its number on the wire.
pub(super) type Layer = u32;

/// What a window shows.
#[derive(Debug)]
pub(super) struct Canvas {
    size: Size,
    images: HashMap<Layer, Image>,
    /// From the lowest to the topmost.
    placed: Vec<Placed>,
    /// All surfaces laid over each other; only of a window that has several.
    composed: Option<Image>,
    /// What is to be composed again before anybody looks.
    stale: Damage,
    /// What has changed since somebody looked.
    damage: Damage,
    /// Whether something has changed since that was asked.
    has_news: bool,
}

/// Where a surface stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placed {
    /// Which one.
    pub(super) layer: Layer,
    /// The part of it that is shown.
    pub(super) crop: Crop,
    /// Where it is shown.
    pub(super) place: Place,
}

impl Canvas {
    /// A window that shows nothing yet.
    pub(super) fn new(size: Size) -> Self {
        Self {
            size,
            images: HashMap::new(),
            placed: Vec::new(),
            composed: None,
            stale: Damage::default(),
            damage: Damage::all(size),
            has_news: false,
        }
    }

    /// Makes the window another size.
    pub(super) fn resize(&mut self, size: Size) {
        if self.size != size {
            self.size = size;
            self.composed = None;
            self.damage.clear();
            self.renew();
        }
    }

    /// The pixels of a surface, to be written to; made if there are none.
    pub(super) fn image(&mut self, layer: Layer) -> &mut Image {
        self.images.entry(layer).or_default()
    }

    /// How large a surface's image is.
    pub(super) fn image_size(&self, layer: Layer) -> Option<Size> {
        self.images.get(&layer).map(Image::size)
    }

    /// Says that a part of a surface's pixels is new.
    pub(super) fn touch(&mut self, layer: Layer, part: Rect) {
        for placed in self.placed.iter().filter(|placed| placed.layer == layer) {
            let shown = placed.crop.shown(part, placed.place, self.size);
            self.has_news |= !shown.is_empty();
            self.damage.add(shown);
            self.stale.add(shown);
        }
    }

    /// Drops a surface's pixels, and says how many there were.
    pub(super) fn remove(&mut self, layer: Layer) -> u64 {
        let kept: Vec<Placed> = self.placed.clone();
        self.arrange(kept.into_iter().filter(|placed| placed.layer != layer));
        let image = self.images.remove(&layer);
        image.map_or(0, |image| Rect::of(image.size()).area())
    }

    /// Says which surfaces there are and where, from the lowest to the topmost.
    pub(super) fn arrange(&mut self, placed: impl Iterator<Item = Placed>) {
        let has_image = |placed: &Placed| self.images.contains_key(&placed.layer);
        let placed: Vec<Placed> = placed.filter(has_image).collect();
        if placed == self.placed {
            return;
        }
        let differs = |one: &[Placed], other: &[Placed]| {
            let gone = one.iter().filter(|placed| !other.contains(placed));
            gone.map(|placed| placed.place.within(self.size))
                .collect::<Vec<_>>()
        };
        let mut changed = differs(&self.placed, &placed);
        changed.extend(differs(&placed, &self.placed));
        if changed.is_empty() {
            // The same ones in another order.
            changed.extend(placed.iter().map(|placed| placed.place.within(self.size)));
        }
        self.placed = placed;
        if self.is_plain() {
            self.composed = None;
        }
        for rect in changed {
            self.has_news |= !rect.is_empty();
            self.damage.add(rect);
            self.stale.add(rect);
        }
    }

    /// Whether something has changed since this was asked.
    pub(super) const fn take_news(&mut self) -> bool {
        std::mem::replace(&mut self.has_news, false)
    }

    /// Whether a surface covers all of the window.
    pub(super) fn is_full(&self, layer: Layer) -> bool {
        let mut its = self.placed.iter().filter(|placed| placed.layer == layer);
        its.any(|placed| placed.place == Place::of(self.size))
    }

    /// Makes all of it new to whoever looks next.
    pub(super) fn renew(&mut self) {
        self.damage = Damage::all(self.size);
        self.stale = Damage::all(self.size);
    }

    /// Shows the pixels and what has changed since the last look.
    pub(super) fn look(&mut self, see: &mut dyn FnMut(Bgra<'_>, &Damage)) {
        if !self.is_plain() {
            self.compose();
        }
        let plain = self.placed.first().filter(|_| self.composed.is_none());
        let image = match plain {
            Some(placed) => self.images.get(&placed.layer),
            None => self.composed.as_ref(),
        };
        if let Some(pixels) = image.and_then(Image::pixels) {
            see(pixels, &self.damage);
            self.damage.clear();
        }
    }

    /// Whether one surface covers the window pixel by pixel.
    fn is_plain(&self) -> bool {
        let [only] = &self.placed[..] else {
            return false;
        };
        let is_all = self.image_size(only.layer) == Some(self.size);
        is_all && only.place == Place::of(self.size) && only.crop == Crop::of(self.size)
    }

    fn compose(&mut self) {
        if self.composed.is_none() {
            self.composed = Some(Image::black(self.size));
            self.stale = Damage::all(self.size);
        }
        let Some(composed) = &mut self.composed else {
            return;
        };
        for rect in self.stale.rects() {
            composed.clear(*rect);
            for placed in &self.placed {
                if let Some(image) = self.images.get(&placed.layer) {
                    composed.draw(image, placed.crop, placed.place, *rect);
                }
            }
        }
        self.stale.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Size = Size::new(20, 10);

    fn fill(canvas: &mut Canvas, layer: Layer, size: Size, shade: u8) {
        let image = canvas.image(layer);
        image.shape(size, true);
        for y in 0..size.height {
            image.row_mut(0, y, size.width).unwrap().fill(shade);
        }
        canvas.touch(layer, Rect::of(size));
    }

    fn placed(layer: Layer, size: Size, x: i32) -> Placed {
        let place = Place {
            x,
            ..Place::of(size)
        };
        Placed {
            layer,
            crop: Crop::of(size),
            place,
        }
    }

    /// The first row, and what has changed.
    fn look(canvas: &mut Canvas) -> (Vec<u8>, Damage) {
        let mut found = (Vec::new(), Damage::default());
        canvas.look(&mut |pixels, damage| {
            assert_eq!(pixels.size(), WINDOW);
            let row = pixels.data()[..WINDOW.width as usize * 4].iter();
            found = (row.step_by(4).copied().collect(), damage.clone());
        });
        found
    }

    #[test]
    fn nothing_of_a_popup_stays() {
        let mut canvas = Canvas::new(WINDOW);
        fill(&mut canvas, 1, WINDOW, 50);
        let window = placed(1, WINDOW, 0);
        canvas.arrange([window].into_iter());
        let before = look(&mut canvas).0;
        assert_eq!(before, [50; 20]);
        assert!(
            canvas.composed.is_none(),
            "one surface needs no second copy"
        );

        let popup = Size::new(8, 4);
        fill(&mut canvas, 2, popup, 99);
        canvas.arrange([window, placed(2, popup, 16)].into_iter());
        let (row, damage) = look(&mut canvas);
        assert_eq!(row[15..], [50, 99, 99, 99, 99]);
        assert_eq!(damage.area(), 4 * 4);

        fill(&mut canvas, 1, WINDOW, 60);
        assert_eq!(look(&mut canvas).0[15..], [60, 99, 99, 99, 99]);

        assert_eq!(canvas.remove(2), 8 * 4);
        let (row, damage) = look(&mut canvas);
        assert_eq!(row, [60; 20]);
        assert_eq!(damage.area(), 4 * 4);
        assert!(canvas.composed.is_none());
        assert!(look(&mut canvas).1.is_empty());
    }

    #[test]
    fn a_window_is_full_when_its_surface_has_its_size() {
        let mut canvas = Canvas::new(WINDOW);
        fill(&mut canvas, 1, Size::new(30, 30), 1);
        canvas.arrange([placed(1, Size::new(30, 30), 0)].into_iter());
        assert!(!canvas.is_full(1));
        fill(&mut canvas, 1, WINDOW, 1);
        canvas.arrange([placed(1, WINDOW, 0)].into_iter());
        assert!(canvas.is_full(1));
        canvas.resize(Size::new(10, 10));
        assert!(!canvas.is_full(1));
    }
}
