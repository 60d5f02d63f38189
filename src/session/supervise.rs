//! Who owns a session's tasks and threads, and hears when one of them panics.
//!
//! A panic is a defect of the service: what is left of the session cannot be trusted. It is reported
//! to the session's actor, which ends the session as `failed`; that of the actor itself is reported
//! to whoever runs it. A thread holds nothing but what it makes again: it is begun anew, which is reported too.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::thread;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Reports that may wait; the first one of a part that stays broken ends the session.
const REPORTS_MAX: usize = 8;

/// A thread that is begun anew may break so often...
const BREAKS_MAX: usize = 3;
/// ...within this time.
const BREAKS_WITHIN: Duration = Duration::from_secs(30);
/// What has broken is left in peace for a moment.
const BREAK_PAUSE: Duration = Duration::from_millis(20);

/// A panic of a part of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panicked {
    /// Which part, as people call it: `studio`.
    pub part: &'static str,
    /// Whether it goes on, begun anew.
    pub goes_on: bool,
}

impl Panicked {
    /// Logs what is told to nobody outside.
    fn of(part: &'static str, payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or_default();
        tracing::error!(part, text, "a part of a session panicked");
        metrics::counter!("ghostcast_panics_total", "part" => part).increment(1);
        Self {
            part,
            goes_on: false,
        }
    }

    /// What subscribers and callers are told.
    pub fn describe(&self) -> String {
        let part = self.part;
        if self.goes_on {
            return format!(
                "The video broke off for a moment by a defect of the service, in its {part}. It goes on."
            );
        }
        format!(
            "The session broke by a defect of the service, in its {part}. Start a new session on this room."
        )
    }
}

/// Hears of the panics of one session's parts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Supervisor {
    reports: mpsc::Sender<Panicked>,
}

impl Supervisor {
    /// A supervisor, and what it hears.
    pub fn new() -> (Self, mpsc::Receiver<Panicked>) {
        let (reports, heard) = mpsc::channel(REPORTS_MAX);
        (Self { reports }, heard)
    }

    /// Runs a task as a part of the session.
    pub fn spawn(
        &self,
        tracker: &TaskTracker,
        part: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let supervisor = self.clone();
        let supervised = async move {
            if let Err(panicked) = caught(part, task).await {
                supervisor.report(panicked);
            }
        };
        tracker.spawn(supervised.in_current_span());
    }

    /// Looks after a task that somebody else has spawned for the session.
    pub fn watch(&self, tracker: &TaskTracker, part: &'static str, task: JoinHandle<()>) {
        let supervisor = self.clone();
        let watching = async move {
            if let Err(error) = task.await
                && let Ok(payload) = error.try_into_panic()
            {
                supervisor.report(Panicked::of(part, &*payload));
            }
        };
        tracker.spawn(watching.in_current_span());
    }

    /// Runs a thread as a part of the session. What panics is begun anew, with nothing in its hands, and is reported; if
    /// that happens over and over it stays broken.
    pub fn thread(
        &self,
        name: String,
        part: &'static str,
        mut body: impl FnMut() + Send + 'static,
    ) -> std::io::Result<thread::JoinHandle<()>> {
        let supervisor = self.clone();
        thread::Builder::new().name(name).spawn(move || {
            let mut breaks = VecDeque::new();
            while let Err(payload) = std::panic::catch_unwind(AssertUnwindSafe(&mut body)) {
                let now = Instant::now();
                breaks.retain(|at| now - *at < BREAKS_WITHIN);
                breaks.push_back(now);
                let mut panicked = Panicked::of(part, &*payload);
                panicked.goes_on = breaks.len() <= BREAKS_MAX;
                let goes_on = panicked.goes_on;
                supervisor.report(panicked);
                if !goes_on {
                    break;
                }
                thread::sleep(BREAK_PAUSE);
            }
        })
    }

    fn report(&self, panicked: Panicked) {
        // A session with as many reports is ending already, and so is one that hears none.
        let _ = self.reports.try_send(panicked);
    }
}

/// Sees work through that may panic. What it had in its hands is not used again.
pub(super) async fn caught<T>(
    part: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, Panicked> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .map_err(|payload| Panicked::of(part, &*payload))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::timeout;

    use super::*;

    /// The bound that a session's end is told in.
    const SOON: Duration = Duration::from_secs(1);

    async fn heard(reports: &mut mpsc::Receiver<Panicked>) -> Option<&'static str> {
        let heard = timeout(SOON, reports.recv()).await;
        heard.ok().flatten().map(|panicked| panicked.part)
    }

    #[tokio::test]
    async fn a_panic_of_any_part_is_heard() {
        let (supervisor, mut reports) = Supervisor::new();
        let tracker = TaskTracker::new();
        supervisor.spawn(&tracker, "task", async { panic!("a defect") });
        assert_eq!(heard(&mut reports).await, Some("task"));
        let foreign = tokio::spawn(async { panic!("{} defect", "another") });
        supervisor.watch(&tracker, "listener", foreign);
        assert_eq!(heard(&mut reports).await, Some("listener"));
    }

    #[tokio::test]
    async fn a_thread_that_panics_is_begun_anew_until_it_does_so_over_and_over() {
        let (supervisor, mut reports) = Supervisor::new();
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&begun);
        let body = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            panic!("a defect")
        };
        let thread = supervisor.thread("studio".to_owned(), "studio", body);
        let mut goes_on = Vec::new();
        for _ in 0..=BREAKS_MAX {
            let heard = timeout(SOON, reports.recv()).await.unwrap().unwrap();
            goes_on.push(heard.goes_on);
        }
        assert!(thread.unwrap().join().is_ok());
        assert_eq!(goes_on, [true, true, true, false]);
        assert_eq!(begun.load(Ordering::Relaxed), BREAKS_MAX + 1);
    }

    #[tokio::test]
    async fn what_ends_well_or_is_aborted_is_not_reported() {
        let (supervisor, mut reports) = Supervisor::new();
        let tracker = TaskTracker::new();
        supervisor.spawn(&tracker, "task", async {});
        let aborted = tokio::spawn(std::future::pending());
        aborted.abort();
        supervisor.watch(&tracker, "listener", aborted);
        drop(supervisor);
        tracker.close();
        tracker.wait().await;
        assert_eq!(reports.recv().await, None);
    }

    #[test]
    fn what_is_told_names_the_part_and_not_the_cause() {
        let told = Panicked {
            part: "studio",
            goes_on: false,
        };
        let told = told.describe();
        assert!(
            told.contains("studio") && told.contains("new session"),
            "{told}"
        );
    }
}
