//! Where jobs are kept: in the registry, or in a database that several services share.
//!
//! ```text
//! JobStore        what jobs need of their queue, wherever it is
//!   (registry)    one service's own: `store::jobs`, in one transaction with notes and connections
//!   shared        several services': the same by rows that are read, changed and written back
//!     local       what that needs of the registry: notes, logins, jobs of before
//!     row         what may happen to a job, decided once for both databases; pure
//!     postgres    PostgreSQL
//!     redis       Redis
//!     waiting     what waits for a login or a person
//!     tls         how both are reached in secret
//! ```
//!
//! Notes, connections and profiles stay in the registry of the service that has them. Of a job in a shared queue its
//! note is told afterwards: what a crash leaves between the two is put right from the job, which is what holds.

mod local;
mod postgres;
mod redis;
mod row;
#[cfg(test)]
mod servers;
mod shared;
#[cfg(test)]
mod tests;
mod tls;
mod waiting;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use self::row::Row;
use self::shared::Shared;
use super::Registry;
use super::connections::Kept as KeptConnection;
use super::jobs::{Claimed, JobFilter, NewJob, Run, Stop, Turn};
use crate::error::Error;
use crate::model::{Connection, HumanAsk, Job, JobError, JobProgress, JobState, Note, UnixTime};

pub(super) use row::{Found, refused};

/// A shared queue is asked this often whether there is something to do.
const POLL: Duration = Duration::from_secs(1);
/// The registry's own is looked at this often, whatever else happens: the clock may be set.
const LOOK: Duration = Duration::from_secs(30);

/// The queue of jobs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct JobStore {
    registry: Registry,
    shared: Option<Arc<Shared>>,
}

/// What a service that shares its queue learns when it says that it lives.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Runs of its own that are not the jobs' any more: they were called off elsewhere, or given to another service.
    pub stray: Vec<(String, u32)>,
    /// Jobs that wait again, which nobody runs any more.
    pub returned: Vec<Job>,
}

/// A job that another service has changed.
#[derive(Debug)]
pub struct Elsewhere {
    /// As it is now.
    pub job: Job,
    /// Whether its state is another one than was known.
    pub is_turned: bool,
    /// Its note, where that is kept here and has changed with it.
    pub note: Option<Note>,
}

/// What was put right between a shared queue and the registry.
#[derive(Debug, Default)]
pub struct Settled {
    /// Jobs that go on.
    pub released: Vec<Job>,
    /// Notes, and what their jobs have become.
    pub notes: Vec<(JobState, Note)>,
}

/// Why a shared queue cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
struct Failure(String);

