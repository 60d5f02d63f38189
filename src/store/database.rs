//! The registry's SQLite file. The one place that names rusqlite.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::{Change, Restore};
use crate::model::{Kept, SessionId, SessionSpec, SessionState};

/// Each brings a file from the version that is its place in the list to the next.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE sessions (
        session_id TEXT PRIMARY KEY NOT NULL,
        session_name TEXT UNIQUE NOT NULL,
        created_at TEXT NOT NULL,
        last_activity TEXT NOT NULL,
        current_url TEXT NOT NULL,
        title TEXT NOT NULL,
        page_count INTEGER NOT NULL,
        spec TEXT NOT NULL,
        tabs TEXT NOT NULL,
        secret_labels TEXT NOT NULL
    ) STRICT;
"];

/// The file of somebody else may be locked for this long.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// What can go wrong with the file.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("it was written by a newer Ghostcast (schema {found}, this one knows {known})")]
    Newer { found: u32, known: u32 },
    #[error("what is to be written is no JSON: {0}")]
    Json(#[from] serde_json::Error),
}

#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
}

impl Database {
    /// Opens the file, makes it if there is none, and brings its schema up to date.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        // What it becomes beside it has the same rights. Where it cannot be made, SQLite says so.
        let _ = File::options()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path);
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_MAX)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // What was acknowledged survives the machine's own end.
        connection.pragma_update(None, "synchronous", "FULL")?;
        let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let known = MIGRATIONS.len() as u32;
        if version > known {
            return Err(Failure::Newer {
                found: version,
                known,
            });
        }
        let migration = connection.transaction()?;
        for step in MIGRATIONS.iter().skip(version as usize) {
            migration.execute_batch(step)?;
        }
        migration.pragma_update(None, "user_version", known)?;
        migration.commit()?;
        Ok(Self { connection })
    }

    /// Reads the sessions that are kept.
    pub(super) fn read(&self, restore: Restore<'_>) -> Result<Vec<Kept>, Failure> {
        let mut all = self.connection.prepare("SELECT * FROM sessions")?;
        let rows = all.query_map([], |row| Ok(kept(row, restore)))?;
        let mut kept = Vec::new();
        for row in rows {
            match row? {
                Ok(one) => kept.push(one),
                Err(error) => tracing::warn!(%error, "a stored session cannot be read and is left"),
            }
        }
        Ok(kept)
    }

    /// Makes all changes, or none. Sessions without a name are of one run, and not kept.
    pub(super) fn write(&mut self, changes: &[Change]) -> Result<(), Failure> {
        let transaction = self.connection.transaction()?;
        for change in changes {
            match change {
                Change::Put(kept) => {
                    let record = &kept.record;
                    let Some(name) = &record.session_name else {
                        continue;
                    };
                    let mut put = transaction.prepare(
                        "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    )?;
                    put.execute(params![
                        record.session_id.to_string(),
                        name.as_str(),
                        record.created_at,
                        record.last_activity,
                        record.current_url,
                        record.title,
                        record.page_count,
                        serde_json::to_string(&kept.spec)?,
                        serde_json::to_string(&kept.tabs)?,
                        serde_json::to_string(&kept.secret_labels)?,
                    ])?;
                }
                Change::Remove(id) => {
                    let mut remove =
                        transaction.prepare("DELETE FROM sessions WHERE session_id = ?")?;
                    remove.execute([id.to_string()])?;
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

fn kept(row: &Row<'_>, restore: Restore<'_>) -> Result<Kept, crate::error::BoxError> {
    let text = |name: &str| row.get::<_, String>(name);
    let spec: SessionSpec = serde_json::from_str(&text("spec")?)?;
    let mut record = restore(&spec);
    record.session_id = SessionId::parse(&text("session_id")?).ok_or("no session id")?;
    record.state = SessionState::Stored;
    record.active = false;
    record.is_opening = false;
    record.created_at = text("created_at")?;
    record.last_activity = text("last_activity")?;
    record.current_url = text("current_url")?;
    record.title = text("title")?;
    record.page_count = row.get("page_count")?;
    Ok(Kept {
        record,
        spec,
        tabs: serde_json::from_str(&text("tabs")?)?,
        secret_labels: serde_json::from_str(&text("secret_labels")?)?,
    })
}
