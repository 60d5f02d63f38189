//! What begins the encryption before its way is known: the other side may be through with its checks of the way while
//! ours is still to be answered. It would be repeated, but by most programs only after a second.

use std::net::SocketAddr;

use super::output::Transport;

/// The first flight of a handshake, and no more.
const DATAGRAMS_MAX: usize = 4;
/// Types of DTLS records begin here and end before the next (RFC 7983).
const DTLS: std::ops::Range<u8> = 20..64;

/// Datagrams that wait for their way; the oldest are lost when there are too many.
#[derive(Debug, Default)]
pub(super) struct Early(Vec<(Transport, SocketAddr, Vec<u8>)>);

impl Early {
    /// Keeps a datagram, if it is one of a handshake.
    pub(super) fn keep(&mut self, transport: Transport, source: SocketAddr, datagram: &[u8]) {
        if !datagram.first().is_some_and(|first| DTLS.contains(first)) {
            return;
        }
        if self.0.len() == DATAGRAMS_MAX {
            self.0.remove(0);
        }
        self.0.push((transport, source, datagram.to_vec()));
    }

    /// All that wait, to be tried again.
    pub(super) fn take(&mut self) -> Vec<(Transport, SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.0)
    }
}
