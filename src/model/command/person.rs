//! `request_human`: an agent asks for a person.

use serde::Deserialize;

use super::error::ActionError;
use super::parse::invalid;

/// Longest reason, characters.
pub const REASON_CHARS_MAX: usize = 500;
/// How long a request waits where nobody says, seconds.
pub const WAIT_S: u64 = 3_600;
/// How long it waits at most, seconds.
pub const WAIT_S_MAX: u64 = 7 * 24 * 3_600;

/// Parameters of `request_human`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestHuman {
    /// What the person is to do, as it is said to them.
    pub reason: String,
    /// How long it waits for somebody, seconds.
    #[serde(default = "wait_s")]
    pub wait_s: u64,
    /// Whether whoever comes drives privately: nobody else sees the page meanwhile.
    #[serde(default)]
    pub private: bool,
}

const fn wait_s() -> u64 {
    WAIT_S
}

impl RequestHuman {
    pub(super) fn checked(self) -> Result<Self, ActionError> {
        let is_empty = self.reason.trim().is_empty();
        if is_empty || self.reason.chars().count() > REASON_CHARS_MAX {
            let why = format!("it has 1 to {REASON_CHARS_MAX} characters");
            return Err(invalid("reason", &why));
        }
        if !(1..=WAIT_S_MAX).contains(&self.wait_s) {
            let why = format!("it is from 1 to {WAIT_S_MAX}");
            return Err(invalid("wait_s", &why));
        }
        Ok(self)
    }
}
