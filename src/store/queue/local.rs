//! What a shared queue needs of the registry: notes whose jobs are elsewhere, logins that were seen, and jobs that
//! were put there before they come to the queue.

use rusqlite::{OptionalExtension, params};

use super::row::Row;
use crate::error::Error;
use crate::model::{Connection, Job, JobState, Note, NoteStatus, UnixTime};
use crate::store::Registry;
use crate::store::jobs::job;
use crate::store::{asks, connections, notes};

/// What the service is called in shared queues.
const SERVICE: &str = "service";
/// Jobs that come to the queue at once.
const FORWARDED_MAX: u32 = 256;
/// A note whose job is on its way, or should be.
const IS_UNSETTLED: &str = "note ->> 'status' IN ('posting', 'pending_auth', 'pending_human')";

impl Registry {
    /// What this service is called in shared queues, for as long as its state directory is kept.
    pub(super) async fn service_name(&self) -> Result<String, Error> {
        // Without a place of its own it is of one run, and has no logins or notes.
        if self.profiles().is_none() {
            return Ok(uuid::Uuid::new_v4().to_string());
        }
        if let Some(name) = self.mark(SERVICE).await? {
            return Ok(name);
        }
        let name = uuid::Uuid::new_v4().to_string();
        self.set_mark(SERVICE, name.clone()).await?;
        Ok(name)
    }

    /// A job is about to do, for its note, what must not be done twice.
    pub(super) async fn intend_note(&self, note_id: &str, intent: &str) -> Result<(), Error> {
        let (note_id, intent) = (note_id.to_owned(), intent.to_owned());
        self.work(move |file| {
            let sql = "UPDATE notes SET intent = ? WHERE note_id = ?";
            file.execute(sql, params![intent, note_id])?;
            Ok(())
        })
        .await
    }

    /// That job posts the note from now on.
    pub(super) async fn give_note(&self, note_id: &str, job_id: &str) -> Result<(), Error> {
        let (note_id, job_id) = (note_id.to_owned(), job_id.to_owned());
        self.work(move |file| {
            let sql = "UPDATE notes SET job_id = ? WHERE note_id = ?";
            file.execute(sql, params![job_id, note_id])?;
            Ok(())
        })
        .await
    }

    /// The note of a job becomes what the job is; answers it.
    pub(super) async fn follow_note(&self, job: Job, now: UnixTime) -> Result<Option<Note>, Error> {
        self.work(move |file| notes::follow(file, &job, now)).await
    }

    /// Notes whose jobs are on their way, and those jobs.
    pub(super) async fn unsettled_notes(&self) -> Result<Vec<(Note, String)>, Error> {
        self.work(|file| {
            let mut all = file.prepare_cached(&format!(
                "SELECT note, job_id FROM notes WHERE job_id IS NOT NULL AND {IS_UNSETTLED}"
            ))?;
            let rows = all.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
            let mut unsettled = Vec::new();
            for row in rows {
                let (json, job_id) = row?;
                // What another build has left is not settled by this one.
                if let Ok(note) = serde_json::from_str(&json) {
                    unsettled.push((note, job_id));
                }
            }
            Ok(unsettled)
        })
        .await
    }

    /// A note whose job is not in the queue any more: nobody will say what became of it.
    pub(super) async fn lose_note(
        &self,
        mut note: Note,
        job_id: &str,
        now: UnixTime,
    ) -> Result<(), Error> {
        let job_id = job_id.to_owned();
        note.status = NoteStatus::Failed;
        note.error =
            Some("Its job is not in the queue any more, and it may have been posted.".into());
        self.work(move |file| {
            let sql = format!(
                "UPDATE notes SET note = ?, ended_at = ? WHERE note_id = ? AND job_id = ? AND {IS_UNSETTLED}"
            );
            let json = serde_json::to_string(&note)?;
            file.execute(&sql, params![json, now.0, note.note_id, job_id])?;
            Ok(())
        })
        .await
    }

    /// The login of a user at a platform, if it was seen after that time and is there.
    pub(super) async fn login_seen(
        &self,
        user_id: &str,
        platform: &str,
        since: f64,
    ) -> Result<Option<Connection>, Error> {
        let (user_id, platform) = (user_id.to_owned(), platform.to_owned());
        self.work(move |file| {
            let sql = "SELECT connection_id FROM connections WHERE user_id = ? AND platform = ? \
                 AND status = 'active' AND verified_at > ? ORDER BY created_at DESC LIMIT 1";
            let found: Option<String> = file
                .query_row(sql, params![user_id, platform, since], |row| row.get(0))
                .optional()?;
            let Some(id) = found else {
                return Ok(None);
            };
            Ok(connections::one(file, &id)?.map(|kept| kept.connection))
        })
        .await
    }

    /// Jobs that were put in the registry and are not over, the oldest first: some of them.
    pub(super) async fn jobs_left(&self) -> Result<Vec<Row>, Error> {
        self.work(|file| {
            let mut left = file.prepare_cached(
                "SELECT * FROM jobs WHERE state IN ('queued', 'pending_auth', 'pending_human') ORDER BY seq LIMIT ?",
            )?;
            let mut rows = left.query([FORWARDED_MAX])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(Row {
                    job: job(row)?,
                    run_at: row.get("run_at")?,
                    created_at: row.get("created_at")?,
                    started_at: row.get("started_at")?,
                    finished_at: None,
                    crashes: row.get("crashes")?,
                    run: row.get("run")?,
                    intent: row.get("intent")?,
                    ask: asks::read(row)?,
                    ask_session: row.get("ask_session")?,
                    trace: row.get("trace")?,
                    unique_key: row.get("unique_key")?,
                    home: None,
                    owner: None,
                });
            }
            Ok(found)
        })
        .await
    }

    /// A job that has come to the queue is in the registry no more.
    pub(super) async fn hand_over(&self, job_id: &str) -> Result<(), Error> {
        let job_id = job_id.to_owned();
        self.work(move |file| {
            file.execute("DELETE FROM jobs WHERE job_id = ?", [&job_id])?;
            Ok(())
        })
        .await
    }
}

/// Whether a note is told to be as its job is.
pub(super) fn is_as(note: &Note, state: JobState) -> bool {
    match state {
        JobState::Queued | JobState::Running => true,
        JobState::PendingAuth => note.status == NoteStatus::PendingAuth,
        JobState::PendingHuman => note.status == NoteStatus::PendingHuman,
        JobState::Done | JobState::Failed | JobState::Cancelled => false,
    }
}
