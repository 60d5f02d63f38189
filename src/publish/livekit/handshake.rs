//! The handshake of one connection: from a join to a track that may send.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::debug;
use uuid::Uuid;

use super::{CONNECT_WITHIN, Context, Options, Outcome, left, lost_signalling, retry};
use crate::error::Chain;
use crate::livekit::signal::{self, Asked, Event, IceServer, LowLayer, Published, Track};
use crate::livekit::{Signal, conventions};
use crate::media::layer::low_size;
use crate::publish::layers::LOW_BITRATE_MAX;
use crate::rtc::driver::Watch;
use crate::rtc::peer::{self, Offered, Rate};
use crate::rtc::{Command, Driver, Peer, relay, sockets};

/// A track that may send, and what the server said meanwhile.
pub(super) struct Ready {
    pub(super) published: Published,
    pub(super) driver: Driver,
    pub(super) commands: mpsc::Sender<Command>,
    /// What is asked for, once the server has said so.
    pub(super) asked: Option<Asked>,
    /// Whether the server takes both layers.
    pub(super) has_layers: bool,
}

/// What was heard during the handshake.
#[derive(Default)]
struct Heard {
    candidates: Vec<String>,
    asked: Option<Asked>,
}

impl Context {
    /// Announces the track, then offers it: the server drops what it does not know of.
    pub(super) async fn handshake(&self, signal: &mut Signal) -> Result<Ready, Outcome> {
        let options = &self.options;
        let wanted = self.wanted.borrow().clone();
        let cid = Uuid::new_v4().to_string();
        let mut heard = Heard::default();
        signal
            .add_track(&Track {
                cid: cid.clone(),
                name: conventions::TRACK_NAME.to_owned(),
                width: options.size.width,
                height: options.size.height,
                bitrate: u32::try_from(options.rate.target).unwrap_or(u32::MAX),
                low: options.has_low.then(|| LowLayer {
                    size: low_size(options.size),
                    bitrate: LOW_BITRATE_MAX,
                }),
                muted: wanted.paused || self.is_moderated,
            })
            .await;
        let published = within(heard.published(signal, &cid), "publish the track").await?;
        let remote = resolve(&options.url).await;
        let bound = sockets::bind(&options.sockets, remote).map_err(|error| retry(&error))?;
        let track = peer::Track {
            stream: conventions::AGENT_NAME,
            id: &cid,
            is_layered: options.has_low,
        };
        let offered = Peer::offer(Instant::now(), &bound.local, options.path_rate(), track)
            .map_err(|error| retry(&error))?;
        signal.offer(offered.sdp()).await;
        let answer = within(heard.answer(signal), "answer the offer").await?;
        let has_layers = options.has_low && answer.contains(LAYERS_TAKEN);
        let peer = accept(offered, &answer, &heard).map_err(|error| retry(&error))?;
        let (driver, commands) = Driver::new(peer, bound, Watch::Told, CONNECT_WITHIN);
        let driver = driver.with_relays(relays(signal.ice_servers()));
        debug!(
            sid = published.sid(),
            asked = ?heard.asked,
            has_layers,
            "track published"
        );
        Ok(Ready {
            published,
            driver,
            commands,
            asked: heard.asked,
            has_layers,
        })
    }
}

impl Options {
    /// What the path carries when all is sent by it that can be.
    fn path_rate(&self) -> Rate {
        let low = if self.has_low { LOW_BITRATE_MAX } else { 0 };
        Rate {
            target: self.rate.target + u64::from(low),
            ..self.rate
        }
    }
}

impl Heard {
    async fn published(&mut self, signal: &mut Signal, cid: &str) -> Result<Published, Outcome> {
        loop {
            match self.next(signal).await? {
                Event::TrackPublished(published) if published.cid() == cid => return Ok(published),
                _ => {}
            }
        }
    }

    async fn answer(&mut self, signal: &mut Signal) -> Result<String, Outcome> {
        loop {
            if let Event::Answer { sdp } = self.next(signal).await? {
                return Ok(sdp);
            }
        }
    }

    /// The next event, unless it ends the handshake; keeps what is needed after it.
    async fn next(&mut self, signal: &mut Signal) -> Result<Event, Outcome> {
        let event = signal.next().await;
        match &event {
            Event::Candidate { candidate } if self.candidates.len() < CANDIDATES_MAX => {
                self.candidates.push(candidate.clone());
            }
            Event::Watched { asked, .. } => self.asked = Some(*asked),
            Event::Refused { message } => {
                let reason = format!("LiveKit does not let us publish: {message}");
                return Err(Outcome::Permanent(reason));
            }
            Event::Leave(leave) => return Err(left(*leave)),
            Event::Closed { reason } => return Err(Outcome::Retry(lost_signalling(reason))),
            _ => {}
        }
        Ok(event)
    }
}

/// Bounds one step of the handshake.
async fn within<T>(
    step: impl Future<Output = Result<T, Outcome>>,
    what: &str,
) -> Result<T, Outcome> {
    let late = |_| Err(Outcome::Retry(format!("LiveKit did not {what} in time")));
    timeout(STEP_WITHIN, step).await.unwrap_or_else(late)
}

fn accept(offered: Offered, answer: &str, heard: &Heard) -> Result<Peer, peer::Error> {
    let mut peer = offered.accept(answer)?;
    for candidate in &heard.candidates {
        if let Err(error) = peer.add_remote_candidate(candidate) {
            debug!(error = %Chain(&error), "candidate ignored");
        }
    }
    Ok(peer)
}

/// Those of the servers that relay media.
fn relays(servers: &[IceServer]) -> Vec<relay::Server> {
    let parse = |server: &IceServer| {
        let parse =
            |url: &String| relay::Server::parse(url, &server.username, server.credential.reveal());
        server.urls.iter().filter_map(parse).collect::<Vec<_>>()
    };
    servers.iter().flat_map(parse).collect()
}

/// An address of the server, to find our own address on the way to it.
async fn resolve(url: &str) -> Option<IpAddr> {
    let (host, port) = signal::host_and_port(url)?;
    let mut found = tokio::net::lookup_host((host, port)).await.ok()?;
    found.next().map(|address| address.ip())
}

/// What an answer says that takes more than one layer (RFC 8853).
const LAYERS_TAKEN: &str = "a=simulcast:recv ";
/// Bounds each answer of the server during the handshake; it takes milliseconds.
const STEP_WITHIN: Duration = Duration::from_secs(5);
/// Candidates kept during the handshake; a server sends a handful.
const CANDIDATES_MAX: usize = 32;
