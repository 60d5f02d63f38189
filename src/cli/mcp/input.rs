//! What the client says, line by line, within a bound.

use std::io;

use futures::StreamExt;
use tokio::io::{Stdin, stdin};
use tokio_util::codec::FramedRead;

use crate::framed::Lines;
pub(super) use crate::framed::Said;

/// A longer line is not held: nobody knows what it asked.
const HELD_MAX: usize = 64 << 20;

/// The client's end.
pub(super) struct Input(FramedRead<Stdin, Lines>);

impl Input {
    pub(super) fn new() -> Self {
        Self(FramedRead::new(stdin(), Lines::new(HELD_MAX)))
    }

    /// The next line; `None` when the client has hung up. Safe to cancel.
    pub(super) async fn next(&mut self) -> io::Result<Option<Said>> {
        self.0.next().await.transpose()
    }
}
