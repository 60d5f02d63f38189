//! What is done each day by itself: logins are kept alive and expire, and old jobs are forgotten.

use std::time::Duration;

use serde_json::{Value, json};

use super::Jobs;
use super::attempt::tell;
use super::connections::session_name;
use super::login;
use super::order::JobOrder;
use crate::config::age;
use crate::error::Error;
use crate::model::{
    ConnectionStatus, Job, JobError, JobErrorKind, JobKind, Queue, Seen, SessionState, UnixTime,
};
use crate::store::{KeptConnection, Lookup};

const DAY_S: f64 = 86_400.0;
/// The calendar is looked at this often, and at its times.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// Bound on one visit.
const PING_MAX: Duration = Duration::from_secs(60);
/// Where the registry has the day on which logins were looked after last.
const LAST_DAY: &str = "keep_alive_day";

/// The day whose logins are to be looked after now, if any: the latest whose time has come, unless that was done.
/// Days that were slept through are not caught up with.
pub(super) fn due(now: UnixTime, second_of_day: u32, last: Option<i64>) -> Option<i64> {
    let day = ((now.0 - f64::from(second_of_day)) / DAY_S).floor() as i64;
    // A day that is far ahead was noted by a clock that was wrong.
    let last = last.filter(|last| *last <= day + 1);
    last.is_none_or(|last| day > last).then_some(day)
}

