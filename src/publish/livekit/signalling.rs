//! The signalling beside running media: passes on what either side wants, and resumes when it is
//! lost. It may wait for the server; media does not wait for it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Context, Outcome, State, Wanted, left, lost_signalling};
use crate::error::Chain;
use crate::livekit::Signal;
use crate::livekit::signal::{Asked, Event, Leave, Published};
use crate::rtc::{Command, Path, Watched};

/// The signalling of a connection whose media runs.
pub(super) struct Signalling<'a> {
    pub(super) context: &'a mut Context,
    pub(super) signal: &'a mut Signal,
    pub(super) published: Published,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) reported: mpsc::Receiver<Path>,
    pub(super) stop: &'a CancellationToken,
    /// What is asked for, once the server has said so.
    pub(super) asked: Option<Asked>,
    /// Whether the server takes both layers.
    pub(super) has_layers: bool,
    /// Whether media has a path.
    pub(super) has_path: bool,
    pub(super) introduction: Introduction,
}

/// Shows both layers to a server that has not said yet what is asked for: it learns of a layer by its first
/// packets, and offers nobody what it does not know. Shown until a picture of each has gone and for a moment more,
/// which on a busy page is seconds later; again after a while, until it says something.
#[derive(Debug, Default)]
pub(super) struct Introduction {
    is_on: bool,
    turns_at: Option<Instant>,
}

impl Introduction {
    /// There is a path: it is on until pictures have gone by it.
    fn begin(&mut self) {
        self.is_on = true;
        self.turns_at = None;
    }

    fn shown(&mut self, now: Instant) {
        if self.is_on {
            self.turns_at = Some(now + INTRODUCE_FOR);
        }
    }

    fn turn(&mut self, now: Instant) {
        self.is_on = !self.is_on;
        let lasts = match self.is_on {
            true => INTRODUCE_FOR,
            false => INTRODUCE_AGAIN,
        };
        self.turns_at = Some(now + lasts);
    }

