//! [`Picture`]: the I420 canvas that everything is drawn on and the encoder reads.

use std::sync::Arc;
use std::time::Instant;

use super::layer::Layer;
use crate::model::Size;

/// Row alignment of every plane, bytes; also the alignment asked of the JPEG decoder, whose
/// plane layout this is.
pub const ROW_ALIGN: usize = 16;

/// The side of the smallest block that an encoder passes over.
const BLOCK: usize = 8;

/// A 4:2:0 picture, limited-range BT.601: luma 16–235, chroma 16–240 round 128.
///
/// The sides are even: H.264 4:2:0 wants that, and an odd viewport is padded by repeating its
/// last column and row. One allocation holds the three planes, each with rows padded to
/// [`ROW_ALIGN`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    size: Size,
    data: Vec<u8>,
}

/// One plane of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// Luma, full size.
    Y,
    /// Blue difference, half size.
    U,
    /// Red difference, half size.
    V,
}

impl Picture {
    /// A black picture that holds `size`, its sides rounded up to even.
    pub fn new(size: Size) -> Self {
        let size = size.to_even();
        let mut picture = Self {
            size,
            data: Vec::new(),
        };
        picture.data = vec![128; picture.offset_end(Plane::V)];
        picture.plane_mut(Plane::Y).fill(16);
        picture
    }

    /// Width and height, px; both even.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Width and height of one plane, samples.
    pub fn plane_size(&self, plane: Plane) -> (usize, usize) {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        match plane {
            Plane::Y => (width, height),
            Plane::U | Plane::V => (width / 2, height / 2),
        }
    }

    /// Bytes from one row to the next.
    pub fn stride(&self, plane: Plane) -> usize {
        self.plane_size(plane).0.next_multiple_of(ROW_ALIGN)
    }

    /// The samples of one plane, rows [`Self::stride`] bytes apart.
    pub fn plane(&self, plane: Plane) -> &[u8] {
        &self.data[self.offset(plane)..self.offset_end(plane)]
    }

    /// The samples of one plane, to write.
    pub fn plane_mut(&mut self, plane: Plane) -> &mut [u8] {
        let range = self.offset(plane)..self.offset_end(plane);
        &mut self.data[range]
    }

    /// The whole buffer, planes one after the other; the layout of turbojpeg's `YuvImage` with
    /// `align` = [`ROW_ALIGN`].
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The same picture, with the least change in each block that an encoder looks at: it takes none
    /// of them for what it has encoded already. Nobody sees it. `turn` says where in a block.
    #[must_use]
    pub fn stirred(&self, turn: usize) -> Self {
        let mut picture = self.clone();
        let stride = picture.stride(Plane::Y);
        let (row, column) = (turn % BLOCK, turn / BLOCK % BLOCK);
        let luma = picture.plane_mut(Plane::Y);
        for rows in luma.chunks_mut(stride * BLOCK) {
            let Some(line) = rows.chunks_mut(stride).nth(row) else {
                continue;
            };
            for sample in line.iter_mut().skip(column).step_by(BLOCK) {
                *sample ^= 1;
            }
        }
        picture
    }

    /// The three planes at once, to write.
    pub fn planes_mut(&mut self) -> [&mut [u8]; 3] {
        let (y_end, u_end) = (self.offset_end(Plane::Y), self.offset_end(Plane::U));
        let (y, chroma) = self.data.split_at_mut(y_end);
        let (u, v) = chroma.split_at_mut(u_end - y_end);
        [y, u, v]
    }

    fn offset(&self, plane: Plane) -> usize {
        match plane {
            Plane::Y => 0,
            Plane::U => self.offset_end(Plane::Y),
            Plane::V => self.offset_end(Plane::U),
        }
    }

    fn offset_end(&self, plane: Plane) -> usize {
        self.offset(plane) + self.stride(plane) * self.plane_size(plane).1
    }
}

/// One encoded H.264 picture: Annex B, SPS and PPS in front of each IDR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// NAL units with their start codes.
    pub data: Arc<[u8]>,
    /// Whether it can be decoded without what came before.
    pub keyframe: bool,
    /// Which size of the picture it is.
    pub layer: Layer,
    /// When it left the encoder; RTP timestamps derive from it, so that a receiver sees the
    /// jitter of the network and not that of capture and encoding, and buffers less.
    pub made_at: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_tile_the_buffer_at_odd_sizes() {
        for (width, height) in [(1, 1), (17, 9), (1281, 721), (1280, 720)] {
            let mut picture = Picture::new(Size::new(width, height));
            let lengths: usize = [Plane::Y, Plane::U, Plane::V]
                .iter()
                .map(|p| picture.plane(*p).len())
                .sum();
            assert_eq!(lengths, picture.data_mut().len());
            assert_eq!(
                picture.planes_mut().map(|p| p.len()).iter().sum::<usize>(),
                lengths
            );
            assert!(picture.plane(Plane::Y).iter().all(|sample| *sample == 16));
            assert!(picture.plane(Plane::V).iter().all(|sample| *sample == 128));
        }
    }
}
