//! One Chromium process: start, watch over, end.
//!
//! The process is ours: its own process group, its own profile directory, its CDP socket on a
//! free loopback port. A task watches for its exit and probes whether it still answers; whoever
//! uses the process hears of its [`Loss`] by a `watch` channel.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::browser::{
    CloseParams, GetVersionParams, PermissionDescriptor, PermissionSetting,
    SetDownloadBehaviorBehavior, SetDownloadBehaviorParams, SetPermissionParams,
};
use chromiumoxide_cdp::cdp::browser_protocol::target::{
    CreateBrowserContextParams, DisposeBrowserContextParams, SetDiscoverTargetsParams,
};
use futures::future::try_join_all;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::super::cdp::{COMMAND_TIMEOUT, Connection, Session};
use super::super::error::Error;
use super::super::gate::{Judge, OwnAddresses, PROXY_BYPASS_LIST};
use super::begun::{announced, close_first_page, default_context, socket_address};
use super::command::{Home, command, executable, executable_with_windows};
use super::remote::Fence;
use crate::config;
use crate::display::{Display, Health};
use crate::error::BoxError;

/// A browser that is asked to end has written what it keeps within this time.
const LEAVES_WITHIN: Duration = Duration::from_secs(3);

/// What pages ask a person's permission for.
const ASKED_FOR: [&str; 9] = [
    "geolocation",
    "notifications",
    "camera",
    "microphone",
    "clipboard-read",
    "midi",
    "idle-detection",
    "local-fonts",
    "window-management",
];

/// A proxy that is none: the port is one that nothing listens on.
const NOWHERE: &str = "http://127.0.0.1:1";

/// How a browser was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The process ended.
    Crashed,
    /// The process no longer answers.
    Hung,
    /// The connection to a browser that is far away has ended.
    Disconnected,
}

impl Loss {
    /// The text of `browser_error`.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Crashed => "The browser process crashed. Start a new session on this room.",
            Self::Hung => "The browser does not answer. Start a new session on this room.",
            Self::Disconnected => {
                "The connection to the remote browser was lost. Start a new session on this room."
            }
        }
    }
}

/// A running Chromium: a process of this machine, or one that is far away.
#[derive(Debug)]
pub(crate) struct Process {
    pub(in crate::browser) cdp: Connection,
    /// The context that it has by itself.
    default_context: Option<String>,
    /// Its number; it leads a process group of that number. None of one that is far away.
    pid: Option<u32>,
    /// What holds requests of one that is far away.
    fence: OnceLock<Fence>,
    /// What its windows are drawn to, if it has any; held while one is made.
    display: Option<tokio::sync::Mutex<Display>>,
    /// How that is.
    health: Option<Health>,
    /// Set when it is asked to end, so that its end is no loss.
    is_leaving: AtomicBool,
    /// Cancelled when it has ended and its files are cleared away.
    over: CancellationToken,
    loss: watch::Receiver<Option<Loss>>,
    stop: CancellationToken,
}

impl Process {
    /// Starts a process and connects to it.
    pub(crate) async fn launch(
        config: &config::Browser,
        home: Home,
        own: &OwnAddresses,
        tracker: &TaskTracker,
    ) -> Result<Arc<Self>, Error> {
        let path = match &home.display {
            Some(_) => executable_with_windows(&config.executable)?,
            None => executable(&config.executable)?,
        };
        let launch = |source| Error::Launch {
            path: path.display().to_string(),
            source,
        };
        let mut child = command(&path, &home, config)
            .spawn()
            .map_err(|e| launch(e.into()))?;
        let mut unfinished = Unfinished {
            group: group(&child),
            scratch: home.scratch.clone(),
            debugger: None,
            own: own.clone(),
        };
        let url = announced(&mut child, config.launch_timeout(), &path).await?;
        // A page that reached the debugging socket would hold every session of the process.
        let debugger = socket_address(&url).ok_or_else(|| launch(format!("{url}?").into()))?;
        own.add(debugger);
        unfinished.debugger = Some(debugger);
        let span = tracing::info_span!("chromium", pid = child.id());
        let cdp = connect(&url, debugger, tracker)
            .instrument(span.clone())
            .await
            .map_err(launch)?;
        let stop = CancellationToken::new();
        let default_context = match home.display {
            Some(_) => default_context(&cdp.browser()).await,
            None => close_first_page(&cdp.browser()).await,
        };
        let (lost, loss) = watch::channel(None);
        let process = Arc::new(Self {
            cdp,
            default_context,
            pid: child.id(),
            fence: OnceLock::new(),
            health: home.display.as_ref().map(Display::health),
            display: home.display.map(tokio::sync::Mutex::new),
            is_leaving: AtomicBool::new(false),
            over: CancellationToken::new(),
            loss,
            stop,
        });
        let guard = Guard {
            process: Arc::downgrade(&process),
            child,
            scratch: home.scratch,
            debugger,
            own: own.clone(),
            lost,
            stop: process.stop.clone(),
            over: process.over.clone(),
            probe_interval: config.probe_interval(),
            probe_timeout: config.probe_timeout(),
        };
        tracker.spawn(guard.run().instrument(span));
        unfinished.group = None;
        metrics::gauge!("ghostcast_browsers").increment(1.0);
        Ok(process)
    }

