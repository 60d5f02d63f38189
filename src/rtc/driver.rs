//! [`Driver`]: gives a [`Peer`] its socket, its clock and the access units of a [`Source`].
//!
//! One loop, one future; nothing in it waits for the network, so a slow path costs viewers
//! pictures and never stalls the session. A socket that cannot take a datagram now keeps it in a
//! bounded queue; what does not fit is lost as it would be on the network.
//!
//! Media goes over UDP, over TCP where the peer says so, and by a relay where neither leads there.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tracing::{debug, trace};

use super::flow::is_media;
use super::peer::{Carries, Event, Lost, Output, Peer, Transmit, Transport, Written};
use super::relay::{self, Heard, Relays};
use super::sockets::Bound;
use super::tcp::Links;
use super::vitals::Vitals;
use crate::media::{AccessUnit, Layer};

/// Where access units come from, and what the path tells back. Nothing in it blocks.
pub trait Source: Send + Sync {
    /// The next access unit; `None` once the session is over. Safe to cancel.
    fn next(&mut self) -> impl Future<Output = Option<Arc<AccessUnit>>> + Send;
    /// Somebody needs a keyframe of a layer; of the one that they get where it does not say.
    fn request_keyframe(&self, layer: Option<Layer>);
    /// What the path carries.
    fn set_bandwidth(&self, carries: Carries);
    /// Whether anybody watches, and what.
    fn set_watched(&self, watched: Watched);
}

/// Whether anybody watches, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Watched {
    /// Nobody does.
    #[default]
    No,
    /// Somebody does, the layer that the path carries.
    Yes,
    /// Somebody does these, side by side. One at least is among them.
    Layers {
        /// Whether the full one.
        full: bool,
        /// Whether the low one.
        low: bool,
    },
    /// It is not known yet: both layers are shown, so that the other side learns of them.
    Unsaid,
}

impl Watched {
    /// What this asks for that `before` did not; `None` of it for whatever there is.
    fn begun(self, before: Self) -> Vec<Option<Layer>> {
        let has = |watched, of: Layer| match watched {
            Self::No => false,
            Self::Yes | Self::Unsaid => true,
            Self::Layers { full, low } => match of {
                Layer::Full => full,
                Layer::Low => low,
            },
        };
        match self {
            Self::Yes if before == Self::No => vec![None],
            Self::No | Self::Yes => Vec::new(),
            Self::Layers { .. } | Self::Unsaid => {
                let begun = Layer::ALL.into_iter();
                let begun = begun.filter(|of| has(self, *of) && !has(before, *of));
                begun.map(Some).collect()
            }
        }
    }
}

/// Drives one peer until it ends.
#[derive(Debug)]
pub struct Driver {
    peer: Peer,
    bound: Bound,
    links: Links,
    relays: Relays,
    /// When relays are asked for, where nothing else leads there.
    relays_at: Option<Instant>,
    commands: mpsc::Receiver<Command>,
    watch: Watch,
    /// When the peer has to be connected, and how long it was given.
    deadline: Instant,
    patience: Duration,
    outgoing: VecDeque<(SocketAddr, Vec<u8>)>,
    wake_at: Instant,
    watched: Watched,
    dropped: u64,
    /// When the picture was made whose first packet has not left.
    made_at: Option<Instant>,
}

/// What a driver can be told.
#[derive(Debug)]
pub enum Command {
    /// A candidate of the other side.
    AddRemoteCandidate(String),
    /// The answer to the offer of [`Path::Lost`].
    AcceptRestart(String),
    /// The other side hears no media: another path has to be found.
    RestartPath,
    /// Whether anybody watches, and what; only under [`Watch::Told`].
    SetWatched(Watched),
    /// Tell what is seen of it.
    Describe(oneshot::Sender<Vitals>),
    /// Send a message beside the media. It is lost where no channel takes it now.
    Send {
        /// The message.
        message: Vec<u8>,
        /// Told when a channel has taken it, dropped when none does.
        sent: oneshot::Sender<()>,
    },
}

/// What a driver tells while it runs.
#[derive(Debug, PartialEq, Eq)]
pub enum Report {
    /// What becomes of the path.
    Path(Path),
    /// A message has come beside the media.
    Message(Vec<u8>),
}

