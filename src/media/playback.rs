//! H.264 back into pictures, to look at what was sent or recorded. Nothing of the service plays
//! video; the validation program does.

use openh264::decoder::Decoder;
use openh264::formats::YUVSource;

use super::picture::{Picture, Plane};
use crate::model::Size;

/// Why an access unit could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The decoder could not be made.
    #[error("start the H.264 decoder")]
    Start(#[source] openh264::Error),
    /// What came is no H.264, or not whole.
    #[error("decode an access unit")]
    Decode(#[source] openh264::Error),
}

/// A decoder of one stream.
pub struct Player {
    inner: Decoder,
}

impl std::fmt::Debug for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Player")
    }
}

impl Player {
    /// A decoder that awaits a keyframe.
    pub fn new() -> Result<Self, Error> {
        let inner = Decoder::new().map_err(Error::Start)?;
        Ok(Self { inner })
    }

    /// Decodes one access unit (Annex B). `None` when it completes no picture.
    pub fn show(&mut self, unit: &[u8]) -> Result<Option<Picture>, Error> {
        let Some(decoded) = self.inner.decode(unit).map_err(Error::Decode)? else {
            return Ok(None);
        };
        let (width, height) = decoded.dimensions();
        let mut picture = Picture::new(Size::new(width as u32, height as u32));
        let strides = decoded.strides();
        for (plane, samples, stride) in [
            (Plane::Y, decoded.y(), strides.0),
            (Plane::U, decoded.u(), strides.1),
            (Plane::V, decoded.v(), strides.2),
        ] {
            let row_bytes = picture.plane_size(plane).0;
            let row_pitch = picture.stride(plane);
            let rows = picture.plane_mut(plane).chunks_exact_mut(row_pitch);
            for (row, source) in rows.zip(samples.chunks(stride)) {
                row[..row_bytes].copy_from_slice(&source[..row_bytes]);
            }
        }
        Ok(Some(picture))
    }
}

/// The colour of one pixel, as a player shows it: limited-range BT.601 to RGB.
pub fn rgb_at(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
    let sample = |plane: Plane, x: usize, y: usize| {
        f64::from(picture.plane(plane)[y * picture.stride(plane) + x])
    };
    let luma = (sample(Plane::Y, x, y) - 16.0) * 255.0 / 219.0;
    let blue = (sample(Plane::U, x / 2, y / 2) - 128.0) * 255.0 / 224.0;
    let red = (sample(Plane::V, x / 2, y / 2) - 128.0) * 255.0 / 224.0;
    [
        luma + 1.402 * red,
        luma - 0.344_136 * blue - 0.714_136 * red,
        luma + 1.772 * blue,
    ]
    .map(|value| value.round().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::encode::{Config, Content, Encoder};

    #[test]
    fn what_is_encoded_comes_back() {
        let mut picture = Picture::new(Size::new(64, 48));
        for (plane, value) in [(Plane::Y, 99), (Plane::U, 111), (Plane::V, 176)] {
            picture.plane_mut(plane).fill(value);
        }
        let config = Config {
            fps: 30,
            bitrate_bps: 1_000_000,
            content: Content::Screen,
        };
        let unit = Encoder::new(config).unwrap().encode(&picture, 0, true);
        let unit = unit.unwrap().unwrap();
        let mut player = Player::new().unwrap();
        let shown = player.show(&unit.data).unwrap().unwrap();
        assert_eq!(shown.size(), picture.size());
        let (got, meant) = (rgb_at(&shown, 30, 20), rgb_at(&picture, 30, 20));
        assert!(
            got.iter().zip(meant).all(|(a, b)| a.abs_diff(b) <= 4),
            "{got:?} {meant:?}"
        );
        assert_eq!(rgb_at(&Picture::new(Size::new(2, 2)), 1, 1), [0, 0, 0]);
    }

    #[test]
    fn nonsense_is_no_picture() {
        let mut player = Player::new().unwrap();
        assert!(!matches!(player.show(&[1, 2, 3, 4]), Ok(Some(_))));
    }
}
