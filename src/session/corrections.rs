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

    /// Whether there is something to correct.
    pub(super) fn check(&self, correction_of: Option<&str>) -> Result<(), ActionError> {
        match correction_of {
            Some(id) if !self.0.iter().any(|failed| failed == id) => {
                let shown: String = id.chars().take(64).collect();
                Err(ActionError::new(
                    ActionErrorKind::InvalidParameter,
                    format!(
                        "correction_of names no failed action of this session: \"{shown}\". Use the \
                         action_id of one of its last {FAILED_MAX} failures, or leave it out."
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_failures_can_be_corrected_and_nothing_else() {
        let mut failed = Failed::default();
        assert!(failed.check(None).is_ok());
        for number in 0..=FAILED_MAX {
            failed.note(&number.to_string());
        }
        assert!(failed.check(Some("1")).is_ok());
        assert!(failed.check(Some(&FAILED_MAX.to_string())).is_ok());
        let error = failed.check(Some("0")).unwrap_err();
        assert_eq!(error.kind, ActionErrorKind::InvalidParameter);
        assert!(error.message.contains("\"0\""), "{error}");
    }
}