    /// A browser that is far away, as one process: watched over by its connection, and probed.
    pub(super) fn attach(
        cdp: Connection,
        probe_interval: Duration,
        tracker: &TaskTracker,
    ) -> Arc<Self> {
        let (lost, loss) = watch::channel(None);
        let process = Arc::new(Self {
            cdp,
            default_context: None,
            pid: None,
            fence: OnceLock::new(),
            display: None,
            health: None,
            is_leaving: AtomicBool::new(false),
            over: CancellationToken::new(),
            loss,
            stop: CancellationToken::new(),
        });
        let watching = watch_far(
            process.cdp.clone(),
            Arc::downgrade(&process),
            probe_interval,
            lost,
            (process.stop.clone(), process.over.clone()),
        );
        tracker.spawn(watching.in_current_span());
        process
    }

    /// Holds what its pages ask for.
    pub(super) fn set_fence(&self, fence: Fence) {
        // There is one at most.
        let _ = self.fence.set(fence);
    }

    /// Has what pages of a context ask for judged, before there are any.
    pub(super) fn enclose(&self, context: &str, judge: Judge) {
        if let Some(fence) = self.fence.get() {
            fence.enclose(context, judge);
        }
    }

    /// Returns when a page of ours is behind the fence of its context, where there is one.
    pub(in crate::browser) async fn fenced(
        &self,
        context: &str,
        target: &str,
    ) -> Result<(), Error> {
        match self.fence.get() {
            Some(fence) => fence.around(context, target).await,
            None => Ok(()),
        }
    }

    /// Tells, now or later, how this process was lost.
    pub(crate) fn loss(&self) -> watch::Receiver<Option<Loss>> {
        self.loss.clone()
    }

    /// Its number, by which it leads its process group.
    pub(super) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// What its windows are drawn to, if it has any; locked while one is made.
    pub(in crate::browser) fn display(&self) -> Option<&tokio::sync::Mutex<Display>> {
        self.display.as_ref()
    }

    /// Whether nothing is seen any more of what it draws to its display.
    pub(in crate::browser) fn has_failed_display(&self) -> bool {
        self.health.as_ref().is_some_and(Health::has_failed)
    }

    /// Whether it still works.
    pub(crate) fn is_alive(&self) -> bool {
        self.loss.borrow().is_none() && !self.stop.is_cancelled()
    }

    /// The browser itself, to be spoken to.
    pub(in crate::browser) fn browser(&self) -> Session {
        self.cdp.browser()
    }

    /// Makes an isolated context, which ends with the connection at the latest. Its traffic goes by `proxy`,
    /// where there is one.
    pub(super) async fn make_context(&self, proxy: Option<&str>) -> Result<String, Error> {
        let mut params = CreateBrowserContextParams::builder().dispose_on_detach(true);
        if let Some(proxy) = proxy {
            params = params
                .proxy_server(proxy)
                .proxy_bypass_list(PROXY_BYPASS_LIST);
        }
        let operation = "create a browser context";
        let answer = self.browser().execute(operation, params.build()).await?;
        metrics::gauge!("ghostcast_contexts").increment(1.0);
        Ok(answer.browser_context_id.inner().to_owned())
    }

    /// Makes an isolated context whose traffic goes by `proxy_url`.
    /// What its pages download goes to `downloads`.
    pub(crate) async fn create_context(
        &self,
        proxy_url: &str,
        downloads: &Path,
    ) -> Result<String, Error> {
        let context = self.make_context(Some(proxy_url)).await?;
        if let Err(error) = self.furnish(&context, downloads).await {
            self.dispose_context(&context).await;
            return Err(error);
        }
        Ok(context)
    }

