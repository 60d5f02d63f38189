//! Notes in the registry. What becomes of a note's job becomes of the note in the same transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::Registry;
use super::database::Failure;
use crate::error::Error;
use crate::model::{Job, JobState, Note, NoteStatus, UnixTime};

/// Notes that are listed at most.
const NOTES_MAX: u32 = 1_000;

/// When a note was posted, or has failed.
pub(super) const ENDS: &str = "ALTER TABLE notes ADD COLUMN ended_at REAL;";

/// What a note's job finds when it begins.
#[derive(Debug, Clone)]
pub enum Begun {
    /// The note, to be posted; and what a job before it was about to do, or has done.
    Note(Box<Note>, Option<String>),
    /// It is posted already.
    Posted(Box<Note>),
    /// It is not to be posted, and why.
    Refused(String),
    /// It is not there.
    Missing,
}

impl Registry {
    /// Writes a new note down.
    pub async fn put_note(&self, note: Note, now: UnixTime) -> Result<(), Error> {
        self.work(move |file| {
            file.execute(
                "INSERT OR REPLACE INTO notes (note_id, created_at, note) VALUES (?, ?, ?)",
                params![note.note_id, now.0, serde_json::to_string(&note)?],
            )?;
            Ok(())
        })
        .await
    }

    /// The note of that id.
    pub async fn note(&self, note_id: &str) -> Result<Option<Note>, Error> {
        let note_id = note_id.to_owned();
        self.work(move |file| Ok(one(file, &note_id)?.map(|kept| kept.note)))
            .await
    }

    /// The newest notes, of a user where one is named.
    pub async fn notes(&self, user_id: Option<String>) -> Result<Vec<Note>, Error> {
        self.work(move |file| {
            let mut all = file.prepare_cached(
                "SELECT note FROM notes WHERE ?1 IS NULL OR note ->> 'user_id' = ?1 \
                 ORDER BY created_at DESC, rowid DESC LIMIT ?2",
            )?;
            let rows = all.query_map(params![user_id, NOTES_MAX], |row| row.get::<_, String>(0))?;
            let mut notes = Vec::new();
            for json in rows {
                match serde_json::from_str(&json?) {
                    Ok(note) => notes.push(note),
                    // Of another build; the others are told all the same.
                    Err(error) => tracing::warn!(%error, "a note cannot be read and is left"),
                }
            }
            Ok(notes)
        })
        .await
    }

    /// Changes a note in one go; answers it as it is then, and what the change says.
    pub async fn change_note<R: Send + 'static>(
        &self,
        note_id: &str,
        change: impl Fn(&mut Note, &mut Intended) -> R + Send + 'static,
    ) -> Result<Option<(Note, R)>, Error> {
        let note_id = note_id.to_owned();
        self.work(move |file| {
            let Some(Kept {
                mut note, intent, ..
            }) = one(file, &note_id)?
            else {
                return Ok(None);
            };
            let mut intent = Intended(intent);
            let told = change(&mut note, &mut intent);
            write(file, &note)?;
            if intent.0.is_none() {
                file.execute(
                    "UPDATE notes SET intent = NULL WHERE note_id = ?",
                    [&note_id],
                )?;
            }
            Ok(Some((note, told)))
        })
        .await
    }

    /// Forgets a note, unless a job for it is under way. Answers it, and that job's state where there is one.
    pub async fn remove_note(
        &self,
        note_id: &str,
    ) -> Result<Option<(Note, Option<JobState>)>, Error> {
        let note_id = note_id.to_owned();
        self.work(move |file| {
            let Some(kept) = one(file, &note_id)? else {
                return Ok(None);
            };
            let mut under_way = file.prepare_cached(
                "SELECT state FROM jobs WHERE note_id = ? \
                 AND state IN ('queued', 'running', 'pending_auth', 'pending_human')",
            )?;
            let state: Option<String> = under_way
                .query_row([&note_id], |row| row.get(0))
                .optional()?;
            if state.is_none() {
                file.execute("DELETE FROM notes WHERE note_id = ?", [&note_id])?;
            }
            let state = state.and_then(|state| JobState::parse(&state));
            Ok(Some((kept.note, state)))
        })
        .await
    }

    /// Forgets notes that were posted or have failed before that time. Answers how many there were.
    pub async fn forget_notes(&self, before: UnixTime) -> Result<usize, Error> {
        self.work(move |file| {
            let forgotten = file.execute(
                "DELETE FROM notes WHERE COALESCE(ended_at, created_at) < ? \
                 AND note ->> 'status' IN ('posted', 'failed') AND NOT EXISTS (SELECT 1 FROM jobs \
                 WHERE jobs.note_id = notes.note_id \
                 AND state IN ('queued', 'running', 'pending_auth', 'pending_human'))",
                [before.0],
            )?;
            Ok(forgotten)
        })
        .await
    }

    /// A job begins to post a note, if it is the note's and the note is to be posted.
    pub async fn begin_note(&self, note_id: &str, job_id: &str) -> Result<Begun, Error> {
        let (note_id, job_id) = (note_id.to_owned(), job_id.to_owned());
        self.work(move |file| {
            let Some(kept) = one(file, &note_id)? else {
                return Ok(Begun::Missing);
            };
            let mut note = kept.note;
            if note.status == NoteStatus::Posted {
                return Ok(Begun::Posted(Box::new(note)));
            }
            if kept.job_id.as_deref() != Some(job_id.as_str()) {
                return Ok(Begun::Refused("another job posts the note".to_owned()));
            }
            if let Some(why) = note.objection_to_job() {
                return Ok(Begun::Refused(why));
            }
            note.status = NoteStatus::Posting;
            note.error = None;
            write(file, &note)?;
            Ok(Begun::Note(Box::new(note), kept.intent))
        })
        .await
    }
}

