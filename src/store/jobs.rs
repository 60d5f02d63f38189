//! Jobs in the registry: a queue that outlives the service.
//!
//! What runs is claimed in one transaction, so that no two workers have the same job, no profile serves two at
//! once, and the rate holds across restarts. Order within a queue is by the time from which a job may run, then
//! by when it was asked for.

use rusqlite::{Connection as File, Row, named_params, params};
use serde_json::{Map, Value};

use super::Registry;
use super::database::Failure;
use super::queue::{Found, refused};
use crate::error::Error;
use crate::model::{
    BrowserPlace, BrowserWish, HumanAsk, Job, JobError, JobErrorKind, JobKind, JobProgress,
    JobState, Note, Queue, UnixTime,
};

/// What the file has of jobs, connections and notes.
pub(super) const SCHEMA: &str = "
    CREATE TABLE connections (
        connection_id TEXT PRIMARY KEY NOT NULL,
        user_id TEXT NOT NULL,
        platform TEXT NOT NULL,
        context_id TEXT,
        status TEXT NOT NULL,
        created_at REAL NOT NULL,
        last_used_at REAL NOT NULL,
        verified_at REAL,
        pinged_at REAL
    ) STRICT;
    CREATE INDEX connections_of_users ON connections (user_id, platform, created_at);
    CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        job_id TEXT UNIQUE NOT NULL,
        kind TEXT NOT NULL,
        queue TEXT NOT NULL,
        state TEXT NOT NULL,
        args TEXT NOT NULL,
        connection_id TEXT,
        user_id TEXT,
        platform TEXT,
        browser TEXT NOT NULL,
        served_by TEXT,
        batch TEXT,
        attempts INTEGER NOT NULL,
        attempts_max INTEGER NOT NULL,
        crashes INTEGER NOT NULL,
        run INTEGER NOT NULL DEFAULT 0,
        note_id TEXT,
        run_at REAL NOT NULL,
        created_at REAL NOT NULL,
        started_at REAL,
        finished_at REAL,
        unique_key TEXT NOT NULL,
        intent TEXT,
        progress TEXT,
        result TEXT,
        error TEXT
    ) STRICT;
    CREATE INDEX jobs_in_turn ON jobs (queue, state, run_at, seq);
    CREATE INDEX jobs_alike ON jobs (unique_key, created_at);
    CREATE INDEX jobs_over ON jobs (finished_at);
    CREATE INDEX jobs_running ON jobs (user_id, platform) WHERE state = 'running';
    CREATE INDEX jobs_of_notes ON jobs (note_id) WHERE note_id IS NOT NULL;
    CREATE TABLE job_starts (queue TEXT NOT NULL, at REAL NOT NULL) STRICT;
    CREATE INDEX job_starts_by_time ON job_starts (queue, at);
    CREATE TABLE notes (
        note_id TEXT PRIMARY KEY NOT NULL,
        created_at REAL NOT NULL,
        note TEXT NOT NULL,
        job_id TEXT,
        intent TEXT
    ) STRICT;
    CREATE TABLE streaks (
        user_id TEXT NOT NULL,
        platform TEXT NOT NULL,
        failures INTEGER NOT NULL,
        PRIMARY KEY (user_id, platform)
    ) STRICT;
    CREATE TABLE marks (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT;
";

/// A job goes on with the trace in which it was asked for.
pub(super) const TRACES: &str = "ALTER TABLE jobs ADD COLUMN trace TEXT;";

/// A job that a crash of the service cut short so often has probably caused it.
pub(super) const CRASHES_MAX: u32 = 100;

/// Nobody else works for the same user on the same platform.
const IS_FREE: &str = "NOT EXISTS (SELECT 1 FROM jobs AS other WHERE other.state = 'running' \
     AND other.user_id = jobs.user_id AND other.platform = jobs.platform)";

/// A job to put in the queue.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// As it is told; its state is queued.
    pub job: Job,
    /// When it may begin.
    pub run_at: UnixTime,
    /// When it was asked for.
    pub now: UnixTime,
    /// The trace in which it was asked for, in the form of W3C Trace Context.
    pub trace: Option<String>,
    /// Whatever has the same is the same job.
    pub unique_key: String,
    /// Since when such a job is the same one.
    pub unique_since: UnixTime,
}

