//! go_back and go_forward.

use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::page::{
    GetNavigationHistoryParams, GetNavigationHistoryReturns, NavigateToHistoryEntryParams,
};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::super::error::Error;
use super::super::target::Page;
use super::super::target::loading::Loading;
use super::observe::{self, Before};
use super::{Stage, browser_failed, navigate};
use crate::model::Outcome;
use crate::model::command::{ActionError, ActionErrorKind};
use crate::model::outcome::{Change, Effect, EffectKind};

/// How often the history is looked at, while nothing is told of the page itself.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A page that moves as well tells so within this.
const MOVED_WITHIN: Duration = Duration::from_millis(300);
/// How long the page may take to note what it shows.
const NOTED_WITHIN: Duration = Duration::from_millis(300);

/// Goes so many places forward in the history, or back.
pub(super) async fn go(stage: Stage<'_>, step: i64) -> Result<Outcome, ActionError> {
    let history = read(stage.page).await.map_err(browser_failed)?;
    let wanted = history.current_index + step;
    let entry = usize::try_from(wanted)
        .ok()
        .and_then(|index| history.entries.get(index));
    // The blank page that every session begins with is not a place to go back to.
    let Some(entry) = entry.filter(|entry| wanted > 0 || entry.url != "about:blank") else {
        let way = if step < 0 { "back" } else { "forward" };
        return Err(ActionError::new(
            ActionErrorKind::NoHistory,
            format!("There is no page to go {way} to. Use navigate with a URL instead."),
        ));
    };
    let at = stage.page.loading();
    let before = observe::unmarked(stage, None).await;
    // A page that is too busy to note what it shows is what one goes back from.
    let _ = timeout(NOTED_WITHIN, before.mark(stage, None)).await;
    let command = NavigateToHistoryEntryParams::new(entry.id);
    let command = navigate::send(stage.page, command, "move in the history");
    let landed = tokio::select! {
        biased;
        landed = navigate::go(stage, stage.navigate_timeout, &entry.url, command) => Some(landed?),
        () = moved_inside(stage.page, wanted, &at) => None,
    };
    match landed {
        Some(landed) if is_same_document(stage.page, &landed, &at) => {
            within_document(stage, before, &at, wanted).await
        }
        Some(landed) => Ok(landed),
        None => in_frame(stage, before).await,
    }
}

async fn read(page: &Page) -> Result<GetNavigationHistoryReturns, Error> {
    let history = GetNavigationHistoryParams::default();
    page.session().execute("read the history", history).await
}

fn is_same_document(page: &Page, landed: &Outcome, before: &Loading) -> bool {
    landed.effect.kind == EffectKind::Navigation && page.loading().committed == before.committed
}

/// Returns when the history is where it was wanted and the page itself has not moved: a frame has.
async fn moved_inside(page: &Page, wanted: i64, before: &Loading) {
    loop {
        sleep(LOOK_EVERY).await;
        let is_there = read(page)
            .await
            .is_ok_and(|now| now.current_index == wanted);
        if !is_there {
            continue;
        }
        let mut loading = page.watch_loading();
        let went =
            |now: &Loading| now.went_since(before) || now.within_document > before.within_document;
        if timeout(MOVED_WITHIN, loading.wait_for(went)).await.is_err() {
            return;
        }
        // Where it goes is for the other one to say.
        std::future::pending::<()>().await;
    }
}

/// The page draws what belongs to the place, or takes itself back to where it was.
async fn within_document(
    stage: Stage<'_>,
    before: Before,
    at: &Loading,
    wanted: i64,
) -> Result<Outcome, ActionError> {
    let mut done = observe::after(stage, before).await?;
    let now = stage.page.loading();
    let is_same = now.committed == at.committed && now.url == at.url;
    // A place may have the address of the one before, and a page may go on from it to another: taken
    // back is only what is neither where it was to go nor anywhere else.
    let is_taken_back = is_same
        && read(stage.page)
            .await
            .is_ok_and(|now| now.current_index != wanted);
    if is_taken_back && done.effect.kind == EffectKind::Navigation {
        done.effect = Effect {
            verified: Some(false),
            ..Effect::default()
        };
        done.changes
            .push(told("The page took the move back: it is where it was."));
    }
    Ok(done)
}

async fn in_frame(stage: Stage<'_>, before: Before) -> Result<Outcome, ActionError> {
    let mut done = observe::after(stage, before).await?;
    observe::raise(&mut done, EffectKind::Page, Value::Null, Value::Null);
    done.changes.push(told(
        "A frame of the page moved in its history; the page itself is the same.",
    ));
    Ok(done)
}

fn told(text: &str) -> Change {
    Change {
        kind: "navigation".to_owned(),
        text: text.to_owned(),
        index: None,
    }
}
