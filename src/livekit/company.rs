//! Who is in a room beside us: people and agents, as far as the server tells.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use livekit_protocol as proto;

use super::conventions;

/// How many there are. Whoever is hidden from others is not known of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Company {
    /// Those who are no agents: people, whether by a client, a telephone or a recorder.
    pub people: usize,
    /// Agents.
    pub agents: usize,
}

/// Somebody in the room who may send data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// What the room knows them by. No two of a room have the same.
    pub identity: String,
    /// What they are shown as; it may be empty, and need not be true.
    pub name: String,
    /// Whether whoever let them into the room made them one who may drive.
    pub is_controller: bool,
}

/// Identities that are remembered; once there are so many, nobody else's role is believed.
const SELF_WRITERS_MAX: usize = 4_096;

/// Those of a room who could once write themselves what is said of them. LiveKit puts that into the tokens that
/// it renews, so it comes back with them, and as another participant: it is never believed again. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SelfWriters(Arc<Mutex<HashSet<String>>>);

impl SelfWriters {
    /// Notes whether this one can now; answers whether it ever could.
    fn note(&self, identity: &str, can_now: bool) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(identity) || known.len() >= SELF_WRITERS_MAX {
            return true;
        }
        if can_now {
            known.insert(identity.to_owned());
        }
        can_now
    }
}

/// Keeps count of them.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// Who is there, by the server's id of the participant.
    there: HashMap<String, Present>,
    /// Our own id, which is not counted.
    own: String,
    self_writers: SelfWriters,
}

/// Somebody who is there.
#[derive(Debug, PartialEq, Eq)]
struct Present {
    identity: String,
    is_agent: bool,
    sends: Option<Participant>,
}

impl Present {
    fn new(info: &proto::ParticipantInfo, self_writers: &SelfWriters) -> Self {
        let may = info.permission.clone().unwrap_or_default();
        let is_self_writer = self_writers.note(&info.identity, may.can_update_metadata);
        let sends = may.can_publish_data.then(|| Participant {
            identity: info.identity.clone(),
            name: info.name.clone(),
            is_controller: !is_self_writer && is_controller(info),
        });
        Self {
            identity: info.identity.clone(),
            is_agent: info.kind() == proto::participant_info::Kind::Agent,
            sends,
        }
    }
}

/// Whether a participant's attributes, or its metadata, say so.
fn is_controller(info: &proto::ParticipantInfo) -> bool {
    let says = |role: &str| role == conventions::ROLE_CONTROLLER;
    if let Some(role) = info.attributes.get(conventions::ATTRIBUTE_ROLE) {
        return says(role);
    }
    // Most say nothing of it, and what they say may be long.
    if !info.metadata.contains(conventions::ATTRIBUTE_ROLE) {
        return false;
    }
    let metadata: serde_json::Value = serde_json::from_str(&info.metadata).unwrap_or_default();
    let role = metadata.get(conventions::ATTRIBUTE_ROLE);
    role.and_then(serde_json::Value::as_str).is_some_and(says)
}

impl Roster {
    /// Those whom we find when we join.
    pub(super) fn new(join: &proto::JoinResponse, self_writers: SelfWriters) -> Self {
        let own = join.participant.as_ref();
        let mut roster = Self {
            there: HashMap::new(),
            own: own.map(|own| own.sid.clone()).unwrap_or_default(),
            self_writers,
        };
        roster.note(&join.other_participants);
        roster
    }

    /// Takes what the server tells of some of them; answers whether anything of it is news.
    pub(super) fn note(&mut self, participants: &[proto::ParticipantInfo]) -> bool {
        let mut is_news = false;
        for info in participants {
            if info.sid == self.own {
                continue;
            }
            if info.state() == proto::participant_info::State::Disconnected {
                is_news |= self.there.remove(&info.sid).is_some();
            } else {
                if !self.there.contains_key(&info.sid) {
                    // That another of this identity has gone is not always told.
                    self.there.retain(|_, it| it.identity != info.identity);
                }
                let present = Present::new(info, &self.self_writers);
                is_news |= self.there.get(&info.sid) != Some(&present);
                self.there.insert(info.sid.clone(), present);
            }
        }
        is_news
    }

    pub(super) fn company(&self) -> Company {
        let agents = self.there.values().filter(|there| there.is_agent).count();
        Company {
            people: self.there.len() - agents,
            agents,
        }
    }

