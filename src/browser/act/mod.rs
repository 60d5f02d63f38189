//! Carries out a [`Command`] on a page: aim, do, observe. Each action ends in an [`Outcome`] that says
//! what reached the page and what was seen of it.

mod aim;
mod before;
mod check;
mod click;
mod clipboard;
mod deliver;
mod dialog;
mod drag;
mod field;
mod form;
mod history;
mod hover;
mod listbox;
mod navigate;
mod observe;
mod offered;
mod press;
mod reach;
mod scroll;
mod select;
mod settle;
mod sketch;
mod standing;
mod tabs;
mod upload;
mod value;
mod wait;

pub use self::navigate::why;

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use serde_json::json;
use tokio::time::{interval, timeout_at};

use super::error::Error;
use super::gate::Gate;
use super::sight;
use super::tabs::Tabs;
use super::target::Page;
use crate::error::Chain;
use crate::media::cursor::{Cue, Worn};
use crate::model::allowlist::Denial;
use crate::model::command::{ActionError, ActionErrorKind, Command};
use crate::model::outcome::{BlockedRequest, Delivery, Outcome, Retry};
use crate::model::{Secrets, Sketch, wait::Wait};

/// What a page asks the cursor to look like is told within this time.
const TOLD_WITHIN: Duration = Duration::from_millis(10);

/// A page hurries for twice as long.
const HURRY_EVERY: Duration = Duration::from_millis(250);

/// Hosts that a result names of those that the fence has stopped.
const BLOCKED_MAX: usize = 16;

/// What an action that did what was asked has found out. A failure carries its own in the error.
pub type Done = Outcome;

/// Shows what is done to whoever watches.
pub trait Cues: Send + Sync {
    /// Shows a cue. Returns until when the action shall wait for the cursor, if it shall.
    fn cue(&self, cue: Cue) -> Option<Instant>;

    /// Has the cursor look as the page asks for, from then on.
    fn wear(&self, from: Instant, worn: Worn);

    /// Whether somebody watches.
    fn is_watched(&self) -> bool;

