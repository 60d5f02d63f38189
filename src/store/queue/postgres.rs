//! A queue in PostgreSQL, which several services share.
//!
//! Each call is one transaction. What two services must not decide at the same time stands behind an advisory lock:
//! whose turn it is, and whether a job is there already. What becomes of a job is decided by [`Row`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Statement};

use super::row::{Change, Found, Outcome, Row, refused};
use super::{Beat, Changed, Claim, Failure, Find};
use crate::store::jobs::{Claimed, NewJob, Turn};
use crate::tls::Tls;

/// Connections to the database at most.
const LINES_MAX: usize = 8;
/// A connection is made within this time.
const CONNECT_MAX: Duration = Duration::from_secs(4);
/// The version of the tables. A service does not touch those of a newer one.
const SCHEMA_VERSION: i32 = 1;
/// The locks of all decisions are in this class: the beginning of the program's name.
const LOCKS: i32 = 0x6768_6f73;
/// Whose turn it is.
const TURN: i32 = 0;
/// What the tables are.
const TABLES: i32 = 1;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS ghostcast_schema (version INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS ghostcast_jobs (
        seq BIGSERIAL PRIMARY KEY,
        job_id TEXT UNIQUE NOT NULL,
        queue TEXT NOT NULL,
        state TEXT NOT NULL,
        user_id TEXT,
        platform TEXT,
        connection_id TEXT,
        note_id TEXT,
        unique_key TEXT NOT NULL,
        run_at DOUBLE PRECISION NOT NULL,
        created_at DOUBLE PRECISION NOT NULL,
        finished_at DOUBLE PRECISION,
        home TEXT,
        owner TEXT,
        ask_session TEXT,
        asks BOOLEAN NOT NULL,
        version BIGINT NOT NULL,
        writer TEXT NOT NULL,
        changed_at TIMESTAMPTZ NOT NULL,
        job TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS ghostcast_jobs_in_turn ON ghostcast_jobs (queue, run_at, seq) WHERE state = 'queued';
    CREATE INDEX IF NOT EXISTS ghostcast_jobs_alike ON ghostcast_jobs (unique_key, created_at);
    CREATE INDEX IF NOT EXISTS ghostcast_jobs_over ON ghostcast_jobs (finished_at);
    CREATE INDEX IF NOT EXISTS ghostcast_jobs_running ON ghostcast_jobs (user_id, platform) WHERE state = 'running';
    CREATE INDEX IF NOT EXISTS ghostcast_jobs_held ON ghostcast_jobs (seq)
        WHERE state IN ('pending_auth', 'pending_human');
    CREATE INDEX IF NOT EXISTS ghostcast_jobs_asking ON ghostcast_jobs (seq) WHERE asks;
    CREATE INDEX IF NOT EXISTS ghostcast_jobs_of_notes ON ghostcast_jobs (note_id) WHERE note_id IS NOT NULL;
    CREATE INDEX IF NOT EXISTS ghostcast_jobs_changed ON ghostcast_jobs (changed_at);
    CREATE TABLE IF NOT EXISTS ghostcast_job_starts (
        queue TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        job_id TEXT NOT NULL,
        run BIGINT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS ghostcast_job_starts_by_time ON ghostcast_job_starts (queue, at);
    CREATE TABLE IF NOT EXISTS ghostcast_services (
        service TEXT PRIMARY KEY,
        boot TEXT NOT NULL,
        seen_at TIMESTAMPTZ NOT NULL
    );
";

/// Nobody works for the same user on the same platform.
const IS_FREE: &str = "NOT EXISTS (SELECT 1 FROM ghostcast_jobs AS other WHERE other.state = 'running' \
     AND other.user_id = ghostcast_jobs.user_id AND other.platform = ghostcast_jobs.platform)";

/// What a call is given.
type Given<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The database.
#[derive(Debug)]
pub(super) struct Postgres {
    config: Config,
    tls: Tls,
    idle: Mutex<Vec<Line>>,
    room: Semaphore,
    /// Whether its tables are there.
    is_ready: AtomicBool,
}

/// A connection, with what was prepared on it. One that is dropped takes its transaction back.
struct Line {
    client: Client,
    prepared: HashMap<String, Statement>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Line")
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::from_error(&error)
    }
}

/// A text of somebody's: PostgreSQL takes all but this character.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl Line {
    async fn prepared(&mut self, sql: &str) -> Result<Statement, Failure> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    async fn ask(
        &mut self,
        sql: &str,
        given: Given<'_>,
    ) -> Result<Vec<tokio_postgres::Row>, Failure> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.query(&statement, given).await?)
    }

    async fn tell(&mut self, sql: &str, given: Given<'_>) -> Result<u64, Failure> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.execute(&statement, given).await?)
    }

    async fn lock(&mut self, name: i32) -> Result<(), Failure> {
        let sql = "SELECT pg_advisory_xact_lock($1, $2)";
        self.ask(sql, &[&LOCKS, &name]).await.map(drop)
    }

    /// The same of what is named by a text.
    async fn lock_text(&mut self, text: &str) -> Result<(), Failure> {
        let sql = "SELECT pg_advisory_xact_lock($1, hashtext($2))";
        // Of a class of its own: a text may hash to anything.
        let class = LOCKS + 1;
        self.ask(sql, &[&class, &text]).await.map(drop)
    }

    /// The rows that a query answers by `job`. What another build has left unreadable is told of and passed over.
    async fn rows(&mut self, sql: &str, given: Given<'_>) -> Result<Vec<Row>, Failure> {
        let found = self.ask(sql, given).await?;
        let read = found.iter().filter_map(|row| {
            let json: &str = row.try_get("job").ok()?;
            let read = serde_json::from_str::<Row>(json);
            let told = read
                .inspect_err(|error| tracing::warn!(%error, "a job cannot be read and is left"));
            told.ok().map(Row::dated)
        });
        Ok(read.collect())
    }

    async fn begun(&mut self, queue: &str, since: f64) -> Result<(u32, Option<f64>), Failure> {
        let sql = "SELECT COUNT(*), MIN(at) FROM ghostcast_job_starts WHERE queue = $1 AND at > $2";
        let found = self.ask(sql, &[&queue, &since]).await?;
        let Some(row) = found.first() else {
            return Ok((0, None));
        };
        let count: i64 = row.try_get(0)?;
        Ok((u32::try_from(count).unwrap_or(u32::MAX), row.try_get(1)?))
    }

    /// Writes a row in the place of what it was.
    async fn write(&mut self, row: &Row, writer: &str) -> Result<(), Failure> {
        let job = &row.job;
        let sql = "UPDATE ghostcast_jobs SET state = $2, connection_id = $3, run_at = $4, finished_at = $5, \
             home = $6, owner = $7, ask_session = $8, asks = $9, job = $10, writer = $11, version = version + 1, \
             changed_at = clock_timestamp() WHERE job_id = $1";
        self.tell(
            sql,
            &[
                &job.job_id,
                &job.state.as_str(),
                &job.connection_id,
                &row.run_at,
                &row.finished_at,
                &row.home,
                &row.owner,
                &row.ask_session,
                &row.asking_session().is_some(),
                &serde_json::to_string(row)?,
                &writer,
            ],
        )
        .await
        .map(drop)
    }

    /// Puts a row in its queue, unless one like it is there, which it answers.
    async fn put(&mut self, row: &Row, since: f64, writer: &str) -> Result<(Row, bool), Failure> {
        let (job, key) = (&row.job, clean(&row.unique_key));
        let note_id = job.note_id();
        self.lock_text(&key).await?;
        let sql = "SELECT job FROM ghostcast_jobs WHERE (unique_key = $1 AND created_at > $2 \
             AND state NOT IN ('failed', 'cancelled')) \
             OR (note_id = $3 AND state IN ('queued', 'running', 'pending_auth', 'pending_human')) \
             OR job_id = $4 ORDER BY seq DESC LIMIT 1";
        let alike = self
            .rows(sql, &[&key, &since, &note_id, &job.job_id])
            .await?;
        if let Some(there) = alike.into_iter().next() {
            return Ok((there, false));
        }
        let sql = "INSERT INTO ghostcast_jobs (job_id, queue, state, user_id, platform, connection_id, note_id, \
             unique_key, run_at, created_at, home, ask_session, asks, version, writer, changed_at, job) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, clock_timestamp(), $15)";
        self.tell(
            sql,
            &[
                &job.job_id,
                &job.queue.as_str(),
                &job.state.as_str(),
                &job.user_id,
                &job.platform,
                &job.connection_id,
                &note_id,
                &key,
                &row.run_at,
                &row.created_at,
                &row.home,
                &row.ask_session,
                &row.asking_session().is_some(),
                &writer,
                &serde_json::to_string(row)?,
            ],
        )
        .await?;
        Ok((row.clone(), true))
    }

    /// What there is to decide on whose turn it is, and the job that would begin.
    async fn found(&mut self, turn: &Turn, service: &str) -> Result<(Found, Option<Row>), Failure> {
        let (queue, now) = (turn.queue.as_str(), turn.now.0);
        let mut found = Found::default();
        let next = format!(
            "SELECT job FROM ghostcast_jobs WHERE queue = $1 AND state = 'queued' AND run_at <= $2 \
             AND (home IS NULL OR home = $3) AND {IS_FREE} ORDER BY run_at, seq LIMIT 8"
        );
        if turn.gives_way {
            let ahead = crate::model::Queue::Automation.as_str();
            let waiting = self.rows(&next, &[&ahead, &now, &service]).await?;
            found.has_ahead = !waiting.is_empty();
            if let Some((_, since)) = turn.rate_ahead {
                found.begun_ahead = self.begun(ahead, since.0).await?.0;
            }
        }
        let row = self.rows(&next, &[&queue, &now, &service]).await?;
        let row = row.into_iter().next();
        found.has_next = row.is_some();
        if row.is_none() {
            let sql = "SELECT MIN(run_at) FROM ghostcast_jobs WHERE queue = $1 AND state = 'queued' \
                 AND run_at > $2 AND (home IS NULL OR home = $3)";
            let later = self.ask(sql, &[&queue, &now, &service]).await?;
            found.later = later.first().and_then(|row| row.try_get(0).ok().flatten());
        } else if let Some((_, since)) = turn.rate {
            // What has begun in the future has not: a clock was set back.
            let sql = "DELETE FROM ghostcast_job_starts WHERE queue = $1 AND (at <= $2 OR at > $3)";
            // Of another service's clock a little is borne.
            self.tell(sql, &[&queue, &since.0, &(now + 5.0)]).await?;
            (found.begun, found.first) = self.begun(queue, since.0).await?;
        }
        Ok((found, row))
    }
}

