//! press: keys and chords, to an element or to whatever has the focus.

use futures::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::hand::keys;
use super::super::sight;
use super::aim::in_words;
use super::clipboard;
use super::deliver::{Sent, deliver, ready};
use super::observe;
use super::reach::{Reached, reach};
use super::{Done, Stage, browser_failed};
use crate::media::cursor::Cue;
use crate::model::command::{ActionError, ActionErrorKind, Press};
use crate::model::outcome::{Delivery, Retry};

/// What `focusOn` answers.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Focus {
    Gone,
    Focused { is_password: bool },
    Unfocusable,
}

pub(super) async fn press(stage: Stage<'_>, params: &Press) -> Result<Done, ActionError> {
    let aimed = match params.index {
        Some(index) => Some(reach(stage, index).await?),
        None => None,
    };
    let before = observe::before(stage, aimed.as_ref().map(|aimed| &aimed.known)).await;
    let is_password = match &aimed {
        Some(aimed) => focus(stage, aimed).await?,
        None => is_password_focused(stage).await,
    };
    let _ = stage.is_password.set(is_password);
    if let Some(aimed) = &aimed {
        stage.show(Cue::Typing { at: aimed.at }).await;
    }
    ready(stage).await?;
    let total = params.keys.len() * params.count as usize;
    let mut pressed = 0_usize;
    let mut last = Sent::Answered;
    // One after the other, each when the page has handled the one before: it may move the focus.
    for chord in (0..params.count).flat_map(|_| &params.keys) {
        if clipboard::pastes(chord) {
            clipboard::hand_over(stage).await?;
        }
        last = deliver(stage, keys::send(stage.page, keys::chord(chord))).await?;
        pressed += 1;
        if last != Sent::Answered {
            break;
        }
    }
    if last == Sent::Unanswered {
        return Err(unknown(aimed.as_ref(), pressed, total));
    }
    let delivery = match pressed < total {
        true => Delivery::Partly,
        false => Delivery::Sent,
    };
    let observed = observe::observe(stage, &before, delivery).await;
    let mut done = observed.outcome.with("pressed", pressed);
    done.target = aimed.as_ref().map(|aimed| aimed.struck.clone());
    match observed.error {
        Some(error) => Err(error.outcome(done)),
        None => Ok(done),
    }
}

/// Gives an element the focus, and sees what the page makes of it.
pub(super) async fn focus_on(stage: Stage<'_>, index: u32) -> Result<Done, ActionError> {
    let aimed = reach(stage, index).await?;
    let before = observe::before(stage, Some(&aimed.known)).await;
    stage.show(Cue::MoveTo { at: aimed.at }).await;
    focus(stage, &aimed).await?;
    let observed = observe::observe(stage, &before, Delivery::Sent).await;
    observed.done_to(Some(aimed.struck))
}

/// Gives an element the focus; answers whether it is a password field.
async fn focus(stage: Stage<'_>, aimed: &Reached) -> Result<bool, ActionError> {
    let known = &aimed.known;
    let focus = known.frame.call::<Focus>("focusOn", json!([known.node]));
    match focus.await.map_err(browser_failed)? {
        Focus::Focused { is_password } => Ok(is_password),
        Focus::Gone => Err(sight::stale(stage.page, known, None).await),
        Focus::Unfocusable => {
            let what = in_words(&known.print.role, &known.print.name);
            Err(ActionError::new(
                ActionErrorKind::ElementNotEditable,
                format!(
                    "Element {}, {what}, cannot have the focus, so that keys would go elsewhere. \
                     Press without an index, or pick one of the candidates.",
                    known.index
                ),
            )
            .context(json!({ "candidates": sight::candidates(stage.page, known).await })))
        }
    }
}

/// Whether keys would go to a password field, in whatever frame. One that cannot be asked may be one.
async fn is_password_focused(stage: Stage<'_>) -> bool {
    let frames = stage.page.frames();
    let asking = frames
        .iter()
        .map(|frame| frame.call::<bool>("activeIsPassword", json!([])));
    let answers = join_all(asking).await;
    answers.into_iter().any(|answer| answer.unwrap_or(true))
}

fn unknown(aimed: Option<&Reached>, pressed: usize, total: usize) -> ActionError {
    let mut error = ActionError::new(
        ActionErrorKind::OutcomeUnknown,
        format!(
            "{pressed} of {total} chords were pressed, and the page has not answered since. Do not \
             press them again: get the context to see what came of it."
        ),
    )
    .delivery(Delivery::Unknown)
    .retry(Retry::Unsafe);
    error.outcome.target = aimed.map(|aimed| aimed.struck.clone());
    error
        .outcome
        .data
        .insert("pressed".to_owned(), Value::from(pressed));
    error
}
