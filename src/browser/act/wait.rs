//! wait: for time to pass, or until something is so.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, sleep_until};

use super::super::error::Error;
use super::super::sight;
use super::super::target::loading::Loading;
use super::{Done, Stage, browser_failed};
use crate::model::command::{ActionError, ActionErrorKind};
use crate::model::wait::{Awaited, Wait, is_like};

/// Between two looks: a person does not notice it, and a look costs the page a millisecond or two.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A page is at rest when nothing loaded or changed for so long.
const IDLE_MS: u64 = 500;
/// The page answers within this time.
const ANSWER_WITHIN: Duration = Duration::from_millis(100);
/// Requests that do not move for so long are no reason to wait: long polls, and answers that the
/// page never reads, which Chromium never calls finished.
const STUCK_AFTER: Duration = Duration::from_secs(2);

pub(super) async fn wait(stage: Stage<'_>, params: &Wait) -> Result<Done, ActionError> {
    match params {
        Wait::Seconds(seconds) => {
            sleep(Duration::from_secs_f64(*seconds)).await;
            Ok(Done::default())
        }
        Wait::For { what, timeout_ms } => {
            until(stage, what, Duration::from_millis(*timeout_ms)).await
        }
    }
}

async fn until(stage: Stage<'_>, what: &Awaited, bound: Duration) -> Result<Done, ActionError> {
    let started = Instant::now();
    let deadline = started + bound;
    let mut seen = Value::Null;
    let mut network = (stage.page.loading(), started);
    loop {
        let loading = stage.page.loading();
        if loading != network.0 {
            network = (loading, Instant::now());
        }
        let is_stuck = network.1.elapsed() >= STUCK_AFTER;
        let look = tokio::select! {
            biased;
            look = look(stage, what, deadline, is_stuck) => look?,
            // A page that does not answer is no reason to wait longer.
            () = sleep_until(deadline.into()) => return Err(not_met(what, bound, &seen)),
        };
        match look {
            Look::There(found) => {
                let waited_ms = started.elapsed().as_millis() as u64;
                return Ok(Done::default()
                    .with("waited_ms", waited_ms)
                    .with("found", found));
            }
            Look::Instead(instead) => seen = instead,
        }
        if Instant::now() + LOOK_EVERY >= deadline {
            sleep_until(deadline.into()).await;
            return Err(not_met(what, bound, &seen));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// What one look brings.
enum Look {
    There(Value),
    /// What is there instead.
    Instead(Value),
}

#[derive(Debug, Deserialize)]
struct Quiet {
    settled: bool,
}

async fn look(
    stage: Stage<'_>,
    what: &Awaited,
    deadline: Instant,
    is_stuck: bool,
) -> Result<Look, ActionError> {
    match what {
        Awaited::Url(pattern) => {
            let url = stage.page.loading().url;
            Ok(match is_like(pattern, &url) {
                true => Look::There(json!({ "url": url })),
                false => Look::Instead(json!({ "url": url })),
            })
        }
        Awaited::Selector(_) | Awaited::Text(_) => find(stage, what).await,
        Awaited::Idle(_) => idle(stage, deadline, is_stuck).await,
    }
}

/// Looks in all frames: a person sees no border between them.
async fn find(stage: Stage<'_>, what: &Awaited) -> Result<Look, ActionError> {
    match sight::awaited(stage.page, &what.to_json()).await {
        Ok(looked) if looked.is_invalid => Err(ActionError::new(
            ActionErrorKind::InvalidParameter,
            "The parameter \"for\" is not valid: selector is no CSS selector. Correct it and try \
             again.",
        )),
        Ok(looked) => Ok(match looked.found {
            Some(found) => Look::There(found),
            None => Look::Instead(Value::Object(looked.instead)),
        }),
        Err(error) => replaced(error),
    }
}

/// `is_stuck`: what loads has not moved for a while, and is no longer waited for.
async fn idle(stage: Stage<'_>, deadline: Instant, is_stuck: bool) -> Result<Look, ActionError> {
    let loading = stage.page.loading();
    let busy = |is_changing: bool| {
        json!({
            "is_loading": loading.is_loading, "requests": loading.in_flight,
            "is_changing": is_changing,
        })
    };
    let is_busy = |loading: &Loading| loading.is_loading || (loading.in_flight > 0 && !is_stuck);
    if is_busy(&loading) {
        return Ok(Look::Instead(busy(false)));
    }
    let left = deadline.saturating_duration_since(Instant::now());
    // What is seen has to be told before the bound.
    let most = left.saturating_sub(ANSWER_WITHIN).as_millis().min(2_000) as u64;
    let frames = stage.page.frames();
    let asking = frames
        .iter()
        .map(|frame| frame.call::<Quiet>("quiet", json!([IDLE_MS, most])));
    let answers = join_all(asking).await;
    let mut is_quiet = !frames.is_empty();
    for answer in answers {
        match answer {
            Ok(Quiet { settled }) => is_quiet &= settled,
            Err(error) => {
                replaced(error)?;
                is_quiet = false;
            }
        }
    }
    if !is_quiet {
        return Ok(Look::Instead(busy(true)));
    }
    // A document may be about to send the page on.
    let passing = match frames.first() {
        Some(frame) => frame.call::<u64>("passing", json!([])).await.unwrap_or(0),
        None => 0,
    };
    let passing = Duration::from_millis(passing).saturating_sub(Duration::from_millis(IDLE_MS));
    tokio::time::sleep_until((Instant::now() + passing).min(deadline).into()).await;
    let after = stage.page.loading();
    let is_quiet = !is_busy(&after) && after.started == loading.started;
    Ok(match is_quiet {
        true => Look::There(Value::Null),
        false => Look::Instead(busy(true)),
    })
}

/// A document that is replaced while it is looked at is no failure of the wait.
fn replaced(error: Error) -> Result<Look, ActionError> {
    match error {
        Error::Replaced | Error::Command { .. } => Ok(Look::Instead(Value::Null)),
        other => Err(browser_failed(other)),
    }
}

fn not_met(what: &Awaited, bound: Duration, seen: &Value) -> ActionError {
    let context = json!({ "waited_for": what.to_json(), "seen": seen });
    ActionError::new(
        ActionErrorKind::ConditionNotMet,
        format!(
            "{} did not come within {} ms. Look at what is there instead, or wait longer with \
             timeout_ms.",
            what.describe(),
            bound.as_millis()
        ),
    )
    .context(context)
}
