//! One attempt of a job, from its start to what becomes of the job.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::Jobs;
use super::lease::{Lease, own_name};
use super::news::UserEvent;
use super::notes;
use super::site::Site;
use super::within::session_of;
use super::workflow::Work;
use crate::config::Platform;
use crate::model::ids::{JOB, action_id};
use crate::model::job::Next;
use crate::model::{
    BrowserPlace, Connection, FAILED_JOBS, Job, JobError, JobErrorKind, JobKind, JobState, Note,
    Queue, SPANS, Seen, SessionName, UnixTime, VerifyOutcome,
};
use crate::store::{Run, Stop};
use crate::telemetry::follow;

/// A registry that cannot be written is asked again after this time.
const AGAIN: Duration = Duration::from_secs(5);

/// How an attempt ended, and which browser served it.
struct Ended {
    how: Result<Result<Value, JobError>, Cut>,
    served_by: Option<BrowserPlace>,
}

/// What cut an attempt short.
enum Cut {
    /// The service ends: the job waits again.
    End,
    /// Somebody called it off.
    CalledOff,
}

impl Jobs {
    /// Runs one attempt, and writes down what becomes of the job. A defect of the service is the job's error.
    pub(super) async fn attempt(self, run: Run) {
        let job_id = run.job.job_id.clone();
        let cancel = CancellationToken::new();
        let called_off = (run.job.queue, cancel.clone());
        self.running()
            .insert((job_id.clone(), run.number), called_off);
        // Called off between its claim and now.
        if let Ok(Some(now)) = self.0.queue.job(&job_id).await
            && now.state != JobState::Running
        {
            cancel.cancel();
        }
        self.0.news.job(&run.job);
        let started = Instant::now();
        let (jobs, running) = (self.clone(), run.clone());
        let span = span(&run);
        // By a task of its own: what breaks there is known here.
        let bounded = async move { jobs.bounded(&running, &cancel).await };
        let task = self.0.tracker.spawn(bounded.instrument(span.clone()));
        let ended = task.await.unwrap_or_else(|_| Ended {
            how: Ok(Err(JobError {
                kind: JobErrorKind::Unavailable,
                message: "A defect of the service ended the attempt; its log says more.".to_owned(),
            })),
            served_by: None,
        });
        self.running().remove(&(job_id, run.number));
        if let Ok(Err(error)) = &ended.how {
            let kind = json!(error.kind);
            span.record("error.type", kind.as_str());
            span.record("otel.status_code", "ERROR");
        }
        self.stop(&run, ended, started.elapsed()).await;
        // Another one of the same user may have waited for it.
        for queue in Queue::ALL {
            self.wake(queue);
        }
    }

    /// The attempt within its bounds.
    async fn bounded(&self, run: &Run, cancel: &CancellationToken) -> Ended {
        let bound = match run.job.kind {
            // Each of its visits has a bound of its own.
            JobKind::KeepAlive => Duration::MAX,
            _ => Duration::from_secs(u64::from(self.config().jobs.timeout_s)),
        };
        let mut lease = None;
        let done = tokio::select! {
            biased;
            () = self.0.end.cancelled() => Err(Cut::End),
            () = cancel.cancelled() => Err(Cut::CalledOff),
            done = tokio::time::timeout(bound, self.carry_out(run, &mut lease)) => {
                Ok(done.unwrap_or_else(|_| Err(JobError {
                    kind: JobErrorKind::Timeout,
                    message: format!("The attempt was not through after {} s.", bound.as_secs()),
                })))
            }
        };
        let record = lease.as_ref().map(|lease| lease.handle.record());
        if let Some(mut lease) = lease {
            let is_asked =
                matches!(&done, Ok(Err(error)) if error.kind == JobErrorKind::HumanRequired);
            let is_cut = matches!(done, Err(Cut::End));
            // What a person has done there is not lost with an attempt that is begun anew.
            if is_asked || is_cut && run.ask.is_some() {
                lease.keep_for_person();
            }
            // At the end all sessions are put away at once.
            match done {
                Err(Cut::End) if !lease.is_own() => lease.leave(),
                _ => lease.put_away().await,
            }
        }
        Ended {
            how: done,
            served_by: record.map(|record| record.browser),
        }
    }

