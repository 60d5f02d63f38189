//! A browser that is far away: any endpoint of the DevTools protocol, or one that a vendor's service gives.
//!
//! It is spoken to as one of this machine is, and captured by the same screencast. A vendor's is one session's
//! alone; that of an endpoint is shared by sessions, each in a context of its own, on one connection. What is not the same: no gate stands in its way to the network, so its requests are held and
//! judged ([`Fence`]); it has no process to measure; files do not pass between both machines.
//!
//! What lasts is a context of the vendor's, which has the logins; a session is one run on it. An endpoint keeps
//! nothing: there, what tells sites who is there is put back from the session's own profile.

mod browserbase;
mod endpoint;
mod fence;
mod meter;
mod provider;
mod runs;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::browser::{
    PermissionDescriptor, PermissionSetting, SetDownloadBehaviorBehavior,
    SetDownloadBehaviorParams, SetPermissionParams,
};
use chromiumoxide_cdp::cdp::browser_protocol::target::{
    CloseTargetParams, CreateBrowserContextParams, CreateTargetParams, GetTargetsParams,
    SetDiscoverTargetsParams, TargetId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

pub(in crate::browser) use self::fence::Fence;
use self::meter::{Meter, Users};
use self::provider::{Begun, Provider, Wanted};
use self::runs::Runs;
use super::super::cdp::Connection;
use super::super::error::{Error, Far};
use super::super::gate::Gate;
use super::jar::Jar;
use super::pool::{Kept, Lease, Pool};
use super::process::Process;
use super::profile::Profile;
use crate::config;
use crate::disk;
use crate::error::Chain;
use crate::model::Size;

/// A run is given back within this time, or left to the vendor's own bound.
const ENDED_WITHIN: Duration = Duration::from_secs(5);

/// The remote browser of the service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Remote {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: config::Remote,
    probe_interval: Duration,
    provider: Option<Arc<dyn Provider>>,
    users: Users,
    runs: Runs,
    tracker: TaskTracker,
    /// The browser of an endpoint, which all sessions there share.
    shared: tokio::sync::Mutex<Weak<Process>>,
    /// Why the last run could not be had.
    problem: Mutex<Option<String>>,
}

/// What a session wants of a remote browser.
#[derive(Debug)]
pub struct Run {
    /// The page's size.
    pub viewport: Size,
    /// The vendor's own options.
    pub options: Map<String, Value>,
    /// Whose time it is.
    pub user: Option<String>,
    /// What is kept of the session.
    pub profile: Option<Profile>,
}

/// A run that a session has; given back when dropped.
#[derive(Debug)]
pub(super) struct Hold {
    remote: Remote,
    id: Option<String>,
    _meter: Meter,
    /// Whether the browser is the session's alone.
    is_alone: bool,
    /// Pages that it began with.
    first: Vec<TargetId>,
}

/// Which context has a session's logins.
#[derive(Debug, Serialize, Deserialize)]
struct StoredContext {
    provider: String,
    context: String,
}

