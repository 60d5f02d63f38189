//! A queue in Redis, which several services share.
//!
//! A job is a JSON text, and sets say where it waits. What is written is written by one script, and only if what was
//! read is still so; otherwise it is read and decided anew. What becomes of a job is decided by [`Row`].

mod line;
mod plan;

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use redis::RedisConnectionInfo;
use redis::aio::MultiplexedConnection;

use self::plan::{NOW, Plan, Stored, job_key, key, read, start, starts, waiting};
use super::row::{Change, Found, Outcome, Row, refused};
use super::{Beat, Changed, Claim, Failure, Find};
use crate::model::{JobState, Queue};
use crate::store::jobs::{Claimed, NewJob, Turn};
use crate::tls::Tls;

/// A change that meets another one is tried so often.
const TRIES_MAX: u32 = 100;
/// Jobs that are read at once.
const PAGE: usize = 250;
/// Changes are known for so long, seconds.
const CHANGES_KEPT_S: f64 = 3_600.0;

/// The database.
#[derive(Debug)]
pub(super) struct Redis {
    host: String,
    port: u16,
    tls: Option<Tls>,
    info: RedisConnectionInfo,
    line: Mutex<Option<MultiplexedConnection>>,
    connecting: tokio::sync::Mutex<()>,
    /// Whether it was told that what is written may be lost.
    is_warned: AtomicBool,
}

impl Redis {
    async fn jobs(&self, ids: &[String]) -> Result<Vec<(String, Stored)>, Failure> {
        let mut found = Vec::new();
        for page in ids.chunks(PAGE) {
            let keys: Vec<String> = page.iter().map(|id| job_key(id)).collect();
            found.extend(self.texts(&keys).await?.into_iter().filter_map(read));
        }
        Ok(found)
    }

    async fn job(&self, job_id: &str) -> Result<Option<(String, Stored)>, Failure> {
        Ok(self.jobs(&[job_id.to_owned()]).await?.into_iter().next())
    }

    async fn members(&self, set: &str) -> Result<Vec<String>, Failure> {
        self.ask(&["ZRANGE", &key(set), "0", "-1"]).await
    }

    /// The jobs that run.
    async fn running(&self) -> Result<Vec<(String, Stored)>, Failure> {
        let members = self.members("running").await?;
        let ids = members.iter().filter_map(|it| it.split(':').next());
        let ids: Vec<String> = ids.map(str::to_owned).collect();
        self.jobs(&ids).await
    }

    /// Adds a job to a plan, unless one like it is there, which is answered.
    async fn plan_put(
        &self,
        plan: &mut Plan,
        row: &Row,
        since: f64,
        writer: &str,
    ) -> Result<Option<Row>, Failure> {
        let job = &row.job;
        let alike = key(&format!("key:{}", row.unique_key));
        let note = job.note_id().map(|note_id| key(&format!("note:{note_id}")));
        let mut names = vec![alike.clone()];
        names.extend(note.clone());
        let there = self.texts(&names).await?;
        let mut ids: Vec<String> = there.iter().flatten().cloned().collect();
        ids.push(job.job_id.clone());
        for (text, other) in self.jobs(&ids).await? {
            let is_it = other.row.job.job_id == job.job_id;
            if is_it || other.row.is_alike(&row.unique_key, since, job.note_id()) {
                return Ok(Some(other.row));
            }
            // It has failed, and may be tried anew meanwhile.
            plan.check(job_key(&other.row.job.job_id), &text);
        }
        for (name, there) in names.iter().zip(&there) {
            plan.check(name.clone(), there.as_deref().unwrap_or_default());
        }
        plan.check(job_key(&job.job_id), "");
        let seq: u64 = self.ask(&["INCR", &key("seq")]).await?;
        let stored = Stored {
            seq,
            version: 1,
            writer: writer.to_owned(),
            row: row.clone(),
        };
        plan.turn(None, Some(&stored))?;
        let alike_s = row.created_at - since;
        if alike_s > 0.0 {
            let seconds = format!("{:.0}", alike_s.min(1e8).ceil() + 1.0);
            plan.op(&["SET", &alike, &job.job_id, "EX", &seconds]);
        }
        Ok(None)
    }