    /// The context that the process has by itself, whose files are the profile's. What its pages
    /// download goes to `downloads`.
    pub(super) async fn take_default_context(&self, downloads: &Path) -> Result<String, Error> {
        let context = self.default_context.clone().ok_or(Error::Command {
            operation: "find the profile's context",
            source: "Chromium began without a page".into(),
        })?;
        self.furnish(&context, downloads).await?;
        Ok(context)
    }

    async fn furnish(&self, context: &str, downloads: &Path) -> Result<(), Error> {
        tokio::try_join!(
            self.keep_downloads(context, Some(downloads)),
            self.let_copy(context),
            self.ask_nobody(context),
        )?;
        Ok(())
    }

    /// Has what pages ask a person's permission for refused at once, and decided by nobody, as a browser without
    /// windows does: nobody sees what a window asks.
    async fn ask_nobody(&self, context: &str) -> Result<(), Error> {
        const OPERATION: &str = "have nobody asked for permission";
        if self.display.is_none() {
            return Ok(());
        }
        let asking = ASKED_FOR.map(async |permission| {
            let params = SetPermissionParams::builder()
                .permission(PermissionDescriptor::new(permission))
                .setting(PermissionSetting::Prompt)
                .browser_context_id(context.to_owned())
                .build()
                .map_err(Error::builder(OPERATION))?;
            // A Chromium that does not know of it does not ask for it.
            let set = self.browser().execute(OPERATION, params).await;
            set.map(drop).or_else(|error| match error {
                Error::Command { .. } => Ok(()),
                error => Err(error),
            })
        });
        try_join_all(asking).await.map(drop)
    }

    /// Makes an isolated context from which nothing is reached.
    pub(in crate::browser) async fn create_closed_context(&self) -> Result<String, Error> {
        self.make_context(Some(NOWHERE)).await
    }

    /// Lets pages copy by a press of their own buttons, as a browser with windows does. What other
    /// sessions have copied they cannot read.
    pub(super) async fn let_copy(&self, context: &str) -> Result<(), Error> {
        const OPERATION: &str = "let pages copy";
        let params = SetPermissionParams::builder()
            .permission(PermissionDescriptor::new("clipboard-write"))
            .setting(PermissionSetting::Granted)
            .browser_context_id(context.to_owned())
            .build()
            .map_err(Error::builder(OPERATION))?;
        self.browser().execute(OPERATION, params).await?;
        Ok(())
    }

    /// Has what pages download put there; without a place it is refused.
    pub(super) async fn keep_downloads(
        &self,
        context: &str,
        to: Option<&Path>,
    ) -> Result<(), Error> {
        let behavior = match to {
            Some(_) => SetDownloadBehaviorBehavior::AllowAndName,
            None => SetDownloadBehaviorBehavior::Deny,
        };
        let mut params = SetDownloadBehaviorParams::new(behavior);
        params.browser_context_id = Some(context.to_owned().into());
        params.download_path = to.map(|to| to.display().to_string());
        params.events_enabled = Some(true);
        self.browser().execute("keep downloads", params).await?;
        Ok(())
    }

    /// Closes a context and all its pages.
    pub(crate) async fn dispose_context(&self, context: &str) {
        metrics::gauge!("ghostcast_contexts").decrement(1.0);
        if let Some(fence) = self.fence.get() {
            fence.open(context);
        }
        let params = DisposeBrowserContextParams::new(context.to_owned());
        if self.is_alive() {
            // A context that cannot be closed goes with its process.
            let _ = self
                .browser()
                .execute("close a browser context", params)
                .await;
        }
    }

    /// Ends the process; its profile is removed unless it is kept.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Lets the process end by itself, with all that it has to write, and sees to it that it ends.
    /// Answers whether it did by itself.
    pub(super) async fn leave(&self) -> bool {
        self.is_leaving.store(true, Ordering::SeqCst);
        let closing = self.browser();
        let asking = async {
            // It may end before it answers.
            let _ = closing
                .execute("close the browser", CloseParams::default())
                .await;
            self.over.cancelled().await;
        };
        // One that does not end is ended all the same.
        let left = timeout(LEAVES_WITHIN, asking).await;
        self.end().await;
        left.is_ok()
    }

