//! Lines of text, of which a bad one does not end the others.

use std::io;

use bytes::BytesMut;
use tokio_util::codec::{Decoder, LinesCodec, LinesCodecError};

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// As it was said.
    Line(String),
    /// It was longer than anything that is held.
    TooLong,
    /// It was no text.
    Noise,
}

/// Reads them.
#[derive(Debug)]
pub struct Lines(LinesCodec);

impl Lines {
    /// Lines, of which longer ones than so many bytes are not held.
    pub fn new(held_max: usize) -> Self {
        Self(LinesCodec::new_with_max_length(held_max))
    }
}

/// What a line, or what was wrong with it, is to the reader.
fn said(decoded: Result<Option<String>, LinesCodecError>) -> io::Result<Option<Said>> {
    match decoded {
        Ok(line) => Ok(line.map(Said::Line)),
        Err(LinesCodecError::MaxLineLengthExceeded) => Ok(Some(Said::TooLong)),
        Err(LinesCodecError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            Ok(Some(Said::Noise))
        }
        Err(LinesCodecError::Io(error)) => Err(error),
    }
}

impl Decoder for Lines {
    type Item = Said;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Said>> {
        said(self.0.decode(bytes))
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Said>> {
        said(self.0.decode_eof(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_does_not_end_the_others() {
        let mut lines = Lines::new(4);
        let mut bytes = BytesMut::from(&b"one\nmuch too long\n\xff\ntwo\r\nrest"[..]);
        let mut heard = Vec::new();
        while let Some(said) = lines.decode_eof(&mut bytes).unwrap() {
            heard.push(said);
        }
        let line = |text: &str| Said::Line(text.to_owned());
        let expected = [
            line("one"),
            Said::TooLong,
            Said::Noise,
            line("two"),
            line("rest"),
        ];
        assert_eq!(heard, expected);
    }
}
