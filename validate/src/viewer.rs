//! [`Viewer`]: somebody who watches a session's video and decodes it, over WHEP or as a subscriber
//! of a LiveKit room.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::watch;

use super::audience::{Audience, Told};
use super::http::Body;
use super::livekit_server::Coordinates;
use super::outcome::{Outcome, ensure, until};
use super::playback::{Picture, Player};
use super::receiver::{Received, Receiver};
use super::session::Session;
use super::token;

/// Pause between two requests for a keyframe.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Largest datagram.
const DATAGRAM_MAX: usize = 2_048;

/// Any port does; nothing is sent.
const DISCARD_PORT: u16 = 9;

/// What has been seen so far.
#[derive(Debug, Default)]
struct Seen {
    picture: Option<Picture>,
    pictures: u64,
    bytes: u64,
    broken: u64,
    /// Why the LiveKit server ended the connection, if it did.
    closed: Option<String>,
}

/// A running viewer; it stops watching when dropped.
pub(super) struct Viewer {
    seen: Arc<Mutex<Seen>>,
    _stop: watch::Sender<()>,
}

impl Viewer {
    /// Watches over WHEP.
    pub(super) async fn whep(session: &Session) -> Outcome<Self> {
        let (socket, local) = bind(Ipv4Addr::LOCALHOST.into()).await?;
        let mut receiver = Receiver::new(Instant::now(), local)?;
        let offer = receiver.offer();
        let path = format!("/whep/{}", session.room);
        let answer = session.service.ask("POST", &path, Body::Sdp(offer));
        let answer = answer.await?;
        ensure!(
            answer.status == 201,
            "WHEP answers {}: {}",
            answer.status,
            answer.text()
        );
        receiver.accept(&answer.text())?;
        Self::start(Watching::new(receiver, socket, None)?)
    }

    /// Watches as a subscriber of a room.
    pub(super) async fn livekit(server: &Coordinates, room: &str) -> Outcome<Self> {
        let identity = format!("viewer-{}", uuid::Uuid::new_v4().simple());
        let token = token::mint_viewer(server.key(), room, &identity)?;
        let audience = Audience::join(&server.url, &token).await?;
        let (socket, local) = bind(server.ip().await?).await?;
        let receiver = Receiver::new(Instant::now(), local)?;
        Self::start(Watching::new(receiver, socket, Some(audience))?)
    }

    fn start(watching: Watching) -> Outcome<Self> {
        let seen = Arc::clone(&watching.seen);
        let (stop, stopped) = watch::channel(());
        tokio::spawn(watching.run(stopped));
        Ok(Self { seen, _stop: stop })
    }

    /// Pictures decoded so far.
    pub(super) fn pictures(&self) -> u64 {
        self.look(|seen| seen.pictures)
    }

    /// Bytes of video received so far.
    pub(super) fn bytes(&self) -> u64 {
        self.look(|seen| seen.bytes)
    }

    /// Access units that could not be decoded though nothing was missing.
    pub(super) fn broken(&self) -> u64 {
        self.look(|seen| seen.broken)
    }

    /// The size of the newest picture.
    pub(super) fn size(&self) -> Option<(usize, usize)> {
        self.look(|seen| Some(seen.picture.as_ref()?.size()))
    }

    /// The colour of a pixel of the newest picture.
    pub(super) fn colour(&self, x: usize, y: usize) -> Option<[u8; 3]> {
        self.look(|seen| Some(seen.picture.as_ref()?.rgb_at(x, y)))
    }

    /// Waits until a pixel has a colour; answers how long that took.
    pub(super) async fn sees(
        &self,
        within: Duration,
        at: (usize, usize),
        colour: [u8; 3],
    ) -> Outcome<Duration> {
        let started = Instant::now();
        let what = format!("the viewer sees {colour:?} at {at:?}");
        let seen = until(within, &what, async || {
            let got = self.colour(at.0, at.1)?;
            is_like(got, colour).then_some(())
        });
        seen.await.map_err(|mut failure| {
            let got = self.colour(at.0, at.1);
            let pictures = self.pictures();
            failure.chain.push(format!(
                "it has seen {pictures} pictures, the last with {got:?}"
            ));
            let closed = self.look(|seen| seen.closed.clone());
            failure
                .chain
                .extend(closed.map(|why| format!("LiveKit has closed it: {why}")));
            failure
        })?;
        Ok(started.elapsed())
    }

    fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether two colours are the same to the eye.
pub(super) fn is_like(a: [u8; 3], b: [u8; 3]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 12)
}

