//! What the operator is told: a job that has failed, a login that is good no more.
//!
//! A notice is a job of its own for each way by which it goes, put in the queue in the same transaction as what it
//! tells of: it is there exactly if that is so, survives the service, and is tried again until it has arrived.
//!
//! ```text
//! webhook   signed, as by the specification "Standard Webhooks"
//! mail      by SMTP
//! ```

mod mail;
mod webhook;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Jobs;
use super::order::{JobOrder, Whose};
use crate::config::{self, Config};
use crate::model::ids::action_id;
use crate::model::{
    Connection, ConnectionStatus, Job, JobError, JobErrorKind, JobKind, JobState, UnixTime,
};
use crate::store::NewJob;

/// Attempts of a notice: with the usual pauses it is tried for ten minutes.
const ATTEMPTS_MAX: u32 = 8;

/// By which way a notice goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    Webhook,
    Mail,
}

/// What somebody is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Notice {
    /// What has happened, a word for programs.
    #[serde(rename = "type")]
    kind: String,
    /// When, ISO 8601, UTC.
    timestamp: String,
    /// To what.
    data: Value,
}

/// A notice on its way: what a job `notice` is given.
#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    way: Way,
    notice: Notice,
    /// The same for people, in a line.
    text: String,
}

/// The notices of what happens, by the settings of that moment.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    ways: Vec<Way>,
    now: UnixTime,
    settings: config::Jobs,
}

impl Teller {
    fn new(config: &Config, now: UnixTime) -> Self {
        let ways = [
            (Way::Webhook, config.notices.has_webhook()),
            (Way::Mail, config.notices.has_mail()),
        ];
        let ways = ways.into_iter().filter(|(_, is_set)| *is_set);
        Self {
            ways: ways.map(|(way, _)| way).collect(),
            now,
            settings: config.jobs.clone(),
        }
    }

    /// An attempt of a job has ended, so that somebody has to know of it.
    pub(super) fn stopped(&self, job: &Job) -> Vec<NewJob> {
        match job.state {
            JobState::PendingHuman => self.asks(job),
            _ => self.failed(job),
        }
    }

    /// A job waits for a person.
    fn asks(&self, job: &Job) -> Vec<NewJob> {
        let kind = job.kind.as_str();
        let why = job.error.as_ref().map_or("", |error| &error.message);
        let text = format!("Job {} ({kind}) waits for a person: {why}", job.job_id);
        let data = json!({
            "job_id": job.job_id,
            "kind": kind,
            "user_id": job.user_id,
            "platform": job.platform,
            "connection_id": job.connection_id,
            "note_id": job.note_id(),
            "error": job.error,
        });
        self.told("job.human_required", data, &text)
    }

    /// A job has failed. A notice that has not arrived is told by nobody but the log.
    pub(super) fn failed(&self, job: &Job) -> Vec<NewJob> {
        if job.kind == JobKind::Notice {
            return Vec::new();
        }
        let kind = job.kind.as_str();
        let why = job.error.as_ref().map_or("", |error| &error.message);
        let text = format!("Job {} ({kind}) has failed: {why}", job.job_id);
        let data = json!({
            "job_id": job.job_id,
            "kind": kind,
            "user_id": job.user_id,
            "platform": job.platform,
            "connection_id": job.connection_id,
            "note_id": job.note_id(),
            "attempts": job.attempts,
            "error": job.error,
        });
        self.told("job.failed", data, &text)
    }

    /// A login is good no more.
    pub(super) fn lost(&self, connection: &Connection) -> Vec<NewJob> {
        let (kind, why) = match connection.status {
            ConnectionStatus::Expired => ("connection.expired", "has expired"),
            ConnectionStatus::LoggedOut => ("connection.logged_out", "was logged out"),
            ConnectionStatus::Active | ConnectionStatus::AwaitingAuth => return Vec::new(),
        };
        let (user, platform) = (&connection.user_id, &connection.platform);
        let text =
            format!("The login of {user} to {platform} {why}: the user has to log in again.");
        let data = json!({
            "connection_id": connection.connection_id,
            "user_id": user,
            "platform": platform,
            "status": connection.status,
        });
        self.told(kind, data, &text)
    }

    fn told(&self, kind: &str, data: Value, text: &str) -> Vec<NewJob> {
        let notice = Notice {
            kind: kind.to_owned(),
            timestamp: self.now.to_iso8601(),
            data,
        };
        let job = |way: &Way| {
            let sent = Sent {
                way: *way,
                notice: notice.clone(),
                text: text.to_owned(),
            };
            let mut order = JobOrder::new(JobKind::Notice, json!(sent));
            order.attempts_max = Some(ATTEMPTS_MAX);
            // Each is one of its own.
            order.unique_key = Some(action_id());
            order.queued(Whose::default(), self.now, &self.settings)
        };
        self.ways.iter().map(job).collect()
    }
}

impl Jobs {
    /// Who tells the operator, as the settings are.
    pub(super) fn teller(&self, now: UnixTime) -> Teller {
        Teller::new(&self.config(), now)
    }

    /// Sends a notice; what it came to is what the other side says.
    pub(super) async fn send_notice(&self, job: &Job) -> Result<Value, JobError> {
        let sent: Sent =
            serde_json::from_value(job.args.clone().into()).map_err(|error| JobError {
                kind: JobErrorKind::InvalidInput,
                message: format!("The notice cannot be read: {error}."),
            })?;
        let config = self.config();
        match sent.way {
            Way::Webhook => webhook::send(&config.notices, &job.job_id, &sent.notice).await,
            Way::Mail => mail::send(&config.notices, &job.job_id, &sent).await,
        }
    }
}

/// What could not be sent, and may be by another attempt.
fn unsent(message: String) -> JobError {
    JobError {
        kind: JobErrorKind::Unavailable,
        message,
    }
}

/// What the settings do not say any more.
fn unset(what: &str) -> JobError {
    JobError {
        kind: JobErrorKind::InvalidInput,
        message: format!("{what} is not set any more."),
    }
}