    pub(super) async fn put(
        &self,
        row: &Row,
        since: f64,
        writer: &str,
    ) -> Result<(Row, bool), Failure> {
        for _ in 0..TRIES_MAX {
            let mut plan = Plan::default();
            if let Some(there) = self.plan_put(&mut plan, row, since, writer).await? {
                return Ok((there, false));
            }
            if self.write(&plan).await? {
                return Ok((row.clone(), true));
            }
        }
        Err(too_often())
    }

    async fn begun(&self, queue: Queue, since: f64) -> Result<(u32, Option<f64>), Failure> {
        let after = format!("({since}");
        let name = starts(queue);
        let count: u32 = self.ask(&["ZCOUNT", &name, &after, "+inf"]).await?;
        let words = [
            "ZRANGEBYSCORE",
            &name,
            &after,
            "+inf",
            "WITHSCORES",
            "LIMIT",
            "0",
            "1",
        ];
        let first: Vec<(String, f64)> = self.ask(&words).await?;
        Ok((count, first.first().map(|(_, at)| *at)))
    }

    /// The first job of a queue that could begin: its place, and its id.
    async fn next(
        &self,
        queue: Queue,
        now: f64,
        service: &str,
        busy: &HashSet<String>,
    ) -> Result<Option<String>, Failure> {
        let mut first: Option<(f64, String)> = None;
        for home in [None, Some(service)] {
            let name = waiting(queue, home);
            let mut from = 0;
            loop {
                let (now, offset, page) = (now.to_string(), from.to_string(), PAGE.to_string());
                let words = [
                    "ZRANGEBYSCORE",
                    &name,
                    "-inf",
                    &now,
                    "WITHSCORES",
                    "LIMIT",
                    &offset,
                    &page,
                ];
                let found: Vec<(String, f64)> = self.ask(&words).await?;
                let is_free = |(member, _): &&(String, f64)| {
                    member
                        .splitn(3, ':')
                        .nth(2)
                        .is_none_or(|who| !busy.contains(who))
                };
                if let Some((member, at)) = found.iter().find(is_free) {
                    let it = (*at, member.clone());
                    first = match first {
                        Some(other) if other <= it => Some(other),
                        _ => Some(it),
                    };
                    break;
                }
                if found.len() < PAGE {
                    break;
                }
                from += found.len();
            }
        }
        Ok(first.and_then(|(_, member)| member.split(':').nth(1).map(str::to_owned)))
    }

    /// When the next job of a queue may begin.
    async fn later(&self, queue: Queue, now: f64, service: &str) -> Result<Option<f64>, Failure> {
        let mut later: Option<f64> = None;
        for home in [None, Some(service)] {
            let (name, after) = (waiting(queue, home), format!("({now}"));
            let words = [
                "ZRANGEBYSCORE",
                &name,
                &after,
                "+inf",
                "WITHSCORES",
                "LIMIT",
                "0",
                "1",
            ];
            let found: Vec<(String, f64)> = self.ask(&words).await?;
            if let Some((_, at)) = found.first() {
                later = Some(later.map_or(*at, |other| other.min(*at)));
            }
        }
        Ok(later)
    }

    async fn found(&self, turn: &Turn, service: &str) -> Result<(Found, Option<String>), Failure> {
        let now = turn.now.0;
        let members = self.members("running").await?;
        let busy = members.iter().filter_map(|it| it.split_once(':'));
        let busy: HashSet<String> = busy
            .map(|(_, who)| who.to_owned())
            .filter(|who| !who.is_empty())
            .collect();
        let mut found = Found::default();
        if turn.gives_way {
            let ahead = self.next(Queue::Automation, now, service, &busy).await?;
            found.has_ahead = ahead.is_some();
            if let Some((_, since)) = turn.rate_ahead {
                found.begun_ahead = self.begun(Queue::Automation, since.0).await?.0;
            }
        }
        let next = self.next(turn.queue, now, service, &busy).await?;
        found.has_next = next.is_some();
        if next.is_none() {
            found.later = self.later(turn.queue, now, service).await?;
        } else if let Some((_, since)) = turn.rate {
            (found.begun, found.first) = self.begun(turn.queue, since.0).await?;
        }
        Ok((found, next))
    }

