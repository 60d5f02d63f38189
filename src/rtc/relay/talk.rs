//! What is said to one TURN server: for a relay, that its addresses may be reached, and what goes there. The only module
//! that names the TURN library.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tracing::{debug, info};
use turn_client_proto::api::{
    Transmit, TurnClientApi, TurnConfig, TurnEvent, TurnPeerData, TurnPollRet, TurnRecvRet,
};
use turn_client_proto::client::TurnClient;
use turn_client_proto::prelude::DelayedTransmitBuild;
use turn_client_proto::stun::Instant as Moment;
use turn_client_proto::tcp::TurnClientTcp;
use turn_client_proto::types::{TransportType, TurnCredentials};
use turn_client_proto::udp::TurnClientUdp;

use super::line::{Line, Writer};
use super::server::{Server, Way};
use super::{Heard, Outgoing};

/// One server that is talked to.
struct Talk {
    client: TurnClient,
    number: usize,
    began_at: Instant,
    local: SocketAddr,
    remote: SocketAddr,
    /// Our address on the server, once it has given us one.
    relay: Option<SocketAddr>,
    /// Where we may not send yet, and what waits for that.
    asked: Vec<IpAddr>,
    waiting: Vec<Outgoing>,
    /// Where the relay does not lead, and since when that is known.
    refused: Vec<(IpAddr, Instant)>,
    heard: mpsc::Sender<Heard>,
}

/// Why the talk is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// Nobody needs the relay any more; it was given back.
    #[error("it is not needed any more")]
    Done,
    /// The server gives none, or has taken it back.
    #[error("the server gives none, or takes it back")]
    Refused,
    /// It cannot be reached, or no more.
    #[error("the server is not there")]
    Broken(#[source] io::Error),
}

/// Gets a relay from a server and keeps it, until nobody hears of it any more.
pub(super) async fn run(
    server: &Server,
    number: usize,
    datagrams: mpsc::Receiver<Outgoing>,
    heard: mpsc::Sender<Heard>,
) -> Ended {
    let mut line = match Line::open(server).await {
        Ok(line) => line,
        Err(error) => return Ended::Broken(error),
    };
    let mut talk = Talk::new(server, number, &line, heard);
    let ended = talk.keep(&mut line, datagrams).await;
    if matches!(ended, Ended::Done) {
        // One that is not given back is kept for us for half an hour.
        let _ = timeout(GOODBYE_WITHIN, talk.give_back(&mut line)).await;
    }
    ended
}

impl Talk {
    fn new(server: &Server, number: usize, line: &Line, heard: mpsc::Sender<Heard>) -> Self {
        let credentials = TurnCredentials::new(&server.username, server.credential.reveal());
        // It is a relay over IPv4 that is asked for.
        let config = TurnConfig::new(credentials);
        let (local, remote) = (line.local, line.remote);
        let client = match server.way {
            Way::Udp => TurnClientUdp::allocate(local, remote, config).into(),
            Way::Tcp | Way::Tls => TurnClientTcp::allocate(local, remote, config).into(),
        };
        Self {
            client,
            number,
            began_at: Instant::now(),
            local,
            remote,
            relay: None,
            asked: Vec::new(),
            waiting: Vec::new(),
            refused: Vec::new(),
            heard,
        }
    }

    /// Keeps the relay and passes on what goes by it.
    async fn keep(&mut self, line: &mut Line, mut datagrams: mpsc::Receiver<Outgoing>) -> Ended {
        let gone = self.heard.clone();
        let mut bytes = vec![0; BYTES_MAX];
        loop {
            let Some(wake_at) = self.advance(&mut line.writer) else {
                return Ended::Refused;
            };
            let has_room = line.writer.has_room();
            tokio::select! {
                () = gone.closed() => return Ended::Done,
                Some(datagram) = datagrams.recv(), if has_room => {
                    self.send(datagram, &mut line.writer);
                }
                waited = self.wait(line, &mut bytes, wake_at) => if let Err(error) = waited {
                    return Ended::Broken(error);
                },
            }
        }
    }

    /// Gives the relay back, or the one that is just being given.
    async fn give_back(&mut self, line: &mut Line) {
        let mut bytes = vec![0; BYTES_MAX];
        let mut is_told = false;
        loop {
            is_told = is_told || self.client.delete(self.now()).is_ok();
            let Some(wake_at) = self.advance(&mut line.writer) else {
                return;
            };
            if self.wait(line, &mut bytes, wake_at).await.is_err() {
                return;
            }
        }
    }

    /// Waits until something has come, some of what waits has gone, or it is time. Safe to cancel.
    async fn wait(
        &mut self,
        line: &mut Line,
        bytes: &mut [u8],
        wake_at: Instant,
    ) -> io::Result<()> {
        tokio::select! {
            read = line.reader.receive(bytes) => {
                let length = read?;
                self.received(&bytes[..length]);
            }
            passed = line.writer.pass_on() => passed?,
            () = sleep_until(wake_at.into()) => {}
        }
        Ok(())
    }

    /// The library counts time from a moment of its own.
    fn now(&self) -> Moment {
        Moment::from_std(self.began_at)
    }

