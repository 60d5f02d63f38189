//! What goes into a peer as numbers, and what it hands out.

use std::net::SocketAddr;
use std::time::Instant;

use str0m::net::DatagramSend;

use super::error::Lost;
use crate::media::{Layer, Level};

/// What a peer sends at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The bits a second that the encoder may use.
    pub target: u64,
    /// What a receiver must manage to decode.
    pub level: Level,
}

/// What a path is found to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Carries {
    /// The bits a second; `None` when it knows no limit.
    pub bits: Option<u64>,
    /// Whether it was full just now. A limit of a path that was not is only what was proven so far.
    pub is_full: bool,
}

/// What [`super::peer::Peer::poll`] hands out.
#[derive(Debug)]
pub enum Output {
    /// A datagram to send.
    Transmit(Transmit),
    /// Something happened.
    Event(Event),
    /// Nothing more to do until then; call [`super::peer::Peer::handle_timeout`] at that time.
    Timeout(Instant),
}

/// How a datagram travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// By itself.
    Udp,
    /// In a connection that we make, with its length before it (RFC 4571).
    Tcp,
    /// By a server that relays it (RFC 8656), from this address.
    Relay(SocketAddr),
}

/// A datagram on its way out.
#[derive(Debug)]
pub struct Transmit {
    /// How it goes.
    pub transport: Transport,
    /// Where to.
    pub destination: SocketAddr,
    pub(super) contents: DatagramSend,
}

impl Transmit {
    /// The bytes.
    pub fn contents(&self) -> &[u8] {
        &self.contents
    }

    /// The same datagram once more.
    pub(super) fn again(&self) -> Self {
        Self {
            transport: self.transport,
            destination: self.destination,
            contents: self.contents.to_vec().into(),
        }
    }
}

/// What happens to a peer.
#[derive(Debug)]
pub enum Event {
    /// Media can flow, for the first time or again.
    Connected,
    /// Each stream of pictures has been begun, on this path and since media was given up last.
    Shown,
    /// The path is lost. [`super::peer::Peer::accept_restart`] takes the answer to `offer`, and then
    /// [`Event::Connected`] comes again; whoever waits for it sets the bound.
    PathLost {
        /// The session description to send.
        offer: String,
    },
    /// It is over; the peer does nothing any more.
    Disconnected(Lost),
    /// A viewer, or the peer itself, needs a keyframe of a layer; of the one that they get where it does
    /// not say.
    KeyframeRequested(Option<Layer>),
    /// What the path carries has changed.
    Bandwidth(Carries),
    /// A message has come beside the media.
    Message(Vec<u8>),
}

/// What became of an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Handed to the network.
    Sent,
    /// Skipped: not connected, or only a keyframe can come next.
    Skipped,
    /// Skipped: what waits to be sent is already too old.
    Congested,
}
