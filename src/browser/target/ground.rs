//! What the pages of one session are made on, and what they tell.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::emulation::{
    SetDeviceMetricsOverrideParams, SetFocusEmulationEnabledParams, SetTouchEmulationEnabledParams,
};
use chromiumoxide_cdp::cdp::browser_protocol::page::BringToFrontParams;
use chromiumoxide_cdp::cdp::browser_protocol::target::{
    AttachToTargetParams, CloseTargetParams, CreateTargetParams, DetachFromTargetParams, TargetId,
};
use chromiumoxide_cdp::cdp::js_protocol::runtime::EvaluateParams;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::cdp::Session;
use super::super::error::Error;
use super::super::host::Lease;
use super::super::host::process::Process;
use super::super::told::Told;
use super::PageEvent;
use super::clipboard::Clipboard;
use super::downloads::Downloads;
use super::offers::Offers;
use crate::display::{Claim, Display, Window};
use crate::model::outcome::DialogPolicy;
use crate::model::{Device, Size};

/// Fingers that a page that is shown as on a phone may be touched by.
const TOUCH_POINTS: i64 = 5;

/// What subscribers shall hear of a tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TabEvent {
    /// The tab.
    pub tab: u32,
    /// What it does.
    pub event: PageEvent,
}

/// A window is there within this time, on a busy machine.
const WINDOW_WITHIN: Duration = Duration::from_secs(5);

/// A target that is to become a page.
#[derive(Debug)]
pub(in crate::browser) struct Made {
    /// Chromium's name of it.
    pub(in crate::browser) target: TargetId,
    /// Whether a page has opened it, so that it may have loaded already.
    pub(in crate::browser) is_popup: bool,
    /// What it is drawn to, where it has a window of its own.
    pub(in crate::browser) window: Option<Arc<Window>>,
}

impl Made {
    /// One that a page has opened.
    pub(in crate::browser) fn by_page(target: TargetId) -> Self {
        Self {
            target,
            is_popup: true,
            window: None,
        }
    }
}

/// What the pages of one session are made on.
#[derive(Debug)]
pub(in crate::browser) struct Ground {
    process: Weak<Process>,
    pub(in crate::browser) context: String,
    pub(in crate::browser) viewport: Size,
    /// Whether that is a phone's.
    pub(in crate::browser) is_mobile: bool,
    pub(in crate::browser) events: mpsc::Sender<TabEvent>,
    pub(in crate::browser) tracker: TaskTracker,
    pub(in crate::browser) stop: CancellationToken,
    /// What becomes of dialogs.
    pub(in crate::browser) dialogs: DialogPolicy,
    /// Counts the documents of all frames of all pages.
    pub(in crate::browser) documents: Arc<AtomicU64>,
    /// What has been told of the session's pages.
    pub(in crate::browser) told: Arc<Told>,
    /// What its pages have copied.
    pub(in crate::browser) clipboard: Arc<Clipboard>,
    pub(in crate::browser) downloads: Arc<Downloads>,
    /// What they ask a person to choose from.
    pub(in crate::browser) offers: Arc<Offers>,
    /// Where files lie that are uploaded to pages; none where the browser would not find them.
    pub(in crate::browser) uploads: Option<PathBuf>,
}

/// How a page comes to have the focus. In a browser without windows each has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Focus {
    /// It has it.
    Own,
    /// By the window that is its own; its frames hear of it from the page. Nothing is pretended: a page whose focus is
    /// draws by Chromium's own clock, however seldom its window is to draw.
    Window,
    /// It shares a window with others, and is told that it has it; so is each frame in a process of its own, which hears
    /// nothing of what its page is told.
    Pretended,
}

impl Focus {
    /// Tells a frame in a process of its own.
    pub(super) async fn give_to_frame(self, session: &Session) -> Result<(), Error> {
        match self {
            Self::Own | Self::Window => Ok(()),
            Self::Pretended => pretend(session).await,
        }
    }

    /// Gives it to a page.
    async fn give(self, session: &Session) -> Result<(), Error> {
        match self {
            Self::Own => Ok(()),
            // Else the address bar has it, though nobody sees one.
            Self::Window => {
                let front = BringToFrontParams::default();
                session.execute("give a page the focus", front).await?;
                Ok(())
            }
            Self::Pretended => pretend(session).await,
        }
    }
}

async fn pretend(session: &Session) -> Result<(), Error> {
    let focused = SetFocusEmulationEnabledParams::new(true);
    session.execute("give a page the focus", focused).await?;
    Ok(())
}

impl Ground {
    /// What pages in the lease's context are made on; they report to `events`.
    pub(in crate::browser) fn new(
        lease: &Lease,
        device: Device,
        dialogs: DialogPolicy,
        events: mpsc::Sender<TabEvent>,
        tracker: &TaskTracker,
    ) -> Self {
        Self {
            process: Arc::downgrade(&lease.process),
            context: lease.context.clone(),
            viewport: device.size,
            is_mobile: device.is_mobile,
            events,
            tracker: tracker.clone(),
            stop: CancellationToken::new(),
            dialogs,
            documents: Arc::default(),
            told: Arc::default(),
            clipboard: Arc::default(),
            offers: Arc::default(),
            downloads: Arc::new(Downloads::new(lease.downloads(), &lease.context)),
            uploads: lease.uploads(),
        }
    }

