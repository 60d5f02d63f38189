//! handle_dialog: answers the JavaScript dialog that is open; and what becomes of an action in whose
//! midst one opens.

use std::time::Duration;

use super::super::target::Opened;
use super::deliver::is_new;
use super::observe;
use super::{Stage, browser_failed};
use crate::model::Outcome;
use crate::model::command::{ActionError, ActionErrorKind, Command, HandleDialog};
use crate::model::outcome::{Delivery, HandledBy, Retry};

/// An action that a dialog has stopped has noticed it by then, where it can go on without the page.
const NOTICED_WITHIN: Duration = Duration::from_secs(1);

/// Carries out an action, unless the page stops in the midst of it and waits for an answer.
pub(super) async fn unless_stopped(
    stage: Stage<'_>,
    command: &Command,
    acting: impl Future<Output = Result<Outcome, ActionError>>,
) -> Result<Outcome, ActionError> {
    if !asks_the_page(command) {
        return acting.await;
    }
    tokio::select! {
        biased;
        done = acting => done,
        opened = stopped(stage) => Err(stopped_by(opened)),
    }
}

/// Whether it is carried out by the page's own answers, step by step.
pub(super) const fn asks_the_page(command: &Command) -> bool {
    matches!(
        command,
        Command::Click(_)
            | Command::Hover(_)
            | Command::Drag(_)
            | Command::Type(_)
            | Command::Press(_)
            | Command::Select(_)
            | Command::Upload(_)
            | Command::Scroll(_)
    )
}

/// Returns when a dialog has opened that nobody has answered for a while.
async fn stopped(stage: Stage<'_>) -> Opened {
    let before = stage.page.dialogs_count();
    let mut dialogs = stage.page.watch_dialog();
    loop {
        if dialogs
            .wait_for(|dialog| is_new(dialog, before))
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(NOTICED_WITHIN).await;
        let now = dialogs.borrow().clone();
        if is_new(&now, before)
            && let Some(opened) = now
        {
            return opened;
        }
    }
}

fn stopped_by(opened: Opened) -> ActionError {
    let mut error = ActionError::new(
        ActionErrorKind::DialogOpen,
        format!(
            "Before the action had ended, the page opened a dialog ({}) that says \"{}\", and does \
             nothing until it is answered. Answer it with handle_dialog, then get the context to see \
             what has come of the action.",
            opened.info.dialog_type, opened.info.message
        ),
    )
    .delivery(Delivery::Unknown)
    .retry(Retry::Unsafe);
    error.outcome.dialogs = vec![opened.info];
    error
}

pub(super) async fn handle(
    stage: Stage<'_>,
    params: &HandleDialog,
) -> Result<Outcome, ActionError> {
    let Some(opened) = stage.page.dialog() else {
        return Err(ActionError::new(
            ActionErrorKind::ConditionNotMet,
            "No dialog is open. Get the context to see what the page shows.",
        ));
    };
    if params.text.is_some() && opened.info.dialog_type != "prompt" {
        return Err(ActionError::new(
            ActionErrorKind::InvalidParameter,
            format!(
                "The dialog is of the type {} and takes no text. Leave \"text\" out.",
                opened.info.dialog_type
            ),
        ));
    }
    let before = observe::before(stage, None).await;
    let answered = stage.page.answer_dialog(
        &opened,
        params.accept,
        params.text.as_deref(),
        HandledBy::Agent,
    );
    answered.await.map_err(browser_failed)?;
    let mut done = observe::after(stage, before).await?;
    done.dialogs = stage.page.dialogs_since(opened.number.saturating_sub(1));
    Ok(done)
}
