//! What is typed.

use serde::Deserialize;

use super::ActionError;
use super::parse::invalid;

/// Longest text a single `type` accepts, characters.
pub const TEXT_CHARS_MAX: usize = 100_000;

/// Parameters of `type`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Type {
    /// What to type.
    pub text: String,
    /// The element to focus first; without it, whatever has the focus.
    pub index: Option<u32>,
    /// Empty the field first.
    #[serde(default)]
    pub clear: bool,
    /// Press Enter afterwards.
    #[serde(default)]
    pub submit: bool,
}

impl Type {
    pub(super) fn checked(self) -> Result<Self, ActionError> {
        if self.text.chars().count() > TEXT_CHARS_MAX {
            return Err(invalid(
                "text",
                &format!("it has more than {TEXT_CHARS_MAX} characters"),
            ));
        }
        Ok(self)
    }
}
