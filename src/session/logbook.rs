//! [`Logbook`]: what a session is remembered by after its end, while it runs. And how it gets to the disk.
//!
//! Loss policy: of a session's recordings the last hundred are named; of its events the last ones that fit.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Manager;
use super::handle::SessionHandle;
use super::slots::Slot;
use crate::config;
use crate::error::{Chain, Error};
use crate::events::Room;
use crate::model::{
    End, EndReason, EndedRecording, EndedSession, RecordingStatus, SessionId, SessionRecord,
    SessionState, UnixTime, ViewersSeen,
};

/// Recordings that are named.
const RECORDINGS_MAX: usize = 100;
/// Events that are kept of a session that has ended.
const EVENTS_MAX: usize = 100;
/// What they may hold together, bytes of JSON.
const EVENTS_BYTES_MAX: usize = 64 << 10;
/// Where a session is, is written down this often at most, for the case that its service is killed.
const NOTE_EVERY: Duration = Duration::from_secs(10);
/// The last events of a session that ends come within this time: a recording is completed meanwhile.
const LAST_WORDS: Duration = Duration::from_secs(4);
/// Those of one whose browser was lost, which is not put away yet.
const LAST_WORDS_LOST: Duration = Duration::from_millis(500);
/// A browser that was lost is news of the service for this long.
const LOSS_IS_NEWS: Duration = Duration::from_mins(1);
/// Whoever closes a session waits for its end to be written down, but not for a disk that hangs.
const WRITTEN_WITHIN: Duration = Duration::from_secs(2);

/// What is noted of one session. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Logbook {
    pages: Arc<Mutex<Pages>>,
    /// Cancelled when the session's end is on the disk, or will not get there.
    written: CancellationToken,
}

#[derive(Debug, Default)]
struct Pages {
    end: Option<End>,
    /// When that was.
    since: Option<Instant>,
    viewers: ViewersSeen,
    recordings: VecDeque<EndedRecording>,
}

impl Logbook {
    /// Notes why the session ends. The first cause is the cause.
    pub(super) fn end(&self, end: End) {
        let mut pages = self.pages();
        if pages.end.is_none() {
            pages.end = Some(end);
            pages.since = Some(Instant::now());
        }
    }

    /// How long ago the session's end began.
    fn since_end(&self) -> Option<Duration> {
        self.pages().since.map(|since| since.elapsed())
    }

    /// Notes a WHEP viewer that has come.
    pub(super) fn viewer(&self) {
        self.pages().viewers.whep += 1;
    }

    /// Notes that somebody in the LiveKit room watches.
    pub(super) fn livekit_viewer(&self) {
        self.pages().viewers.livekit = true;
    }

    /// Notes a recording that has begun.
    pub(super) fn recording(&self, status: &RecordingStatus) {
        let mut pages = self.pages();
        if pages.recordings.len() == RECORDINGS_MAX {
            pages.recordings.pop_front();
        }
        pages.recordings.push_back(EndedRecording {
            recording_id: status.recording_id,
            file: status.file.clone(),
        });
    }

    /// Whether this file is of one of its recordings.
    pub(super) fn has_recorded(&self, file: &str) -> bool {
        let pages = self.pages();
        let mut recordings = pages.recordings.iter();
        recordings.any(|recording| recording.file == file)
    }

