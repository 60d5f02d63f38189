//! Reading of a page that did not succeed.

use serde::Serialize;
use utoipa::ToSchema;

/// Why a part of the page could not be read. An empty part is one that was read and holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    /// The page is about to be another; read again when it is there.
    BetweenDocuments,
    /// The page's own scripts, or a defect of ours, kept it from being read.
    ScriptFailed,
    /// The page has more than can be read in time.
    TooLarge,
    /// A dialog of the page is open, and nothing of it is answered until then.
    DialogOpen,
}

impl Unreadable {
    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BetweenDocuments => "between_documents",
            Self::ScriptFailed => "script_failed",
            Self::TooLarge => "too_large",
            Self::DialogOpen => "dialog_open",
        }
    }

    /// In words, with what to do next.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::BetweenDocuments => {
                "The page is about to be another one. Wait a moment and read it again."
            }
            Self::ScriptFailed => {
                "The page could not be read, though it may show something. Look at a screenshot, or refresh \
                 the page and read it again."
            }
            Self::DialogOpen => {
                "A dialog of the page is open. Answer it with handle_dialog, then read again."
            }
            Self::TooLarge => {
                "The page has more than can be read at once. Look at a screenshot, or find a phrase in it."
            }
        }
    }
}
