//! Sends a session's access units to one viewer over WHEP: the viewer's browser offers to
//! receive video, and gets an answer; no LiveKit server is needed.
//!
//! A viewer watches from the moment it is connected until its connection is gone. It ends by
//! itself and says so; whoever keeps the list of viewers waits for [`Viewer::ended`].

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info, info_span};

use super::Feed;
use crate::error::Error as ServiceError;
use crate::model::ViewerId;
use crate::refusals::{Limit, refused};
use crate::rtc::driver::Watch;
use crate::rtc::peer::{self, Rate};
use crate::rtc::{Command, Driver, End, Path, Peer, Report, Vitals, sockets};

/// The data channel by which a viewer who drives says what they do on the page.
pub const INPUT_CHANNEL: &str = "browser.input";

/// Hears what a viewer says. Nothing in it blocks.
pub trait Ear: std::fmt::Debug + Send + Sync {
    /// A message has come.
    fn hear(&self, message: Vec<u8>);
}

/// How to reach a viewer.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where media sockets live.
    pub sockets: sockets::Config,
    /// The viewer's address as far as it is known, to find our own address on the way to it.
    pub remote: Option<IpAddr>,
    /// The bits a second.
    pub rate: Rate,
    /// Hears what it says.
    pub ear: Arc<dyn Ear>,
    /// Cancelled when it may watch no more.
    pub until: CancellationToken,
}

/// What may go wrong with a viewer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No socket for it.
    #[error("no media socket for the viewer")]
    Socket {
        /// Why.
        #[source]
        source: sockets::Error,
    },
    /// Its offer cannot be answered.
    #[error("the viewer's offer cannot be answered")]
    Offer {
        /// Why.
        #[source]
        source: peer::Error,
    },
    /// It is gone.
    #[error("the viewer is gone")]
    Gone,
    /// It sent more candidates than are kept.
    #[error("too many candidates at once")]
    TooManyCandidates,
    /// It sent a candidate that is none.
    #[error("no ICE candidate: {line}")]
    NoCandidate {
        /// What it sent.
        line: String,
    },
}

impl From<Error> for ServiceError {
    fn from(error: Error) -> Self {
        let known = match &error {
            Error::Socket { .. } => {
                let full = Self::exhausted("no media socket is free")
                    .hint("Widen the range of UDP ports.");
                refused(Limit::MediaSockets, full)
            }
            Error::Offer { source } => Self::invalid_input(source.to_string())
                .hint("Send an SDP offer that receives H.264 video."),
            Error::Gone => Self::not_found("the viewer is gone"),
            Error::TooManyCandidates => Self::exhausted("too many candidates at once"),
            Error::NoCandidate { .. } => Self::invalid_input(error.to_string()).hint(
                "Send lines of the form a=candidate:1 1 udp 2113937151 192.0.2.1 9 typ host.",
            ),
        };
        known.source(error)
    }
}

/// The way to a running viewer. Dropping it does not end it.
#[derive(Debug, Clone)]
pub struct Viewer {
    id: ViewerId,
    commands: mpsc::Sender<Command>,
    ended: watch::Receiver<Option<Arc<End>>>,
    cancel: CancellationToken,
}

/// Starts sending to a viewer, in a task of `tracker`, until it is gone or `cancel`. Gives the
/// answer to its offer. Runs inside a tokio runtime.
pub fn start(
    offer: &str,
    options: &Options,
    mut feed: Feed,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) -> Result<(String, Viewer), Error> {
    let bound = sockets::bind(&options.sockets, options.remote)
        .map_err(|source| Error::Socket { source })?;
    let (peer, answer) = Peer::answer(Instant::now(), &bound.local, options.rate, offer)
        .map_err(|source| Error::Offer { source })?;
    let peer = peer.hearing(INPUT_CHANNEL);
    let (driver, commands) = Driver::new(peer, bound, Watch::Connection, CONNECT_WITHIN);
    let id = ViewerId::new();
    let cancel = cancel.child_token();
    let (ended, ended_seen) = watch::channel(None);
    let (stop, until) = (cancel.clone(), options.until.clone());
    let ear = Arc::clone(&options.ear);
    let task = async move {
        let report = |report| match report {
            Report::Path(Path::Open) => info!("a viewer watches"),
            Report::Path(Path::Shown | Path::Lost { .. }) => {}
            Report::Message(message) => ear.hear(message),
        };
        let end = {
            let mut running = pin!(driver.run(&mut feed, &stop, report));
            tokio::select! {
                end = running.as_mut() => end,
                () = until.cancelled() => {
                    stop.cancel();
                    running.await
                }
            }
        };
        info!(%end, "the viewer is gone");
        drop(feed);
        ended.send_replace(Some(Arc::new(end)));
    };
    tracker.spawn(task.instrument(info_span!("whep", viewer = %id)));
    let viewer = Viewer {
        id,
        commands,
        ended: ended_seen,
        cancel,
    };
    Ok((answer, viewer))
}

