//! The wheel as those in a LiveKit room come to it.

use std::time::Instant;

use tokio::sync::watch;

use super::{Seated, State, Wheel};
use crate::error::Error;
use crate::session::control::Input;

/// Participants who may be let drive by name.
const PERMITTED_MAX: usize = 64;

impl Wheel {
    /// Sits down somebody who is in the room: at the seat that they have already, if they do.
    pub(in super::super) fn sit_from_room(
        &self,
        identity: &str,
        name: &str,
    ) -> Result<Seated, Error> {
        let seat = {
            let state = self.lock();
            let mut people = state.people.iter();
            let own = people.find(|(_, person)| person.identity.as_deref() == Some(identity));
            own.map(|(seat, _)| seat.clone())
        };
        let seated = self.sit(seat.as_deref(), name)?;
        if let Some(person) = self.lock().people.get_mut(&seated.seat) {
            person.identity = Some(identity.to_owned());
        }
        Ok(seated)
    }

    /// Whether those of the room may come to it: they see nothing of what is driven privately.
    pub(in super::super) fn must_be_open_to_room(&self) -> Result<(), Error> {
        self.lock().must_be_open_to_room()
    }

    /// What the room knows the person by who drives, where it is somebody of the room, and what they are called.
    pub(in super::super) fn driver_as_told(&self) -> Option<(Option<String>, String)> {
        let state = self.lock();
        let seat = state.control.driver()?;
        let person = state.people.get(seat);
        let identity = person.and_then(|person| person.identity.clone());
        Some((identity, state.name(seat)))
    }

    /// Counts what changes about it.
    pub(in super::super) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Whether it is they who drive.
    pub(in super::super) fn is_driven_from(&self, seat: &str) -> bool {
        self.lock().control.driver().is_some_and(|own| own == seat)
    }

    /// Notes that whoever sits there does something by another way than their hand; refused where they may not.
    pub(in super::super) fn note_use(&self, seat: &str) -> Result<(), Error> {
        self.lock().must_be_used(Instant::now(), seat)
    }

    /// Waits until the person of this seat has the wheel and nothing of the agent's is under way, or has it no
    /// more; answers which of the two. Whoever waits does not sit there.
    pub(in super::super) async fn ready(&self, seat: &str) -> bool {
        self.wait_until(|| self.may_act_from(seat) || !self.is_driven_from(seat))
            .await;
        self.may_act_from(seat)
    }

    /// Gives it back to the agent, for the person of this seat.
    pub(in super::super) fn hand_back_from(&self, seat: &str, is_done: bool) -> Result<(), Error> {
        let seat = seat.to_owned();
        let name = self.lock().name(&seat);
        self.step(Input::HandBack { seat, is_done }, Some(name))
    }

    /// Lets a participant of the room drive, whatever its token says of it. A service that is started anew
    /// does not know of it.
    pub fn permit(&self, identity: &str) -> Result<(), Error> {
        let mut state = self.lock();
        let is_full = state.permitted.len() >= PERMITTED_MAX;
        if is_full && !state.permitted.contains(identity) {
            return Err(
                Error::exhausted("too many participants are let drive this session")
                    .hint("Take the right from one who does not need it any more."),
            );
        }
        state.permitted.insert(identity.to_owned());
        drop(state);
        self.wake();
        Ok(())
    }

    /// Takes from a participant what it was let do; answers whether there was anything to take.
    pub fn forbid(&self, identity: &str) -> bool {
        let was_permitted = self.lock().permitted.remove(identity);
        self.wake();
        was_permitted
    }

    /// Whether a participant was let drive.
    pub(in super::super) fn permits(&self, identity: &str) -> bool {
        self.lock().permitted.contains(identity)
    }
}

impl State {
    fn must_be_open_to_room(&self) -> Result<(), Error> {
        let is_asked_for = self.request.as_ref().is_some_and(|request| request.private);
        if self.is_private || is_asked_for {
            return Err(
                Error::forbidden("this is driven privately, and the room sees no page")
                    .hint("Open the link."),
            );
        }
        Ok(())
    }
}

impl Seated {
    /// Takes the wheel, unless it is driven privately or shall be.
    pub(in super::super) fn take_in_room(&self, is_forced: bool) -> Result<(), Error> {
        let seat = self.seat.clone();
        let name = self.wheel.lock().name(&seat);
        let must = |state: &State| state.must_be_open_to_room();
        self.wheel
            .step_if(must, Input::Take { seat, is_forced }, Some(name))
    }
}
