//! Where the page goes, which tab is shown, and what is waited for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parse::invalid;
use super::{ActionError, ActionErrorKind};
use crate::model::wait::{Wait, WaitParams};

/// Longest navigation timeout accepted, milliseconds.
pub const TIMEOUT_MS_MAX: u64 = 120_000;

/// Parameters of `navigate`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Navigate {
    /// Absolute URL; a bare host gets `https://`.
    pub url: String,
    /// Bound on the whole navigation, milliseconds.
    pub timeout_ms: Option<u64>,
    /// What the answer waits for.
    #[serde(default)]
    pub wait_until: WaitUntil,
}

/// What the answer to a navigation waits for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitUntil {
    /// The document is there, and more of it may come.
    Commit,
    /// All of the document is read.
    Domcontentloaded,
    /// What the document needs is there as well.
    Load,
    /// The page has loaded, is at rest, and does not send itself on.
    #[default]
    Settled,
}

/// Parameters of `new_tab`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTab {
    /// What it shows, as for `navigate`; an empty page without it.
    pub url: Option<String>,
}

/// Parameters of `switch_tab`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchTab {
    /// The tab, as the context names it.
    pub tab: u32,
}

/// Parameters of `close_tab`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseTab {
    /// The tab, as the context names it; without it, the current one.
    pub tab: Option<u32>,
}

impl Navigate {
    pub(super) fn checked(self) -> Result<Self, ActionError> {
        if self.url.trim().is_empty() {
            return Err(invalid("url", "it is empty"));
        }
        if self
            .timeout_ms
            .is_some_and(|ms| ms == 0 || ms > TIMEOUT_MS_MAX)
        {
            return Err(invalid(
                "timeout_ms",
                &format!("it must be from 1 to {TIMEOUT_MS_MAX}"),
            ));
        }
        Ok(self)
    }
}

impl NewTab {
    pub(super) fn checked(self) -> Result<Self, ActionError> {
        if self.url.as_deref().is_some_and(|url| url.trim().is_empty()) {
            return Err(invalid("url", "it is empty; leave it out for an empty tab"));
        }
        Ok(self)
    }
}

pub(super) fn wait(params: WaitParams) -> Result<Wait, ActionError> {
    Wait::checked(params).map_err(|(name, why)| match why {
        Some(why) => invalid(name, &why),
        None => ActionError::new(
            ActionErrorKind::MissingParameter,
            "A wait needs \"seconds\", or \"for\" with a selector, a text, a URL or idle. Send one \
             of them in params.",
        ),
    })
}
