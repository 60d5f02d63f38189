//! Why a page could not be read.

use serde::{Deserialize, Serialize};

use super::super::error::Error;
use crate::error::Chain;

/// Why a page could not be read. It is never told as a page that shows nothing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    /// It is going to another document.
    #[error("the page is just going to another document; read it again in a moment")]
    BetweenDocuments,
    /// Our script in it failed.
    #[error("the page could not be read; take a screenshot, or load the page again")]
    ScriptFailed,
    /// It did not answer in time.
    #[error(
        "the page is too large or too busy to be read in time; try again, or take a screenshot"
    )]
    TooLarge,
    /// What was to be read on is no longer kept, or never was.
    #[error("there is nothing to read on at this cursor; read from the beginning")]
    NotKept,
}

impl From<Error> for Unreadable {
    fn from(error: Error) -> Self {
        match error {
            Error::Replaced | Error::Detached => Self::BetweenDocuments,
            Error::Timeout { .. } => Self::TooLarge,
            error => {
                tracing::info!(error = %Chain(&error), "a page could not be read");
                Self::ScriptFailed
            }
        }
    }
}
