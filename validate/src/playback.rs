//! H.264 back into pictures, to look at what was sent or recorded. Nothing of the service plays
//! video.

use openh264::decoder::Decoder;
use openh264::formats::YUVSource;

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

/// A decoded picture: full luma, and each of both colours at half the width and height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    luma: Vec<u8>,
    blue: Vec<u8>,
    red: Vec<u8>,
}

impl Picture {
    /// Its width and height, px.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// The brightness of its pixels, row by row without a gap.
    pub fn luma(&self) -> &[u8] {
        &self.luma
    }

    /// The colour of one pixel, as a player shows it: limited-range BT.601 to RGB.
    pub fn rgb_at(&self, x: usize, y: usize) -> [u8; 3] {
        let colour_at = y / 2 * self.width.div_ceil(2) + x / 2;
        let luma = (f64::from(self.luma[y * self.width + x]) - 16.0) * 255.0 / 219.0;
        let blue = (f64::from(self.blue[colour_at]) - 128.0) * 255.0 / 224.0;
        let red = (f64::from(self.red[colour_at]) - 128.0) * 255.0 / 224.0;
        [
            luma + 1.402 * red,
            luma - 0.344_136 * blue - 0.714_136 * red,
            luma + 1.772 * blue,
        ]
        .map(|value| value.round().clamp(0.0, 255.0) as u8)
    }
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
        let strides = decoded.strides();
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        Ok(Some(Picture {
            width,
            height,
            luma: packed(decoded.y(), strides.0, width, height),
            blue: packed(decoded.u(), strides.1, half_width, half_height),
            red: packed(decoded.v(), strides.2, half_width, half_height),
        }))
    }
}

/// The samples of a plane without what pads its rows.
fn packed(samples: &[u8], stride: usize, width: usize, height: usize) -> Vec<u8> {
    let rows = samples.chunks(stride).take(height);
    rows.flat_map(|row| &row[..width]).copied().collect()
}

#[cfg(test)]
mod tests {
    use openh264::encoder::Encoder;
    use openh264::formats::YUVBuffer;

    use super::*;

    #[test]
    fn what_is_encoded_comes_back() {
        const SIZE: (usize, usize) = (64, 48);
        let plane = |value: u8, part: usize| vec![value; SIZE.0 * SIZE.1 / part];
        let samples = [plane(99, 1), plane(111, 4), plane(176, 4)];
        let meant = Picture {
            width: SIZE.0,
            height: SIZE.1,
            luma: samples[0].clone(),
            blue: samples[1].clone(),
            red: samples[2].clone(),
        };
        let source = YUVBuffer::from_vec(samples.concat(), SIZE.0, SIZE.1);
        let unit = Encoder::new().unwrap().encode(&source).unwrap().to_vec();
        let mut player = Player::new().unwrap();
        let shown = player.show(&unit).unwrap().unwrap();
        assert_eq!((shown.size(), shown.luma().len()), (SIZE, 64 * 48));
        let (got, meant) = (shown.rgb_at(30, 20), meant.rgb_at(30, 20));
        assert!(
            got.iter().zip(meant).all(|(a, b)| a.abs_diff(b) <= 4),
            "{got:?} {meant:?}"
        );
    }

    #[test]
    fn black_is_black() {
        let black = Picture {
            width: 1,
            height: 1,
            luma: vec![16],
            blue: vec![128],
            red: vec![128],
        };
        assert_eq!(black.rgb_at(0, 0), [0, 0, 0]);
    }

    #[test]
    fn nonsense_is_no_picture() {
        let mut player = Player::new().unwrap();
        assert!(!matches!(player.show(&[1, 2, 3, 4]), Ok(Some(_))));
    }
}
