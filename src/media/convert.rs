//! Pixels into a [`Picture`]: what all ways in have in common.

use yuv::{BufferStoreMut, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use super::picture::{Picture, Plane};
use crate::model::Size;

/// Largest side accepted, px: the encoder takes no more, and it bounds what a decoder allocates.
const SIDE_PX_MAX: usize = 4096;

pub(super) const RGB_BYTES: usize = 3;

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
    let (y_stride, chroma_stride) = (picture.stride(Plane::Y), picture.stride(Plane::U));
    let [y, u, v] = picture.planes_mut();
    // The converter finds an odd last row by what is left of the plane, so it sees the page's rows
    // only.
    let y = &mut y[..y_stride * size.height as usize];
    let mut planar = YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(y),
        y_stride: y_stride as u32,
        u_plane: BufferStoreMut::Borrowed(u),
        u_stride: chroma_stride as u32,
        v_plane: BufferStoreMut::Borrowed(v),
        v_stride: chroma_stride as u32,
        width: size.width,
        height: size.height,
    };
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
