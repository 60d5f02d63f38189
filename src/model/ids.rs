//! Identifiers, each a type of its own.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;

/// Longest room name accepted; LiveKit's own limit for names and identities.
pub const ROOM_NAME_CHARS_MAX: usize = 256;

/// The name of a LiveKit room; a session belongs to exactly one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RoomName(String);

impl RoomName {
    /// Parses a room name: 1 to 256 characters, no control characters, no `/`, and not `.` or `..`,
    /// which no URL can name.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let length = name.chars().count();
        let clean =
            !name.chars().any(|c| c.is_control() || c == '/') && !matches!(name, "." | "..");
        if (1..=ROOM_NAME_CHARS_MAX).contains(&length) && clean && name.trim() == name {
            return Ok(Self(name.to_owned()));
        }
        Err(
            Error::invalid_input("room_name is not a valid room name").hint(format!(
                "Use 1 to {ROOM_NAME_CHARS_MAX} characters without '/', control characters, or \
             spaces at the ends; \".\" and \"..\" are no names."
            )),
        )
    }

    /// What a room would be called that is called after a session's id.
    pub fn of_id(id: SessionId) -> Self {
        Self(id.to_string())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Longest name of a session.
pub const SESSION_NAME_CHARS_MAX: usize = 128;

/// What the names of sessions begin with that hold a user's login.
pub const CONNECTION: &str = "_connection-";
/// What the names of sessions begin with that serve one job.
pub const JOB: &str = "_job-";

/// Whether a name is of a session that the service works with by itself: only those may use it who may do
/// everything.
pub fn is_services(name: &str) -> bool {
    name.starts_with(CONNECTION) || name.starts_with(JOB)
}

/// What a path means by itself where a session's name would stand.
const RESERVED: &str = "cleanup";

/// The name of a session that is kept: its profile and its record outlive its browser and the service.
/// It is a name of a directory too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SessionName(String);

impl SessionName {
    /// Parses a session's name: 1 to 128 characters of `A-Z a-z 0-9 . _ -`, and not dots alone or
    /// what a path means by itself.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let is_clean = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let is_name = (1..=SESSION_NAME_CHARS_MAX).contains(&name.len())
            && name.chars().all(is_clean)
            && !name.chars().all(|c| c == '.')
            && name != RESERVED;
        match is_name {
            true => Ok(Self(name.to_owned())),
            false => Err(
                Error::invalid_input("session_name is not a valid session name").hint(format!(
                    "Use 1 to {SESSION_NAME_CHARS_MAX} characters of A-Z, a-z, 0-9, '.', '_' and \
                     '-', and not dots alone or \"{RESERVED}\"."
                )),
            ),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A session without a room is found, and its events are told, where a room of its name would be.
impl From<&SessionName> for RoomName {
    fn from(name: &SessionName) -> Self {
        Self(name.0.clone())
    }
}

macro_rules! name {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(|error| serde::de::Error::custom(error.in_full()))
            }
        }
    };
}

name! { RoomName }
name! { SessionName }

/// A new name for a run of the service, unlike that of any other run.
pub fn run_id() -> String {
    action_id()
}

/// A new name for an action: short, since it is sent back and forth by language models.
pub fn action_id() -> String {
    let mut id = Uuid::new_v4().simple().to_string();
    id.truncate(12);
    id
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new random id (UUID v4).
            #[expect(clippy::new_without_default, reason = "each call gives another value")]
            pub fn new() -> Self {
                Self(Uuid::new_v4())
            }

            /// Parses the textual form; `None` when it is not a UUID.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::parse_str(text).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id! {
    /// One session of a room, from start to close.
    SessionId
}
uuid_id! {
    /// One WHEP viewer.
    ViewerId
}
uuid_id! {
    /// One recording of a session.
    RecordingId
}
