//! [`SessionHandle`]: a session as everybody else holds it.

use std::net::IpAddr;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::masking;
use crate::browser::accessibility;
use crate::browser::elements::{self, ElementList, Part};
use crate::browser::page::{Page, PageState};
use crate::browser::screenshot::{self, Format};
use crate::browser::tabs::Tabs;
use crate::error::{Error, ErrorKind};
use crate::media::marks;
use crate::model::command::{ActionError, ActionErrorKind, ActionRequest};
use crate::model::ids::action_id;
use crate::model::session::LiveKitStatus;
use crate::model::{
    ActionResult, RecordingStatus, Secret, Secrets, SessionRecord, SessionState, TabInfo, ViewerId,
};
use crate::vision::{self, Analysis};

/// Requests that may wait for a session's actor.
pub(super) const REQUESTS_MAX: usize = 128;

/// How long a caller of recover waits for LiveKit.
const RECOVER_MAX: std::time::Duration = std::time::Duration::from_secs(10);

/// Elements marked on a picture of the viewport; beyond that nobody can tell them apart.
const MARKS_MAX: u32 = 300;
/// Elements marked on a picture of the full page.
const FULL_PAGE_MARKS_MAX: u32 = 1_000;

/// A context waits this long for a document that was asked for.
const DOCUMENT_PATIENCE: std::time::Duration = std::time::Duration::from_millis(300);

/// How long a caller waits for the disk of a recording.
const DISK_MAX: std::time::Duration = std::time::Duration::from_secs(10);

/// What the caller of an action knows before it ends.
#[derive(Debug)]
pub struct Order {
    /// What the action is called.
    pub id: String,
    /// The caller no longer wants it.
    pub cancel: CancellationToken,
}

impl Order {
    /// A new name, for an action that `cancel` ends.
    pub fn new(cancel: CancellationToken) -> Self {
        let id = action_id();
        Self { id, cancel }
    }
}

/// The answer to a request.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What a session's actor can be asked.
#[derive(Debug)]
pub(super) enum Request {
    Act {
        order: Order,
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
    StartRecording {
        reply: Reply<RecordingStatus>,
    },
    StopRecording {
        reply: Reply<RecordingStatus>,
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
    pub(super) tabs: Tabs,
    pub(super) vision: vision::Client,
    pub(super) secrets: Secrets,
}

/// What a context shall hold besides url, title and ready state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContextOptions {
    /// The indexed elements.
    pub elements: bool,
    /// The accessibility tree.
    pub accessibility: bool,
    /// Most elements listed; else as many as are comfortably read.
    pub limit: Option<u32>,
    /// Reads on in the elements.
    pub more: Option<String>,
    /// Reads on in the accessibility tree.
    pub accessibility_more: Option<String>,
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
    /// The session's tabs, in the order in which they were opened.
    pub tabs: Vec<TabInfo>,
    /// The indexed elements, when asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    pub elements: Option<ElementList>,
    /// The accessibility tree, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub accessibility: Option<Vec<serde_json::Value>>,
    /// How many nodes the tree has, listed or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accessibility_total: Option<u64>,
    /// Reads on in the tree, as `?accessibility_more=`; null at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub accessibility_more: Option<Option<String>>,
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
        let order = Order::new(CancellationToken::new());
        self.act_on(order, action).await
    }

    /// Performs an action that its caller may cancel: it ends in the browser too, as `cancelled`.
    /// A caller that only stops waiting does not cancel.
    pub async fn act_on(&self, order: Order, action: ActionRequest) -> Result<ActionResult, Error> {
        let (reply, answer) = oneshot::channel();
        let full = |_| {
            Error::exhausted("too many requests wait for this session").hint("Wait, then retry.")
        };
        self.requests
            .try_send(Request::Act {
                order,
                action,
                reply,
            })
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

    /// Ends the session; returns when everything is put away.
    pub async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.requests.send(Request::Close { reply }).await.is_ok() {
            // An actor that is gone has put everything away already.
            let _ = answer.await;
        }
    }

