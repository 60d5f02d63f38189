//! Which browser serves an attempt: this machine's first, and the remote one as a fallback.

use super::Jobs;
use super::within::session_of;
use crate::model::{BrowserPlace, BrowserWish, Job, JobError, JobErrorKind, JobKind};
use crate::session::place::{Situation, Streak, Why, choose};
use crate::store::Run;

/// Where an attempt's browser runs, and for whom.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// What is asked of the session.
    pub(super) wish: BrowserWish,
    /// Whose time a remote browser's is.
    pub(super) user_id: Option<String>,
}

impl Jobs {
    /// Where this attempt runs.
    pub(super) async fn site(&self, run: &Run) -> Result<Site, JobError> {
        let job = &run.job;
        let batch = job.batch.unwrap_or_default();
        let situation = Situation {
            wish: job.browser,
            has_remote: self.0.manager.remote().is_configured(),
            // A browser that cannot be started is found out by the session, which falls back by itself.
            can_run_here: true,
            items: batch.items as usize,
            in_background: batch.in_background,
            failures_here: self.streak(job).await.0,
            attempts_used_up: job.attempts > job.attempts_max,
        };
        let choice = choose(&situation)?;
        let wish = match (choice.place, choice.why) {
            (BrowserPlace::Remote, _) => BrowserWish::Remote,
            (BrowserPlace::Local, Why::LocalFirst) => BrowserWish::Auto,
            (BrowserPlace::Local, _) => BrowserWish::Local,
        };
        if choice.place == BrowserPlace::Remote {
            tracing::info!(
                job_id = job.job_id,
                why = choice.why.as_str(),
                "a job goes to the remote browser"
            );
        }
        Ok(Site {
            wish,
            user_id: job.user_id.clone(),
        })
    }

    /// Attempts of a job at most: one more than it has, far away, where those here may be used up.
    pub(super) fn attempts_max(&self, job: &Job) -> u32 {
        let is_placed = matches!(job.kind, JobKind::Workflow | JobKind::PostNote);
        let has_more = is_placed
            && session_of(job).is_none()
            && job.browser == BrowserWish::Auto
            && self.0.manager.remote().is_configured();
        job.attempts_max + u32::from(has_more)
    }

    async fn streak(&self, job: &Job) -> Streak {
        let (Some(user), Some(platform)) = (&job.user_id, &job.platform) else {
            return Streak::default();
        };
        // What is not known speaks against nothing.
        Streak(
            self.0
                .registry
                .streak(user, platform)
                .await
                .unwrap_or_default(),
        )
    }

    /// Counts failures in a row of the job's user on its platform, on this machine.
    pub(super) async fn note_streak(
        &self,
        job: &Job,
        served_by: Option<BrowserPlace>,
        failed: Option<JobErrorKind>,
    ) {
        let (Some(user), Some(platform)) = (&job.user_id, &job.platform) else {
            return;
        };
        if failed.is_some_and(|kind| !kind.is_failure()) {
            return;
        }
        // An attempt that no browser served has failed for want of one, here.
        let place = served_by.unwrap_or(BrowserPlace::Local);
        let before = self.streak(job).await;
        let after = before.after(place, failed.is_none());
        if after != before {
            // A registry that cannot be written has been told of.
            let _ = self.0.registry.set_streak(user, platform, after.0).await;
        }
    }
}
