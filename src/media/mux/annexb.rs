//! Reading an encoder's byte stream: NAL units between start codes, and what a sequence parameter
//! set says of the picture's size.

use crate::model::Size;

/// A sequence parameter set.
const SPS: u8 = 7;
/// A picture parameter set.
const PPS: u8 = 8;
/// An access unit delimiter: says nothing that the container does not say.
const DELIMITER: u8 = 9;
/// (Constrained) baseline, the only profile that is encoded here.
const PROFILE_BASELINE: u8 = 66;
/// A sample of luma has half as many of chroma each way, so croppings count in twos.
const CROP_UNIT: u32 = 2;

/// What a NAL unit is, as far as the container cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sps,
    Pps,
    Delimiter,
    /// A slice, or anything else that belongs to the picture.
    Picture,
}

/// The kind of a NAL unit.
pub(super) fn kind(nal: &[u8]) -> Kind {
    match nal.first().map(|header| header & 0x1f) {
        Some(SPS) => Kind::Sps,
        Some(PPS) => Kind::Pps,
        Some(DELIMITER) => Kind::Delimiter,
        _ => Kind::Picture,
    }
}

/// The NAL units of a byte stream, in order, without start codes and trailing zeros.
pub(super) fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        let nal = rest?;
        let end = start_code(nal);
        rest = end.and_then(|at| after_start_code(&nal[at..]));
        Some(trimmed(&nal[..end.unwrap_or(nal.len())]))
    })
    .filter(|nal| !nal.is_empty())
}

fn start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|three| three == [0, 0, 1])
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    start_code(bytes).map(|at| &bytes[at + 3..])
}

/// A NAL unit never ends in a zero; those before a start code belong to the start code.
fn trimmed(nal: &[u8]) -> &[u8] {
    let end = nal.iter().rposition(|byte| *byte != 0);
    &nal[..end.map_or(0, |last| last + 1)]
}

/// The size of the pictures that a baseline sequence parameter set describes; `None` when it is
/// damaged or of another profile (ITU-T H.264, 7.3.2.1.1).
pub(super) fn picture_size(sps: &[u8]) -> Option<Size> {
    let payload = unescaped(sps);
    if *payload.get(1)? != PROFILE_BASELINE {
        return None;
    }
    // The NAL header, the profile, its constraints and the level come first.
    let mut bits = Bits {
        bytes: payload.get(4..)?,
        at: 0,
    };
    bits.exp_golomb()?; // id
    bits.exp_golomb()?; // log2_max_frame_num_minus4
    match bits.exp_golomb()? {
        0 => drop(bits.exp_golomb()?), // log2_max_pic_order_cnt_lsb_minus4
        1 => {
            bits.bit()?; // delta_pic_order_always_zero_flag
            bits.exp_golomb()?; // offset_for_non_ref_pic
            bits.exp_golomb()?; // offset_for_top_to_bottom_field
            for _ in 0..bits.exp_golomb()? {
                bits.exp_golomb()?; // offset_for_ref_frame
            }
        }
        _ => (),
    }
    bits.exp_golomb()?; // max_num_ref_frames
    bits.bit()?; // gaps_in_frame_num_value_allowed_flag
    let width = bits.exp_golomb()?.checked_add(1)?.checked_mul(16)?;
    let height_map = bits.exp_golomb()?.checked_add(1)?;
    let frames_only = bits.bit()?;
    let height = height_map.checked_mul(if frames_only { 16 } else { 32 })?;
    if !frames_only {
        bits.bit()?; // mb_adaptive_frame_field_flag
    }
    bits.bit()?; // direct_8x8_inference_flag
    let mut crop = [0; 4];
    if bits.bit()? {
        for side in &mut crop {
            *side = bits.exp_golomb()?.checked_mul(CROP_UNIT)?;
        }
    }
    let [left, right, top, bottom] = crop;
    Some(Size::new(
        width.checked_sub(left.checked_add(right)?)?,
        height.checked_sub(top.checked_add(bottom)?)?,
    ))
}

/// The payload without the bytes that keep start codes out of it.
fn unescaped(nal: &[u8]) -> Vec<u8> {
    let mut payload: Vec<u8> = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for byte in nal {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        payload.push(*byte);
    }
    payload
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0_u32;
        while !self.bit()? {
            zeros += 1;
        }
        let mut value = 1_u32;
        for _ in 0..zeros {
            value = value.checked_mul(2)? + u32::from(self.bit()?);
        }
        Some(value - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::Picture;
    use crate::media::encode::{Config, Content, Encoder};

    #[test]
    fn units_of_both_start_codes() {
        let stream = [
            0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 0, 1, 0x65, 3, 4,
        ];
        let found: Vec<&[u8]> = units(&stream).collect();
        assert_eq!(found, [&[0x67, 1][..], &[0x68, 2], &[0x65, 3, 4]]);
        let kinds: Vec<Kind> = found.iter().map(|nal| kind(nal)).collect();
        assert_eq!(kinds, [Kind::Sps, Kind::Pps, Kind::Picture]);
        assert_eq!(units(&[1, 2, 3]).count(), 0);
    }

    #[test]
    fn the_size_is_the_encoders() {
        for (width, height) in [(1280, 720), (640, 360), (18, 16), (3840, 2160), (802, 602)] {
            let config = Config {
                fps: 30,
                bitrate_bps: 1_000_000,
                content: Content::Screen,
            };
            let picture = Picture::new(Size::new(width, height));
            let unit = Encoder::new(config).unwrap().encode(&picture, 0, true);
            let data = unit.unwrap().unwrap().data;
            let sps = units(&data).find(|nal| kind(nal) == Kind::Sps).unwrap();
            assert_eq!(picture_size(sps), Some(Size::new(width, height)));
        }
    }

    proptest! {
        #[test]
        fn damaged_sets_are_none_or_some_size(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut sps = vec![0x67, PROFILE_BASELINE, 0xc0, 0x1f];
            sps.extend(&bytes);
            let _ = picture_size(&sps);
            prop_assert!(units(&bytes).all(|nal| !nal.is_empty()));
        }
    }
}
