//! The registry: what is known of sessions on disk, for as long as they are kept.
//!
//! One SQLite file, written by one thread; whoever waits for [`Registry::put`] knows that it is on the
//! disk. A JSON file beside it, if one is wanted, shows the same to other programs. A disk that
//! refuses is told to whoever needed it and in [`Registry::problem`]; nothing else waits for it.

mod asks;
mod connections;
mod database;
mod gallery;
mod held;
mod jobs;
mod json;
mod marks;
mod notes;
mod queue;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use self::database::{Database, Failure};
use crate::disk::{Owned, Refused};
use crate::error::{Chain, Error};
use crate::model::{EndedSession, Kept, KeptLink, SessionId, SessionRecord};

pub use connections::{Kept as KeptConnection, Lookup};
pub use gallery::{Gallery, PictureName, Saved};
pub use jobs::{Claimed, JobFilter, NewJob, Run, Stop, Turn};
pub use notes::{Begun, Intended};
pub use queue::{Elsewhere, JobStore, Pulse, Settled};

/// Orders that may wait for the disk; whoever gives a further one waits.
const ORDERS_MAX: usize = 256;
/// Orders that are written at once.
const BATCH_MAX: usize = 64;

/// The file in the state directory.
const FILE: &str = "ghostcast.db";
/// Where profiles lie in it.
const PROFILES: &str = "profiles";

/// The registry. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    orders: Option<mpsc::Sender<Errand>>,
    known: Arc<Known>,
}

/// What is known of the registry's place.
#[derive(Debug)]
struct Known {
    directory: PathBuf,
    /// Whether a JSON file shows all sessions, those without a name among them.
    is_shown: bool,
    /// Whose the directory is, where it is another's.
    owner: Option<String>,
    problem: Problem,
}

/// Why nothing can be written, as far as is known.
type Problem = Arc<Mutex<Option<String>>>;

/// Where a registry lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its directory.
    pub directory: PathBuf,
    /// Whether that is where it lies if nobody says where.
    pub is_usual: bool,
}

#[derive(Debug)]
enum Errand {
    Change {
        change: Change,
        done: oneshot::Sender<Result<(), String>>,
    },
    Ended {
        wanted: Wanted,
        found: oneshot::Sender<Result<Vec<EndedSession>, String>>,
    },
    Links {
        found: oneshot::Sender<Result<Vec<KeptLink>, String>>,
    },
}

/// Which of the sessions that have ended.
#[derive(Debug)]
enum Wanted {
    All,
    /// That of an id, or those of a name or a room.
    Of(String),
}

#[derive(Debug)]
enum Change {
    Put(Box<Kept>),
    Remove(SessionId),
    Ended {
        session: Box<EndedSession>,
        /// Whether it runs still, and this is how it ends if nobody comes to say so.
        is_open: bool,
    },
    ForgetEnded {
        before: String,
    },
    /// The links of a session are these.
    Links {
        session: SessionId,
        links: Vec<KeptLink>,
    },
    /// Whatever else is done to the file.
    Work(Work),
}

/// What is done to the file in one transaction with what else is ordered at the time.
struct Work(Box<Doing>);

type Doing = dyn Fn(&rusqlite::Connection) -> Result<(), Failure> + Send;

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Work")
    }
}

/// Makes a record of what is stored, as the service has it by default.
pub type Restore<'a> = &'a dyn Fn(&crate::model::SessionSpec) -> SessionRecord;

