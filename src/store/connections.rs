//! Connections in the registry.

use rusqlite::{Row, params};

use super::Registry;
use super::database::Failure;
use super::jobs::NewJob;
use crate::error::Error;
use crate::model::{Connection, ConnectionStatus, Job, JobError, UnixTime};

/// A connection as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// As it is told.
    pub connection: Connection,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it was used last.
    pub last_used_at: UnixTime,
    /// When its login was seen last by a verification.
    pub verified_at: Option<UnixTime>,
    /// When its platform was visited last to keep its login alive.
    pub pinged_at: Option<UnixTime>,
}

/// Which connections.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    /// Of this user.
    pub user_id: Option<String>,
    /// To this platform.
    pub platform: Option<String>,
    /// That stand so.
    pub status: Option<ConnectionStatus>,
}

impl Kept {
    /// When it was used or visited last.
    pub fn seen_at(&self) -> UnixTime {
        match self.pinged_at {
            Some(pinged_at) if pinged_at > self.last_used_at => pinged_at,
            _ => self.last_used_at,
        }
    }
}

impl Registry {
    /// Writes a connection down.
    pub async fn put_connection(&self, kept: Kept) -> Result<(), Error> {
        self.work(move |file| put(file, &kept)).await
    }

    /// The connection of that id.
    pub async fn connection(&self, connection_id: &str) -> Result<Option<Kept>, Error> {
        let connection_id = connection_id.to_owned();
        self.work(move |file| one(file, &connection_id)).await
    }

    /// Connections, the newest first.
    pub async fn connections(&self, wanted: Lookup) -> Result<Vec<Kept>, Error> {
        self.work(move |file| {
            let mut all = file.prepare_cached(
                "SELECT * FROM connections WHERE (?1 IS NULL OR user_id = ?1) \
                 AND (?2 IS NULL OR platform = ?2) AND (?3 IS NULL OR status = ?3) \
                 ORDER BY created_at DESC, rowid DESC",
            )?;
            let status = wanted.status.map(ConnectionStatus::as_str);
            let rows =
                all.query_and_then(params![wanted.user_id, wanted.platform, status], kept)?;
            rows.collect()
        })
        .await
    }

    /// Changes a connection in one go.
    pub async fn change_connection(
        &self,
        connection_id: &str,
        change: impl Fn(&mut Kept) + Send + 'static,
    ) -> Result<(), Error> {
        let connection_id = connection_id.to_owned();
        self.work(move |file| changed(file, &connection_id, &change).map(drop))
            .await
    }

    /// Changes a connection, and lets go on in the same go what has waited for its login, where it is there.
    /// With one that stands otherwise than before, its `notices` are put in their queue. Answers how it was, how it
    /// is, and the jobs that go on.
    pub async fn learn_connection(
        &self,
        connection_id: &str,
        is_there: bool,
        now: UnixTime,
        change: impl Fn(&mut Kept) + Send + 'static,
        notices: impl Fn(&Connection) -> Vec<NewJob> + Send + 'static,
    ) -> Result<Option<(Kept, Kept, Vec<Job>)>, Error> {
        let connection_id = connection_id.to_owned();
        self.work(move |file| {
            let Some((before, after)) = changed(file, &connection_id, &change)? else {
                return Ok(None);
            };
            let released = match is_there {
                true => super::held::release(file, &after.connection, now)?,
                false => Vec::new(),
            };
            if before.connection.status != after.connection.status {
                super::jobs::put_all(file, &notices(&after.connection))?;
            }
            Ok(Some((before, after, released)))
        })
        .await
    }

    /// Lets go on what waits for a login that is there.
    pub async fn release_jobs(&self, now: UnixTime) -> Result<Vec<Job>, Error> {
        self.work(move |file| {
            let mut active =
                file.prepare_cached("SELECT * FROM connections WHERE status = 'active'")?;
            let active: Vec<Kept> = active.query_and_then([], kept)?.collect::<Result<_, _>>()?;
            let mut released = Vec::new();
            for kept in active {
                released.extend(super::held::release(file, &kept.connection, now)?);
            }
            Ok(released)
        })
        .await
    }

    /// Forgets a connection. What waits for its login has failed, and is answered.
    pub async fn remove_connection(
        &self,
        connection_id: &str,
        now: UnixTime,
        why: JobError,
        notices: impl Fn(&Job) -> Vec<NewJob> + Send + 'static,
    ) -> Result<Vec<Job>, Error> {
        let connection_id = connection_id.to_owned();
        self.work(move |file| {
            let failed = super::held::fail_held(file, &connection_id, now, &why, &notices)?;
            if let Some(session) =
                one(file, &connection_id)?.and_then(|kept| kept.connection.browserbase_session_id)
            {
                super::asks::forget(file, &session)?;
            }
            file.execute(
                "DELETE FROM connections WHERE connection_id = ?",
                [&connection_id],
            )?;
            Ok(failed)
        })
        .await
    }
}

fn put(file: &rusqlite::Connection, kept: &Kept) -> Result<(), Failure> {
    let connection = &kept.connection;
    file.prepare_cached("INSERT OR REPLACE INTO connections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?
        .execute(params![
            connection.connection_id,
            connection.user_id,
            connection.platform,
            connection.browserbase_session_id,
            connection.status.as_str(),
            kept.created_at.0,
            kept.last_used_at.0,
            kept.verified_at.map(|at| at.0),
            kept.pinged_at.map(|at| at.0),
        ])?;
    Ok(())
}

pub(super) fn one(
    file: &rusqlite::Connection,
    connection_id: &str,
) -> Result<Option<Kept>, Failure> {
    let mut one = file.prepare_cached("SELECT * FROM connections WHERE connection_id = ?")?;
    let mut rows = one.query_and_then([connection_id], kept)?;
    rows.next().transpose()
}

/// Changes a connection; answers how it was and how it is.
fn changed(
    file: &rusqlite::Connection,
    connection_id: &str,
    change: &dyn Fn(&mut Kept),
) -> Result<Option<(Kept, Kept)>, Failure> {
    let Some(before) = one(file, connection_id)? else {
        return Ok(None);
    };
    let mut after = before.clone();
    change(&mut after);
    put(file, &after)?;
    // As it is told: with the times that were changed.
    let after = one(file, connection_id)?;
    Ok(after.map(|after| (before, after)))
}

fn kept(row: &Row<'_>) -> Result<Kept, Failure> {
    let time = |name: &str| -> Result<Option<UnixTime>, Failure> {
        Ok(row.get::<_, Option<f64>>(name)?.map(UnixTime))
    };
    let last_used_at = time("last_used_at")?.unwrap_or(UnixTime(0.0));
    let verified_at = time("verified_at")?;
    let status: String = row.get("status")?;
    Ok(Kept {
        connection: Connection {
            connection_id: row.get("connection_id")?,
            user_id: row.get("user_id")?,
            platform: row.get("platform")?,
            browserbase_session_id: row.get("context_id")?,
            // A word of another build: nothing is taken for good that is not known.
            status: ConnectionStatus::parse(&status).unwrap_or(ConnectionStatus::Expired),
            last_used_at: last_used_at.to_iso8601(),
            verified_at: verified_at.map(UnixTime::to_iso8601),
        },
        created_at: time("created_at")?.unwrap_or(last_used_at),
        last_used_at,
        verified_at,
        pinged_at: time("pinged_at")?,
    })
}