    /// Those who may send data.
    pub(super) fn senders(&self) -> Vec<Participant> {
        let senders = self.there.values();
        senders.filter_map(|there| there.sends.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proto::participant_info::{Kind, State};

    use super::*;

    #[test]
    fn people_and_agents_come_and_go() {
        let one = |sid: &str, kind: Kind, state: State| proto::ParticipantInfo {
            sid: sid.to_owned(),
            identity: sid.to_owned(),
            kind: kind as i32,
            state: state as i32,
            ..proto::ParticipantInfo::default()
        };
        let join = proto::JoinResponse {
            participant: Some(one("us", Kind::Standard, State::Joined)),
            other_participants: vec![one("agent", Kind::Agent, State::Active)],
            ..proto::JoinResponse::default()
        };
        let mut roster = Roster::new(&join, SelfWriters::default());
        let company = |people, agents| Company { people, agents };
        assert_eq!(roster.company(), company(0, 1));
        let own = one("us", Kind::Standard, State::Active);
        assert!(!roster.note(&[own]), "we are not company");
        let caller = |state| one("caller", Kind::Sip, state);
        assert!(roster.note(&[caller(State::Joining)]));
        assert!(!roster.note(&[caller(State::Active)]), "it is the same");
        assert_eq!(roster.company(), company(1, 1));
        assert!(roster.note(&[caller(State::Disconnected)]));
        assert!(!roster.note(&[caller(State::Disconnected)]), "it is gone");
        assert_eq!(roster.company(), company(0, 1));
        let again = proto::ParticipantInfo {
            identity: "agent".to_owned(),
            ..one("another", Kind::Agent, State::Active)
        };
        roster.note(&[again]);
        assert_eq!(roster.company(), company(0, 1), "one is there once");
    }

    #[test]
    fn a_role_is_whose_who_cannot_give_it_to_themselves() {
        let permission = |can_publish_data, can_update_metadata| proto::ParticipantPermission {
            can_publish_data,
            can_update_metadata,
            ..proto::ParticipantPermission::default()
        };
        let one = |permission, role: &str, metadata: &str| proto::ParticipantInfo {
            sid: "PA_1".to_owned(),
            identity: "ada".to_owned(),
            metadata: metadata.to_owned(),
            attributes: HashMap::from([("browser.role".to_owned(), role.to_owned())]),
            permission: Some(permission),
            ..proto::ParticipantInfo::default()
        };
        let in_metadata = |metadata: &str| proto::ParticipantInfo {
            attributes: HashMap::new(),
            ..one(permission(true, false), "", metadata)
        };
        let role = "controller";
        for (info, expected) in [
            (one(permission(true, false), role, ""), Some(true)),
            (one(permission(true, false), "watcher", ""), Some(false)),
            (one(permission(true, true), role, ""), Some(false)),
            (one(permission(false, false), role, ""), None),
            (in_metadata(r#"{"browser.role":"controller"}"#), Some(true)),
            (
                in_metadata(r#"{"browser.role":["controller"]}"#),
                Some(false),
            ),
            (in_metadata("browser.role = controller"), Some(false)),
            (
                one(
                    permission(true, false),
                    "",
                    r#"{"browser.role":"controller"}"#,
                ),
                Some(false),
            ),
        ] {
            let mut roster = Roster::default();
            assert!(roster.note(std::slice::from_ref(&info)));
            assert!(!roster.note(std::slice::from_ref(&info)), "it is the same");
            let found = roster.senders().first().map(|sender| sender.is_controller);
            assert_eq!(found, expected, "{info:?}");
        }
        let mut roster = Roster::default();
        roster.note(&[one(permission(true, true), role, "")]);
        roster.note(&[one(permission(true, false), role, "")]);
        let said_by_themselves = roster.senders()[0].is_controller;
        assert!(!said_by_themselves, "what was their own to say stays so");
        // They leave, and come back as another participant; and we join anew.
        let gone = proto::ParticipantInfo {
            state: State::Disconnected as i32,
            ..one(permission(true, false), role, "")
        };
        let back = proto::ParticipantInfo {
            sid: "PA_2".to_owned(),
            ..one(permission(true, false), role, "")
        };
        roster.note(&[gone, back.clone()]);
        assert!(!roster.senders()[0].is_controller);
        let join = proto::JoinResponse {
            other_participants: vec![back],
            ..proto::JoinResponse::default()
        };
        let anew = Roster::new(&join, roster.self_writers.clone());
        assert!(!anew.senders()[0].is_controller);
        let unknown = Roster::new(&join, SelfWriters::default());
        assert!(unknown.senders()[0].is_controller);
    }
}
