//! One page (tab) of a session: prepared, and listened to.
//!
//! A listener task owns the page's event streams. It folds them into [`Loading`], which anybody
//! can wait on, and passes on what subscribers shall hear as [`PageEvent`]s.

mod clipboard;
mod dialogs;
pub mod downloads;
mod first;
pub(super) mod frames;
mod ground;
mod listen;
pub mod loading;
pub mod offers;
mod permissions;
pub mod script;
mod shared;
mod world;
mod zoom;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chromiumoxide_cdp::cdp::browser_protocol::page::{
    BringToFrontParams, FrameId, NavigateParams, NavigateReturns, StopLoadingParams,
};
use chromiumoxide_cdp::cdp::browser_protocol::target::{
    AttachToTargetParams, FilterEntry, SetAutoAttachParams, TargetFilter,
};
use chromiumoxide_cdp::cdp::browser_protocol::{inspector, network, page as page_domain};
use chromiumoxide_cdp::cdp::js_protocol::runtime;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::clipboard::Clipboard;
pub use self::dialogs::Opened;
pub use self::downloads::Downloads;
pub(super) use self::frames::Frame;
use self::frames::Frames;
pub use self::ground::TabEvent;
pub(super) use self::ground::{Ground, Made};
use self::loading::{Failure, Loading};
use self::offers::Offers;
use self::shared::Shared;
use super::cdp::{Session, Stream};
use super::error::Error;
use super::text::shown;
use super::told::Told;
pub use crate::display::Lost;
use crate::display::Window;
use crate::model::Size;
use crate::model::event::DomChange;
use crate::model::offer::PermissionAsked;
use crate::model::outcome::{DialogInfo, DownloadInfo, HandledBy};

/// Chromium may refuse what was asked of a page a moment before it says that the page is gone.
const GOING_WITHIN: Duration = Duration::from_millis(300);
/// Longest wait for a page to come to the front; its video is not kept waiting by one that hangs.
const FRONT_WITHIN: Duration = Duration::from_millis(500);
/// What a document said of itself holds for so long.
const SAID_WITHIN: Duration = Duration::from_millis(20);
/// Actions follow one another, so more than one rarely asks at once.
const MARKS_MAX: usize = 4;
/// How long Chromium's page for a failed document takes to be there, on a busy machine.
const FAILURE_WITHIN: Duration = Duration::from_secs(5);
const FAILURE_PAUSE: Duration = Duration::from_millis(50);

/// What subscribers shall hear of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageEvent {
    /// The page went to another URL.
    Navigated {
        /// The new URL.
        url: String,
    },
    /// The page finished loading.
    Loaded {
        /// Its URL.
        url: String,
    },
    /// The page's content changed.
    Dom(DomChange),
    /// The page wrote to its console.
    Console {
        /// `log`, `warning`, `error` …
        level: String,
        /// The text.
        text: String,
    },
    /// The page opened a dialog.
    Dialog(DialogInfo),
    /// A dialog was dismissed because nobody answered it.
    DialogLeft(DialogInfo),
    /// The page has asked the person who drives for permission.
    Permission(PermissionAsked),
    /// A page's download began or ended.
    Download(DownloadInfo),
    /// The page has another title.
    Titled(String),
    /// A document could not be loaded, and Chromium's own page stands in its place.
    Failed(Failure),
    /// The page's renderer crashed.
    Crashed,
    /// The session has another number of pages.
    PageCount,
    /// Another page may be the current one.
    Shown {
        /// Whether its URL is news; not when the page is about to go somewhere.
        is_news: bool,
    },
}

/// The facts of a page at one moment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PageState {
    /// The document's URL.
    pub url: String,
    /// The document's title.
    pub title: String,
    /// `loading`, `interactive` or `complete`.
    pub ready_state: String,
    /// Scroll offsets and their ends, CSS px.
    pub scroll: serde_json::Value,
    /// The viewport, CSS px.
    pub viewport: serde_json::Value,
}

impl PageState {
    /// Whether this is Chromium's own page, which stands for a document that could not be loaded.
    pub fn is_error_page(&self) -> bool {
        self.url.starts_with("chrome-error:")
    }
}

/// An open page.
#[derive(Debug, Clone)]
pub struct Page {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tab: u32,
    session: Session,
    shared: Arc<Shared>,
    told: Arc<Told>,
    clipboard: Arc<Clipboard>,
    offers: Arc<Offers>,
    uploads: Option<PathBuf>,
    viewport: Size,
    loading: watch::Receiver<Loading>,
    marks: mpsc::Sender<listen::Mark>,
    said: Mutex<Option<Said>>,
    stop: CancellationToken,
}

