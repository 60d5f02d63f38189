//! JPEG and PNG into a [`Picture`].
//!
//! A screencast JPEG is 4:2:0 already, so its planes go straight into the canvas and are mapped
//! from full range to limited range in place; no RGB in between. A lossless still (PNG) goes by
//! RGB once, after the page has come to rest.

use std::io::Cursor;

use png::{ColorType, Transformations};
use turbojpeg::{Decompressor, PixelFormat, Subsamp, YuvImage};

use super::convert::{self, RGB_BYTES, pad_edges, resize, rgb_to_picture};
use super::picture::{Picture, ROW_ALIGN};
use crate::model::Size;

const RGBA_BYTES: usize = 4;

/// Why a shot could not become a picture.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The JPEG is damaged.
    #[error("decode JPEG")]
    Jpeg(#[source] turbojpeg::Error),
    /// The PNG is damaged.
    #[error("decode PNG")]
    Png(#[source] png::DecodingError),
    /// The PNG is of a kind that no browser makes.
    #[error("a PNG of {0:?}")]
    PngKind(ColorType),
    /// There is no picture of it.
    #[error(transparent)]
    Convert(#[from] convert::Error),
}

/// Turns shots into pictures; keeps its buffers between calls.
#[derive(Debug)]
pub struct Decoder {
    jpeg: Decompressor,
    rgb: Vec<u8>,
}

impl Decoder {
    /// A decoder.
    pub fn new() -> Result<Self, Error> {
        Ok(Self {
            jpeg: Decompressor::new().map_err(Error::Jpeg)?,
            rgb: Vec::new(),
        })
    }

    /// Decodes a JPEG over the whole of `picture`, which takes the JPEG's size.
    pub fn decode_jpeg(&mut self, jpeg: &[u8], picture: &mut Picture) -> Result<(), Error> {
        let header = self.jpeg.read_header(jpeg).map_err(Error::Jpeg)?;
        let size = resize(picture, header.width, header.height)?;
        if header.subsamp != Subsamp::Sub2x2 {
            return self.decode_jpeg_by_rgb(jpeg, size, picture);
        }
        let planes = YuvImage {
            pixels: picture.data_mut(),
            width: header.width,
            align: ROW_ALIGN,
            height: header.height,
            subsamp: header.subsamp,
        };
        self.jpeg
            .decompress_to_yuv(jpeg, planes)
            .map_err(Error::Jpeg)?;
        limit_range(picture);
        pad_edges(picture, size);
        Ok(())
    }

    /// Decodes a PNG over the whole of `picture`, which takes the PNG's size.
    pub fn decode_png(&mut self, png: &[u8], picture: &mut Picture) -> Result<(), Error> {
        let mut decoder = png::Decoder::new(Cursor::new(png));
        // Eight bits a sample, and no palette.
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(Error::Png)?;
        let info = reader.info();
        let size = resize(picture, info.width as usize, info.height as usize)?;
        let pixels = size.width as usize * size.height as usize;
        self.rgb.resize(pixels * RGBA_BYTES, 0);
        let frame = reader.next_frame(&mut self.rgb).map_err(Error::Png)?;
        match frame.color_type {
            ColorType::Rgb => (),
            ColorType::Rgba => drop_alpha(&mut self.rgb),
            other => return Err(Error::PngKind(other)),
        }
        Ok(rgb_to_picture(
            &self.rgb[..pixels * RGB_BYTES],
            size,
            picture,
        )?)
    }

    fn decode_jpeg_by_rgb(
        &mut self,
        jpeg: &[u8],
        size: Size,
        picture: &mut Picture,
    ) -> Result<(), Error> {
        let (width, height) = (size.width as usize, size.height as usize);
        self.rgb.resize(width * height * RGB_BYTES, 0);
        let image = turbojpeg::Image {
            pixels: self.rgb.as_mut_slice(),
            width,
            pitch: width * RGB_BYTES,
            height,
            format: PixelFormat::RGB,
        };
        self.jpeg.decompress(jpeg, image).map_err(Error::Jpeg)?;
        Ok(rgb_to_picture(&self.rgb, size, picture)?)
    }
}

/// Leaves the colours of RGBA pixels at the front of their buffer, as RGB.
fn drop_alpha(pixels: &mut [u8]) {
    for index in 1..pixels.len() / RGBA_BYTES {
        let from = index * RGBA_BYTES;
        pixels.copy_within(from..from + RGB_BYTES, index * RGB_BYTES);
    }
}

/// Maps full-range samples (JPEG) to limited range (video), every plane in place.
///
/// Luma becomes `y * 219/255 + 16` and chroma `(c - 128) * 224/255 + 128`, rounded. All
/// intermediate values fit 16 bits, so the compiler turns the loops into wide SIMD.
fn limit_range(picture: &mut Picture) {
    let [y, u, v] = picture.planes_mut();
    for sample in y.iter_mut() {
        *sample = div_255(u16::from(*sample) * 219 + 127) + 16;
    }
    // 128 - 128 * 224/255 = 15.561, in 255ths: 3968.
    for sample in u.iter_mut().chain(v) {
        *sample = div_255(u16::from(*sample) * 224 + 3968 + 127);
    }
}

/// `x / 255` for every `x` below 65280, by shifts.
const fn div_255(x: u16) -> u8 {
    ((x + 1 + (x >> 8)) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::super::picture::Plane;
    use super::*;

    #[test]
    fn division_by_shifts_is_exact() {
        for x in 0..65_280u16 {
            assert_eq!(u16::from(div_255(x)), x / 255, "{x}");
        }
    }

    #[test]
    fn the_range_maps_as_bt601_says() {
        let mut picture = Picture::new(Size::new(256, 2));
        for plane in [Plane::Y, Plane::U, Plane::V] {
            for (index, sample) in picture.plane_mut(plane).iter_mut().enumerate() {
                *sample = index as u8;
            }
        }
        limit_range(&mut picture);
        for value in 0..128usize {
            let luma = (value as f64 * 219.0 / 255.0 + 16.0).round();
            assert_eq!(
                f64::from(picture.plane(Plane::Y)[value]),
                luma,
                "luma {value}"
            );
            let chroma = (value as f64 - 128.0) * 224.0 / 255.0 + 128.0;
            let got = f64::from(picture.plane(Plane::V)[value]);
            assert!(
                (got - chroma).abs() <= 0.51,
                "chroma {value}: {got} for {chroma}"
            );
        }
    }

    /// Flat colours survive either way in within one step of the sample values.
    #[test]
    fn flat_colours_by_jpeg_and_by_png() {
        for (width, height) in [(64usize, 48usize), (63, 47)] {
            for rgb in [[204u8, 51, 51], [0, 0, 0], [255, 255, 255], [224, 172, 105]] {
                let pixels = rgb.repeat(width * height);
                let png = encode_png(&pixels, width, height);
                let jpeg = encode_jpeg(&pixels, width, height);
                let mut decoder = Decoder::new().unwrap();
                let (mut a, mut b) = (Picture::new(Size::new(2, 2)), Picture::new(Size::new(2, 2)));
                decoder.decode_png(&png, &mut a).unwrap();
                decoder.decode_jpeg(&jpeg, &mut b).unwrap();
                assert_eq!(a.size(), Size::new(width as u32, height as u32).to_even());
                assert_eq!(a.size(), b.size());
                for plane in [Plane::Y, Plane::U, Plane::V] {
                    let last = (a.plane_size(plane).1 - 1) * a.stride(plane);
                    for at in [0, last, last + a.plane_size(plane).0 - 1] {
                        let (x, y) = (a.plane(plane)[at], b.plane(plane)[at]);
                        assert!(x.abs_diff(y) <= 1, "{rgb:?} {plane:?} at {at}: {x} {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn damage_is_an_error() {
        let mut decoder = Decoder::new().unwrap();
        let mut picture = Picture::new(Size::new(16, 16));
        for bytes in [&b""[..], b"no picture", &[0xff, 0xd8, 0xff]] {
            assert!(decoder.decode_jpeg(bytes, &mut picture).is_err());
            assert!(decoder.decode_png(bytes, &mut picture).is_err());
        }
    }

    fn encode_png(rgb: &[u8], width: usize, height: usize) -> Vec<u8> {
        encode_png_of(ColorType::Rgb, rgb, width, height)
    }

    fn encode_png_of(kind: ColorType, pixels: &[u8], width: usize, height: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
        encoder.set_color(kind);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(pixels).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn a_png_with_alpha_is_the_same_picture() {
        let rgb: Vec<u8> = (0..6 * 4 * RGB_BYTES).map(|at| (at * 37) as u8).collect();
        let rgba: Vec<u8> = rgb
            .chunks(RGB_BYTES)
            .flat_map(|p| [p[0], p[1], p[2], 255])
            .collect();
        let mut decoder = Decoder::new().unwrap();
        let [mut plain, mut alpha] = [Size::new(6, 4); 2].map(Picture::new);
        decoder
            .decode_png(&encode_png(&rgb, 6, 4), &mut plain)
            .unwrap();
        let png = encode_png_of(ColorType::Rgba, &rgba, 6, 4);
        decoder.decode_png(&png, &mut alpha).unwrap();
        for plane in [Plane::Y, Plane::U, Plane::V] {
            assert_eq!(plain.plane(plane), alpha.plane(plane));
        }
        let grey = encode_png_of(ColorType::Grayscale, &[0; 24], 6, 4);
        assert!(decoder.decode_png(&grey, &mut alpha).is_err());
    }

    fn encode_jpeg(rgb: &[u8], width: usize, height: usize) -> Vec<u8> {
        let image = turbojpeg::Image {
            pixels: rgb,
            width,
            pitch: width * 3,
            height,
            format: PixelFormat::RGB,
        };
        turbojpeg::compress(image, 95, Subsamp::Sub2x2)
            .unwrap()
            .to_vec()
    }
}
