//! clipboard_write and clipboard_read, and the session's text for a paste by keys.
//!
//! Chromium has one clipboard for all sessions of a process, so each session has its own here: our
//! scripts tell what its pages copy, and let only what it holds be pasted.

use futures::future::join_all;
use serde_json::{Value, json};

use super::super::error::Error;
use super::{Done, Stage, browser_failed};
use crate::model::command::{ActionError, ClipboardWrite};
use crate::model::keys::Chord;
use crate::model::outcome::{Delivery, Retry};

pub(super) async fn write(stage: Stage<'_>, params: &ClipboardWrite) -> Result<Done, ActionError> {
    stage.page.clipboard().set(params.text.clone());
    tell(stage, "holdClipboard", &params.text).await?;
    let mut done = Done::sent();
    done.retry = Retry::Safe;
    Ok(done.with("characters", params.text.chars().count()))
}

pub(super) fn read(stage: Stage<'_>) -> Done {
    let text = stage.page.clipboard().text();
    let done = Done {
        delivery: Delivery::Sent,
        retry: Retry::Safe,
        ..Done::default()
    };
    done.with("text", text.map_or(Value::Null, Value::from))
}

/// Whether a chord pastes.
pub(super) fn pastes(chord: &Chord) -> bool {
    let held = chord.modifiers;
    let is_command = (held.control || held.meta) && !held.alt;
    (is_command && chord.key.eq_ignore_ascii_case("v"))
        || (chord.key == "Insert" && held.shift && !held.control)
}

/// Puts what the session holds where a paste by keys finds it.
pub(super) async fn hand_over(stage: Stage<'_>) -> Result<(), ActionError> {
    match stage.page.clipboard().text() {
        Some(text) => tell(stage, "offerClipboard", &text).await,
        None => tell(stage, "holdClipboard", "").await,
    }
}

async fn tell(stage: Stage<'_>, function: &str, text: &str) -> Result<(), ActionError> {
    let frames = stage.page.frames();
    let telling = frames
        .iter()
        .map(|frame| frame.call::<bool>(function, json!([text])));
    for told in join_all(telling).await {
        match told {
            // A document that is gone pastes nothing.
            Ok(_) | Err(Error::Replaced | Error::Detached | Error::Script { .. }) => (),
            Err(error) => return Err(browser_failed(error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_that_paste_are_known() {
        for (text, is_paste) in [
            ("Control+V", true),
            ("Control+Shift+V", true),
            ("Meta+V", true),
            ("Shift+Insert", true),
            ("v", false),
            ("Control+C", false),
            ("Control+Insert", false),
        ] {
            assert_eq!(pastes(&Chord::parse(text).unwrap()), is_paste, "{text}");
        }
    }
}
