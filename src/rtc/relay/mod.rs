//! Relays of TURN servers (RFC 8656), for networks that let media reach nothing else.
//!
//! A server gives an address to each that asks; what is sent to it comes to us, and what we send by it seems to come from
//! there. Each server is spoken to by a task of its own. What does not fit in its queue is lost as it would be on the network.

mod line;
mod server;
mod talk;

use std::net::SocketAddr;

use tokio::sync::mpsc;
use tracing::debug;

use crate::error::Chain;

pub use server::Server;

/// The relays of one peer. They are given back when it is dropped.
#[derive(Debug)]
pub(super) struct Relays {
    servers: Vec<Server>,
    /// What tells each server's task what to send, once it was asked; closed when the task has ended.
    asked: Vec<Option<mpsc::Sender<Outgoing>>>,
    given: Vec<Given>,
    sender: mpsc::Sender<Heard>,
    heard: mpsc::Receiver<Heard>,
}

/// A datagram on its way out, and where to.
type Outgoing = (SocketAddr, Vec<u8>);

/// What a relay is known by, and what takes datagrams to it.
#[derive(Debug)]
struct Given {
    address: SocketAddr,
    outgoing: mpsc::Sender<Outgoing>,
}

/// What a server's task tells.
#[derive(Debug)]
pub(super) enum Heard {
    /// The server has given us this address; what `from` sends to it comes here.
    Given {
        address: SocketAddr,
        /// Which of the servers.
        server: usize,
    },
    /// A datagram has come by a relay.
    Datagram {
        relay: SocketAddr,
        from: SocketAddr,
        contents: Vec<u8>,
    },
}

impl Relays {
    /// None yet, of these servers.
    pub(super) fn new(mut servers: Vec<Server>) -> Self {
        servers.truncate(SERVERS_MAX);
        let (sender, heard) = mpsc::channel(HEARD_MAX);
        Self {
            asked: servers.iter().map(|_| None).collect(),
            servers,
            given: Vec::new(),
            sender,
            heard,
        }
    }

    /// Whether there is any server to ask.
    pub(super) fn are_any(&self) -> bool {
        !self.servers.is_empty()
    }

    /// Asks each server for a relay, unless one is there or asked for.
    pub(super) fn ask(&mut self) {
        let each = self.servers.iter().zip(&mut self.asked).enumerate();
        for (number, (server, asked)) in each {
            if asked.as_ref().is_some_and(|asked| !asked.is_closed()) {
                continue;
            }
            let (outgoing, datagrams) = mpsc::channel(OUTGOING_MAX);
            *asked = Some(outgoing);
            let (server, heard) = (server.clone(), self.sender.clone());
            // It ends by itself once nobody hears it: only then is the relay given back.
            tokio::spawn(async move {
                let (way, host) = (server.way, server.host.clone());
                let ended = talk::run(&server, number, datagrams, heard).await;
                debug!(?way, host, ended = %Chain(&ended), "a relay ended");
            });
        }
    }

    /// The next thing that a server tells. Safe to cancel.
    pub(super) async fn next(&mut self) -> Option<Heard> {
        let heard = self.heard.recv().await?;
        if let Heard::Given { address, server } = heard {
            let outgoing = self.asked.get(server)?.clone()?;
            self.given.retain(|given| given.address != address);
            self.given.push(Given { address, outgoing });
        }
        Some(heard)
    }

    /// Sends a datagram by a relay. `false` when it is lost.
    pub(super) fn send(&self, relay: SocketAddr, to: SocketAddr, contents: &[u8]) -> bool {
        let given = self.given.iter().find(|given| given.address == relay);
        given.is_some_and(|given| given.outgoing.try_send((to, contents.to_vec())).is_ok())
    }
}

/// A server of rooms names one or two, each in up to three ways.
const SERVERS_MAX: usize = 8;
/// Datagrams that wait for one server: about one large keyframe.
const OUTGOING_MAX: usize = 512;
/// Datagrams that wait for the peer.
const HEARD_MAX: usize = 256;
