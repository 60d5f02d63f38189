//! Frames of bytes: four bytes of length, the most significant first, then so many bytes.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::length_delimited::LengthDelimitedCodecError;
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec};

/// Longest frame, bytes.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a length.
const HEAD_BYTES: usize = 4;

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrived {
    /// A frame.
    Frame(Bytes),
    /// The head of one that is longer than the bound, with its length; its bytes are passed over.
    TooLong(usize),
}

/// Finds frames in a stream of bytes, and puts them in one.
#[derive(Debug)]
pub struct Codec {
    frames: LengthDelimitedCodec,
    /// Whether a frame has begun, and its end is still to come.
    is_within: bool,
    /// Bytes that are still to come of a frame that is passed over.
    passing: usize,
}

impl Default for Codec {
    fn default() -> Self {
        Self {
            frames: LengthDelimitedCodec::builder()
                .big_endian()
                .length_field_type::<u32>()
                .max_frame_length(FRAME_BYTES_MAX)
                .new_codec(),
            is_within: false,
            passing: 0,
        }
    }
}

impl Decoder for Codec {
    type Item = Arrived;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Arrived>> {
        let passed = self.passing.min(bytes.len());
        bytes.advance(passed);
        self.passing -= passed;
        if self.passing > 0 {
            return Ok(None);
        }
        let has_head = bytes.len() >= HEAD_BYTES;
        match self.frames.decode(bytes) {
            Ok(Some(frame)) => {
                self.is_within = false;
                Ok(Some(Arrived::Frame(frame.freeze())))
            }
            Ok(None) => {
                self.is_within |= has_head;
                Ok(None)
            }
            // A head is refused before it is taken.
            Err(error) if has_head && is_too_long(&error) => {
                self.passing = bytes.get_u32() as usize;
                Ok(Some(Arrived::TooLong(self.passing)))
            }
            Err(error) => Err(error),
        }
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Arrived>> {
        match self.decode(bytes)? {
            Some(arrived) => Ok(Some(arrived)),
            None if bytes.is_empty() && !self.is_within && self.passing == 0 => Ok(None),
            None => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the stream ended within a frame",
            )),
        }
    }
}

impl Encoder<Bytes> for Codec {
    type Error = io::Error;

    fn encode(&mut self, frame: Bytes, bytes: &mut BytesMut) -> io::Result<()> {
        self.frames.encode(frame, bytes)
    }
}

fn is_too_long(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.is::<LengthDelimitedCodecError>())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// All that is found in bytes that arrive in these pieces, and how the stream ends.
    fn read(pieces: &[&[u8]]) -> (Vec<Arrived>, io::Result<()>) {
        let (mut codec, mut bytes, mut found) = (Codec::default(), BytesMut::new(), Vec::new());
        for piece in pieces {
            bytes.extend_from_slice(piece);
            while let Some(arrived) = codec.decode(&mut bytes).unwrap() {
                found.push(arrived);
            }
        }
        loop {
            match codec.decode_eof(&mut bytes) {
                Ok(Some(arrived)) => found.push(arrived),
                Ok(None) => return (found, Ok(())),
                Err(error) => return (found, Err(error)),
            }
        }
    }

    fn frame(body: &[u8]) -> Arrived {
        Arrived::Frame(Bytes::copy_from_slice(body))
    }

    /// The bytes of a frame, by hand.
    fn framed(body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32).to_be_bytes()[..], body].concat()
    }

    #[test]
    fn a_frame_is_a_length_and_its_bytes() {
        let mut bytes = BytesMut::new();
        let mut codec = Codec::default();
        codec
            .encode(Bytes::from_static(b"{\"id\":1}"), &mut bytes)
            .unwrap();
        assert_eq!(&bytes[..], b"\0\0\0\x08{\"id\":1}");
        let too_long = Bytes::from(vec![0; FRAME_BYTES_MAX + 1]);
        assert!(codec.encode(too_long, &mut bytes).is_err());
    }

    #[test]
    fn a_stream_that_ends_within_a_frame_says_so() {
        for cut in [&b"\0"[..], b"\0\0\0", b"\0\0\0\x02", b"\0\0\0\x02x"] {
            let (found, end) = read(&[cut]);
            assert!(found.is_empty());
            assert_eq!(
                end.unwrap_err().kind(),
                io::ErrorKind::UnexpectedEof,
                "{cut:?}"
            );
            let (found, end) = read(&[&framed(b"a"), cut]);
            assert_eq!(found, [frame(b"a")]);
            assert!(end.is_err());
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over() {
        let long = FRAME_BYTES_MAX + 1;
        let body = vec![b'{'; long];
        let (found, end) = read(&[&framed(&body), &framed(b"next")]);
        assert_eq!(found, [Arrived::TooLong(long), frame(b"next")]);
        end.unwrap();
        let (found, _) = read(&[&framed(&body[..FRAME_BYTES_MAX])]);
        assert!(matches!(found[..], [Arrived::Frame(_)]));
        // The head alone tells, and what is missing of the rest is missed.
        let (found, end) = read(&[b"HTTP/1.1 200 OK"]);
        assert_eq!(found, [Arrived::TooLong(0x4854_5450)]);
        assert!(end.is_err());
    }

    proptest! {
        #[test]
        fn frames_arrive_however_they_are_split_and_joined(
            bodies in vec(vec(any::<u8>(), 0..40), 0..12),
            cuts in vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let mut codec = Codec::default();
            let mut bytes = BytesMut::new();
            for body in &bodies {
                codec.encode(Bytes::copy_from_slice(body), &mut bytes).unwrap();
            }
            let by_hand: Vec<u8> = bodies.iter().flat_map(|body| framed(body)).collect();
            prop_assert_eq!(&bytes[..], &by_hand[..]);
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let (found, end) = read(&pieces);
            let bodies: Vec<Arrived> = bodies.iter().map(|body| frame(body)).collect();
            prop_assert_eq!(found, bodies);
            prop_assert!(end.is_ok());
        }
    }
}
