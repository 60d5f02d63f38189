//! Who drives a session, as a pure machine: one owner at a time; no clock and no I/O.
//!
//! The agent drives until a person takes the wheel, and again when it is handed back. An agent that needs a
//! person asks for one; until somebody comes nobody has the wheel, and the agent may still act. A person whose
//! connection is gone, or who does nothing, loses it.

use std::time::{Duration, Instant};

/// A person whose connection is gone has lost the wheel after this.
pub const GONE_AFTER: Duration = Duration::from_secs(10);
/// A person who does nothing has lost the wheel after this.
pub const IDLE_AFTER: Duration = Duration::from_secs(120);
/// People who may ask for the wheel at the same time.
const ASKING_MAX: usize = 16;

/// Names a person for as long as they have a page open.
pub type Seat = String;

/// Who has the wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The agent, or whatever program acts.
    Agent,
    /// A person.
    Human(Hold),
    /// Whoever comes first: a person was asked for, and has not come yet, or has left without a word.
    Nobody,
}

/// How a person has the wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Who.
    pub seat: Seat,
    /// When they last did something.
    used: Instant,
    /// Since when their connection is gone, if it is.
    gone: Option<Instant>,
}

/// What happens to the wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The agent asks for a person, until then at most.
    Request {
        /// Names the request.
        id: String,
        /// When it has waited for too long.
        until: Instant,
    },
    /// The agent does not need a person any more.
    Withdraw,
    /// Somebody who may drive takes the wheel.
    Take {
        /// Who.
        seat: Seat,
        /// Whether another person may be sent away.
        is_forced: bool,
    },
    /// Somebody who may not take it by themselves asks for the wheel.
    Ask {
        /// Who.
        seat: Seat,
    },
    /// Somebody who may decide gives the wheel to one who asked.
    Grant {
        /// To whom.
        seat: Seat,
    },
    /// The driver gives it back to the agent.
    HandBack {
        /// Who.
        seat: Seat,
        /// Whether what the agent asked for is done.
        is_done: bool,
    },
    /// Somebody may be here no more.
    Lose {
        /// Who.
        seat: Seat,
    },
    /// Somebody's connection is gone.
    Left {
        /// Whose.
        seat: Seat,
    },
    /// Somebody is connected, for the first time or again.
    Joined {
        /// Who.
        seat: Seat,
    },
    /// The driver did something.
    Used {
        /// Who.
        seat: Seat,
    },
}

/// Why the wheel has another owner, or a request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The agent asked for a person.
    Requested,
    /// A person took it.
    Taken,
    /// A person gave it back, and what was asked for is done.
    Done,
    /// A person gave it back, and did not do what was asked for.
    Declined,
    /// The driver's connection is gone.
    Gone,
    /// The driver did nothing.
    Idle,
    /// The agent withdrew what it had asked for.
    Withdrawn,
    /// Nobody came in time.
    Expired,
    /// Somebody asks for the wheel.
    Asked,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Requested,
        Self::Taken,
        Self::Done,
        Self::Declined,
        Self::Gone,
        Self::Idle,
        Self::Withdrawn,
        Self::Expired,
        Self::Asked,
    ];

    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Taken => "taken",
            Self::Done => "done",
            Self::Declined => "declined",
            Self::Gone => "gone",
            Self::Idle => "idle",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Asked => "asked",
        }
    }
}

/// Why an input changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Another person drives.
    Held,
    /// Whoever gives it back, or does something, does not have it.
    NotYours,
    /// Nobody of that name has asked.
    NotAsked,
    /// Too many ask already.
    TooMany,
    /// The agent has asked for a person already.
    Requested,
    /// There is nothing to withdraw.
    NotRequested,
}

/// What has come of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Why.
    pub cause: Cause,
    /// The request that has ended with it.
    pub ended: Option<String>,
}

/// A request of the agent that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Open {
    id: String,
    until: Instant,
}

/// The wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    owner: Owner,
    request: Option<Open>,
    asking: Vec<Seat>,
}

impl Default for Control {
    /// The agent drives.
    fn default() -> Self {
        Self {
            owner: Owner::Agent,
            request: None,
            asking: Vec::new(),
        }
    }
}