    /// Returns when the session's end is on the disk, or after a moment.
    pub(super) async fn written(&self) {
        let written = timeout(WRITTEN_WITHIN, self.written.cancelled()).await;
        if written.is_err() {
            tracing::debug!("a session's end is not on the disk yet");
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // Every change is whole when the lock is let go, whoever panicked.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What changes about where a session is.
#[derive(PartialEq)]
struct Whereabouts {
    url: String,
    title: String,
    recording: Option<String>,
}

impl Whereabouts {
    fn of(record: &SessionRecord) -> Self {
        Self {
            url: record.current_url.clone(),
            title: record.title.clone(),
            recording: record.recording.as_ref().map(|it| it.file.clone()),
        }
    }
}

impl SessionHandle {
    /// The session as one that has ended.
    fn ended(&self, otherwise: End) -> EndedSession {
        let pages = self.logbook.pages();
        let end = pages.end.clone().unwrap_or(otherwise);
        let now = UnixTime::now().to_iso8601();
        EndedSession {
            viewers: pages.viewers,
            actions: self.ledger.count(),
            actions_failed: self.ledger.count_failed(),
            recordings: pages.recordings.iter().cloned().collect(),
            last_events: Some(Vec::new()),
            ..EndedSession::of(&self.record(), end, now)
        }
    }
}

impl Manager {
    /// Writes down how a session ends, once it does; off the way of all that it is asked to do. One whose
    /// service is killed meanwhile is known as it was a moment before.
    pub(super) async fn remember(self, handle: SessionHandle) {
        let mut record = handle.record.clone();
        match self.remembers() {
            true => self.write_down(&handle).await,
            false => {
                handle.logbook.written.cancel();
                // Whoever writes the record may be gone.
                let _ = record.wait_for(|record| record.state.is_dead()).await;
            }
        }
        let end = handle.logbook.pages().end.clone();
        let reason = end.map_or(EndReason::Internal, |end| end.reason);
        metrics::counter!("ghostcast_sessions_ended_total", "reason" => reason.as_str())
            .increment(1);
    }

    async fn write_down(&self, handle: &SessionHandle) {
        let registry = self.means.registry.clone();
        let mut record = handle.record.clone();
        let mut noted = None;
        loop {
            let now = Whereabouts::of(&record.borrow_and_update());
            if noted.as_ref() != Some(&now) {
                noted = Some(now);
                let killed = End::new(EndReason::ServiceLost, "the service was killed");
                // A registry that cannot be written has been told of.
                let _ = registry.note_life(handle.ended(killed)).await;
            }
            let dead = record.wait_for(|record| record.state.is_dead());
            if timeout(NOTE_EVERY, dead).await.is_ok() {
                break;
            }
        }
        let patience = match handle.record().state {
            SessionState::Failed => LAST_WORDS_LOST,
            _ => LAST_WORDS,
        };
        let ended_at = UnixTime::now().to_iso8601();
        // The events of its end come before its actor is gone.
        let _ = timeout(patience, handle.requests.closed()).await;
        let unknown = End::new(EndReason::Internal, "its last words are not known");
        let mut session = handle.ended(unknown);
        session.ended_at = ended_at;
        if let Ok(room) = self.means.bus.room(&handle.record().channel()) {
            session.last_events = Some(last_events(&room, session.session_id));
        }
        if let Err(error) = registry.note_end(session).await {
            tracing::debug!(error = %Chain(&error), "a session's end is not written down");
        }
        handle.logbook.written.cancel();
    }

    /// Writes down that a session is gone that was stored.
    pub(super) async fn remember_stored(&self, record: &SessionRecord, end: End) {
        if !self.remembers() {
            return;
        }
        let session = EndedSession::of(record, end, UnixTime::now().to_iso8601());
        // A registry that cannot be written has been told of.
        let _ = self.means.registry.note_end(session).await;
    }

    /// The sessions that have ended, the newest first, each with what has become of it since.
    pub async fn ended(&self) -> Result<Vec<(EndedSession, SessionState)>, Error> {
        let mut ended = self.means.registry.all_ended().await?;
        ended.retain(|session| self.is_remembered(session));
        self.with_state(ended).await
    }

    /// The session of that id that has ended, or the last one of that name or room.
    pub async fn ended_of(&self, key: &str) -> Result<(EndedSession, SessionState), Error> {
        let mut ended = self.means.registry.ended_of(key).await?;
        ended.retain(|session| self.is_remembered(session));
        ended.truncate(1);
        let mut found = self.with_state(ended).await?;
        found.pop().ok_or_else(|| {
            let shown: String = key.chars().take(64).collect();
            Error::not_found(format!("no session \"{shown}\" is known to have ended")).hint(
                "Ask by its id, name or room; those that ended longer ago than session.ended_kept_h, or \
                 before the last thousand, are forgotten.",
            )
        })
    }

    /// Sessions that have failed within the last minute.
    pub fn count_failed_lately(&self) -> usize {
        let slots = self.lock();
        let failed = slots.all().filter(|slot| match slot {
            Slot::Held(handle) => {
                let is_failed = handle.record.borrow().state == SessionState::Failed;
                let since = handle.logbook.since_end();
                is_failed && since.is_some_and(|since| since < LOSS_IS_NEWS)
            }
            Slot::Starting { .. } | Slot::Stored(_) => false,
        });
        failed.count()
    }

    /// Forgets the sessions that ended too long ago.
    pub(super) async fn forget_ended(&self) {
        // A registry that cannot be written has been told of.
        let _ = self
            .means
            .registry
            .forget_ended(self.remembers_from())
            .await;
    }

    fn remembers(&self) -> bool {
        config::age(self.means.config.now().session.ended_kept_h).is_some()
    }

    fn remembers_from(&self) -> String {
        let kept = config::age(self.means.config.now().session.ended_kept_h);
        UnixTime::now().minus(kept.unwrap_or_default()).to_iso8601()
    }

    fn is_remembered(&self, session: &EndedSession) -> bool {
        session.ended_at >= self.remembers_from()
    }

    /// Adds what has become of sessions, and takes out the recordings that are gone.
    async fn with_state(
        &self,
        mut ended: Vec<EndedSession>,
    ) -> Result<Vec<(EndedSession, SessionState)>, Error> {
        let shelf = self.means.shelf.clone();
        let looking = tokio::task::spawn_blocking(move || {
            for session in &mut ended {
                let recordings = &mut session.recordings;
                recordings.retain(|recording| shelf.path(&recording.file).is_ok());
            }
            ended
        });
        let ended = looking
            .await
            .map_err(|error| Error::internal("the look at recordings broke").source(error))?;
        let state = |session: &EndedSession| {
            let now = self.record(&session.session_id.to_string());
            now.map_or(SessionState::Closed, |record| record.state)
        };
        let with_state = |session: EndedSession| {
            let state = state(&session);
            (session, state)
        };
        Ok(ended.into_iter().map(with_state).collect())
    }
}

/// The last events of a session that fit, as they were told.
fn last_events(room: &Room, session: SessionId) -> Vec<Value> {
    let mut bytes = 0;
    let mut events = Vec::new();
    for event in room.last_of(session, EVENTS_MAX).iter().rev() {
        let json = event.json(true);
        bytes += json.len();
        if bytes > EVENTS_BYTES_MAX {
            break;
        }
        events.extend(serde_json::from_str::<Value>(json).ok());
    }
    events.reverse();
    events
}