/// A turn in a queue.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// Which queue.
    pub queue: Queue,
    /// The time.
    pub now: UnixTime,
    /// Starts that there may be since a time, further attempts among them; none for no bound.
    pub rate: Option<(u32, UnixTime)>,
    /// Whether it is left to a job of the queue `automation` that could begin as well, as far as that has room.
    pub gives_way: bool,
    /// The rate of that queue.
    pub rate_ahead: Option<(u32, UnixTime)>,
}

/// What came of a turn.
#[derive(Debug)]
pub enum Claimed {
    /// This job, which runs now.
    Job(Box<Run>),
    /// None yet; one may at this time, if nothing else happens.
    None(Option<UnixTime>),
    /// None yet: as many have begun as may. This is when the first of them began.
    Rate(UnixTime),
    /// None yet: one of the queue `automation` goes first.
    Way,
}

/// A job that runs.
#[derive(Debug, Clone)]
pub struct Run {
    /// The job.
    pub job: Job,
    /// What an attempt before was about to do, or has done.
    pub intent: Option<String>,
    /// What an attempt before has asked a person for.
    pub ask: Option<HumanAsk>,
    /// The trace in which it was asked for.
    pub trace: Option<String>,
    /// Which of the job's runs it is: what an earlier one still says counts for nothing.
    pub number: u32,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Stop {
    /// What becomes of the job.
    pub state: JobState,
    /// When it may begin again.
    pub run_at: Option<UnixTime>,
    /// Whether the attempt counts.
    pub counts: bool,
    /// What it came to.
    pub result: Option<Value>,
    /// Why it did not succeed.
    pub error: Option<JobError>,
    /// Which browser has served, if one did.
    pub served_by: Option<BrowserPlace>,
    /// The time.
    pub now: UnixTime,
}

impl Stop {
    /// Whether the start is none of those that are counted: a person drives the browser that it wanted.
    pub(super) fn is_start_given_back(&self) -> bool {
        let kind = self.error.as_ref().map(|error| error.kind);
        self.state == JobState::Queued && kind == Some(JobErrorKind::HumanInControl)
    }
}

/// Which jobs.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// In this state.
    pub state: Option<JobState>,
    /// Of this user.
    pub user_id: Option<String>,
    /// With this login.
    pub connection_id: Option<String>,
    /// So many at most.
    pub limit: u32,
}

impl Registry {
    /// Puts a job in its queue, unless the same was put there lately: then it answers that one, and false.
    pub async fn put_job(&self, new: NewJob) -> Result<(Job, bool), Error> {
        self.work(move |file| put(file, &new)).await
    }

    /// The job of that id.
    pub async fn job(&self, job_id: &str) -> Result<Option<Job>, Error> {
        let job_id = job_id.to_owned();
        self.work(move |file| one(file, &job_id)).await
    }

    /// Jobs, the newest first.
    pub async fn jobs(&self, filter: JobFilter) -> Result<Vec<Job>, Error> {
        self.work(move |file| {
            let mut all = file.prepare_cached(
                "SELECT * FROM jobs WHERE (:state IS NULL OR state = :state) \
                 AND (:user IS NULL OR user_id = :user) \
                 AND (:connection IS NULL OR connection_id = :connection) \
                 ORDER BY seq DESC LIMIT :limit",
            )?;
            let rows = all.query_and_then(
                named_params! {
                    ":state": filter.state.map(JobState::as_str),
                    ":user": filter.user_id,
                    ":connection": filter.connection_id,
                    ":limit": filter.limit,
                },
                job,
            )?;
            rows.collect()
        })
        .await
    }

    /// Takes the next job of a queue; it runs from then on.
    pub async fn claim_job(&self, turn: Turn) -> Result<Claimed, Error> {
        self.work(move |file| claim(file, &turn)).await
    }

    /// Writes down how far a run of a job is.
    pub async fn note_progress(&self, run: &Run, progress: JobProgress) -> Result<(), Error> {
        let (job_id, number) = (run.job.job_id.clone(), run.number);
        self.work(move |file| {
            let progress = serde_json::to_string(&progress)?;
            file.execute(
                "UPDATE jobs SET progress = ? WHERE job_id = ? AND run = ? AND state = 'running'",
                params![progress, job_id, number],
            )?;
            Ok(())
        })
        .await
    }