    /// What the job is about. The session that it works in is left to the caller.
    async fn carry_out(&self, run: &Run, lease: &mut Option<Lease>) -> Result<Value, JobError> {
        match run.job.kind {
            JobKind::CheckLogin | JobKind::KeepAlive if session_of(&run.job).is_some() => {
                self.visit_within(&run.job).await
            }
            JobKind::CheckLogin => self.check_login(&run.job).await,
            JobKind::KeepAlive => match &run.job.connection_id {
                Some(id) => self.keep_one(id).await,
                None => self.keep_alive(UnixTime::now()).await,
            },
            JobKind::Bridge => self.bridged(run).await,
            JobKind::PostNote => self.post_note(run, lease).await,
            JobKind::Notice => self.send_notice(&run.job).await,
            JobKind::Workflow => {
                let name = text(&run.job.args, "workflow")?;
                let connection = match &run.job.connection_id {
                    Some(id) => Some(self.active(id).await?),
                    None => None,
                };
                let platform = self.platform(run.job.platform.as_deref().unwrap_or_default())?;
                let given = (&run.job.args, run.intent.as_deref());
                self.workflow(run, (&platform, &name), given, connection, lease)
                    .await
            }
        }
    }

    async fn check_login(&self, job: &Job) -> Result<Value, JobError> {
        let id = job.connection_id.as_deref().unwrap_or_default();
        let kept = self.kept(id).await?;
        let verified = self.look_at(kept).await?;
        match verified.outcome {
            VerifyOutcome::Error => Err(JobError {
                kind: JobErrorKind::Unavailable,
                message: verified.message,
            }),
            outcome => Ok(json!({
                "logged_in": outcome == VerifyOutcome::LoggedIn,
                "outcome": outcome,
                "status": verified.status,
                "message": verified.message,
            })),
        }
    }

    async fn post_note(&self, run: &Run, lease: &mut Option<Lease>) -> Result<Value, JobError> {
        let (note, intent) = match self.note_begins(&run.job).await? {
            Ok(note) => note,
            Err(posted) => return Ok(posted),
        };
        let platform = self.platform(&note.platform)?;
        let found = self.lookup(&note.user_id, &platform, &note.platform).await;
        let connection = found.map_err(|error| match error.kind {
            // What a job without a connection fails with.
            JobErrorKind::NoActiveConnection => JobError {
                kind: JobErrorKind::NoAuth,
                message: error.message,
            },
            _ => error,
        })?;
        let args = Self::note_args(&note);
        let intent = run.intent.clone().or(intent);
        let given = (&args, intent.as_deref());
        let workflow = (&platform, notes::WORKFLOW);
        self.workflow(run, workflow, given, Some(connection), lease)
            .await
    }

    /// The connection that a job names, which has to be active.
    async fn active(&self, connection_id: &str) -> Result<Connection, JobError> {
        use crate::model::ConnectionStatus as Status;
        let found = self.0.registry.connection(connection_id).await?;
        let connection = found.map(|kept| kept.connection).ok_or_else(|| JobError {
            kind: JobErrorKind::SessionNotFound,
            message: "The job's connection is not there any more.".to_owned(),
        })?;
        let (kind, what) = match connection.status {
            Status::Active => return Ok(connection),
            Status::AwaitingAuth => (JobErrorKind::NotLoggedIn, "has not logged in yet"),
            Status::Expired => (JobErrorKind::SessionExpired, "has to connect again"),
            Status::LoggedOut => (JobErrorKind::LoggedOut, "has to log in again"),
        };
        let message = format!("The user {what} to {}.", connection.platform);
        Err(JobError { kind, message })
    }

