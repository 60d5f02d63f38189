//! Coming to rest: when an action may be called done.
//!
//! After input: what the page puts off to its next turn, and to the next frame if it asked for one,
//! is done, and then either the navigation that the input began has ended, or the requests it began
//! have. After a navigation: the document is there, has loaded, and does not send the page on by
//! itself. Always bounded; the result says whether the page came to rest or the bound did.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout, timeout_at};

use super::super::error::Error;
use super::super::target::loading::{Failure, Loading};
use super::super::target::{Frame, Page};
use super::deliver::is_new;
use super::observe::After;

/// A navigation that ends without a document (a download, HTTP 204) is given up after this.
const NO_DOCUMENT_GRACE: Duration = Duration::from_millis(300);
/// A page that says that the bound was reached says so within this time.
const ANSWER_WITHIN: Duration = Duration::from_millis(200);
/// A navigation that was let go its way is told by the browser within this time.
const LEADS_GRACE: Duration = Duration::from_millis(400);
/// A document says within this time whether it sends the page on.
const PASSING_WITHIN: Duration = Duration::from_millis(500);
/// Documents that send the page on are followed so many times; browsers themselves give up at 20.
const HOPS_MAX: usize = 20;

/// What a page that has not come to rest waits for.
pub(super) mod waits {
    /// A document that is on its way.
    pub(in super::super) const NAVIGATION: &str = "navigation";
    /// Requests that the action began.
    pub(in super::super) const REQUESTS: &str = "requests";
    /// Its content still changes.
    pub(in super::super) const CHANGES: &str = "changes";
    /// Somebody has to answer its dialog.
    pub(in super::super) const DIALOG: &str = "dialog";
    /// Its scripts are busy.
    pub(in super::super) const ANSWER: &str = "answer";
}

/// How long rest is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// At most.
    pub(super) most: Duration,
    /// Where nothing has changed at once, so long for a change.
    pub(super) patience: Duration,
    /// Dialogs up to this number were there before: the one that was answered may still be told as open.
    pub(super) dialogs: u64,
    /// A field that is told of as well: the numbers of its document and of itself.
    pub(super) field: Option<(u64, u64)>,
}

/// How a page came to rest.
#[derive(Debug)]
pub(super) struct Settled {
    /// What it still waits for; none when it is at rest.
    pub(super) waits_for: Option<&'static str>,
    /// Whether another document is shown than before.
    pub(super) navigated: bool,
    /// The document that could not be loaded.
    pub(super) failure: Option<Failure>,
    /// How long it took.
    pub(super) took: Duration,
    /// What the frames that were asked say, as far as they still can.
    pub(super) seen: Vec<(Frame, After)>,
}

