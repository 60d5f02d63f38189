//! How people have left sessions: for whoever goes on with their work then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::control::Cause;
use crate::model::SessionName;

/// How somebody has left a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parting {
    /// Whether they said that it is done.
    pub is_done: bool,
    /// Whether they were asked for on the session itself.
    pub was_asked: bool,
}

/// How people have left the sessions that have a name, until that is taken: one for each session, so that none is
/// lost. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Partings(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    left: Mutex<HashMap<SessionName, Parting>>,
    woken: Notify,
}

impl Partings {
    /// Notes why somebody has the wheel no more, where it is that. What was done stays done.
    pub(super) fn note(&self, name: &SessionName, cause: Cause, was_asked: bool) {
        let is_done = match cause {
            Cause::Done => true,
            Cause::Declined | Cause::Gone | Cause::Idle => false,
            Cause::Requested | Cause::Taken | Cause::Withdrawn | Cause::Expired | Cause::Asked => {
                return;
            }
        };
        let mut left = self.0.left.lock().unwrap_or_else(PoisonError::into_inner);
        let parting = left.entry(name.clone()).or_default();
        parting.is_done |= is_done;
        parting.was_asked |= was_asked;
        drop(left);
        self.0.woken.notify_one();
    }

    /// The next session that somebody has left, and how. Safe to cancel; for one that waits.
    pub async fn next(&self) -> (SessionName, Parting) {
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
        let parting = |is_done, was_asked| Parting { is_done, was_asked };
        partings.note(&name, Cause::Taken, true);
        assert!(partings.next().now_or_never().is_none());
        for cause in [Cause::Done, Cause::Declined] {
            partings.note(&name, cause, cause == Cause::Done);
        }
        let next = partings.next().now_or_never();
        assert_eq!(next, Some((name.clone(), parting(true, true))));
        assert!(partings.next().now_or_never().is_none());
        partings.note(&name, Cause::Gone, false);
        let next = partings.next().now_or_never();
        assert_eq!(next, Some((name, parting(false, false))));
    }
}
