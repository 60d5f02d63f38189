//! Who is told: a user's programs, and those who watch a job.

use serde::Serialize;
use tokio::sync::broadcast;
use utoipa::ToSchema;

use crate::model::{Job, UnixTime, VerifyOutcome};

/// News that may wait for a reader; one that is further behind is told that it has missed some.
const WAITING_MAX: usize = 256;

/// What a user is told.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UserEvent {
    /// A page to open: a login is wanted there, or what a job asks a person for.
    OpenUrl {
        /// The page.
        url: String,
        /// The connection that is made by it, where it is for a login.
        #[serde(skip_serializing_if = "Option::is_none")]
        connection_id: Option<String>,
        /// The job that it is for, where it is for one.
        #[serde(skip_serializing_if = "Option::is_none")]
        job_id: Option<String>,
    },
    /// A job waits for what only a person can do.
    HumanRequired {
        /// The job.
        job_id: String,
        /// Where it works.
        platform: Option<String>,
        /// What they are to do, and how.
        reason: String,
    },
    /// Somebody has said that they have logged in, and it was looked whether that is so.
    LoginChecked {
        /// The connection.
        connection_id: String,
        /// The platform.
        platform: String,
        /// What was seen.
        outcome: VerifyOutcome,
        /// The same, for people.
        message: String,
    },
    /// Something waits until the user has connected this platform.
    ConnectionRequired {
        /// The platform.
        platform: String,
        /// Why, for people.
        reason: String,
    },
    /// A login was seen.
    ConnectionActive {
        /// The connection.
        connection_id: String,
        /// The platform.
        platform: String,
    },
    /// A login has expired, or the platform has logged the user out.
    ConnectionLost {
        /// The connection.
        connection_id: String,
        /// The platform.
        platform: String,
        /// Why, for people.
        reason: String,
    },
    /// A note is on its platform.
    NotePosted {
        /// The note.
        note_id: String,
        /// The video, in its maker's words.
        video_id: Option<String>,
    },
    /// A note could not be posted.
    NoteFailed {
        /// The note.
        note_id: String,
        /// Why, for people.
        reason: String,
    },
}

/// What a user is told, and when.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UserNews {
    /// Whom it is for.
    #[serde(skip)]
    pub user_id: String,
    /// What.
    #[serde(flatten)]
    #[schema(inline)]
    pub event: UserEvent,
    /// Seconds since the Unix epoch, with a fraction.
    #[schema(value_type = f64)]
    pub timestamp: UnixTime,
}

/// All news. Cheap to clone.
#[derive(Debug, Clone)]
pub struct News {
    users: broadcast::Sender<UserNews>,
    jobs: broadcast::Sender<Job>,
}

impl Default for News {
    fn default() -> Self {
        Self {
            users: broadcast::Sender::new(WAITING_MAX),
            jobs: broadcast::Sender::new(WAITING_MAX),
        }
    }
}

impl News {
    /// What users are told from now on, of all users.
    pub fn of_users(&self) -> broadcast::Receiver<UserNews> {
        self.users.subscribe()
    }

    /// What becomes of jobs from now on, of all jobs.
    pub fn of_jobs(&self) -> broadcast::Receiver<Job> {
        self.jobs.subscribe()
    }

    pub(super) fn user(&self, user_id: &str, event: UserEvent) {
        // Nobody may listen.
        let _ = self.users.send(UserNews {
            user_id: user_id.to_owned(),
            event,
            timestamp: UnixTime::now(),
        });
    }

    pub(super) fn job(&self, job: &Job) {
        let _ = self.jobs.send(job.clone());
    }
}
