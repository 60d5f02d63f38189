//! A session on a profile, for one job or one verification at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::OwnedMutexGuard;

use super::Jobs;
use super::site::Site;
use crate::config::Platform;
use crate::error::Error;
use crate::model::ids::JOB;
use crate::model::{
    BrowserWish, Job, JobError, JobErrorKind, SessionName, SessionSpec, SessionState, Size,
};
use crate::session::SessionHandle;

/// Whoever has closed the page by which they drove has lost the wheel within this time.
const PERSON_LEAVES: Duration = Duration::from_secs(12);
/// A session that is left behind does not stay for longer than this, seconds.
const IDLE_S: u32 = 900;
/// Whoever calls waits so long for a job that works with a profile.
const TAKEN_MAX: Duration = Duration::from_secs(3);
/// The size of such a session's pages, but for a person with a phone, CSS px.
pub(super) const USUAL: Size = Size::new(1280, 720);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The session that is kept for one job.
pub(super) fn own_name(job_id: &str) -> Result<SessionName, Error> {
    SessionName::parse(&format!("{JOB}{job_id}"))
}

/// Who works with which profile.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

/// What becomes of a session when nobody works with it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// It was made for one piece of work, and is forgotten with its profile.
    Forget,
    /// The same, but for one that a person drives, who was asked for before: it is forgotten the next time.
    ForgetOnceLeft,
    /// It is put to rest, and comes back when it is used.
    Rest,
    /// Somebody had it before, and goes on with it.
    Stay,
}

/// A session that nobody else of the service works with. It is put away when nobody has it any more.
#[derive(Debug)]
pub(super) struct Lease {
    /// The session.
    pub(super) handle: SessionHandle,
    jobs: Jobs,
    name: SessionName,
    after: After,
    /// Until it is put away, nobody else has it.
    held: Option<OwnedMutexGuard<()>>,
}

impl Leases {
    /// Waits until nobody works with a profile.
    async fn take(&self, name: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Those that nobody holds or waits for are of no use.
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(name.to_owned()).or_default())
        };
        lock.lock_owned().await
    }

    /// The same for a call that somebody waits for.
    pub(super) async fn take_soon(&self, name: &str) -> Result<OwnedMutexGuard<()>, Error> {
        let taken = tokio::time::timeout(TAKEN_MAX, self.take(name)).await;
        taken.map_err(|_| {
            Error::conflict("a job works with this login at the moment")
                .hint("Try again when it is over, or call it off.")
        })
    }
}

impl Jobs {
    /// A session on a profile, once nobody else works with it.
    pub(super) async fn lease(
        &self,
        name: &SessionName,
        platform: &Platform,
        is_own: bool,
        at: Option<&Site>,
    ) -> Result<Lease, JobError> {
        let storage = if is_own { "none" } else { "profile" };
        self.lease_on((name, storage), platform, is_own, at).await
    }

    /// The same, on what is kept of it: `none`, or a `profile`.
    pub(super) async fn lease_on(
        &self,
        (name, storage): (&SessionName, &str),
        platform: &Platform,
        is_own: bool,
        at: Option<&Site>,
    ) -> Result<Lease, JobError> {
        let mut spec = self.spec(name, platform, storage)?;
        if let Some(at) = at {
            spec.browser = Some(at.wish);
            spec.user_id.clone_from(&at.user_id);
        }
        let held = self.0.leases.take(name.as_str()).await;
        self.give_back_size(name).await;
        let after = match (is_own, storage) {
            (true, "profile") => After::ForgetOnceLeft,
            (true, _) => After::Forget,
            (false, _) => After::Rest,
        };
        let opened = self.lease_as(name, spec, held, after).await;
        let lease = opened.map_err(|error| {
            let mut told = JobError::from(error);
            let is_far = at.is_some_and(|at| at.wish == BrowserWish::Remote);
            if is_far && told.kind == JobErrorKind::Unavailable {
                told.kind = JobErrorKind::RemoteUnavailable;
            }
            told
        })?;
        lease.handle.opened().await;
        lease.must_be_free().await?;
        Ok(lease)
    }

    /// A session that somebody else keeps, as they have made it, once no job works in it. It stays when it runs.
    pub(super) async fn lease_named(&self, name: &SessionName) -> Result<Lease, JobError> {
        let held = self.0.leases.take(name.as_str()).await;
        let record = self.0.manager.record(name.as_str())?;
        let after = match record.state {
            SessionState::Stored => After::Rest,
            _ => After::Stay,
        };
        let spec = SessionSpec::named(name.clone());
        let lease = self.lease_as(name, spec, held, after).await?;
        lease.handle.opened().await;
        lease.must_be_free().await?;
        Ok(lease)
    }

    /// A session that was shown as on a phone, and whose person has left it, goes back to its usual size: it is put to
    /// rest, and starts so.
    async fn give_back_size(&self, name: &SessionName) {
        let record = self.0.manager.record(name.as_str());
        let is_fitted = record
            .is_ok_and(|record| record.viewport != USUAL && record.state == SessionState::Live);
        if !is_fitted {
            return;
        }
        if let Ok(handle) = self.0.manager.find(name.as_str()).await
            && !handle.wheel().has_people()
        {
            let id = handle.record().session_id.to_string();
            let why = "the person with a phone has left";
            self.0.manager.put_to_rest(&id, why).await;
        }
    }

