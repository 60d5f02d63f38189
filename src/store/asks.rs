//! What jobs ask people for, in the registry: a job that waits for a person outlives the service, and so does what
//! the person has done.

use std::collections::HashSet;

use rusqlite::{Connection as File, Row, params};

use super::Registry;
use super::database::Failure;
use super::jobs::{Run, job, one};
use crate::error::Error;
use crate::model::{HumanAsk, Job, Note, UnixTime};

/// What the file has of it: what is asked for, and in which session a person was let do it.
pub(super) const SCHEMA: &str = "
    ALTER TABLE jobs ADD COLUMN ask TEXT;
    ALTER TABLE jobs ADD COLUMN ask_session TEXT;
    CREATE INDEX jobs_asking ON jobs (ask_session) WHERE ask_session IS NOT NULL;
";

impl Registry {
    /// Writes down what a run asks a person for. Answers whether the run is still the job's.
    pub async fn note_ask(&self, run: &Run, ask: HumanAsk) -> Result<bool, Error> {
        let (job_id, number) = (run.job.job_id.clone(), run.number);
        self.work(move |file| {
            let noted = file.execute(
                "UPDATE jobs SET ask = ? WHERE job_id = ? AND run = ? AND state = 'running'",
                params![serde_json::to_string(&ask)?, job_id, number],
            )?;
            Ok(noted > 0)
        })
        .await
    }

    /// A job, and what it asks a person for.
    pub async fn human_ask(&self, job_id: &str) -> Result<Option<(Job, Option<HumanAsk>)>, Error> {
        let job_id = job_id.to_owned();
        self.work(move |file| asked(file, "job_id = ?", &job_id))
            .await
    }

    /// The job whose person was let into that session last, and what it asks for.
    pub async fn human_ask_in(
        &self,
        session: &str,
    ) -> Result<Option<(Job, Option<HumanAsk>)>, Error> {
        let session = session.to_owned();
        self.work(move |file| {
            let which = "state = 'pending_human' AND ask_session = ?";
            asked(file, which, &session)
        })
        .await
    }

    /// Whoever is let into that session from now on does what this job asks for, or what no job does.
    pub async fn open_ask(&self, session: &str, job_id: Option<&str>) -> Result<(), Error> {
        let (session, job_id) = (session.to_owned(), job_id.map(str::to_owned));
        self.work(move |file| {
            file.execute(
                "UPDATE jobs SET ask_session = NULL WHERE ask_session = ?",
                [&session],
            )?;
            file.execute(
                "UPDATE jobs SET ask_session = ? WHERE job_id = ? AND state = 'pending_human'",
                params![session, job_id],
            )?;
            Ok(())
        })
        .await
    }

    /// A person has done what a job asked for, and has left that page: the job goes on, in the place that it had.
    pub async fn answer_ask(
        &self,
        job_id: &str,
        url: &str,
        now: UnixTime,
    ) -> Result<Option<(Job, Option<Note>)>, Error> {
        let (job_id, url) = (job_id.to_owned(), url.to_owned());
        self.work(move |file| {
            let Some((_, Some(mut ask))) = asked(file, "job_id = ?", &job_id)? else {
                return Ok(None);
            };
            ask.is_done = true;
            ask.left.clone_from(&url);
            let answered = file.execute(
                "UPDATE jobs SET state = 'queued', error = NULL, ask = ?, ask_session = NULL \
                 WHERE job_id = ? AND state = 'pending_human'",
                params![serde_json::to_string(&ask)?, job_id],
            )?;
            let Some(job) = one(file, &job_id)?.filter(|_| answered > 0) else {
                return Ok(None);
            };
            let note = super::notes::follow(file, &job, now)?;
            Ok(Some((job, note)))
        })
        .await
    }

    /// The sessions in which jobs that are not over have asked for a person.
    pub async fn asking_sessions(&self) -> Result<HashSet<String>, Error> {
        self.work(|file| {
            let mut asking = file.prepare_cached(
                "SELECT ask ->> 'session' FROM jobs WHERE ask IS NOT NULL \
                 AND state IN ('queued', 'running', 'pending_human')",
            )?;
            let rows = asking.query_map([], |row| row.get::<_, Option<String>>(0))?;
            Ok(rows.flatten().flatten().collect())
        })
        .await
    }
}

/// What a job asks for, as its row has it. What cannot be read was left by another build.
pub(super) fn read(row: &Row<'_>) -> Result<Option<HumanAsk>, Failure> {
    let json: Option<String> = row.get("ask")?;
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
}

/// Jobs without a login of their own that have asked for a person in the session of one that is forgotten begin anew.
pub(super) fn forget(file: &File, session: &str) -> Result<(), Failure> {
    file.execute(
        "UPDATE jobs SET state = 'queued', ask = NULL, ask_session = NULL, error = NULL \
         WHERE state = 'pending_human' AND ask ->> 'session' = ?",
        [session],
    )?;
    Ok(())
}

fn asked(
    file: &File,
    which: &str,
    value: &str,
) -> Result<Option<(Job, Option<HumanAsk>)>, Failure> {
    let mut asked = file.prepare_cached(&format!("SELECT * FROM jobs WHERE {which}"))?;
    let mut rows =
        asked.query_and_then([value], |row| Ok::<_, Failure>((job(row)?, read(row)?)))?;
    rows.next().transpose()
}