    /// The page as an agent needs it. While the next document is awaited, the browser answers no
    /// question about this one; what is known is told then.
    pub async fn context(&self, options: ContextOptions) -> Result<PageContext, Error> {
        self.must_have_browser()?;
        let page = self.tabs.present().await;
        match self.context_of(&page, options.clone()).await {
            // The tab was closed under the question.
            Err(error) if error.kind == ErrorKind::Unavailable && page.is_going().await => {
                self.context_of(&self.tabs.present().await, options).await
            }
            answer => answer,
        }
    }

    async fn context_of(&self, page: &Page, options: ContextOptions) -> Result<PageContext, Error> {
        let between = self.between_documents(page, &options);
        tokio::select! {
            biased;
            read = self.read(page, options) => read,
            () = awaiting_document(page) => Ok(between),
        }
    }

    /// What is known of a page that is about to be another.
    fn between_documents(&self, page: &Page, options: &ContextOptions) -> PageContext {
        let record = self.record.borrow();
        let viewport = page.viewport();
        let mut context = PageContext {
            url: page.loading().url,
            title: record.title.clone(),
            ready_state: "loading".to_owned(),
            is_loading: true,
            session_state: record.state,
            state_reason: record.state_reason.clone(),
            livekit: record.livekit,
            scroll: serde_json::Value::Null,
            viewport: serde_json::json!({ "width": viewport.width, "height": viewport.height }),
            cursor: record.cursor,
            tabs: self.tabs.list(),
            elements: options.elements.then(ElementList::default),
            accessibility: options.accessibility.then(Vec::new),
            accessibility_total: options.accessibility.then_some(0),
            accessibility_more: options.accessibility.then_some(None),
        };
        masking::context(&self.secrets, &mut context);
        context
    }

    async fn read(&self, page: &Page, options: ContextOptions) -> Result<PageContext, Error> {
        let elements = match options.elements || options.more.is_some() {
            true => {
                let part = Part {
                    limit: options.limit,
                    more: options.more,
                };
                let list = elements::list(page, &part).await?;
                Some(list.ok_or_else(|| read_anew("more"))?)
            }
            false => None,
        };
        let tree = match options.accessibility || options.accessibility_more.is_some() {
            true => {
                let more = options.accessibility_more.as_deref();
                let tree = accessibility::tree(page, more).await?;
                Some(tree.ok_or_else(|| read_anew("accessibility_more"))?)
            }
            false => None,
        };
        let (nodes, total, more) = tree
            .map(|tree| (tree.nodes, tree.total, tree.more))
            .map_or((None, None, None), |(nodes, total, more)| {
                (Some(nodes), Some(total), Some(more))
            });
        let mut state = page.state().await?;
        let loading = page.loading();
        if state.is_error_page() {
            state.url = loading.url;
        }
        let PageState {
            url,
            title,
            ready_state,
            scroll,
            viewport,
        } = state;
        let is_loading = loading.is_loading || loading.awaits_document;
        let mut tabs = self.tabs.list();
        // What the strip of tabs says comes a moment later.
        if let Some(tab) = tabs.iter_mut().find(|tab| tab.tab == page.tab()) {
            (tab.url, tab.title) = (url.clone(), title.clone());
        }
        let record = self.record();
        let mut context = PageContext {
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
            tabs,
            elements,
            accessibility: nodes,
            accessibility_total: total,
            accessibility_more: more,
        };
        masking::context(&self.secrets, &mut context);
        Ok(context)
    }

    /// A screenshot in a picture file format.
    pub async fn screenshot(
        &self,
        format: Format,
        quality: Option<u8>,
        full_page: bool,
    ) -> Result<Vec<u8>, Error> {
        self.must_have_browser()?;
        let page = self.tabs.present().await;
        Ok(screenshot::screenshot(&page, format, quality, full_page).await?)
    }

