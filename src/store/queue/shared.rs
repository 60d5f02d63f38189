//! A queue that several services share: one that lives says so, runs what is its own or anybody's, and takes up what
//! one has left that is silent.
//!
//! What needs a login, a session or a note is bound to the service that has it on its disk, and waits for that one.
//! All else is anybody's. A service that cannot reach the queue leaves what is anybody's before another one may take
//! it up; what is bound to it goes on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, RwLock};

use super::local::is_as;
use super::postgres::Postgres;
use super::redis::Redis;
use super::row::{Change, Outcome, Row};
use super::{Beat, Changed, Claim, Elsewhere, Failure, Find, Pulse, Settled};
use crate::error::Error;
use crate::model::{Connection, Job, JobState, Note, Secret, UnixTime};
use crate::store::Registry;
use crate::store::jobs::{Claimed, NewJob, Run, Stop, Turn};

/// A call to the database that takes longer has failed.
const CALL_MAX: Duration = Duration::from_secs(5);
/// What others have changed is looked for so far back: a transaction may end late.
const OVERLAP: Duration = Duration::from_secs(5);
/// Changes of others that are told at one look; of more, the newest.
const CHANGES_MAX: i64 = 256;

/// Where the queue is.
#[derive(Debug)]
enum Backend {
    Postgres(Box<Postgres>),
    Redis(Box<Redis>),
}

/// Does the same to either.
macro_rules! of {
    ($self:ident, $backend:ident => $call:expr) => {
        // In a place of its own: whoever waits for it is small.
        $self.asked(Box::pin(async {
            match &$self.backend {
                Backend::Postgres($backend) => $call.await,
                Backend::Redis($backend) => $call.await,
            }
        }))
    };
}

/// The queue, as this service has it.
#[derive(Debug)]
pub(super) struct Shared {
    backend: Backend,
    /// What must not be told of its address.
    hidden: Vec<Secret>,
    /// A service that is silent for so long has ended.
    lost_after: Duration,
    service: OnceCell<String>,
    /// This run of the service.
    boot: String,
    /// Whether no other service goes by its name.
    is_ours: AtomicBool,
    /// What runs here, and whether others could do it.
    held: Mutex<HashMap<(String, u32), bool>>,
    /// Held by whoever claims, and alone by whoever compares what is held with the queue.
    claiming: RwLock<()>,
    /// A note gets one job at a time.
    noting: tokio::sync::Mutex<()>,
    problem: Mutex<Option<String>>,
    /// When it was heard last that the service lives.
    beaten: Mutex<Instant>,
    known: Mutex<Known>,
}

/// What is known of changes elsewhere.
#[derive(Debug)]
struct Known {
    at: Instant,
    of: HashMap<String, (i64, JobState)>,
}

impl Shared {
    pub(super) fn new(url: &str, lost_after: Duration) -> Result<Self, Error> {
        let address = url::Url::parse(url).ok();
        let scheme = address.as_ref().map_or("", url::Url::scheme);
        let backend = match scheme {
            "postgres" | "postgresql" => {
                Postgres::new(url).map(|it| Backend::Postgres(Box::new(it)))
            }
            "redis" | "rediss" => Redis::new(url).map(|it| Backend::Redis(Box::new(it))),
            _ => Err(Failure::new("it begins with postgres:// or redis://")),
        };
        let password = address.as_ref().and_then(url::Url::password);
        let hidden = password.into_iter().flat_map(|password| {
            let plain = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
            [plain.into_owned(), password.to_owned()]
        });
        let hidden = hidden.filter(|word| !word.is_empty());
        let hidden: Vec<Secret> = hidden.chain([url.to_owned()]).map(Secret::from).collect();
        let backend = backend.map_err(|failure| {
            Error::invalid_input(format!(
                "jobs.queue_url is not valid: {}",
                without(&hidden, failure.0)
            ))
            .hint("Write it as postgres://user:password@host/database or redis://host:6379/0.")
        })?;
        Ok(Self {
            backend,
            hidden,
            lost_after,
            service: OnceCell::new(),
            boot: uuid::Uuid::new_v4().to_string(),
            is_ours: AtomicBool::new(true),
            held: Mutex::default(),
            claiming: RwLock::new(()),
            noting: tokio::sync::Mutex::new(()),
            problem: Mutex::default(),
            beaten: Mutex::new(Instant::now()),
            known: Mutex::new(Known {
                at: Instant::now(),
                of: HashMap::new(),
            }),
        })
    }