/// What a job of a note was about to do, or has done.
#[derive(Debug)]
pub struct Intended(Option<String>);

impl Intended {
    /// Somebody has looked, and it is not there.
    pub fn forget(&mut self) {
        self.0 = None;
    }
}

/// A note as it is kept.
struct Kept {
    note: Note,
    /// The job that posts it.
    job_id: Option<String>,
    /// What a job of it was about to do, or has done.
    intent: Option<String>,
}

fn one(file: &Connection, note_id: &str) -> Result<Option<Kept>, Failure> {
    let mut one =
        file.prepare_cached("SELECT note, job_id, intent FROM notes WHERE note_id = ?")?;
    let mut rows = one.query_and_then([note_id], |row| {
        let json: String = row.get(0)?;
        Ok(Kept {
            note: serde_json::from_str(&json)?,
            job_id: row.get(1)?,
            intent: row.get(2)?,
        })
    })?;
    rows.next().transpose()
}

fn write(file: &Connection, note: &Note) -> Result<(), Failure> {
    file.execute(
        "UPDATE notes SET note = ? WHERE note_id = ?",
        params![serde_json::to_string(note)?, note.note_id],
    )?;
    Ok(())
}

/// The note of a job becomes what the job has become; answers it. A job that is not the
/// note's any more says nothing of it, nor does one of a note that is posted.
pub(super) fn follow(file: &Connection, job: &Job, now: UnixTime) -> Result<Option<Note>, Failure> {
    let Some(note_id) = job.note_id() else {
        return Ok(None);
    };
    let Some(kept) = one(file, note_id)? else {
        return Ok(None);
    };
    let mut note = kept.note;
    let is_its = kept.job_id.as_deref() == Some(job.job_id.as_str());
    if !is_its || note.status == NoteStatus::Posted {
        return Ok(None);
    }
    let field = |name: &str| {
        let value = job.result.as_ref().and_then(|result| result.get(name));
        value.map(|value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    };
    note.error = job.error.as_ref().map(|error| error.message.clone());
    match job.state {
        JobState::Done => {
            note.status = NoteStatus::Posted;
            note.error = None;
            note.posted_at = Some(now.to_iso8601());
            note.platform_comment_id = field("comment_id");
            note.external_permalink = field("permalink");
        }
        JobState::Failed => note.status = NoteStatus::Failed,
        JobState::PendingAuth => note.status = NoteStatus::PendingAuth,
        JobState::PendingHuman => note.status = NoteStatus::PendingHuman,
        JobState::Cancelled if kept.intent.is_some() => {
            note.status = NoteStatus::Failed;
            note.error =
                Some("The job was called off, and the note may have been posted.".to_owned());
        }
        JobState::Cancelled => note.status = NoteStatus::Ready,
        // Until the last attempt it is on its way.
        JobState::Queued if note.status == NoteStatus::Posting => (),
        JobState::Queued => note.status = NoteStatus::Ready,
        JobState::Running => (),
    }
    write(file, &note)?;
    let has_ended = matches!(note.status, NoteStatus::Posted | NoteStatus::Failed);
    file.execute(
        "UPDATE notes SET ended_at = ? WHERE note_id = ?",
        params![has_ended.then_some(now.0), note_id],
    )?;
    Ok(Some(note))
}
