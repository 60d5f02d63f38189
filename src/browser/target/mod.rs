//! One page (tab) of a session: prepared, and listened to.
//!
//! A listener task owns the page's event streams. It folds them into [`Loading`], which anybody
//! can wait on, and passes on what subscribers shall hear as [`PageEvent`]s.

mod direct;
mod first;
mod listen;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chromiumoxide::Page as CdpPage;
use chromiumoxide::cdp::browser_protocol::emulation::SetDeviceMetricsOverrideParams;
use chromiumoxide::cdp::browser_protocol::page::{BringToFrontParams, FrameId, StopLoadingParams};
use futures::future::join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::accessibility::Told;
use super::error::Error;
use super::loading::Loading;
use super::tabs::{Ground, TabEvent};
use super::world::World;
use crate::model::Size;
use crate::model::event::DomChange;

pub(super) use self::listen::cut;

/// Longest wait for one answer of a page.
pub(super) const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// Chromium may refuse what was asked of a page a moment before it says that the page is gone.
const GOING_WITHIN: Duration = Duration::from_millis(300);
/// Longest wait for a page to come to the front; its video is not kept waiting by one that hangs.
const FRONT_WITHIN: Duration = Duration::from_millis(500);
/// Actions follow one another, so more than one rarely asks at once.
const MARKS_MAX: usize = 4;

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
    /// The page opened a dialog; it is answered at once.
    Dialog {
        /// `alert`, `confirm`, `prompt` or `beforeunload`.
        kind: String,
        /// The dialog's text.
        message: String,
    },
    /// The page has another title.
    Titled(String),
    /// The page's renderer crashed.
    Crashed,
    /// The session now has this many pages.
    PageCount(u32),
    /// Another page may be the current one.
    Shown {
        /// Whether its URL is news; not when the page is about to go somewhere.
        is_news: bool,
    },
}

/// The facts of a page at one moment (REQUIREMENTS A21).
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
    cdp: CdpPage,
    debugger: SocketAddr,
    world: World,
    viewport: Size,
    loading: watch::Receiver<Loading>,
    marks: mpsc::Sender<listen::Mark>,
    /// Whose elements were last listed, of all pages of the session.
    listed: Arc<Mutex<Option<Listed>>>,
    /// The accessibility tree that is being read.
    tree: Mutex<Option<Arc<Told>>>,
    stop: CancellationToken,
}

/// A document whose elements somebody has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    tab: u32,
    document: u64,
}

