//! Jobs of a shared queue that wait for somebody: for a login, or for a person.

use super::Find;
use super::row::{Outcome, Row};
use super::shared::Shared;
use crate::error::Error;
use crate::model::{Connection, ConnectionStatus, Job, JobError, JobState, Note, UnixTime};
use crate::store::jobs::NewJob;
use crate::store::{Lookup, Registry};

impl Shared {
    /// Lets a job go on that waits for this login.
    pub(super) async fn release_one(
        &self,
        registry: &Registry,
        row: &Row,
        login: &Connection,
        now: UnixTime,
    ) -> Result<Option<Job>, Error> {
        let here = self.service(registry).await?;
        let released = self.change(registry, &row.job.job_id, |row| {
            row.release(login, here, now.0).then(Outcome::default)
        });
        let Some((row, true)) = released.await? else {
            return Ok(None);
        };
        self.follow(registry, &row, now).await;
        Ok(Some(row.job))
    }

    /// Lets go on what waits for this login.
    pub(super) async fn release(
        &self,
        registry: &Registry,
        login: &Connection,
        now: UnixTime,
    ) -> Result<Vec<Job>, Error> {
        let mut released = Vec::new();
        for row in self.find(Find::Held).await? {
            let is_its = row.job.user_id.as_ref() == Some(&login.user_id)
                && row.job.platform.as_ref() == Some(&login.platform);
            if is_its {
                released.extend(self.release_one(registry, &row, login, now).await?);
            }
        }
        Ok(released)
    }

    /// Lets go on what waits for a login that is there.
    pub(super) async fn release_all(
        &self,
        registry: &Registry,
        now: UnixTime,
    ) -> Result<Vec<Job>, Error> {
        let active = Lookup {
            status: Some(ConnectionStatus::Active),
            ..Lookup::default()
        };
        let mut released = Vec::new();
        for kept in registry.connections(active).await? {
            released.extend(self.release(registry, &kept.connection, now).await?);
        }
        Ok(released)
    }

    /// What waits for somebody, and is of these, has failed.
    pub(super) async fn fail_held(
        &self,
        registry: &Registry,
        of: &(dyn Fn(&Row) -> bool + Send + Sync),
        why: Option<&JobError>,
        now: UnixTime,
        notices: &(dyn Fn(&Job) -> Vec<NewJob> + Send + Sync),
    ) -> Result<Vec<(Job, Option<Note>)>, Error> {
        let mut failed = Vec::new();
        for row in self.find(Find::Held).await? {
            let changed = self.change(registry, &row.job.job_id, |row| {
                (of(row) && row.fail_held(why, now.0)).then(|| Outcome {
                    more: notices(&row.clone().dated().job),
                    ..Outcome::default()
                })
            });
            if let Some((row, true)) = changed.await? {
                let note = self.follow(registry, &row, now).await;
                failed.push((row.job, note));
            }
        }
        Ok(failed)
    }

    /// What waits for a connection that is forgotten has failed, and what asks in its session begins anew.
    pub(super) async fn forget_connection(
        &self,
        registry: &Registry,
        connection_id: &str,
        now: UnixTime,
        why: &JobError,
        notices: &(dyn Fn(&Job) -> Vec<NewJob> + Send + Sync),
    ) -> Result<Vec<Job>, Error> {
        let is_its = |row: &Row| row.job.connection_id.as_deref() == Some(connection_id);
        let failed = self
            .fail_held(registry, &is_its, Some(why), now, notices)
            .await?;
        let kept = registry.connection(connection_id).await?;
        if let Some(session) = kept.and_then(|kept| kept.connection.browserbase_session_id) {
            let here = self.service(registry).await?;
            for row in self.find(Find::Held).await? {
                let is_asking = row.asking_session() == Some(&session) && row.is_for(here);
                if is_asking {
                    let forgotten = self.change(registry, &row.job.job_id, |row| {
                        row.forget_session(&session).then(Outcome::default)
                    });
                    forgotten.await?;
                }
            }
        }
        Ok(failed.into_iter().map(|(job, _)| job).collect())
    }

    pub(super) async fn open_ask(
        &self,
        registry: &Registry,
        session: &str,
        job_id: Option<&str>,
    ) -> Result<(), Error> {
        let here = self.service(registry).await?;
        for row in self.find(Find::Held).await? {
            let is_open = row.ask_session.as_deref() == Some(session) && row.is_for(here);
            let is_meant = job_id == Some(row.job.job_id.as_str());
            if !is_open && !is_meant {
                continue;
            }
            let changed = self.change(registry, &row.job.job_id, |row| {
                let is_waiting = row.job.state == JobState::PendingHuman;
                row.ask_session = (is_meant && is_waiting).then(|| session.to_owned());
                Some(Outcome::default())
            });
            changed.await?;
        }
        Ok(())
    }
}