    /// A platform's workflow, with a login or without one. What is seen of the login is learned.
    async fn workflow(
        &self,
        run: &Run,
        (platform, name): (&Platform, &str),
        (args, intent): (&Map<String, Value>, Option<&str>),
        connection: Option<Connection>,
        place: &mut Option<Lease>,
    ) -> Result<Value, JobError> {
        // What cannot be done starts no browser.
        let workflow = platform.workflows.get(name).ok_or_else(|| JobError {
            kind: JobErrorKind::InvalidInput,
            message: format!(
                "{} has no workflow \"{name}\": the operator sets one in the settings of the platform.",
                platform.label
            ),
        })?;
        let within = session_of(&run.job);
        if workflow.needs_login && connection.is_none() && within.is_none() {
            return Err(JobError {
                kind: JobErrorKind::NoAuth,
                message: format!("{name} can be done only with a connection."),
            });
        }
        let at = self.site(run).await?;
        let lease = match &connection {
            Some(connection) => {
                let leased = self.lease_of(connection, platform, Some(&at)).await;
                if let Err(error) = &leased
                    && error.kind == JobErrorKind::SessionExpired
                {
                    self.learn_of(connection, Seen::Gone).await;
                }
                leased?
            }
            None if within.is_some() => self.lease_within(&run.job).await?,
            None => {
                let may_ask = workflow.may_ask() || !platform.challenge.is_empty();
                self.lease_for_once(run, platform, may_ask, &at).await?
            }
        };
        // Whatever ends the attempt finds it.
        let handle = lease.handle.clone();
        *place = Some(lease);
        let work = Work {
            run,
            handle: &handle,
            platform,
            workflow,
            args,
            intent,
            has_login: connection.is_some() || within.is_some(),
        };
        let done = self.work(&work).await;
        let Some(connection) = connection else {
            return done;
        };
        match &done {
            Ok(_) => self.note_use(&connection.connection_id).await,
            Err(error) if error.kind == JobErrorKind::LoggedOut => {
                self.learn_of(&connection, Seen::LoginPage).await;
            }
            Err(_) => (),
        }
        done
    }

    async fn learn_of(&self, connection: &Connection, seen: Seen) {
        // A registry that cannot be written has been told of; the next job sees the same.
        let _ = self.learn(&connection.connection_id, seen, false).await;
    }

    /// A session for one job, without a profile, unless a person may have to come to it.
    async fn lease_for_once(
        &self,
        run: &Run,
        platform: &Platform,
        may_ask: bool,
        at: &Site,
    ) -> Result<Lease, JobError> {
        if may_ask {
            let name = own_name(&run.job.job_id)?;
            let on = (&name, "profile");
            return self.lease_on(on, platform, true, Some(at)).await;
        }
        let name = SessionName::parse(&format!("{JOB}{}-{}", run.job.job_id, action_id()))?;
        self.lease(&name, platform, true, Some(at)).await
    }

    /// Writes down what becomes of the job.
    async fn stop(&self, run: &Run, ended: Ended, took: Duration) {
        let (now, job) = (UnixTime::now(), &run.job);
        let Ended { how, served_by } = ended;
        if let Ok(done) = &how {
            let failed = done.as_ref().err().map(|error| error.kind);
            self.note_streak(job, served_by, failed).await;
        }
        let stop = |state, run_at, counts, result, error| Stop {
            state,
            run_at,
            counts,
            result,
            error,
            served_by,
            now,
        };
        let (stop, outcome) = match how {
            // The queue knows it already, or gives it back.
            Err(Cut::CalledOff) => {
                self.0.queue.let_go(run);
                self.count(job, "cancelled", took);
                return;
            }
            Err(Cut::End) => (
                stop(JobState::Queued, Some(now), false, None, None),
                "ended",
            ),
            Ok(Ok(result)) => (stop(JobState::Done, None, true, Some(result), None), "done"),
            Ok(Err(error)) => {
                let pauses = self.config().jobs.pauses();
                let attempts_max = self.attempts_max(job);
                let next = error.kind.next(job.attempts, attempts_max, &pauses);
                let (state, after, counts, outcome) = match next {
                    Next::Again(after) => (JobState::Queued, Some(after), true, "retried"),
                    Next::Later(after) => (JobState::Queued, Some(after), false, "postponed"),
                    Next::Hold => (JobState::PendingAuth, None, false, "pending_auth"),
                    Next::HoldForHuman => (JobState::PendingHuman, None, false, "pending_human"),
                    Next::Fail => (JobState::Failed, None, true, "failed"),
                };
                let run_at = after.map(|after| now.plus(after));
                (stop(state, run_at, counts, None, Some(error)), outcome)
            }
        };
        let error = stop.error.clone();
        match (self.written(run, stop).await, outcome) {
            // It was called off at the same moment.
            (None, _) => self.count(job, "cancelled", took),
            // By the end of the service: it waits as if it had not begun.
            (Some((job, note)), "ended") => self.tell_of_end(&job, note.as_ref()),
            (Some((after, note)), _) => {
                if let Some(error) = &error {
                    tell(job, outcome, error);
                }
                self.count(job, outcome, took);
                self.tell_of_end(&after, note.as_ref());
            }
        }
    }