impl Remote {
    /// The remote browser that is configured, or none. What runs there is noted in `runs`.
    pub fn new(
        config: &config::Remote,
        probe_interval: Duration,
        runs: Option<&Path>,
        tracker: TaskTracker,
    ) -> Self {
        let provider = provider(config);
        let inner = Inner {
            config: config.clone(),
            probe_interval,
            provider,
            users: Users::default(),
            runs: Runs::new(runs),
            tracker,
            shared: tokio::sync::Mutex::default(),
            problem: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Whether there is one.
    pub fn is_configured(&self) -> bool {
        self.inner.provider.is_some()
    }

    /// Who gives it, for people; without one, what is to be set.
    pub fn describe(&self) -> String {
        match &self.inner.provider {
            Some(provider) => provider.describe(),
            None => missing(&self.inner.config).to_owned(),
        }
    }

    /// Gives back what a service has left running that was killed.
    pub async fn end_strays(&self) {
        for id in self.inner.runs.all() {
            tracing::warn!(
                id,
                "a remote session of a service that was killed is given back"
            );
            end(self.clone(), Some(id)).await;
        }
    }

    /// Why it could not be had the last time, if it could not.
    pub fn problem(&self) -> Option<String> {
        let problem = self.inner.problem.lock();
        problem.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a run, and takes a context in it; `gate` judges what its pages ask for.
    pub async fn acquire(&self, pool: &Pool, run: Run, gate: &Gate) -> Result<Lease, Error> {
        let acquired = self.acquire_unnoted(pool, run, gate).await;
        let outcome = match &acquired {
            Ok(_) => "started",
            Err(_) => "failed",
        };
        metrics::counter!("ghostcast_remote_starts_total", "outcome" => outcome).increment(1);
        let problem = acquired.as_ref().err();
        let problem = problem.map(|error| error.outside_words().message.into_owned());
        *self
            .inner
            .problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = problem;
        acquired
    }

    async fn acquire_unnoted(&self, pool: &Pool, run: Run, gate: &Gate) -> Result<Lease, Error> {
        let Some(provider) = &self.inner.provider else {
            return Err(Error::far(Far::Unreachable, "find a remote browser"));
        };
        let context = match &run.profile {
            Some(profile) => kept_context(provider.as_ref(), profile).await?,
            None => None,
        };
        let is_kept_there = context.is_some();
        let wanted = Wanted {
            viewport: run.viewport,
            options: run.options,
            context,
        };
        let user = run.user.as_deref();
        let (process, mut hold) = match provider.is_shared() {
            true => self.share(provider.as_ref(), &wanted, user).await?,
            false => self.begin(provider.as_ref(), &wanted, user).await?,
        };
        let cdp = process.cdp.clone();
        let context = match hold.is_alone {
            true => hold.take_first(&cdp).await?,
            false => own_context(&cdp).await?,
        };
        process.enclose(&context, gate.judge());
        furnish(&cdp, &context, &self.inner.config.downloads_dir).await;
        let kept = match run.profile {
            None => None,
            Some(profile) => {
                let jar = Jar::far(&process, &context, &profile, is_kept_there);
                if let Err(error) = jar.restore().await {
                    tracing::warn!(error = %Chain(&error), "the kept cookies could not be put back");
                    jar.set_aside().await;
                }
                Some(Kept::new(jar, profile))
            }
        };
        Lease::far(pool, process, context, kept, hold)
    }

    /// Begins a run whose browser is its own.
    async fn begin(
        &self,
        provider: &dyn Provider,
        wanted: &Wanted,
        user: Option<&str>,
    ) -> Result<(Arc<Process>, Hold), Error> {
        let begun = provider.begin(wanted).await?;
        let hold = self.hold(begun.id.clone(), user, true);
        if let Some(id) = &begun.id {
            self.inner.runs.note(id).await;
        }
        Ok((self.attach(&begun).await?, hold))
    }

    /// Joins the browser that all sessions share, on the one connection to it.
    async fn share(
        &self,
        provider: &dyn Provider,
        wanted: &Wanted,
        user: Option<&str>,
    ) -> Result<(Arc<Process>, Hold), Error> {
        let mut shared = self.inner.shared.lock().await;
        if let Some(process) = shared.upgrade().filter(|process| process.is_alive()) {
            return Ok((process, self.hold(None, user, false)));
        }
        let begun = provider.begin(wanted).await?;
        let hold = self.hold(begun.id.clone(), user, false);
        let process = self.attach(&begun).await?;
        *shared = Arc::downgrade(&process);
        Ok((process, hold))
    }

    fn hold(&self, id: Option<String>, user: Option<&str>, is_alone: bool) -> Hold {
        Hold {
            remote: self.clone(),
            id,
            _meter: Meter::start(&self.inner.users, user, &self.inner.tracker),
            is_alone,
            first: Vec::new(),
        }
    }

    async fn attach(&self, begun: &Begun) -> Result<Arc<Process>, Error> {
        let cdp = self.connect(begun).await?;
        let process = Process::attach(cdp.clone(), self.inner.probe_interval, &self.inner.tracker);
        process.set_fence(Fence::put_up(&cdp, &self.inner.tracker).await?);
        Ok(process)
    }

    /// Connects, and hears of pages from then on.
    async fn connect(&self, begun: &Begun) -> Result<Connection, Error> {
        const OPERATION: &str = "connect to a remote browser";
        let config = &self.inner.config;
        let opening =
            Connection::open_far(&begun.socket, config.command_timeout(), &self.inner.tracker);
        let unreachable = Error::far(Far::Unreachable, OPERATION);
        let cdp = match timeout(config.connect_timeout(), opening).await {
            Err(_) => return Err(unreachable.because("it took too long")),
            Ok(Err(error)) => return Err(unreachable.because(error)),
            Ok(Ok(cdp)) => cdp,
        };
        let discover = SetDiscoverTargetsParams::new(true);
        cdp.browser().execute("hear of pages", discover).await?;
        Ok(cdp)
    }

    /// Whether pages may download, to a directory over there.
    pub(super) fn takes_downloads(&self) -> bool {
        !self.inner.config.downloads_dir.is_empty()
    }
}

impl Hold {
    /// Takes the context that the browser has by itself, and notes the pages that it began with.
    async fn take_first(&mut self, cdp: &Connection) -> Result<String, Error> {
        const OPERATION: &str = "find the context of a remote browser";
        let browser = cdp.browser();
        for _ in 0..2 {
            let targets = browser
                .execute(OPERATION, GetTargetsParams::default())
                .await?;
            let mut pages = targets
                .target_infos
                .into_iter()
                .filter(|it| it.r#type == "page")
                .peekable();
            let context = pages
                .peek()
                .and_then(|page| page.browser_context_id.clone());
            if let Some(context) = context {
                self.first = pages.map(|page| page.target_id).collect();
                return Ok(context.inner().to_owned());
            }
            browser
                .execute(OPERATION, CreateTargetParams::new("about:blank"))
                .await?;
        }
        Err(Error::far(Far::Senseless, OPERATION))
    }

    /// Whether the context goes with the browser.
    pub(super) fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Pages that are not the session's, once it has one: a browser without any may end.
    pub(super) fn close_first(&mut self, process: &Process) {
        for target in self.first.drain(..) {
            process
                .browser()
                .tell("close a first page", &CloseTargetParams::new(target));
        }
    }

    pub(super) fn takes_downloads(&self) -> bool {
        self.remote.takes_downloads()
    }

    /// Gives the run back.
    pub(super) async fn give_back(mut self) {
        let ending = end(self.remote.clone(), self.id.take());
        ending.await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            let tracker = self.remote.inner.tracker.clone();
            tracker.spawn(end(self.remote.clone(), Some(id)));
        }
    }
}

async fn end(remote: Remote, id: Option<String>) {
    let (Some(id), Some(provider)) = (id, &remote.inner.provider) else {
        return;
    };
    let ended = timeout(ENDED_WITHIN, provider.end(&id)).await;
    let is_gone = |error: &Error| {
        matches!(
            error,
            Error::Far {
                far: Far::Missing,
                ..
            }
        )
    };
    if matches!(&ended, Ok(Ok(()))) || matches!(&ended, Ok(Err(error)) if is_gone(error)) {
        remote.inner.runs.forget(&id).await;
    }
    match ended {
        Ok(Ok(())) => tracing::debug!(id, "a remote session is given back"),
        Ok(Err(error)) => {
            tracing::warn!(id, error = %Chain(&error), "a remote session could not be given back");
        }
        Err(_) => tracing::warn!(id, "a remote session could not be given back in time"),
    }
}

fn provider(config: &config::Remote) -> Option<Arc<dyn Provider>> {
    let http = endpoint::client(config.connect_timeout(), config.command_timeout())?;
    if !config.endpoint.is_empty() {
        let address = config.endpoint.clone();
        return Some(Arc::new(provider::Endpoint { http, address }));
    }
    config.is_configured().then(|| {
        let browserbase = browserbase::Browserbase {
            http,
            base_url: config.base_url.clone(),
            api_key: config.api_key.clone(),
            project: config.project_id.clone(),
            session_body: config.session_body.clone(),
            context_body: config.context_body.clone(),
            release_body: config.release_body.clone(),
        };
        Arc::new(browserbase) as Arc<dyn Provider>
    })
}

/// Why there is no remote browser.
pub(super) fn missing(config: &config::Remote) -> &'static str {
    match (config.api_key.is_empty(), config.project_id.is_empty()) {
        (false, true) => {
            "none: BROWSERBASE_API_KEY is set, and BROWSERBASE_PROJECT_ID is not, so there is no fallback"
        }
        (true, false) => {
            "none: BROWSERBASE_PROJECT_ID is set, and BROWSERBASE_API_KEY is not, so there is no fallback"
        }
        _ => {
            "none: neither BROWSERBASE_API_KEY nor remote.endpoint is set, so there is no fallback"
        }
    }
}

/// The context that has a kept session's logins, which is made for its first run.
async fn kept_context(provider: &dyn Provider, profile: &Profile) -> Result<Option<String>, Error> {
    let path = profile.context();
    let who = provider.describe();
    let stored = tokio::fs::read(&path).await.ok();
    let stored = stored.and_then(|json| serde_json::from_slice::<StoredContext>(&json).ok());
    if let Some(stored) = stored.filter(|stored| stored.provider == who) {
        return Ok(Some(stored.context));
    }
    let Some(context) = provider.make_context().await? else {
        return Ok(None);
    };
    let stored = StoredContext {
        provider: who,
        context: context.clone(),
    };
    write(path, &stored).await?;
    Ok(Some(context))
}

async fn write(path: PathBuf, stored: &StoredContext) -> Result<(), Error> {
    let failed = |source: crate::error::BoxError| Error::Command {
        operation: "keep which remote context has a session's logins",
        source,
    };
    let json = serde_json::to_vec(stored).map_err(|error| failed(error.into()))?;
    let writing = tokio::task::spawn_blocking(move || disk::replace(&path, &json)).await;
    let written = writing.map_err(|error| failed(error.into()))?;
    written.map_err(|error| failed(error.into()))
}

/// A context of the session's own, which ends with the connection at the latest.
async fn own_context(cdp: &Connection) -> Result<String, Error> {
    let params = CreateBrowserContextParams::builder()
        .dispose_on_detach(true)
        .build();
    let made = cdp
        .browser()
        .execute("create a browser context", params)
        .await?;
    metrics::gauge!("ghostcast_contexts").increment(1.0);
    Ok(made.browser_context_id.inner().to_owned())
}

/// As a context of this machine has it, as far as the browser permits: pages may copy, and their downloads go
/// where they may, or nowhere.
async fn furnish(cdp: &Connection, context: &str, downloads: &str) {
    let behavior = match downloads.is_empty() {
        true => SetDownloadBehaviorBehavior::Deny,
        false => SetDownloadBehaviorBehavior::AllowAndName,
    };
    let mut keep = SetDownloadBehaviorParams::new(behavior);
    keep.browser_context_id = Some(context.to_owned().into());
    keep.download_path = Some(downloads.to_owned()).filter(|path| !path.is_empty());
    keep.events_enabled = Some(true);
    let copy = SetPermissionParams::builder()
        .permission(PermissionDescriptor::new("clipboard-write"))
        .setting(PermissionSetting::Granted)
        .browser_context_id(context.to_owned())
        .build();
    let browser = cdp.browser();
    let kept = browser.execute("keep downloads", keep).await.map(drop);
    let copied = match copy {
        Ok(copy) => browser.execute("let pages copy", copy).await.map(drop),
        Err(text) => Err(Error::builder("let pages copy")(text)),
    };
    for refused in [kept, copied].into_iter().filter_map(Result::err) {
        tracing::debug!(error = %Chain(&refused), "a remote browser does without");
    }
}
