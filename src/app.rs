//! The composition root: the one place that puts everything together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{self, Doors, Life, Metrics};
use crate::browser::{self, Pool, Profile, end_strays};
use crate::config::{Config, Live, Reloaded, Restore};
use crate::error::{Chain, Error};
use crate::events::Bus;
use crate::jobs::Jobs;
use crate::model::{Kept, SessionSpec};
use crate::session::{Manager, Which};
use crate::store::{JobStore, Place, Registry};

pub use crate::session::Journal;

/// Everybody has ended within this time of a shutdown, or is cut off.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);
/// How often what is kept in memory is tidied up, and what is good no more ended.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The running service.
#[derive(Debug)]
pub struct App {
    manager: Manager,
    jobs: Jobs,
    doors: Doors,
    address: SocketAddr,
    live: Live,
    /// Where it was to listen, where a port 0 stands for any.
    listen: SocketAddr,
    tracker: TaskTracker,
    cancel: CancellationToken,
    ended: CancellationToken,
}

/// What is kept on disk.
fn registry(config: &Config) -> Result<(Registry, Vec<Kept>), Error> {
    let restore = |spec: &SessionSpec| Manager::restore(config, spec);
    let place = Place {
        directory: config.state.place(),
        is_usual: config.state.is_usual(),
    };
    let (registry, kept) = Registry::open(&place, config.state.json(), &restore)?;
    let strays = registry
        .profiles()
        .map_or(0, |profiles| end_strays(&profiles));
    let locks = registry
        .profiles()
        .map_or(0, |it| Profile::clear_locks(&it));
    metrics::counter!("ghostcast_swept_total", "kind" => "profile_locks").increment(locks as u64);
    if strays > 0 {
        tracing::warn!(
            strays,
            "ended what a run that was killed had left on profiles"
        );
    }
    Ok((registry, kept))
}

/// The browsers; what a run that was killed has left behind is cleared first.
fn pool(config: &Config, tracker: &TaskTracker) -> Result<Pool, Error> {
    tell_of_the_sandbox(config);
    let (pool, swept) = Pool::new(config.browser.clone(), tracker.clone()).map_err(|error| {
        Error::unavailable("cannot make a working directory")
            .hint("Check browser.work_dir and the free space there.")
            .source(error)
    })?;
    if swept.directories > 0 {
        tracing::warn!(
            directories = swept.directories,
            processes = swept.processes,
            "cleared what a run that was killed had left behind"
        );
    }
    match pool.captured() {
        Ok(captured) => tracing::info!("capture: {}", captured.describe()),
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "capture: no session can have what is set");
        }
    }
    Ok(pool)
}

/// Says so where pages are held by one wall less.
fn tell_of_the_sandbox(config: &Config) {
    if let Some(why) = browser::host::command::unsandboxed(&config.browser) {
        tracing::warn!(
            "Chromium's sandbox is off: {why}; run the service as a user of its own, with the sandbox on"
        );
    }
}

/// Where callers are heard.
async fn bound(listen: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(listen).await.map_err(|error| {
        Error::unavailable(format!("cannot listen on {listen}: {error}"))
            .hint("Stop what listens there, or choose another address with --listen.")
            .source(error)
    })
}

/// Keeps the recorder's memory bounded, and ends what is good no more.
async fn tidy_up(doors: Doors, cancel: CancellationToken) {
    while cancel
        .run_until_cancelled(tokio::time::sleep(UPKEEP_EVERY))
        .await
        .is_some()
    {
        doors.upkeep();
    }
}

/// What a service does by itself for as long as it runs.
fn keep_house(doors: &Doors, manager: &Manager, tracker: &TaskTracker, cancel: &CancellationToken) {
    tracker.spawn(tidy_up(doors.clone(), cancel.clone()));
    let watching = manager.clone().watch_memory();
    tracker.spawn(cancel.clone().run_until_cancelled_owned(watching));
    tracker.spawn(manager.clone().sweep_for_ever());
}

/// What a service does at its start by itself.
async fn begin(manager: Manager, restore: Restore, cancel: CancellationToken) {
    let starting = async {
        // A browser that is on its way is let come, so that it ends with all that it has started.
        let is_warm = manager.warm_up_once().await;
        if !is_warm {
            if restore == Restore::Eager {
                // What need not run on this machine does not wait for it.
                let away = manager.start_stored(Which::Away);
                cancel.run_until_cancelled(away).await;
            }
            manager.warm_up().await;
        }
        if restore == Restore::Eager {
            let all = manager.start_stored(Which::All);
            cancel.run_until_cancelled(all).await;
        }
    };
    tokio::join!(starting, manager.remote().end_strays());
}