    pub(super) async fn claim(&self, turn: &Turn, service: &str) -> Result<Claim, Failure> {
        let turns = key("turns");
        for _ in 0..TRIES_MAX {
            // Of two that decide at once, one decides anew.
            let number: Option<String> = self.ask(&["GET", &turns]).await?;
            let (found, next) = self.found(turn, service).await?;
            if let Some(claimed) = refused(turn, &found) {
                return Ok(Claim::Not(claimed));
            }
            let Some((text, before)) = self.job(&next.unwrap_or_default()).await? else {
                return Ok(Claim::Not(Claimed::Way));
            };
            if before.row.job.state != JobState::Queued {
                continue;
            }
            let mut after = before.clone();
            after.row.begin(service, turn.now.0);
            after.row = after.row.dated();
            after.version += 1;
            service.clone_into(&mut after.writer);
            let mut plan = Plan::default();
            plan.check(turns.clone(), number.as_deref().unwrap_or_default());
            plan.check(job_key(&before.row.job.job_id), &text);
            plan.op(&["INCR", &turns]);
            plan.turn(Some(&before), Some(&after))?;
            if let Some((_, since)) = turn.rate {
                let (name, at) = (starts(turn.queue), turn.now.0.to_string());
                // What has begun in the future has not: a clock was set back. Of another service's a little is borne.
                let ahead = format!("({}", turn.now.0 + 5.0);
                plan.op(&["ZREMRANGEBYSCORE", &name, "-inf", &since.0.to_string()]);
                plan.op(&["ZREMRANGEBYSCORE", &name, &ahead, "+inf"]);
                plan.op(&["ZADD", &name, &at, &start(&after.row)]);
            }
            if self.write(&plan).await? {
                return Ok(Claim::Row(Box::new(after.row)));
            }
        }
        Err(too_often())
    }

    pub(super) async fn change(
        &self,
        job_id: &str,
        writer: &str,
        change: Change<'_>,
    ) -> Result<Option<(Row, bool)>, Failure> {
        for _ in 0..TRIES_MAX {
            let Some((text, before)) = self.job(job_id).await? else {
                return Ok(None);
            };
            let mut after = before.clone();
            let Some(Outcome {
                more,
                is_start_back,
            }) = change(&mut after.row)
            else {
                return Ok(Some((before.row, false)));
            };
            after.row = after.row.dated();
            after.version += 1;
            writer.clone_into(&mut after.writer);
            let mut plan = Plan::default();
            plan.check(job_key(job_id), &text);
            plan.turn(Some(&before), Some(&after))?;
            for new in &more {
                self.plan_more(&mut plan, new, writer).await?;
            }
            if is_start_back {
                plan.op(&["ZREM", &starts(after.row.job.queue), &start(&after.row)]);
            }
            if self.write(&plan).await? {
                return Ok(Some((after.row, true)));
            }
        }
        Err(too_often())
    }

    async fn plan_more(&self, plan: &mut Plan, new: &NewJob, writer: &str) -> Result<(), Failure> {
        let row = Row::new(new, writer).dated();
        self.plan_put(plan, &row, new.unique_since.0, writer)
            .await
            .map(drop)
    }

    pub(super) async fn find(&self, wanted: &Find<'_>) -> Result<Vec<Row>, Failure> {
        let found = match wanted {
            Find::Job(job_id) => self.job(job_id).await?.into_iter().collect(),
            Find::Held => self.jobs(&self.members("held").await?).await?,
            Find::Asking => self.jobs(&self.members("asking").await?).await?,
            Find::OfNote(note_id) => {
                let ids = self.texts(&[key(&format!("note:{note_id}"))]).await?;
                let ids: Vec<String> = ids.into_iter().flatten().collect();
                self.jobs(&ids).await?
            }
            Find::RunBy(service) => {
                let mut running = self.running().await?;
                running.retain(|(_, it)| it.row.owner.as_deref() == Some(*service));
                running
            }
            Find::Of(filter) => return self.newest(filter).await,
        };
        Ok(found.into_iter().map(|(_, stored)| stored.row).collect())
    }