/// What a document has said of itself.
#[derive(Debug)]
struct Said {
    at: Instant,
    document: u64,
    state: PageState,
}

/// A page that is ready, and not listened to yet.
pub(super) struct Prepared {
    pub(super) page: Page,
    listener: listen::Listener,
    stream: Stream,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Prepares a session, of a page or of a frame in another process, before its documents run: our
/// scripts, the events that are listened to, and the frames below it.
async fn prepare(session: &Session) -> Result<(), Error> {
    const OPERATION: &str = "prepare a page";
    let frames_only = TargetFilter::new(vec![
        FilterEntry::builder()
            .r#type("iframe")
            .exclude(false)
            .build(),
        FilterEntry::builder().exclude(true).build(),
    ]);
    let attach = SetAutoAttachParams::builder()
        .auto_attach(true)
        // Chromium would hold workers as well, which this filter leaves to nobody.
        .wait_for_debugger_on_start(false)
        .flatten(true)
        .filter(frames_only)
        .build()
        .map_err(Error::builder(OPERATION))?;
    // Sent in this order, without waiting for each answer.
    let (enabled, heard, network, crashes, attached, installed) = tokio::join!(
        session.execute(OPERATION, page_domain::EnableParams::default()),
        session.execute(OPERATION, runtime::EnableParams::default()),
        session.execute(OPERATION, network::EnableParams::default()),
        session.execute(OPERATION, inspector::EnableParams::default()),
        session.execute(OPERATION, attach),
        world::install(session),
    );
    enabled?;
    heard?;
    network?;
    crashes?;
    attached?;
    installed
}

/// Prepares a frame in a process of its own, and lets it run should it wait for us.
async fn join(session: &Session, shared: &Shared, is_waiting: bool) -> Result<(), Error> {
    let mut prepared = prepare(session).await;
    if prepared.is_ok() {
        prepared = shared.welcome(session).await;
    }
    if is_waiting {
        let run = runtime::RunIfWaitingForDebuggerParams::default();
        session.execute("let a frame run", run).await?;
    }
    prepared
}

impl Page {
    /// Makes a page of a target: ours from its beginning, or one that a page opened and that may
    /// have loaded already.
    pub(super) async fn prepare(ground: &Ground, tab: u32, made: Made) -> Result<Prepared, Error> {
        const OPERATION: &str = "prepare a page";
        let preparing = Self::prepared(ground, tab, made);
        timeout(ground.patience()?, preparing)
            .await
            .map_err(|_| Error::Timeout {
                operation: OPERATION,
            })?
    }

    async fn prepared(ground: &Ground, tab: u32, made: Made) -> Result<Prepared, Error> {
        let target = &made.target;
        let process = ground.process()?;
        let attach = AttachToTargetParams::builder()
            .target_id(target.clone())
            .flatten(true)
            .build()
            .map_err(Error::builder("attach to a page"))?;
        let attached = process
            .browser()
            .execute("attach to a page", attach)
            .await?;
        let (session, stream) = process.cdp.session(attached.session_id.inner());
        let viewport = ground.viewport;
        let fitting = ground.fit(&session, ground.focus(&made));
        let (prepared, fitted) = tokio::join!(prepare(&session), fitting);
        prepared?;
        fitted?;
        let mut frames = Frames::default();
        frames.attach(&FrameId::new(target.inner().clone()), None);
        let first = match made.is_popup {
            true => first::First::read(&session, &mut frames).await?,
            false => first::First::blank(),
        };
        let shared = Arc::new(Shared::new(&made, frames, ground));
        let (loading_sender, loading) = watch::channel(first.loading());
        let (marks, asked) = mpsc::channel(MARKS_MAX);
        let listener = listen::Listener::new(
            ground,
            tab,
            session.clone(),
            Arc::clone(&shared),
            first,
            loading_sender,
            asked,
        );
        let page = Self {
            inner: Arc::new(Inner {
                tab,
                session,
                shared,
                told: Arc::clone(&ground.told),
                clipboard: Arc::clone(&ground.clipboard),
                offers: Arc::clone(&ground.offers),
                uploads: ground.uploads.clone(),
                viewport,
                loading,
                marks,
                said: Mutex::default(),
                stop: ground.stop.child_token(),
            }),
        };
        Ok(Prepared {
            page,
            listener,
            stream,
        })
    }

