//! hover: the pointer over an element or a point, without a press.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::hand::pointer;
use super::super::sight;
use super::super::target::Frame;
use super::aim::{self, Aim, For, aim};
use super::click::{inside, send};
use super::observe::{self, Observed, On};
use super::{Done, Stage};
use crate::media::cursor::Cue;
use crate::model::Point;
use crate::model::command::{ActionError, Target};
use crate::model::outcome::{Change, Delivery, EffectKind, Retry};

/// How long a page may take to note or tell what is in sight.
const TOLD_WITHIN: Duration = Duration::from_millis(300);

pub(super) async fn hover(stage: Stage<'_>, target: &Target) -> Result<Done, ActionError> {
    match *target {
        Target::Index(index) => over_element(stage, index).await,
        Target::Point(point) => over_point(stage, inside(stage, point)?).await,
    }
}

async fn over_element(stage: Stage<'_>, index: u32) -> Result<Done, ActionError> {
    let mut aimed = aim(stage, index, For::Hover).await?;
    if stage.show(Cue::MoveTo { at: aimed.at }).await {
        aimed = aim(stage, index, For::Hover).await?;
    }
    let frame = aimed.known.frame.clone();
    note_shown(&frame).await;
    let mut observed = point_at(stage, &aimed).await?;
    if !was_over(&observed, &aimed).await {
        // It moved away under the pointer: followed once.
        aimed = aim(stage, index, For::Hover).await?;
        observed = point_at(stage, &aimed).await?;
        if !was_over(&observed, &aimed).await {
            let missed = aim::covered(stage, &aimed.known, &aimed.known.frame, None).await;
            return Err(missed.delivery(Delivery::Sent).retry(Retry::Safe));
        }
    }
    let can_be_asked = observed.can_be_asked();
    let mut done = observed.done_to(Some(aimed.struck.clone()))?;
    if can_be_asked {
        tell_shown(stage, &frame, &mut done).await;
    }
    let element = json!({ "role": aimed.struck.role, "name": aimed.struck.name });
    let done = done.with("x", aimed.at.x).with("y", aimed.at.y);
    Ok(done.with("element", element))
}

async fn point_at(stage: Stage<'_>, aimed: &Aim) -> Result<Observed, ActionError> {
    let before = observe::before_in(stage, &aimed.known.frame, &aimed.guarded).await;
    let moving = pointer::hover(stage.page, aimed.at);
    send(stage, before, moving, Some(&aimed.struck)).await
}

/// Whether the pointer was on the element, even if something has opened over it since.
async fn was_over(observed: &Observed, aimed: &Aim) -> bool {
    let was_over = observed.pressed.iter().any(|(_, pressed)| pressed.is_over);
    was_over || observed.is_elsewhere() || aimed.is_hit().await
}

async fn over_point(stage: Stage<'_>, at: Point) -> Result<Done, ActionError> {
    stage.show(Cue::MoveTo { at }).await;
    let frame = sight::under(stage.page, at).await.map(|(frame, _)| frame);
    if let Some(frame) = &frame {
        note_shown(frame).await;
    }
    let before = observe::before(stage, None).await;
    let before = before.watching(frame.as_ref()).await;
    let observed = send(stage, before, pointer::hover(stage.page, at), None).await?;
    let frame = frame.filter(|_| observed.can_be_asked());
    let mut done = observed.outcome;
    if let Some(frame) = frame {
        tell_shown(stage, &frame, &mut done).await;
    }
    done.target = sight::under(stage.page, at).await.map(|(_, there)| there);
    match observed.error {
        Some(error) => Err(error.outcome(done)),
        None => Ok(done.with("x", at.x).with("y", at.y)),
    }
}

/// What comes into sight from now on can be told.
async fn note_shown(frame: &Frame) {
    // A document that cannot note it tells nothing of it later.
    let _ = timeout(TOLD_WITHIN, frame.call::<Value>("noteShown", json!([]))).await;
}

/// Menus and hints that are shown by style alone change nothing of the document, and are what one
/// hovers for.
async fn tell_shown(stage: Stage<'_>, frame: &Frame, done: &mut Done) {
    let shown = frame.call::<Vec<On>>("newlyShown", json!([]));
    // A page that is too busy by now tells nothing.
    let shown = timeout(TOLD_WITHIN, shown).await;
    let shown = shown.ok().and_then(Result::ok).unwrap_or_default();
    if !shown.is_empty() {
        observe::raise(done, EffectKind::Page, Value::Null, Value::Null);
    }
    done.changes.extend(shown.into_iter().map(|on| {
        let what = aim::in_words(&on.role, &on.name);
        Change {
            kind: "shown".to_owned(),
            text: format!("In sight now: {what}."),
            index: aim::index_of(stage.page, frame, on.node),
        }
    }));
}
