//! The ledger: every action of a session that has not ended, and the last ones that have, to ask
//! for by name. The actor writes it, everybody reads it; each end goes to the journal too.
//!
//! Loss policy: the oldest of those that have ended are forgotten, by number and by size.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::asker::Asker;
use super::journal::SessionJournal;
use crate::model::command::ActionRequest;
use crate::model::{ActionResult, ActionState, ActionStatus};

/// Ended actions that are kept.
const ENDED_MAX: usize = 256;
/// What they may hold together, bytes of JSON; the newest is kept whatever it holds.
const ENDED_BYTES_MAX: usize = 8 << 20;

/// The actions of one session. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    pages: Arc<Mutex<Pages>>,
    journal: SessionJournal,
}

#[derive(Debug, Default)]
struct Pages {
    running: Option<Open>,
    /// In the order in which they will run.
    queued: VecDeque<Open>,
    /// The oldest first.
    ended: VecDeque<Ended>,
    /// What `ended` holds.
    bytes: usize,
    /// How many have ended, those among them that are forgotten.
    count: u64,
    /// How many of those failed.
    failed: u64,
}

#[derive(Debug)]
struct Open {
    id: String,
    action: ActionRequest,
    asker: Asker,
}

#[derive(Debug)]
struct Ended {
    status: ActionStatus,
    bytes: usize,
}

impl Ledger {
    /// An empty one, whose ends are written to `journal`.
    pub(super) fn new(journal: SessionJournal) -> Self {
        Self {
            pages: Arc::default(),
            journal,
        }
    }

    /// Notes an action that has been asked for, as it may be repeated.
    pub(super) fn enter(&self, id: &str, action: ActionRequest, asker: Asker) {
        let id = id.to_owned();
        self.pages().queued.push_back(Open { id, action, asker });
    }

    /// Notes that an action begins.
    pub(super) fn run(&self, id: &str) {
        let mut pages = self.pages();
        pages.running = pages.take(id);
    }

    /// Notes how an action has ended.
    pub(super) fn end(&self, id: &str, action: ActionRequest, result: ActionResult) {
        let mut pages = self.pages();
        // What is told is what came with its end.
        let open = pages.take(id);
        let has_failed = !result.success;
        let asker = open.as_ref().map(|open| &open.asker);
        self.journal.ended(asker, id, &action.action_type, &result);
        let status = ActionStatus {
            action_id: id.to_owned(),
            state: ActionState::Done,
            position: None,
            action,
            result: Some(result),
        };
        let bytes = serde_json::to_string(&status).map_or(0, |json| json.len());
        pages.bytes += bytes;
        pages.count += 1;
        pages.failed += u64::from(has_failed);
        pages.ended.push_back(Ended { status, bytes });
        while pages.ended.len() > 1
            && (pages.ended.len() > ENDED_MAX || pages.bytes > ENDED_BYTES_MAX)
        {
            let oldest = pages.ended.pop_front();
            pages.bytes -= oldest.map_or(0, |oldest| oldest.bytes);
        }
    }

    /// How many actions have ended.
    pub(super) fn count(&self) -> u64 {
        self.pages().count
    }

    /// How many of those that have ended failed.
    pub(super) fn count_failed(&self) -> u64 {
        self.pages().failed
    }

    /// An action as it is.
    pub(super) fn status(&self, id: &str) -> Option<ActionStatus> {
        let pages = self.pages();
        let open = |open: &Open, state, position| ActionStatus {
            action_id: open.id.clone(),
            state,
            position,
            action: open.action.clone(),
            result: None,
        };
        if let Some(running) = pages.running.as_ref().filter(|open| open.id == id) {
            return Some(open(running, ActionState::Running, None));
        }
        let queued = pages.queued.iter().zip(1..).find(|(open, _)| open.id == id);
        if let Some((queued, position)) = queued {
            return Some(open(queued, ActionState::Queued, Some(position)));
        }
        let ended = pages
            .ended
            .iter()
            .find(|ended| ended.status.action_id == id);
        ended.map(|ended| ended.status.clone())
    }

    /// Those that have not ended, in order, and whether they have begun.
    pub(super) fn open(&self) -> Vec<(String, ActionRequest, bool)> {
        let pages = self.pages();
        let running = pages.running.iter().map(|open| (open, true));
        let queued = pages.queued.iter().map(|open| (open, false));
        let open = running.chain(queued);
        open.map(|(open, has_begun)| (open.id.clone(), open.action.clone(), has_begun))
            .collect()
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // Every change is whole when the lock is let go, whoever panicked.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn take(&mut self, id: &str) -> Option<Open> {
        if self.running.as_ref().is_some_and(|open| open.id == id) {
            return self.running.take();
        }
        let at = self.queued.iter().position(|open| open.id == id)?;
        self.queued.remove(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::command::{ActionError, ActionErrorKind};
    use crate::session::handle::refused;

    fn action(text: &str) -> ActionRequest {
        let mut params = serde_json::Map::new();
        params.insert("text".to_owned(), text.into());
        ActionRequest::new("type", params)
    }

    fn result() -> ActionResult {
        refused(
            ActionError::new(ActionErrorKind::Cancelled, "why"),
            "",
            None,
        )
    }

    #[test]
    fn an_action_is_told_from_its_entry_to_its_end() {
        let ledger = Ledger::default();
        for id in ["a", "b", "c"] {
            ledger.enter(id, action("x"), Asker::service());
        }
        ledger.run("a");
        let told = |id: &str| {
            let status = ledger.status(id).unwrap();
            (status.state, status.position, status.result.is_some())
        };
        assert_eq!(told("a"), (ActionState::Running, None, false));
        assert_eq!(told("b"), (ActionState::Queued, Some(1), false));
        assert_eq!(told("c"), (ActionState::Queued, Some(2), false));
        ledger.end("b", action("y"), result());
        assert_eq!(told("b"), (ActionState::Done, None, true));
        assert_eq!(told("c"), (ActionState::Queued, Some(1), false));
        let open = ledger.open().into_iter();
        let open: Vec<(String, bool)> = open.map(|(id, _, has_begun)| (id, has_begun)).collect();
        assert_eq!(open, [("a".to_owned(), true), ("c".to_owned(), false)]);
        assert_eq!(ledger.status("d"), None);
    }

    #[test]
    fn the_oldest_are_forgotten_by_number_and_by_size() {
        let ledger = Ledger::default();
        for number in 0..=ENDED_MAX {
            ledger.end(&number.to_string(), action("x"), result());
        }
        assert_eq!(ledger.status("0"), None);
        assert!(ledger.status("1").is_some());
        let large = "x".repeat(ENDED_BYTES_MAX);
        ledger.end("large", action(&large), result());
        assert_eq!(ledger.status("256"), None, "there is no room beside it");
        assert!(ledger.status("large").is_some());
        ledger.end("next", action("x"), result());
        assert_eq!(ledger.status("large"), None);
        assert!(ledger.status("next").is_some());
    }
}