    /// Names the page among those of its session.
    pub fn tab(&self) -> u32 {
        self.inner.tab
    }

    /// Chromium's name of it.
    pub(super) fn target(&self) -> &str {
        &self.inner.shared.target
    }

    /// What the session's pages have copied.
    pub(super) fn clipboard(&self) -> &Clipboard {
        &self.inner.clipboard
    }

    /// Where files lie that are uploaded to the session's pages; none where the browser is far away.
    pub(super) fn uploads(&self) -> Option<&Path> {
        self.inner.uploads.as_deref()
    }

    /// What has been told of the session's pages.
    pub(super) fn told(&self) -> &Told {
        &self.inner.told
    }

    /// The page's CDP session. Input goes here: Chromium passes it on to frames in other processes.
    pub(super) fn session(&self) -> &Session {
        &self.inner.session
    }

    /// Returns when the page is gone, or its session is.
    pub async fn closed(&self) {
        self.inner.stop.cancelled().await;
    }

    /// Whether the page is gone, or its session is.
    pub fn is_closed(&self) -> bool {
        self.inner.stop.is_cancelled()
    }

    /// Whether the page is gone, or found to be in a moment: what is asked of it may fail first.
    pub async fn is_going(&self) -> bool {
        timeout(GOING_WITHIN, self.closed()).await.is_ok()
    }

    /// Notes that the page is gone.
    pub(super) fn note_closed(&self) {
        self.inner.stop.cancel();
    }

    /// Lets the page be the one that has the focus.
    pub(super) async fn bring_to_front(&self) {
        let front = self
            .session()
            .execute("bring a page to the front", BringToFrontParams::default());
        // A page that does not answer is shown as it is.
        let _ = timeout(FRONT_WITHIN, front).await;
    }

    /// The viewport, CSS px.
    pub fn viewport(&self) -> Size {
        self.inner.viewport
    }

    /// What the page is drawn to, where it has a window of its own.
    pub(super) fn window(&self) -> Option<&Arc<Window>> {
        self.inner.shared.window()
    }

    /// Has it drawn at full rate for a moment, whoever watches: something is done to it.
    pub(super) fn hurry(&self) {
        self.inner.shared.hurry();
    }

    /// The loading state at this moment.
    pub fn loading(&self) -> Loading {
        self.inner.loading.borrow().clone()
    }

    /// The loading state, to wait on.
    pub fn watch_loading(&self) -> watch::Receiver<Loading> {
        self.inner.loading.clone()
    }

    /// Returns when the loading state holds all that Chromium told before this call, or cannot. An
    /// answer of Chromium's comes after the events that it sent before it.
    pub(super) async fn catch_up(&self) {
        let (mark, passed) = oneshot::channel();
        if self.inner.marks.send(mark).await.is_ok() {
            let _ = passed.await;
        }
    }

    /// The page's frames that have a document, the main one first, each after the one that holds it.
    pub(super) fn frames(&self) -> Vec<Frame> {
        let main = FrameId::new(self.target());
        self.inner.shared.frames().all(&main)
    }

    /// Whether this is one of the page's frames.
    pub(super) fn has_frame(&self, id: &str) -> bool {
        self.inner.shared.frames().has(id)
    }

