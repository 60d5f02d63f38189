//! A connection: a user's login at a platform, kept in a profile.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a login stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionStatus {
    /// Nobody has logged in yet, as far as was seen.
    AwaitingAuth,
    /// The login was seen, and is good as far as is known.
    Active,
    /// What was kept of it is gone, or too old.
    Expired,
    /// The platform asks for a login again.
    LoggedOut,
}

/// What is learned of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen {
    /// The platform's page shows that somebody is logged in.
    LoggedIn,
    /// The platform's page asks for a login.
    LoginPage,
    /// The page shows neither: it may have changed.
    Neither,
    /// Its profile, or the remote context, is not there any more.
    Gone,
    /// It was not used for as long as a login is kept.
    Idle,
    /// The page could not be asked.
    Unreachable,
}

impl ConnectionStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::AwaitingAuth,
        Self::Active,
        Self::Expired,
        Self::LoggedOut,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingAuth => "awaiting_auth",
            Self::Active => "active",
            Self::Expired => "expired",
            Self::LoggedOut => "logged_out",
        }
    }

    /// The status of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// How it stands once this was seen. What was not seen changes nothing: a page that shows neither a login
    /// nor its absence, and one that cannot be reached, say nothing of it.
    #[must_use]
    pub const fn after(self, seen: Seen) -> Self {
        match (self, seen) {
            (_, Seen::LoggedIn) => Self::Active,
            (_, Seen::Gone | Seen::Idle) => Self::Expired,
            // Who has not logged in yet is not logged out.
            (Self::Active, Seen::LoginPage) => Self::LoggedOut,
            (same, Seen::LoginPage | Seen::Neither | Seen::Unreachable) => same,
        }
    }
}

/// A user's login at a platform. No password and no cookie is ever in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Connection {
    /// Its id.
    pub connection_id: String,
    /// Whose it is, in the caller's own words.
    pub user_id: String,
    /// Where.
    #[schema(example = "youtube")]
    pub platform: String,
    /// The durable thing behind it: the name of the session whose profile holds the login, or the id of a
    /// remote context.
    pub browserbase_session_id: Option<String>,
    /// How it stands.
    pub status: ConnectionStatus,
    /// When it was made, verified or used by a job last, ISO 8601, UTC. A ping to keep it alive is no use.
    pub last_used_at: String,
    /// When its login was seen last by a verification, ISO 8601, UTC.
    pub verified_at: Option<String>,
}

/// What a verification comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerifyOutcome {
    /// The login is there.
    LoggedIn,
    /// The platform asks for a login.
    NotLoggedIn,
    /// What was kept of it is gone: a new connection is needed.
    SessionExpired,
    /// It could not be found out.
    Error,
}

impl VerifyOutcome {
    /// What is told of what was seen.
    pub const fn of(seen: Seen) -> Self {
        match seen {
            Seen::LoggedIn => Self::LoggedIn,
            Seen::LoginPage => Self::NotLoggedIn,
            Seen::Gone | Seen::Idle => Self::SessionExpired,
            Seen::Neither | Seen::Unreachable => Self::Error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_after_everything_that_can_be_seen() {
        use ConnectionStatus::{Active, AwaitingAuth, Expired, LoggedOut};
        use Seen::{Gone, Idle, LoggedIn, LoginPage, Neither, Unreachable};
        // Each row: what was seen; then after awaiting_auth, active, expired, logged_out.
        let table = [
            (LoggedIn, [Active, Active, Active, Active]),
            (LoginPage, [AwaitingAuth, LoggedOut, Expired, LoggedOut]),
            (Neither, [AwaitingAuth, Active, Expired, LoggedOut]),
            (Gone, [Expired, Expired, Expired, Expired]),
            (Idle, [Expired, Expired, Expired, Expired]),
            (Unreachable, [AwaitingAuth, Active, Expired, LoggedOut]),
        ];
        for (seen, row) in table {
            for (before, after) in ConnectionStatus::ALL.into_iter().zip(row) {
                assert_eq!(before.after(seen), after, "{before:?} after {seen:?}");
            }
        }
    }

    #[test]
    fn each_word_is_read_as_it_is_written() {
        for status in ConnectionStatus::ALL {
            assert_eq!(ConnectionStatus::parse(status.as_str()), Some(status));
            assert_eq!(
                serde_json::to_value(status).unwrap(),
                serde_json::json!(status.as_str())
            );
        }
        assert_eq!(ConnectionStatus::parse("gone"), None);
    }
}