    /// The newest of those that are meant.
    async fn newest(&self, filter: &crate::store::JobFilter) -> Result<Vec<Row>, Failure> {
        let is_meant = |row: &Row| {
            filter.state.is_none_or(|state| row.job.state == state)
                && (filter.user_id.is_none() || row.job.user_id == filter.user_id)
                && (filter.connection_id.is_none() || row.job.connection_id == filter.connection_id)
        };
        let most = filter.limit as usize;
        let (mut from, mut found) = (0, Vec::new());
        while found.len() < most {
            let (first, last) = (from.to_string(), (from + PAGE - 1).to_string());
            let ids: Vec<String> = self.ask(&["ZREVRANGE", &key("all"), &first, &last]).await?;
            let rows = self.jobs(&ids).await?;
            found.extend(rows.into_iter().map(|(_, it)| it.row).filter(is_meant));
            if ids.len() < PAGE {
                break;
            }
            from += PAGE;
        }
        found.truncate(most);
        Ok(found)
    }

    pub(super) async fn changed(
        &self,
        within: Duration,
        but_by: &str,
        most: i64,
    ) -> Result<Vec<Changed>, Failure> {
        let since = self.now().await? - within.as_secs_f64();
        let (name, since, most) = (key("changed"), since.to_string(), most.to_string());
        let words = [
            "ZREVRANGEBYSCORE",
            &name,
            "+inf",
            &since,
            "LIMIT",
            "0",
            &most,
        ];
        let mut ids: Vec<String> = self.ask(&words).await?;
        ids.reverse();
        let changed = self.jobs(&ids).await?.into_iter();
        let changed = changed.filter(|(_, it)| it.writer != but_by);
        let changed = changed.map(|(_, it)| Changed {
            version: it.version,
            row: it.row,
        });
        Ok(changed.collect())
    }

    /// The time of the server: all services have the same.
    async fn now(&self) -> Result<f64, Failure> {
        let (seconds, micros): (f64, f64) = self.ask(&["TIME"]).await?;
        Ok(seconds + micros / 1e6)
    }

    pub(super) async fn forget(&self, before: f64) -> Result<usize, Failure> {
        let (before, page) = (format!("({before}"), PAGE.to_string());
        let mut count = 0;
        loop {
            let words = [
                "ZRANGEBYSCORE",
                &key("over"),
                "-inf",
                &before,
                "LIMIT",
                "0",
                &page,
            ];
            let ids: Vec<String> = self.ask(&words).await?;
            let mut plan = Plan::default();
            for (text, stored) in self.jobs(&ids).await? {
                plan.check(job_key(&stored.row.job.job_id), &text);
                plan.turn(Some(&stored), None)?;
            }
            // What was changed meanwhile is looked at the next time.
            if plan.checks.is_empty() || !self.write(&plan).await? {
                return Ok(count);
            }
            count += plan.checks.len();
        }
    }

    /// From now on the service of that name is this run of it.
    pub(super) async fn register(&self, service: &str, boot: &str) -> Result<(), Failure> {
        let mut plan = Plan::default();
        plan.op(&["SET", &key(&format!("service:{service}")), boot]);
        plan.op(&["ZADD", &key("seen"), NOW, service]);
        self.write(&plan).await.map(drop)
    }

    pub(super) async fn beat(
        &self,
        service: &str,
        boot: &str,
        lost_after: Duration,
    ) -> Result<Beat, Failure> {
        let now = self.now().await?;
        let mut plan = Plan::default();
        plan.check(key(&format!("service:{service}")), boot);
        plan.op(&["ZADD", &key("seen"), NOW, service]);
        let old = (now - CHANGES_KEPT_S).to_string();
        plan.op(&["ZREMRANGEBYSCORE", &key("changed"), "-inf", &old]);
        let is_ours = self.write(&plan).await?;
        let since = format!("({}", now - lost_after.as_secs_f64());
        let words = ["ZRANGEBYSCORE", &key("seen"), &since, "+inf"];
        let alive: Vec<String> = self.ask(&words).await?;
        let rows = self.running().await?.into_iter().map(|(_, it)| it.row);
        let is_own = |row: &Row| row.owner.as_deref() == Some(service);
        let (running, others): (Vec<Row>, Vec<Row>) = rows.partition(is_own);
        let is_lost = |row: &Row| {
            // What is on the disk of a service that is silent waits for it.
            row.home.is_none()
                && row
                    .owner
                    .as_ref()
                    .is_none_or(|owner| !alive.contains(owner))
        };
        let lost = others.into_iter().filter(is_lost).collect();
        Ok(Beat {
            is_ours,
            running,
            lost,
        })
    }
}

fn too_often() -> Failure {
    Failure::new("too much is written to it at the same time")
}