    /// Writes down what a run of a job is about to do that must not be done twice, for the job and for its note.
    /// Answers whether the run is still the job's.
    pub async fn note_intent(&self, run: &Run, intent: &str) -> Result<bool, Error> {
        let (job_id, number, intent) = (run.job.job_id.clone(), run.number, intent.to_owned());
        self.work(move |file| {
            let noted = file.execute(
                "UPDATE jobs SET intent = ? WHERE job_id = ? AND run = ? AND state = 'running'",
                params![intent, job_id, number],
            )?;
            file.execute(
                "UPDATE notes SET intent = ?1 WHERE ?2 > 0 AND note_id = \
                 (SELECT note_id FROM jobs WHERE job_id = ?3)",
                params![intent, noted as u32, job_id],
            )?;
            Ok(noted > 0)
        })
        .await
    }

    /// Ends a run, unless the job was called off meanwhile: then nothing is answered. Its note becomes what the
    /// job does. A job that would wait for a login that was seen since it began goes on. With one that has failed or
    /// waits for a person, its `notices` are put in their queue.
    pub async fn stop_job(
        &self,
        run: &Run,
        stop: Stop,
        notices: impl Fn(&Job) -> Vec<NewJob> + Send + 'static,
    ) -> Result<Option<(Job, Option<Note>)>, Error> {
        let (job_id, number) = (run.job.job_id.clone(), run.number);
        self.work(move |file| {
            let (result, error) = (json(stop.result.as_ref())?, json(stop.error.as_ref())?);
            let mut state = stop.state;
            if state == JobState::PendingAuth && super::held::is_seen_since(file, &job_id)? {
                state = JobState::Queued;
            }
            if stop.is_start_given_back() {
                give_start_back(file, &job_id, number)?;
            }
            let stopped = file.execute(
                "UPDATE jobs SET state = :state, run_at = COALESCE(:run_at, run_at), \
                 attempts = MAX(attempts - :uncounted, 0), result = :result, error = :error, \
                 served_by = COALESCE(:served_by, served_by), ask_session = NULL, \
                 ask = CASE WHEN :asks THEN ask ELSE NULL END, \
                 finished_at = :finished WHERE job_id = :job_id AND run = :run AND state = 'running'",
                named_params! {
                    ":state": state.as_str(),
                    ":run_at": stop.run_at.map(|at| at.0),
                    ":uncounted": u32::from(!stop.counts),
                    // What was tried after it in vain begins anew.
                    ":asks": !stop.counts,
                    ":result": result,
                    ":error": error,
                    ":served_by": stop.served_by.map(BrowserPlace::as_str),
                    ":finished": state.is_over().then_some(stop.now.0),
                    ":job_id": job_id,
                    ":run": number,
                },
            )?;
            if stopped == 0 {
                return Ok(None);
            }
            let Some(job) = one(file, &job_id)? else {
                return Ok(None);
            };
            let note = super::notes::follow(file, &job, stop.now)?;
            if matches!(state, JobState::Failed | JobState::PendingHuman) {
                put_all(file, &notices(&job))?;
            }
            Ok(Some((job, note)))
        })
        .await
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
        let job_id = job_id.to_owned();
        self.work(move |file| {
            let Some(there) = one(file, &job_id)? else {
                return Ok(None);
            };
            let is_meant = from.contains(&there.state);
            if !is_meant {
                return Ok(Some((there, None, false)));
            }
            file.execute(
                "UPDATE jobs SET state = ?, finished_at = ?, ask_session = NULL WHERE job_id = ?",
                params![to.as_str(), to.is_over().then_some(now.0), job_id],
            )?;
            if to == JobState::Queued {
                // Whoever tries anew has all attempts again.
                file.execute(
                    "UPDATE jobs SET run_at = ?, attempts = 0, started_at = NULL, progress = NULL, \
                     ask = NULL, error = NULL WHERE job_id = ?",
                    params![now.0, job_id],
                )?;
            }
            let Some(job) = one(file, &job_id)? else {
                return Ok(None);
            };
            let note = super::notes::follow(file, &job, now)?;
            Ok(Some((job, note, true)))
        })
        .await
    }

