//! Jobs as they are asked for, looked at, called off and tried anew.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use tracing::Span;
use utoipa::ToSchema;

use super::Jobs;
use super::template::missing;
use super::within::SESSION;
use crate::config::{self, Workflow};
use crate::credential::Digest;
use crate::error::Error;
use crate::model::ids::action_id;
use crate::model::{BrowserWish, Job, JobBatch, JobKind, JobState, UnixTime};
use crate::session::place::{Situation, choose};
use crate::store::{JobFilter, NewJob};
use crate::telemetry::carried;

/// Longest key of a caller's own, characters.
const KEY_CHARS_MAX: usize = 256;
/// Largest arguments, bytes of JSON.
const ARGS_BYTES_MAX: usize = 64 * 1024;
/// Most attempts of a job.
const ATTEMPTS_MAX: u32 = 20;
/// A job may wait for its time for so long, seconds.
const WAIT_S_MAX: f64 = 366.0 * 86_400.0;

/// A job that is asked for.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobOrder {
    /// What it does.
    pub kind: JobKind,
    /// What it is given: `note_id` for `post_note`; `workflow` and what that needs for `workflow`, with
    /// `platform` and `user_id` where there is no `connection`; `session_id` for what is done in a session of the
    /// caller's; `action` and `data` for `bridge`.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"note_id": "0a1b2c3d4e5f"}))]
    pub args: Map<String, Value>,
    /// The login to work with: a `connection_id`.
    pub connection: Option<String>,
    /// Which browser serves it.
    #[serde(default)]
    pub browser: BrowserWish,
    /// The batch that it is one of, where that is so.
    pub batch: Option<JobBatch>,
    /// When it may begin, seconds since the Unix epoch; at once without it.
    pub run_at: Option<f64>,
    /// Whatever has the same key is the same job; without it, what is asked for alike.
    #[schema(max_length = 256)]
    pub unique_key: Option<String>,
    /// Attempts at most.
    #[schema(minimum = 1, maximum = 20)]
    pub attempts_max: Option<u32>,
}

/// A job that was asked for.
#[derive(Debug, Clone)]
pub struct Put {
    /// The job.
    pub job: Job,
    /// Whether it was put in the queue now; else the same was there already.
    pub is_new: bool,
}

impl JobOrder {
    /// A job as usual.
    pub(super) fn new(kind: JobKind, args: Value) -> Self {
        Self {
            kind,
            args: args.as_object().cloned().unwrap_or_default(),
            connection: None,
            browser: BrowserWish::default(),
            batch: None,
            run_at: None,
            unique_key: None,
            attempts_max: None,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.args.get(name)?.as_str().map(str::to_owned)
    }

    pub(super) fn must_have(&self, name: &str) -> Result<String, Error> {
        self.text(name).ok_or_else(|| {
            Error::invalid_input(format!(
                "a job {} needs \"{name}\" in args",
                self.kind.as_str()
            ))
            .hint("Send it as a text.")
        })
    }

    /// All that a workflow names is there.
    fn must_fill(&self, workflow: &Workflow) -> Result<(), Error> {
        let missing = missing(workflow, &self.args);
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Error::invalid_input(format!(
                "the job's args lack {}",
                missing.join(", ")
            ))
            .hint("The workflow's page and steps name them as ${name}.")),
        }
    }

    /// As it is put in its queue.
    pub(super) fn queued(self, whose: Whose, now: UnixTime, settings: &config::Jobs) -> NewJob {
        let run_at = self.run_at.map_or(now, |at| UnixTime(at.max(now.0)));
        let unique_key = self.key(whose.user_id.as_deref(), whose.platform.as_deref());
        let unique = Duration::from_secs(u64::from(settings.unique_s));
        let job = Job {
            job_id: action_id(),
            kind: self.kind,
            queue: self.kind.queue(),
            state: JobState::Queued,
            args: self.args,
            connection_id: self.connection,
            user_id: whose.user_id,
            platform: whose.platform,
            browser: self.browser,
            served_by: None,
            batch: self.batch,
            attempts: 0,
            attempts_max: self.attempts_max.unwrap_or(settings.attempts_max),
            run_at: run_at.to_iso8601(),
            created_at: now.to_iso8601(),
            started_at: None,
            finished_at: None,
            progress: None,
            result: None,
            error: None,
        };
        NewJob {
            job,
            run_at,
            now,
            trace: carried(&Span::current()),
            unique_key,
            unique_since: now.minus(unique),
        }
    }

    /// What makes it the same as another one.
    fn key(&self, user: Option<&str>, platform: Option<&str>) -> String {
        if let Some(key) = &self.unique_key {
            return format!("own:{key}");
        }
        let args = Value::Object(self.args.clone()).to_string();
        let who = (self.connection.as_deref(), user, platform);
        let alike = format!("{} {who:?} {:?} {args}", self.kind.as_str(), self.browser);
        let mut key = String::from("like:");
        for byte in Digest::of(&alike).bytes() {
            let _ = write!(key, "{byte:02x}");
        }
        key
    }
}