/// A page that is ready, and not listened to yet.
pub(super) struct Prepared {
    pub(super) page: Page,
    listener: listen::Listener,
    streams: listen::Streams,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Page {
    /// Makes a page of a target: ours from its beginning, or one that a page opened and that may
    /// have loaded already.
    pub(super) async fn prepare(
        ground: &Ground,
        tab: u32,
        cdp: CdpPage,
        is_popup: bool,
    ) -> Result<Prepared, Error> {
        const OPERATION: &str = "prepare a page";
        let preparing = Self::prepared(ground, tab, cdp, is_popup);
        timeout(COMMAND_TIMEOUT, preparing)
            .await
            .map_err(|_| Error::Timeout {
                operation: OPERATION,
            })?
    }

    async fn prepared(
        ground: &Ground,
        tab: u32,
        cdp: CdpPage,
        is_popup: bool,
    ) -> Result<Prepared, Error> {
        let frame = FrameId::new(cdp.target_id().inner().clone());
        let streams = listen::Streams::subscribe(&cdp).await?;
        if is_popup {
            first::enable(&cdp).await?;
        }
        let viewport = ground.viewport;
        let metrics = SetDeviceMetricsOverrideParams::new(
            i64::from(viewport.width),
            i64::from(viewport.height),
            1.0,
            false,
        );
        cdp.execute(metrics)
            .await
            .map_err(Error::command("set the viewport"))?;
        let world = World::install(&cdp, frame.clone()).await?;
        let first = match is_popup {
            true => first::First::read(&cdp, &world).await?,
            false => first::First::blank(),
        };
        let (loading_sender, loading) = watch::channel(first.loading());
        let (marks, asked) = mpsc::channel(MARKS_MAX);
        let listener =
            listen::Listener::new(ground, tab, cdp.clone(), first, loading_sender, asked);
        let page = Self {
            inner: Arc::new(Inner {
                tab,
                cdp,
                debugger: ground.debugger,
                world,
                viewport,
                loading,
                marks,
                listed: Arc::clone(&ground.listed),
                tree: Mutex::default(),
                stop: ground.stop.child_token(),
            }),
        };
        Ok(Prepared {
            page,
            listener,
            streams,
        })
    }

    /// Names the page among those of its session.
    pub fn tab(&self) -> u32 {
        self.inner.tab
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
        // A page that does not answer is shown as it is.
        let _ = timeout(
            FRONT_WITHIN,
            self.cdp().execute(BringToFrontParams::default()),
        )
        .await;
    }

    /// The viewport, CSS px.
    pub fn viewport(&self) -> Size {
        self.inner.viewport
    }

    /// The loading state at this moment.
    pub fn loading(&self) -> Loading {
        self.inner.loading.borrow().clone()
    }

    /// The loading state, to wait on.
    pub fn watch_loading(&self) -> watch::Receiver<Loading> {
        self.inner.loading.clone()
    }

    /// Returns when the loading state holds all that Chromium told before this call, or cannot.
    pub(super) async fn catch_up(&self) {
        // chromiumoxide completes a command before it hands on the events that came before its
        // answer, and does that by its next turn: the second question is taken up after that turn,
        // unless the page's other commands crowd both into one.
        for _ in 0..2 {
            let _ = self.cdp().url().await;
        }
        let (mark, passed) = oneshot::channel();
        if self.inner.marks.send(mark).await.is_ok() {
            let _ = passed.await;
        }
    }

    /// URL, title, ready state, scroll offsets and viewport.
    pub async fn state(&self) -> Result<PageState, Error> {
        self.evaluate("__ghostcast.state()").await
    }

    /// Asks for a URL. Returns when its document is committed or has failed; how it went is told
    /// by [`Self::watch_loading`].
    pub(super) async fn navigate(&self, url: &str) -> Result<(), Error> {
        direct::navigate(self.inner.debugger, self.cdp().target_id().inner(), url).await
    }

    /// Stops whatever the page loads.
    pub async fn stop_loading(&self) {
        // Nothing is lost when a page that does not answer cannot be stopped either.
        let _ = timeout(
            COMMAND_TIMEOUT,
            self.cdp().execute(StopLoadingParams::default()),
        )
        .await;
    }

    /// Evaluates an expression in our world of the main frame; tries once more when the document
    /// was replaced meanwhile.
    pub(super) async fn evaluate<T: DeserializeOwned>(&self, expression: &str) -> Result<T, Error> {
        let document = self.inner.loading.borrow().committed;
        match self.evaluate_once(document, expression).await {
            Err(error) if error.is_stale_context() => {
                let document = self.inner.loading.borrow().committed;
                self.evaluate_once(document, expression).await
            }
            outcome => outcome,
        }
    }

    async fn evaluate_once<T: DeserializeOwned>(
        &self,
        document: u64,
        expression: &str,
    ) -> Result<T, Error> {
        let run = self.inner.world.evaluate(self.cdp(), document, expression);
        timeout(COMMAND_TIMEOUT, run)
            .await
            .map_err(|_| Error::Timeout {
                operation: "run our script in the page",
            })?
    }

    /// Chromium's numbers of the nodes in the list that an expression makes.
    pub(super) async fn node_ids(&self, expression: &str) -> Result<Vec<Option<i64>>, Error> {
        let document = self.inner.loading.borrow().committed;
        let asking = self.inner.world.node_ids(self.cdp(), document, expression);
        timeout(COMMAND_TIMEOUT, asking)
            .await
            .map_err(|_| Error::Timeout {
                operation: "tell nodes apart",
            })?
    }

    /// Hands the shadow roots around some nodes to our scripts. One that is gone meanwhile is no
    /// loss.
    pub(super) async fn adopt(&self, nodes: &[i64]) -> Result<(), Error> {
        const NODES_MAX: usize = 300;
        let document = self.inner.loading.borrow().committed;
        let adopting = nodes
            .iter()
            .take(NODES_MAX)
            .map(|node| self.inner.world.adopt(self.cdp(), document, *node));
        timeout(COMMAND_TIMEOUT, join_all(adopting))
            .await
            .map_err(|_| Error::Timeout {
                operation: "open shadow roots",
            })?;
        Ok(())
    }

    /// The accessibility tree that is being read.
    pub(super) fn kept_tree(&self) -> MutexGuard<'_, Option<Arc<Told>>> {
        let tree = self.inner.tree.lock();
        tree.unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the elements of the current document are listed.
    pub(super) fn note_listed(&self) {
        *self.listed() = Some(Listed {
            tab: self.tab(),
            document: self.loading().committed,
        });
    }

    /// How an index is to be understood, for our scripts: a list may be made for it unless the
    /// caller has seen the elements of another document, whose indices it would mean; and a list
    /// that is there does not count when those of another tab were seen since.
    pub(super) fn index_rule(&self) -> &'static str {
        match *self.listed() {
            Some(listed) if listed.tab != self.tab() => "{build: false, version: -1}",
            Some(listed) if listed.document != self.loading().committed => "{build: false}",
            _ => "{build: true}",
        }
    }

    fn listed(&self) -> MutexGuard<'_, Option<Listed>> {
        let listed = self.inner.listed.lock();
        listed.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn cdp(&self) -> &CdpPage {
        &self.inner.cdp
    }
}

impl Prepared {
    /// Listens to the page from now on, and hears what it did since it was prepared.
    pub(super) fn listen(self, ground: &Ground) -> Page {
        let Self {
            page,
            listener,
            streams,
        } = self;
        let stopped = page.inner.stop.clone();
        let (gone, target) = (ground.gone.clone(), page.cdp().target_id().inner().clone());
        ground.tracker.spawn(
            async move {
                tokio::select! {
                    () = stopped.cancelled() => (),
                    () = listener.run(streams) => {
                        // A session that has ended has no tabs to keep.
                        let _ = gone.send(target).await;
                    }
                }
            }
            .in_current_span(),
        );
        page
    }
}
