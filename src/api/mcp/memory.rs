//! What one client has begun: the sessions that it means without naming them, and navigations that
//! outlast their answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::model::{RoomName, SessionId};
use crate::session::Manager;

/// More than these wait in no session; those before have ended.
const UNFINISHED_MAX: usize = 128;
/// More sessions than these are not told apart by anybody; the oldest are forgotten.
const BEGUN_MAX: usize = 64;

/// Of one client. At its end, the sessions that were made for it alone are closed.
#[derive(Debug)]
pub(super) struct Memory {
    manager: Manager,
    state: Mutex<State>,
    /// Held while it is decided which session is meant: two calls at once make one, not two.
    pub(super) deciding: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of their beginning.
    begun: Vec<Begun>,
    /// Whether there ever was one.
    had_one: bool,
    /// As many per session as can wait there, until the client moves on or closes it.
    unfinished: HashMap<SessionId, Vec<CancellationToken>>,
}

/// A session that this client has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) room: RoomName,
    /// Not known of one that was still starting when its call had to be answered.
    pub(super) session: Option<SessionId>,
    /// Nobody asked for it by name: it ends with the client.
    pub(super) is_automatic: bool,
}

impl Begun {
    /// What the manager finds it by.
    pub(super) fn key(&self) -> String {
        match self.session {
            Some(session) => session.to_string(),
            None => self.room.as_str().to_owned(),
        }
    }
}

impl Memory {
    pub(super) fn new(manager: Manager) -> Self {
        Self {
            manager,
            state: Mutex::default(),
            deciding: tokio::sync::Mutex::default(),
        }
    }

    /// The sessions that this client has begun and not closed, and whether it ever had one.
    pub(super) fn begun(&self) -> (Vec<Begun>, bool) {
        let state = self.lock();
        (state.begun.clone(), state.had_one)
    }

    /// Notes a session that has begun. Those that were lost until then are meant no more.
    pub(super) fn remember(&self, begun: Begun) {
        let lives = |other: &Begun| {
            let record = self.manager.record(&other.key());
            record.is_ok_and(|record| !record.state.is_dead())
        };
        let mut state = self.lock();
        state
            .begun
            .retain(|other| other.room != begun.room && lives(other));
        if state.begun.len() == BEGUN_MAX {
            state.begun.remove(0);
        }
        state.begun.push(begun);
        state.had_one = true;
    }

    /// Lets go of a session that was closed.
    pub(super) fn forget(&self, room: &RoomName, session: SessionId) {
        let mut state = self.lock();
        state.unfinished.remove(&session);
        state.begun.retain(|begun| {
            begun.room != *room || begun.session.is_some_and(|begun| begun != session)
        });
    }

    /// Keeps the way to cancel an action whose caller did not wait for its end.
    pub(super) fn keep_unfinished(&self, session: SessionId, cancel: CancellationToken) {
        let mut state = self.lock();
        let kept = state.unfinished.entry(session).or_default();
        if kept.len() == UNFINISHED_MAX {
            kept.remove(0);
        }
        kept.push(cancel);
    }

    /// Cancels what the session may still be doing for this client.
    pub(super) fn cancel_unfinished(&self, session: SessionId) {
        let unfinished = self.lock().unfinished.remove(&session);
        for cancel in unfinished.unwrap_or_default() {
            cancel.cancel();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (begun, _) = self.begun();
        for begun in begun.into_iter().filter(|begun| begun.is_automatic) {
            let manager = self.manager.clone();
            runtime.spawn(async move {
                // Somebody else may have closed it already.
                let _ = manager.close(&begun.key()).await;
            });
        }
    }
}