impl Control {
    /// Who has it.
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The person who has it.
    pub fn driver(&self) -> Option<&Seat> {
        match &self.owner {
            Owner::Human(hold) => Some(&hold.seat),
            Owner::Agent | Owner::Nobody => None,
        }
    }

    /// The request that is open.
    pub fn request(&self) -> Option<&str> {
        self.request.as_ref().map(|request| &*request.id)
    }

    /// Who asks for it, in the order in which they came.
    pub fn asking(&self) -> &[Seat] {
        &self.asking
    }

    /// Takes one input. Nothing is to be told where no change is answered.
    pub fn step(&mut self, now: Instant, input: Input) -> Result<Option<Change>, Refusal> {
        match input {
            Input::Request { id, until } => self.open(id, until).map(Some),
            Input::Withdraw => self.withdraw().map(Some),
            Input::Take { seat, is_forced } => self.take(now, seat, is_forced),
            Input::Ask { seat } => self.ask(seat),
            Input::Grant { seat } => {
                if !self.asking.contains(&seat) {
                    return Err(Refusal::NotAsked);
                }
                self.take(now, seat, true)
            }
            Input::HandBack { seat, is_done } => {
                self.must_drive(&seat)?;
                let ended = self.request.take().map(|request| request.id);
                self.owner = Owner::Agent;
                let cause = if is_done {
                    Cause::Done
                } else {
                    Cause::Declined
                };
                Ok(Some(Change { cause, ended }))
            }
            Input::Lose { seat } => {
                self.asking.retain(|asking| *asking != seat);
                Ok((self.driver() == Some(&seat)).then(|| self.lose(Cause::Gone)))
            }
            Input::Left { seat } => {
                self.asking.retain(|asking| *asking != seat);
                if let Owner::Human(hold) = &mut self.owner
                    && hold.seat == seat
                {
                    hold.gone.get_or_insert(now);
                }
                Ok(None)
            }
            Input::Joined { seat } => {
                if let Owner::Human(hold) = &mut self.owner
                    && hold.seat == seat
                {
                    (hold.gone, hold.used) = (None, now);
                }
                Ok(None)
            }
            Input::Used { seat } => self.note_use(now, &seat).map(|()| None),
        }
    }

    /// Takes [`Input::Used`], which comes with each move of a hand.
    pub fn note_use(&mut self, now: Instant, seat: &str) -> Result<(), Refusal> {
        self.must_drive(seat)?;
        if let Owner::Human(hold) = &mut self.owner {
            hold.used = now;
        }
        Ok(())
    }

    /// When [`Self::tick`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.owner {
            Owner::Human(hold) => Some(hold.lost().0),
            Owner::Agent | Owner::Nobody => self.request.as_ref().map(|request| request.until),
        }
    }

    /// Ends what is due.
    pub fn tick(&mut self, now: Instant) -> Option<Change> {
        if let Owner::Human(hold) = &self.owner {
            let (at, cause) = hold.lost();
            if at > now {
                return None;
            }
            return Some(self.lose(cause));
        }
        let request = self.request.take_if(|request| request.until <= now)?;
        self.owner = Owner::Agent;
        Some(Change {
            cause: Cause::Expired,
            ended: Some(request.id),
        })
    }

    fn open(&mut self, id: String, until: Instant) -> Result<Change, Refusal> {
        if self.request.is_some() {
            return Err(Refusal::Requested);
        }
        self.request = Some(Open { id, until });
        if self.owner == Owner::Agent {
            self.owner = Owner::Nobody;
        }
        Ok(Change {
            cause: Cause::Requested,
            ended: None,
        })
    }

    fn withdraw(&mut self) -> Result<Change, Refusal> {
        let request = self.request.take().ok_or(Refusal::NotRequested)?;
        if self.owner == Owner::Nobody {
            self.owner = Owner::Agent;
        }
        Ok(Change {
            cause: Cause::Withdrawn,
            ended: Some(request.id),
        })
    }

    fn take(
        &mut self,
        now: Instant,
        seat: Seat,
        is_forced: bool,
    ) -> Result<Option<Change>, Refusal> {
        let is_theirs = self.driver() == Some(&seat);
        if self.driver().is_some() && !is_theirs && !is_forced {
            return Err(Refusal::Held);
        }
        self.asking.retain(|asking| *asking != seat);
        self.owner = Owner::Human(Hold {
            seat,
            used: now,
            gone: None,
        });
        Ok((!is_theirs).then_some(Change {
            cause: Cause::Taken,
            ended: None,
        }))
    }

    fn ask(&mut self, seat: Seat) -> Result<Option<Change>, Refusal> {
        if self.driver() == Some(&seat) || self.asking.contains(&seat) {
            return Ok(None);
        }
        if self.asking.len() >= ASKING_MAX {
            return Err(Refusal::TooMany);
        }
        self.asking.push(seat);
        Ok(Some(Change {
            cause: Cause::Asked,
            ended: None,
        }))
    }

    /// The driver has lost it. What was asked for waits for somebody else.
    fn lose(&mut self, cause: Cause) -> Change {
        self.owner = match self.request {
            Some(_) => Owner::Nobody,
            None => Owner::Agent,
        };
        Change { cause, ended: None }
    }

    fn must_drive(&self, seat: &str) -> Result<(), Refusal> {
        match self.driver().is_some_and(|driver| driver == seat) {
            true => Ok(()),
            false => Err(Refusal::NotYours),
        }
    }
}