    /// The page's document. Between two documents there is none for a moment, which is waited for.
    pub(super) async fn main_frame(&self) -> Result<Frame, Error> {
        for pause in [1, 5, 20, 50, 100, 0] {
            self.catch_up().await;
            let frame = self.inner.shared.frames().frame(self.target());
            if let Some(frame) = frame {
                return Ok(frame);
            }
            if self.is_closed() {
                return Err(Error::Detached);
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Err(Error::Replaced)
    }

    /// The number of the document that is shown; none between two documents.
    pub fn document(&self) -> Option<u64> {
        let frame = self.inner.shared.frames().frame(self.target());
        frame.map(|frame| frame.document())
    }

    /// URL, title, ready state, scroll offsets and viewport.
    pub async fn state(&self) -> Result<PageState, Error> {
        let mut state: PageState = self.evaluate("__ghostcast.state()").await?;
        state.url = shown(&state.url);
        Ok(state)
    }

    /// Keeps what a document of the page said of itself, and when, for whoever asks next.
    pub(super) fn note_state(&self, document: u64, state: PageState, at: Instant) {
        let said = Said {
            at,
            document,
            state,
        };
        *self
            .inner
            .said
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(said);
    }

    /// As [`Self::state`], without asking when the document has said so a moment ago; told once.
    pub async fn latest_state(&self) -> Result<PageState, Error> {
        let said = self
            .inner
            .said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let document = self.document();
        match said.filter(|said| Some(said.document) == document && said.at.elapsed() < SAID_WITHIN)
        {
            Some(Said { mut state, .. }) => {
                state.url = shown(&state.url);
                Ok(state)
            }
            None => self.state().await,
        }
    }

    /// Asks for a URL. Answers when its document is committed or has failed, with Chromium's word on
    /// how it went.
    pub(super) async fn navigate(&self, url: &str) -> Result<NavigateReturns, Error> {
        let session = self.session();
        session
            .execute_unbounded("navigate", NavigateParams::new(url))
            .await
    }

    /// Writes into Chromium's page for a document that could not be loaded, which is white by itself,
    /// what was asked for and why it is not there. Another page is left alone. That page is told
    /// before it can be written to, so this tries until it is written, or shows something else.
    pub async fn write_failure(&self, failure: u64, url: &str, why: &str) -> Result<(), Error> {
        let arguments = serde_json::json!([url, why]);
        let deadline = Instant::now() + FAILURE_WITHIN;
        loop {
            let frame = self.main_frame().await;
            // The frame is of the document that this is said of, which may be another failure's.
            let shown = self.loading().shown_failure().map(|shown| shown.number);
            if shown != Some(failure) {
                return Ok(());
            }
            let written = match frame {
                Ok(frame) => frame.call("writeFailure", arguments.clone()).await,
                Err(error) => Err(error),
            };
            if matches!(written, Ok(true)) {
                return Ok(());
            }
            if Instant::now() >= deadline || self.is_closed() {
                return Err(written.err().unwrap_or(Error::Replaced));
            }
            tokio::time::sleep(FAILURE_PAUSE).await;
        }
    }

    /// Stops whatever the page loads.
    pub async fn stop_loading(&self) {
        let stop = StopLoadingParams::default();
        // Nothing is lost when a page that does not answer cannot be stopped either.
        let _ = self.session().execute("stop loading", stop).await;
    }

    /// Evaluates an expression in our world of the main frame; tries once more when the document
    /// was replaced meanwhile.
    pub(super) async fn evaluate<T: DeserializeOwned>(&self, expression: &str) -> Result<T, Error> {
        match self.main_frame().await?.evaluate(expression).await {
            Err(Error::Replaced) => self.main_frame().await?.evaluate(expression).await,
            outcome => outcome,
        }
    }

    /// How many windows the page has asked for.
    pub(super) fn windows_asked(&self) -> u64 {
        self.inner.shared.windows.load(Ordering::Relaxed)
    }

    /// The dialog that is open.
    pub fn dialog(&self) -> Option<Opened> {
        self.inner.shared.dialogs.open()
    }

    /// The dialog that is open, to wait on.
    pub fn watch_dialog(&self) -> watch::Receiver<Option<Opened>> {
        self.inner.shared.dialogs.watch()
    }

    /// How many dialogs the page has opened so far.
    pub(super) fn dialogs_count(&self) -> u64 {
        self.inner.shared.dialogs.count()
    }

    /// The dialogs that were opened since there had been so many.
    pub(super) fn dialogs_since(&self, count: u64) -> Vec<DialogInfo> {
        self.inner.shared.dialogs.since(count)
    }

    /// Answers the dialog that is open.
    pub(super) async fn answer_dialog(
        &self,
        opened: &Opened,
        accept: bool,
        text: Option<&str>,
        by: HandledBy,
    ) -> Result<(), Error> {
        let dialogs = &self.inner.shared.dialogs;
        // Its end, which is told, may be heard before the answer's.
        dialogs.note_answer(opened.number, accept, by);
        let answered = dialogs::answer(self.session(), accept, text).await;
        if answered.is_err() {
            dialogs.note_unanswered(opened.number);
        }
        answered
    }
}

impl Prepared {
    /// Listens to the page from now on, and hears what it did since it was prepared.
    pub(super) fn listen(self, ground: &Ground) -> Page {
        let Self {
            page,
            listener,
            stream,
        } = self;
        let stopped = page.inner.stop.clone();
        ground.tracker.spawn(
            async move {
                tokio::select! {
                    () = stopped.cancelled() => (),
                    () = listener.run(stream) => (),
                }
            }
            .in_current_span(),
        );
        page
    }
}
