//! What a person says beside their connection: by the data channel of their picture. It is heard where their
//! connection is, as if it had come by that, and by nobody where they have none.

use tokio::sync::mpsc;

use super::{Seat, Seated, Wheel};
use crate::publish::whep;

/// Messages that wait for those before them. A page has half as many on their way at most.
const WAITING_MAX: usize = 256;
/// Longest message by a channel. What is longer goes by the connection.
const MESSAGE_BYTES_MAX: usize = 60 * 1024;

/// By which way a person is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Their connection.
    Socket,
    /// The data channel of their picture.
    Channel,
}

impl Way {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Socket, Self::Channel];

    /// Its name, as it is counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Channel => "channel",
        }
    }

    /// Counts one message that came by it.
    pub fn count(self, outcome: Hearing) {
        let (way, outcome) = (self.as_str(), outcome.as_str());
        metrics::counter!("ghostcast_driver_messages_total", "way" => way, "outcome" => outcome)
            .increment(1);
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// It is done.
    Done,
    /// It was heard before, by the other way.
    Repeated,
    /// Whoever says it does not have the wheel, or may not take it.
    NotDriving,
    /// It is no message that a person sends, or not by this way.
    Malformed,
    /// It came to nothing.
    Failed,
    /// It is longer than any.
    TooLarge,
    /// Too many wait before it.
    Overflow,
    /// Nobody sits where it comes from.
    NoSeat,
}

impl Hearing {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Repeated,
        Self::NotDriving,
        Self::Malformed,
        Self::Failed,
        Self::TooLarge,
        Self::Overflow,
        Self::NoSeat,
    ];

    /// What becomes of messages that came by this way.
    pub fn by(way: Way) -> impl Iterator<Item = (Way, Self)> {
        Self::ALL.into_iter().map(move |hearing| (way, hearing))
    }

    /// Its name, as it is counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Repeated => "repeated",
            Self::NotDriving => "not_driving",
            Self::Malformed => "malformed",
            Self::Failed => "failed",
            Self::TooLarge => "too_large",
            Self::Overflow => "overflow",
            Self::NoSeat => "no_seat",
        }
    }
}

/// Hears what a viewer says, who sits there or nowhere.
#[derive(Debug)]
pub(in super::super) struct Ear {
    wheel: Wheel,
    seat: Option<Seat>,
}

impl Ear {
    /// Where the viewer sits.
    pub(in super::super) fn seat(&self) -> Option<&Seat> {
        self.seat.as_ref()
    }

    fn pass_on(&self, message: Vec<u8>) -> Result<(), Hearing> {
        let seat = self.seat.as_ref().ok_or(Hearing::NoSeat)?;
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(Hearing::TooLarge);
        }
        let ear = {
            let state = self.wheel.lock();
            let person = state.people.get(seat);
            person.and_then(|person| person.ear.clone())
        };
        let passed = ear.ok_or(Hearing::NoSeat)?.try_send(message);
        passed.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Hearing::Overflow,
            mpsc::error::TrySendError::Closed(_) => Hearing::NoSeat,
        })
    }
}

impl whep::Ear for Ear {
    fn hear(&self, message: Vec<u8>) {
        if let Err(outcome) = self.pass_on(message) {
            Way::Channel.count(outcome);
        }
    }
}

impl Wheel {
    /// The ear for a viewer who says that they sit there.
    pub(in super::super) fn ear(&self, seat: Option<Seat>) -> Ear {
        Ear {
            wheel: self.clone(),
            seat,
        }
    }
}

impl Seated {
    /// What they say by the channel of their picture from now on, which is heard nowhere else any more.
    pub fn listen(&self) -> mpsc::Receiver<Vec<u8>> {
        let (ear, said) = mpsc::channel(WAITING_MAX);
        if let Some(person) = self.wheel.lock().people.get_mut(&self.seat) {
            person.ear = Some(ear);
        }
        said
    }

    /// The last number of what they have said, by whatever way, that was heard.
    pub fn heard(&self) -> u64 {
        let state = self.wheel.lock();
        let person = state.people.get(&self.seat);
        person.map_or(0, |person| person.heard)
    }

    /// Notes that what has this number is heard; answers whether it was not yet.
    pub fn note_heard(&self, number: u64) -> bool {
        let mut state = self.wheel.lock();
        let Some(person) = state.people.get_mut(&self.seat) else {
            return false;
        };
        let is_new = number > person.heard;
        person.heard = person.heard.max(number);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SessionId;
    use crate::publish::whep::Ear as _;
    use crate::session::links::Links;

    #[test]
    fn a_channel_is_heard_at_its_seat_alone() {
        let wheel = Wheel::new(SessionId::new(), Links::default(), String::new());
        let ada = wheel.sit(None, "Ada").unwrap();
        let ear = wheel.ear(Some(ada.seat().to_owned()));
        assert_eq!(ear.pass_on(vec![1]), Err(Hearing::NoSeat), "nobody listens");
        let mut said = ada.listen();
        ear.hear(vec![1]);
        for nobody in [None, Some("seat_guess".to_owned())] {
            let guess = wheel.ear(nobody).pass_on(vec![2]);
            assert_eq!(guess, Err(Hearing::NoSeat));
        }
        let long = vec![0; MESSAGE_BYTES_MAX + 1];
        assert_eq!(ear.pass_on(long), Err(Hearing::TooLarge));
        assert_eq!(said.try_recv(), Ok(vec![1]));
        for _ in 0..WAITING_MAX {
            ear.pass_on(vec![3]).unwrap();
        }
        assert_eq!(ear.pass_on(vec![3]), Err(Hearing::Overflow));
        // A page that has come back.
        let mut newer = ada.listen();
        ear.hear(vec![4]);
        assert_eq!(newer.try_recv(), Ok(vec![4]));
        drop((said, newer));
        assert_eq!(ear.pass_on(vec![5]), Err(Hearing::NoSeat));
    }

    #[test]
    fn what_was_heard_is_not_heard_again() {
        let wheel = Wheel::new(SessionId::new(), Links::default(), String::new());
        let ada = wheel.sit(None, "Ada").unwrap();
        let again = wheel.sit(Some(ada.seat()), "Ada").unwrap();
        assert!(ada.note_heard(1) && ada.note_heard(2) && !again.note_heard(2));
        drop(ada);
        assert!(!again.note_heard(1) && again.note_heard(7));
        assert_eq!(again.heard(), 7);
    }
}
