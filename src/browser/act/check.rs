//! check: a checkbox, a radio button or a switch, pressed only where it is not yet as it is to be.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::error::Error;
use super::super::sight::{self, Known};
use super::aim::{self, in_words};
use super::{Done, Stage, browser_failed, click};
use crate::model::Outcome;
use crate::model::command::{ActionError, ActionErrorKind, Check};
use crate::model::outcome::{Change, Delivery, Retry, Struck};
use crate::model::words::capital;

/// A page that draws its switch anew has done so within this time.
const FOLLOWS_WITHIN: Duration = Duration::from_millis(500);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) async fn check(stage: Stage<'_>, params: &Check) -> Result<Done, ActionError> {
    let Check { index, checked } = *params;
    let wanted = Value::Bool(checked);
    let known = aim::known(stage, index).await?;
    let what = in_words(&known.print.role, &known.print.name);
    match held(&known).await {
        Err(Error::Replaced | Error::Detached) => {
            return Err(sight::stale(stage.page, &known, None).await);
        }
        Err(error) => return Err(browser_failed(error)),
        Ok(Value::Null) => return Err(nothing_to_check(stage, &known, &what).await),
        Ok(held) if held == wanted => {
            let done = Outcome {
                delivery: Delivery::NotSent,
                retry: Retry::Safe,
                ..Outcome::default()
            };
            let mut done = done.with("checked", checked).with("already", true);
            done.target = Some(Struck {
                index: Some(index),
                role: known.print.role.clone(),
                name: known.print.name.clone(),
                frame: aim::frame_of(&known.frame),
            });
            return Ok(done);
        }
        Ok(_) if !checked && known.print.role.contains("radio") => {
            return Err(ActionError::new(
                ActionErrorKind::InvalidParameter,
                format!(
                    "Element {index}, {what}, is a radio button: it is left by choosing another one. \
                     Check that one instead."
                ),
            ));
        }
        Ok(_) => (),
    }
    let done = click::once(stage, index).await?;
    seen(&known, done, checked).await
}

/// Looks, after the press, whether it is as it is to be.
async fn seen(known: &Known, mut done: Done, checked: bool) -> Result<Done, ActionError> {
    let wanted = Value::Bool(checked);
    let what = in_words(&known.print.role, &known.print.name);
    let until = Instant::now() + FOLLOWS_WITHIN;
    loop {
        match held(known).await {
            Ok(held) if held == wanted => return Ok(done.with("checked", checked)),
            Ok(held) if !held.is_null() && Instant::now() >= until => {
                done = done.with("checked", held);
                return Err(ActionError::new(
                    ActionErrorKind::ValueNotAccepted,
                    format!(
                        "{} was pressed, and is still {}. The page refuses it, or answers later: get \
                         the context to see.",
                        capital(&what),
                        if checked { "not checked" } else { "checked" }
                    ),
                )
                .outcome(done));
            }
            // It is gone with the press, or was drawn anew.
            Ok(Value::Null) | Err(_) if Instant::now() >= until => {
                done.effect.verified = None;
                done.changes.push(Change {
                    kind: "not_seen".to_owned(),
                    text: format!(
                        "{} is not there any more: whether it is checked is not known.",
                        capital(&what)
                    ),
                    index: None,
                });
                return Ok(done.with("checked", Value::Null));
            }
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Whether it is checked, `"mixed"` for partly; null for what cannot be, or is gone.
async fn held(known: &Known) -> Result<Value, Error> {
    known.frame.call("checkedOf", json!([known.node])).await
}

async fn nothing_to_check(stage: Stage<'_>, known: &Known, what: &str) -> ActionError {
    ActionError::new(
        ActionErrorKind::ElementNotEditable,
        format!(
            "Element {}, {what}, is no checkbox, radio button or switch. Click it, or pick one of the \
             candidates.",
            known.index
        ),
    )
    .context(json!({ "candidates": sight::candidates(stage.page, known).await }))
}
