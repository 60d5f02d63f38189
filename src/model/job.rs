//! A job: work on a page that outlives its caller and the service.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::place::{BrowserPlace, BrowserWish};
use crate::error::{Error, ErrorKind};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// A platform's named workflow.
    Workflow,
    /// Posts a note, which is a workflow of its platform.
    PostNote,
    /// Verifies a connection.
    CheckLogin,
    /// Visits the platforms of connections that were not used for long, so that their logins stay.
    KeepAlive,
    /// Tells the operator, by a webhook or by mail, what they have to know. Made by the service itself.
    Notice,
    /// Has something done by the process that the operator has set for it.
    Bridge,
}

/// Where a job waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// What somebody waits for.
    Automation,
    /// What keeps the house.
    Maintenance,
    /// What the operator is told.
    Notices,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits for its turn, or for its time.
    Queued,
    /// It runs.
    Running,
    /// It waits, without a place in the queue, until its user has logged in.
    PendingAuth,
    /// It waits, without a place in the queue and without a browser, for what only a person can do.
    PendingHuman,
    /// It has succeeded.
    Done,
    /// It has failed for good.
    Failed,
    /// Somebody called it off.
    Cancelled,
}

/// The batch that a job is one of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobBatch {
    /// How many there are in all.
    pub items: u32,
    /// Whether its user goes away: a long batch runs on the remote browser then, where there is one.
    #[serde(default)]
    pub in_background: bool,
}

/// Why a job did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobErrorKind {
    /// What was kept of the login is gone: the user has to connect anew.
    SessionExpired,
    /// The platform asks for a login that was never there.
    NotLoggedIn,
    /// The connection, or its session, is not there.
    SessionNotFound,
    /// What the job is about is not there.
    NotFound,
    /// The user has no active connection to the platform.
    NoActiveConnection,
    /// The job needs a login and has none.
    NoAuth,
    /// The platform has logged the user out.
    LoggedOut,
    /// It took longer than its bound.
    Timeout,
    /// The platform wants fewer requests.
    RateLimited,
    /// The page does not have what the workflow looks for.
    SelectorChanged,
    /// What the workflow did is not to be seen.
    EffectNotSeen,
    /// A person drives the browser.
    HumanInControl,
    /// Only a person can go on: a captcha, or a step that asks for one.
    HumanRequired,
    /// The browser, or something else that is needed, is not there.
    Unavailable,
    /// The remote browser cannot be reached: the job waits until it can.
    RemoteUnavailable,
    /// The job as it was sent cannot be done.
    InvalidInput,
    /// It was called off.
    Cancelled,
}

/// Why a job did not succeed, in a word for programs and in words for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobError {
    /// The word.
    pub kind: JobErrorKind,
    /// What happened, and what to do.
    pub message: String,
}

impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            ErrorKind::Timeout => JobErrorKind::Timeout,
            ErrorKind::InvalidInput | ErrorKind::Unprocessable | ErrorKind::Unsupported => {
                JobErrorKind::InvalidInput
            }
            ErrorKind::NotFound => JobErrorKind::SessionNotFound,
            ErrorKind::HumanInControl => JobErrorKind::HumanInControl,
            _ => JobErrorKind::Unavailable,
        };
        Self {
            kind,
            message: error.in_full(),
        }
    }
}

/// What a job asks a person for, as the registry has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HumanAsk {
    /// What they are to do.
    pub reason: String,
    /// Whether nobody else sees the page meanwhile.
    pub is_private: bool,
    /// The step that the work goes on with then, from 1 on; 0 where it begins anew.
    pub step: u32,
    /// Since which step the page is the same: what was done on it since, and is no effect, is gone with the browser.
    pub since: u32,
    /// The name of the session that they come to.
    pub session: String,
    /// The page where they do it.
    pub url: String,
    /// The page that they have left, once it is done.
    pub left: String,
    /// What was to be seen before the work: not what it leaves; nothing where that is not known yet.
    pub before: Option<Before>,
    /// Whether a person has said that it is done.
    pub is_done: bool,
}