impl App {
    /// Starts the service; it serves until [`Self::shut_down`]. What its sessions' actions come to is written
    /// to `journal`.
    pub async fn start(mut config: Config, journal: Journal) -> Result<Self, Error> {
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let metrics = Metrics::install()?;
        let (listen, tokens) = (config.server.listen, config.server.tokens()?);
        let listener = bound(listen).await?;
        let address = listener.local_addr().unwrap_or(listen);
        if let Some(warning) = config.unreachable_outside() {
            tracing::warn!("{warning}");
        }
        config.server.listen = address;
        config.must_not_wait_for_itself()?;
        let config = Arc::new(config);
        let live = Live::new(Arc::clone(&config));
        let pool = pool(&config, &tracker)?;
        let kept = registry(&config)?;
        let shelf = kept.0.clone();
        let manager = Manager::new(
            live.clone(),
            pool,
            Bus::new(config.events.clone()),
            kept,
            journal,
            tracker.clone(),
            cancel.clone(),
        );
        let (queue_url, lost_after) = (&config.jobs.queue_url, config.jobs.lost_after());
        let queue = JobStore::open(shelf.clone(), queue_url.reveal(), lost_after)?;
        let jobs = Jobs::new(manager.clone(), shelf, queue, live.clone());
        tracing::info!("remote browser: {}", manager.remote().describe());
        let ended = CancellationToken::new();
        let life = Life {
            tracker: tracker.clone(),
            cancel: cancel.clone(),
            ended: ended.clone(),
        };
        let doors = Doors::new(
            manager.clone(),
            jobs.clone(),
            Arc::clone(&config),
            tokens,
            metrics,
            life,
        );
        doors.recall_links().await;
        let router = api::router(doors.clone())?;
        tracker.spawn(api::serve(
            listener,
            router,
            config.server.clone(),
            cancel.clone(),
        ));
        keep_house(&doors, &manager, &tracker, &cancel);
        tracker.spawn(begin(manager.clone(), config.state.restore, cancel.clone()));
        jobs.begin();
        Ok(Self {
            manager,
            jobs,
            doors,
            address,
            live,
            listen,
            tracker,
            cancel,
            ended,
        })
    }

    /// Takes what can be taken of settings that were read again, and tells of all that differ. When
    /// something is wrong with them, everything stays as it is.
    pub fn reload(&self, mut config: Config) -> Result<Reloaded, Error> {
        if config.server.listen == self.listen {
            config.server.listen = self.address;
        }
        let tokens = config.server.tokens()?;
        // Where it listens changes only by a restart, and that is what would be open to everybody.
        if tokens.is_empty() && !self.address.ip().is_loopback() {
            return Err(Error::invalid_input(format!(
                "the service listens on {}, and there would be no token",
                self.address
            ))
            .hint("Keep a token, or restart the service with its new address."));
        }
        config.must_not_wait_for_itself()?;
        let reloaded = self.live.take(&config);
        self.jobs.renew_bridge();
        let (tokens, gone) = self.doors.replace_tokens(tokens);
        tracing::info!(tokens, gone, "the tokens were read again");
        Ok(reloaded)
    }

    /// Returns when a caller has wanted the service to end, and nothing is left that waits for it.
    pub async fn drained(&self) {
        self.ended.cancelled().await;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What answers what `/metrics` tells at that moment.
    pub fn measurements(&self) -> impl Fn() -> String + use<> {
        let doors = self.doors.clone();
        move || doors.measurements()
    }

    /// Its sessions.
    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Its front doors, for a client that comes by none of its sockets.
    pub fn doors(&self) -> &Doors {
        &self.doors
    }

    /// Answers everybody, closes every session, and leaves nothing behind.
    pub async fn shut_down(self) {
        let ending = async {
            // Before the sessions that jobs work in: what runs waits again.
            self.jobs.shut_down().await;
            self.manager.shut_down().await;
            self.cancel.cancel();
            self.tracker.close();
            self.tracker.wait().await;
        };
        if tokio::time::timeout(SHUTDOWN_MAX, ending).await.is_err() {
            tracing::warn!("some tasks did not end in time and are cut off");
        }
    }
}