/// Looks at the calendar until the service ends.
pub(super) async fn keep(jobs: Jobs) {
    let end = jobs.0.end.clone();
    loop {
        // What fails has been told of, and is tried at the next look.
        let _ = jobs.look(UnixTime::now()).await;
        let pause = tokio::time::sleep(LOOK_EVERY);
        if end.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

impl Jobs {
    async fn look(&self, now: UnixTime) -> Result<(), Error> {
        self.expire(now).await?;
        self.settle(now).await?;
        let config = self.config();
        let registry = &self.0.registry;
        if let Some(kept) = age(config.jobs.kept_h) {
            self.0.queue.forget_jobs(now.minus(kept)).await?;
        }
        if let Some(kept) = age(config.jobs.notes_kept_h) {
            registry.forget_notes(now.minus(kept)).await?;
        }
        if let Some(held) = age(config.jobs.held_h) {
            self.fail_held(now.minus(held), now).await?;
        }
        self.clear_expired(now).await?;
        let second = config.connections.keep_alive_second().unwrap_or_default();
        let last = registry.mark(LAST_DAY).await?;
        let Some(day) = due(
            now,
            second,
            last.as_deref().and_then(|day| day.parse().ok()),
        ) else {
            return Ok(());
        };
        // A service that is new has nothing to look after, and does so at the next time.
        if last.is_some() {
            let mut order = JobOrder::new(JobKind::KeepAlive, json!({}));
            // Each service looks after its own logins.
            let service = self.0.queue.service().await?;
            order.unique_key = Some(format!("keep_alive {day} {service}"));
            self.enqueue(order).await?;
        }
        registry.set_mark(LAST_DAY, day.to_string()).await
    }

    /// Jobs for which nobody came for too long have failed.
    async fn fail_held(&self, before: UnixTime, now: UnixTime) -> Result<(), Error> {
        let teller = self.teller(now);
        let notices = move |job: &Job| teller.failed(job);
        let failed = self.0.queue.fail_held(before, now, notices).await?;
        for (job, note) in &failed {
            if let Some(error) = &job.error {
                tell(job, "failed", error);
            }
            if let Some(note) = note {
                self.tell_of_note(job.state, note);
            }
            self.0.news.job(job);
            self.clear_after(job).await;
        }
        if !failed.is_empty() {
            self.wake(Queue::Notices);
        }
        Ok(())
    }

    /// What is kept of logins that expired long ago is of no use: it gives its place on the disk back. The connection
    /// stays, and its user may log in anew.
    async fn clear_expired(&self, now: UnixTime) -> Result<(), Error> {
        let before = now.minus(self.config().connections.worthless_after());
        let expired = Lookup {
            status: Some(ConnectionStatus::Expired),
            ..Lookup::default()
        };
        let all = self.0.registry.connections(expired).await?;
        for kept in all.iter().filter(|kept| kept.last_used_at <= before) {
            let name = session_name(&kept.connection.connection_id)?;
            if !self.0.registry.profile(&name).is_dir() {
                continue;
            }
            // Somebody may be about to log in.
            let is_used = self.0.manager.record(name.as_str()).is_ok_and(|record| {
                record.state != SessionState::Stored || record.last_activity >= before.to_iso8601()
            });
            let held = self.0.leases.take_soon(name.as_str()).await;
            if let (false, Ok(_held)) = (is_used, held) {
                self.forget_session(&name).await;
                let connection_id = &kept.connection.connection_id;
                tracing::info!(
                    connection_id,
                    "what was kept of a login that has expired is deleted"
                );
            }
        }
        Ok(())
    }

    /// Logins that were not used for too long have expired; their users are told once.
    async fn expire(&self, now: UnixTime) -> Result<(), Error> {
        let before = now.minus(self.config().connections.expire_after());
        let all = self.0.registry.connections(Lookup::default()).await?;
        let idle = |kept: &&KeptConnection| {
            kept.connection.status != ConnectionStatus::Expired && kept.last_used_at <= before
        };
        for kept in all.iter().filter(idle) {
            let id = &kept.connection.connection_id;
            self.learn(id, Seen::Idle, false).await?;
        }
        Ok(())
    }

    /// Visits the platforms of active connections that were neither used nor visited for long.
    pub(super) async fn keep_alive(&self, now: UnixTime) -> Result<Value, JobError> {
        let before = now.minus(self.config().connections.keep_alive_after());
        let active = Lookup {
            status: Some(ConnectionStatus::Active),
            ..Lookup::default()
        };
        let all = self.0.registry.connections(active).await?;
        let (mut visited, mut lost, mut failed) = (0, 0, 0);
        let mut due: Vec<_> = all.iter().filter(|kept| kept.seen_at() <= before).collect();
        // Those that have waited longest go first, should the service end meanwhile.
        due.sort_by(|one, other| one.seen_at().0.total_cmp(&other.seen_at().0));
        for kept in due {
            let pinged = tokio::time::timeout(PING_MAX, self.ping(kept)).await;
            let pinged = pinged.unwrap_or_else(|_| {
                Err(JobError {
                    kind: JobErrorKind::Timeout,
                    message: "The platform did not answer in time.".to_owned(),
                })
            });
            match pinged {
                Ok(()) => visited += 1,
                Err(error) if error.kind == JobErrorKind::SessionExpired => lost += 1,
                Err(_) => failed += 1,
            }
        }
        Ok(json!({"visited": visited, "expired": lost, "failed": failed}))
    }

    /// Visits the platform of one connection, whenever it was used last.
    pub(super) async fn keep_one(&self, connection_id: &str) -> Result<Value, JobError> {
        let kept = self.0.registry.connection(connection_id).await?;
        let kept = kept.ok_or_else(|| JobError {
            kind: JobErrorKind::SessionNotFound,
            message: "The job's connection is not there any more.".to_owned(),
        })?;
        self.ping(&kept).await?;
        Ok(json!({"alive": true}))
    }

    /// Visits the platform of one connection. What goes wrong with it is no reason to leave the others.
    async fn ping(&self, kept: &KeptConnection) -> Result<(), JobError> {
        let (connection_id, platform) = (
            kept.connection.connection_id.as_str(),
            kept.connection.platform.as_str(),
        );
        let pinged = self.visit(kept).await;
        match &pinged {
            Ok(()) => {
                let noted = self.0.registry.change_connection(connection_id, |kept| {
                    kept.pinged_at = Some(UnixTime::now());
                });
                noted.await?;
                tracing::info!(connection_id, platform, "a login was kept alive");
            }
            Err(error) if error.kind == JobErrorKind::SessionExpired => {
                // The registry has told of it if it cannot be written.
                let _ = self.learn(connection_id, Seen::Gone, false).await;
                tracing::warn!(connection_id, platform, "a login is gone: it has expired");
            }
            Err(error) => tracing::error!(
                connection_id,
                platform,
                error = error.message,
                "a login could not be kept alive"
            ),
        }
        pinged
    }

    async fn visit(&self, kept: &KeptConnection) -> Result<(), JobError> {
        let platform = self.platform(&kept.connection.platform)?;
        let lease = self.lease_of(&kept.connection, &platform, None).await?;
        let went = login::go(&lease.handle, &platform.url, &platform).await;
        lease.put_away().await;
        went
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_once_at_its_time_whatever_the_steps_of_the_clock() {
        let at = |day: f64, hour: f64| UnixTime(day * DAY_S + hour * 3_600.0);
        const THREE: u32 = 3 * 3_600;
        for step_s in [7.0, 20.0, 3_599.0, 90_000.0] {
            let mut last = Some(99);
            let mut days = Vec::new();
            let mut now = at(100.0, 0.0);
            while now < at(110.0, 0.0) {
                if let Some(day) = due(now, THREE, last) {
                    assert!(
                        now >= at(day as f64, 3.0),
                        "{now:?} is before the time of {day}"
                    );
                    days.push(day);
                    last = Some(day);
                }
                now = now.plus(Duration::from_secs_f64(step_s));
            }
            assert!(days.windows(2).all(|pair| pair[0] < pair[1]), "{days:?}");
            if step_s < DAY_S {
                assert_eq!(days, (100..110).collect::<Vec<_>>());
            }
        }
        // A clock that is set back does nothing twice.
        assert_eq!(due(at(100.0, 3.5), THREE, Some(100)), None);
        assert_eq!(due(at(99.0, 23.0), THREE, Some(100)), None);
        assert_eq!(due(at(100.0, 3.5), THREE, None), Some(100));
    }
}
