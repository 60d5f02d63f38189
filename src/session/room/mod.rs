//! The door by which those in the LiveKit room come to the session: they take the wheel, act on the page and
//! give it back by calls, and by data under a topic.
//!
//! One task a session, which waits for nobody: what takes its time is a future beside. A participant is let in
//! by what its token's issuer says of it, or by name; what it may do is asked for again with everything that
//! it does.

mod calls;
mod input;

use std::time::Duration;

use futures::FutureExt;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::input::Reader;
use super::handle::{Distant, SessionHandle};
use super::wheel::{Seated, Wheel};
use crate::error::{Error, ErrorKind};
use crate::livekit::data::{Heard, RpcError, Said, Told};
use crate::livekit::{Participant, conventions};
use crate::model::SessionRecord;
use crate::publish::livekit::{Talk, count_message};

/// Calls whose answers are not there yet.
const CALLS_MAX: usize = 16;
/// A server tells of one who has joined within this, but hands on at once what they say.
const KNOWN_WITHIN: Duration = Duration::from_secs(4);
/// Longest name that is told with an identity, characters.
const NAME_MAX: usize = 24;

/// The door of one session.
struct Door {
    session: Distant,
    talk: Talk,
    senders: watch::Receiver<Vec<Participant>>,
    record: watch::Receiver<SessionRecord>,
    /// The one of the room who drives.
    driver: Option<Driver>,
    /// Answers that are on their way.
    answers: FuturesUnordered<BoxFuture<'static, Told>>,
    /// Calls of those of whom nothing is known yet.
    early: FuturesUnordered<BoxFuture<'static, (String, Call)>>,
    /// What the room was told last.
    told: Known,
}

/// One of the room who drives.
struct Driver {
    identity: String,
    /// Nothing else holds it: with it, they have left.
    seated: Seated,
    reader: Reader,
}

/// A call of a participant's.
struct Call {
    id: String,
    method: String,
    payload: String,
    patience: Duration,
}

/// What all in the room are told when it changes.
#[derive(Default, PartialEq, Eq)]
struct Known {
    url: String,
    /// Who drives: what the room knows them by, and what they are called.
    driver: Option<(Option<String>, String)>,
}

/// Serves the door of a session into its room, if it is in one, until the session is over or has got another
/// door.
pub(super) fn serve(
    session: &SessionHandle,
    talk: Option<Talk>,
    over: CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let door = talk.map(|talk| Door::new(session.distant(), talk));
    async move {
        if let Some(door) = door {
            door.run(over).await;
        }
    }
}

impl Door {
    fn new(session: Distant, talk: Talk) -> Self {
        Self {
            senders: talk.senders(),
            record: session.seen().watch(),
            session,
            talk,
            driver: None,
            answers: FuturesUnordered::new(),
            early: FuturesUnordered::new(),
            told: Known::default(),
        }
    }

    async fn run(mut self, over: CancellationToken) {
        let listening = self.talk.clone();
        let mut heard = tokio::select! {
            () = over.cancelled() => return,
            heard = listening.listen() => heard,
        };
        let mut changes = self.wheel().changes();
        // Whoever comes later has it from the attributes.
        self.told = self.known();
        loop {
            self.review();
            self.tell();
            tokio::select! {
                biased;
                () = over.cancelled() => return,
                Some(answer) = self.answers.next() => self.talk.say(answer),
                Some((from, call)) = self.early.next() => self.call(from, call).await,
                Ok(()) = self.senders.changed() => {}
                Ok(()) = changes.changed() => {}
                changed = self.record.changed() => if changed.is_err() {
                    return;
                },
                said = heard.recv() => match said {
                    Some(said) => self.hear(said).await,
                    None => return,
                },
            }
        }
    }

    fn wheel(&self) -> &Wheel {
        self.session.seen().wheel()
    }

    /// The participant of this name, if it may drive.
    fn permitted(&self, identity: &str) -> Option<Participant> {
        let senders = self.senders.borrow();
        let participant = senders.iter().find(|it| it.identity == identity).cloned()?;
        let may = participant.is_controller || self.wheel().permits(identity);
        may.then_some(participant)
    }

    /// Lets go of the seat of a driver who is gone, may drive no more or does not drive any more; sits one
    /// down again who has come back.
    fn review(&mut self) {
        self.senders.borrow_and_update();
        self.record.borrow_and_update();
        if let Some(driver) = self.driver.take() {
            let drives = self.wheel().is_driven_from(driver.seated.seat());
            let is_there = |it: &Participant| it.identity == driver.identity;
            let is_there = self.senders.borrow().iter().any(is_there);
            match (drives, is_there) {
                (true, true) if self.permitted(&driver.identity).is_some() => {
                    self.driver = Some(driver);
                }
                // Whoever may drive no more does not drive for a moment longer.
                (true, true) => drop(driver.seated.lose()),
                // Whoever is gone may come back within the time that the wheel leaves them.
                _ => {}
            }
        } else if let Some(identity) = self.wheel().driver_in_room()
            && let Some(participant) = self.permitted(&identity)
            && let Ok(seated) = self.wheel().sit_from_room(&identity, &name(&participant))
        {
            self.seat(identity, seated);
        }
    }