    /// Ends the process, and returns when it has ended.
    pub(super) async fn end(&self) {
        self.stop();
        // What the system does not end in time ends later.
        let _ = timeout(LEAVES_WITHIN, self.over.cancelled()).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn connect(
    url: &str,
    debugger: SocketAddr,
    tracker: &TaskTracker,
) -> Result<Connection, BoxError> {
    let connecting = Connection::open(url, debugger, tracker);
    let cdp = timeout(COMMAND_TIMEOUT, connecting).await??;
    hear_of_pages(&cdp).await?;
    Ok(cdp)
}

/// What pages come and go is told from now on.
pub(super) async fn hear_of_pages(cdp: &Connection) -> Result<(), Error> {
    let discover = SetDiscoverTargetsParams::new(true);
    cdp.browser().execute("hear of pages", discover).await?;
    Ok(())
}

/// A launch that has not come to its end: clears up when it is given up.
struct Unfinished {
    /// `None` once somebody else clears up.
    group: Option<Pid>,
    scratch: PathBuf,
    debugger: Option<SocketAddr>,
    own: OwnAddresses,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(group) = self.group else { return };
        kill_group(group);
        if let Some(debugger) = self.debugger {
            self.own.remove(debugger);
        }
        let scratch = std::mem::take(&mut self.scratch);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { remove(&scratch).await });
        }
    }
}

/// Chromium leads a process group of its own.
fn group(child: &Child) -> Option<Pid> {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    pid.map(Pid::from_raw)
}

fn kill_group(group: Pid) {
    // It may be gone already, which is what is wanted.
    let _ = killpg(group, Signal::SIGKILL);
}

/// Watches over one process and clears up after it.
#[derive(Debug)]
struct Guard {
    process: std::sync::Weak<Process>,
    child: Child,
    scratch: PathBuf,
    debugger: SocketAddr,
    own: OwnAddresses,
    lost: watch::Sender<Option<Loss>>,
    stop: CancellationToken,
    over: CancellationToken,
    probe_interval: Duration,
    probe_timeout: Duration,
}

impl Guard {
    async fn run(mut self) {
        let group = group(&self.child);
        let probe = probe(
            self.process.clone(),
            self.probe_interval,
            self.probe_timeout,
        );
        let loss = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            status = self.child.wait() => match self.is_leaving() {
                true => None,
                false => {
                    tracing::warn!(?status, "Chromium ended by itself");
                    Some(Loss::Crashed)
                }
            },
            () = probe => {
                tracing::warn!("Chromium does not answer");
                Some(Loss::Hung)
            }
        };
        if let Some(loss) = loss {
            self.lost.send_replace(Some(loss));
        }
        if let Some(group) = group {
            kill_group(group);
        }
        let _ = self.child.wait().await;
        self.stop.cancel();
        self.own.remove(self.debugger);
        remove(&self.scratch).await;
        metrics::gauge!("ghostcast_browsers").decrement(1.0);
        self.over.cancel();
    }

    fn is_leaving(&self) -> bool {
        let process = self.process.upgrade();
        process.is_none_or(|process| process.is_leaving.load(Ordering::SeqCst))
    }
}

/// Watches over a browser that is far away, until its connection ends or nobody needs it.
async fn watch_far(
    cdp: Connection,
    process: std::sync::Weak<Process>,
    probe_interval: Duration,
    lost: watch::Sender<Option<Loss>>,
    (stop, over): (CancellationToken, CancellationToken),
) {
    let patience = cdp.browser().patience();
    let loss = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        () = cdp.ended() => {
            tracing::warn!("the connection to the remote browser has ended");
            Some(Loss::Disconnected)
        }
        () = probe(process, probe_interval, patience) => {
            tracing::warn!("the remote browser does not answer");
            Some(Loss::Hung)
        }
    };
    if let Some(loss) = loss {
        lost.send_replace(Some(loss));
    }
    stop.cancel();
    cdp.end();
    over.cancel();
}

/// Returns when the browser left a probe unanswered for too long; never, if its owner let it go.
async fn probe(process: std::sync::Weak<Process>, interval: Duration, limit: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(process) = process.upgrade() else {
            return std::future::pending().await;
        };
        let asking = process.browser();
        let asking = asking.execute_unbounded("probe the browser", GetVersionParams::default());
        let answer = timeout(limit, asking).await;
        if !matches!(answer, Ok(Ok(_))) {
            return;
        }
    }
}

async fn remove(scratch: &Path) {
    for _ in 0..40 {
        match tokio::fs::remove_dir_all(scratch).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                // The last of Chromium's processes still writes.
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            _ => return,
        }
    }
}