    /// What a service that was killed has left running waits again, each before what was asked for after it.
    /// Answers how many there were.
    pub async fn requeue_jobs(&self) -> Result<usize, Error> {
        self.work(|file| {
            let back = file.execute(
                "UPDATE jobs SET state = 'queued', crashes = crashes + 1, \
                 attempts = MAX(attempts - (crashes < ?1), 0) WHERE state = 'running'",
                [CRASHES_MAX],
            )?;
            Ok(back)
        })
        .await
    }

    /// Forgets jobs that ended before that time. Answers how many there were.
    pub async fn forget_jobs(&self, before: UnixTime) -> Result<usize, Error> {
        self.work(move |file| {
            let forgotten = file.execute("DELETE FROM jobs WHERE finished_at < ?", [before.0])?;
            Ok(forgotten)
        })
        .await
    }
}

fn json<T: serde::Serialize>(value: Option<&T>) -> Result<Option<String>, Failure> {
    Ok(value.map(serde_json::to_string).transpose()?)
}

pub(super) fn one(file: &File, job_id: &str) -> Result<Option<Job>, Failure> {
    let mut one = file.prepare_cached("SELECT * FROM jobs WHERE job_id = ?")?;
    let mut rows = one.query_and_then([job_id], job)?;
    rows.next().transpose()
}

