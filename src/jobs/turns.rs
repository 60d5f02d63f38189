//! Whose turn it is: a worker for each queue, which takes jobs from the store.
//!
//! The workers are apalis's, and this is the one place that names it: how many run at once is its layer, and a
//! turn is taken only when there is room. The queue itself is the store's (`store::jobs`, `store::queue`) and not a
//! backend of apalis's own: apalis-sqlite links another SQLite beside the registry's, writes without `synchronous`, counts
//! time in seconds and knows nothing of profiles that serve one job at a time.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use apalis::prelude::{Backend, Task, WorkerBuilder, WorkerBuilderExt, WorkerContext};
use apalis_core::backend::BackendConfig;
use apalis_core::backend::finalize::Ephemeral;
use futures::future::BoxFuture;
use tower_layer::Identity;

use super::Jobs;
use crate::error::Chain;
use crate::model::{Queue, UnixTime};
use crate::store::{Claimed, Run, Turn};

/// A job of the queue that goes first has gone within this time.
const WAY: Duration = Duration::from_millis(50);
/// Notices that are sent at one time.
const NOTICES_AT_ONCE: usize = 2;
/// A registry that cannot be used is asked again after this time.
const AGAIN: Duration = Duration::from_secs(5);

/// The jobs of one queue, each when it is its turn.
struct Turns {
    jobs: Jobs,
    queue: Queue,
    next: Option<BoxFuture<'static, Option<Run>>>,
}

impl Backend for Turns {
    type Task = Task<Run>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Self::Error>>> {
        let (jobs, queue) = (&self.jobs, self.queue);
        let next = self
            .next
            .get_or_insert_with(|| Box::pin(next(jobs.clone(), queue)));
        let run = ready!(Pin::new(next).poll(cx));
        self.next = None;
        Poll::Ready(run.map(|run| Ok(Task::new(run))))
    }

    fn poll_close(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Turns {
    type Args = Run;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &Self::Config {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        Identity::new()
    }
}

/// Works a queue off until the service ends.
pub(super) async fn serve(jobs: Jobs, queue: Queue) {
    let end = jobs.0.end.clone();
    while !end.is_cancelled() {
        let config = jobs.config();
        let at_once = match queue {
            Queue::Automation => config.jobs.automation,
            Queue::Maintenance => config.jobs.maintenance,
            Queue::Notices => NOTICES_AT_ONCE,
        };
        let turns = Turns {
            jobs: jobs.clone(),
            queue,
            next: None,
        };
        let working = jobs.clone();
        let worker = WorkerBuilder::new(queue.as_str())
            .backend(turns)
            .concurrency(at_once)
            .build(move |run: Run| {
                // By a task of its own: at the end it is waited for, and the worker is not.
                let jobs = working.clone();
                let attempt = working.0.tracker.spawn(jobs.attempt(run));
                async move { drop(attempt.await) }
            });
        // A worker that ends before the service does is started again.
        if let Some(ended) = end.run_until_cancelled(worker.run()).await {
            let error = ended.err().map(|error| Chain(&error).to_string());
            tracing::error!(error, queue = queue.as_str(), "a worker has ended");
            end.run_until_cancelled(tokio::time::sleep(AGAIN)).await;
        }
    }
}

/// The next job of a queue, once it is its turn; none at the end.
async fn next(jobs: Jobs, queue: Queue) -> Option<Run> {
    let end = jobs.0.end.clone();
    end.run_until_cancelled(claimed(&jobs, queue)).await
}

async fn claimed(jobs: &Jobs, queue: Queue) -> Run {
    // Whatever else happens: the clock may be set, and others may put jobs there.
    let look_max = jobs.0.queue.look_every();
    loop {
        // Whoever wakes it from here on is heard.
        let woken = jobs.woken(queue).notified();
        let now = UnixTime::now();
        let config = jobs.config();
        let window = Duration::from_secs(u64::from(config.jobs.rate_window_s));
        let rate = (config.jobs.rate, now.minus(window));
        let (is_automation, is_maintenance) =
            (queue == Queue::Automation, queue == Queue::Maintenance);
        let turn = Turn {
            queue,
            now,
            rate: (is_automation && rate.0 > 0).then_some(rate),
            gives_way: is_maintenance && jobs.has_room(config.jobs.automation),
            rate_ahead: (is_maintenance && rate.0 > 0).then_some(rate),
        };
        let pause = match jobs.0.queue.claim_job(turn).await {
            Ok(Claimed::Job(run)) => {
                // There may be more, for whoever has room.
                jobs.wake(queue);
                return *run;
            }
            Ok(Claimed::Way) => WAY,
            Ok(Claimed::Rate(first)) => until(first.plus(window), now),
            Ok(Claimed::None(at)) => at.map_or(look_max, |at| until(at, now)),
            Err(_) => AGAIN,
        };
        tokio::select! {
            () = woken => (),
            () = tokio::time::sleep(pause.min(look_max)) => (),
        }
    }
}

/// How long it is until then; a little more, so that it is then.
fn until(at: UnixTime, now: UnixTime) -> Duration {
    Duration::try_from_secs_f64(at.0 - now.0).unwrap_or_default() + Duration::from_millis(2)
}

impl Jobs {
    /// Whether another job of the queue `automation` could begin.
    fn has_room(&self, at_once: usize) -> bool {
        let running = self.running();
        let of_queue = running
            .values()
            .filter(|(queue, _)| *queue == Queue::Automation);
        of_queue.count() < at_once
    }
}
