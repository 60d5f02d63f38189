//! From an index to an element that is used by focus and keys: the same thing as when it was listed,
//! and not disabled. What lies over it does not keep keys out.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::sight::{self, Known, Print};
use super::aim::{self, in_words};
use super::field::Prepared;
use super::{Stage, browser_failed};
use crate::model::Point;
use crate::model::command::{ActionError, ActionErrorKind};
use crate::model::outcome::Struck;

/// An element that can be used.
#[derive(Debug)]
pub(super) struct Reached {
    /// The element.
    pub(super) known: Known,
    /// As it is told.
    pub(super) struck: Struck,
    /// Its middle, in CSS px of the page.
    pub(super) at: Point,
}

/// What `reach` of our scripts answers.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Answer {
    Gone,
    /// It says something else than when it was listed.
    Other {
        now: Print,
    },
    Disabled {
        by: String,
    },
    Hidden,
    Reached {
        x: f64,
        y: f64,
        prepared: Option<Prepared>,
    },
}

/// Finds the element of an index, and scrolls to it.
pub(super) async fn reach(stage: Stage<'_>, index: u32) -> Result<Reached, ActionError> {
    let known = aim::known(stage, index).await?;
    let (reached, _) = get(stage, known, Value::Null).await?;
    Ok(reached)
}

/// As [`reach`], in one go with what comes next: what changes from then on is marked in its document,
/// and the field that it is, or holds, is made ready for keys, or not.
pub(super) async fn reach_field(
    stage: Stage<'_>,
    known: Known,
    clear: bool,
) -> Result<(Reached, Prepared), ActionError> {
    let (reached, prepared) = get(stage, known, json!({ "clear": clear })).await?;
    Ok((reached, prepared.unwrap_or(Prepared::Gone)))
}

async fn get(
    stage: Stage<'_>,
    known: Known,
    prepare: Value,
) -> Result<(Reached, Option<Prepared>), ActionError> {
    let index = known.index;
    let print = json!({
        "role": known.print.role, "name": known.print.name,
        "row": known.print.row, "href": known.print.href,
    });
    let answer = known
        .frame
        .call::<Answer>("reach", json!([known.node, print, prepare]));
    let answer = match answer.await {
        Ok(answer) => answer,
        Err(Error::Replaced | Error::Detached) => Answer::Gone,
        Err(error) => return Err(browser_failed(error)),
    };
    let what = in_words(&known.print.role, &known.print.name);
    let (kind, message) = match answer {
        Answer::Gone => return Err(sight::stale(stage.page, &known, None).await),
        Answer::Other { now } => return Err(sight::stale(stage.page, &known, Some(now)).await),
        Answer::Reached { x, y, prepared } => {
            let place = sight::placement(stage.page, &known.frame);
            let at = place
                .await
                .map_err(browser_failed)?
                .to_page(Point::new(x, y));
            let struck = Struck {
                index: Some(index),
                role: known.print.role.clone(),
                name: known.print.name.clone(),
                frame: aim::frame_of(&known.frame),
            };
            return Ok((Reached { known, struck, at }, prepared));
        }
        Answer::Disabled { by } => (
            ActionErrorKind::ElementDisabled,
            format!(
                "Element {index}, {what}, cannot be used now: {by}. Do first what enables it, or \
                 pick another one."
            ),
        ),
        Answer::Hidden => (
            ActionErrorKind::ElementNotVisible,
            format!(
                "Element {index}, {what}, is not visible at the moment. Open what it is in, or \
                 pick one of the candidates."
            ),
        ),
    };
    let candidates = sight::candidates(stage.page, &known).await;
    Err(ActionError::new(kind, message).context(json!({ "candidates": candidates })))
}
