//! [`SessionHandle`]: a session as everybody else holds it.

use std::net::IpAddr;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};
use utoipa::ToSchema;

use crate::browser::elements::{self, ElementList};
use crate::browser::page::{Page, PageState};
use crate::browser::screenshot::{self, Format};
use crate::error::Error;
use crate::model::command::ActionRequest;
use crate::model::command::{ActionError, ActionErrorKind};
use crate::model::session::LiveKitStatus;
use crate::model::{ActionResult, Secret, SessionRecord, SessionState, ViewerId};

/// Requests that may wait for a session's actor.
pub(super) const REQUESTS_MAX: usize = 128;

/// How long a caller of recover waits for LiveKit.
const RECOVER_MAX: std::time::Duration = std::time::Duration::from_secs(10);

/// The answer to a request.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What a session's actor can be asked.
#[derive(Debug)]
pub(super) enum Request {
    Act {
        action: ActionRequest,
        reply: oneshot::Sender<ActionResult>,
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
    Close {
        reply: oneshot::Sender<()>,
    },
}

/// A session, to hold and to ask. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) record: watch::Receiver<SessionRecord>,
    pub(super) page: Page,
}

/// What a context shall hold besides url, title and ready state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContextOptions {
    /// The indexed elements.
    pub elements: bool,
    /// The accessibility tree.
    pub accessibility: bool,
    /// Most elements listed.
    pub limit: Option<u32>,
}

/// The page as an agent needs it (REQUIREMENTS A21, A55, D12).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PageContext {
    /// The page's URL.
    pub url: String,
    /// Its title.
    pub title: String,
    /// `loading`, `interactive` or `complete`.
    pub ready_state: String,
    /// Whether a navigation is under way.
    pub is_loading: bool,
    /// Where the session is in its life: `live` when all is well.
    pub session_state: SessionState,
    /// Why it is in that state, when that needs saying.
    pub state_reason: Option<String>,
    /// The LiveKit side.
    pub livekit: LiveKitStatus,
    /// Scroll offsets and their ends, CSS px.
    #[schema(value_type = Object)]
    pub scroll: serde_json::Value,
    /// The viewport, CSS px.
    #[schema(value_type = Object)]
    pub viewport: serde_json::Value,
    /// The ghost cursor's place, CSS px; null before its first move.
    pub cursor: Option<crate::model::Point>,
    /// The indexed elements, when asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    pub elements: Option<ElementList>,
    /// The accessibility tree, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub accessibility: Option<Vec<serde_json::Value>>,
}

impl SessionHandle {
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

    /// Performs an action. Every outcome is an [`ActionResult`]; an error only says that the
    /// session takes no action at all.
    pub async fn act(&self, action: ActionRequest) -> Result<ActionResult, Error> {
        let (reply, answer) = oneshot::channel();
        let full = |_| {
            Error::exhausted("too many requests wait for this session").hint("Wait, then retry.")
        };
        self.requests
            .try_send(Request::Act { action, reply })
            .map_err(full)?;
        answer.await.map_err(|_| cut_short())
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

    /// Adds a WHEP viewer by its SDP offer; answers its id and the SDP answer.
    pub async fn add_viewer(
        &self,
        offer: String,
        remote: Option<IpAddr>,
    ) -> Result<(ViewerId, String), Error> {
        self.ask(|reply| Request::AddViewer {
            offer,
            remote,
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

    /// Ends the session; returns when everything is put away.
    pub async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.requests.send(Request::Close { reply }).await.is_ok() {
            // An actor that is gone has put everything away already.
            let _ = answer.await;
        }
    }

    /// The page as an agent needs it.
    pub async fn context(&self, options: ContextOptions) -> Result<PageContext, Error> {
        self.must_have_browser()?;
        let elements = match options.elements {
            true => {
                let limit = options.limit.unwrap_or(elements::ELEMENTS_LIMIT_DEFAULT);
                Some(elements::list(&self.page, limit).await?)
            }
            false => None,
        };
        let accessibility = match options.accessibility {
            true => Some(crate::browser::accessibility::tree(&self.page).await?),
            false => None,
        };
        let PageState {
            url,
            title,
            ready_state,
            scroll,
            viewport,
        } = self.page.state().await?;
        let loading = self.page.loading();
        let url = if url.starts_with("chrome-error:") {
            loading.url
        } else {
            url
        };
        let is_loading = loading.is_loading;
        let record = self.record();
        Ok(PageContext {
            url,
            title,
            ready_state,
            is_loading,
            session_state: record.state,
            state_reason: record.state_reason,
            livekit: record.livekit,
            scroll,
            viewport,
            cursor: record.cursor,
            elements,
            accessibility,
        })
    }

    /// A screenshot in a picture file format.
    pub async fn screenshot(
        &self,
        format: Format,
        quality: Option<u8>,
        full_page: bool,
    ) -> Result<Vec<u8>, Error> {
        self.must_have_browser()?;
        Ok(screenshot::screenshot(&self.page, format, quality, full_page).await?)
    }

    fn must_have_browser(&self) -> Result<(), Error> {
        if self.record.borrow().state.is_dead() {
            return Err(crate::browser::Error::Gone.into());
        }
        Ok(())
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

fn closed() -> Error {
    Error::not_found("the session is closed").hint("Start a new session on this room.")
}

fn cut_short() -> Error {
    Error::cancelled("the session ended before it answered")
        .hint("Start a new session on this room.")
}

/// The result of an action that never reached the page.
pub(super) fn refused(error: ActionError, url: &str, title: &str) -> ActionResult {
    let ActionError {
        kind,
        message,
        context,
    } = error;
    ActionResult {
        success: false,
        error: Some(message),
        error_kind: Some(kind),
        context,
        data: serde_json::Map::new(),
        duration_ms: 0.0,
        url: url.to_owned(),
        title: title.to_owned(),
    }
}

/// An action that the session's end cut short.
pub(super) fn cancelled() -> ActionError {
    ActionError::new(
        ActionErrorKind::Cancelled,
        "The session closed before the action ended. Start a new session and try again.",
    )
}