    /// Asks the database, within its time, and keeps in mind whether it could.
    async fn asked<T>(&self, call: impl Future<Output = Result<T, Failure>>) -> Result<T, Error> {
        let done = tokio::time::timeout(CALL_MAX, call).await;
        let done = done.unwrap_or_else(|_| Err(Failure::new("it does not answer in time")));
        let why = done
            .as_ref()
            .err()
            .map(|failure| without(&self.hidden, failure.0.clone()));
        self.set_problem(why.clone());
        done.map_err(|_| {
            let why = why.unwrap_or_default();
            Error::unavailable(format!("the shared job queue cannot be used: {why}")).hint(
                "Nothing of it is lost. Check jobs.queue_url and the database; it is tried again by itself.",
            )
        })
    }

    fn set_problem(&self, why: Option<String>) {
        let mut problem = lock(&self.problem);
        match (&*problem, &why) {
            (None, Some(why)) => tracing::warn!(why, "the shared job queue cannot be used"),
            (Some(_), None) => tracing::info!("the shared job queue can be used again"),
            _ => (),
        }
        *problem = why;
    }

    /// Why it cannot be used, as far as is known.
    pub(super) fn problem(&self) -> Option<String> {
        if !self.is_ours.load(Ordering::Relaxed) {
            return Some(NOT_OURS.to_owned());
        }
        lock(&self.problem).clone()
    }

    /// What this service is called in the queue.
    pub(super) async fn service(&self, registry: &Registry) -> Result<&str, Error> {
        let name = self.service.get_or_try_init(|| registry.service_name());
        name.await.map(String::as_str)
    }

    pub(super) async fn row(&self, job_id: &str) -> Result<Option<Row>, Error> {
        Ok(self.find(Find::Job(job_id)).await?.into_iter().next())
    }

    pub(super) async fn find(&self, wanted: Find<'_>) -> Result<Vec<Row>, Error> {
        of!(self, it => it.find(&wanted)).await
    }

    pub(super) async fn put(&self, registry: &Registry, new: NewJob) -> Result<(Job, bool), Error> {
        let here = self.service(registry).await?;
        let row = Row::new(&new, here).dated();
        let since = new.unique_since.0;
        let Some(note_id) = row.job.note_id() else {
            let (row, is_new) = of!(self, it => it.put(&row, since, here)).await?;
            return Ok((row.job, is_new));
        };
        let _alone = self.noting.lock().await;
        let live = self.find(Find::OfNote(note_id)).await?;
        if let Some(there) = live.into_iter().next() {
            registry.give_note(note_id, &there.job.job_id).await?;
            return Ok((there.job, false));
        }
        // Before it is in the queue: it may begin at once. Of a job that does not come to be nobody hears.
        registry.give_note(note_id, &row.job.job_id).await?;
        let (there, is_new) = of!(self, it => it.put(&row, since, here)).await?;
        if !is_new {
            registry.give_note(note_id, &there.job.job_id).await?;
        }
        Ok((there.job, is_new))
    }

    pub(super) async fn claim(&self, registry: &Registry, turn: Turn) -> Result<Claimed, Error> {
        let here = self.service(registry).await?;
        let _claiming = self.claiming.read().await;
        if !self.is_ours.load(Ordering::Relaxed) {
            return Ok(Claimed::None(None));
        }
        match of!(self, it => it.claim(&turn, here)).await? {
            Claim::Not(why) => Ok(why),
            Claim::Row(row) => {
                let is_anybodys = row.home.is_none();
                let run = row.run();
                let key = (run.job.job_id.clone(), run.number);
                self.held().insert(key, is_anybodys);
                Ok(Claimed::Job(Box::new(run)))
            }
        }
    }

    /// Changes a job in one go; answers it as it is then, and whether it was changed.
    pub(super) async fn change(
        &self,
        registry: &Registry,
        job_id: &str,
        change: impl Fn(&mut Row) -> Option<Outcome> + Send + Sync,
    ) -> Result<Option<(Row, bool)>, Error> {
        let here = self.service(registry).await?;
        let change: Change<'_> = &change;
        of!(self, it => it.change(job_id, here, change)).await
    }