impl Registry {
    /// Opens the registry at a place that no other process may use, and reads what is kept. A directory
    /// that cannot be written is a [`Registry::problem`], and no error: sessions without a name do not
    /// need it. Neither do those of a second service of the same user, whom nobody gave a place of its own.
    pub fn open(
        place: &Place,
        json: Option<&Path>,
        restore: Restore<'_>,
    ) -> Result<(Self, Vec<Kept>), Error> {
        let problem = Problem::default();
        // Spelled in one way, whatever the caller wrote: browsers are known by it.
        let spelled = std::path::absolute(&place.directory);
        let spelled = spelled.unwrap_or_else(|_| place.directory.clone());
        let directory = std::fs::canonicalize(&spelled).unwrap_or(spelled);
        let directory = directory.as_path();
        let registry = |orders, owner| Self {
            orders,
            known: Arc::new(Known {
                directory: directory.to_owned(),
                is_shown: json.is_some(),
                owner,
                problem: Arc::clone(&problem),
            }),
        };
        let opened = match Owned::take(directory) {
            Err(Refused::Held(owner)) if place.is_usual => {
                tracing::warn!(
                    owner,
                    directory = %directory.display(),
                    "another Ghostcast uses the user's state directory: this one keeps no sessions"
                );
                return Ok((registry(None, Some(owner)), Vec::new()));
            }
            Err(Refused::Held(owner)) => {
                return Err(Error::unavailable(format!(
                    "the state directory {} is in use by another Ghostcast ({owner})",
                    directory.display()
                ))
                .hint("End that one, or give this one a directory of its own with --state-dir."));
            }
            Err(Refused::Disk(error)) => Err(error.to_string()),
            Ok(lock) => {
                let opened = Database::open(&directory.join(FILE))
                    .and_then(|database| Ok((database.read(restore)?, database, lock)));
                if let Err(newer @ Failure::Newer { .. }) = &opened {
                    return Err(too_new(directory, newer));
                }
                opened.map_err(|error| error.to_string())
            }
        };
        let (kept, database, lock) = match opened {
            Ok(opened) => opened,
            Err(why) => {
                tracing::warn!(why, directory = %directory.display(), "the registry cannot be opened");
                set(&problem, Some(why));
                return Ok((registry(None, None), Vec::new()));
            }
        };
        let (orders, taken) = mpsc::channel(ORDERS_MAX);
        let mirror = json.map(|path| json::Mirror::new(path, &kept));
        let writer = Writer {
            database,
            mirror,
            problem: Arc::clone(&problem),
            _lock: lock,
        };
        let spawned = std::thread::Builder::new()
            .name("registry".to_owned())
            .spawn(move || writer.run(taken));
        let orders = spawned
            .map(|_| orders)
            .inspect_err(|error| set(&problem, Some(error.to_string())));
        Ok((registry(orders.ok(), None), kept))
    }

