//! Who drives a session, as the outside sees it.

use serde::Serialize;
use utoipa::ToSchema;

/// Who has the wheel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ControlOwner {
    /// The agent, or whatever program acts.
    #[default]
    Agent,
    /// A person.
    Human,
    /// Whoever comes first: a person was asked for, and nobody has come yet.
    Nobody,
}

impl ControlOwner {
    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Human => "human",
            Self::Nobody => "nobody",
        }
    }
}

/// Who drives a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ControlStatus {
    /// Who has the wheel. While it is a person, actions of agents on the page are refused
    /// (`human_in_control`).
    pub owner: ControlOwner,
    /// What the person is called; null where none drives.
    pub who: Option<String>,
    /// Since when, ISO 8601, UTC; null for the agent that has had it from the start.
    pub since: Option<String>,
    /// Whether they drive privately: nobody else sees the page or hears of it, and of it the record says what was
    /// so before.
    pub private: bool,
    /// What an agent has asked a person for, while that is open.
    pub request: Option<HumanRequest>,
    /// What those are called who ask for the wheel.
    pub asking: Vec<String>,
}

impl ControlStatus {
    /// Whether a person drives.
    pub fn is_humans(&self) -> bool {
        self.owner == ControlOwner::Human
    }
}

/// An agent asks for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HumanRequest {
    /// Names it.
    pub request_id: String,
    /// What for, in the agent's words.
    pub reason: String,
    /// Until when it waits, ISO 8601, UTC.
    pub expires_at: String,
    /// Whether whoever comes drives privately.
    pub private: bool,
}
