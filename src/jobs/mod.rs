//! Jobs: work on pages that outlives its caller and the service, and the logins that it needs.
//!
//! ```text
//! Jobs               what the doors ask: jobs, connections, notes
//!   turns            whose turn it is: a worker for each queue, over the registry
//!     attempt        one attempt of one job, from its start to what becomes of it
//!       workflow     a platform's steps, on a page
//!       locate       the element of a step: by selectors, by its name, by a model that sees
//!       login        whether a platform shows that somebody is logged in
//!       within       work in a session that its caller keeps
//!       bridged      work that a process of the operator's does
//!   connections      logins that are kept: made, verified, kept alive, expired
//!   people           people who are asked for, and what comes of their Done
//!   notes            what `post_note` posts
//!   elsewhere        other services that share the queue
//!   news             who is told: users, and those who watch a job
//!   notices          what the operator is told, by webhook and mail
//! ```
//!
//! The registry, and the queue where it is another one, hold all that must not be lost; here is nothing that a restart
//! would miss.

mod attempt;
mod bridged;
mod calendar;
mod connections;
mod elsewhere;
mod lease;
mod locate;
mod login;
mod news;
mod notes;
mod notices;
mod order;
mod people;
mod site;
mod template;
mod turns;
mod within;
mod workflow;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Live, Platform};
use crate::error::Error;
use crate::model::{Queue, UnixTime};
use crate::session::Manager;
use crate::store::{JobStore, Registry};

pub use crate::store::{JobFilter, Lookup};
pub use connections::{PlatformName, Started, Verified};
pub use news::{News, UserEvent, UserNews};
pub use notes::{Finalised, NoteOrder, NotePatch};
pub use order::{JobOrder, Put};
pub use people::{Aftermath, AftermathState, Asked, TheirScreen};

/// What runs at the end of the service ends within this time.
const SHUTDOWN_MAX: Duration = Duration::from_millis(1_500);
/// A queue that cannot be used is asked again after this time.
const AGAIN: Duration = Duration::from_secs(5);

/// All jobs and connections of the service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Jobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    manager: Manager,
    registry: Registry,
    queue: JobStore,
    config: Live,
    news: News,
    /// There is something to do in a queue.
    woken: [Notify; Queue::ALL.len()],
    /// What runs, and what calls it off.
    running: Mutex<HashMap<(String, u32), (Queue, CancellationToken)>>,
    /// Who works with a profile.
    leases: lease::Leases,
    /// What has come of what people have done.
    aftermaths: Mutex<people::Aftermaths>,
    /// Verifications that people have begun.
    under_way: Mutex<people::UnderWay>,
    /// A process of the operator's that does work, where one is set.
    bridge: Mutex<Option<Arc<bridged::Kept>>>,
    tracker: TaskTracker,
    /// The end of all work.
    end: CancellationToken,
}

impl Jobs {
    /// Jobs of a queue, done by sessions of the manager; all else that is kept of them is in the registry.
    pub fn new(manager: Manager, registry: Registry, queue: JobStore, config: Live) -> Self {
        let (tracker, end) = (TaskTracker::new(), CancellationToken::new());
        let bridge = bridged::Kept::of(&config.now().bridge, &end);
        Self(Arc::new(Inner {
            manager,
            registry,
            queue,
            config,
            news: News::default(),
            woken: Default::default(),
            running: Mutex::default(),
            leases: lease::Leases::default(),
            aftermaths: Mutex::default(),
            under_way: Mutex::default(),
            bridge: Mutex::new(bridge),
            tracker,
            end,
        }))
    }

    /// Takes up the work: what was left, and what comes.
    pub fn begin(&self) {
        let jobs = self.clone();
        self.0.tracker.spawn(async move { jobs.take_up().await });
    }

    /// What a run that was killed has left is put right; then the queues are worked off.
    async fn take_up(self) {
        loop {
            match self.put_right().await {
                Ok(()) => break,
                // It has been told of; without a queue there are no jobs.
                Err(_) => {
                    let pause = tokio::time::sleep(AGAIN.min(self.0.queue.look_every()));
                    if self.0.end.run_until_cancelled(pause).await.is_none() {
                        return;
                    }
                }
            }
        }
        for queue in Queue::ALL {
            self.0.tracker.spawn(turns::serve(self.clone(), queue));
        }
        self.0.tracker.spawn(people::hear(self.clone()));
        self.0.tracker.spawn(calendar::keep(self.clone()));
        self.0.tracker.spawn(elsewhere::share(self.clone()));
    }

    async fn put_right(&self) -> Result<(), Error> {
        let count = self.0.queue.requeue_jobs().await?;
        if count > 0 {
            tracing::warn!(count, "jobs that a run left unfinished wait again");
        }
        self.0.queue.release_jobs(UnixTime::now()).await?;
        self.clear_own().await
    }

    /// Ends the work: what runs waits again, as if it had not begun.
    pub async fn shut_down(&self) {
        self.0.end.cancel();
        self.0.tracker.close();
        let bridge = async {
            if let Some(bridge) = self.bridge() {
                bridge.ended().await;
            }
        };
        // What takes longer is cut off, and found unfinished at the next start.
        let working = tokio::time::timeout(SHUTDOWN_MAX, self.0.tracker.wait());
        // Its own bound is a little longer: it may be a service itself.
        let (worked, ()) = tokio::join!(working, bridge);
        if worked.is_err() {
            tracing::warn!("a job did not end in time and is cut off");
        }
    }

    /// Tells a user.
    pub fn tell_user(&self, user_id: &str, event: UserEvent) {
        self.0.news.user(user_id, event);
    }

    /// What people call a platform.
    pub fn label(&self, platform: &str) -> String {
        match self.platform(platform) {
            Ok(platform) => platform.label,
            Err(_) => platform.to_owned(),
        }
    }

    /// Who is told of what.
    pub fn news(&self) -> &News {
        &self.0.news
    }

    /// The settings now.
    fn config(&self) -> Arc<Config> {
        self.0.config.now()
    }

    /// A platform by its name.
    fn platform(&self, name: &str) -> Result<Platform, Error> {
        let config = self.config();
        let platforms = &config.platforms.0;
        if let Some(platform) = platforms.get(name) {
            let mut platform = platform.clone();
            if platform.label.is_empty() {
                name.clone_into(&mut platform.label);
            }
            return Ok(platform);
        }
        let shown: String = name.chars().take(64).collect();
        let known: Vec<&str> = platforms.keys().map(String::as_str).collect();
        Err(
            Error::not_found(format!("no platform is called \"{shown}\"")).hint(format!(
                "There are {}. Further ones are set as [platforms.NAME].",
                known.join(", ")
            )),
        )
    }

    /// Lets a queue look again.
    fn wake(&self, queue: Queue) {
        // A worker that is about to wait finds it.
        self.woken(queue).notify_one();
    }

    fn woken(&self, queue: Queue) -> &Notify {
        match queue {
            Queue::Automation => &self.0.woken[0],
            Queue::Maintenance => &self.0.woken[1],
            Queue::Notices => &self.0.woken[2],
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<(String, u32), (Queue, CancellationToken)>> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