/// What becomes of the path that media takes.
#[derive(Debug, PartialEq, Eq)]
pub enum Path {
    /// Media can flow, for the first time or again.
    Open,
    /// The first picture of each layer that is sent is on its way by it; told again when media was given up meanwhile.
    Shown,
    /// It is lost. [`Command::AcceptRestart`] with the answer to the offer leads to another; without one in
    /// time, the connection ends.
    Lost {
        /// The session description to send.
        offer: String,
    },
}

/// Who decides whether somebody watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// The connection itself: a viewer who is connected watches.
    Connection,
    /// The other side of the signalling, by [`Command::SetWatched`].
    Told,
}

/// Why a driver stopped.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The session is over.
    #[error("the session is over")]
    SessionOver,
    /// Nobody connected in time.
    #[error("no media connection within {seconds} s")]
    ConnectTimeout {
        /// The bound.
        seconds: u64,
    },
    /// The connection is lost.
    #[error("the media connection is lost")]
    Lost {
        /// Why.
        #[source]
        source: Lost,
    },
}

impl Driver {
    /// A driver and the way to tell it things. `connect_within` bounds the time to a connection:
    /// the peer itself waits for a first packet without end.
    pub fn new(
        peer: Peer,
        bound: Bound,
        watch: Watch,
        connect_within: Duration,
    ) -> (Self, mpsc::Sender<Command>) {
        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        let now = Instant::now();
        let driver = Self {
            peer,
            bound,
            links: Links::new(),
            relays: Relays::new(Vec::new()),
            relays_at: None,
            commands,
            watch,
            deadline: now + connect_within,
            patience: connect_within,
            outgoing: VecDeque::new(),
            wake_at: now,
            watched: Watched::No,
            dropped: 0,
            made_at: None,
        };
        (driver, sender)
    }

    /// Lets these servers relay what finds no other way.
    #[must_use]
    pub fn with_relays(mut self, servers: Vec<relay::Server>) -> Self {
        self.relays = Relays::new(servers);
        self.relays_at = Some(Instant::now() + RELAYS_AFTER);
        self
    }

    /// Drives the peer until it ends. `report` is told what becomes of the path. The source is left
    /// as not watched and with no limit, ready for the next driver.
    pub async fn run(
        mut self,
        source: &mut impl Source,
        cancel: &CancellationToken,
        report: impl Fn(Report) + Send,
    ) -> End {
        let end = loop {
            if let Some(end) = self.drive_peer(source, &report) {
                break end;
            }
            if let Some(end) = self.wait(source, cancel).await {
                break end;
            }
        };
        source.set_watched(Watched::No);
        source.set_bandwidth(Carries::default());
        self.peer.close();
        self.drive_goodbye();
        debug!(%end, dropped = self.dropped, "media ended");
        end
    }

    /// Waits for the next input and hands it to the peer.
    async fn wait(&mut self, source: &mut impl Source, cancel: &CancellationToken) -> Option<End> {
        let connected = self.peer.is_connected();
        let wake_at = if connected {
            self.wake_at
        } else {
            let relays_at = self.relays_at.unwrap_or(self.deadline);
            self.wake_at.min(self.deadline).min(relays_at)
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Some(End::Cancelled),
            unit = source.next() => match unit {
                Some(unit) => self.handle_unit(&unit),
                None => return Some(End::SessionOver),
            },
            _ = self.bound.socket.writable(), if !self.outgoing.is_empty() => {}
            _ = self.bound.socket.readable() => self.drive_receive(),
            Some((from, datagram)) = self.links.receive() => {
                self.peer.handle_receive(Instant::now(), Transport::Tcp, from, &datagram);
            }
            Some(heard) = self.relays.next() => self.handle_relay(heard),
            Some(command) = self.commands.recv() => self.handle_command(command, source),
            () = sleep_until(wake_at.into()) => {
                let now = Instant::now();
                if !connected && now >= self.deadline {
                    let seconds = self.patience.as_secs_f64().round() as u64;
                    return Some(End::ConnectTimeout { seconds });
                }
                if !connected && self.relays_at.take_if(|at| now >= *at).is_some() {
                    self.relays.ask();
                }
                self.peer.handle_timeout(now);
            }
        }
        None
    }