    /// Does what is due; gives when something is next, `None` when it is over.
    fn advance(&mut self, writer: &mut Writer) -> Option<Instant> {
        let polled = self.client.poll(self.now());
        while let Some(transmit) = self.client.poll_transmit(self.now()) {
            writer.send(&transmit.data);
        }
        while let Some(event) = self.client.poll_event() {
            self.handle(event, writer);
        }
        let given_within = self.began_at + GIVEN_WITHIN;
        if self.relay.is_none() && Instant::now() >= given_within {
            return None;
        }
        match polled {
            TurnPollRet::Closed => None,
            TurnPollRet::WaitUntil(at) => {
                let at = at.to_std(self.began_at);
                Some(match self.relay {
                    Some(_) => at,
                    None => at.min(given_within),
                })
            }
            // Of connections by the server, which are never asked for.
            TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => {
                Some(Instant::now() + RETRY_AFTER)
            }
        }
    }

    fn handle(&mut self, event: TurnEvent, writer: &mut Writer) {
        match event {
            TurnEvent::AllocationCreated(_, address) => {
                info!(server = %self.remote, relay = %address, "a relay for media");
                self.relay.get_or_insert(address);
                self.tell(Heard::Given {
                    address,
                    server: self.number,
                });
            }
            TurnEvent::PermissionCreated(_, ip) => {
                self.asked.retain(|asked| *asked != ip);
                let (ready, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
                    .into_iter()
                    .partition(|(to, _)| to.ip() == ip);
                self.waiting = waiting;
                for datagram in ready {
                    self.send(datagram, writer);
                }
            }
            TurnEvent::PermissionCreateFailed(_, ip) => {
                debug!(%ip, "the relay does not lead there");
                self.refuse(ip);
            }
            other => debug!(?other, "the relay's server"),
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        let transmit = Transmit::new(bytes, self.client.transport(), self.remote, self.local);
        let now = self.now();
        if let TurnRecvRet::PeerData(data) = self.client.recv(transmit, now) {
            self.pass(&data);
        }
        while let Some(data) = self.client.poll_recv(now) {
            self.pass(&data);
        }
    }

    fn pass<T: AsRef<[u8]> + std::fmt::Debug>(&self, data: &TurnPeerData<T>) {
        if let Some(relay) = self.relay {
            self.tell(Heard::Datagram {
                relay,
                from: data.peer,
                contents: data.data().to_vec(),
            });
        }
    }

    /// What finds no place is lost, as it would be on the network.
    fn tell(&self, heard: Heard) {
        let _ = self.heard.try_send(heard);
    }

    /// Sends a datagram, once the server lets it through.
    fn send(&mut self, (to, contents): Outgoing, writer: &mut Writer) {
        let now = self.now();
        if !self.client.have_permission(TransportType::Udp, to.ip()) {
            self.ask(to, contents);
            return;
        }
        match self.client.send_to(TransportType::Udp, to, contents, now) {
            Ok(Some(built)) => writer.send(&built.data.build()),
            Ok(None) => {}
            Err(error) => debug!(%error, %to, "not sent by the relay"),
        }
    }

    /// Asks that the server lets through what goes there; this datagram waits for that.
    fn ask(&mut self, to: SocketAddr, contents: Vec<u8>) {
        let (ip, now) = (to.ip(), Instant::now());
        self.refused.retain(|(_, since)| now < *since + REFUSED_FOR);
        if self.refused.iter().any(|(refused, _)| *refused == ip) {
            return;
        }
        let waiting = self.waiting.iter().filter(|(to, _)| to.ip() == ip).count();
        if waiting < WAITING_MAX && self.asked.len() < ASKED_MAX {
            self.waiting.push((to, contents));
        }
        if self.asked.contains(&ip) || self.asked.len() >= ASKED_MAX {
            return;
        }
        let now = self.now();
        let permitted = self.client.create_permission(TransportType::Udp, ip, now);
        debug!(%to, ?permitted, "the relay shall lead there");
        if permitted.is_err() {
            return self.refuse(ip);
        }
        self.asked.push(ip);
        // By a channel a datagram carries 4 bytes more, and 36 without. In a connection the library leaves out what
        // fills it up to four bytes (RFC 8656 §12.5), and no server understands what comes then.
        if self.client.transport() == TransportType::Udp {
            let bound = self.client.bind_channel(TransportType::Udp, to, now);
            debug!(%to, ?bound, "a channel of the relay");
        }
    }

    /// The relay does not lead there for now.
    fn refuse(&mut self, ip: IpAddr) {
        self.asked.retain(|asked| *asked != ip);
        self.waiting.retain(|(to, _)| to.ip() != ip);
        self.refused.push((ip, Instant::now()));
    }
}

/// Largest piece that is read at once.
const BYTES_MAX: usize = 16 * 1024;
/// Datagrams that wait to be let through to one address, a few connectivity checks, and addresses that are asked for.
const WAITING_MAX: usize = 8;
const ASKED_MAX: usize = 16;
/// How long nothing is tried where the relay did not lead.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// How long a server may take to give a relay.
const GIVEN_WITHIN: Duration = Duration::from_secs(15);
/// Bounds the goodbye.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);
/// When to look again where the library says nothing.
const RETRY_AFTER: Duration = Duration::from_secs(1);