impl Failure {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    fn from_error(error: &(dyn std::error::Error + 'static)) -> Self {
        Self(crate::error::Chain(error).to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::from_error(&error)
    }
}

/// Which rows.
enum Find<'a> {
    /// That of this id.
    Job(&'a str),
    /// The newest of these.
    Of(&'a JobFilter),
    /// Those that wait for somebody.
    Held,
    /// Those that have asked for a person and are not over.
    Asking,
    /// Those of a note that are not over.
    OfNote(&'a str),
    /// Those that this service runs.
    RunBy(&'a str),
}

/// What came of a turn in a shared queue.
enum Claim {
    /// This row, which runs now.
    Row(Box<Row>),
    /// None.
    Not(Claimed),
}

/// A row that another service has changed lately.
struct Changed {
    version: i64,
    row: Row,
}

/// What a shared queue answers a service that lives.
struct Beat {
    /// Whether no other one goes by its name.
    is_ours: bool,
    /// What it runs, as far as the queue knows.
    running: Vec<Row>,
    /// What services run that are silent, and what others can do.
    lost: Vec<Row>,
}

impl JobStore {
    /// The registry's queue, or the one at that address, which is not asked yet.
    pub fn open(registry: Registry, url: &str, lost_after: Duration) -> Result<Self, Error> {
        let shared = match url {
            "" => None,
            url => Some(Arc::new(Shared::new(url, lost_after)?)),
        };
        Ok(Self { registry, shared })
    }

    /// Whether other services may share it.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Why it cannot be used, as far as is known; the registry tells of itself.
    pub fn problem(&self) -> Option<String> {
        self.shared.as_ref()?.problem()
    }

    /// It is looked at this often, whatever else happens.
    pub fn look_every(&self) -> Duration {
        match self.is_shared() {
            true => POLL,
            false => LOOK,
        }
    }

    /// What this service is called in a shared queue; nothing where it is its own.
    pub async fn service(&self) -> Result<String, Error> {
        match &self.shared {
            Some(shared) => Ok(shared.service(&self.registry).await?.to_owned()),
            None => Ok(String::new()),
        }
    }

    /// Puts a job in its queue, unless the same was put there lately: then it answers that one, and false.
    pub async fn put_job(&self, new: NewJob) -> Result<(Job, bool), Error> {
        match &self.shared {
            Some(shared) => shared.put(&self.registry, new).await,
            None => self.registry.put_job(new).await,
        }
    }

    /// The job of that id.
    pub async fn job(&self, job_id: &str) -> Result<Option<Job>, Error> {
        match &self.shared {
            Some(shared) => Ok(shared.row(job_id).await?.map(|row| row.job)),
            None => self.registry.job(job_id).await,
        }
    }

    /// Jobs, the newest first.
    pub async fn jobs(&self, filter: JobFilter) -> Result<Vec<Job>, Error> {
        match &self.shared {
            Some(shared) => {
                let found = shared.find(Find::Of(&filter)).await?;
                Ok(found.into_iter().map(|row| row.job).collect())
            }
            None => self.registry.jobs(filter).await,
        }
    }

    /// Takes the next job of a queue; it runs from then on.
    pub async fn claim_job(&self, turn: Turn) -> Result<Claimed, Error> {
        match &self.shared {
            Some(shared) => shared.claim(&self.registry, turn).await,
            None => self.registry.claim_job(turn).await,
        }
    }

    /// Writes down how far a run of a job is.
    pub async fn note_progress(&self, run: &Run, progress: JobProgress) -> Result<(), Error> {
        match &self.shared {
            Some(shared) => {
                let noted = shared.change(&self.registry, &run.job.job_id, |row| {
                    row.note_progress(run.number, &progress)
                        .then(Default::default)
                });
                noted.await.map(drop)
            }
            None => self.registry.note_progress(run, progress).await,
        }
    }

    /// Writes down what a run of a job is about to do that must not be done twice, for the job and for its note.
    /// Answers whether the run is still the job's.
    pub async fn note_intent(&self, run: &Run, intent: &str) -> Result<bool, Error> {
        match &self.shared {
            Some(shared) => {
                // The note's first: whoever finds one looks before anything is done.
                if let Some(note_id) = run.job.note_id() {
                    self.registry.intend_note(note_id, intent).await?;
                }
                let noted = shared.change(&self.registry, &run.job.job_id, |row| {
                    row.note_intent(run.number, intent).then(Default::default)
                });
                Ok(noted.await?.is_some_and(|(_, is_noted)| is_noted))
            }
            None => self.registry.note_intent(run, intent).await,
        }
    }

    /// Ends a run, unless the job was called off meanwhile: then nothing is answered. Its note becomes what the
    /// job does. A job that would wait for a login that was seen since it began goes on. With one that has failed or
    /// waits for a person, its `notices` are put in their queue.
    pub async fn stop_job(
        &self,
        run: &Run,
        stop: Stop,
        notices: impl Fn(&Job) -> Vec<NewJob> + Send + Sync + 'static,
    ) -> Result<Option<(Job, Option<Note>)>, Error> {
        match &self.shared {
            Some(shared) => shared.stop(&self.registry, run, stop, &notices).await,
            None => self.registry.stop_job(run, stop, notices).await,
        }
    }

    /// A run whose end nobody writes down: it was called off, or is given back.
    pub fn let_go(&self, run: &Run) {
        if let Some(shared) = &self.shared {
            shared.let_go(run);
        }
    }

    /// Brings a job from one of these states to another: to be called off, to be tried anew. Answers the job,
    /// and whether it was in one of them.
    pub async fn turn_job(
        &self,
        job_id: &str,
        from: &'static [JobState],
        to: JobState,
        now: UnixTime,
    ) -> Result<Option<(Job, Option<Note>, bool)>, Error> {
        match &self.shared {
            Some(shared) => {
                let turned = shared.change(&self.registry, job_id, |row| {
                    row.turn(from, to, now).then(Default::default)
                });
                let Some((row, is_turned)) = turned.await? else {
                    return Ok(None);
                };
                let note = match is_turned {
                    true => shared.follow(&self.registry, &row, now).await,
                    false => None,
                };
                Ok(Some((row.job, note, is_turned)))
            }
            None => self.registry.turn_job(job_id, from, to, now).await,
        }
    }

    /// What this service has left running when it was killed waits again, each before what was asked for after it;
    /// and what waits in the registry comes to the queue that is shared. Answers how many were left.
    pub async fn requeue_jobs(&self) -> Result<usize, Error> {
        let left = self.registry.requeue_jobs().await;
        match &self.shared {
            Some(shared) => {
                let back = shared.take_up(&self.registry).await?;
                shared.forward(&self.registry).await?;
                Ok(back + left.unwrap_or_default())
            }
            None => left,
        }
    }

    /// Forgets jobs that ended before that time. Answers how many there were.
    pub async fn forget_jobs(&self, before: UnixTime) -> Result<usize, Error> {
        match &self.shared {
            Some(shared) => shared.forget(before).await,
            None => self.registry.forget_jobs(before).await,
        }
    }

    /// Says that this service lives, and learns what that makes of its jobs and of others'.
    pub async fn beat(&self) -> Result<Pulse, Error> {
        match &self.shared {
            Some(shared) => shared.beat(&self.registry).await,
            None => Ok(Pulse::default()),
        }
    }

    /// Runs of this service that another one may soon take up, because the queue could not be reached for long. None
    /// of those that only this one can do.
    pub fn adrift(&self) -> Vec<(String, u32)> {
        match &self.shared {
            Some(shared) => shared.adrift(),
            None => Vec::new(),
        }
    }

    /// What other services have changed since it was asked for last.
    pub async fn changes(&self, now: UnixTime) -> Result<Vec<Elsewhere>, Error> {
        match &self.shared {
            Some(shared) => shared.changes(&self.registry, now).await,
            None => Ok(Vec::new()),
        }
    }

    /// What a crash, or a database that was away, has left between the shared queue and the registry is put right:
    /// notes become what their jobs are, what waits for a login that was seen goes on, notices come to their queue.
    pub async fn reconcile(&self, now: UnixTime) -> Result<Settled, Error> {
        match &self.shared {
            Some(shared) => shared.reconcile(&self.registry, now).await,
            None => Ok(Settled::default()),
        }
    }
}

/// Jobs that wait for somebody.
impl JobStore {
    /// Writes down what a run asks a person for. Answers whether the run is still the job's.
    pub async fn note_ask(&self, run: &Run, ask: HumanAsk) -> Result<bool, Error> {
        match &self.shared {
            Some(shared) => {
                let here = shared.service(&self.registry).await?;
                let noted = shared.change(&self.registry, &run.job.job_id, |row| {
                    row.note_ask(run.number, &ask, here).then(Default::default)
                });
                Ok(noted.await?.is_some_and(|(_, is_noted)| is_noted))
            }
            None => self.registry.note_ask(run, ask).await,
        }
    }

    /// A job, and what it asks a person for.
    pub async fn human_ask(&self, job_id: &str) -> Result<Option<(Job, Option<HumanAsk>)>, Error> {
        let Some(shared) = &self.shared else {
            return self.registry.human_ask(job_id).await;
        };
        let here = shared.service(&self.registry).await?;
        let Some(row) = shared.row(job_id).await? else {
            return Ok(None);
        };
        if row.job.state == JobState::PendingHuman && !row.is_for(here) {
            return Err(Error::conflict(
                "the job asks for a person in a session of another service",
            )
            .hint("Ask the service that ran it: its page is on that one's disk."));
        }
        Ok(Some((row.job, row.ask)))
    }

    /// The job whose person was let into that session last, and what it asks for.
    pub async fn human_ask_in(
        &self,
        session: &str,
    ) -> Result<Option<(Job, Option<HumanAsk>)>, Error> {
        match &self.shared {
            Some(shared) => {
                let here = shared.service(&self.registry).await?;
                let held = shared.find(Find::Held).await?;
                let asks = |row: &Row| {
                    row.job.state == JobState::PendingHuman
                        && row.is_for(here)
                        && row.ask_session.as_deref() == Some(session)
                };
                let found = held.into_iter().find(asks);
                Ok(found.map(|row| (row.job, row.ask)))
            }
            None => self.registry.human_ask_in(session).await,
        }
    }

    /// Whoever is let into that session from now on does what this job asks for, or what no job does.
    pub async fn open_ask(&self, session: &str, job_id: Option<&str>) -> Result<(), Error> {
        match &self.shared {
            Some(shared) => shared.open_ask(&self.registry, session, job_id).await,
            None => self.registry.open_ask(session, job_id).await,
        }
    }

    /// A person has done what a job asked for, and has left that page: the job goes on, in the place that it had.
    pub async fn answer_ask(
        &self,
        job_id: &str,
        url: &str,
        now: UnixTime,
    ) -> Result<Option<(Job, Option<Note>)>, Error> {
        match &self.shared {
            Some(shared) => {
                let answered = shared.change(&self.registry, job_id, |row| {
                    row.answer(url).then(Default::default)
                });
                let Some((row, true)) = answered.await? else {
                    return Ok(None);
                };
                let note = shared.follow(&self.registry, &row, now).await;
                Ok(Some((row.job, note)))
            }
            None => self.registry.answer_ask(job_id, url, now).await,
        }
    }

    /// The sessions in which jobs that are not over have asked for a person.
    pub async fn asking_sessions(&self) -> Result<HashSet<String>, Error> {
        match &self.shared {
            Some(shared) => {
                let here = shared.service(&self.registry).await?;
                let asking = shared.find(Find::Asking).await?;
                let asking = asking.iter().filter(|row| row.is_for(here));
                Ok(asking
                    .filter_map(|row| row.asking_session().map(str::to_owned))
                    .collect())
            }
            None => self.registry.asking_sessions().await,
        }
    }

    /// Jobs that have waited for somebody since before that time have failed, with what they waited for; answers
    /// them.
    pub async fn fail_held(
        &self,
        before: UnixTime,
        now: UnixTime,
        notices: impl Fn(&Job) -> Vec<NewJob> + Send + Sync + 'static,
    ) -> Result<Vec<(Job, Option<Note>)>, Error> {
        match &self.shared {
            Some(shared) => {
                let is_old = |row: &Row| row.waits_since() < before.0;
                shared
                    .fail_held(&self.registry, &is_old, None, now, &notices)
                    .await
            }
            None => self.registry.fail_held(before, now, notices).await,
        }
    }

    /// Changes a connection, and lets go on what has waited for its login, where it is there. With one that stands
    /// otherwise than before, its `notices` are put in their queue. Answers how it was, how it is, and the jobs that
    /// go on.
    pub async fn learn_connection(
        &self,
        connection_id: &str,
        is_there: bool,
        now: UnixTime,
        change: impl Fn(&mut KeptConnection) + Send + 'static,
        notices: impl Fn(&Connection) -> Vec<NewJob> + Send + 'static,
    ) -> Result<Option<(KeptConnection, KeptConnection, Vec<Job>)>, Error> {
        let registry = &self.registry;
        let learned = registry.learn_connection(connection_id, is_there, now, change, notices);
        let Some((before, after, mut released)) = learned.await? else {
            return Ok(None);
        };
        if let Some(shared) = &self.shared {
            // What is not done now is done when it is reconciled.
            if is_there && let Ok(more) = shared.release(registry, &after.connection, now).await {
                released.extend(more);
            }
            if before.connection.status != after.connection.status {
                let _ = shared.forward(registry).await;
            }
        }
        Ok(Some((before, after, released)))
    }

    /// Lets go on what waits for a login that is there.
    pub async fn release_jobs(&self, now: UnixTime) -> Result<Vec<Job>, Error> {
        match &self.shared {
            Some(shared) => shared.release_all(&self.registry, now).await,
            None => self.registry.release_jobs(now).await,
        }
    }

    /// Forgets a connection. What waits for its login has failed, and is answered.
    pub async fn remove_connection(
        &self,
        connection_id: &str,
        now: UnixTime,
        why: JobError,
        notices: impl Fn(&Job) -> Vec<NewJob> + Clone + Send + Sync + 'static,
    ) -> Result<Vec<Job>, Error> {
        let mut failed = Vec::new();
        if let Some(shared) = &self.shared {
            let told = shared
                .forget_connection(&self.registry, connection_id, now, &why, &notices)
                .await?;
            failed.extend(told);
        }
        let registry = &self.registry;
        let removed = registry.remove_connection(connection_id, now, why, notices);
        failed.extend(removed.await?);
        Ok(failed)
    }

    /// Forgets a note, unless a job for it is under way. Answers it, and that job's state where there is one.
    pub async fn remove_note(
        &self,
        note_id: &str,
    ) -> Result<Option<(Note, Option<JobState>)>, Error> {
        if let Some(shared) = &self.shared
            && let Some(row) = shared.find(Find::OfNote(note_id)).await?.first()
            && let Some(note) = self.registry.note(note_id).await?
        {
            return Ok(Some((note, Some(row.job.state))));
        }
        self.registry.remove_note(note_id).await
    }
}
