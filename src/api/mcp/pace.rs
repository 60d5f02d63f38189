//! The patience of a conversation: a word at once when it may take long, an answer in time, and
//! an end when nobody wants it any more.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rmcp::model::ProgressNotificationParam;
use rmcp::service::{RequestContext, RoleServer};
use tokio::time::{Instant, sleep_until};

/// Voice agents give a tool five seconds; this leaves one for the way.
const ANSWER_WITHIN: Duration = Duration::from_millis(3_900);
/// A call that looked quick is announced after this.
const SILENCE_MAX: Duration = Duration::from_millis(700);

/// How a piece of work went.
#[derive(Debug)]
pub(super) enum Paced<T> {
    /// It is done.
    Done(T),
    /// It goes on; the answer cannot wait for it.
    Late,
    /// The client cancelled the call.
    Cancelled,
}

/// Whether a call may pass a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// The client hears of it only when it takes long after all.
    Quick,
    /// The client hears of it at once.
    Slow,
}

/// The clock of one call.
#[derive(Debug)]
pub(super) struct Pace<'a> {
    context: &'a RequestContext<RoleServer>,
    deadline: Instant,
    /// How much was told: a number that the protocol wants to grow.
    told: AtomicU32,
}

impl<'a> Pace<'a> {
    /// Starts the clock.
    pub(super) fn new(context: &'a RequestContext<RoleServer>) -> Self {
        Self {
            context,
            deadline: Instant::now() + ANSWER_WITHIN,
            told: AtomicU32::new(0),
        }
    }

    /// Waits for `work` as long as a conversation can; says `message` when that is long.
    pub(super) async fn wait<T>(
        &self,
        expected: Expected,
        message: &str,
        work: impl Future<Output = T>,
    ) -> Paced<T> {
        tokio::pin!(work);
        let quiet = match expected {
            Expected::Quick => self.deadline.min(Instant::now() + SILENCE_MAX),
            Expected::Slow => Instant::now(),
        };
        let first = tokio::select! {
            biased;
            () = self.context.ct.cancelled() => return Paced::Cancelled,
            done = &mut work => Some(done),
            () = sleep_until(quiet) => None,
        };
        if let Some(done) = first {
            return Paced::Done(done);
        }
        let telling = self.tell(message);
        tokio::pin!(telling);
        let mut is_told = false;
        loop {
            tokio::select! {
                biased;
                () = self.context.ct.cancelled() => return Paced::Cancelled,
                () = &mut telling, if !is_told => is_told = true,
                done = &mut work => return Paced::Done(done),
                () = sleep_until(self.deadline) => return Paced::Late,
            }
        }
    }

    /// Sends a progress notification, if the client wants any.
    async fn tell(&self, message: &str) {
        let Some(token) = self.context.meta.get_progress_token() else {
            return;
        };
        let count = self.told.fetch_add(1, Ordering::Relaxed) + 1;
        let progress = ProgressNotificationParam::new(token, count.into()).with_message(message);
        if let Err(error) = self.context.peer.notify_progress(progress).await {
            tracing::debug!(%error, "no progress could be told");
        }
    }
}
