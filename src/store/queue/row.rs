//! A job as a queue keeps it that several services share, and all that may happen to it.
//!
//! Pure: what becomes of a job is decided here, once for all stores. A store reads a row, lets it be changed by one of
//! these, and writes it back in one transaction.

use serde::{Deserialize, Serialize};

use crate::model::{Connection, HumanAsk, Job, JobError, JobKind, JobProgress, JobState, UnixTime};
use crate::store::jobs::{CRASHES_MAX, Claimed, NewJob, Run, Stop, Turn};

/// A job, and what only the queue knows of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    /// As it is told.
    pub(super) job: Job,
    /// When it may begin.
    pub(super) run_at: f64,
    pub(super) created_at: f64,
    pub(super) started_at: Option<f64>,
    pub(super) finished_at: Option<f64>,
    /// How often a crash has cut it short.
    pub(super) crashes: u32,
    /// Which of its runs is the last.
    pub(super) run: u32,
    pub(super) intent: Option<String>,
    pub(super) ask: Option<HumanAsk>,
    /// The session in which a person was let do what it asks for.
    pub(super) ask_session: Option<String>,
    pub(super) trace: Option<String>,
    pub(super) unique_key: String,
    /// The service that alone can run it: what it needs is on that one's disk.
    pub(super) home: Option<String>,
    /// The service that runs it, or has run it last.
    pub(super) owner: Option<String>,
}

/// What a change of a job brings with it, in the same transaction.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Jobs that are put in their queues.
    pub(super) more: Vec<NewJob>,
    /// Whether the start of its run is none of those that have begun.
    pub(super) is_start_back: bool,
}

/// A change of a row; none where the row is left as it is.
pub(super) type Change<'a> = &'a (dyn Fn(&mut Row) -> Option<Outcome> + Send + Sync);

/// Whether a job needs what is on the disk of the service that took it: a login, a session, a note.
pub(super) fn is_bound(job: &Job) -> bool {
    let names_session = job.kind.takes_login() && job.args.contains_key("session_id");
    let is_of_disk = matches!(job.kind, JobKind::PostNote | JobKind::KeepAlive);
    job.connection_id.is_some() || names_session || is_of_disk
}

impl Row {
    /// A job that is asked for of that service.
    pub(super) fn new(new: &NewJob, here: &str) -> Self {
        let home = is_bound(&new.job).then(|| here.to_owned());
        let unique_key = match &home {
            // What sessions are called is each service's own.
            Some(home) if new.unique_key.starts_with("like:") => {
                format!("{} at {home}", new.unique_key)
            }
            _ => new.unique_key.clone(),
        };
        Self {
            job: new.job.clone(),
            run_at: new.run_at.0,
            created_at: new.now.0,
            started_at: None,
            finished_at: None,
            crashes: 0,
            run: 0,
            intent: None,
            ask: None,
            ask_session: None,
            trace: new.trace.clone(),
            unique_key,
            home,
            owner: None,
        }
    }

    /// One that was put in the registry of that service.
    pub(super) fn forwarded(mut self, service: &str) -> Self {
        if is_bound(&self.job) || self.ask.is_some() {
            self.home = Some(service.to_owned());
        }
        self
    }

    /// Its times in the words in which they are told.
    pub(super) fn dated(mut self) -> Self {
        let told = |at: f64| UnixTime(at).to_iso8601();
        self.job.run_at = told(self.run_at);
        self.job.created_at = told(self.created_at);
        self.job.started_at = self.started_at.map(told);
        self.job.finished_at = self.finished_at.map(told);
        if self.job.state == JobState::Done {
            self.job.error = None;
        }
        self
    }

    /// Whether that service may run it.
    pub(super) fn is_for(&self, service: &str) -> bool {
        self.home.as_deref().is_none_or(|home| home == service)
    }

    /// Whether the run is the one that it is in.
    pub(super) fn is_in(&self, run: u32) -> bool {
        self.job.state == JobState::Running && self.run == run
    }

