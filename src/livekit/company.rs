//! Who is in a room beside us: people and agents, as far as the server tells.

use std::collections::HashMap;

use livekit_protocol as proto;

/// How many there are. Whoever is hidden from others is not known of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Company {
    /// Those who are no agents: people, whether by a client, a telephone or a recorder.
    pub people: usize,
    /// Agents.
    pub agents: usize,
}

/// Keeps count of them.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// Whether somebody is an agent, by the server's id of the participant.
    there: HashMap<String, bool>,
    /// Our own id, which is not counted.
    own: String,
}

impl Roster {
    /// Those whom we find when we join.
    pub(super) fn new(join: &proto::JoinResponse) -> Self {
        let own = join.participant.as_ref();
        let mut roster = Self {
            there: HashMap::new(),
            own: own.map(|own| own.sid.clone()).unwrap_or_default(),
        };
        roster.note(&join.other_participants);
        roster
    }

    /// Takes what the server tells of some of them; answers whether the count is another one.
    pub(super) fn note(&mut self, participants: &[proto::ParticipantInfo]) -> bool {
        let before = self.company();
        for participant in participants {
            if participant.sid == self.own {
                continue;
            }
            if participant.state() == proto::participant_info::State::Disconnected {
                self.there.remove(&participant.sid);
            } else {
                let is_agent = participant.kind() == proto::participant_info::Kind::Agent;
                self.there.insert(participant.sid.clone(), is_agent);
            }
        }
        self.company() != before
    }

    pub(super) fn company(&self) -> Company {
        let agents = self.there.values().filter(|is_agent| **is_agent).count();
        Company {
            people: self.there.len() - agents,
            agents,
        }
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
            kind: kind as i32,
            state: state as i32,
            ..proto::ParticipantInfo::default()
        };
        let mut roster = Roster::new(&proto::JoinResponse {
            participant: Some(one("us", Kind::Standard, State::Joined)),
            other_participants: vec![one("agent", Kind::Agent, State::Active)],
            ..proto::JoinResponse::default()
        });
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
    }
}