    /// Returns when it turns on or off.
    async fn turns(&self) {
        match self.turns_at {
            Some(at) => sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }
}

impl Signalling<'_> {
    /// Runs until the connection is over: `None` when it was stopped from outside.
    pub(super) async fn run(&mut self) -> Option<Outcome> {
        let mut done = self.context.wanted.borrow_and_update().clone();
        if !done.attributes.is_empty() {
            self.signal.set_attributes(done.attributes.clone()).await;
        }
        // It may have changed since the track was announced.
        self.mute(done.paused).await;
        self.tell_watched(done.paused).await;
        loop {
            let stop = self.stop;
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                Ok(()) = self.context.wanted.changed() => {
                    let wanted = self.context.wanted.borrow_and_update().clone();
                    self.apply(&done, &wanted).await;
                    done = wanted;
                }
                Some(path) = self.reported.recv() => {
                    self.follow(path, done.paused).await;
                }
                () = self.introduction.turns(), if self.asked.is_none() => {
                    self.introduction.turn(Instant::now());
                    self.tell_watched(done.paused).await;
                }
                event = self.signal.next() => {
                    if let Some(outcome) = self.handle(event, done.paused).await {
                        return outcome;
                    }
                }
            }
        }
    }

    /// Tells what became of the media's path, and helps it to another.
    async fn follow(&mut self, path: Path, paused: bool) {
        match path {
            Path::Open => {
                info!("publishing");
                self.has_path = true;
                self.context.set_state(State::Connected);
                self.introduction.begin();
                if self.asked.is_none() {
                    self.tell_watched(paused).await;
                }
            }
            Path::Shown => self.introduction.shown(Instant::now()),
            Path::Lost { offer } => {
                info!("no media passes; looking for another path");
                self.has_path = false;
                let reason = "no media reaches LiveKit".to_owned();
                self.context.set_state(State::Reconnecting { reason });
                self.signal.offer(&offer).await;
            }
        }
    }

    /// Handles one event: `Some` when the connection is over.
    async fn handle(&mut self, event: Event, paused: bool) -> Option<Option<Outcome>> {
        match event {
            Event::Watched { sid, asked } if sid == self.published.sid() => {
                debug!(?asked, "subscribers");
                self.asked = Some(asked);
                self.tell_watched(paused).await;
                None
            }
            Event::Company => {
                self.context.see_who_is_there(self.signal);
                None
            }
            Event::Candidate { candidate } => {
                self.tell(Command::AddRemoteCandidate(candidate)).await;
                None
            }
            Event::Answer { sdp } => {
                self.tell(Command::AcceptRestart(sdp)).await;
                None
            }
            Event::TrackUnpublished { sid } if sid == self.published.sid() => {
                let reason = "a moderator took the track down".to_owned();
                Some(Some(Outcome::Retry(reason)))
            }
            Event::Muted { sid, muted } if sid == self.published.sid() => {
                info!(muted, "a moderator muted or unmuted the track");
                self.context.is_moderated = muted;
                self.tell_watched(paused).await;
                None
            }
            Event::Refused { message } => {
                warn!(%message, "the server refused a request");
                None
            }
            Event::Closed { reason } => self.resume(lost_signalling(&reason), paused).await,
            Event::Leave(Leave::Retry(reason)) => {
                let outcome = self.resume(reason.to_owned(), paused).await;
                // It may say so because no media reaches it any more, though checks still pass.
                self.tell(Command::RestartPath).await;
                outcome
            }
            Event::Leave(leave) => Some(Some(left(leave))),
            _ => None,
        }
    }

    /// Opens the signalling again while media goes on. `Some` when the connection is over.
    async fn resume(&mut self, reason: String, paused: bool) -> Option<Option<Outcome>> {
        info!(%reason, "resuming the signalling");
        self.context.set_state(State::Reconnecting {
            reason: reason.clone(),
        });
        for pause in RESUME_AFTER {
            let stop = self.stop;
            let resumed = tokio::select! {
                biased;
                () = stop.cancelled() => return Some(None),
                resumed = async {
                    sleep(pause).await;
                    self.signal.resume(&self.published).await
                } => resumed,
            };
            match resumed {
                Ok(()) => {
                    info!("signalling resumed");
                    self.mute(paused).await;
                    // Without a path, the driver's next report tells.
                    if self.has_path {
                        self.context.set_state(State::Connected);
                    }
                    return None;
                }
                Err(error) => {
                    debug!(error = %Chain(&error), "not resumed");
                    if let Some(leave) = error.answer() {
                        return Some(Some(left(leave)));
                    }
                }
            }
        }
        Some(Some(Outcome::Retry(reason)))
    }

    /// Passes on what the owner wants anew.
    async fn apply(&mut self, done: &Wanted, wanted: &Wanted) {
        if wanted.paused != done.paused {
            // Many servers let no moderator unmute: whoever resumes the session takes it upon them.
            self.context.is_moderated &= wanted.paused;
            self.mute(wanted.paused).await;
            self.tell_watched(wanted.paused).await;
        }
        let changed: HashMap<_, _> = wanted
            .attributes
            .iter()
            .filter(|(key, value)| done.attributes.get(*key) != Some(*value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !changed.is_empty() {
            self.signal.set_attributes(changed).await;
        }
    }

    /// Mutes or unmutes the track; what a moderator has muted stays so through every connection.
    async fn mute(&self, paused: bool) {
        let muted = paused || self.context.is_moderated;
        self.signal.mute(self.published.sid(), muted).await;
    }

    async fn tell_watched(&self, paused: bool) {
        let sends = !paused && !self.context.is_moderated;
        let watched = match self.asked {
            _ if !sends => Watched::No,
            None if self.has_layers && self.introduction.is_on => Watched::Unsaid,
            Some(asked) if !asked.any() => Watched::No,
            Some(Asked { full, low }) if self.has_layers => Watched::Layers { full, low },
            Some(_) => Watched::Yes,
            None => Watched::No,
        };
        self.tell(Command::SetWatched(watched)).await;
    }

    async fn tell(&self, command: Command) {
        // A driver that is gone ends the connection by itself.
        let _ = self.commands.send(command).await;
    }
}

/// The pauses before each attempt to resume: as long as a server keeps a participant whose media
/// goes on. A server that restarted says at the first that it knows nothing of us.
const RESUME_AFTER: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(750),
    Duration::from_millis(1500),
    Duration::from_millis(2000),
    Duration::from_millis(2500),
];
/// How long both layers are shown to a server that has not said what is asked for, from the first picture of each on,
/// and how long they are not. It says
/// so ten seconds after it has learned of them at the latest.
const INTRODUCE_FOR: Duration = Duration::from_secs(2);
const INTRODUCE_AGAIN: Duration = Duration::from_secs(12);
