//! What the service does with all of its sessions: at its start, while it is being drained, and at its end.

use std::time::Duration;

use futures::future::join_all;

use super::Manager;
use super::actor::SERVICE_STOPS;
use super::handle::SessionHandle;
use super::slots::Slot;
use crate::browser::Remote;
use crate::error::Chain;
use crate::model::{BrowserWish, End, EndReason};

/// The pauses between attempts to start a browser ahead of need double from the one to the other.
const WARM_UP_AGAIN_MIN: Duration = Duration::from_secs(2);
const WARM_UP_AGAIN_MAX: Duration = Duration::from_secs(30);

impl Manager {
    /// Takes no new sessions, or takes them again; answers what held before.
    pub fn drain(&self, is_draining: bool) -> bool {
        std::mem::replace(&mut self.lock().is_draining, is_draining)
    }

    /// Whether no new sessions are taken.
    pub fn is_draining(&self) -> bool {
        self.lock().is_draining
    }

    /// Ends every session and every browser.
    pub async fn shut_down(&self) {
        let handles: Vec<SessionHandle> = self
            .lock()
            .shut()
            .filter_map(|slot| match slot {
                Slot::Held(handle) => Some(handle),
                Slot::Starting { .. } | Slot::Stored(_) => None,
            })
            .collect();
        handles.iter().for_each(SessionHandle::keep);
        let end = End::new(EndReason::ServiceStopped, SERVICE_STOPS);
        join_all(handles.iter().map(|handle| handle.close_for(&end))).await;
        for handle in handles.iter().filter(|handle| handle.kept().is_some()) {
            // A registry that cannot be written has been told of.
            let _ = handle.keeping.put_away(SERVICE_STOPS).await;
        }
        self.means.cancel.cancel();
        self.means.pool.shut_down();
    }

    /// The remote browser.
    pub fn remote(&self) -> &Remote {
        &self.means.remote
    }

    /// Whether sessions that do not say go to a remote browser where none of this machine can run.
    pub fn falls_back(&self) -> bool {
        let wish = self.means.config.now().remote.browser;
        wish != BrowserWish::Local && self.means.remote.is_configured()
    }

    /// Why no browser of this machine can be started, as far as is known.
    pub fn browser_problem(&self) -> Option<String> {
        self.means.pool.problem()
    }

    /// Starts a browser ahead of need, or finds out why none can be started; answers whether one can.
    pub async fn warm_up_once(&self) -> bool {
        let pool = &self.means.pool;
        let outcome = if self.means.config.now().browser.keep_warm {
            pool.warm_up().await
        } else {
            pool.check()
        };
        outcome
            .inspect_err(|error| {
                tracing::warn!(error = %Chain(error), "no browser can be started");
            })
            .is_ok()
    }

    /// As [`Self::warm_up_once`], and tries again, so that the service is known to be well once the cause is
    /// gone.
    pub async fn warm_up(&self) {
        let mut pause = WARM_UP_AGAIN_MIN;
        while !self.warm_up_once().await {
            let paused = tokio::time::sleep(pause);
            if self
                .means
                .cancel
                .run_until_cancelled(paused)
                .await
                .is_none()
            {
                return;
            }
            pause = (pause * 2).min(WARM_UP_AGAIN_MAX);
        }
    }
}