    /// The session's browser.
    pub(in crate::browser) fn process(&self) -> Result<Arc<Process>, Error> {
        self.process.upgrade().ok_or(Error::Gone)
    }

    /// Longest wait for one answer of the browser.
    pub(in crate::browser) fn patience(&self) -> Result<Duration, Error> {
        Ok(self.process()?.browser().patience())
    }

    /// How a page comes to have the focus.
    pub(super) fn focus(&self, made: &Made) -> Focus {
        let process = self.process.upgrade();
        let has_windows = process.is_some_and(|process| process.display().is_some());
        match (has_windows, &made.window) {
            (false, _) => Focus::Own,
            (true, Some(_)) => Focus::Window,
            (true, None) => Focus::Pretended,
        }
    }

    /// Shows a page at its size; as on a phone, it is told that it is touched. The name of the browser stays what it is:
    /// sites take a login for that of the browser that made it.
    pub(super) async fn fit(&self, session: &Session, focus: Focus) -> Result<(), Error> {
        focus.give(session).await?;
        let metrics = SetDeviceMetricsOverrideParams::new(
            i64::from(self.viewport.width),
            i64::from(self.viewport.height),
            1.0,
            self.is_mobile,
        );
        session.execute("set the viewport", metrics).await?;
        if self.is_mobile {
            let mut touch = SetTouchEmulationEnabledParams::new(true);
            touch.max_touch_points = Some(TOUCH_POINTS);
            session.execute("tell a page of touch", touch).await?;
        }
        Ok(())
    }

    /// Opens an empty page in the session's context.
    pub(in crate::browser) async fn create(&self) -> Result<Made, Error> {
        let process = self.process()?;
        let made = match process.display() {
            None => Made {
                target: self.create_target(&process, false).await?,
                is_popup: false,
                window: None,
            },
            // Its windows are seen by nobody.
            Some(_) if process.has_failed_display() => Made {
                target: self.create_target(&process, true).await?,
                is_popup: false,
                window: None,
            },
            Some(display) => {
                // One at a time: whatever window comes meanwhile is this one or none of ours.
                let display = display.lock().await;
                self.create_window(&process, &display).await?
            }
        };
        process.fenced(&self.context, made.target.inner()).await?;
        Ok(made)
    }

    /// Opens an empty page in a window of its own, which is told by a title that nobody else knows.
    async fn create_window(&self, process: &Process, display: &Display) -> Result<Made, Error> {
        let token = uuid::Uuid::new_v4().simple().to_string();
        let claim = display.claim(&token, self.viewport, 1.0);
        let target = self.create_target(process, true).await?;
        match Self::find_window(process, &target, claim, &token).await {
            Ok(window) => Ok(Made {
                target,
                is_popup: false,
                window: Some(window),
            }),
            Err(error) => {
                // Else it would be taken for a page that a page has opened.
                let _ = self.close(target.inner()).await;
                Err(error)
            }
        }
    }

    /// The window in which an empty page is shown.
    async fn find_window(
        process: &Process,
        target: &TargetId,
        claim: Claim,
        token: &str,
    ) -> Result<Arc<Window>, Error> {
        const OPERATION: &str = "find the window of a page";
        let attach = AttachToTargetParams::builder()
            .target_id(target.clone())
            .flatten(true)
            .build()
            .map_err(Error::builder(OPERATION))?;
        let attached = process.browser().execute(OPERATION, attach).await?;
        let (session, _stream) = process.cdp.session(attached.session_id.inner());
        let titled = |title: &str| EvaluateParams::new(format!("document.title = '{title}'"));
        session.execute(OPERATION, titled(token)).await?;
        let window = timeout(WINDOW_WITHIN, claim.window()).await;
        session.execute(OPERATION, titled("")).await?;
        let detach = DetachFromTargetParams::builder()
            .session_id(attached.session_id.clone())
            .build();
        process.browser().execute(OPERATION, detach).await?;
        let missing = |source| Error::WindowMissing { source };
        let window = window.map_err(|late| missing(late.into()))?;
        window.map_err(|error| missing(error.into()))
    }

    async fn create_target(&self, process: &Process, in_window: bool) -> Result<TargetId, Error> {
        const OPERATION: &str = "open a page";
        let mut target = CreateTargetParams::builder()
            .url("about:blank")
            .browser_context_id(self.context.clone())
            .width(i64::from(self.viewport.width))
            .height(i64::from(self.viewport.height));
        if in_window {
            target = target.new_window(true);
        }
        let target = target.build().map_err(Error::builder(OPERATION))?;
        let created = process.browser().execute(OPERATION, target).await?;
        Ok(created.target_id)
    }

    /// Closes a page, however it is.
    pub(in crate::browser) async fn close(&self, target: &str) -> Result<(), Error> {
        let close = CloseTargetParams::new(target.to_owned());
        let browser = self.process()?.browser();
        browser.execute("close a page", close).await?;
        Ok(())
    }
}