impl Postgres {
    /// By its address; it is not asked yet.
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let mut config: Config = url.parse()?;
        config.connect_timeout(CONNECT_MAX);
        config.application_name("ghostcast");
        Ok(Self {
            config,
            tls: Tls::new(None).map_err(|error| Failure::from_error(&error))?,
            idle: Mutex::default(),
            room: Semaphore::new(LINES_MAX),
            is_ready: AtomicBool::new(false),
        })
    }

    fn idle(&self) -> Option<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|line| !line.client.is_closed());
        idle.pop()
    }

    async fn line(&self) -> Result<Line, Failure> {
        if let Some(line) = self.idle() {
            return Ok(line);
        }
        let connecting = self.config.connect(self.tls.clone());
        let (client, connection) = tokio::time::timeout(CONNECT_MAX, connecting)
            .await
            .map_err(|_| Failure::new("no connection is made in time"))??;
        // It ends with its client, who is told of what breaks.
        tokio::spawn(async move { drop(connection.await) });
        let mut line = Line {
            client,
            prepared: HashMap::new(),
        };
        if !self.is_ready.load(Ordering::Acquire) {
            prepare(&mut line).await?;
            self.is_ready.store(true, Ordering::Release);
        }
        Ok(line)
    }

    /// Does something in one transaction.
    async fn within<T>(
        &self,
        work: impl AsyncFnOnce(&mut Line) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _room = self
            .room
            .acquire()
            .await
            .map_err(|_| Failure::new("it has ended"))?;
        let mut line = self.line().await?;
        line.client.batch_execute("BEGIN").await?;
        let done = work(&mut line).await?;
        line.client.batch_execute("COMMIT").await?;
        // Only a line on which nothing went wrong is used again.
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(line);
        Ok(done)
    }

    pub(super) async fn put(
        &self,
        row: &Row,
        since: f64,
        writer: &str,
    ) -> Result<(Row, bool), Failure> {
        self.within(async |line| {
            // A note's jobs have keys of different callers.
            if let Some(note_id) = row.job.note_id() {
                line.lock_text(note_id).await?;
            }
            line.put(row, since, writer).await
        })
        .await
    }

    pub(super) async fn claim(&self, turn: &Turn, service: &str) -> Result<Claim, Failure> {
        self.within(async |line| {
            line.lock(TURN).await?;
            let (found, row) = line.found(turn, service).await?;
            if let Some(claimed) = refused(turn, &found) {
                return Ok(Claim::Not(claimed));
            }
            let Some(mut row) = row else {
                return Ok(Claim::Not(Claimed::None(None)));
            };
            // It may have been called off since it was read.
            let sql =
                "SELECT job FROM ghostcast_jobs WHERE job_id = $1 AND state = 'queued' FOR UPDATE";
            let there = line.rows(sql, &[&row.job.job_id]).await?;
            match there.into_iter().next() {
                Some(there) => row = there,
                None => return Ok(Claim::Not(Claimed::Way)),
            }
            row.begin(service, turn.now.0);
            if turn.rate.is_some() {
                let sql = "INSERT INTO ghostcast_job_starts VALUES ($1, $2, $3, $4)";
                let (queue, run) = (turn.queue.as_str(), i64::from(row.run));
                line.tell(sql, &[&queue, &turn.now.0, &row.job.job_id, &run])
                    .await?;
            }
            let row = row.dated();
            line.write(&row, service).await?;
            Ok(Claim::Row(Box::new(row)))
        })
        .await
    }

    pub(super) async fn change(
        &self,
        job_id: &str,
        writer: &str,
        change: Change<'_>,
    ) -> Result<Option<(Row, bool)>, Failure> {
        self.within(async |line| {
            let sql = "SELECT job FROM ghostcast_jobs WHERE job_id = $1 FOR UPDATE";
            let there = line.rows(sql, &[&clean(job_id)]).await?;
            let Some(mut row) = there.into_iter().next() else {
                return Ok(None);
            };
            let Some(Outcome {
                more,
                is_start_back,
            }) = change(&mut row) else {
                return Ok(Some((row, false)));
            };
            let row = row.dated();
            line.write(&row, writer).await?;
            for new in &more {
                put_more(line, new, writer).await?;
            }
            if is_start_back {
                let sql = "DELETE FROM ghostcast_job_starts WHERE queue = $1 AND job_id = $2 AND run = $3";
                let (queue, run) = (row.job.queue.as_str(), i64::from(row.run));
                line.tell(sql, &[&queue, &row.job.job_id, &run]).await?;
            }
            Ok(Some((row, true)))
        })
        .await
    }

    pub(super) async fn find(&self, wanted: &Find<'_>) -> Result<Vec<Row>, Failure> {
        self.within(async |line| match wanted {
            Find::Job(job_id) => {
                let sql = "SELECT job FROM ghostcast_jobs WHERE job_id = $1";
                line.rows(sql, &[&clean(job_id)]).await
            }
            Find::Of(filter) => {
                let sql = "SELECT job FROM ghostcast_jobs WHERE ($1::TEXT IS NULL OR state = $1) \
                     AND ($2::TEXT IS NULL OR user_id = $2) AND ($3::TEXT IS NULL OR connection_id = $3) \
                     ORDER BY seq DESC LIMIT $4";
                let state = filter.state.map(crate::model::JobState::as_str);
                let user = filter.user_id.as_deref().map(clean);
                let connection = filter.connection_id.as_deref().map(clean);
                let limit = i64::from(filter.limit);
                line.rows(sql, &[&state, &user, &connection, &limit]).await
            }
            Find::Held => {
                let sql = "SELECT job FROM ghostcast_jobs WHERE state IN ('pending_auth', 'pending_human') ORDER BY seq";
                line.rows(sql, &[]).await
            }
            Find::Asking => {
                let sql = "SELECT job FROM ghostcast_jobs WHERE asks ORDER BY seq";
                line.rows(sql, &[]).await
            }
            Find::OfNote(note_id) => {
                let sql = "SELECT job FROM ghostcast_jobs WHERE note_id = $1 \
                     AND state IN ('queued', 'running', 'pending_auth', 'pending_human')";
                line.rows(sql, &[&clean(note_id)]).await
            }
            Find::RunBy(service) => {
                let sql = "SELECT job FROM ghostcast_jobs WHERE state = 'running' AND owner = $1 ORDER BY seq";
                line.rows(sql, &[service]).await
            }
        })
        .await
    }

    pub(super) async fn changed(
        &self,
        within: Duration,
        but_by: &str,
        most: i64,
    ) -> Result<Vec<Changed>, Failure> {
        self.within(async |line| {
            let sql = "SELECT version, job FROM (SELECT version, job, changed_at FROM ghostcast_jobs \
                 WHERE changed_at > clock_timestamp() - $1::DOUBLE PRECISION * INTERVAL '1 second' AND writer <> $2 \
                 ORDER BY changed_at DESC LIMIT $3) AS newest ORDER BY changed_at";
            let found = line.ask(sql, &[&within.as_secs_f64(), &but_by, &most]).await?;
            let read = found.iter().filter_map(|row| {
                let version: i64 = row.try_get(0).ok()?;
                let row = serde_json::from_str::<Row>(row.try_get(1).ok()?).ok()?;
                let row = row.dated();
                Some(Changed { version, row })
            });
            Ok(read.collect())
        })
        .await
    }

    pub(super) async fn forget(&self, before: f64) -> Result<usize, Failure> {
        self.within(async |line| {
            let sql = "DELETE FROM ghostcast_jobs WHERE finished_at < $1";
            let forgotten = line.tell(sql, &[&before]).await?;
            Ok(usize::try_from(forgotten).unwrap_or(usize::MAX))
        })
        .await
    }

    /// From now on the service of that name is this run of it.
    pub(super) async fn register(&self, service: &str, boot: &str) -> Result<(), Failure> {
        self.within(async |line| {
            let sql = "INSERT INTO ghostcast_services VALUES ($1, $2, clock_timestamp()) \
                 ON CONFLICT (service) DO UPDATE SET boot = $2, seen_at = clock_timestamp()";
            line.tell(sql, &[&service, &boot]).await?;
            // Of services that were of one run.
            let sql = "DELETE FROM ghostcast_services WHERE seen_at < clock_timestamp() - INTERVAL '7 days'";
            line.tell(sql, &[]).await.map(drop)
        })
        .await
    }

    pub(super) async fn beat(
        &self,
        service: &str,
        boot: &str,
        lost_after: Duration,
    ) -> Result<Beat, Failure> {
        self.within(async |line| {
            let sql = "UPDATE ghostcast_services SET seen_at = clock_timestamp() WHERE service = $1 AND boot = $2";
            let is_ours = line.tell(sql, &[&service, &boot]).await? > 0;
            let sql = "SELECT job FROM ghostcast_jobs WHERE state = 'running' AND owner = $1";
            let running = line.rows(sql, &[&service]).await?;
            // What is on the disk of a service that is silent waits for it.
            let sql = "SELECT job FROM ghostcast_jobs WHERE state = 'running' AND home IS NULL AND owner <> $1 \
                 AND NOT EXISTS (SELECT 1 FROM ghostcast_services WHERE service = owner \
                 AND seen_at > clock_timestamp() - $2::DOUBLE PRECISION * INTERVAL '1 second')";
            let lost = line.rows(sql, &[&service, &lost_after.as_secs_f64()]).await?;
            Ok(Beat { is_ours, running, lost })
        })
        .await
    }
}

async fn put_more(line: &mut Line, new: &NewJob, writer: &str) -> Result<(), Failure> {
    let row = Row::new(new, writer).dated();
    line.put(&row, new.unique_since.0, writer).await.map(drop)
}

/// Makes the tables, where they are not there.
async fn prepare(line: &mut Line) -> Result<(), Failure> {
    line.client.batch_execute("BEGIN").await?;
    line.lock(TABLES).await?;
    line.client.batch_execute(SCHEMA).await?;
    let found = line
        .ask("SELECT version FROM ghostcast_schema", &[])
        .await?;
    match found.first() {
        None => {
            let sql = "INSERT INTO ghostcast_schema VALUES ($1)";
            line.tell(sql, &[&SCHEMA_VERSION]).await?;
        }
        Some(row) => {
            let there: i32 = row.try_get(0)?;
            if there != SCHEMA_VERSION {
                return Err(Failure::new(format!(
                    "its tables are of another Ghostcast (schema {there}; this one knows {SCHEMA_VERSION})"
                )));
            }
        }
    }
    line.client.batch_execute("COMMIT").await?;
    Ok(())
}