impl Settled {
    /// What the page's own document says, if it is the one that was acted on.
    pub(super) fn main(&self) -> Option<&(Frame, After)> {
        let first = self.seen.first();
        first.filter(|(frame, _)| frame.parent().is_none())
    }
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

/// Waits for the page to come to rest after input; `before` is its state before the input, `frames`
/// are those that tell what they see, the main one first.
pub(super) async fn after_input(
    page: &Page,
    before: &Loading,
    frames: &[Frame],
    bounds: Bounds,
) -> Settled {
    let started = Instant::now();
    let asked = Asked {
        frames,
        deadline: started + bounds.most,
        field: bounds.field,
    };
    let resting = rest(page, before, asked, bounds.patience);
    let mut dialogs = page.watch_dialog();
    let (waits_for, seen) = tokio::select! {
        biased;
        // Nothing of the page runs until it is answered.
        Ok(_) = dialogs.wait_for(|dialog| is_new(dialog, bounds.dialogs)) => {
            (Some(waits::DIALOG), Vec::new())
        }
        rested = resting => rested,
        () = page.closed() => (None, Vec::new()),
    };
    let after = page.loading();
    Settled {
        waits_for,
        navigated: after.committed > before.committed,
        failure: after.failure.filter(|failure| {
            before
                .failure
                .as_ref()
                .is_none_or(|old| old.number < failure.number)
        }),
        took: started.elapsed(),
        seen,
    }
}

async fn rest(
    page: &Page,
    before: &Loading,
    asked: Asked<'_>,
    patience: Duration,
) -> (Option<&'static str>, Vec<(Frame, After)>) {
    let deadline = asked.deadline;
    let mut watch = page.watch_loading();
    let went = |loading: &Loading| loading.went_since(before);
    let answers = asked.ask(patience).await;
    let mut waits_for = None;
    match answers.main {
        Word::AtRest => (),
        Word::Changing => waits_for = Some(waits::CHANGES),
        Word::Mute => waits_for = Some(waits::ANSWER),
        Word::Closing => {
            let _ = timeout_at(deadline.into(), page.closed()).await;
        }
        // By another document, which is waited for instead, or by nothing.
        Word::Replaced => tokio::select! {
            Ok(_) = watch.wait_for(went) => (),
            _ = page.is_going() => (),
        },
    }
    // Requests and navigations that the page began by now.
    let _ = timeout_at(deadline.into(), page.catch_up()).await;
    let is_led = answers.seen.iter().any(|(_, after)| after.leads_away());
    if is_led && !went(&page.loading()) {
        // The browser tells it a moment later, if it does not refuse it.
        let until = deadline.min(Instant::now() + LEADS_GRACE);
        let told = watch.wait_for(|loading| went(loading) || loading.awaits_document);
        let _ = timeout_at(until.into(), told).await;
    }
    let now = page.loading();
    if went(&now) {
        let landing = follow(page, &mut watch, before, deadline).await;
        let is_late = matches!(landing, Landing::StillLoading | Landing::TimedOut);
        // Without a new document the old one is still what is seen.
        let seen = match page.loading().committed > before.committed {
            true => Vec::new(),
            false => asked.again(answers).await.seen,
        };
        return (is_late.then_some(waits::NAVIGATION), seen);
    }
    let is_quiet = |loading: &Loading| loading.in_flight <= before.in_flight || loading.crashed;
    if is_quiet(&now) {
        return (waits_for, answers.seen);
    }
    let quiet = watch.wait_for(|loading| is_quiet(loading) || went(loading));
    if timeout_at(deadline.into(), quiet).await.is_err() {
        return (Some(waits::REQUESTS), asked.again(answers).await.seen);
    }
    if went(&page.loading()) {
        let landing = follow(page, &mut watch, before, deadline).await;
        let is_late = matches!(landing, Landing::StillLoading | Landing::TimedOut);
        return (is_late.then_some(waits::NAVIGATION), Vec::new());
    }
    // What the answers have changed.
    let later = asked.again(answers).await;
    let waits_for = match later.main {
        Word::Changing => Some(waits::CHANGES),
        Word::Mute => Some(waits::ANSWER),
        _ => None,
    };
    (waits_for, later.seen)
}

/// What the page says that shall come to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    AtRest,
    /// It did not within the bound.
    Changing,
    /// It closes itself.
    Closing,
    /// Its document is gone, and took its timers along.
    Replaced,
    /// Its script is too busy.
    Mute,
}

struct Answers {
    main: Word,
    seen: Vec<(Frame, After)>,
}

/// Who is asked to tell what they see at rest, until when.
#[derive(Clone, Copy)]
struct Asked<'a> {
    frames: &'a [Frame],
    deadline: Instant,
    field: Option<(u64, u64)>,
}

impl Asked<'_> {
    /// As [`Self::ask`], once more, some time after the first answers. On what the press landed was
    /// told then; a frame that does not answer any more has said then what it had to say, but for
    /// what its field holds now.
    async fn again(self, first: Answers) -> Answers {
        let mut later = self.ask(Duration::ZERO).await;
        for (frame, mut old) in first.seen {
            let new = later
                .seen
                .iter_mut()
                .find(|(new, _)| new.id() == frame.id());
            match new {
                Some((_, new)) => new.pressed = old.pressed,
                None => {
                    old.field = None;
                    later.seen.push((frame, old));
                }
            }
        }
        later
    }

    /// Waits until the frames have done what the input led to.
    async fn ask(self, patience: Duration) -> Answers {
        let bound = self.deadline.saturating_duration_since(Instant::now());
        let (bound_ms, patience_ms) = (bound.as_millis() as u64, patience.as_millis() as u64);
        let asking = self.frames.iter().map(|frame| {
            let field = self
                .field
                .filter(|(document, _)| *document == frame.document());
            let field = field.map(|(_, node)| node);
            let after = frame.call::<After>("after", json!([0, bound_ms, patience_ms, field]));
            timeout(bound + patience + ANSWER_WITHIN, after)
        });
        let mut answers = Answers {
            main: Word::Replaced,
            seen: Vec::new(),
        };
        for (at, (frame, answer)) in self.frames.iter().zip(join_all(asking).await).enumerate() {
            let word = match &answer {
                Ok(Ok(after)) if after.is_closing => Word::Closing,
                Ok(Ok(after)) if after.settled => Word::AtRest,
                Ok(Ok(_)) => Word::Changing,
                Ok(Err(Error::Timeout { .. })) | Err(_) => Word::Mute,
                Ok(Err(_)) => Word::Replaced,
            };
            if at == 0 {
                answers.main = word;
            }
            if let Ok(Ok(after)) = answer {
                answers.seen.push((frame.clone(), after));
            }
        }
        answers
    }
}

