//! ICE over TCP, for networks that carry no UDP: connections to the other side's passive
//! candidates, with a length before each datagram (RFC 4571).
//!
//! Each connection is a task of its own, since writing to TCP may wait; what does not fit in its
//! queue is lost as it would be on the network.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tracing::debug;

/// The connections of one peer. They end when it is dropped.
#[derive(Debug)]
pub(super) struct Links {
    links: Vec<Link>,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Datagram>,
    received: mpsc::Receiver<Datagram>,
}

/// Bytes, and who sent them.
pub(super) type Datagram = (SocketAddr, Vec<u8>);

#[derive(Debug)]
struct Link {
    destination: SocketAddr,
    opened_at: Instant,
    outgoing: mpsc::Sender<Vec<u8>>,
    task: AbortHandle,
}

impl Links {
    /// None yet.
    pub(super) fn new() -> Self {
        let (sender, received) = mpsc::channel(RECEIVED_MAX);
        Self {
            links: Vec::new(),
            tasks: JoinSet::new(),
            sender,
            received,
        }
    }

    /// Sends a datagram, over a connection that is made if need be. `false` when it is lost.
    pub(super) fn send(&mut self, now: Instant, destination: SocketAddr, contents: &[u8]) -> bool {
        // Connections that ended by themselves.
        while self.tasks.try_join_next().is_some() {}
        let is_stale = |link: &Link| link.task.is_finished() && now > link.opened_at + REOPEN_AFTER;
        self.links.retain(|link| !is_stale(link));
        let Ok(length) = u16::try_from(contents.len()) else {
            return false;
        };
        let known = self
            .links
            .iter()
            .position(|link| link.destination == destination);
        let link = match known {
            Some(index) => &self.links[index],
            None if self.links.len() < LINKS_MAX => self.open(now, destination),
            None => return false,
        };
        let mut frame = Vec::with_capacity(LENGTH_BYTES + contents.len());
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(contents);
        link.outgoing.try_send(frame).is_ok()
    }

    /// The next datagram that came in. Safe to cancel.
    pub(super) async fn receive(&mut self) -> Option<Datagram> {
        self.received.recv().await
    }

    fn open(&mut self, now: Instant, destination: SocketAddr) -> &Link {
        let (outgoing, frames) = mpsc::channel(OUTGOING_MAX);
        let received = self.sender.clone();
        let task = self.tasks.spawn(async move {
            let ended = carry(destination, frames, received).await;
            debug!(%destination, ?ended, "the TCP connection for media ended");
        });
        let index = self.links.len();
        self.links.push(Link {
            destination,
            opened_at: now,
            outgoing,
            task,
        });
        &self.links[index]
    }
}

/// Connects, and carries frames both ways until either side ends.
async fn carry(
    destination: SocketAddr,
    mut frames: mpsc::Receiver<Vec<u8>>,
    received: mpsc::Sender<Datagram>,
) -> io::Result<()> {
    let connecting = TcpStream::connect(destination);
    let stream = timeout(CONNECT_WITHIN, connecting)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    // A picture must not wait for the acknowledgement of the one before.
    stream.set_nodelay(true)?;
    debug!(%destination, "a TCP connection for media");
    let (mut reader, mut writer) = stream.into_split();
    let writing = async {
        while let Some(frame) = frames.recv().await {
            writer.write_all(&frame).await?;
        }
        Ok(())
    };
    let reading = async {
        loop {
            let length = reader.read_u16().await?;
            let mut datagram = vec![0; usize::from(length)];
            reader.read_exact(&mut datagram).await?;
            if received.send((destination, datagram)).await.is_err() {
                return Ok(());
            }
        }
    };
    tokio::select! {
        ended = writing => ended,
        ended = reading => ended,
    }
}

/// Connections at once: a server has one candidate for each of its addresses.
const LINKS_MAX: usize = 8;
/// Frames that wait for one connection: about one large keyframe.
const OUTGOING_MAX: usize = 512;
/// Datagrams that wait for the peer; beyond it, TCP itself holds the other side back.
const RECEIVED_MAX: usize = 256;
/// A connection that failed or ended is tried again after this.
const REOPEN_AFTER: Duration = Duration::from_secs(1);
/// Bounds the making of a connection: shorter than the time a peer has to connect.
const CONNECT_WITHIN: Duration = Duration::from_secs(4);
/// What RFC 4571 puts before each datagram.
const LENGTH_BYTES: usize = 2;

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn frames_go_both_ways_and_a_broken_connection_is_made_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut links = Links::new();
        let now = Instant::now();
        assert!(links.send(now, address, b"hello"));
        let (mut there, _) = listener.accept().await.unwrap();
        let mut frame = [0; 7];
        there.read_exact(&mut frame).await.unwrap();
        assert_eq!(&frame, b"\0\x05hello");
        there.write_all(b"\0\x02ab\0\0\0\x01c").await.unwrap();
        for expected in [&b"ab"[..], b"", b"c"] {
            assert_eq!(links.receive().await.unwrap(), (address, expected.to_vec()));
        }
        drop(there);
        while !links.links[0].task.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(!links.send(now, address, b"too soon"));
        let later = now + REOPEN_AFTER + Duration::from_millis(1);
        assert!(links.send(later, address, b"again"));
        let (mut there, _) = listener.accept().await.unwrap();
        there.read_exact(&mut frame).await.unwrap();
        assert_eq!(&frame, b"\0\x05again");
        assert!(
            !links.send(later, address, &[0; 70_000]),
            "too long a frame"
        );
    }
}