impl Viewer {
    /// Its id.
    pub fn id(&self) -> ViewerId {
        self.id
    }

    /// Takes candidates that the viewer found after its offer: the body of a WHEP `PATCH`
    /// (`application/trickle-ice-sdpfrag`). All of them, or none.
    pub fn add_candidates(&self, fragment: &str) -> Result<(), Error> {
        let lines = fragment.lines().map(str::trim);
        let candidates: Vec<_> = lines
            .filter_map(|line| line.strip_prefix("a=candidate:"))
            .collect();
        if let Some(odd) = candidates.iter().find(|candidate| !is_candidate(candidate)) {
            let line = odd.chars().take(ODD_CHARS_MAX).collect();
            return Err(Error::NoCandidate { line });
        }
        for candidate in candidates {
            let command = Command::AddRemoteCandidate(format!("candidate:{candidate}"));
            self.commands
                .try_send(command)
                .map_err(|error| match error {
                    mpsc::error::TrySendError::Full(_) => Error::TooManyCandidates,
                    mpsc::error::TrySendError::Closed(_) => Error::Gone,
                })?;
        }
        Ok(())
    }

    /// Waits for its end; `None` when it ended without a word.
    pub async fn ended(&self) -> Option<Arc<End>> {
        let mut ended = self.ended.clone();
        let end = ended.wait_for(Option::is_some).await.ok()?;
        end.clone()
    }

    /// What is seen of its connection; `None` when it is gone.
    pub async fn describe(&self) -> Option<Vitals> {
        let (told, vitals) = oneshot::channel();
        self.commands.send(Command::Describe(told)).await.ok()?;
        vitals.await.ok()
    }

    /// Sends it away.
    pub fn close(&self) {
        self.cancel.cancel();
    }
}

/// Whether this has the form of a candidate (RFC 8839), of whichever kind: a name in place of the address, or a
/// transport of the future, is not for us and is no mistake.
fn is_candidate(text: &str) -> bool {
    let parts: Vec<_> = text.split_whitespace().collect();
    let [_, component, _, priority, _, port, word, _, ..] = parts[..] else {
        return false;
    };
    let is_number = |part: &str| part.parse::<u32>().is_ok();
    word == "typ" && is_number(component) && is_number(priority) && port.parse::<u16>().is_ok()
}

/// So much of what is no candidate is told.
const ODD_CHARS_MAX: usize = 100;
/// How long a viewer may take to connect after it got its answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_of_any_kind_are_candidates_and_nothing_else_is() {
        for good in [
            "1 1 udp 2113937151 192.0.2.1 5000 typ host",
            "1 1 UDP 1 0b2c.local 5000 typ host generation 0 ufrag a",
            "842163049 1 tcp 1677729535 2001:db8::1 9 typ srflx raddr 10.0.0.1 rport 9 tcptype active",
            "1 1 quic 1 192.0.2.1 5000 typ future",
        ] {
            assert!(is_candidate(good), "{good}");
        }
        for odd in [
            "",
            "nonsense",
            "1 1 udp high 192.0.2.1 5000 typ host",
            "1 1 udp 1 192.0.2.1 70000 typ host",
            "1 1 udp 1 192.0.2.1 5000 host typ",
            "1 1 udp 1 192.0.2.1 5000 typ",
        ] {
            assert!(!is_candidate(odd), "{odd}");
        }
    }
}
