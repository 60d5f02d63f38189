//! Jobs: work on pages that outlives its caller and the service, and the logins that it needs.
//!
//! ```text
//! Jobs               what the doors ask: jobs, connections, notes
//!   turns            whose turn it is: a worker for each queue, over the registry
//!     attempt        one attempt of one job, from its start to what becomes of it
//!       workflow     a platform's steps, on a page
//!       login        whether a platform shows that somebody is logged in
//!   connections      logins that are kept: made, verified, kept alive, expired
//!   notes            what `post_note` posts
//!   news             who is told: users, and those who watch a job
//! ```
//!
//! The registry holds all that must not be lost; here is nothing that a restart would miss.

mod attempt;
mod calendar;
mod connections;
mod lease;
mod login;
mod news;
mod notes;
mod order;
mod template;
mod turns;
mod workflow;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Live, Platform};
use crate::error::Error;
use crate::model::Queue;
use crate::session::Manager;
use crate::store::Registry;

pub use crate::store::{JobFilter, Lookup};
pub use connections::{Started, Verified};
pub use news::{JobNews, News, UserEvent, UserNews};
pub use notes::{Finalised, NoteOrder, NotePatch};
pub use order::{JobOrder, Put};

/// All jobs and connections of the service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Jobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    manager: Manager,
    registry: Registry,
    config: Live,
    news: News,
    /// There is something to do in a queue.
    woken: [Notify; 2],
    /// What runs, and what calls it off.
    running: Mutex<HashMap<String, (Queue, CancellationToken)>>,
    /// Who works with a profile.
    leases: lease::Leases,
    tracker: TaskTracker,
    /// The end of all work.
    end: CancellationToken,
}

impl Jobs {
    /// Jobs in the registry, done by sessions of the manager.
    pub fn new(manager: Manager, registry: Registry, config: Live) -> Self {
        Self(Arc::new(Inner {
            manager,
            registry,
            config,
            news: News::default(),
            woken: [Notify::new(), Notify::new()],
            running: Mutex::default(),
            leases: lease::Leases::default(),
            tracker: TaskTracker::new(),
            end: CancellationToken::new(),
        }))
    }

    /// Takes up the work: what was left, and what comes.
    pub async fn begin(&self) {
        // A registry that cannot be used has been told of, and holds no jobs.
        match self.0.registry.requeue_jobs().await {
            Ok(0) => (),
            Ok(count) => tracing::warn!(count, "jobs that a run left unfinished wait again"),
            Err(_) => return,
        }
        for queue in Queue::ALL {
            self.0.tracker.spawn(turns::serve(self.clone(), queue));
        }
        self.0.tracker.spawn(calendar::keep(self.clone()));
    }

    /// Ends the work: what runs waits again, as if it had not begun.
    pub async fn shut_down(&self) {
        self.0.end.cancel();
        self.0.tracker.close();
        self.0.tracker.wait().await;
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
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, (Queue, CancellationToken)>> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