/// Whose a job is, and where it works.
#[derive(Debug, Default)]
pub(super) struct Whose {
    user_id: Option<String>,
    platform: Option<String>,
}

pub(super) fn no_job(job_id: &str) -> Error {
    let shown: String = job_id.chars().take(64).collect();
    Error::not_found(format!("no job has the id \"{shown}\""))
        .hint("List them by GET /jobs; those that are over are forgotten after jobs.kept_h.")
}

impl Jobs {
    /// Puts a job in its queue. When this returns, it is on the disk.
    pub async fn enqueue(&self, order: JobOrder) -> Result<Put, Error> {
        let config = self.config();
        let now = UnixTime::now();
        self.check(&order, now)?;
        let order = self.placed(order).await?;
        let whose = self.whose(&order).await?;
        let new = order.queued(whose, now, &config.jobs);
        let (job, is_new) = self.0.queue.put_job(new).await?;
        if is_new {
            metrics::counter!("ghostcast_jobs_enqueued_total", "kind" => job.kind.as_str())
                .increment(1);
            self.0.news.job(&job);
            self.wake(job.queue);
        }
        Ok(Put { job, is_new })
    }

    fn check(&self, order: &JobOrder, now: UnixTime) -> Result<(), Error> {
        // A browser that cannot be had is refused as a session of it would be.
        choose(&Situation {
            wish: order.browser,
            has_remote: self.0.manager.remote().is_configured(),
            ..Situation::default()
        })?;
        let attempts = order.attempts_max.unwrap_or(1);
        if !(1..=ATTEMPTS_MAX).contains(&attempts) {
            return Err(Error::invalid_input("attempts_max is out of range")
                .hint(format!("Use 1 to {ATTEMPTS_MAX}.")));
        }
        let is_time = |at: f64| at.is_finite() && at >= 0.0 && at - now.0 <= WAIT_S_MAX;
        if order.run_at.is_some_and(|at| !is_time(at)) {
            return Err(Error::invalid_input("run_at is no time within a year")
                .hint("Send seconds since the Unix epoch."));
        }
        let is_key = |key: &str| (1..=KEY_CHARS_MAX).contains(&key.chars().count());
        if order.unique_key.as_deref().is_some_and(|key| !is_key(key)) {
            return Err(Error::invalid_input("unique_key is empty or too long")
                .hint(format!("Use 1 to {KEY_CHARS_MAX} characters.")));
        }
        let bytes = serde_json::to_string(&order.args).map_or(0, |json| json.len());
        match bytes > ARGS_BYTES_MAX {
            true => Err(Error::invalid_input("args are too large")
                .hint(format!("Send at most {ARGS_BYTES_MAX} bytes of JSON."))),
            false => Ok(()),
        }
    }

    /// Whose job it is: that of its connection, of its note, or as it says.
    async fn whose(&self, order: &JobOrder) -> Result<Whose, Error> {
        if order.connection.is_some() && !order.kind.takes_login() {
            let kind = order.kind.as_str();
            return Err(
                Error::invalid_input(format!("a job {kind} takes no connection"))
                    .hint("Leave connection out: a note is posted with its user's."),
            );
        }
        if let Some(id) = &order.connection {
            let connection = self.connection(id).await?;
            if let Some(named) = order
                .text("platform")
                .filter(|it| *it != connection.platform)
            {
                let shown: String = named.chars().take(64).collect();
                return Err(Error::invalid_input(format!(
                    "args.platform is \"{shown}\", and the connection is one of {}",
                    connection.platform
                ))
                .hint("Leave platform out: it is the connection's."));
            }
            if order.kind == JobKind::Workflow {
                let workflow =
                    self.must_know(&connection.platform, &order.must_have("workflow")?)?;
                order.must_fill(&workflow)?;
            }
            return Ok(Whose {
                user_id: Some(connection.user_id),
                platform: Some(connection.platform),
            });
        }
        match order.kind {
            JobKind::PostNote => {
                let note = self.note(&order.must_have("note_id")?).await?;
                if let Some(why) = note.objection_to_job() {
                    return Err(Error::conflict(why).hint("Post a note that is ready and sure."));
                }
                Ok(Whose {
                    user_id: Some(note.user_id),
                    platform: Some(note.platform),
                })
            }
            JobKind::Workflow => self.whose_workflow(order),
            JobKind::CheckLogin if order.args.contains_key(SESSION) => Ok(Whose {
                user_id: None,
                platform: order.text("platform"),
            }),
            JobKind::CheckLogin => {
                Err(Error::invalid_input("a job check_login needs a connection")
                    .hint("Send the id of a connection as \"connection\"."))
            }
            JobKind::KeepAlive => Ok(Whose::default()),
            JobKind::Notice => Err(Error::invalid_input("notices are the service's own")
                .hint("Set [notices], and they are made when a job fails or a login is lost.")),
            JobKind::Bridge => {
                self.must_have_bridge()?;
                order.must_have("action")?;
                Ok(Whose::default())
            }
        }
    }

