//! A queue that several services share: this one says that it lives, and hears what the others do.

use std::time::Duration;

use super::Jobs;
use crate::model::{JobState, UnixTime};

/// It is said, and asked, this often.
const BEAT: Duration = Duration::from_secs(1);

/// Shares the queue until the service ends.
pub(super) async fn share(jobs: Jobs) {
    if !jobs.0.queue.is_shared() {
        return;
    }
    let end = jobs.0.end.clone();
    loop {
        let shared = end.run_until_cancelled(jobs.beat()).await;
        let pause = end.run_until_cancelled(tokio::time::sleep(BEAT));
        if shared.is_none() || pause.await.is_none() {
            return;
        }
    }
}

impl Jobs {
    /// Why the queue cannot be used, as far as is known.
    pub fn queue_problem(&self) -> Option<String> {
        self.0.queue.problem()
    }

    /// Says that the service lives; leaves what is not its any more, and takes up what nobody runs.
    async fn beat(&self) {
        match self.0.queue.beat().await {
            Ok(pulse) => {
                self.leave(&pulse.stray);
                for job in &pulse.returned {
                    let job_id = &job.job_id;
                    tracing::warn!(
                        job_id,
                        "a job waits again whose service does not run it any more"
                    );
                    self.0.news.job(job);
                    self.wake(job.queue);
                }
                // What cannot be asked has been told of, and is asked again.
                let _ = self.hear_of_others().await;
            }
            // It has been told of.
            Err(_) => self.leave(&self.0.queue.adrift()),
        }
    }

    /// Calls off runs that are not this service's any more.
    fn leave(&self, runs: &[(String, u32)]) {
        let running = self.running();
        for run in runs {
            if let Some((_, cancel)) = running.get(run)
                && !cancel.is_cancelled()
            {
                let job_id = &run.0;
                tracing::warn!(
                    job_id,
                    "a job is left that was called off elsewhere or may be given away"
                );
                cancel.cancel();
            }
        }
    }

    /// Tells what other services have done.
    async fn hear_of_others(&self) -> Result<(), crate::error::Error> {
        for change in self.0.queue.changes(UnixTime::now()).await? {
            let job = change.job;
            match change.is_turned {
                true => self.tell_of_end(&job, change.note.as_ref()),
                false => self.0.news.job(&job),
            }
            if job.state == JobState::Queued {
                self.wake(job.queue);
            }
            if job.state.is_over() {
                let jobs = self.clone();
                self.0
                    .tracker
                    .spawn(async move { jobs.clear_after(&job).await });
            }
        }
        Ok(())
    }

    /// What a crash has left between the queue and the registry is put right.
    pub(super) async fn settle(&self, now: UnixTime) -> Result<(), crate::error::Error> {
        let settled = self.0.queue.reconcile(now).await?;
        for (state, note) in &settled.notes {
            self.tell_of_note(*state, note);
        }
        self.go_on(&settled.released);
        Ok(())
    }
}
