//! What the client says, line by line, within a bound.

use std::io;

use bytes::BytesMut;
use futures::StreamExt;
use tokio::io::{Stdin, stdin};
use tokio_util::codec::{Decoder, FramedRead, LinesCodec, LinesCodecError};

/// A longer line is not held: nobody knows what it asked.
const HELD_MAX: usize = 64 << 20;

/// The client's end.
pub(super) struct Input(FramedRead<Stdin, Lines>);

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Line(String),
    /// It was longer than anything that is held.
    TooLong,
    /// It was no text.
    Noise,
}

/// Lines of which a bad one does not end the others.
struct Lines(LinesCodec);

impl Input {
    pub(super) fn new() -> Self {
        Self(FramedRead::new(stdin(), Lines::new(HELD_MAX)))
    }

    /// The next line; `None` when the client has hung up. Safe to cancel.
    pub(super) async fn next(&mut self) -> io::Result<Option<Said>> {
        self.0.next().await.transpose()
    }
}

impl Lines {
    fn new(held_max: usize) -> Self {
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