    pub(super) async fn stop(
        &self,
        registry: &Registry,
        run: &Run,
        stop: Stop,
        notices: &(dyn Fn(&Job) -> Vec<NewJob> + Send + Sync),
    ) -> Result<Option<(Job, Option<Note>)>, Error> {
        let stopped = self.change(registry, &run.job.job_id, |row| {
            let mut outcome = row.stop(run.number, &stop)?;
            if matches!(stop.state, JobState::Failed | JobState::PendingHuman) {
                outcome.more = notices(&row.clone().dated().job);
            }
            Some(outcome)
        });
        let stopped = stopped.await?;
        self.let_go(run);
        let Some((mut row, true)) = stopped else {
            return Ok(None);
        };
        if row.job.state == JobState::PendingAuth
            && let Ok(Some(login)) = self.login_of(registry, &row).await
            && let Ok(Some((released, true))) = self
                .change(registry, &run.job.job_id, |row| {
                    let here = row.home.clone().unwrap_or_default();
                    row.release(&login, &here, stop.now.0)
                        .then(Outcome::default)
                })
                .await
        {
            row = released;
        }
        let note = self.follow(registry, &row, stop.now).await;
        Ok(Some((row.job, note)))
    }

    /// The login that a job waits for, where it was seen since the job began.
    async fn login_of(&self, registry: &Registry, row: &Row) -> Result<Option<Connection>, Error> {
        let here = self.service(registry).await?;
        let (Some(user), Some(platform)) = (&row.job.user_id, &row.job.platform) else {
            return Ok(None);
        };
        match row.is_for(here) {
            true => registry.login_seen(user, platform, row.waits_since()).await,
            false => Ok(None),
        }
    }

    /// A run is this service's no more.
    pub(super) fn let_go(&self, run: &Run) {
        self.held().remove(&(run.job.job_id.clone(), run.number));
    }

