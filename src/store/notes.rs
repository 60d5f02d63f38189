//! Notes in the registry.

use rusqlite::{OptionalExtension, Transaction, params};

use super::Registry;
use super::database::Failure;
use crate::error::Error;
use crate::model::{Note, UnixTime};

/// Notes that are listed at most.
const NOTES_MAX: u32 = 1_000;

impl Registry {
    /// Writes a new note down.
    pub async fn put_note(&self, note: Note, now: UnixTime) -> Result<(), Error> {
        self.work(move |file| {
            file.execute(
                "INSERT OR REPLACE INTO notes VALUES (?, ?, ?)",
                params![note.note_id, now.0, serde_json::to_string(&note)?],
            )?;
            Ok(())
        })
        .await
    }

    /// The note of that id.
    pub async fn note(&self, note_id: &str) -> Result<Option<Note>, Error> {
        let note_id = note_id.to_owned();
        self.work(move |file| one(file, &note_id)).await
    }

    /// The newest notes, of a user where one is named.
    pub async fn notes(&self, user_id: Option<String>) -> Result<Vec<Note>, Error> {
        self.work(move |file| {
            let mut all = file.prepare_cached(
                "SELECT note FROM notes WHERE ?1 IS NULL OR note ->> 'user_id' = ?1 \
                 ORDER BY created_at DESC, rowid DESC LIMIT ?2",
            )?;
            let rows = all.query_and_then(params![user_id, NOTES_MAX], |row| {
                let json: String = row.get(0)?;
                Ok(serde_json::from_str(&json)?)
            })?;
            rows.collect()
        })
        .await
    }

    /// Changes a note in one go; answers it as it is then. What the change refuses stays as it was.
    pub async fn change_note<R: Send + 'static>(
        &self,
        note_id: &str,
        change: impl Fn(&mut Note) -> R + Send + 'static,
    ) -> Result<Option<(Note, R)>, Error> {
        let note_id = note_id.to_owned();
        self.work(move |file| {
            let Some(mut note) = one(file, &note_id)? else {
                return Ok(None);
            };
            let told = change(&mut note);
            file.execute(
                "UPDATE notes SET note = ? WHERE note_id = ?",
                params![serde_json::to_string(&note)?, note_id],
            )?;
            Ok(Some((note, told)))
        })
        .await
    }
}

fn one(file: &Transaction<'_>, note_id: &str) -> Result<Option<Note>, Failure> {
    let json: Option<String> = file
        .query_row(
            "SELECT note FROM notes WHERE note_id = ?",
            [note_id],
            |row| row.get(0),
        )
        .optional()?;
    Ok(json.map(|json| serde_json::from_str(&json)).transpose()?)
}
