//! [`SessionHandle`]: a session as everybody else holds it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::keeping::Keeping;
use super::ledger::Ledger;
use super::limits::Used;
use super::logbook::Logbook;
use super::remembered::Remembered;
use super::request::{Reply, Request};
use super::stage::Stage;
use super::visited::Visited;
use super::wheel::Wheel;
use crate::browser::capture::Easel;
use crate::browser::tabs::Tabs;
use crate::error::Error;
use crate::livekit::Company;
use crate::model::command::{ActionError, ActionErrorKind};
use crate::model::watched::ViewerInfo;
use crate::model::{
    ActionResult, End, Kept, RecordingStatus, Secret, Secrets, SessionRecord, SessionSpec,
    SessionState, ViewerId,
};
use crate::vision;

/// How long a caller of recover waits for LiveKit.
const RECOVER_MAX: std::time::Duration = std::time::Duration::from_secs(10);

/// How long a caller waits for the disk of a recording.
const DISK_MAX: std::time::Duration = std::time::Duration::from_secs(10);

/// A session for whoever shall not keep it alive.
pub(super) struct Distant {
    handle: SessionHandle,
    requests: mpsc::WeakSender<Request>,
}

impl Distant {
    /// The session, while somebody else holds it.
    pub(super) fn near(&self) -> Option<SessionHandle> {
        let mut handle = self.handle.clone();
        handle.requests = self.requests.upgrade()?;
        Some(handle)
    }

    /// Its record and its wheel, which are there without it too.
    pub(super) const fn seen(&self) -> &SessionHandle {
        &self.handle
    }
}

/// A session, to hold and to ask. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) record: watch::Receiver<SessionRecord>,
    pub(super) tabs: Tabs,
    pub(super) easel: Easel,
    pub(super) vision: vision::Client,
    pub(super) secrets: Secrets,
    pub(super) ledger: Ledger,
    pub(super) remembered: Remembered,
    pub(super) keeping: Keeping,
    pub(super) logbook: Logbook,
    /// The first process of its browser.
    pub(super) browser_pid: Option<u32>,
    /// Bytes sent to viewers and to LiveKit.
    pub(super) sent: Arc<AtomicU64>,
    /// Who is in its room beside the browser.
    pub(super) company: Option<watch::Receiver<Company>>,
    /// When a caller used it last.
    pub(super) used: Used,
    /// Where its pages have been.
    pub(super) visited: Visited,
    /// Who drives it.
    pub(super) wheel: Wheel,
}

impl SessionHandle {
    /// Takes the secrets that a caller sends to a session that is there.
    pub(super) async fn learn(&self, wanted: &SessionSpec) -> Result<(), Error> {
        if wanted.secrets.is_empty() {
            return Ok(());
        }
        self.secrets.must_have_room(wanted.secrets.keys())?;
        self.secrets.learn(&wanted.secrets);
        self.keeping.learn(&wanted.secrets).await
    }

    /// The session for whoever shall not keep it alive.
    pub(super) fn distant(&self) -> Distant {
        let mut handle = self.clone();
        let requests = std::mem::replace(&mut handle.requests, mpsc::channel(1).0);
        Distant {
            handle,
            requests: requests.downgrade(),
        }
    }

    /// Notes that somebody used the session.
    pub(super) fn touch(&self) {
        // A queue that is full says so by itself.
        let _ = self.requests.try_send(Request::Touch);
    }

    /// Takes the session as it is at this moment for what is kept of it.
    pub(super) fn keep(&self) {
        let record = self.record();
        if !record.state.is_dead() {
            self.keeping.note(record, &self.tabs);
        }
    }

    /// What is kept of a session that has a name.
    pub(super) fn kept(&self) -> Option<Kept> {
        let kept = self.keeping.last();
        kept.record.session_name.is_some().then_some(kept)
    }

    /// The session as it is.
    pub fn record(&self) -> SessionRecord {
        self.record.borrow().clone()
    }

    /// The session's record, to wait on.
    pub fn watch(&self) -> watch::Receiver<SessionRecord> {
        self.record.clone()
    }