/// How many have begun since a time, and when the first of them did.
fn begun(file: &File, queue: &str, since: UnixTime) -> Result<(u32, Option<f64>), Failure> {
    let mut begun =
        file.prepare_cached("SELECT COUNT(*), MIN(at) FROM job_starts WHERE queue = ? AND at > ?")?;
    Ok(begun.query_row(params![queue, since.0], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?)
}

/// A run's start is none of those that have begun.
fn give_start_back(file: &File, job_id: &str, run: u32) -> Result<(), Failure> {
    file.prepare_cached(
        "DELETE FROM job_starts WHERE rowid = (SELECT job_starts.rowid FROM job_starts \
         JOIN jobs ON jobs.queue = job_starts.queue AND jobs.started_at = job_starts.at \
         WHERE job_id = ? AND run = ? LIMIT 1)",
    )?
    .execute(params![job_id, run])?;
    Ok(())
}

pub(super) fn put_all(file: &File, all: &[NewJob]) -> Result<(), Failure> {
    all.iter().try_for_each(|new| put(file, new).map(drop))
}

fn put(file: &File, new: &NewJob) -> Result<(Job, bool), Failure> {
    let job = &new.job;
    let note_id = job.note_id();
    // What has failed or was called off is tried anew by whoever asks again; a note has one job at a time.
    let mut alike = file.prepare_cached(
        "SELECT * FROM jobs WHERE (unique_key = ?1 AND created_at > ?2 \
         AND state NOT IN ('failed', 'cancelled')) \
         OR (note_id = ?3 AND state IN ('queued', 'running', 'pending_auth', 'pending_human')) \
         ORDER BY seq DESC LIMIT 1",
    )?;
    let mut rows = alike.query_and_then(
        params![new.unique_key, new.unique_since.0, note_id],
        self::job,
    )?;
    if let Some(there) = rows.next() {
        return Ok((there?, false));
    }
    let mut insert = file.prepare_cached(
        "INSERT INTO jobs (job_id, kind, queue, state, args, connection_id, user_id, platform, browser, \
         batch, attempts, attempts_max, crashes, run_at, created_at, unique_key, note_id, trace) \
         VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, 0, ?, 0, ?, ?, ?, ?, ?)",
    )?;
    insert.execute(params![
        job.job_id,
        job.kind.as_str(),
        job.queue.as_str(),
        serde_json::to_string(&job.args)?,
        job.connection_id,
        job.user_id,
        job.platform,
        job.browser.as_str(),
        json(job.batch.as_ref())?,
        job.attempts_max,
        new.run_at.0,
        new.now.0,
        new.unique_key,
        note_id,
        new.trace,
    ])?;
    file.execute(
        "UPDATE notes SET job_id = ? WHERE note_id = ?",
        params![job.job_id, note_id],
    )?;
    Ok((job.clone(), true))
}

fn claim(file: &File, turn: &Turn) -> Result<Claimed, Failure> {
    let (queue, now) = (turn.queue.as_str(), turn.now.0);
    let mut found = Found::default();
    if turn.gives_way {
        let mut ahead = file.prepare_cached(&format!(
            "SELECT 1 FROM jobs WHERE queue = ? AND state = 'queued' AND run_at <= ? AND {IS_FREE} LIMIT 1"
        ))?;
        let queue = Queue::Automation.as_str();
        found.has_ahead = ahead.exists(params![queue, now])?;
        if let Some((_, since)) = turn.rate_ahead {
            found.begun_ahead = begun(file, queue, since)?.0;
        }
    }
    let mut next = file.prepare_cached(&format!(
        "SELECT * FROM jobs WHERE queue = ? AND state = 'queued' AND run_at <= ? AND {IS_FREE} \
         ORDER BY run_at, seq LIMIT 1"
    ))?;
    let mut next = next.query_and_then(params![queue, now], run)?;
    let next = next.next().transpose()?;
    found.has_next = next.is_some();
    if next.is_none() {
        let mut later = file.prepare_cached(
            "SELECT MIN(run_at) FROM jobs WHERE queue = ? AND state = 'queued' AND run_at > ?",
        )?;
        found.later = later.query_row(params![queue, now], |row| row.get(0))?;
    } else if let Some((_, since)) = turn.rate {
        // What has begun in the future has not: the clock was set back.
        file.prepare_cached("DELETE FROM job_starts WHERE queue = ? AND (at <= ? OR at > ?)")?
            .execute(params![queue, since.0, now])?;
        (found.begun, found.first) = begun(file, queue, since)?;
    }
    if let Some(claimed) = refused(turn, &found) {
        return Ok(claimed);
    }
    let Some(mut found) = next else {
        return Ok(Claimed::None(None));
    };
    if turn.rate.is_some() {
        file.prepare_cached("INSERT INTO job_starts VALUES (?, ?)")?
            .execute(params![queue, now])?;
    }
    file.prepare_cached(
        "UPDATE jobs SET state = 'running', attempts = attempts + 1, run = run + 1, started_at = ?, progress = NULL \
         WHERE job_id = ?",
    )?
    .execute(params![now, found.job.job_id])?;
    found.job.state = JobState::Running;
    found.job.attempts += 1;
    found.number += 1;
    found.job.started_at = Some(turn.now.to_iso8601());
    found.job.progress = None;
    Ok(Claimed::Job(Box::new(found)))
}

fn run(row: &Row<'_>) -> Result<Run, Failure> {
    Ok(Run {
        job: job(row)?,
        intent: row.get("intent")?,
        ask: super::asks::read(row)?,
        trace: row.get("trace")?,
        number: row.get("run")?,
    })
}

/// A job as it is in the file. A word of another build is no reason to lose it.
pub(super) fn job(row: &Row<'_>) -> Result<Job, Failure> {
    let text = |name: &str| row.get::<_, String>(name);
    let time = |name: &str| -> Result<Option<String>, Failure> {
        let at: Option<f64> = row.get(name)?;
        Ok(at.map(|at| UnixTime(at).to_iso8601()))
    };
    fn read<T: serde::de::DeserializeOwned>(json: Option<String>) -> Option<T> {
        json.and_then(|json| serde_json::from_str(&json).ok())
    }
    let state = JobState::parse(&text("state")?).unwrap_or(JobState::Failed);
    Ok(Job {
        job_id: text("job_id")?,
        kind: JobKind::parse(&text("kind")?).unwrap_or(JobKind::Workflow),
        queue: Queue::parse(&text("queue")?).unwrap_or(Queue::Automation),
        state,
        args: read::<Map<String, Value>>(row.get("args")?).unwrap_or_default(),
        connection_id: row.get("connection_id")?,
        user_id: row.get("user_id")?,
        platform: row.get("platform")?,
        browser: BrowserWish::parse(&text("browser")?).unwrap_or_default(),
        served_by: row.get::<_, Option<String>>("served_by")?.map(|word| {
            match word == BrowserPlace::Remote.as_str() {
                true => BrowserPlace::Remote,
                false => BrowserPlace::Local,
            }
        }),
        batch: read(row.get("batch")?),
        attempts: row.get("attempts")?,
        attempts_max: row.get("attempts_max")?,
        run_at: time("run_at")?.unwrap_or_default(),
        created_at: time("created_at")?.unwrap_or_default(),
        started_at: time("started_at")?,
        finished_at: time("finished_at")?,
        progress: read(row.get("progress")?),
        result: read(row.get("result")?),
        error: read(row.get("error")?).filter(|_| state != JobState::Done),
    })
}
