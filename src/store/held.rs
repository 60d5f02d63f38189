//! Jobs in the registry that wait for somebody: for a login, or for a person.

use rusqlite::{Connection as File, params};

use super::Registry;
use super::database::Failure;
use super::jobs::{NewJob, job, put_all};
use crate::error::Error;
use crate::model::{Connection, Job, JobError, Note, UnixTime};

impl Registry {
    /// Jobs that have waited for somebody since before that time have failed, with what they waited for; answers
    /// them.
    pub async fn fail_held(
        &self,
        before: UnixTime,
        now: UnixTime,
        notices: impl Fn(&Job) -> Vec<NewJob> + Send + 'static,
    ) -> Result<Vec<(Job, Option<Note>)>, Error> {
        self.work(move |file| {
            let mut held = file.prepare_cached(
                "UPDATE jobs SET state = 'failed', finished_at = ?1, ask_session = NULL \
                 WHERE state IN ('pending_auth', 'pending_human') \
                 AND COALESCE(started_at, created_at) < ?2 RETURNING *",
            )?;
            let of = params![now.0, before.0];
            let failed: Vec<Job> = held.query_and_then(of, job)?.collect::<Result<_, _>>()?;
            let mut told = Vec::new();
            for job in failed {
                let note = super::notes::follow(file, &job, now)?;
                put_all(file, &notices(&job))?;
                told.push((job, note));
            }
            Ok(told)
        })
        .await
    }
}

/// Lets the jobs go on that wait for this login. A job of another connection, which is good no more, goes on with
/// this one.
pub(super) fn release(
    file: &File,
    connection: &Connection,
    now: UnixTime,
) -> Result<Vec<Job>, Failure> {
    let mut waiting = file.prepare_cached(
        "UPDATE jobs SET state = 'queued', run_at = ?3, attempts = 0, \
         connection_id = CASE WHEN connection_id IS NULL THEN NULL ELSE ?4 END \
         WHERE state = 'pending_auth' AND user_id = ?1 AND platform = ?2 RETURNING *",
    )?;
    let of = params![
        connection.user_id,
        connection.platform,
        now.0,
        connection.connection_id
    ];
    let released: Vec<Job> = waiting.query_and_then(of, job)?.collect::<Result<_, _>>()?;
    for job in &released {
        super::notes::follow(file, job, now)?;
    }
    Ok(released)
}

/// What waits for a connection that is forgotten has failed; answers those.
pub(super) fn fail_held(
    file: &File,
    connection_id: &str,
    now: UnixTime,
    why: &JobError,
    notices: impl Fn(&Job) -> Vec<NewJob>,
) -> Result<Vec<Job>, Failure> {
    let mut held = file.prepare_cached(
        "UPDATE jobs SET state = 'failed', finished_at = ?2, error = ?3 \
         WHERE state IN ('pending_auth', 'pending_human') AND connection_id = ?1 RETURNING *",
    )?;
    let of = params![connection_id, now.0, serde_json::to_string(why)?];
    let failed: Vec<Job> = held.query_and_then(of, job)?.collect::<Result<_, _>>()?;
    for job in &failed {
        put_all(file, &notices(job))?;
    }
    Ok(failed)
}

/// Whether the login that a job wants was seen after its run began.
pub(super) fn is_seen_since(file: &File, job_id: &str) -> Result<bool, Failure> {
    let mut seen = file.prepare_cached(
        "SELECT 1 FROM jobs JOIN connections USING (user_id, platform) \
         WHERE job_id = ? AND status = 'active' AND verified_at > started_at",
    )?;
    Ok(seen.exists([job_id])?)
}
