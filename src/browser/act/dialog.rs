//! handle_dialog: answers the JavaScript dialog that is open.

use super::observe;
use super::{Stage, browser_failed};
use crate::model::Outcome;
use crate::model::command::{ActionError, ActionErrorKind, HandleDialog};

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
    let answered = stage
        .page
        .answer_dialog(&opened, params.accept, params.text.as_deref());
    answered.await.map_err(browser_failed)?;
    observe::after(stage, before).await
}
