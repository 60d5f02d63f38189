//! The model that is asked about pictures.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::Secret;

/// The model that is asked about pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vision {
    /// Base URL of an endpoint for chat completions as OpenAI's; empty for none.
    pub url: String,
    /// The model to ask for.
    pub model: String,
    /// The endpoint's key; empty for none.
    pub api_key: Secret,
    /// Bound on one answer, seconds.
    pub timeout_s: u64,
    /// Longest answer, tokens.
    pub max_tokens: u32,
}

impl Default for Vision {
    fn default() -> Self {
        Self {
            url: String::new(),
            model: String::new(),
            api_key: Secret::default(),
            timeout_s: 60,
            max_tokens: 512,
        }
    }
}

impl Vision {
    pub(super) fn check(&self) -> Result<(), Error> {
        let is_http = ["http://", "https://"]
            .iter()
            .any(|scheme| self.url.starts_with(scheme));
        if !self.url.is_empty() && (!is_http || self.model.is_empty()) {
            return Err(
                Error::invalid_input("the vision settings are incomplete").hint(
                    "vision.url begins with http:// or https://, and vision.model names a model.",
                ),
            );
        }
        if !(1..=600).contains(&self.timeout_s) || self.max_tokens == 0 {
            return Err(Error::invalid_input("the vision settings are out of range")
                .hint("vision.timeout_s is from 1 to 600, vision.max_tokens 1 or more."));
        }
        Ok(())
    }
}
