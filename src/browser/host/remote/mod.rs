//! A browser that is far away: any endpoint of the DevTools protocol, or one that a vendor's service gives.
//!
//! It is spoken to as one of this machine is, and captured by the same screencast. A vendor's is one session's
//! alone; that of an endpoint is shared by sessions, each in a context of its own, on one connection. What is not
//! the same: no gate stands in its way to the network, so its requests are held and judged ([`Fence`]); it has no
//! process to measure; files do not pass between both machines.
//!
//! What lasts is a context of the vendor's, which has the logins; a session is one run on it. An endpoint keeps
//! nothing: there, what tells sites who is there is put back from the session's own profile.

mod attached;
mod browserbase;
mod contexts;
mod dues;
mod endpoint;
mod fence;
mod meter;
mod provider;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::target::{
    CloseTargetParams, CreateTargetParams, GetTargetsParams, TargetId,
};
use serde_json::{Map, Value};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::{Host, Url};

pub use self::contexts::Contexts;
use self::dues::{Due, Dues};
pub(in crate::browser) use self::fence::Fence;
use self::meter::{Meter, Users};
use self::provider::{Provider, Wanted};
use super::super::cdp::Connection;
use super::super::error::{Error, Far};
use super::super::gate::{Debugger, Gate, Judge};
use super::jar::Jar;
use super::pool::{Kept, Lease, Pool};
use super::process::{Process, hear_of_pages};
use super::profile::Profile;
use crate::config;
use crate::error::Chain;
use crate::model::Size;
use crate::model::allowlist::is_localhost;

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
    dues: Dues,
    tracker: TaskTracker,
    /// Cancelled when the service ends.
    cancel: CancellationToken,
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

/// The life of the service: its tasks, and its end.
#[derive(Debug, Clone)]
pub struct Life {
    /// All tasks are its.
    pub tracker: TaskTracker,
    /// Cancelled when the service ends.
    pub cancel: CancellationToken,
}