    /// The record once the initial page has loaded or failed, or after a moment.
    pub async fn opened(&self) -> SessionRecord {
        const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);
        let mut record = self.record.clone();
        let opened =
            record.wait_for(|record| record.state != SessionState::Starting && !record.is_opening);
        // A slow page goes on loading; its events tell.
        let _ = tokio::time::timeout(PATIENCE, opened).await;
        self.record()
    }

    /// Pauses the video; the browser, actions and events go on.
    pub async fn pause(&self) -> Result<(), Error> {
        self.ask(|reply| Request::Pause { reply }).await
    }

    /// Shows the current page again.
    pub async fn resume(&self) -> Result<(), Error> {
        self.ask(|reply| Request::Resume { reply }).await
    }

    /// Brings back what can be brought back. A new token replaces the one that LiveKit was joined
    /// with, from the next connection on.
    pub async fn recover(&self, new_token: Option<Secret>) -> Result<(), Error> {
        let recovering = self.ask(|reply| Request::Recover { new_token, reply });
        tokio::time::timeout(RECOVER_MAX, recovering)
            .await
            .unwrap_or_else(|_| {
                Err(Error::unavailable("LiveKit cannot be reached").hint(
                    "It is tried again and again by itself: watch the session's state and call recover \
                     later. If it lasts, check livekit_url and the way to it.",
                ))
            })
    }

    /// Adds a WHEP viewer by its SDP offer, who may watch `until` then; answers its id and the SDP answer.
    /// Whoever drives privately sees the page by the viewer that names their seat.
    pub async fn add_viewer(
        &self,
        offer: String,
        (remote, seat): (Option<IpAddr>, Option<String>),
        until: CancellationToken,
    ) -> Result<(ViewerId, String), Error> {
        let ear = self.wheel.ear(seat);
        self.ask(|reply| Request::AddViewer {
            offer,
            remote,
            ear,
            until,
            reply,
        })
        .await
    }

    /// Tells a WHEP viewer's further ICE candidates.
    pub async fn trickle_viewer(&self, viewer: ViewerId, candidates: String) -> Result<(), Error> {
        self.ask(|reply| Request::TrickleViewer {
            viewer,
            candidates,
            reply,
        })
        .await
    }

    /// Ends a WHEP viewer.
    pub async fn remove_viewer(&self, viewer: ViewerId) -> Result<(), Error> {
        self.ask(|reply| Request::RemoveViewer { viewer, reply })
            .await
    }

    /// Each way by which the session's video goes out, the room's first, as it is seen at this moment.
    pub(super) async fn viewers(&self) -> Result<Vec<ViewerInfo>, Error> {
        let connections = self.ask(|reply| Request::Connections { reply }).await?;
        Ok(connections.describe().await)
    }

    /// Begins to record the session; answers when the file is there.
    pub async fn start_recording(&self) -> Result<RecordingStatus, Error> {
        self.ask_disk(|reply| Request::StartRecording { reply })
            .await
    }

    /// Ends the recording; answers when the file is complete.
    pub async fn stop_recording(&self) -> Result<RecordingStatus, Error> {
        self.ask_disk(|reply| Request::StopRecording { reply })
            .await
    }

    /// Takes over the stage of a kept session whose browser is lost, if it still has one.
    pub(super) async fn hand_over(&self) -> Option<Stage> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::HandOver { reply }).await.ok()?;
        answer.await.ok().flatten()
    }

    /// Lets go of who watches a session whose browser is lost for good, and tells why.
    pub(super) async fn give_up(&self, why: String) {
        // An actor that is gone has let go already.
        let _ = self.requests.send(Request::GiveUp { why }).await;
    }

    /// Ends the session; returns when everything is put away.
    pub async fn close(&self) {
        self.close_for(&End::by_request()).await;
    }

    /// Ends the session for a reason; returns when everything is put away.
    pub(super) async fn close_for(&self, end: &End) {
        let (reply, answer) = oneshot::channel();
        self.logbook.end(end.clone());
        let why = end.detail.clone();
        let closing = self.requests.send(Request::Close { why, reply });
        if closing.await.is_ok() {
            // An actor that is gone has put everything away already.
            let _ = answer.await;
        }
    }

    /// Asks for what a disk has to do first; a disk may hang.
    async fn ask_disk<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Error> {
        let asking = tokio::time::timeout(DISK_MAX, self.ask(request));
        asking.await.unwrap_or_else(|_| {
            Err(Error::timeout("the disk has not answered yet")
                .hint("The session's record tells of the recording when it has."))
        })
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(request(reply))
            .await
            .map_err(|_| closed())?;
        answer.await.map_err(|_| cut_short())?
    }
}

/// Of a session that is closed, or about to be.
pub(super) fn closed() -> Error {
    Error::closed("the session is closed").hint("Start a new session on this room.")
}

pub(super) fn cut_short() -> Error {
    Error::cancelled("the session ended before it answered")
        .hint("Start a new session on this room.")
}

/// The result of an action that never reached the page.
pub(super) fn refused(error: ActionError, url: &str, title: Option<String>) -> ActionResult {
    let ActionError {
        kind,
        message,
        context,
        outcome,
    } = error;
    ActionResult {
        action_id: String::new(),
        correction_of: None,
        success: false,
        error: Some(message),
        error_kind: Some(kind),
        context,
        outcome: outcome.told(),
        duration_ms: 0.0,
        url: url.to_owned(),
        title,
        ready_state: None,
    }
}

/// An action that the session's end cut short.
pub(super) fn cancelled() -> ActionError {
    ActionError::new(
        ActionErrorKind::Closed,
        "The session closed before the action ended. Start a new session and try again.",
    )
}
