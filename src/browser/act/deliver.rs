//! Sending input, until the page has answered it or cannot.

use super::super::error::Error;
use super::super::target::Opened;
use super::{Stage, browser_failed, browser_lost};
use crate::model::command::ActionError;
use crate::model::outcome::{Delivery, Retry};

/// How sent input was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// The page has handled it.
    Answered,
    /// It opened a dialog, which stops the page until it is handled.
    Dialog,
    /// The page has not answered in time: it may have acted on it.
    Unanswered,
}

/// Before the first input of an action: what a page that hangs is sent, it acts on when nobody expects
/// it any more.
pub(super) async fn ready(stage: Stage<'_>) -> Result<(), ActionError> {
    match stage.page.frames().first() {
        Some(main) => main.answers().await.map_err(browser_failed),
        None => Ok(()),
    }
}

/// Sends input and waits for the page's answer, or for a dialog that keeps the page from answering.
pub(super) async fn deliver(
    stage: Stage<'_>,
    input: impl Future<Output = Result<(), Error>>,
) -> Result<Sent, ActionError> {
    let before = stage.page.loading();
    let mut dialogs = stage.page.watch_dialog();
    let answer = tokio::select! {
        biased;
        answer = input => answer,
        Ok(_) = dialogs.wait_for(is_open) => return Ok(Sent::Dialog),
        // What the input was for, it may be.
        () = stage.page.closed() => return Ok(Sent::Answered),
    };
    match answer {
        Ok(()) => Ok(Sent::Answered),
        Err(Error::Timeout { .. }) => {
            if let Some(main) = stage.page.frames().first() {
                main.suspect();
            }
            Ok(Sent::Unanswered)
        }
        Err(Error::Gone) => {
            let lost = browser_lost().delivery(Delivery::Unknown);
            Err(lost.retry(Retry::Unsafe))
        }
        Err(error) => {
            // A document that goes takes the answers to its input along.
            let now = stage.page.loading();
            match now.went_since(&before) || stage.page.is_going().await {
                true => Ok(Sent::Answered),
                false => {
                    let failed = browser_failed(error).delivery(Delivery::Unknown);
                    Err(failed.retry(Retry::Unsafe))
                }
            }
        }
    }
}

/// Whether a dialog waits for somebody to answer it.
pub(super) fn is_open(dialog: &Option<Opened>) -> bool {
    dialog.as_ref().is_some_and(Opened::is_open)
}

/// Whether a dialog waits for an answer that was not there when there had been so many.
pub(super) fn is_new(dialog: &Option<Opened>, before: u64) -> bool {
    dialog
        .as_ref()
        .is_some_and(|opened| opened.is_open() && opened.number > before)
}