impl Remote {
    /// The remote browser that is configured, or none. What a vendor is to be told yet is noted in `noted`; what
    /// lies there now is of a service before.
    pub fn new(
        config: &config::Remote,
        probe_interval: Duration,
        noted: Option<&Path>,
        life: Life,
    ) -> Self {
        let provider = provider(config);
        let whose = provider.as_ref().map(|provider| provider.identity());
        let inner = Inner {
            config: config.clone(),
            probe_interval,
            provider,
            users: Users::default(),
            dues: Dues::new(noted, whose),
            tracker: life.tracker,
            cancel: life.cancel,
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

    /// Where the browser of an endpoint is spoken to, as far as that is an address: no page may reach it.
    pub fn debugger(&self) -> Option<SocketAddr> {
        let url = Url::parse(self.inner.config.endpoint.reveal()).ok()?;
        let ip: IpAddr = match url.host()? {
            Host::Ipv4(ip) => ip.into(),
            Host::Ipv6(ip) => ip.into(),
            Host::Domain(name) if is_localhost(name) => Ipv4Addr::LOCALHOST.into(),
            Host::Domain(_) => return None,
        };
        Some(SocketAddr::new(ip, url.port_or_known_default()?))
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
        let Some(provider) = self.inner.provider.as_deref() else {
            return Err(Error::far(Far::Unreachable, "find a remote browser"));
        };
        // Made first: what fails from here on is given back by whoever holds it.
        let files = pool.files()?;
        let user = run.user.as_deref();
        let mut wanted = Wanted {
            viewport: run.viewport,
            options: run.options,
            context: None,
        };
        let is_shared = provider.is_shared();
        let (process, mut hold) = match (&run.profile, is_shared) {
            (_, true) => self.share(provider, &wanted, user).await?,
            (Some(profile), false) => {
                let begun = self.begin_kept(provider, &mut wanted, profile, user, gate);
                begun.await?
            }
            (None, false) => self.begin(provider, &wanted, user, gate.judge()).await?,
        };
        let context = match hold.is_alone {
            true => hold.take_first(&process.cdp).await?,
            false => process.make_context(None).await?,
        };
        if !hold.is_alone {
            process.enclose(&context, gate.judge());
        }
        let mut lease = Lease::far(pool, files, process, context, hold);
        lease.furnish_far(&self.inner.config.downloads_dir).await;
        if let Some(profile) = run.profile {
            let is_kept_there = wanted.context.is_some();
            let jar = Jar::far(&lease.process, &lease.context, &profile, is_kept_there);
            if let Err(error) = jar.restore().await {
                tracing::warn!(error = %Chain(&error), "the kept cookies could not be put back");
                jar.set_aside().await;
            }
            lease.kept = Some(Kept::new(jar, profile));
        }
        Ok(lease)
    }

    /// Begins a run on the context that has a kept session's logins, which is made for its first one. One that
    /// the vendor does not have any more is replaced.
    async fn begin_kept(
        &self,
        provider: &dyn Provider,
        wanted: &mut Wanted,
        profile: &Profile,
        user: Option<&str>,
        gate: &Gate,
    ) -> Result<(Arc<Process>, Hold), Error> {
        let mut contexts = Contexts::read(profile.context()).await?;
        let whose = provider.identity();
        if let Some(context) = contexts.of(&whose) {
            wanted.context = Some(context.to_owned());
            let begun = self.begin(provider, wanted, user, gate.judge()).await;
            match &begun {
                Err(error) if is_lost(provider, context, error).await => {
                    metrics::counter!("ghostcast_remote_contexts_lost_total").increment(1);
                    tracing::warn!(
                        context,
                        by = provider.describe(),
                        "the remote context with a session's logins is no more; a new one is made, with the \
                         cookies that are kept here"
                    );
                }
                _ => return begun,
            }
        }
        wanted.context = provider.make_context().await?;
        if let Some(context) = &wanted.context
            && let Err(error) = contexts.note(&whose, context, profile.context()).await
        {
            // Nobody would find it again.
            self.owe(Due::Context, context.clone()).await;
            return Err(error);
        }
        self.begin(provider, wanted, user, gate.judge()).await
    }

    /// Begins a run whose browser is its own; `judge` judges what its pages ask for.
    async fn begin(
        &self,
        provider: &dyn Provider,
        wanted: &Wanted,
        user: Option<&str>,
        judge: Judge,
    ) -> Result<(Arc<Process>, Hold), Error> {
        let begun = provider.begin(wanted).await?;
        // Given back from now on, whatever comes.
        let hold = self.hold(begun.id.clone(), user, true);
        if let Some(id) = &begun.id {
            self.inner.dues.note(Due::Run, id).await;
        }
        let socket = provider.socket(&begun).await?;
        Ok((self.attach(&socket, Some(judge)).await?, hold))
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
        let socket = provider.socket(&begun).await?;
        let process = self.attach(&socket, None).await?;
        *shared = Arc::downgrade(&process);
        Ok((process, self.hold(None, user, false)))
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

    async fn attach(&self, socket: &Url, all: Option<Judge>) -> Result<Arc<Process>, Error> {
        let cdp = self.connect(socket).await?;
        let process = Process::attach(cdp.clone(), self.inner.probe_interval, &self.inner.tracker);
        let debugger = Debugger::of(socket);
        process.set_fence(Fence::put_up(&cdp, debugger, all, &self.inner.tracker).await?);
        Ok(process)
    }

    /// Connects, and hears of pages from then on.
    async fn connect(&self, socket: &Url) -> Result<Connection, Error> {
        const OPERATION: &str = "connect to a remote browser";
        let config = &self.inner.config;
        let opening = Connection::open_far(socket, config.command_timeout(), &self.inner.tracker);
        let unreachable = Error::far(Far::Unreachable, OPERATION);
        let cdp = match timeout(config.connect_timeout(), opening).await {
            Err(_) => return Err(unreachable.because("it took too long")),
            Ok(Err(error)) => return Err(unreachable.because(error)),
            Ok(Ok(cdp)) => cdp,
        };
        hear_of_pages(&cdp).await?;
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

    /// Gives the run back; one that is not taken now is offered again later.
    pub(super) async fn give_back(mut self) {
        if let Some(id) = self.id.take() {
            self.remote.settle(Due::Run, id).await;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            let (remote, tracker) = (self.remote.clone(), self.remote.inner.tracker.clone());
            tracker.spawn(async move { remote.settle(Due::Run, id).await });
        }
    }
}

/// Whether a run could not be begun because its context is no more.
async fn is_lost(provider: &dyn Provider, context: &str, error: &Error) -> bool {
    let is_suspect = error.is_far(Far::Missing) || error.is_far(Far::Refused);
    is_suspect && matches!(provider.has_context(context).await, Ok(false))
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