    /// Shows for a moment what a browser shows in a window of its own. Nothing waits for it.
    fn sketch(&self, sketch: BoxFuture<'static, Option<Sketch>>);
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
    /// Where files lie that may be uploaded by path; empty for nowhere.
    pub uploads_dir: &'a Path,
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

/// Carries out one action.
pub async fn execute(stage: Stage<'_>, command: &Command) -> Result<Done, ActionError> {
    refuse_while_dialog_open(stage, command)?;
    let denials = stage.gate.denials();
    let acting = drawn(stage.page, command, act(stage, command));
    let acting = Box::pin(dialog::unless_stopped(stage, command, acting));
    let done = match tabs::is_of_page(command) {
        true => tabs::on_page(stage, command, acting).await,
        false => acting.await,
    };
    let tab = tabs::is_of_page(command).then(|| stage.page.tab());
    let tell = |mut outcome: Outcome, is_acted: bool| {
        outcome.tab = outcome.tab.or(tab.filter(|_| is_acted));
        told(fenced(stage, outcome, denials))
    };
    match done {
        Ok(done) => Ok(tell(done, true)),
        Err(mut error) => {
            let outcome = std::mem::take(&mut *error.outcome);
            let is_acted = outcome.delivery != Delivery::NotSent;
            *error.outcome = tell(outcome, is_acted);
            Err(error)
        }
    }
}

/// Has the page drawn at full rate for as long as something is done to it: what it does in turn, it does frame by
/// frame. What only waits does not make it hurry.
async fn drawn<T>(page: &Page, command: &Command, acting: impl Future<Output = T>) -> T {
    if matches!(command, Command::Wait(_)) {
        page.hurry();
        return acting.await;
    }
    let mut again = interval(HURRY_EVERY);
    let mut acting = std::pin::pin!(acting);
    loop {
        tokio::select! {
            biased;
            _ = again.tick() => page.hurry(),
            done = &mut acting => return done,
        }
    }
}

async fn act(stage: Stage<'_>, command: &Command) -> Result<Done, ActionError> {
    if dialog::asks_the_page(command) {
        deliver::ready(stage).await?;
    }
    match command {
        Command::Navigate(params) => navigate::to(stage, params).await,
        Command::GoBack => history::go(stage, -1).await,
        Command::GoForward => history::go(stage, 1).await,
        Command::Refresh => navigate::refresh(stage).await,
        Command::Click(params) => click::click(stage, params).await,
        Command::Hover(target) => hover::hover(stage, target).await,
        Command::Drag(params) => drag::drag(stage, params).await,
        Command::Type(params) => form::type_text(stage, params).await,
        Command::Press(params) => press::press(stage, params).await,
        Command::Select(params) => select::select(stage, params).await,
        Command::Check(params) => check::check(stage, params).await,
        Command::Focus(params) => press::focus_on(stage, params.index).await,
        Command::Upload(params) => upload::upload(stage, params).await,
        Command::ClipboardWrite(params) => clipboard::write(stage, params).await,
        Command::ClipboardRead => Ok(clipboard::read(stage)),
        Command::Scroll(params) => scroll::scroll(stage, params).await,
        Command::Wait(params) => wait::wait(stage, params).await,
        Command::HandleDialog(params) => dialog::handle(stage, params).await,
        Command::NewTab(params) => tabs::open(stage, params.url.as_deref()).await,
        Command::SwitchTab(params) => tabs::switch(stage, params.tab).await,
        Command::CloseTab(params) => tabs::close(stage, params.tab).await,
        // The session itself does these: nothing of them is done on a page.
        Command::RequestHuman(_) | Command::WithdrawRequest => Err(ActionError::new(
            ActionErrorKind::Unsupported,
            "No page can ask for a person.",
        )),
    }
}

/// A dialog stops its page: nothing but its answer gets through.
fn refuse_while_dialog_open(stage: Stage<'_>, command: &Command) -> Result<(), ActionError> {
    let gets_through = !tabs::is_of_page(command)
        || matches!(
            command,
            Command::HandleDialog(_) | Command::Wait(Wait::Seconds(_))
        );
    let opened = stage.page.dialog();
    let Some(opened) = opened.filter(|opened| !gets_through && opened.is_open()) else {
        return Ok(());
    };
    Err(ActionError::new(
        ActionErrorKind::DialogOpen,
        format!(
            "The page has a dialog open ({}) that says \"{}\", and does nothing until it is \
             answered. Answer it with handle_dialog first.",
            opened.info.dialog_type, opened.info.message
        ),
    )
    .delivery(Delivery::NotSent)
    .retry(Retry::Safe)
    .context(json!({ "dialog": opened.info })))
}

/// An outcome with the requests that the fence has stopped since there had been so many, each host
/// once.
fn fenced(stage: Stage<'_>, mut outcome: Outcome, denials: u64) -> Outcome {
    for denied in stage.gate.denied_since(denials) {
        let host = format!("{}:{}", denied.host, denied.port);
        let known = &outcome.blocked_requests;
        if known.len() < BLOCKED_MAX && !known.iter().any(|blocked| blocked.host == host) {
            let reason = Denial::new(denied.reason, &host).to_string();
            outcome
                .blocked_requests
                .push(BlockedRequest { host, reason });
        }
    }
    outcome
}

/// An outcome with the facts that every action tells.
fn told(outcome: Outcome) -> Outcome {
    let kind = outcome.effect.kind.as_str();
    let open = outcome
        .dialogs
        .iter()
        .rfind(|dialog| dialog.handled_by.is_none());
    let dialog = open.or(outcome.dialogs.last()).map(|dialog| json!(dialog));
    let download = outcome.downloads.last().map(|download| json!(download));
    let mut outcome = outcome.with("effect", kind);
    for (key, fact) in [("dialog", dialog), ("download", download)] {
        if let Some(fact) = fact {
            outcome = outcome.with(key, fact);
        }
    }
    outcome
}

impl Stage<'_> {
    /// Shows a cue, and lets the cursor arrive when somebody watches it; answers whether it did.
    async fn show(&self, cue: Cue) -> bool {
        let Some(arrival) = self.cues.cue(cue) else {
            return false;
        };
        if let Some(at) = cue.at() {
            // It is told while the cursor is on its way, and hardly waited for.
            let by = arrival.max(Instant::now() + TOLD_WITHIN);
            let asking = sight::cursor_at(self.page, at);
            if let Ok(Some(worn)) = timeout_at(by.into(), asking).await {
                self.cues.wear(arrival, worn);
            }
        }
        tokio::time::sleep_until(arrival.into()).await;
        true
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
            ActionErrorKind::PageUnresponsive,
            "The page does not answer: its scripts are busy. Wait a moment and try again, or \
             navigate elsewhere.",
        ),
        Error::Gone
        | Error::Far { .. }
        | Error::NoExecutable
        | Error::NoWindows { .. }
        | Error::NotExecutable { .. }
        | Error::Ended { .. }
        | Error::Mute { .. }
        | Error::Launch { .. } => browser_lost(),
        Error::Replaced | Error::Detached => ActionError::new(
            ActionErrorKind::PageChanged,
            "The page went to another document meanwhile. Get the context to see what is there \
             now, and try again.",
        ),
        Error::Script { .. } => ActionError::new(
            ActionErrorKind::Internal,
            "The page could not be examined. Get the page's context and try again.",
        ),
        Error::PictureSize { .. } | Error::OutsidePage { .. } => {
            ActionError::new(ActionErrorKind::Unsupported, error.outside_words().message)
        }
        Error::WindowMissing { .. } => ActionError::new(
            ActionErrorKind::Internal,
            "The window of the new tab has not come. Try again.",
        ),
        Error::Command { operation, .. } => ActionError::new(
            ActionErrorKind::Internal,
            format!("The browser refused to {operation}. Get the page's context and try again."),
        ),
    }
}

/// What a caller does whose browser is gone for good.
pub const START_ANEW_AND_TRY: &str = "Start a new session on this room and try again.";

/// The browser is gone.
pub fn browser_lost() -> ActionError {
    ActionError::new(
        ActionErrorKind::BrowserLost,
        format!("The browser is gone. {START_ANEW_AND_TRY}"),
    )
}

/// The page's renderer is gone.
pub fn renderer_crashed() -> ActionError {
    ActionError::new(
        ActionErrorKind::RendererCrashed,
        format!("The page's renderer crashed. {START_ANEW_AND_TRY}"),
    )
}

/// Whoever asked for the action no longer wants it.
pub fn cancelled() -> ActionError {
    ActionError::new(
        ActionErrorKind::Cancelled,
        "The action was cancelled. What it had done until then stays done.",
    )
}
