//! What one client has begun: the room it means without naming it, and navigations that outlast
//! their answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::model::SessionId;

/// More than these wait in no session; those before have ended.
const UNFINISHED_MAX: usize = 128;

/// Of one client.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_room: Option<String>,
    /// As many per session as can wait there, until the client moves on or closes it.
    unfinished: HashMap<SessionId, Vec<CancellationToken>>,
}

impl Memory {
    /// The room that this client started last.
    pub(super) fn last_room(&self) -> Option<String> {
        self.lock().last_room.clone()
    }

    pub(super) fn remember(&self, room: &str) {
        self.lock().last_room = Some(room.to_owned());
    }

    /// Lets go of a session that has ended.
    pub(super) fn forget(&self, room: &str, session: SessionId) {
        let mut state = self.lock();
        state.unfinished.remove(&session);
        if state.last_room.as_deref() == Some(room) {
            state.last_room = None;
        }
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
