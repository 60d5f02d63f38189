//! [`Board`]: puts a [`Panel`] onto a [`Picture`] and takes it off again, to the byte. A panel is what
//! a browser shows in a window of its own, such as a dialog, which a capture of the page leaves out.
//!
//! A panel is made once and lies still: it costs something when it comes, when it goes, and with each
//! picture that is decoded under it.

use tiny_skia::Pixmap;

use super::compose::{Patch, Place, put, restore};
use super::cursor::sprite::{Scale, Sprite};
use super::marks::check_size;
use super::picture::Picture;
use crate::model::{Point, Size};

/// Why there is no panel.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The picture is larger than anybody looks at.
    #[error("the size of a panel")]
    Size(#[source] super::marks::Error),
    /// The picture is damaged.
    #[error("decode a panel")]
    Decode(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A picture with its place over the page.
#[derive(Debug)]
pub struct Panel {
    sprite: Sprite,
    /// Its top left corner, CSS px.
    at: Point,
}

impl Panel {
    /// A panel of a PNG.
    pub fn decode(png: &[u8], at: Point) -> Result<Self, Error> {
        check_size(png).map_err(Error::Size)?;
        let picture = Pixmap::decode_png(png).map_err(|error| Error::Decode(error.into()))?;
        let sprite = Sprite {
            width: picture.width() as usize,
            height: picture.height() as usize,
            hot_x: 0,
            hot_y: 0,
            rgba: picture.take(),
        };
        Ok(Self { sprite, at })
    }
}

/// What lies over one picture, and what was under it.
#[derive(Debug, Default)]
pub struct Board {
    shown: Option<Shown>,
    kept: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Shown {
    number: u64,
    size: Size,
    /// None when the panel is off the picture.
    patch: Option<Patch>,
}

impl Board {
    /// The number of the panel that lies there.
    pub fn number(&self) -> Option<u64> {
        self.shown.map(|shown| shown.number)
    }

    /// Puts a panel there in place of what lay there before; None takes that off. Whatever was drawn
    /// above has to be off already.
    pub fn draw(&mut self, picture: &mut Picture, panel: Option<(u64, &Panel)>, scale: Scale) {
        if let Some(shown) = self.shown
            && shown.size == picture.size()
            && let Some(patch) = shown.patch
        {
            restore(picture, patch, &self.kept);
        }
        self.forget();
        if let Some((number, panel)) = panel {
            let place = Place::at(panel.at, scale);
            self.shown = Some(Shown {
                number,
                size: picture.size(),
                patch: put(picture, &panel.sprite, place, &mut self.kept),
            });
        }
    }

    /// The picture was replaced as a whole: nothing lies there any more.
    pub fn forget(&mut self) {
        self.shown = None;
        self.kept.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Plane;

    fn panel(at: Point) -> Panel {
        let mut pixels = Pixmap::new(21, 11).unwrap();
        pixels.fill(tiny_skia::Color::from_rgba8(255, 255, 255, 255));
        Panel::decode(&pixels.encode_png().unwrap(), at).unwrap()
    }

    #[test]
    fn a_panel_is_seen_and_comes_off_to_the_byte() {
        let mut picture = Picture::new(Size::new(64, 48));
        for (index, sample) in picture.data_mut().iter_mut().enumerate() {
            *sample = (index * 7) as u8;
        }
        let before = picture.plane(Plane::Y).to_vec();
        let chroma = picture.plane(Plane::U).to_vec();
        let mut board = Board::default();
        let scale = Scale::uniform(1.0);
        for at in [Point::new(5.0, 7.0), Point::new(50.0, 44.0)] {
            board.draw(&mut picture, Some((1, &panel(at))), scale);
            assert_eq!(board.number(), Some(1));
            let inside = (at.y as usize + 2) * picture.stride(Plane::Y) + at.x as usize + 2;
            assert_eq!(picture.plane(Plane::Y)[inside], 235);
        }
        board.draw(
            &mut picture,
            Some((2, &panel(Point::new(-90.0, 500.0)))),
            scale,
        );
        assert_eq!(board.number(), Some(2));
        board.draw(&mut picture, None, scale);
        assert_eq!(board.number(), None);
        assert_eq!(picture.plane(Plane::Y), before);
        assert_eq!(picture.plane(Plane::U), chroma);
    }

    #[test]
    fn damage_is_an_error() {
        assert!(Panel::decode(b"no picture", Point::new(0.0, 0.0)).is_err());
    }
}