/// A socket, and the address by which it is reached from `remote`.
async fn bind(remote: IpAddr) -> Outcome<(UdpSocket, SocketAddr)> {
    let any: IpAddr = match remote {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Connecting asks the routing table, and sends nothing.
    let route = UdpSocket::bind((any, 0)).await?;
    route.connect((remote, DISCARD_PORT)).await?;
    let socket = UdpSocket::bind((any, 0)).await?;
    let local = SocketAddr::new(route.local_addr()?.ip(), socket.local_addr()?.port());
    Ok((socket, local))
}

struct Watching {
    receiver: Receiver,
    socket: UdpSocket,
    audience: Option<Audience>,
    player: Player,
    seen: Arc<Mutex<Seen>>,
    /// Pictures are shown from a keyframe on, and not over a gap.
    is_whole: bool,
    asked: Option<Instant>,
}

impl Watching {
    fn new(receiver: Receiver, socket: UdpSocket, audience: Option<Audience>) -> Outcome<Self> {
        Ok(Self {
            receiver,
            socket,
            audience,
            player: Player::new()?,
            seen: Arc::default(),
            is_whole: false,
            asked: None,
        })
    }

    async fn run(mut self, mut stopped: watch::Receiver<()>) {
        let mut datagram = [0; DATAGRAM_MAX];
        loop {
            let Some(wake) = self.drain().await else {
                break;
            };
            tokio::select! {
                _ = stopped.changed() => break,
                () = tokio::time::sleep_until(wake.into()) => {
                    self.receiver.handle_timeout(Instant::now());
                }
                received = self.socket.recv_from(&mut datagram) => {
                    if let Ok((bytes, source)) = received {
                        self.receiver.handle_receive(Instant::now(), source, &datagram[..bytes]);
                    }
                }
                told = next_told(&mut self.audience) => {
                    if !self.hear(told).await {
                        break;
                    }
                }
            }
        }
        self.receiver.close();
        // What is left to say is said; the connection is over either way.
        let _ = self.drain().await;
        if let Some(audience) = self.audience {
            audience.leave().await;
        }
    }

    /// Does all that is to be done now; says when to wake, unless it is over.
    async fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.receiver.poll() {
                Received::Transmit {
                    destination,
                    contents,
                } => {
                    // A datagram that cannot be sent is lost, as on the network.
                    let _ = self.socket.send_to(&contents, destination).await;
                }
                Received::Unit {
                    data,
                    is_contiguous,
                } => self.watch(&data, is_contiguous),
                Received::Timeout(at) => return Some(at),
                Received::Over => return None,
            }
        }
    }

    fn watch(&mut self, data: &[u8], is_contiguous: bool) {
        self.is_whole = has_parameter_sets(data) || (self.is_whole && is_contiguous);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.bytes += data.len() as u64;
        if !self.is_whole {
            drop(seen);
            let now = Instant::now();
            if self.asked.is_none_or(|at| now > at + ASK_EVERY) {
                self.asked = Some(now);
                self.receiver.ask_for_keyframe();
            }
            return;
        }
        match self.player.show(data) {
            Ok(Some(picture)) => {
                seen.picture = Some(picture);
                seen.pictures += 1;
            }
            Ok(None) => (),
            Err(_) => {
                seen.broken += 1;
                self.is_whole = false;
            }
        }
    }

    /// Whether to go on.
    async fn hear(&mut self, told: Told) -> bool {
        match told {
            Told::Offer { sdp } => {
                let Ok(answer) = self.receiver.answer(&sdp) else {
                    return false;
                };
                if let Some(audience) = &self.audience {
                    audience.answer(&answer).await;
                }
            }
            Told::Candidate { candidate } => {
                // One of a kind that is not understood is one less to try.
                let _ = self.receiver.add_remote_candidate(&candidate);
            }
            Told::Closed { reason } => {
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.closed = Some(reason);
                return false;
            }
        }
        true
    }
}

async fn next_told(audience: &mut Option<Audience>) -> Told {
    match audience {
        Some(audience) => audience.next().await,
        None => std::future::pending().await,
    }
}

/// Whether an access unit begins with a sequence parameter set, as keyframes do here.
fn has_parameter_sets(data: &[u8]) -> bool {
    const SPS: u8 = 7;
    data.windows(4)
        .take(64)
        .any(|window| window[..3] == [0, 0, 1] && window[3] & 0x1f == SPS)
}