    /// Does what the peer wants done until it wants to wait.
    fn drive_peer(&mut self, source: &impl Source, report: &impl Fn(Report)) -> Option<End> {
        self.drive_outgoing();
        let mut overdue = 0;
        loop {
            match self.peer.poll() {
                Output::Transmit(transmit) => {
                    self.transmit(&transmit);
                }
                Output::Timeout(at) => {
                    // The runtime's timer ticks once a millisecond: what is due leaves at once.
                    let now = Instant::now();
                    if at <= now && overdue < OVERDUE_MAX {
                        overdue += 1;
                        self.peer.handle_timeout(now);
                        continue;
                    }
                    self.wake_at = at;
                    return None;
                }
                Output::Event(Event::Disconnected(why)) => return Some(End::Lost { source: why }),
                Output::Event(Event::Connected) => {
                    if self.watch == Watch::Connection {
                        self.set_watched(Watched::Yes, source);
                    }
                    report(Report::Path(Path::Open));
                }
                Output::Event(Event::Shown) => report(Report::Path(Path::Shown)),
                Output::Event(Event::PathLost { offer }) => {
                    self.patience = RESTART_WITHIN;
                    let now = Instant::now();
                    self.deadline = now + RESTART_WITHIN;
                    self.relays_at = self.relays.are_any().then_some(now + RELAYS_AFTER);
                    report(Report::Path(Path::Lost { offer }));
                }
                Output::Event(Event::KeyframeRequested(layer)) => source.request_keyframe(layer),
                Output::Event(Event::Bandwidth(carries)) => {
                    debug!(?carries, "bandwidth");
                    source.set_bandwidth(carries);
                }
                Output::Event(Event::Message(message)) => report(Report::Message(message)),
            }
        }
    }

    fn handle_unit(&mut self, unit: &AccessUnit) {
        let now = Instant::now();
        match self.peer.write(now, unit) {
            Written::Sent => self.made_at = Some(unit.made_at),
            Written::Skipped => {}
            Written::Congested => {
                self.dropped += 1;
                if self.dropped.is_power_of_two() {
                    debug!(
                        dropped = self.dropped,
                        "the path is congested, pictures are dropped"
                    );
                }
            }
        }
    }

    fn handle_relay(&mut self, heard: Heard) {
        let now = Instant::now();
        match heard {
            Heard::Given { address, .. } => {
                self.peer.add_relay(now, address);
                self.peer.handle_timeout(now);
            }
            Heard::Datagram {
                relay,
                from,
                contents,
            } => self
                .peer
                .handle_receive(now, Transport::Relay(relay), from, &contents),
        }
    }

    fn handle_command(&mut self, command: Command, source: &impl Source) {
        match command {
            Command::AddRemoteCandidate(candidate) => {
                // A name that hides an address, or a kind of candidate from the future.
                if let Err(error) = self.peer.add_remote_candidate(&candidate) {
                    debug!(error = %crate::error::Chain(&error), "candidate ignored");
                }
                self.peer.handle_timeout(Instant::now());
            }
            Command::AcceptRestart(answer) => {
                // Without another path the connection ends by its deadline.
                if let Err(error) = self.peer.accept_restart(&answer) {
                    debug!(error = %crate::error::Chain(&error), "no other path");
                }
                self.peer.handle_timeout(Instant::now());
            }
            Command::RestartPath => self.peer.restart_path(),
            Command::SetWatched(watched) => self.set_watched(watched, source),
            Command::Describe(told) => {
                let dropped = self.dropped;
                let vitals = self.peer.vitals(Instant::now());
                // Whoever asked may have gone.
                let _ = told.send(Vitals { dropped, ..vitals });
            }
            Command::Send { message, sent } => {
                let now = Instant::now();
                if self.peer.send(now, &message) {
                    // Most wait for no word of it.
                    let _ = sent.send(());
                } else {
                    debug!(bytes = message.len(), "no channel takes a message");
                }
                self.peer.handle_timeout(now);
            }
        }
    }

    fn set_watched(&mut self, watched: Watched, source: &impl Source) {
        source.set_watched(watched);
        let before = std::mem::replace(&mut self.watched, watched);
        // Whoever begins to watch has nothing to build deltas on.
        for layer in watched.begun(before) {
            source.request_keyframe(layer);
        }
    }

