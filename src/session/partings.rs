//! How people have left sessions: for whoever goes on with their work then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::control::Cause;
use crate::model::SessionName;

/// How people have left the sessions that have a name, until that is taken: one for each session, so that none is
/// lost. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Partings(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Whether they said that it is done.
    left: Mutex<HashMap<SessionName, bool>>,
    woken: Notify,
}

impl Partings {
    /// Notes why somebody has the wheel no more, where it is that. What was done stays done.
    pub(super) fn note(&self, name: &SessionName, cause: Cause) {
        let is_done = match cause {
            Cause::Done => true,
            Cause::Declined | Cause::Gone | Cause::Idle => false,
            Cause::Requested | Cause::Taken | Cause::Withdrawn | Cause::Expired | Cause::Asked => {
                return;
            }
        };
        let mut left = self.0.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left.entry(name.clone()).or_default() |= is_done;
        drop(left);
        self.0.woken.notify_one();
    }

    /// The next session that somebody has left, and whether they said that it is done. Safe to cancel; for one that
    /// waits.
    pub async fn next(&self) -> (SessionName, bool) {
        loop {
            let woken = self.0.woken.notified();
            let taken = {
                let mut left = self.0.left.lock().unwrap_or_else(PoisonError::into_inner);
                let name = left.keys().next().cloned();
                name.and_then(|name| left.remove_entry(&name))
            };
            if let Some(taken) = taken {
                return taken;
            }
            woken.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn what_is_done_stays_so_until_it_is_heard_of() {
        let (partings, name) = (Partings::default(), SessionName::parse("kept").unwrap());
        partings.note(&name, Cause::Taken);
        assert!(partings.next().now_or_never().is_none());
        for cause in [Cause::Done, Cause::Declined] {
            partings.note(&name, cause);
        }
        assert_eq!(partings.next().now_or_never(), Some((name.clone(), true)));
        assert!(partings.next().now_or_never().is_none());
        partings.note(&name, Cause::Gone);
        assert_eq!(partings.next().now_or_never(), Some((name, false)));
    }
}
