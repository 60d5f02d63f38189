//! Which service a verb asks, and how it prints the answer.

use std::process::ExitCode;

use serde_json::Value;

use super::Settings;
use super::client::Client;
use super::daemon::{Place, say};
use crate::error::Error;

/// Which service is asked, and how its answer is printed.
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    #[command(flatten)]
    settings: Settings,
    /// The service's URL; without it, that of the service that runs on the state directory.
    #[arg(long, value_name = "URL")]
    service: Option<String>,
    /// Print the service's answer as it came, as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

impl Asked {
    pub(super) fn client(&self) -> Result<Client, Error> {
        Place::of(&self.settings)?.client(self.service.as_deref())
    }

    /// Prints an answer as it came, or else in words.
    pub(super) fn tell(
        &self,
        answer: &Value,
        words: impl FnOnce() -> String,
    ) -> Result<ExitCode, Error> {
        match self.json {
            true => say(format!("{answer:#}"))?,
            false => say(words())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
