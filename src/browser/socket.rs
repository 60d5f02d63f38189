//! The socket between us and Chromium's CDP.
//!
//! The events of a gesture are many small messages. By Nagle's algorithm (RFC 896) TCP holds each of
//! them back until the one before it is acknowledged, which Chromium does with its answer: a click
//! then waits for the frame that answers the move before it. The CDP library opens the socket and has
//! no option for it, so the socket is found by whom it is connected to.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};

use nix::sys::socket::{SockaddrStorage, getpeername, setsockopt, sockopt::TcpNoDelay};

/// Lets every connection of this process to `peer` send at once. The caller keeps them open.
pub(super) fn send_at_once(peer: SocketAddr) -> io::Result<()> {
    for entry in fs::read_dir("/proc/self/fd")? {
        let Some(fd) = entry?.file_name().to_str().and_then(|fd| fd.parse().ok()) else {
            continue;
        };
        if is_connected(fd, peer) {
            set_no_delay(fd)?;
        }
    }
    Ok(())
}

/// Whether a file descriptor, of whatever kind, is a socket with this peer.
fn is_connected(fd: RawFd, peer: SocketAddr) -> bool {
    let Ok(found) = getpeername::<SockaddrStorage>(fd) else {
        return false;
    };
    let v4 = found.as_sockaddr_in().map(|address| (*address).into());
    let v6 = || found.as_sockaddr_in6().map(|address| (*address).into());
    v4.map(SocketAddr::V4).or_else(|| v6().map(SocketAddr::V6)) == Some(peer)
}

#[expect(
    unsafe_code,
    reason = "the library that owns the socket does not lend it"
)]
fn set_no_delay(fd: RawFd) -> io::Result<()> {
    // SAFETY: it is a connection to Chromium, and its owner keeps it open for longer than this call.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    Ok(setsockopt(&socket, TcpNoDelay, &true)?)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn connections_to_one_peer_send_at_once_and_others_stay_as_they_are() {
        let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let peers = listeners.each_ref().map(|l| l.local_addr().unwrap());
        let streams = peers.map(|peer| TcpStream::connect(peer).unwrap());
        send_at_once(peers[0]).unwrap();
        assert_eq!(
            streams.map(|stream| stream.nodelay().unwrap()),
            [true, false]
        );
    }
}
