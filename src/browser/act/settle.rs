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
use super::super::target::loading::{Failure, Loading};
use super::super::target::{Page, PageState};

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
    use std::slice::from_ref;

    use super::super::super::loading::{Signal, Tracker};
    use super::*;

    /// How long the page of a test is waited for.
    const BOUND: Duration = Duration::from_millis(500);
    /// How long the wait is seen to go on before the page tells what ends it.
    const PAUSE: Duration = Duration::from_millis(50);

    /// A page that has shown a document, and what it then tells.
    struct Told {
        tracker: Tracker,
        sender: watch::Sender<Loading>,
        before: Loading,
    }

    impl Told {
        fn new() -> Self {
            let before = Loading {
                committed: 1,
                started: 1,
                ..Loading::default()
            };
            Self {
                tracker: Tracker::from(before.clone()),
                sender: watch::Sender::new(before.clone()),
                before,
            }
        }

        fn tell(&mut self, signals: &[Signal]) {
            for signal in signals {
                self.tracker.apply(signal, Instant::now());
            }
            self.sender.send_replace(self.tracker.loading().clone());
        }

        /// Waits for the landing, while the page tells `first` at once and `last` later, and holds
        /// that nothing ended the wait in between.
        async fn lands(mut self, first: &[Signal], last: &[Signal]) -> Landing {
            let mut watch = self.sender.subscribe();
            let before = self.before.clone();
            self.tell(first);
            let mut wait = Box::pin(landing(&mut watch, &before, Instant::now() + BOUND));
            if !last.is_empty() {
                let early = timeout(PAUSE, wait.as_mut()).await;
                assert!(early.is_err(), "{early:?} before {last:?} was told");
                self.tell(last);
            }
            wait.await
        }
    }

    fn document(url: &str) -> Signal {
        Signal::RequestStarted {
            id: "d".to_owned(),
            is_document: true,
            url: url.to_owned(),
        }
    }

    fn committed(is_error_page: bool) -> Signal {
        Signal::Committed {
            url: "http://h/".to_owned(),
            is_error_page,
        }
    }

    #[tokio::test]
    async fn each_way_a_navigation_ends() {
        use Signal::{Crashed, LoadingStarted, LoadingStopped};
        let begun = [document("http://h/"), LoadingStarted];
        let shown = [document("http://h/"), LoadingStarted, committed(false)];
        let refused = Signal::RequestFailed {
            id: "d".to_owned(),
            error: "net::ERR_CONNECTION_REFUSED".to_owned(),
            cancelled: false,
        };
        let failure = Failure {
            number: 1,
            url: "http://h/".to_owned(),
            error: "net::ERR_CONNECTION_REFUSED".to_owned(),
        };
        let inside = Signal::WithinDocument {
            url: "http://h/#b".to_owned(),
        };
        // What it tells at once, what later, and how that is understood.
        let cases: [(&[Signal], &[Signal], Landing); 10] = [
            (&shown, &[LoadingStopped], Landing::Loaded),
            (&begun, &[committed(false), LoadingStopped], Landing::Loaded),
            (&shown, &[], Landing::StillLoading),
            (&begun, &[], Landing::TimedOut),
            (&begun, &[LoadingStopped], Landing::NoDocument),
            (&[], &[inside], Landing::WithinDocument),
            (&begun, &[Crashed], Landing::Crashed),
            (&begun, from_ref(&refused), Landing::Failed(failure.clone())),
            // The error page is heard of first.
            (
                &[begun.as_slice(), &[committed(true), LoadingStopped]].concat(),
                from_ref(&refused),
                Landing::Failed(failure),
            ),
            (&[], &[], Landing::TimedOut),
        ];
        for (first, last, expected) in cases {
            let landed = Told::new().lands(first, last).await;
            assert_eq!(landed, expected, "after {first:?}, then {last:?}");
        }
    }

    #[tokio::test]
    async fn a_new_beginning_within_the_grace_is_waited_for() {
        let mut told = Told::new();
        told.tell(&[Signal::LoadingStarted, Signal::LoadingStopped]);
        let again = [Signal::LoadingStarted, committed(false)];
        let landed = told.lands(&again, &[Signal::LoadingStopped]).await;
        assert_eq!(landed, Landing::Loaded);
    }
}
