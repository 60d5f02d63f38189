//! The registry's SQLite file: its schema, and the sessions in it.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{Change, Restore, Wanted};
use crate::model::ids::JOB;
use crate::model::{
    EndedSession, Kept, KeptLink, RoomName, SessionId, SessionName, SessionSpec, SessionState,
    UnixTime,
};

/// Each brings a file from the version that is its place in the list to the next.
const MIGRATIONS: [&str; 7] = [
    "
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
",
    "
    ALTER TABLE sessions ADD COLUMN state_reason TEXT;
    CREATE TABLE ended (
        session_id TEXT NOT NULL,
        is_open INTEGER NOT NULL,
        session_name TEXT,
        room_name TEXT,
        ended_at TEXT NOT NULL,
        session TEXT NOT NULL,
        events TEXT NOT NULL,
        PRIMARY KEY (session_id, is_open)
    ) STRICT;
    CREATE INDEX ended_by_time ON ended (ended_at);
",
    "
    CREATE TABLE links (
        digest BLOB PRIMARY KEY NOT NULL,
        session_id TEXT NOT NULL,
        is_for_driving INTEGER NOT NULL,
        is_share INTEGER NOT NULL,
        name TEXT,
        is_private INTEGER NOT NULL,
        is_one_time INTEGER NOT NULL,
        expires REAL NOT NULL,
        maker BLOB
    ) STRICT;
    CREATE INDEX links_of_session ON links (session_id);
",
    super::jobs::SCHEMA,
    super::jobs::TRACES,
    super::asks::SCHEMA,
    super::notes::ENDS,
];

/// Sessions that have ended and are known; the oldest are forgotten beyond it.
const ENDED_MAX: u32 = 1_000;
/// Further ones, of those that served one job: jobs are many, and push no other out.
const ENDED_OF_JOBS_MAX: u32 = 100;