impl Hold {
    /// When it is lost, and why.
    fn lost(&self) -> (Instant, Cause) {
        let idle = (self.used + IDLE_AFTER, Cause::Idle);
        match self.gone {
            Some(gone) if gone + GONE_AFTER < idle.0 => (gone + GONE_AFTER, Cause::Gone),
            Some(_) | None => idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn seat(name: &str) -> Seat {
        name.to_owned()
    }

    fn take(name: &str) -> Input {
        Input::Take {
            seat: seat(name),
            is_forced: false,
        }
    }

    fn cause(changed: Result<Option<Change>, Refusal>) -> Option<Cause> {
        changed.unwrap().map(|change| change.cause)
    }

    #[test]
    fn an_agent_asks_a_person_comes_and_gives_it_back() {
        let (mut control, now) = (Control::default(), Instant::now());
        let until = now + Duration::from_secs(600);
        let request = || Input::Request {
            id: "r".to_owned(),
            until,
        };
        assert_eq!(cause(control.step(now, request())), Some(Cause::Requested));
        assert_eq!(control.step(now, request()), Err(Refusal::Requested));
        assert_eq!(
            (control.owner(), control.deadline()),
            (&Owner::Nobody, Some(until))
        );
        assert_eq!(cause(control.step(now, take("ada"))), Some(Cause::Taken));
        assert_eq!(control.step(now, take("bob")), Err(Refusal::Held));
        assert_eq!(
            cause(control.step(now, Input::Ask { seat: seat("bob") })),
            Some(Cause::Asked)
        );
        assert_eq!(
            cause(control.step(now, Input::Grant { seat: seat("bob") })),
            Some(Cause::Taken)
        );
        let back = |name| Input::HandBack {
            seat: seat(name),
            is_done: true,
        };
        assert_eq!(control.step(now, back("ada")), Err(Refusal::NotYours));
        let change = control.step(now, back("bob")).unwrap().unwrap();
        assert_eq!(
            (change.cause, change.ended.as_deref()),
            (Cause::Done, Some("r"))
        );
        assert_eq!(control.owner(), &Owner::Agent);
        assert_eq!(control.deadline(), None);
    }

    #[test]
    fn who_leaves_without_a_word_loses_it_and_what_was_asked_for_waits_on() {
        let (mut control, now) = (Control::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        control.step(now, take("ada")).unwrap();
        control
            .step(after(1), Input::Left { seat: seat("ada") })
            .unwrap();
        assert_eq!(control.tick(after(10)), None);
        control
            .step(after(10), Input::Joined { seat: seat("ada") })
            .unwrap();
        assert_eq!(control.tick(after(12)), None);
        control
            .step(after(20), Input::Left { seat: seat("ada") })
            .unwrap();
        let lost = control.tick(after(30)).unwrap();
        assert_eq!((lost.cause, control.owner()), (Cause::Gone, &Owner::Agent));
        let until = after(2_000);
        let id = "r".to_owned();
        control
            .step(after(40), Input::Request { id, until })
            .unwrap();
        control.step(after(40), take("ada")).unwrap();
        control
            .step(after(100), Input::Used { seat: seat("ada") })
            .unwrap();
        assert_eq!(control.tick(after(219)), None);
        let lost = control.tick(after(220)).unwrap();
        assert_eq!((lost.cause, control.owner()), (Cause::Idle, &Owner::Nobody));
        let over = control.tick(until).unwrap();
        assert_eq!(
            (over.cause, over.ended.as_deref()),
            (Cause::Expired, Some("r"))
        );
        assert_eq!(control.owner(), &Owner::Agent);
    }

    fn any_input() -> impl Strategy<Value = Input> {
        let seat = || "[abc]";
        prop_oneof![
            (0_u64..4_000).prop_map(|seconds| Input::Request {
                id: String::new(),
                until: Instant::now() + Duration::from_secs(seconds),
            }),
            Just(Input::Withdraw),
            (seat(), any::<bool>()).prop_map(|(seat, is_forced)| Input::Take { seat, is_forced }),
            seat().prop_map(|seat| Input::Ask { seat }),
            seat().prop_map(|seat| Input::Grant { seat }),
            (seat(), any::<bool>()).prop_map(|(seat, is_done)| Input::HandBack { seat, is_done }),
            seat().prop_map(|seat| Input::Left { seat }),
            seat().prop_map(|seat| Input::Lose { seat }),
            seat().prop_map(|seat| Input::Joined { seat }),
            seat().prop_map(|seat| Input::Used { seat }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]

        /// Whatever happens: whoever was told last that they have the wheel is the only one who has it, nobody
        /// has it only while a person is asked for, and each request ends once.
        #[test]
        fn there_are_never_two_owners(acts in proptest::collection::vec((any_input(), 0_u64..90), 0..60)) {
            let (mut control, mut now) = (Control::default(), Instant::now());
            // What each person believes, by what they were answered and told.
            let mut believes: HashMap<Seat, bool> = HashMap::new();
            let mut open: Option<String> = None;
            for (count, (mut input, seconds)) in acts.into_iter().enumerate() {
                now += Duration::from_secs(seconds);
                let told = |change: &Change, control: &Control, believes: &mut HashMap<Seat, bool>| {
                    if change.cause != Cause::Asked {
                        for (seat, drives) in believes.iter_mut() {
                            *drives = control.driver() == Some(seat);
                        }
                    }
                };
                while let Some(change) = control.tick(now) {
                    if let Some(ended) = &change.ended {
                        prop_assert_eq!(open.take(), Some(ended.clone()));
                    }
                    told(&change, &control, &mut believes);
                }
                if let Input::Request { id, .. } = &mut input {
                    *id = count.to_string();
                }
                let asked = input.clone();
                let answer = control.step(now, input);
                if let Ok(change) = &answer {
                    match &asked {
                        Input::Take { seat, .. } | Input::Grant { seat } => {
                            believes.insert(seat.clone(), true);
                        }
                        Input::Request { id, .. } => open = Some(id.clone()),
                        _ => {}
                    }
                    if let Some(change) = change {
                        if let Some(ended) = &change.ended {
                            prop_assert_eq!(open.take(), Some(ended.clone()));
                        }
                        told(change, &control, &mut believes);
                    }
                }
                let drivers: Vec<_> = believes.iter().filter(|(_, drives)| **drives).collect();
                prop_assert!(drivers.len() < 2, "{drivers:?}");
                prop_assert_eq!(drivers.first().map(|(seat, _)| *seat), control.driver());
                prop_assert_eq!(control.owner() == &Owner::Nobody, open.is_some() && control.driver().is_none());
                prop_assert_eq!(control.request(), open.as_deref());
                if let Input::Used { seat } = &asked {
                    prop_assert_eq!(answer.is_ok(), control.driver() == Some(seat));
                }
            }
        }
    }
}