    /// Whether it is the same as another one that is asked for: what has failed or was called off is tried anew by
    /// whoever asks again, and a note has one job at a time.
    pub(super) fn is_alike(&self, unique_key: &str, since: f64, note_id: Option<&str>) -> bool {
        let state = self.job.state;
        let has_failed = matches!(state, JobState::Failed | JobState::Cancelled);
        let is_same = self.unique_key == unique_key && self.created_at > since && !has_failed;
        let is_its_note = note_id.is_some() && self.job.note_id() == note_id;
        is_same || is_its_note && !state.is_over()
    }

    /// It runs from now on.
    pub(super) fn begin(&mut self, service: &str, now: f64) {
        self.job.state = JobState::Running;
        self.job.attempts += 1;
        self.job.progress = None;
        self.run += 1;
        self.started_at = Some(now);
        self.owner = Some(service.to_owned());
    }

    /// The run that it is in.
    pub(super) fn run(self) -> Run {
        let row = self.dated();
        Run {
            job: row.job,
            intent: row.intent,
            ask: row.ask,
            trace: row.trace,
            number: row.run,
        }
    }

    /// A run has ended. Answers nothing where it is not the one that it is in.
    pub(super) fn stop(&mut self, run: u32, stop: &Stop) -> Option<Outcome> {
        if !self.is_in(run) {
            return None;
        }
        self.job.state = stop.state;
        self.run_at = stop.run_at.map_or(self.run_at, |at| at.0);
        self.job.result.clone_from(&stop.result);
        self.job.error.clone_from(&stop.error);
        self.job.served_by = stop.served_by.or(self.job.served_by);
        self.ask_session = None;
        if stop.counts {
            // What was tried after it in vain begins anew.
            self.forget_ask();
        } else {
            self.job.attempts = self.job.attempts.saturating_sub(1);
        }
        self.finished_at = stop.state.is_over().then_some(stop.now.0);
        Some(Outcome {
            is_start_back: stop.is_start_given_back(),
            ..Outcome::default()
        })
    }

    /// It comes from one of these states to another.
    pub(super) fn turn(&mut self, from: &[JobState], to: JobState, now: UnixTime) -> bool {
        if !from.contains(&self.job.state) {
            return false;
        }
        self.job.state = to;
        self.finished_at = to.is_over().then_some(now.0);
        self.ask_session = None;
        if to == JobState::Queued {
            // Whoever tries anew has all attempts again.
            self.run_at = now.0;
            self.job.attempts = 0;
            self.started_at = None;
            self.job.progress = None;
            self.job.error = None;
            self.forget_ask();
        }
        true
    }

    /// The service that ran it has ended, or does not any more: it waits again, before what was asked for after it.
    pub(super) fn give_back(&mut self, run: u32) -> bool {
        if !self.is_in(run) {
            return false;
        }
        self.job.state = JobState::Queued;
        if self.crashes < CRASHES_MAX {
            self.job.attempts = self.job.attempts.saturating_sub(1);
        }
        self.crashes += 1;
        true
    }

    /// It has come so far.
    pub(super) fn note_progress(&mut self, run: u32, progress: &JobProgress) -> bool {
        let is_in = self.is_in(run);
        if is_in {
            self.job.progress = Some(progress.clone());
        }
        is_in
    }

    /// It is about to do what must not be done twice.
    pub(super) fn note_intent(&mut self, run: u32, intent: &str) -> bool {
        let is_in = self.is_in(run);
        if is_in {
            self.intent = Some(intent.to_owned());
        }
        is_in
    }

    /// It asks for a person, in a session of that service: from now on it is done there.
    pub(super) fn note_ask(&mut self, run: u32, ask: &HumanAsk, service: &str) -> bool {
        let is_in = self.is_in(run);
        if is_in {
            self.ask = Some(ask.clone());
            self.home = Some(service.to_owned());
        }
        is_in
    }