/// The file of somebody else may be locked for this long.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// What can go wrong with the file.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("it was written by a newer Ghostcast (schema {found}; this one knows up to {known})")]
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
        let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let known = MIGRATIONS.len() as u32;
        if version > known {
            return Err(Failure::Newer {
                found: version,
                known,
            });
        }
        // From here on the file is changed.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // What was acknowledged survives the machine's own end.
        connection.pragma_update(None, "synchronous", "FULL")?;
        let migration = connection.transaction()?;
        for step in MIGRATIONS.iter().skip(version as usize) {
            migration.execute_batch(step)?;
        }
        migration.pragma_update(None, "user_version", known)?;
        // What a run that was killed has left: nobody will say how it ended.
        let now = UnixTime::now().to_iso8601();
        migration.execute(
            "UPDATE OR REPLACE ended SET is_open = 0, ended_at = ? WHERE is_open = 1",
            [now],
        )?;
        migration.execute(
            "DELETE FROM links WHERE expires <= ? OR session_id NOT IN (SELECT session_id FROM sessions)",
            [UnixTime::now().0],
        )?;
        migration.commit()?;
        Ok(Self { connection })
    }

    /// Reads the links that are kept.
    pub(super) fn links(&self) -> Result<Vec<KeptLink>, Failure> {
        let mut all = self.connection.prepare("SELECT * FROM links")?;
        let rows = all.query_map([], link)?;
        Ok(rows
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect())
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
        let mut transaction = self.connection.transaction()?;
        for change in changes {
            match change {
                Change::Put(kept) => {
                    let record = &kept.record;
                    let Some(name) = &record.session_name else {
                        continue;
                    };
                    let mut put = transaction.prepare(
                        "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    )?;
                    put.execute(params![
                        record.session_id.to_string(),
                        name.as_str(),
                        record.created_at,
                        record.last_activity,
                        record.current_url,
                        record.title,
                        record.page_count,
                        stored_spec(&kept.spec)?.to_string(),
                        serde_json::to_string(&kept.tabs)?,
                        serde_json::to_string(&kept.secret_labels)?,
                        // Of one that runs it is of the moment, and not why it is stored.
                        record.state_reason.as_ref().filter(|_| !record.active),
                    ])?;
                }
                Change::Remove(id) => {
                    let mut remove =
                        transaction.prepare("DELETE FROM sessions WHERE session_id = ?")?;
                    remove.execute([id.to_string()])?;
                    put_links(&transaction, *id, &[])?;
                }
                Change::Links { session, links } => put_links(&transaction, *session, links)?,
                Change::Ended { session, is_open } => put_ended(&transaction, session, *is_open)?,
                Change::ForgetEnded { before } => forget_ended(&transaction, before)?,
                Change::Work(work) => {
                    let aside = transaction.savepoint()?;
                    // Whoever ordered it is told; the others are not touched.
                    match (work.0)(&aside) {
                        Ok(()) => aside.commit()?,
                        Err(error) => {
                            tracing::warn!(%error, "something could not be done to the registry");
                        }
                    }
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Reads sessions that have ended, the newest first: all without their events, or one with them.
    pub(super) fn ended(&self, wanted: &Wanted) -> Result<Vec<EndedSession>, Failure> {
        let (condition, events, key) = match wanted {
            Wanted::All => ("?1 IS NULL", "NULL", None),
            Wanted::Of(key) => (
                "?1 IN (session_id, session_name, room_name)",
                "events",
                Some(key),
            ),
        };
        let mut asked = self.connection.prepare(&format!(
            "SELECT session, ended_at, {events} FROM ended WHERE is_open = 0 AND {condition} \
             ORDER BY ended_at DESC, rowid DESC LIMIT {}",
            ENDED_MAX + ENDED_OF_JOBS_MAX
        ))?;
        let mut rows = asked.query([key])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let read = serde_json::from_str::<EndedSession>(&row.get::<_, String>(0)?);
            let events: Option<String> = row.get(2)?;
            let events = events.map(|json| serde_json::from_str(&json)).transpose();
            let (mut session, events) = match (read, events) {
                (Ok(session), Ok(events)) => (session, events),
                // Of another build; the others are read all the same.
                (Err(error), _) | (_, Err(error)) => {
                    tracing::warn!(%error, "what is known of a session that has ended cannot be read");
                    continue;
                }
            };
            session.ended_at = row.get(1)?;
            session.last_events = events;
            found.push(session);
        }
        Ok(found)
    }
}

/// Writes the links of a session in the place of those that it had; none of one that was removed meanwhile.
fn put_links(
    transaction: &Transaction<'_>,
    session: SessionId,
    links: &[KeptLink],
) -> Result<(), Failure> {
    let session = session.to_string();
    transaction.execute("DELETE FROM links WHERE session_id = ?", [&session])?;
    let mut put = transaction.prepare(
        "INSERT OR REPLACE INTO links SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
        WHERE EXISTS (SELECT 1 FROM sessions WHERE session_id = ?2)",
    )?;
    for link in links {
        put.execute(params![
            link.digest,
            session,
            link.is_for_driving,
            link.is_share,
            link.name,
            link.is_private,
            link.is_one_time,
            link.expires.0,
            link.maker,
        ])?;
    }
    Ok(())
}

/// A link, if its session has an id that can be read.
fn link(row: &Row<'_>) -> rusqlite::Result<Option<KeptLink>> {
    let Some(session) = SessionId::parse(&row.get::<_, String>("session_id")?) else {
        return Ok(None);
    };
    Ok(Some(KeptLink {
        digest: row.get("digest")?,
        session,
        is_for_driving: row.get("is_for_driving")?,
        is_share: row.get("is_share")?,
        name: row.get("name")?,
        is_private: row.get("is_private")?,
        is_one_time: row.get("is_one_time")?,
        expires: UnixTime(row.get("expires")?),
        maker: row.get("maker")?,
    }))
}

/// Notes how a session has ended, or would have if nobody came to say it.
fn put_ended(
    transaction: &Transaction<'_>,
    session: &EndedSession,
    is_open: bool,
) -> Result<(), Failure> {
    let mut session = session.clone();
    let events = session.last_events.take();
    let id = session.session_id.to_string();
    // Of one that was stored no more is known now than when its browser ended.
    let before: Option<(String, String)> = match events {
        Some(_) => None,
        None => transaction
            .query_row(
                "SELECT session, events FROM ended WHERE session_id = ? AND is_open = 0",
                [&id],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?,
    };
    let mut events = serde_json::to_string(&events.unwrap_or_default())?;
    let known = before.and_then(|(known, events)| {
        Some((serde_json::from_str::<EndedSession>(&known).ok()?, events))
    });
    if let Some((known, known_events)) = known {
        session = EndedSession {
            ended_at: session.ended_at,
            reason: session.reason,
            detail: session.detail,
            ..known
        };
        events = known_events;
    }
    transaction.execute(
        "INSERT OR REPLACE INTO ended VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            id,
            is_open,
            session.session_name.as_ref().map(SessionName::as_str),
            session.room_name.as_ref().map(RoomName::as_str),
            session.ended_at,
            serde_json::to_string(&session)?,
            events,
        ],
    )?;
    if is_open {
        return Ok(());
    }
    transaction.execute(
        "DELETE FROM ended WHERE is_open = 1 AND session_id = ?",
        [id],
    )?;
    let mut forgotten = 0;
    for (is_of_job, most) in [(false, ENDED_MAX), (true, ENDED_OF_JOBS_MAX)] {
        let of = format!("is_open = 0 AND COALESCE(session_name GLOB '{JOB}*', 0) = ?1");
        forgotten += transaction.execute(
            &format!(
                "DELETE FROM ended WHERE {of} AND session_id NOT IN \
                 (SELECT session_id FROM ended WHERE {of} ORDER BY ended_at DESC LIMIT ?2)"
            ),
            params![is_of_job, most],
        )?;
    }
    note_forgotten(forgotten);
    Ok(())
}

fn forget_ended(transaction: &Transaction<'_>, before: &str) -> Result<(), Failure> {
    // Of one form, so that the earlier one is the smaller.
    let forgotten = transaction.execute(
        "DELETE FROM ended WHERE is_open = 0 AND ended_at < ?",
        [before],
    )?;
    note_forgotten(forgotten);
    Ok(())
}

fn note_forgotten(count: usize) {
    if count > 0 {
        tracing::info!(count, "sessions that ended long ago are forgotten");
        metrics::counter!("ghostcast_swept_total", "kind" => "ended_sessions")
            .increment(count as u64);
    }
}

/// A specification as it is stored: with the vendor's options, which are told to nobody else.
fn stored_spec(spec: &SessionSpec) -> serde_json::Result<serde_json::Value> {
    let mut stored = serde_json::to_value(spec)?;
    if !spec.remote_options.is_empty() {
        stored["remote_options"] = spec.remote_options.clone().into();
    }
    Ok(stored)
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
    record.state_reason = row.get("state_reason")?;
    Ok(Kept {
        record,
        spec,
        tabs: serde_json::from_str(&text("tabs")?)?,
        secret_labels: serde_json::from_str(&text("secret_labels")?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_removed_leaves_no_links() {
        let base = std::env::temp_dir().join(format!("links-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&base).unwrap();
        let path = base.join("ghostcast.db");
        let mut database = Database::open(&path).unwrap();
        let session = SessionId::new();
        let put =
            "INSERT INTO sessions VALUES (?, 'kept', '', '', '', '', 1, '{}', '[]', '[]', NULL)";
        let id = session.to_string();
        database.connection.execute(put, [&id]).unwrap();
        let link = KeptLink {
            digest: [1; 32],
            session,
            is_for_driving: true,
            is_share: false,
            name: None,
            is_private: false,
            is_one_time: false,
            expires: UnixTime::now().plus(Duration::from_secs(60)),
            maker: None,
        };
        let links = || Change::Links {
            session,
            links: vec![link.clone()],
        };
        database.write(&[links()]).unwrap();
        assert_eq!(database.links().unwrap().len(), 1);
        // Whoever makes one while the session is closed comes too late.
        database.write(&[Change::Remove(session), links()]).unwrap();
        assert!(database.links().unwrap().is_empty());
        // As an older run may have left it.
        database.connection.execute(put, [&id]).unwrap();
        database.write(&[links()]).unwrap();
        let gone = "DELETE FROM sessions";
        database.connection.execute(gone, []).unwrap();
        drop(database);
        assert!(Database::open(&path).unwrap().links().unwrap().is_empty());
        std::fs::remove_dir_all(&base).unwrap();
    }
}