    fn held(&self) -> MutexGuard<'_, HashMap<(String, u32), bool>> {
        lock(&self.held)
    }

    /// The note of a job becomes what the job is, where it is kept here; answers it. What cannot be written is
    /// written when it is reconciled.
    pub(super) async fn follow(
        &self,
        registry: &Registry,
        row: &Row,
        now: UnixTime,
    ) -> Option<Note> {
        let here = self.service(registry).await.ok()?;
        row.job.note_id().filter(|_| row.is_for(here))?;
        registry.follow_note(row.job.clone(), now).await.ok()?
    }

    /// This run of the service begins: what the last one has left running waits again.
    pub(super) async fn take_up(&self, registry: &Registry) -> Result<usize, Error> {
        let here = self.service(registry).await?;
        of!(self, it => it.register(here, &self.boot)).await?;
        *lock(&self.beaten) = Instant::now();
        let left = self.find(Find::RunBy(here)).await?;
        let mut count = 0;
        for row in left {
            let key = (row.job.job_id.clone(), row.run);
            if !self.held().contains_key(&key) && self.give_back(registry, &row).await?.is_some() {
                count += 1;
            }
        }
        Ok(count)
    }

    async fn give_back(&self, registry: &Registry, row: &Row) -> Result<Option<Job>, Error> {
        let (run, owner) = (row.run, &row.owner);
        let given = self.change(registry, &row.job.job_id, |row| {
            let is_same = row.owner == *owner;
            (is_same && row.give_back(run)).then(Outcome::default)
        });
        Ok(given
            .await?
            .filter(|(_, is_given)| *is_given)
            .map(|(row, _)| row.job))
    }

    /// Jobs of the registry that are not over come to this queue: those of a time before it, and what was written
    /// with a connection.
    pub(super) async fn forward(&self, registry: &Registry) -> Result<(), Error> {
        let here = self.service(registry).await?;
        loop {
            let left = registry.jobs_left().await?;
            if left.is_empty() {
                return Ok(());
            }
            for row in left {
                let row = row.forwarded(here).dated();
                // None is the same as another one but by its id, or by its note.
                of!(self, it => it.put(&row, f64::MAX, here)).await?;
                registry.hand_over(&row.job.job_id).await?;
            }
        }
    }

    pub(super) async fn forget(&self, before: UnixTime) -> Result<usize, Error> {
        of!(self, it => it.forget(before.0)).await
    }

    pub(super) async fn beat(&self, registry: &Registry) -> Result<Pulse, Error> {
        let here = self.service(registry).await?;
        // Nothing is claimed meanwhile: what runs and is not held is nobody's.
        let alone = self.claiming.write().await;
        let lost_after = self.lost_after;
        let began = Instant::now();
        let beat = of!(self, it => it.beat(here, &self.boot, lost_after)).await?;
        let Beat {
            is_ours,
            running,
            lost,
        } = beat;
        *lock(&self.beaten) = began;
        if !is_ours && self.is_ours.swap(false, Ordering::Relaxed) {
            tracing::error!("{NOT_OURS}");
        }
        let held: Vec<(String, u32)> = self.held().keys().cloned().collect();
        drop(alone);
        let is_running = |key: &(String, u32)| {
            let is_it = |row: &Row| row.job.job_id == key.0 && row.run == key.1;
            is_ours && running.iter().any(is_it)
        };
        let stray = held
            .iter()
            .filter(|key| !is_running(key))
            .cloned()
            .collect();
        let mut returned = Vec::new();
        if is_ours {
            let is_left = |row: &Row| !held.contains(&(row.job.job_id.clone(), row.run));
            for row in running.into_iter().filter(is_left).chain(lost) {
                returned.extend(self.give_back(registry, &row).await?);
            }
        }
        Ok(Pulse { stray, returned })
    }

    /// Runs that another service may soon take up, because this one cannot say that it lives.
    pub(super) fn adrift(&self) -> Vec<(String, u32)> {
        if lock(&self.beaten).elapsed() < self.lost_after * 2 / 3 {
            return Vec::new();
        }
        let held = self.held();
        let anybodys = held.iter().filter(|(_, is_anybodys)| **is_anybodys);
        anybodys.map(|(key, _)| key.clone()).collect()
    }

    pub(super) async fn changes(
        &self,
        registry: &Registry,
        now: UnixTime,
    ) -> Result<Vec<Elsewhere>, Error> {
        let here = self.service(registry).await?;
        let (began, since) = (Instant::now(), lock(&self.known).at.elapsed());
        let within = since + OVERLAP;
        let changed = of!(self, it => it.changed(within, here, CHANGES_MAX)).await?;
        let mut news = Vec::new();
        {
            let mut known = lock(&self.known);
            known.at = began;
            let mut of = HashMap::new();
            for Changed { version, row } in changed {
                let before = known.of.get(&row.job.job_id).copied();
                of.insert(row.job.job_id.clone(), (version, row.job.state));
                if before.is_none_or(|(before, _)| before < version) {
                    let is_turned = before.is_none_or(|(_, before)| before != row.job.state);
                    news.push((row, is_turned));
                }
            }
            known.of = of;
        }
        let mut told = Vec::new();
        for (row, is_turned) in news {
            let note = self.follow(registry, &row, now).await.filter(|_| is_turned);
            told.push(Elsewhere {
                job: row.job,
                is_turned,
                note,
            });
        }
        Ok(told)
    }

    pub(super) async fn reconcile(
        &self,
        registry: &Registry,
        now: UnixTime,
    ) -> Result<Settled, Error> {
        self.forward(registry).await?;
        let mut settled = Settled::default();
        for row in self.find(Find::Held).await? {
            if row.job.state == JobState::PendingAuth
                && let Some(login) = self.login_of(registry, &row).await?
            {
                let released = self.release_one(registry, &row, &login, now).await?;
                settled.released.extend(released);
            }
        }
        for (note, job_id) in registry.unsettled_notes().await? {
            match self.row(&job_id).await? {
                None => registry.lose_note(note, &job_id, now).await?,
                Some(row) if is_as(&note, row.job.state) => (),
                Some(row) => {
                    let state = row.job.state;
                    let note = self.follow(registry, &row, now).await;
                    settled.notes.extend(note.map(|note| (state, note)));
                }
            }
        }
        Ok(settled)
    }
}

/// Two services of one name would run each other's jobs.
const NOT_OURS: &str = "another service goes by this one's name in the shared job queue: one's state directory is a \
     copy of the other's. This one runs no jobs until it is restarted with a state directory of its own";

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A text without what must not be told.
fn without(hidden: &[Secret], text: String) -> String {
    let hidden = hidden.iter().map(Secret::reveal);
    hidden.fold(text, |text, word| text.replace(word, "…"))
}
