//! One page (tab) of a session: opened, prepared, and listened to.
//!
//! A listener task owns the page's event streams. It folds them into [`Loading`], which anybody
//! can wait on, and passes on what subscribers shall hear as [`PageEvent`]s.

mod direct;
mod listen;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chromiumoxide::Page as CdpPage;
use chromiumoxide::cdp::browser_protocol::emulation::SetDeviceMetricsOverrideParams;
use chromiumoxide::cdp::browser_protocol::page::{FrameId, StopLoadingParams};
use chromiumoxide::cdp::browser_protocol::target::CreateTargetParams;
use futures::future::join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::accessibility::Told;
use super::error::Error;
use super::loading::Loading;
use super::pool::Lease;
use super::world::World;
use crate::model::Size;
use crate::model::event::DomChange;

/// Longest wait for one answer of a page.
pub(super) const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

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

/// An open page.
#[derive(Debug, Clone)]
pub struct Page {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cdp: CdpPage,
    debugger: SocketAddr,
    world: World,
    viewport: Size,
    loading: watch::Receiver<Loading>,
    /// The document whose elements were last listed, plus one; 0 before the first list.
    listed: AtomicU64,
    /// The accessibility tree that is being read.
    tree: Mutex<Option<Arc<Told>>>,
    stop: CancellationToken,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Page {
    /// Opens a page in the lease's context, and reports to `events`.
    pub async fn open(
        lease: &Lease,
        viewport: Size,
        events: mpsc::Sender<PageEvent>,
        tracker: &TaskTracker,
    ) -> Result<Self, Error> {
        const OPERATION: &str = "open a page";
        let target = CreateTargetParams::builder()
            .url("about:blank")
            .browser_context_id(lease.context.clone())
            .width(i64::from(viewport.width))
            .height(i64::from(viewport.height))
            .build()
            .map_err(Error::builder(OPERATION))?;
        let cdp = timeout(COMMAND_TIMEOUT, lease.process.cdp.new_page(target))
            .await
            .map_err(|_| Error::Timeout {
                operation: OPERATION,
            })?
            .map_err(Error::command(OPERATION))?;
        let frame = FrameId::new(cdp.target_id().inner().clone());
        let streams = listen::Streams::subscribe(&cdp, &lease.process.cdp).await?;
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
        let (loading_sender, loading) = watch::channel(Loading::default());
        let stop = CancellationToken::new();
        let listener = listen::Listener::new(
            cdp.clone(),
            lease.context.clone(),
            frame,
            loading_sender,
            events,
            tracker.clone(),
        );
        let stopped = stop.clone();
        tracker.spawn(
            async move {
                tokio::select! { () = stopped.cancelled() => (), () = listener.run(streams) => () }
            }
            .in_current_span(),
        );
        Ok(Self {
            inner: Arc::new(Inner {
                cdp,
                debugger: lease.process.debugger,
                world,
                viewport,
                loading,
                listed: AtomicU64::new(0),
                tree: Mutex::default(),
                stop,
            }),
        })
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
        self.inner
            .listed
            .store(self.loading().committed + 1, Ordering::Relaxed);
    }

    /// Whether an index may refer to a list that is yet to be made: not when the caller has seen
    /// the elements of an older document, whose indices it would mean.
    pub(super) fn may_build_list(&self) -> bool {
        let listed = self.inner.listed.load(Ordering::Relaxed);
        listed == 0 || listed == self.loading().committed + 1
    }

    pub(super) fn cdp(&self) -> &CdpPage {
        &self.inner.cdp
    }
}
