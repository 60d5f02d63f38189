//! The still card that stands for the page while a person has it to themselves.

use tiny_skia::{FilterQuality, Pixmap, PixmapPaint, Transform};

use super::compose::{Place, put};
use super::cursor::sprite::{Scale, Sprite};
use super::picture::{Picture, Plane};
use crate::model::{Point, Size};

/// What it says, as a picture: no font is needed where it is shown.
const WORDS: &[u8] = include_bytes!("card.png");
/// How much of the width they take at most.
const WIDTH_SHARE: f32 = 0.8;
/// How dark it is.
const LUMA: u8 = 34;

/// The card, as large as the picture that it stands for.
pub fn card(size: Size) -> Picture {
    let mut picture = Picture::new(size);
    picture.plane_mut(Plane::Y).fill(LUMA);
    if let Some((words, at)) = words(picture.size()) {
        put(
            &mut picture,
            &words,
            Place::at(at, Scale::uniform(1.0)),
            &mut Vec::new(),
        );
    }
    picture
}

/// The words and where they are; none where they would not be readable anyway.
fn words(size: Size) -> Option<(Sprite, Point)> {
    let whole = Pixmap::decode_png(WORDS).ok()?;
    let (width, height) = (size.width as f32, size.height as f32);
    let room = (width * WIDTH_SHARE / whole.width() as f32).min(height / whole.height() as f32);
    let scale = room.min(1.0);
    let scaled = |side: u32| (side as f32 * scale).ceil() as u32;
    let mut words = Pixmap::new(scaled(whole.width()), scaled(whole.height()))?;
    let paint = PixmapPaint {
        quality: FilterQuality::Bicubic,
        ..PixmapPaint::default()
    };
    let transform = Transform::from_scale(scale, scale);
    words.draw_pixmap(0, 0, whole.as_ref(), &paint, transform, None);
    let at = Point::new(
        f64::from((width - words.width() as f32) / 2.0).floor(),
        f64::from((height - words.height() as f32) / 2.0).floor(),
    );
    let sprite = Sprite {
        width: words.width() as usize,
        height: words.height() as usize,
        hot_x: 0,
        hot_y: 0,
        rgba: words.take(),
    };
    Some((sprite, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_something_at_any_size_that_can_be_read() {
        for (width, height, is_read) in [
            (1280, 720, true),
            (390, 844, true),
            (3840, 2160, true),
            (2, 2, false),
        ] {
            let picture = card(Size::new(width, height));
            assert_eq!(picture.size(), Size::new(width, height));
            let luma = picture.plane(Plane::Y);
            let brightest = luma.iter().max().copied().unwrap_or_default();
            assert_eq!(brightest > 180, is_read, "{width}x{height}: {brightest}");
            assert_eq!(luma[0], LUMA, "{width}x{height}");
        }
    }
}
