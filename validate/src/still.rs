//! [`Still`]: a screenshot, decoded.

use std::io::Cursor;

use png::{ColorType, Transformations};
use turbojpeg::PixelFormat;

use super::outcome::{Expect, Outcome, ensure};

/// A picture of RGB pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Still {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Bytes of a pixel; what follows the colour is opacity.
    depth: usize,
    pixels: Vec<u8>,
}

impl Still {
    /// Decodes a PNG of colours.
    pub(super) fn of_png(bytes: &[u8]) -> Outcome<Self> {
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        // Eight bits a sample, and no palette.
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info()?;
        let size = reader.output_buffer_size();
        let mut pixels = vec![0; size.expect_that("the PNG has a size that fits")?];
        let frame = reader.next_frame(&mut pixels)?;
        let depth = match frame.color_type {
            ColorType::Rgb => 3,
            ColorType::Rgba => 4,
            ColorType::Grayscale | ColorType::GrayscaleAlpha | ColorType::Indexed => 0,
        };
        ensure!(depth > 0, "the PNG is of {:?}", frame.color_type);
        Ok(Self {
            width: frame.width as usize,
            height: frame.height as usize,
            depth,
            pixels,
        })
    }

    /// Decodes a JPEG.
    pub(super) fn of_jpeg(bytes: &[u8]) -> Outcome<Self> {
        let image = turbojpeg::decompress(bytes, PixelFormat::RGB)?;
        Ok(Self {
            width: image.width,
            height: image.height,
            depth: 3,
            pixels: image.pixels,
        })
    }

    /// The colour of one pixel, which is in the picture.
    pub(super) fn rgb_at(&self, x: usize, y: usize) -> Option<[u8; 3]> {
        let at = (y * self.width + x) * self.depth;
        let pixel = self.pixels.get(at..at + 3)?;
        (x < self.width).then_some([pixel[0], pixel[1], pixel[2]])
    }
}

#[cfg(test)]
mod tests {
    use turbojpeg::Subsamp;

    use super::*;

    fn png_of(kind: ColorType, pixels: &[u8], width: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, 1);
        encoder.set_color(kind);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(pixels).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn a_png_is_read_with_and_without_opacity() {
        let plain = png_of(ColorType::Rgb, &[1, 2, 3, 4, 5, 6], 2);
        let clear = png_of(ColorType::Rgba, &[1, 2, 3, 255, 4, 5, 6, 255], 2);
        for bytes in [plain, clear] {
            let still = Still::of_png(&bytes).unwrap();
            assert_eq!((still.width, still.height), (2, 1));
            assert_eq!(still.rgb_at(1, 0), Some([4, 5, 6]));
            assert_eq!((still.rgb_at(2, 0), still.rgb_at(0, 1)), (None, None));
        }
        assert!(Still::of_png(&png_of(ColorType::Grayscale, &[9], 1)).is_err());
        assert!(Still::of_png(b"no picture").is_err());
    }

    #[test]
    fn a_jpeg_is_read() {
        let image = turbojpeg::Image {
            pixels: &[200, 50, 50].repeat(64)[..],
            width: 8,
            pitch: 24,
            height: 8,
            format: PixelFormat::RGB,
        };
        let jpeg = turbojpeg::compress(image, 95, Subsamp::None).unwrap();
        let still = Still::of_jpeg(&jpeg).unwrap();
        let got = still.rgb_at(4, 4).unwrap();
        let is_like = got
            .iter()
            .zip([200, 50, 50])
            .all(|(a, b)| a.abs_diff(b) < 6);
        assert!((still.width, still.height) == (8, 8) && is_like, "{got:?}");
        assert!(Still::of_jpeg(b"no picture").is_err());
    }
}