/// What was to be seen before a job's work; null where there was nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// That.
    pub seen: Value,
}

impl HumanAsk {
    /// The step with which the work goes on, on the page that the person has left: what is gone with the browser is
    /// done again where they did not go elsewhere.
    pub fn resume(&self) -> u32 {
        match self.left == self.url {
            true => self.since.clamp(1, self.step.max(1)),
            false => self.step,
        }
    }
}

/// How far the work of a job is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobProgress {
    /// Steps that are done.
    pub step: u32,
    /// Steps that there are.
    pub of: u32,
    /// What it does at the moment.
    pub doing: String,
}

/// A job as it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    pub job_id: String,
    /// What it does.
    pub kind: JobKind,
    /// Where it waits for its turn.
    pub queue: Queue,
    /// How far it is.
    pub state: JobState,
    /// What it was given.
    #[schema(value_type = Object)]
    pub args: Map<String, Value>,
    /// The login that it works with.
    pub connection_id: Option<String>,
    /// Whose job it is.
    pub user_id: Option<String>,
    /// The platform that it works on.
    pub platform: Option<String>,
    /// Which browser is meant to serve it.
    pub browser: BrowserWish,
    /// Which browser has served its last attempt.
    pub served_by: Option<BrowserPlace>,
    /// The batch that it is one of.
    pub batch: Option<JobBatch>,
    /// Attempts that have begun; one that a crash of the service cut short does not count.
    pub attempts: u32,
    /// Attempts that there are at most.
    pub attempts_max: u32,
    /// When it may begin, ISO 8601, UTC.
    pub run_at: String,
    /// When it was asked for.
    pub created_at: String,
    /// When its last attempt began.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// How far its work is.
    pub progress: Option<JobProgress>,
    /// What it came to.
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    /// Why its last attempt did not succeed; of a job that has succeeded, null.
    pub error: Option<JobError>,
}