    /// Whose a workflow is that is done without a connection.
    fn whose_workflow(&self, order: &JobOrder) -> Result<Whose, Error> {
        let platform = order.must_have("platform")?;
        let workflow = order.must_have("workflow")?;
        let known = self.must_know(&platform, &workflow)?;
        order.must_fill(&known)?;
        if known.needs_login && !order.args.contains_key(SESSION) {
            return Err(Error::invalid_input(format!(
                "the workflow \"{workflow}\" is done with a login, and the job has none"
            ))
            .hint(
                "Send the id of a connection as \"connection\", or a session as \"session_id\" in args.",
            ));
        }
        let user_id = order.text("user_id");
        user_id
            .as_deref()
            .map_or(Ok(()), super::connections::check_user)?;
        Ok(Whose {
            user_id,
            platform: Some(platform),
        })
    }

    /// A platform has such a workflow.
    fn must_know(&self, platform: &str, workflow: &str) -> Result<Workflow, Error> {
        let mut there = self.platform(platform)?.workflows;
        if let Some(workflow) = there.remove(workflow) {
            return Ok(workflow);
        }
        let shown: String = workflow.chars().take(64).collect();
        let known: Vec<&str> = there.keys().map(String::as_str).collect();
        let hint = match known.is_empty() {
            true => format!("Set one as [platforms.{platform}.workflows.NAME]."),
            false => format!("There are {}.", known.join(", ")),
        };
        Err(Error::not_found(format!("{platform} has no workflow \"{shown}\"")).hint(hint))
    }

    /// The job of that id.
    pub async fn job(&self, job_id: &str) -> Result<Job, Error> {
        let job = self.0.queue.job(job_id).await?;
        job.ok_or_else(|| no_job(job_id))
    }

    /// Jobs, the newest first.
    pub async fn list(&self, filter: JobFilter) -> Result<Vec<Job>, Error> {
        self.0.queue.jobs(filter).await
    }

    /// Calls a job off. One that runs is brought to its end; what it has done until then stays done.
    pub async fn call_off(&self, job_id: &str) -> Result<Job, Error> {
        use JobState::{Cancelled, PendingAuth, PendingHuman, Queued, Running};
        let turned = self.0.queue.turn_job(
            job_id,
            &[Queued, Running, PendingAuth, PendingHuman],
            Cancelled,
            UnixTime::now(),
        );
        let (job, note, is_turned) = turned.await?.ok_or_else(|| no_job(job_id))?;
        if !is_turned {
            return Err(
                Error::conflict(format!("the job is {} already", job.state.as_str()))
                    .hint("Get it to see what came of it."),
            );
        }
        for ((id, _), (_, running)) in self.running().iter() {
            if id == job_id {
                running.cancel();
            }
        }
        if let Some(note) = &note {
            self.tell_of_note(job.state, note);
        }
        self.0.news.job(&job);
        let (jobs, over) = (self.clone(), job.clone());
        self.0
            .tracker
            .spawn(async move { jobs.clear_after(&over).await });
        Ok(job)
    }

    /// Tries a job anew that is over, or waits for a login or a person; it has all its attempts again.
    pub async fn try_anew(&self, job_id: &str) -> Result<Job, Error> {
        use JobState::{Cancelled, Failed, PendingAuth, PendingHuman, Queued};
        let there = self.job(job_id).await?;
        if there.state == PendingHuman {
            // It is refused where its page is another service's.
            self.0.queue.human_ask(job_id).await?;
        }
        if there.state.is_over() || there.state == PendingHuman {
            // It begins anew, in a session of its own.
            self.clear_after(&there).await;
        }
        let turned = self.0.queue.turn_job(
            job_id,
            &[Failed, Cancelled, PendingAuth, PendingHuman],
            Queued,
            UnixTime::now(),
        );
        let (job, _, is_turned) = turned.await?.ok_or_else(|| no_job(job_id))?;
        if !is_turned {
            let state = job.state.as_str();
            return Err(Error::conflict(format!("the job is {state}")).hint(
                "Only one that has failed, was called off or waits for somebody is tried anew.",
            ));
        }
        self.0.news.job(&job);
        self.wake(job.queue);
        Ok(job)
    }
}