    /// Why nothing can be written, as far as is known.
    pub fn problem(&self) -> Option<String> {
        let problem = self.known.problem.lock();
        problem.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it takes anything of a session: of one without a name only to show it.
    pub fn takes(&self, record: &SessionRecord) -> bool {
        record.session_name.is_some() || self.known.is_shown
    }

    /// The directory of profiles, where it is ours.
    pub fn profiles(&self) -> Option<PathBuf> {
        self.orders.as_ref()?;
        Some(self.known.directory.join(PROFILES))
    }

    /// Where it is noted what vendors of remote browsers are to be told, where it is ours.
    pub fn remote_notes(&self) -> Option<PathBuf> {
        self.orders.as_ref()?;
        Some(self.known.directory.clone())
    }

    /// Where the profile of that name lies.
    pub fn profile(&self, name: &crate::model::SessionName) -> PathBuf {
        self.known.directory.join(PROFILES).join(name.as_str())
    }

    /// Writes a session down; when this returns, it is on the disk.
    pub async fn put(&self, kept: Kept) -> Result<(), Error> {
        self.order(Change::Put(Box::new(kept))).await
    }

    /// Forgets a session.
    pub async fn remove(&self, id: SessionId) -> Result<(), Error> {
        self.order(Change::Remove(id)).await
    }

    /// Writes down which links a session has; when this returns, they are on the disk.
    pub async fn put_links(&self, session: SessionId, links: Vec<KeptLink>) -> Result<(), Error> {
        self.order(Change::Links { session, links }).await
    }

    /// The links of all sessions that were kept.
    pub async fn links(&self) -> Result<Vec<KeptLink>, Error> {
        self.ask(|found| Errand::Links { found }).await
    }

    /// Writes down how a session has ended. One without events takes over what is known of its last end.
    pub async fn note_end(&self, session: EndedSession) -> Result<(), Error> {
        let session = Box::new(session);
        let is_open = false;
        self.order(Change::Ended { session, is_open }).await
    }

    /// Writes down how a session that runs will have ended, if the service does not live to say more.
    pub async fn note_life(&self, session: EndedSession) -> Result<(), Error> {
        let session = Box::new(session);
        let is_open = true;
        self.order(Change::Ended { session, is_open }).await
    }

    /// Forgets the sessions that ended before that time, ISO 8601.
    pub async fn forget_ended(&self, before: String) -> Result<(), Error> {
        self.order(Change::ForgetEnded { before }).await
    }

    /// The sessions that have ended, the newest first and without their events.
    pub async fn all_ended(&self) -> Result<Vec<EndedSession>, Error> {
        self.ended(Wanted::All).await
    }

    /// The session with that id that has ended, or those of that name or room, the newest first.
    pub async fn ended_of(&self, key: &str) -> Result<Vec<EndedSession>, Error> {
        self.ended(Wanted::Of(key.to_owned())).await
    }

    async fn ended(&self, wanted: Wanted) -> Result<Vec<EndedSession>, Error> {
        self.ask(|found| Errand::Ended { wanted, found }).await
    }

    /// Does something to the file; when this returns, it is on the disk. What it refuses is undone, and nothing
    /// else with it.
    async fn work<T: Send + 'static>(
        &self,
        work: impl Fn(&rusqlite::Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let slot = Arc::new(Mutex::new(None));
        let told = Arc::clone(&slot);
        let work = move |file: &rusqlite::Connection| {
            let (done, outcome) = match work(file) {
                Ok(done) => (Ok(done), Ok(())),
                Err(error) => (Err(error.to_string()), Err(error)),
            };
            *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
            outcome
        };
        self.order(Change::Work(Work(Box::new(work)))).await?;
        let done = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        match done {
            Some(Ok(done)) => Ok(done),
            Some(Err(why)) => Err(unusable(&why)),
            None => Err(Error::internal(
                "the registry did not do what it was asked to",
            )),
        }
    }

    async fn order(&self, change: Change) -> Result<(), Error> {
        self.ask(|done| Errand::Change { change, done }).await
    }

    async fn ask<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Errand,
    ) -> Result<T, Error> {
        let unwritable = |why: String| unusable(&why);
        if let Some(owner) = &self.known.owner {
            return Err(Error::unavailable(format!(
                "nothing is kept here: the state directory is in use by another Ghostcast ({owner})"
            ))
            .hint("Ask that one, or start this one with a directory of its own, by --state-dir."));
        }
        let Some(orders) = &self.orders else {
            return Err(unwritable(self.problem().unwrap_or_default()));
        };
        let (done, answer) = oneshot::channel();
        let gone = || unwritable("its thread has ended".to_owned());
        orders.send(order(done)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(unwritable)
    }
}

fn unusable(why: &str) -> Error {
    Error::unavailable(format!("the registry cannot be used: {why}")).hint(
        "Check the free space and the rights of the state directory; sessions without a name do not need it.",
    )
}

/// A file that an older service would not understand is not touched, and its sessions are not taken for lost.
fn too_new(directory: &Path, why: &Failure) -> Error {
    let file = directory.join(FILE);
    Error::unavailable(format!("the registry {} cannot be opened: {why}", file.display())).hint(
        "Start the newer Ghostcast again, which knows these sessions; or give this one a state directory of \
         its own with --state-dir, where it begins without any.",
    )
}

fn set(problem: &Problem, why: Option<String>) {
    *problem.lock().unwrap_or_else(PoisonError::into_inner) = why;
}

/// What the registry's thread has.
#[derive(Debug)]
struct Writer {
    database: Database,
    mirror: Option<json::Mirror>,
    problem: Problem,
    /// Let go with the thread: nobody else writes while it does.
    _lock: Owned,
}

impl Writer {
    /// Writes until nobody can order any more.
    fn run(mut self, mut orders: mpsc::Receiver<Errand>) {
        let mut batch = Vec::new();
        while orders.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
            let (mut changes, mut waiting, mut asked) = (Vec::new(), Vec::new(), Vec::new());
            for order in batch.drain(..) {
                match order {
                    Errand::Change { change, done } => {
                        changes.push(change);
                        waiting.push(done);
                    }
                    Errand::Ended { wanted, found } => asked.push((wanted, found)),
                    Errand::Links { found } => {
                        let links = self.database.links();
                        // Whoever asked may not wait.
                        let _ = found.send(links.map_err(|error| error.to_string()));
                    }
                }
            }
            if !changes.is_empty() {
                let written = self.write(&changes);
                set(&self.problem, written.as_ref().err().cloned());
                for done in waiting {
                    // Whoever ordered may not wait.
                    let _ = done.send(written.clone());
                }
            }
            for (wanted, found) in asked {
                let ended = self.database.ended(&wanted);
                let _ = found.send(ended.map_err(|error| error.to_string()));
            }
        }
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), String> {
        self.database.write(changes).map_err(|error| {
            tracing::warn!(error = %Chain(&error), "the registry cannot be written");
            error.to_string()
        })?;
        // It shows sessions.
        let is_shown = |change: &Change| matches!(change, Change::Put(_) | Change::Remove(_));
        let Some(mirror) = self
            .mirror
            .as_mut()
            .filter(|_| changes.iter().any(is_shown))
        else {
            return Ok(());
        };
        mirror.write(changes).map_err(|error| {
            tracing::warn!(%error, "the registry's JSON file cannot be written");
            error.to_string()
        })
    }
}
