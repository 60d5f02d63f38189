//! What is known of a session after its end.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::ids::{RecordingId, RoomName, SessionId, SessionName};
use super::session::SessionRecord;

/// What ended a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// A caller closed it.
    Closed,
    /// Nobody used it for its `idle_timeout_s`.
    Idle,
    /// It had lived for its `max_lifetime_s`.
    Lifetime,
    /// Its browser crashed, hung or was killed.
    BrowserLost,
    /// A part of it broke by a defect of the service.
    Internal,
    /// A cleanup found that nothing had happened in it for long.
    Cleanup,
    /// It was stored for longer than `session.stored_max_age_h`.
    Age,
    /// The service was stopped.
    ServiceStopped,
    /// The service was killed; how the session was then is known up to its last page.
    ServiceLost,
}

impl EndReason {
    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Idle => "idle",
            Self::Lifetime => "lifetime",
            Self::BrowserLost => "browser_lost",
            Self::Internal => "internal",
            Self::Cleanup => "cleanup",
            Self::Age => "age",
            Self::ServiceStopped => "service_stopped",
            Self::ServiceLost => "service_lost",
        }
    }
}

/// Why a session ends: a word for programs, and words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The word.
    pub reason: EndReason,
    /// The words.
    pub detail: String,
}

impl End {
    /// An end of that kind, in these words.
    pub fn new(reason: EndReason, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { reason, detail }
    }

    /// A caller has closed it.
    pub fn by_request() -> Self {
        Self::new(EndReason::Closed, "closed by request")
    }
}

/// Who watched a session, from its start to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ViewersSeen {
    /// WHEP viewers that there have been.
    pub whep: u64,
    /// Whether anybody in the LiveKit room subscribed to the video.
    pub livekit: bool,
}

/// A recording of a session that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndedRecording {
    /// UUID.
    #[schema(value_type = String)]
    pub recording_id: RecordingId,
    /// The file's name, as `/recordings/{file}` takes it.
    pub file: String,
}

/// A session after its end. Of one with a name it is the last time that its browser ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EndedSession {
    /// UUID.
    #[schema(value_type = String)]
    pub session_id: SessionId,
    /// Its own name; null for a session of a room alone.
    #[schema(value_type = Option<String>)]
    pub session_name: Option<SessionName>,
    /// The LiveKit room; null for a session without one.
    #[schema(value_type = Option<String>)]
    pub room_name: Option<RoomName>,
    /// ISO 8601, UTC.
    pub created_at: String,
    /// ISO 8601, UTC; where the service was killed, when the next one found out.
    pub ended_at: String,
    /// What ended it.
    pub reason: EndReason,
    /// The same for people.
    pub detail: String,
    /// The last page's URL.
    pub current_url: String,
    /// The last page's title.
    pub title: String,
    /// ISO 8601, UTC; the last action or navigation.
    pub last_activity: String,
    /// Who watched it.
    pub viewers: ViewersSeen,
    /// How many actions ended in it; the first page counts as one.
    pub actions: u64,
    /// How many of them failed.
    pub actions_failed: u64,
    /// Its recordings that there still are, the oldest first.
    pub recordings: Vec<EndedRecording>,
    /// The last events, up to 100, the oldest first: as they were told with `details`, without
    /// `dom_change`. Null in a list.
    #[schema(value_type = Option<Vec<Object>>)]
    pub last_events: Option<Vec<Value>>,
}

impl EndedSession {
    /// A session of which no more is known than its record.
    pub fn of(record: &SessionRecord, end: End, ended_at: String) -> Self {
        Self {
            session_id: record.session_id,
            session_name: record.session_name.clone(),
            room_name: record.room_name.clone(),
            created_at: record.created_at.clone(),
            ended_at,
            reason: end.reason,
            detail: end.detail,
            current_url: record.current_url.clone(),
            title: record.title.clone(),
            last_activity: record.last_activity.clone(),
            viewers: ViewersSeen::default(),
            actions: 0,
            actions_failed: 0,
            recordings: Vec::new(),
            last_events: None,
        }
    }
}
