//! Who owns a session's tasks and threads, and hears when one of them panics.
//!
//! A panic is a defect of the service: what is left of the session cannot be trusted. It is reported
//! to the session's actor, which ends the session as `failed`; that of the actor itself is reported
//! to whoever runs it.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::thread;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Reports that may wait; the first one ends the session.
const REPORTS_MAX: usize = 4;

/// A panic of a part of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panicked {
    /// Which part, as people call it: `studio`.
    pub part: &'static str,
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
        Self { part }
    }

    /// What subscribers and callers are told.
    pub fn describe(&self) -> String {
        format!(
            "The session broke by a defect of the service, in its {}. Start a new session on this room.",
            self.part
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

    /// Runs a thread as a part of the session.
    pub fn thread(
        &self,
        name: String,
        part: &'static str,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<thread::JoinHandle<()>> {
        let supervisor = self.clone();
        thread::Builder::new().name(name).spawn(move || {
            if let Err(payload) = std::panic::catch_unwind(AssertUnwindSafe(body)) {
                supervisor.report(Panicked::of(part, &*payload));
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
    use std::time::Duration;

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
        let thread = supervisor
            .thread("studio".to_owned(), "studio", || panic!("a defect"))
            .unwrap();
        assert_eq!(heard(&mut reports).await, Some("studio"));
        assert!(thread.join().is_ok());
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
        let told = Panicked { part: "studio" }.describe();
        assert!(
            told.contains("studio") && told.contains("new session"),
            "{told}"
        );
    }
}
