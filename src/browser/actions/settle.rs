//! Coming to rest: when an action may be called done.
//!
//! After input: what the page puts off to its next turn, and to the next frame if it asked for one,
//! is done, and then either the navigation that the input began has ended, or the requests it began
//! have. After a navigation: the document is there and has loaded. Always bounded; the result says
//! whether the page came to rest or the bound did.

use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{sleep, timeout, timeout_at};

use super::super::error::Error;
use super::super::loading::{Failure, Loading};
use super::super::page::{Page, PageState};

/// A navigation that ends without a document (a download, HTTP 204) is given up after this.
const NO_DOCUMENT_GRACE: Duration = Duration::from_millis(300);

/// A page that says that the bound was reached says so within this time.
const ANSWER_WITHIN: Duration = Duration::from_millis(200);

/// How a page came to rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// Whether it did, before the bound.
    pub settled: bool,
    /// Whether another document is shown than before.
    pub navigated: bool,
    /// The document that could not be loaded.
    pub failure: Option<Failure>,
    /// How long it took.
    pub took: Duration,
    /// The page at rest, where it is known without asking again.
    pub state: Option<PageState>,
}

#[derive(Debug, Deserialize)]
struct AtRest {
    settled: bool,
    /// Whether the page is about to close itself.
    is_closing: bool,
    state: PageState,
}

/// How a navigation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Landing {
    /// The document is there and has loaded.
    Loaded,
    /// The document is there; the bound was reached while it still loaded.
    StillLoading,
    /// The page moved inside its document.
    WithinDocument,
    /// The document could not be loaded.
    Failed(Failure),
    /// No document came: a download, or an empty answer.
    NoDocument,
    /// The bound was reached without a document.
    TimedOut,
    /// The renderer crashed.
    Crashed,
}

/// Waits for the page to come to rest after input; `before` is its state before the input.
pub(super) async fn after_input(page: &Page, before: &Loading, bound: Duration) -> Settled {
    let started = Instant::now();
    let deadline = started + bound;
    let mut watch = page.watch_loading();
    let went = |loading: &Loading| {
        loading.started > before.started || loading.committed > before.committed
    };
    let (state, is_calm) = match done(page, bound).await {
        Answer::AtRest(done) => (Some(done.state), done.settled),
        Answer::Closing => {
            let _ = timeout_at(deadline.into(), page.closed()).await;
            (None, true)
        }
        Answer::Replaced => {
            // By another document, which is waited for instead, or by nothing.
            tokio::select! {
                Ok(_) = watch.wait_for(went) => (),
                _ = page.is_going() => (),
            }
            (None, true)
        }
        Answer::Mute => (None, false),
    };
    // Requests and navigations that the page began by now.
    let _ = timeout_at(deadline.into(), page.catch_up()).await;
    let now = page.loading();
    let is_quiet = |loading: &Loading| loading.in_flight <= before.in_flight || loading.crashed;
    let settled = if went(&now) {
        !matches!(
            landing(&mut watch, before, deadline).await,
            Landing::StillLoading | Landing::TimedOut
        )
    } else {
        let rest = watch.wait_for(|loading| is_quiet(loading) || went(loading));
        is_calm && timeout_at(deadline.into(), rest).await.is_ok()
    };
    let after = page.loading();
    Settled {
        settled,
        navigated: after.committed > before.committed,
        failure: after.failure.filter(|failure| {
            before
                .failure
                .as_ref()
                .is_none_or(|old| old.number < failure.number)
        }),
        took: started.elapsed(),
        state: state.filter(|_| is_quiet(&now) && !went(&now)),
    }
}

/// What a page says that shall come to rest.
enum Answer {
    AtRest(AtRest),
    /// It closes itself.
    Closing,
    /// Its document is gone, and took its timers along.
    Replaced,
    /// Its script is too busy.
    Mute,
}

/// Waits until the page has done what the input led to.
async fn done(page: &Page, bound: Duration) -> Answer {
    let bound_ms = bound.as_millis();
    let quiet = format!("__ghostcast.quiet(0, {bound_ms})");
    let facts = "is_closing: window.closed, state: __ghostcast.state()";
    let expression = format!("{quiet}.then((quiet) => ({{ ...quiet, {facts} }}))");
    match timeout(bound + ANSWER_WITHIN, page.evaluate::<AtRest>(&expression)).await {
        Ok(Ok(done)) if done.is_closing => Answer::Closing,
        Ok(Ok(done)) => Answer::AtRest(done),
        Ok(Err(Error::Timeout { .. })) | Err(_) => Answer::Mute,
        Ok(Err(_)) => Answer::Replaced,
    }
}

/// Waits for a navigation to end; `before` is the page's state before it.
pub(super) async fn landing(
    watch: &mut watch::Receiver<Loading>,
    before: &Loading,
    deadline: Instant,
) -> Landing {
    let failed_before = before.failure.as_ref().map_or(0, |failure| failure.number);
    let decide = |loading: &Loading| -> Option<Landing> {
        let committed = loading.committed > before.committed;
        if let Some(failure) = &loading.failure
            && failure.number > failed_before
        {
            return Some(Landing::Failed(failure.clone()));
        }
        if loading.crashed && !before.crashed {
            return Some(Landing::Crashed);
        }
        // An error page may be told before the failure that it stands for.
        if committed && !loading.is_loading && !loading.is_error_page {
            return Some(Landing::Loaded);
        }
        let inside = loading.within_document > before.within_document;
        (inside && !committed && !loading.is_loading).then_some(Landing::WithinDocument)
    };
    let ended_empty = |loading: &Loading| loading.started > before.started && !loading.is_loading;
    loop {
        let now = watch.borrow_and_update().clone();
        if let Some(landing) = decide(&now) {
            return landing;
        }
        let grace = async {
            if ended_empty(&now) {
                sleep(NO_DOCUMENT_GRACE).await
            } else {
                std::future::pending().await
            }
        };
        tokio::select! {
            biased;
            changed = watch.changed() => if changed.is_err() { return Landing::Crashed },
            () = grace => return Landing::NoDocument,
            () = tokio::time::sleep_until(deadline.into()) => {
                let committed = watch.borrow().committed > before.committed;
                return if committed { Landing::StillLoading } else { Landing::TimedOut };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(change: impl FnOnce(&mut Loading), expected: Landing) {
        let before = Loading {
            committed: 1,
            started: 1,
            ..Loading::default()
        };
        let mut after = before.clone();
        change(&mut after);
        let (_sender, mut receiver) = watch::channel(after);
        let deadline = Instant::now() + Duration::from_millis(500);
        assert_eq!(landing(&mut receiver, &before, deadline).await, expected);
    }

    #[tokio::test]
    async fn each_way_a_navigation_ends() {
        let failure = Failure {
            number: 1,
            url: "u".to_owned(),
            error: "e".to_owned(),
        };
        check(|l| (l.started, l.committed) = (2, 2), Landing::Loaded).await;
        check(
            |l| (l.started, l.committed, l.is_loading) = (2, 2, true),
            Landing::StillLoading,
        )
        .await;
        check(|l| (l.started, l.is_loading) = (2, true), Landing::TimedOut).await;
        check(|l| l.started = 2, Landing::NoDocument).await;
        check(
            |l| (l.started, l.committed, l.is_error_page) = (2, 2, true),
            Landing::NoDocument,
        )
        .await;
        check(|l| l.within_document = 1, Landing::WithinDocument).await;
        check(|l| l.crashed = true, Landing::Crashed).await;
        check(
            |l| l.failure = Some(failure.clone()),
            Landing::Failed(failure.clone()),
        )
        .await;
    }
}
