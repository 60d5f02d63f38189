//! [`Offered`]: a peer whose offer has not been answered yet.

use std::fmt;

use str0m::change::SdpPendingOffer;

use super::error::Error;
use super::peer::Peer;

/// An offer on its way to the other side; [`Offered::accept`] turns the answer into a peer that
/// connects.
pub struct Offered {
    pub(super) peer: Peer,
    pub(super) sdp: String,
    pub(super) pending: SdpPendingOffer,
}

impl Offered {
    /// The session description to send.
    pub fn sdp(&self) -> &str {
        &self.sdp
    }

    /// Takes the answer.
    pub fn accept(self, answer: &str) -> Result<Peer, Error> {
        let Self {
            mut peer, pending, ..
        } = self;
        peer.accept(pending, answer)?;
        Ok(peer)
    }
}

impl fmt::Debug for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offered")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
