//! The door by which those in the LiveKit room come to the session: they take the wheel, act on the page and
//! give it back by calls, and by data under a topic.
//!
//! One task a session, which waits for nobody: what takes its time is a future beside. A participant is let in
//! by what its token's issuer says of it, or by name; what it may do is asked for again with everything that
//! it does.

mod calls;
mod hand;
mod input;
mod news;

use std::time::Duration;

use futures::FutureExt;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::hand::{Done, Hand};
use self::input::Reader;
use self::news::{Known, News};
use super::handle::{Distant, SessionHandle, closed};
use super::wheel::{Seated, Wheel};
use crate::error::{Error, ErrorKind};
use crate::livekit::Participant;
use crate::livekit::data::{Heard, RpcError, Said, Told};
use crate::model::SessionRecord;
use crate::model::hand::Deed;
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
    news: News,
}

/// One of the room who drives.
struct Driver {
    identity: String,
    /// Nothing else holds it: with it, they have left.
    seated: Seated,
    reader: Reader,
    hand: Hand,
}

/// A call of a participant's.
struct Call {
    id: String,
    method: String,
    payload: String,
    patience: Duration,
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
            news: News::since(known(&session), talk.clone()),
            session,
            talk,
            driver: None,
            answers: FuturesUnordered::new(),
            early: FuturesUnordered::new(),
        }
    }

    async fn run(mut self, over: CancellationToken) {
        let listening = self.talk.clone();
        let mut heard = tokio::select! {
            () = over.cancelled() => return,
            heard = listening.listen() => heard,
        };
        // What was said to no door is about a page that is gone.
        while let Ok(said) = heard.try_recv() {
            self.let_pass(said);
        }
        let mut changes = self.wheel().changes();
        self.review();
        loop {
            tokio::select! {
                biased;
                () = over.cancelled() => return,
                Ok(()) = changes.changed() => self.review(),
                Ok(()) = self.senders.changed() => self.review(),
                changed = self.record.changed() => match changed {
                    Ok(()) => self.tell(),
                    Err(_) => return,
                },
                Some(answer) = self.answers.next() => self.talk.say(answer),
                () = self.news.told() => self.tell(),
                done = driven(&mut self.driver, &self.session) => count_message(outcome(&done)),
                Some((from, call)) = self.early.next() => self.call(from, call),
                said = heard.recv() => match said {
                    Some(said) => self.hear(said),
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
        let participant = senders.iter().find(|it| it.identity == identity)?;
        self.may_drive(participant).then(|| participant.clone())
    }

    fn may_drive(&self, participant: &Participant) -> bool {
        participant.is_controller || self.wheel().permits(&participant.identity)
    }

    /// Lets go of the seat of a driver who is gone, may drive no more or does not drive any more; sits one
    /// down again who has come back. Tells the room of it.
    fn review(&mut self) {
        if let Some(driver) = self.driver.take() {
            let drives = self.wheel().is_driven_from(driver.seated.seat());
            let is_there = |it: &Participant| it.identity == driver.identity;
            let is_there = self.senders.borrow().iter().any(is_there);
            match (drives, is_there) {
                (true, true) if self.is_permitted(&driver.identity) => {
                    self.driver = Some(driver);
                }
                // Whoever may drive no more does not drive for a moment longer.
                (true, true) => drop(driver.seated.lose()),
                // Whoever is gone may come back within the time that the wheel leaves them.
                _ => {}
            }
        } else if let Some((Some(identity), _)) = self.wheel().driver_as_told()
            && let Some(participant) = self.permitted(&identity)
            && let Ok(seated) = self.wheel().sit_from_room(&identity, &name(&participant))
        {
            self.seat(identity, seated);
        }
        self.tell();
    }

    fn seat(&mut self, identity: String, seated: Seated) {
        self.driver = Some(Driver {
            identity,
            seated,
            reader: Reader::default(),
            hand: Hand::default(),
        });
    }

    /// Tells the room what has changed.
    fn tell(&mut self) {
        self.news.tell(known(&self.session));
    }

    fn hear(&mut self, heard: Heard) {
        let from = heard.identity;
        match heard.said {
            Said::Data { payload, .. } => {
                if let Err(error) = self.input(&from, &payload, None) {
                    count_message(outcome(&Err(error)));
                }
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
                if is_known {
                    self.call(from, call);
                } else if self.early.len() < CALLS_MAX {
                    self.wait_to_be_told_of(from, call);
                } else {
                    let error =
                        Error::exhausted("there are too many callers of whom nothing is known yet")
                            .hint("Call again in a moment.");
                    self.answer(from, call.id, Err(calls::told(&error)));
                }
            }
        }
    }

    /// Does nothing of what somebody has said; whoever called is told so.
    fn let_pass(&self, heard: Heard) {
        let (Said::Call { id, .. } | Said::Refused { id, .. }) = heard.said else {
            return count_message("late");
        };
        self.ack(&heard.identity, &id);
        let error = Error::unavailable("the browser was not there yet, or has begun anew since")
            .hint("Call again.");
        self.answer(heard.identity, id, Err(calls::told(&error)));
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

    /// Has what a message says done on the page, after what the driver has said before.
    fn input(
        &mut self,
        from: &str,
        message: &[u8],
        caller: Option<oneshot::Sender<Done>>,
    ) -> Result<(), Error> {
        let viewport = self.record.borrow().viewport;
        let driver = self.driver(from)?;
        let deeds = driver.reader.read(message)?;
        deeds
            .iter()
            .try_for_each(|deed| deed.must_be_sound(viewport))?;
        driver.hand.push(deeds, caller)
    }

    /// Whether whoever is called so is there, and may drive.
    fn is_permitted(&self, identity: &str) -> bool {
        let may = |it: &Participant| it.identity == identity && self.may_drive(it);
        self.senders.borrow().iter().any(may)
    }

    /// Whoever may drive, and does.
    fn driver(&mut self, identity: &str) -> Result<&mut Driver, Error> {
        if !self.is_permitted(identity) {
            return Err(may_watch());
        }
        let driver = self.driver.as_mut();
        driver
            .filter(|driver| driver.identity == identity && driver.seated.drives())
            .ok_or_else(|| {
                Error::conflict("you do not have the wheel").hint("Call browser/take first.")
            })
    }

    fn must_be_permitted(&self, identity: &str) -> Result<Participant, Error> {
        self.permitted(identity).ok_or_else(may_watch)
    }
}

/// What the driver has done by data, message by message.
async fn driven(driver: &mut Option<Driver>, session: &Distant) -> Done {
    let Some(driver) = driver else {
        return std::future::pending().await;
    };
    let seat = driver.seated.seat();
    let act = |deeds| act(session.near(), seat.to_owned(), deeds).boxed();
    driver.hand.next(act).await
}

async fn act(session: Option<SessionHandle>, seat: String, deeds: Vec<Deed>) -> Done {
    let session = session.ok_or_else(closed)?;
    for deed in &deeds {
        session.drive_from(&seat, deed).await?;
    }
    Ok(deeds.len())
}

/// What the room knows.
fn known(session: &Distant) -> Known {
    let session = session.seen();
    Known {
        url: session.record.borrow().current_url.clone(),
        driver: session.wheel().driver_as_told(),
    }
}

/// As which a message is counted.
const fn outcome(done: &Done) -> &'static str {
    match done {
        Ok(_) => "done",
        Err(error) => match error.kind {
            ErrorKind::Forbidden => "not_permitted",
            ErrorKind::Conflict => "not_driving",
            ErrorKind::InvalidInput => "malformed",
            ErrorKind::Exhausted => "overflow",
            _ => "failed",
        },
    }
}

fn may_watch() -> Error {
    Error::forbidden("you may watch, and not drive").hint(
        "It takes canPublishData and the attribute browser.role=controller in a token without \
         canUpdateOwnMetadata.",
    )
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