    /// Writes down how a run has ended; nothing where it was called off meanwhile, which has been told of.
    async fn written(&self, run: &Run, stop: Stop) -> Option<(Job, Option<Note>)> {
        // What cannot be written down is tried again: nothing else would ever end it, or begin for its user.
        loop {
            let teller = self.teller(stop.now);
            let notices = move |job: &Job| teller.stopped(job);
            let stopped = self.0.queue.stop_job(run, stop.clone(), notices);
            if let Ok(stopped) = stopped.await {
                return stopped;
            }
            let pause = tokio::time::sleep(AGAIN);
            self.0.end.run_until_cancelled(pause).await?;
        }
    }

    /// Tells whoever is concerned how a run has ended.
    pub(super) fn tell_of_end(&self, job: &Job, note: Option<&Note>) {
        if let Some(note) = note {
            self.tell_of_note(job.state, note);
        }
        if let (JobState::PendingAuth, Some(user), Some(platform)) =
            (job.state, &job.user_id, &job.platform)
        {
            let reason = job.error.as_ref().map(|error| error.message.clone());
            let event = UserEvent::ConnectionRequired {
                platform: platform.clone(),
                reason: reason.unwrap_or_default(),
            };
            self.0.news.user(user, event);
        }
        if let (JobState::PendingHuman, Some(user)) = (job.state, &job.user_id) {
            let reason = job.error.as_ref().map(|error| error.message.clone());
            let event = UserEvent::HumanRequired {
                job_id: job.job_id.clone(),
                platform: job.platform.clone(),
                reason: reason.unwrap_or_default(),
            };
            self.0.news.user(user, event);
        }
        self.0.news.job(job);
    }

    /// Tells of an attempt: on a clock that nobody sets.
    fn count(&self, job: &Job, outcome: &'static str, took: Duration) {
        let kind = job.kind.as_str();
        // An order has twenty attempts at most, and one more far away.
        let attempt = job.attempts.to_string();
        metrics::counter!("ghostcast_job_attempts_total", "kind" => kind, "outcome" => outcome, "attempt" => attempt)
            .increment(1);
        metrics::histogram!("ghostcast_job_duration_seconds", "kind" => kind, "outcome" => outcome)
            .record(took.as_secs_f64());
        if let Some(note_id) = job.note_id() {
            tracing::info!(
                target: "lossy.automation.note_posted",
                count = 1,
                note_id,
                duration_ms = took.as_millis() as u64,
                attempt = job.attempts,
                success = outcome == "done",
                "note_posted"
            );
        }
    }
}

/// The span of an attempt, in the trace in which the job was asked for.
fn span(run: &Run) -> Span {
    let (job, kind) = (&run.job, run.job.kind.as_str());
    let span = tracing::info_span!(
        target: SPANS,
        parent: None,
        "job",
        "otel.name" = format!("job {kind}"),
        "otel.kind" = "consumer",
        "job.id" = job.job_id,
        "job.attempt" = i64::from(job.attempts),
        "error.type" = Empty,
        "otel.status_code" = Empty,
    );
    if let Some(trace) = &run.trace {
        follow(&span, trace);
    }
    span
}

/// Tells the log of an attempt that did not succeed.
pub(super) fn tell(job: &Job, outcome: &'static str, error: &JobError) {
    let (job_id, kind, attempt) = (&job.job_id, job.kind.as_str(), job.attempts);
    let error = &error.message;
    match outcome {
        "failed" => {
            tracing::warn!(target: FAILED_JOBS, job_id, kind, attempt, outcome, error, "job");
        }
        _ => tracing::warn!(job_id, kind, attempt, outcome, error, "job"),
    }
}

/// A text among a job's arguments.
pub(super) fn text(args: &Map<String, Value>, name: &str) -> Result<String, JobError> {
    let text = args.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| JobError {
        kind: JobErrorKind::InvalidInput,
        message: format!("The job's args lack \"{name}\"."),
    })
}