    fn seat(&mut self, identity: String, seated: Seated) {
        self.driver = Some(Driver {
            identity,
            seated,
            reader: Reader::default(),
        });
    }

    /// Tells the room what has changed.
    fn tell(&mut self) {
        let known = self.known();
        if known.url != self.told.url {
            self.say(conventions::TOPIC_URL, &json!({ "url": known.url }));
        }
        if known.driver != self.told.driver {
            let (identity, who) = known.driver.clone().unzip();
            let focus = json!({ "identity": identity.flatten(), "who": who });
            self.say(conventions::TOPIC_FOCUS, &focus);
        }
        self.told = known;
    }

    fn known(&self) -> Known {
        let status = self.wheel().status();
        Known {
            url: self.record.borrow().current_url.clone(),
            driver: status.who.map(|who| (self.wheel().driver_in_room(), who)),
        }
    }

    fn say(&self, topic: &'static str, payload: &serde_json::Value) {
        let payload = payload.to_string();
        self.talk.say(Told::Data { topic, payload });
    }

    async fn hear(&mut self, heard: Heard) {
        let from = heard.identity;
        match heard.said {
            Said::Data { payload, .. } => {
                let done = self.input(&from, &payload).await;
                count_message(match done {
                    Ok(_) => "done",
                    Err(error) => match error.kind {
                        ErrorKind::Forbidden => "not_permitted",
                        ErrorKind::Conflict => "not_driving",
                        ErrorKind::InvalidInput => "malformed",
                        _ => "failed",
                    },
                });
            }
            Said::Refused { id, error } => {
                self.ack(&from, &id);
                self.answer(from, id, Err(error));
            }
            Said::Call {
                id,
                method,
                payload,
                patience,
            } => {
                self.ack(&from, &id);
                let call = Call {
                    id,
                    method,
                    payload,
                    patience,
                };
                let is_known = self.senders.borrow().iter().any(|it| it.identity == from);
                if is_known || self.early.len() >= CALLS_MAX {
                    self.call(from, call).await;
                } else {
                    self.wait_to_be_told_of(from, call);
                }
            }
        }
    }

    /// Takes the call when it is known what whoever calls may do.
    fn wait_to_be_told_of(&self, from: String, call: Call) {
        let mut senders = self.senders.clone();
        let early = async move {
            let known = senders.wait_for(|known| known.iter().any(|it| it.identity == from));
            // Who stays unknown may do nothing.
            drop(timeout(KNOWN_WITHIN, known).await);
            (from, call)
        };
        self.early.push(early.boxed());
    }

    fn ack(&self, to: &str, id: &str) {
        let (to, id) = (to.to_owned(), id.to_owned());
        self.talk.say(Told::Ack { to, id });
    }

    fn answer(&self, to: String, id: String, answer: Result<String, RpcError>) {
        self.talk.say(Told::Answer { to, id, answer });
    }

    /// Does on the page what a message says; answers how many things that were.
    async fn input(&mut self, from: &str, message: &[u8]) -> Result<usize, Error> {
        let session = self.session.near().ok_or_else(super::handle::closed)?;
        let driver = self.driver(from)?;
        let deeds = driver.reader.read(message)?;
        let viewport = session.record.borrow().viewport;
        deeds
            .iter()
            .try_for_each(|deed| deed.must_be_sound(viewport))?;
        for deed in &deeds {
            session.drive(&driver.seated, deed).await?;
        }
        Ok(deeds.len())
    }

    /// Whoever may drive, and does.
    fn driver(&mut self, identity: &str) -> Result<&mut Driver, Error> {
        self.must_be_permitted(identity)?;
        let driver = self.driver.as_mut();
        driver
            .filter(|driver| driver.identity == identity && driver.seated.drives())
            .ok_or_else(|| {
                Error::conflict("you do not have the wheel").hint("Call browser/take first.")
            })
    }

    fn must_be_permitted(&self, identity: &str) -> Result<Participant, Error> {
        self.permitted(identity).ok_or_else(|| {
            Error::forbidden("you may watch, and not drive").hint(
                "It takes canPublishData and the attribute browser.role=controller in a token \
                 without canUpdateOwnMetadata.",
            )
        })
    }
}

/// What a participant is called where it is told who drives. The name may be anybody's; the identity is not.
fn name(participant: &Participant) -> String {
    let Participant { identity, name, .. } = participant;
    let name: String = name.trim().chars().take(NAME_MAX).collect();
    match name.is_empty() || name == *identity {
        true => identity.clone(),
        false => format!("{name} ({identity})"),
    }
}