    fn drive_receive(&mut self) {
        let mut datagram = [0_u8; DATAGRAM_BYTES_MAX];
        for _ in 0..RECEIVE_BATCH_MAX {
            match self.bound.socket.try_recv_from(&mut datagram) {
                Ok((length, from)) => {
                    let datagram = &datagram[..length];
                    self.peer
                        .handle_receive(Instant::now(), Transport::Udp, from, datagram);
                    if !self.drain_transmits() {
                        return;
                    }
                }
                // An unreachable peer shows as an error of the next read; the connectivity
                // checks judge it.
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        trace!(%error, "receive");
                    }
                    return;
                }
            }
        }
    }

    /// Sends what one datagram gave rise to; `false` when an event has to be seen to first.
    fn drain_transmits(&mut self) -> bool {
        loop {
            match self.peer.poll() {
                Output::Transmit(transmit) => {
                    self.transmit(&transmit);
                }
                Output::Timeout(at) => {
                    self.wake_at = at;
                    return true;
                }
                Output::Event(event) => {
                    self.peer.put_back(event);
                    return false;
                }
            }
        }
    }

    fn transmit(&mut self, transmit: &Transmit) {
        let (destination, contents) = (transmit.destination, transmit.contents());
        if let Some(made_at) = self.made_at.take_if(|_| is_media(contents)) {
            metrics::histogram!("ghostcast_stage_seconds", "stage" => "send")
                .record(made_at.elapsed().as_secs_f64());
        }
        let is_taken = match transmit.transport {
            Transport::Udp => None,
            Transport::Tcp => Some(self.links.send(Instant::now(), destination, contents)),
            Transport::Relay(relay) => Some(self.relays.send(relay, destination, contents)),
        };
        match is_taken {
            Some(true) => return self.count(contents),
            Some(false) => {
                self.dropped += 1;
                return;
            }
            None => {}
        }
        if self.outgoing.is_empty() && self.sent(destination, contents) {
            return;
        }
        if self.outgoing.len() < OUTGOING_MAX {
            self.outgoing.push_back((destination, contents.to_vec()));
        } else {
            self.dropped += 1;
        }
    }

    fn drive_outgoing(&mut self) {
        while let Some((destination, contents)) = self.outgoing.pop_front() {
            if !self.sent(destination, &contents) {
                self.outgoing.push_front((destination, contents));
                return;
            }
        }
    }

    fn count(&self, sent: &[u8]) {
        let bytes = sent.len() as u64;
        self.bound.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether the datagram is dealt with; `false` when the socket is full.
    fn sent(&self, destination: SocketAddr, contents: &[u8]) -> bool {
        match self.bound.socket.try_send_to(contents, destination) {
            Ok(_) => {
                self.count(contents);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            // Unreachable addresses are common among candidates; ICE finds out by itself.
            Err(error) => {
                trace!(%error, %destination, "send");
                true
            }
        }
    }

    /// Lets the peer say goodbye, as far as the socket takes it at once.
    fn drive_goodbye(&mut self) {
        self.peer.handle_timeout(Instant::now());
        for _ in 0..GOODBYE_STEPS_MAX {
            match self.peer.poll() {
                Output::Transmit(transmit) => {
                    self.transmit(&transmit);
                }
                Output::Event(_) => {}
                Output::Timeout(_) => return,
            }
        }
    }
}

/// How long another path may take: longer than it takes to find out that only TCP leads there, and
/// short enough that the server has not yet given us up.
const RESTART_WITHIN: Duration = Duration::from_secs(6);
/// How long all other ways may look for a path before servers are asked to relay: half a second more than UDP alone.
const RELAYS_AFTER: Duration = Duration::from_millis(2_000);
/// Commands that may wait: more than the candidates of any peer.
const COMMANDS_MAX: usize = 64;
/// Largest datagram read; WebRTC keeps to the smallest path (1,200 bytes).
const DATAGRAM_BYTES_MAX: usize = 2048;
/// Datagrams read before the loop looks at the access units again.
const RECEIVE_BATCH_MAX: usize = 64;

/// Timeouts handled in a row before other inputs are looked at: a keyframe's packets at once.
const OVERDUE_MAX: u32 = 512;
/// Datagrams kept while the socket is full: about one large keyframe.
const OUTGOING_MAX: usize = 512;
/// Bounds the goodbye: a few packets to send and events to ignore.
const GOODBYE_STEPS_MAX: usize = 64;

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