/// Waits for a navigation to end, and for those that its document begins by itself: by markup, by a
/// form that posts itself, by a timer of up to a second.
pub(super) async fn follow(
    page: &Page,
    watch: &mut watch::Receiver<Loading>,
    before: &Loading,
    deadline: Instant,
) -> Landing {
    let mut from = before.clone();
    let mut landed = landing(watch, &from, deadline).await;
    for _ in 0..HOPS_MAX {
        if landed != Landing::Loaded {
            break;
        }
        from = watch.borrow().clone();
        if !goes_on(page, watch, &from, deadline).await {
            break;
        }
        landed = match landing(watch, &from, deadline).await {
            // There is a document, if not the last one.
            Landing::TimedOut => Landing::StillLoading,
            Landing::NoDocument => return Landing::Loaded,
            landed => landed,
        };
    }
    landed
}

/// Whether the document that has loaded sends the page on.
async fn goes_on(
    page: &Page,
    watch: &mut watch::Receiver<Loading>,
    at: &Loading,
    deadline: Instant,
) -> bool {
    let asked = async {
        let frame = page.main_frame().await?;
        frame.call::<u64>("passing", json!([])).await
    };
    let grace = match timeout(PASSING_WITHIN, asked).await {
        Ok(Ok(grace)) => Duration::from_millis(grace),
        // A document that goes while it is asked has been left.
        Ok(Err(Error::Replaced)) => NO_DOCUMENT_GRACE,
        _ => Duration::ZERO,
    };
    let went = |loading: &Loading| loading.went_since(at) || loading.awaits_document;
    let until = deadline.min(Instant::now() + grace);
    went(&watch.borrow()) || timeout_at(until.into(), watch.wait_for(went)).await.is_ok()
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
            () = sleep_until(deadline.into()) => {
                let committed = watch.borrow().committed > before.committed;
                return if committed { Landing::StillLoading } else { Landing::TimedOut };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::target::Opened;
    use super::*;
    use crate::model::outcome::DialogInfo;

    #[test]
    fn the_dialog_that_is_answered_is_not_the_next_one() {
        let opened = |number| {
            Some(Opened {
                number,
                origin: String::new(),
                info: DialogInfo {
                    dialog_type: "confirm".to_owned(),
                    message: "Really?".to_owned(),
                    default_value: None,
                    accepted: None,
                    handled_by: None,
                },
            })
        };
        assert!(!is_new(&opened(1), 1), "it was there before");
        assert!(is_new(&opened(2), 1));
        assert!(!is_new(&None, 0));
    }

    fn before() -> Loading {
        Loading {
            committed: 1,
            started: 1,
            ..Loading::default()
        }
    }

    /// The change comes while it is waited for, as it does in life.
    async fn check(change: impl FnOnce(&mut Loading), expected: Landing) {
        let (sender, mut receiver) = watch::channel(before());
        let deadline = Instant::now() + Duration::from_millis(600);
        let before = before();
        let waiting = landing(&mut receiver, &before, deadline);
        let changing = async {
            tokio::task::yield_now().await;
            sender.send_modify(change);
            std::future::pending::<()>().await;
        };
        let landed = tokio::select! {
            landed = waiting => landed,
            () = changing => unreachable!("it waits for ever"),
        };
        assert_eq!(landed, expected);
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

    #[tokio::test]
    async fn what_ended_before_is_no_end() {
        let mut old = before();
        old.within_document = 3;
        old.failure = Some(Failure {
            number: 4,
            url: "u".to_owned(),
            error: "e".to_owned(),
        });
        let (_sender, mut receiver) = watch::channel(old.clone());
        let deadline = Instant::now() + Duration::from_millis(30);
        assert_eq!(
            landing(&mut receiver, &old, deadline).await,
            Landing::TimedOut
        );
    }
}
