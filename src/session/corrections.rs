//! Which failed actions a correction may name.

use std::collections::VecDeque;

use crate::model::command::{ActionError, ActionErrorKind};

/// Failed actions remembered; a corrector answers the newest ones.
const FAILED_MAX: usize = 64;

/// The ids of the session's latest failed actions.
#[derive(Debug, Default)]
pub(super) struct Failed(VecDeque<String>);

impl Failed {
    /// Remembers a failed action in the place of the oldest.
    pub(super) fn note(&mut self, id: &str) {
        if self.0.len() >= FAILED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(id.to_owned());
    }

    /// Whether this failure is known; none named is as good.
    pub(super) fn holds(&self, correction_of: Option<&str>) -> bool {
        correction_of.is_none_or(|id| self.0.iter().any(|failed| failed == id))
    }
}

/// What is said of a correction that names no failure.
pub(super) fn unknown(correction_of: &str) -> ActionError {
    let shown: String = correction_of.chars().take(64).collect();
    ActionError::new(
        ActionErrorKind::InvalidParameter,
        format!(
            "correction_of names no failed action of this session: \"{shown}\". Use the action_id of \
             one of its last {FAILED_MAX} failures, or leave it out."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_failures_can_be_corrected_and_nothing_else() {
        let mut failed = Failed::default();
        assert!(failed.holds(None));
        for number in 0..=FAILED_MAX {
            failed.note(&number.to_string());
        }
        assert!(failed.holds(Some("1")));
        assert!(failed.holds(Some(&FAILED_MAX.to_string())));
        assert!(!failed.holds(Some("0")));
        let error = unknown("0");
        assert_eq!(error.kind, ActionErrorKind::InvalidParameter);
        assert!(error.message.contains("\"0\""), "{error}");
    }
}