    /// A screenshot on which every element that is in the picture has its box and its index; with
    /// the list of them.
    pub async fn marked_screenshot(
        &self,
        output: marks::Output,
        full_page: bool,
    ) -> Result<(Vec<u8>, ElementList), Error> {
        self.must_have_browser()?;
        let part = Part {
            limit: Some(if full_page {
                FULL_PAGE_MARKS_MAX
            } else {
                MARKS_MAX
            }),
            more: None,
        };
        let page = self.tabs.present().await;
        let list = elements::list(&page, &part).await?;
        let mut list = list.ok_or_else(|| Error::internal("a fresh list is no older page's"))?;
        if !full_page {
            list.elements
                .retain(|element| element["in_viewport"] == serde_json::Value::Bool(true));
            list.more = None;
        }
        let offset = match full_page {
            true => page.state().await?.scroll,
            false => serde_json::Value::Null,
        };
        let marked = list
            .elements
            .iter()
            .filter_map(|element| mark(element, &offset))
            .collect::<Vec<_>>();
        let png = screenshot::screenshot(&page, Format::Png, None, full_page).await?;
        let drawing = move || marks::draw(&png, &marked, output);
        let drawn = tokio::task::spawn_blocking(drawing)
            .await
            .map_err(|error| Error::internal("the marks could not be drawn").source(error))?;
        let picture = drawn.map_err(|error| {
            Error::internal("the marks could not be drawn")
                .hint("Try without marks.")
                .source(error)
        })?;
        masking::elements(&self.secrets, &mut list);
        Ok((picture, list))
    }

    /// Asks the configured model about the page as it looks, by wish with numbered boxes.
    pub async fn analyze(&self, question: &str, is_marked: bool) -> Result<Analysis, Error> {
        self.vision.check(question)?;
        let bytes = match is_marked {
            true => self.marked_screenshot(marks::Output::Png, false).await?.0,
            false => self.screenshot(Format::Png, None, false).await?,
        };
        let picture = vision::Picture {
            bytes,
            media_type: Format::Png.media_type(),
            is_marked,
        };
        let mut analysis = self.vision.ask(question, &picture).await?;
        self.secrets.mask_text(&mut analysis.answer);
        Ok(analysis)
    }

    fn must_have_browser(&self) -> Result<(), Error> {
        if self.record.borrow().state.is_dead() {
            return Err(crate::browser::Error::Gone.into());
        }
        Ok(())
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

/// The mark of a listed element, on a picture whose corner is at the page's corner when `offset` is
/// how far the page is scrolled.
fn mark(element: &serde_json::Value, offset: &serde_json::Value) -> Option<marks::Mark> {
    let area = &element["box"];
    // Far beyond any picture, and near enough to be added up.
    let whole = |px: f64| px.round().clamp(-1e6, 1e6) as i32;
    let px = |name: &str| area[name].as_f64().map(whole);
    let shift = |name: &str| whole(offset[name].as_f64().unwrap_or(0.0));
    Some(marks::Mark {
        number: element["index"].as_u64()?,
        area: marks::Area {
            x: px("x")? + shift("x"),
            y: px("y")? + shift("y"),
            width: px("width")?,
            height: px("height")?,
        },
    })
}

/// Returns once a document has been awaited for a while.
async fn awaiting_document(page: &Page) {
    let mut loading = page.watch_loading();
    loop {
        if loading
            .wait_for(|loading| loading.awaits_document)
            .await
            .is_err()
        {
            return std::future::pending().await;
        }
        let comes = loading.wait_for(|loading| !loading.awaits_document);
        if tokio::time::timeout(DOCUMENT_PATIENCE, comes)
            .await
            .is_err()
        {
            return;
        }
    }
}

/// A cursor that points into a list that is no more.
fn read_anew(parameter: &str) -> Error {
    Error::invalid_input(format!(
        "stale_element: \"{parameter}\" belongs to an older state of the page"
    ))
    .hint(format!(
        "Get the context without {parameter}, and use the indices and the cursor that come with it."
    ))
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
        action_id: String::new(),
        correction_of: None,
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
