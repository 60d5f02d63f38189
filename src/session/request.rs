//! What a session's actor can be asked, and how it answers.

use std::net::IpAddr;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::Span;
use tracing::field::Empty;

use super::asker::Asker;
use super::queue::Found;
use super::stage::Stage;
use super::viewing::Connections;
use super::wheel::Ear;
use crate::error::Error;
use crate::model::command::ActionRequest;
use crate::model::ids::action_id;
use crate::model::{ActionResult, ActionStatus, RecordingStatus, SPANS, Secret, ViewerId};

/// Requests that may wait for a session's actor.
pub(super) const REQUESTS_MAX: usize = 128;

/// What the caller of an action knows before it ends.
#[derive(Debug)]
pub struct ActionOrder {
    /// What the action is called.
    pub id: String,
    /// The caller no longer wants it.
    pub cancel: CancellationToken,
    /// What it is part of.
    pub(super) span: Span,
}

impl ActionOrder {
    /// A new name, for an action that `cancel` ends.
    pub fn new(cancel: CancellationToken) -> Self {
        let id = action_id();
        Self {
            id,
            cancel,
            span: Span::current(),
        }
    }
}

/// The span of an action, in the trace of whoever asked for it.
pub(super) fn span(parent: &Span, action_type: &str, id: &str) -> Span {
    // Of a word that is no action, the end may be long.
    let action_type: String = action_type.chars().take(64).collect();
    tracing::info_span!(
        target: SPANS,
        parent: parent,
        "action",
        "otel.name" = format!("action {action_type}"),
        "action.id" = id,
        "error.type" = Empty,
        "otel.status_code" = Empty,
    )
}

/// What is told while something is done belongs to the request that asked for it.
pub(super) fn span_of_request(request_id: Option<&str>) -> Span {
    request_id.map_or_else(Span::none, |request_id| {
        tracing::error_span!("request", request_id)
    })
}

/// The answer to a request.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What the caller of an action waits for.
#[derive(Debug)]
pub(super) enum Answer {
    /// Its end.
    End(oneshot::Sender<ActionResult>),
    /// That it has been taken.
    Entry(oneshot::Sender<ActionStatus>),
}

/// What a session's actor can be asked.
#[derive(Debug)]
pub(super) enum Request {
    /// Notes that somebody used the session.
    Touch,
    Act {
        order: ActionOrder,
        asker: Box<Asker>,
        action: ActionRequest,
        answer: Answer,
    },
    Cancel {
        id: String,
        reply: oneshot::Sender<Option<(Found, ActionStatus)>>,
    },
    Pause {
        reply: Reply<()>,
    },
    Resume {
        reply: Reply<()>,
    },
    Recover {
        /// Replaces the token that LiveKit was joined with.
        new_token: Option<Secret>,
        reply: Reply<()>,
    },
    AddViewer {
        offer: String,
        remote: Option<IpAddr>,
        ear: Ear,
        /// Cancelled when it may watch no more.
        until: CancellationToken,
        reply: Reply<(ViewerId, String)>,
    },
    TrickleViewer {
        viewer: ViewerId,
        candidates: String,
        reply: Reply<()>,
    },
    RemoveViewer {
        viewer: ViewerId,
        reply: Reply<()>,
    },
    Connections {
        reply: Reply<Connections>,
    },
    StartRecording {
        reply: Reply<RecordingStatus>,
    },
    StopRecording {
        reply: Reply<RecordingStatus>,
    },
    /// Hands over the stage of a kept session whose browser is lost, and ends without a word.
    HandOver {
        reply: oneshot::Sender<Option<Stage>>,
    },
    /// Tells that a lost browser is not started again, and lets go of who watches.
    GiveUp {
        why: String,
    },
    Close {
        why: String,
        reply: oneshot::Sender<()>,
    },
}
