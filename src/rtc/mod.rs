//! WebRTC: [`peer`] is the pure state machine that sends, [`driver`] the tokio shell that gives it
//! a socket and a clock, [`sockets`] finds and binds addresses.
//!
//! The only module that names the WebRTC engine; its types do not leave it.

mod clock;
mod data;
pub mod driver;
mod dtls;
mod early;
mod error;
mod estimate;
mod flow;
mod offered;
mod output;
mod pacer;
pub mod peer;
pub mod relay;
mod sdp;
pub mod sockets;
mod streams;
mod tcp;
mod vitals;
mod ways;

pub use driver::{Command, Driver, End, Path, Report, Source, Watched};
pub use peer::{Carries, Offered, Peer, Transport};
pub use vitals::Vitals;
