//! Where a session lives: its browser, of this machine or far away, its first page, and the gate that judges
//! what its pages ask for.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::keeping::Keeping;
use super::place::{self, Choice, Situation, Why};
use super::start::{self, Means};
use crate::browser::gate::{Gate, Policy};
use crate::browser::{self, Lease, Profile, Run, TabEvent, Tabs};
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::model::{BrowserPlace, Device, Kept, RemoteFence, SessionSpec};
use crate::refusals::{Limit, refused};

/// What passes a fence in a remote browser, in words.
const PASSES: &str = "WebSockets and WebTransport, WebRTC, prefetches by speculation rules, and connections \
                      ahead of need are not held in a remote browser, and where a name leads there is not known";

/// What is done beside a browser's start.
pub(super) type Begins<'a> = &'a mut (dyn FnMut() -> Result<(), Error> + Send);

/// What was found for a session.
pub(super) struct Quarters {
    pub(super) place: BrowserPlace,
    pub(super) gate: Gate,
    pub(super) lease: Lease,
    pub(super) tabs: Tabs,
}

/// What quarters are looked for.
pub(super) struct Search<'a> {
    means: &'a Means,
    spec: &'a SessionSpec,
    keeping: &'a Keeping,
    events: &'a mpsc::Sender<TabEvent>,
    cancel: &'a CancellationToken,
}

impl<'a> Search<'a> {
    /// Looks for quarters whose pages report to `events`.
    pub(super) fn new(
        means: &'a Means,
        spec: &'a SessionSpec,
        keeping: &'a Keeping,
        events: &'a mpsc::Sender<TabEvent>,
        cancel: &'a CancellationToken,
    ) -> Self {
        Self {
            means,
            spec,
            keeping,
            events,
            cancel,
        }
    }
    /// Finds them: here first, and far away where that is asked for, or where none of this machine can run. `begins` is
    /// called when a browser of this machine is about to start, and nothing speaks against it.
    pub(super) async fn find(
        &self,
        can_run_here: Result<(), Error>,
        begins: Begins<'_>,
    ) -> Result<Quarters, Error> {
        let config = self.means.config.now();
        let mut situation = Situation {
            wish: self.spec.browser.unwrap_or(config.remote.browser),
            has_remote: self.means.remote.is_configured(),
            ..Situation::default()
        };
        let first = place::choose(&situation)?;
        if first.place == BrowserPlace::Remote {
            return Box::pin(self.far(&config, first.why)).await;
        }
        let is_full = can_run_here.is_err();
        let here = match can_run_here {
            Ok(()) => Box::pin(self.here(&config, begins)).await,
            Err(full) => Err(full),
        };
        let error = match here {
            Err(error) if is_want(&error) => error,
            here => return here,
        };
        situation.can_run_here = false;
        match place::choose(&situation)? {
            Choice {
                place: BrowserPlace::Remote,
                why,
            } => {
                tracing::warn!(%error, "no browser can run here: the remote one is tried");
                Box::pin(self.far(&config, why)).await
            }
            Choice { .. } if is_full => Err(refused(Limit::Memory, error)),
            Choice { .. } => Err(error),
        }
    }

    async fn here(&self, config: &Config, begins: Begins<'_>) -> Result<Quarters, Error> {
        let gate = self.gate(self.policy(config)?).await?;
        begins()?;
        let (lease, tabs) = self.browser(&gate).await?;
        Ok(Quarters {
            place: BrowserPlace::Local,
            gate,
            lease,
            tabs,
        })
    }

    async fn far(&self, config: &Config, why: Why) -> Result<Quarters, Error> {
        let policy = self.policy(config)?;
        let fence = self.spec.remote_fence.unwrap_or_default();
        let is_strict = [fence, config.remote.fence].contains(&RemoteFence::Strict);
        if is_strict && policy.allowlist.is_fence() {
            return Err(Error::unsupported(format!(
                "remote_fence is \"strict\", and a session with a fence cannot be had in a remote browser: \
                 {PASSES}"
            ))
            .hint(
                "Leave out allowed_domains and block_private_networks, take remote_fence \"intercept\", or \
                 browser \"local\".",
            ));
        }
        let gate = Gate::far(policy, self.cancel);
        let run = Run {
            viewport: self.keeping.last().record.viewport,
            options: self.spec.remote_options.clone(),
            user: self.spec.user_id.clone(),
            profile: self.profile().await?,
        };
        let mut lease = self
            .means
            .remote
            .acquire(&self.means.pool, run, &gate)
            .await?;
        let tabs = self.first_page(&lease).await?.map_err(Error::from)?;
        lease.close_first_pages();
        tabs.reopen(further_tabs(&self.keeping.last())).await;
        tracing::info!(
            by = self.means.remote.describe(),
            why = why.as_str(),
            "the browser is remote"
        );
        Ok(Quarters {
            place: BrowserPlace::Remote,
            gate,
            lease,
            tabs,
        })
    }

