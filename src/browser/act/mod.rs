//! Carries out a [`Command`] on a page: the ghost cursor first, then Chromium's input, then the
//! wait until the page has come to rest.

mod navigate;
mod pointer;
mod settle;
mod tabs;
mod wait;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::error::Error;
use super::gate::Gate;
use super::target::Page;
use super::tabs::Tabs;
use crate::error::Chain;
use crate::media::cursor::Cue;
use crate::model::Secrets;
use crate::model::command::{ActionError, ActionErrorKind, Command};

pub use settle::Settled;

/// Shows what is done to whoever watches.
pub trait Cues: Send + Sync {
    /// Shows a cue. Returns until when the action shall wait for the cursor, if it shall.
    fn cue(&self, cue: Cue) -> Option<Instant>;
}

/// What an action works with.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    /// The session's tabs.
    pub tabs: &'a Tabs,
    /// The page that was the current one when the action began.
    pub page: &'a Page,
    /// The session's way out, which knows why a load failed.
    pub gate: &'a Gate,
    /// The ghost cursor.
    pub cues: &'a dyn Cues,
    /// Bound on a navigation that names none.
    pub navigate_timeout: Duration,
    /// Bound on coming to rest after anything else.
    pub settle_max: Duration,
    /// What placeholders in a text to type stand for.
    pub secrets: &'a Secrets,
    /// Set once it is known whether what is typed is a password.
    pub is_password: &'a OnceLock<bool>,
}

impl std::fmt::Debug for Stage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage")
            .field("page", &self.page)
            .finish_non_exhaustive()
    }
}

/// What an action found out, for [`crate::model::ActionResult`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Done {
    /// More facts.
    pub data: Map<String, Value>,
    /// Whether and how the page came to rest.
    pub settled: Option<Settled>,
}

impl Done {
    fn settled(settled: Settled) -> Self {
        let mut data = Map::new();
        data.insert("settled".to_owned(), json!(settled.settled));
        data.insert(
            "settle_ms".to_owned(),
            json!(settled.took.as_millis() as u64),
        );
        data.insert("navigated".to_owned(), json!(settled.navigated));
        Self {
            data,
            settled: Some(settled),
        }
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }
}

/// Carries out one action.
pub async fn execute(stage: Stage<'_>, command: &Command) -> Result<Done, ActionError> {
    let acting = act(stage, command);
    match tabs::is_of_page(command) {
        true => tabs::on_page(stage, command, acting).await,
        false => acting.await,
    }
}

async fn act(stage: Stage<'_>, command: &Command) -> Result<Done, ActionError> {
    match command {
        Command::Navigate(params) => navigate::to(stage, params).await,
        Command::GoBack => navigate::history(stage, -1).await,
        Command::GoForward => navigate::history(stage, 1).await,
        Command::Refresh => navigate::refresh(stage).await,
        Command::Click(params) => pointer::click(stage, params).await,
        Command::Type(params) => pointer::type_text(stage, params).await,
        Command::Scroll(params) => pointer::scroll(stage, params).await,
        Command::Wait(params) => wait::wait(stage, params).await,
        Command::NewTab(params) => tabs::open(stage, params.url.as_deref()).await,
        Command::SwitchTab(params) => tabs::switch(stage, params.tab).await,
        Command::CloseTab(params) => tabs::close(stage, params.tab).await,
    }
}

impl Stage<'_> {
    /// Shows a cue, and lets the cursor arrive when somebody watches it; answers whether it did.
    async fn show(&self, cue: Cue) -> bool {
        let arrival = self.cues.cue(cue);
        if let Some(arrival) = arrival {
            tokio::time::sleep_until(arrival.into()).await;
        }
        arrival.is_some()
    }

    /// Shows a cue and goes on at once.
    fn hint(&self, cue: Cue) {
        self.cues.cue(cue);
    }
}

/// What a failure of the browser means for the action.
fn browser_failed(error: Error) -> ActionError {
    tracing::info!(error = %Chain(&error), "an action failed in the browser");
    match error {
        Error::Timeout { .. } => ActionError::new(
            ActionErrorKind::Timeout,
            "The page did not answer in time. Wait a moment and try again, or navigate elsewhere.",
        ),
        Error::Gone
        | Error::NoExecutable
        | Error::NotExecutable { .. }
        | Error::Ended { .. }
        | Error::Mute { .. }
        | Error::Launch { .. } => browser_lost(),
        Error::Command { operation, .. } => ActionError::new(
            ActionErrorKind::Internal,
            format!("The browser refused to {operation}. Get the page's context and try again."),
        ),
    }
}

/// The browser is gone.
pub fn browser_lost() -> ActionError {
    ActionError::new(
        ActionErrorKind::BrowserLost,
        "The browser is gone. Start a new session on this room and try again.",
    )
}

/// Whoever asked for the action no longer wants it.
pub fn cancelled() -> ActionError {
    ActionError::new(
        ActionErrorKind::Cancelled,
        "The action was cancelled. What it had done until then stays done.",
    )
}