macro_rules! words {
    ($type:ty: $($variant:ident => $word:literal),* $(,)?) => {
        impl $type {
            /// The word for it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// What that word stands for.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

words! { JobKind: Workflow => "workflow", PostNote => "post_note", CheckLogin => "check_login", KeepAlive => "keep_alive", Notice => "notice", Bridge => "bridge" }
words! { Queue: Automation => "automation", Maintenance => "maintenance", Notices => "notices" }
words! { JobState: Queued => "queued", Running => "running", PendingAuth => "pending_auth", PendingHuman => "pending_human", Done => "done", Failed => "failed", Cancelled => "cancelled" }
words! { BrowserWish: Auto => "auto", Local => "local", Remote => "remote" }

impl Queue {
    /// All.
    pub const ALL: [Self; 3] = [Self::Automation, Self::Maintenance, Self::Notices];
}

impl Job {
    /// The note that it posts.
    pub fn note_id(&self) -> Option<&str> {
        match self.kind {
            JobKind::PostNote => self.args.get("note_id")?.as_str(),
            _ => None,
        }
    }
}

impl JobKind {
    /// Whether it may be done with somebody's login, or in a session that its caller names.
    pub const fn takes_login(self) -> bool {
        match self {
            Self::Workflow | Self::CheckLogin | Self::KeepAlive => true,
            Self::PostNote | Self::Bridge | Self::Notice => false,
        }
    }

    /// Where such a job waits.
    pub const fn queue(self) -> Queue {
        match self {
            Self::Workflow | Self::PostNote | Self::CheckLogin | Self::Bridge => Queue::Automation,
            Self::KeepAlive => Queue::Maintenance,
            Self::Notice => Queue::Notices,
        }
    }
}

impl JobState {
    /// Whether it waits for somebody, for as long as that takes.
    pub const fn is_held(self) -> bool {
        matches!(self, Self::PendingAuth | Self::PendingHuman)
    }

    /// Whether nothing more happens to it by itself.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// What becomes of a job after an attempt that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is tried again after this time.
    Again(Duration),
    /// It is tried again after this time, as if it had not been tried.
    Later(Duration),
    /// It waits for a login.
    Hold,
    /// It waits for a person.
    HoldForHuman,
    /// It has failed.
    Fail,
}

/// A person may drive for long, and a remote browser be away: a job that finds that so looks again after this
/// time.
const LATER: Duration = Duration::from_secs(10);

impl JobErrorKind {
    /// Whether it speaks against the browser that served, as far as can be told: what a login, a person or
    /// another order mends does not.
    pub const fn is_failure(self) -> bool {
        matches!(
            self,
            Self::Timeout
                | Self::RateLimited
                | Self::SelectorChanged
                | Self::EffectNotSeen
                | Self::Unavailable
        )
    }

    /// What becomes of a job that has begun so many of its attempts, the last of which failed so. The pauses
    /// are those after the first, the second attempt and so on; the last of them holds for all further ones.
    /// What only a login mends is not tried again by itself.
    pub fn next(self, attempts: u32, attempts_max: u32, pauses: &[Duration]) -> Next {
        match self {
            Self::SessionExpired
            | Self::NotLoggedIn
            | Self::NoActiveConnection
            | Self::NoAuth
            | Self::LoggedOut => Next::Hold,
            Self::HumanRequired => Next::HoldForHuman,
            Self::HumanInControl | Self::RemoteUnavailable => Next::Later(LATER),
            Self::NotFound | Self::SessionNotFound | Self::InvalidInput | Self::Cancelled => {
                Next::Fail
            }
            Self::Timeout
            | Self::RateLimited
            | Self::SelectorChanged
            | Self::EffectNotSeen
            | Self::Unavailable => {
                if attempts >= attempts_max {
                    return Next::Fail;
                }
                let place = (attempts.max(1) as usize - 1).min(pauses.len().saturating_sub(1));
                Next::Again(pauses.get(place).copied().unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_pause_for_ten_thirty_and_ninety_seconds() {
        let pauses = [10, 30, 90].map(Duration::from_secs);
        let next = |attempts, max| JobErrorKind::Timeout.next(attempts, max, &pauses);
        assert_eq!(next(1, 3), Next::Again(pauses[0]));
        assert_eq!(next(2, 3), Next::Again(pauses[1]));
        assert_eq!(next(3, 3), Next::Fail);
        // The third pause is for those who permit more than three.
        assert_eq!(next(3, 5), Next::Again(pauses[2]));
        assert_eq!(next(4, 5), Next::Again(pauses[2]));
        assert_eq!(next(5, 5), Next::Fail);
        assert_eq!(
            JobErrorKind::Timeout.next(1, 3, &[]),
            Next::Again(Duration::ZERO)
        );
    }

    #[test]
    fn what_is_gone_with_the_browser_is_done_again_where_nobody_went_elsewhere() {
        let ask = |step, since, left: &str| HumanAsk {
            step,
            since,
            url: "https://shop.example/form".to_owned(),
            left: left.to_owned(),
            ..HumanAsk::default()
        };
        let same = "https://shop.example/form";
        assert_eq!(ask(4, 1, same).resume(), 1);
        // The third was an effect.
        assert_eq!(ask(5, 4, same).resume(), 4);
        assert_eq!(ask(4, 4, same).resume(), 4);
        assert_eq!(ask(4, 1, "https://shop.example/thanks").resume(), 4);
    }

    #[test]
    fn what_a_login_mends_uses_up_no_attempts() {
        for kind in [
            JobErrorKind::SessionExpired,
            JobErrorKind::NotLoggedIn,
            JobErrorKind::NoActiveConnection,
            JobErrorKind::NoAuth,
            JobErrorKind::LoggedOut,
        ] {
            assert_eq!(kind.next(3, 3, &[]), Next::Hold, "{kind:?}");
        }
        let person = JobErrorKind::HumanRequired;
        assert_eq!(person.next(3, 3, &[]), Next::HoldForHuman);
        assert_eq!(JobErrorKind::InvalidInput.next(1, 3, &[]), Next::Fail);
        assert!(matches!(
            JobErrorKind::HumanInControl.next(9, 3, &[]),
            Next::Later(_)
        ));
    }
}