    fn policy(&self, config: &Config) -> Result<Policy, Error> {
        start::policy(config, self.spec, self.means.pool.own_addresses())
    }

    async fn gate(&self, policy: Policy) -> Result<Gate, Error> {
        let no_port = |error| {
            let full = Error::exhausted("no port is free for the session").source(error);
            refused(Limit::Ports, full)
        };
        let gate = Gate::start(policy, &self.means.tracker, self.cancel).await;
        gate.map_err(no_port)
    }

    /// A browser with the session's first page in it. A process in which no page can be made gets no further
    /// session, and another one is tried once.
    async fn browser(&self, gate: &Gate) -> Result<(Lease, Tabs), Error> {
        let mut is_first = true;
        loop {
            let lease = match self.lease(gate).await {
                Err(error) if is_first && error.kind == ErrorKind::Timeout => {
                    is_first = false;
                    continue;
                }
                lease => lease?,
            };
            match self.first_page(&lease).await? {
                Err(error) if is_first && is_lame(&error) => {
                    lease.retire();
                    if let browser::Error::WindowMissing { .. } = &error {
                        lease.distrust_display(&error.outside_words().message);
                    }
                    is_first = false;
                }
                tabs => {
                    let tabs = tabs?;
                    tabs.reopen(further_tabs(&self.keeping.last())).await;
                    return Ok((lease, tabs));
                }
            }
        }
    }

    /// The first page, in a browser that has what it is to begin with.
    async fn first_page(&self, lease: &Lease) -> Result<Result<Tabs, browser::Error>, Error> {
        if let Some(state) = &self.spec.storage_state {
            lease.put_state(state).await?;
        }
        let kept = self.keeping.last();
        let dialogs = kept.record.dialogs;
        let device = Device {
            size: kept.record.viewport,
            is_mobile: self.spec.mobile.unwrap_or_default(),
        };
        let events = self.events.clone();
        Ok(Tabs::open_first(lease, device, dialogs, events, &self.means.tracker).await)
    }

    /// A place in a shared browser, or a browser on the profile of a session that has one.
    async fn lease(&self, gate: &Gate) -> Result<Lease, Error> {
        let (pool, way_out) = (&self.means.pool, gate.proxy_url());
        let capture = self.spec.capture.unwrap_or_default();
        match self.profile().await? {
            None => Ok(pool.acquire(&way_out, capture).await?),
            Some(profile) => Ok(pool.acquire_kept(profile, &way_out, capture).await?),
        }
    }

    /// The profile of a session that has one.
    async fn profile(&self) -> Result<Option<Profile>, Error> {
        let Some(name) = self
            .spec
            .session_name
            .as_ref()
            .filter(|_| self.spec.has_profile())
        else {
            return Ok(None);
        };
        let directory = self.keeping.registry().profile(name);
        let opening = tokio::task::spawn_blocking(move || Profile::open(&directory));
        let opened = opening
            .await
            .map_err(|error| Error::internal("the profile's opening broke").source(error))?;
        let profile = opened.map_err(|error| {
            Error::unavailable(format!(
                "the profile of \"{name}\" cannot be opened: {error}"
            ))
            .hint("Check the free space and the rights of the state directory.")
        })?;
        Ok(Some(profile))
    }
}

/// Whether an error says that no browser of this machine can run now.
fn is_want(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Exhausted
    )
}

/// Whether no page could be made for what ails the browser's process.
const fn is_lame(error: &browser::Error) -> bool {
    matches!(
        error,
        browser::Error::Timeout { .. }
            | browser::Error::Gone
            | browser::Error::WindowMissing { .. }
    )
}

/// What the tabs of a session that comes back showed, besides the current one.
fn further_tabs(kept: &Kept) -> &[String] {
    kept.tabs.get(1..).unwrap_or_default()
}