    /// Opens a session that is held.
    async fn lease_as(
        &self,
        name: &SessionName,
        spec: SessionSpec,
        held: OwnedMutexGuard<()>,
        after: After,
    ) -> Result<Lease, Error> {
        let (jobs, name) = (self.clone(), name.clone());
        // By a task of its own: a session whose start nobody waits for any more is put away too.
        let opening = self.0.tracker.spawn(async move {
            let opened = jobs.0.manager.open(spec).await?;
            Ok::<_, Error>(Lease {
                handle: opened.handle,
                jobs,
                name,
                after,
                held: Some(held),
            })
        });
        opening
            .await
            .unwrap_or_else(|error| Err(Error::internal("the session's start broke").source(error)))
    }

    /// What such a session is.
    pub(super) fn spec(
        &self,
        name: &SessionName,
        platform: &Platform,
        storage: &str,
    ) -> Result<SessionSpec, Error> {
        let spec = json!({
            "session_name": name,
            "storage": storage,
            "idle_timeout_s": IDLE_S,
            "allowed_domains": platform.allowed_domains,
            "viewport": USUAL,
            "mobile": false,
        });
        serde_json::from_value(spec).map_err(|error| {
            Error::internal("a session for a job cannot be described").source(error)
        })
    }

    /// Closes what sessions of single jobs a run that was killed has left, but for those that a person is to come to
    /// or has come to.
    pub(super) async fn clear_own(&self) -> Result<(), Error> {
        let wanted = self.0.queue.asking_sessions().await?;
        for record in self.0.manager.records() {
            let Some(name) = record.session_name else {
                continue;
            };
            if name.as_str().starts_with(JOB) && !wanted.contains(name.as_str()) {
                self.forget_session(&name).await;
            }
        }
        Ok(())
    }

    /// Forgets the session that a job had kept for a person, once it is over.
    pub(super) async fn clear_after(&self, job: &Job) {
        let Ok(name) = own_name(&job.job_id) else {
            return;
        };
        if self.0.manager.record(name.as_str()).is_err() {
            return;
        }
        let _held = self.0.leases.take(name.as_str()).await;
        self.forget_session(&name).await;
    }

    /// Closes a session and deletes its profile.
    pub(super) async fn forget_session(&self, name: &SessionName) {
        // One that is gone is as good as closed, and a profile that stays is swept later.
        let _ = self.0.manager.close(name.as_str()).await;
        let _ = self.0.manager.delete_profile(name).await;
    }

    /// Puts the session of a name to rest that a person has left, once nobody is at it any more and no job works
    /// with it.
    pub(super) async fn rest_when_left(&self, handle: &SessionHandle, name: &SessionName) {
        let is_left = async {
            while handle.wheel().has_people() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        // Whoever stays for longer is seen by the session's own bound on idleness.
        if tokio::time::timeout(PERSON_LEAVES, is_left).await.is_err() {
            return;
        }
        let Ok(_held) = self.0.leases.take_soon(name.as_str()).await else {
            return;
        };
        if !handle.wheel().has_people() {
            let id = handle.record().session_id.to_string();
            self.0.manager.put_to_rest(&id, "its person has left").await;
        }
    }

    /// Puts a session away, unless somebody is at it.
    async fn put_away(&self, handle: &SessionHandle, name: &SessionName, after: After) {
        let id = handle.record().session_id.to_string();
        match after {
            After::Stay => (),
            // Whoever has the page of the session open goes on there.
            After::Rest if handle.wheel().has_people() => (),
            After::Rest => {
                self.0.manager.put_to_rest(&id, "its job is done").await;
            }
            After::ForgetOnceLeft if handle.wheel().status().is_humans() => (),
            After::Forget | After::ForgetOnceLeft => self.forget_session(name).await,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else {
            return;
        };
        let (jobs, handle) = (self.jobs.clone(), self.handle.clone());
        let (name, after) = (self.name.clone(), self.after);
        self.jobs.0.tracker.spawn(async move {
            jobs.put_away(&handle, &name, after).await;
            drop(held);
        });
    }
}

impl Lease {
    /// Puts the session away, unless a person drives it; returns when that is done.
    pub(super) async fn put_away(mut self) {
        let held = self.held.take();
        let (handle, name) = (self.handle.clone(), self.name.clone());
        self.jobs.put_away(&handle, &name, self.after).await;
        drop(held);
    }

    /// Whether it was made for one job alone.
    pub(super) fn is_own(&self) -> bool {
        matches!(self.after, After::Forget | After::ForgetOnceLeft)
    }

    /// Keeps the session for the person who is asked for.
    pub(super) fn keep_for_person(&mut self) {
        if self.is_own() {
            self.after = After::Rest;
        }
    }

    /// Leaves the session as it is.
    pub(super) fn leave(mut self) {
        self.held = None;
    }

    /// Nobody drives: whoever has just left is waited for.
    async fn must_be_free(&self) -> Result<(), JobError> {
        let is_free = async {
            while self.handle.wheel().status().is_humans() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(PERSON_LEAVES, is_free)
            .await
            .map_err(|_| JobError {
                kind: JobErrorKind::HumanInControl,
                message: "A person drives the browser; it goes on when they are through."
                    .to_owned(),
            })
    }
}
