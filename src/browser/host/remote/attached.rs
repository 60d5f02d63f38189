//! Which sessions hold the requests of which target, for as long as both are there.

use std::collections::{BTreeSet, HashMap};

use super::super::super::gate::Judge;

/// A session by which a target's requests are held.
#[derive(Debug)]
pub(super) struct Attachment {
    pub(super) target: String,
    /// The session that it came by; none where the browser itself has told of it.
    pub(super) parent: Option<String>,
    /// Who judges what comes by it.
    pub(super) judge: Judge,
}

/// The sessions that there are. Each leaves with its target, or with the session that it came by: the browser
/// does not tell the end of those below one that has ended.
#[derive(Debug, Default)]
pub(super) struct Attached(HashMap<String, Attachment>);

/// What is no more.
#[derive(Debug, Default)]
pub(super) struct Gone {
    pub(super) sessions: BTreeSet<String>,
    /// Targets that no session is left of.
    pub(super) targets: BTreeSet<String>,
}

impl Attached {
    pub(super) fn add(&mut self, session: String, attachment: Attachment) {
        self.0.insert(session, attachment);
    }

    /// Whether there is a session of that target.
    pub(super) fn has(&self, target: &str) -> bool {
        self.0.values().any(|it| it.target == target)
    }

    /// Who judges what comes by a session.
    pub(super) fn judge(&self, session: &str) -> Option<Judge> {
        self.0.get(session).map(|it| it.judge.clone())
    }

    /// A session has ended.
    pub(super) fn detached(&mut self, session: &str) -> Gone {
        self.end(BTreeSet::from([session.to_owned()]))
    }

    /// A target is no more.
    pub(super) fn destroyed(&mut self, target: &str) -> Gone {
        let of_it = self.0.iter().filter(|(_, it)| it.target == target);
        let sessions = of_it.map(|(session, _)| session.clone()).collect();
        self.end(sessions)
    }

    /// Ends sessions, and those that came by them.
    fn end(&mut self, mut sessions: BTreeSet<String>) -> Gone {
        loop {
            let below = self.0.iter().filter(|(session, it)| {
                let parent = it.parent.as_ref();
                parent.is_some_and(|parent| sessions.contains(parent))
                    && !sessions.contains(*session)
            });
            let below: Vec<String> = below.map(|(session, _)| session.clone()).collect();
            if below.is_empty() {
                break;
            }
            sessions.extend(below);
        }
        let ended = sessions.iter().filter_map(|session| self.0.remove(session));
        let mut targets: BTreeSet<String> = ended.map(|it| it.target).collect();
        targets.retain(|target| !self.has(target));
        Gone { sessions, targets }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::super::super::super::gate::{Gate, Policy};
    use super::*;

    fn attached(all: &[(&str, &str, Option<&str>)]) -> Attached {
        let gate = Gate::far(Policy::default(), &CancellationToken::new());
        let mut attached = Attached::default();
        for (session, target, parent) in all {
            let attachment = Attachment {
                target: (*target).to_owned(),
                parent: parent.map(str::to_owned),
                judge: gate.judge(),
            };
            attached.add((*session).to_owned(), attachment);
        }
        attached
    }

    fn all(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|&it| it.to_owned()).collect()
    }

    #[test]
    fn what_is_detached_or_destroyed_is_forgotten_with_what_came_by_it() {
        let mut it = attached(&[
            ("s1", "page", None),
            ("s2", "frame", Some("s1")),
            ("s3", "worker", Some("s2")),
            ("s4", "other page", None),
        ]);
        let gone = it.detached("s1");
        assert_eq!(gone.sessions, all(&["s1", "s2", "s3"]));
        assert_eq!(gone.targets, all(&["page", "frame", "worker"]));
        assert_eq!(it.destroyed("other page").targets, all(&["other page"]));
        assert!(it.0.is_empty());
        // One that was never noted.
        assert!(it.detached("s9").targets.is_empty());
    }

    #[test]
    fn a_target_stays_for_as_long_as_one_session_holds_its_requests() {
        let mut it = attached(&[
            ("s1", "page", None),
            ("s2", "worker", Some("s1")),
            ("s3", "worker", None),
        ]);
        assert_eq!(it.detached("s1").targets, all(&["page"]));
        assert!(it.has("worker") && it.judge("s3").is_some());
        assert!(it.judge("s2").is_none());
        assert_eq!(it.detached("s3").targets, all(&["worker"]));
    }
}