    /// A person has done what it asked for, and has left that page.
    pub(super) fn answer(&mut self, url: &str) -> bool {
        let is_waiting = self.job.state == JobState::PendingHuman;
        let Some(ask) = self.ask.as_mut().filter(|_| is_waiting) else {
            return false;
        };
        ask.is_done = true;
        url.clone_into(&mut ask.left);
        self.job.state = JobState::Queued;
        self.job.error = None;
        self.ask_session = None;
        true
    }

    /// The session in which it asked is forgotten: it begins anew.
    pub(super) fn forget_session(&mut self, session: &str) -> bool {
        let is_there = |ask: &HumanAsk| ask.session == session;
        if self.job.state != JobState::PendingHuman || !self.ask.as_ref().is_some_and(is_there) {
            return false;
        }
        self.job.state = JobState::Queued;
        self.job.error = None;
        self.ask_session = None;
        self.forget_ask();
        true
    }

    /// It goes on with a login that is there now on that service.
    pub(super) fn release(&mut self, connection: &Connection, service: &str, now: f64) -> bool {
        let is_its = self.job.user_id.as_ref() == Some(&connection.user_id)
            && self.job.platform.as_ref() == Some(&connection.platform);
        if self.job.state != JobState::PendingAuth || !is_its || !self.is_for(service) {
            return false;
        }
        self.job.state = JobState::Queued;
        self.job.attempts = 0;
        self.run_at = now;
        if let Some(of) = &mut self.job.connection_id {
            of.clone_from(&connection.connection_id);
        }
        true
    }

    /// What it has waited for does not come. Answers whether it has waited.
    pub(super) fn fail_held(&mut self, why: Option<&JobError>, now: f64) -> bool {
        if !self.job.state.is_held() {
            return false;
        }
        self.job.state = JobState::Failed;
        self.finished_at = Some(now);
        self.ask_session = None;
        if let Some(why) = why {
            self.job.error = Some(why.clone());
        }
        true
    }

    /// Since when it has waited for somebody, or longer.
    pub(super) fn waits_since(&self) -> f64 {
        self.started_at.unwrap_or(self.created_at)
    }

    /// What it asked for holds it nowhere any more.
    fn forget_ask(&mut self) {
        self.ask = None;
        if !is_bound(&self.job) {
            self.home = None;
        }
    }

    /// Whether a person is to come, or has come, to a session that was made for it alone.
    pub(super) fn asking_session(&self) -> Option<&str> {
        let is_open = !self.job.state.is_over() && self.job.state != JobState::PendingAuth;
        let ask = self.ask.as_ref().filter(|_| is_open)?;
        Some(ask.session.as_str()).filter(|session| !session.is_empty())
    }
}

/// What a store has found for a turn.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store) struct Found {
    /// Whether a job of the queue that goes first could begin.
    pub(in crate::store) has_ahead: bool,
    /// How many of those have begun within their time.
    pub(in crate::store) begun_ahead: u32,
    /// Whether one of this queue could begin.
    pub(in crate::store) has_next: bool,
    /// When the next one may.
    pub(in crate::store) later: Option<f64>,
    /// How many of this queue have begun within their time.
    pub(in crate::store) begun: u32,
    /// When the first of them did.
    pub(in crate::store) first: Option<f64>,
}

/// Why no job begins; none where one does.
pub(in crate::store) fn refused(turn: &Turn, found: &Found) -> Option<Claimed> {
    let is_full = |rate: Option<(u32, UnixTime)>, begun| rate.is_some_and(|(max, _)| begun >= max);
    if turn.gives_way && found.has_ahead && !is_full(turn.rate_ahead, found.begun_ahead) {
        return Some(Claimed::Way);
    }
    if !found.has_next {
        return Some(Claimed::None(found.later.map(UnixTime)));
    }
    match found.first {
        Some(first) if is_full(turn.rate, found.begun) => Some(Claimed::Rate(UnixTime(first))),
        _ => None,
    }
}
