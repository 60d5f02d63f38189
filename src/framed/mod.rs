//! JSON in frames over two pipes: who does work for somebody, and who has it done.
//!
//! ```text
//! caller                                        worker
//!   {"id", "action", "data"}            ──►
//!                                       ◄──       {"id", "progress"}, as often as there is something to tell
//!                                       ◄──       {"id", "result"} or {"id", "error": "in words"}
//! ```
//!
//! A frame is four bytes of length, the most significant first, and so many bytes of UTF-8. Any number of requests is
//! under way, and they are answered as they end. [`worker`] is the one side, over whatever does the work; [`Bridge`]
//! the other one, which keeps a worker's process running.

mod bridge;
mod codec;
mod lines;
pub mod worker;

pub use bridge::{Bridge, Call, Failed};
pub use codec::{Arrived, Codec, FRAME_BYTES_MAX};
pub use lines::{Lines, Said};
