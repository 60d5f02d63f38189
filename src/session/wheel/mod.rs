//! The wheel of a session: [`Control`] with a clock, and what the people are called.

mod ear;
mod invite;
mod room;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::control::{Cause, Change, Control, Input, Owner, Refusal, Seat};
use super::links::Links;
use crate::credential::random;
use crate::error::Error;
use crate::model::command::REASON_CHARS_MAX;
use crate::model::control::{ControlOwner, ControlStatus, HumanRequest};
use crate::model::hand::Deed;
use crate::model::ids::action_id;
use crate::model::{SessionId, UnixTime};

pub(super) use ear::Ear;
pub use ear::{Hearing, Way};
pub use invite::{Invitation, Invite};

/// People with a page open on one session.
const PEOPLE_MAX: usize = 64;
/// Buttons and keys that are remembered of those that a person holds.
const HELD_MAX: usize = 32;
/// A driver's use of the session is noted this often.
const TOUCH_EVERY: Duration = Duration::from_secs(5);
/// What a person's seat begins with.
const SEAT: &str = "seat_";
/// Connections at one seat: a page that comes back before the old one is known to be gone.
const SOCKETS_OF_SEAT_MAX: u32 = 4;
/// Longest name of a person, characters.
const NAME_MAX: usize = 64;

/// The wheel of one session. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Wheel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    session: SessionId,
    links: Links,
    /// Where the service is, for whom nobody has told otherwise.
    address: String,
    state: Mutex<State>,
    /// There is news, or another deadline.
    woken: Notify,
    /// How often something has changed.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    control: Control,
    people: HashMap<Seat, Person>,
    /// Those of the room who were let drive.
    permitted: HashSet<String>,
    request: Option<HumanRequest>,
    /// Ends the link by which people come to it.
    request_link: CancellationToken,
    since: Option<UnixTime>,
    /// Whether the driver drives privately.
    is_private: bool,
    /// How many have had the page to themselves.
    privacies: u64,
    /// Whether the driver may begin: the agent's action is brought to its end first, and what the driver before
    /// holds is let go of.
    is_clear: bool,
    /// What lets go of what the driver holds, and who that is.
    held: Vec<Deed>,
    held_by: Option<Seat>,
    /// When the session's use was noted last.
    touched: Option<Instant>,
    /// What the actor has not heard of yet.
    news: VecDeque<News>,
}

#[derive(Debug)]
struct Person {
    name: String,
    /// Their open connections.
    sockets: u32,
    /// What the LiveKit room knows them by, if they are there.
    identity: Option<String>,
    /// Whether they drive privately when they do.
    is_private: bool,
    /// Where what they say by the channel of their picture is heard: with their newest connection.
    ear: Option<mpsc::Sender<Vec<u8>>>,
    /// The last number of what they have said that was heard.
    heard: u64,
}

/// Something that has become of the wheel.
#[derive(Debug, Clone)]
pub(super) struct News {
    /// Why.
    pub(super) cause: Cause,
    /// Who it was that took it, gave it back, lost it or asks.
    pub(super) who: Option<String>,
    /// The request that it is about.
    pub(super) request: Option<HumanRequest>,
    /// Who has it since.
    pub(super) owner: ControlOwner,
    /// Whether that one drives privately.
    pub(super) is_private: bool,
    /// What lets go of what the one who had it before held.
    pub(super) releases: Vec<Deed>,
}

/// A person at a session, for as long as this is held.
#[derive(Debug)]
pub struct Seated {
    wheel: Wheel,
    seat: Seat,
}

impl Wheel {
    /// The wheel of a session that the agent drives. The service is at `address`, which ends with a slash.
    pub(super) fn new(session: SessionId, links: Links, address: String) -> Self {
        Self(Arc::new(Inner {
            session,
            links,
            address,
            state: Mutex::new(State {
                control: Control::default(),
                people: HashMap::new(),
                permitted: HashSet::new(),
                request: None,
                request_link: CancellationToken::new(),
                since: None,
                is_private: false,
                privacies: 0,
                is_clear: false,
                held: Vec::new(),
                held_by: None,
                touched: None,
                news: VecDeque::new(),
            }),
            woken: Notify::new(),
            changes: watch::Sender::new(0),
        }))
    }

    /// The wheel for whoever takes this one's place; what is left hears of nothing any more.
    pub(super) fn take(&mut self) -> Self {
        let left = Self::new(self.0.session, self.0.links.clone(), String::new());
        std::mem::replace(self, left)
    }

    /// Who drives, as it is told.
    pub fn status(&self) -> ControlStatus {
        self.lock().status()
    }

    /// Whether a person drives, or has the session's page open.
    pub fn has_people(&self) -> bool {
        let state = self.lock();
        state.control.driver().is_some() || state.people.values().any(|one| one.sockets > 0)
    }

    /// What the person is called who drives, and since when.
    pub(super) fn driver(&self) -> Option<(String, String)> {
        let state = self.lock();
        let seat = state.control.driver()?;
        let since = state.since.map(UnixTime::to_iso8601).unwrap_or_default();
        Some((state.name(seat), since))
    }

    /// Sits somebody down: at a seat that they had before, or at a new one.
    pub fn sit(&self, seat: Option<&str>, name: &str) -> Result<Seated, Error> {
        let mut state = self.lock();
        let known = seat.filter(|seat| state.people.contains_key(*seat));
        let seat = match known {
            Some(seat) => seat.to_owned(),
            None if state.people.len() >= PEOPLE_MAX => {
                return Err(Error::exhausted("too many people are at this session")
                    .hint("Close one of their pages."));
            }
            None => random(SEAT)?,
        };
        let name = cut(name, NAME_MAX);
        let person = state.people.entry(seat.clone()).or_insert(Person {
            name,
            sockets: 0,
            identity: None,
            is_private: false,
            ear: None,
            heard: 0,
        });
        if person.sockets >= SOCKETS_OF_SEAT_MAX {
            return Err(Error::exhausted("this seat has too many connections")
                .hint("Close the pages that are open of it."));
        }
        person.sockets += 1;
        // Whoever sits down changes nothing but that they are there.
        let _ = state
            .control
            .step(Instant::now(), Input::Joined { seat: seat.clone() });
        drop(state);
        self.wake();
        Ok(Seated {
            wheel: self.clone(),
            seat,
        })
    }

    /// The seat of the person who drives privately.
    pub(super) fn private_driver(&self) -> Option<Seat> {
        let state = self.lock();
        let driver = state.control.driver()?;
        state.is_private.then(|| driver.clone())
    }

    /// Whether the person of this seat drives, and may act.
    pub(super) fn may_act_from(&self, seat: &str) -> bool {
        let state = self.lock();
        state.is_clear && state.control.driver().is_some_and(|driver| driver == seat)
    }

    /// Asks for a person, for the agent; for one who drives privately, where that is wanted.
    pub fn request(
        &self,
        reason: &str,
        (wait, is_private): (Duration, bool),
        link: CancellationToken,
    ) -> Result<HumanRequest, Error> {
        let mut state = self.lock();
        let request = HumanRequest {
            request_id: action_id(),
            reason: cut(reason, REASON_CHARS_MAX),
            expires_at: UnixTime::now().plus(wait).to_iso8601(),
            private: is_private,
        };
        let now = Instant::now();
        let input = Input::Request {
            id: request.request_id.clone(),
            until: now + wait,
        };
        let change = state
            .control
            .step(now, input)
            .map_err(|why| state.refusal(why))?;
        state.request = Some(request.clone());
        state.request_link = link;
        state.note(change, None);
        drop(state);
        self.wake();
        Ok(request)
    }

    /// Withdraws what the agent has asked for.
    pub fn withdraw(&self) -> Result<(), Error> {
        self.step(Input::Withdraw, None)
    }

    /// Waits until a person has the wheel.
    pub(super) async fn taken(&self) {
        self.wait_until(|| self.driver().is_some()).await;
    }

    /// Waits until a person drives privately, or has done so meanwhile.
    pub(super) async fn taken_privately(&self) {
        let before = self.lock().privacies;
        let is_so = || self.private_driver().is_some() || self.lock().privacies != before;
        self.wait_until(is_so).await;
    }

    /// Waits until the person of this seat does not drive any more, or not yet again.
    pub(super) async fn left_by(&self, seat: &str) {
        self.wait_until(|| !self.may_act_from(seat)).await;
    }

    async fn wait_until(&self, is_so: impl Fn() -> bool) {
        let mut changes = self.0.changes.subscribe();
        while !is_so() {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// What has become of it, one after the other. Safe to cancel.
    pub(super) async fn next(&self) -> News {
        loop {
            let woken = self.0.woken.notified();
            let deadline = {
                let mut state = self.lock();
                if let Some(news) = state.news.pop_front() {
                    return news;
                }
                let now = Instant::now();
                let driver = state.control.driver().map(|seat| state.name(seat));
                if let Some(change) = state.control.tick(now) {
                    state.note(Some(change), driver);
                    drop(state);
                    self.wake();
                    continue;
                }
                state.control.deadline()
            };
            let due = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = woken => {}
                () = due => {}
            }
        }
    }

    /// Nothing of the agent's is under way, and the page is shown to the one who sits at `veil` alone: the driver
    /// may begin, once the actor has heard that it is they, unless they drive privately and are somebody else.
    pub(super) fn clear(&self, veil: Option<&Seat>) {
        let mut state = self.lock();
        let is_unheard = state.news.iter().any(|news| news.cause == Cause::Taken);
        let driver = state.control.driver();
        let is_veiled = !state.is_private || driver == veil;
        if state.is_clear || is_unheard || driver.is_none() || !is_veiled {
            return;
        }
        state.is_clear = true;
        drop(state);
        self.wake();
    }

    /// Notes what the driver does; refused to anybody else. Answers whether the session's use is to be noted.
    pub(super) fn drive_from(&self, seat: &str, deed: &Deed) -> Result<bool, Error> {
        let now = Instant::now();
        let mut state = self.lock();
        state.must_be_used(now, seat)?;
        state.hold(deed);
        let is_due = state.touched.is_none_or(|at| now >= at + TOUCH_EVERY);
        if is_due {
            state.touched = Some(now);
        }
        Ok(is_due)
    }

    fn step(&self, input: Input, who: Option<String>) -> Result<(), Error> {
        self.step_if(|_| Ok(()), input, who)
    }

    /// The same, where the wheel is as it must be at that very moment.
    fn step_if(
        &self,
        must: impl FnOnce(&State) -> Result<(), Error>,
        input: Input,
        who: Option<String>,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        must(&state)?;
        let change = state.control.step(Instant::now(), input);
        let change = change.map_err(|why| state.refusal(why))?;
        let is_news = change.is_some();
        state.note(change, who);
        drop(state);
        if is_news {
            self.wake();
        }
        Ok(())
    }

    fn wake(&self) {
        self.0.changes.send_modify(|changes| *changes += 1);
        self.0.woken.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn status(&self) -> ControlStatus {
        let name = |seat| self.name(seat);
        ControlStatus {
            owner: self.owner(),
            who: self.control.driver().map(name),
            since: self.since.map(UnixTime::to_iso8601),
            private: self.is_private,
            request: self.request.clone(),
            asking: self.control.asking().iter().map(name).collect(),
        }
    }

    fn owner(&self) -> ControlOwner {
        match self.control.owner() {
            Owner::Agent => ControlOwner::Agent,
            Owner::Human(_) => ControlOwner::Human,
            Owner::Nobody => ControlOwner::Nobody,
        }
    }

    fn name(&self, seat: &Seat) -> String {
        let person = self.people.get(seat);
        person.map_or_else(|| "somebody".to_owned(), |person| person.name.clone())
    }

    /// Keeps what has changed for the actor, and forgets who is of no account any more.
    fn note(&mut self, change: Option<Change>, who: Option<String>) {
        let Some(Change { cause, ended }) = change else {
            return;
        };
        if cause != Cause::Asked {
            self.since = Some(UnixTime::now());
        }
        self.note_privacy();
        let request = self.request.clone();
        if ended.is_some() {
            self.request = None;
            self.request_link.cancel();
        }
        let driver = self.control.driver();
        self.people
            .retain(|seat, person| person.sockets > 0 || driver == Some(seat));
        let mut releases = Vec::new();
        if driver != self.held_by.as_ref() {
            // What the one before holds is let go of, and from whom it is private the picture is taken, before
            // anything is done.
            self.is_clear = false;
            self.held_by = driver.cloned();
            releases = std::mem::take(&mut self.held);
        }
        self.news.push_back(News {
            cause,
            who,
            request,
            owner: self.owner(),
            is_private: self.is_private,
            releases,
        });
    }

    /// Whoever drives does so privately by their link, by what was asked for, or where the one before did: what
    /// that one did is in the page still.
    fn note_privacy(&mut self) {
        let driver = self.control.driver();
        if driver == self.held_by.as_ref() {
            return;
        }
        let before = std::mem::take(&mut self.is_private);
        let Some(driver) = driver else {
            return;
        };
        let own = self.people.get(driver);
        let is_asked = self.request.as_ref().is_some_and(|request| request.private);
        self.is_private = before || is_asked || own.is_some_and(|person| person.is_private);
        self.privacies += u64::from(self.is_private);
    }

    /// Notes that whoever sits there does something; refused where they may not.
    fn must_be_used(&mut self, now: Instant, seat: &str) -> Result<(), Error> {
        let used = self.control.note_use(now, seat);
        used.map_err(|why| self.refusal(why))?;
        match self.is_clear {
            true => Ok(()),
            false => Err(
                Error::conflict("the agent's action is still being brought to its end")
                    .hint("Wait until the state says that the wheel is yours."),
            ),
        }
    }

    /// Notes what the driver holds by this, or lets go of.
    fn hold(&mut self, deed: &Deed) {
        if let Some(release) = deed.release() {
            self.held.retain(|held| !held.lets_go_of(&release));
            if self.held.len() < HELD_MAX {
                self.held.push(release);
            }
        } else {
            self.held.retain(|held| !held.lets_go_of(deed));
        }
    }

    fn refusal(&self, why: Refusal) -> Error {
        match why {
            Refusal::Held => {
                let who = self.control.driver().map(|seat| self.name(seat));
                let who = who.unwrap_or_else(|| "somebody".to_owned());
                Error::conflict(format!("{who} has the wheel"))
                    .hint("Ask for it, or take it over if you may.")
            }
            Refusal::NotYours => {
                Error::conflict("you do not have the wheel").hint("Take it first.")
            }
            Refusal::NotAsked => Error::not_found("nobody of that name asks for the wheel"),
            Refusal::TooMany => Error::exhausted("too many people ask for the wheel already"),
            Refusal::Requested => Error::conflict("a person has been asked for already")
                .hint("Wait for the control event, or withdraw the request first."),
            Refusal::NotRequested => Error::conflict("no person has been asked for"),
        }
    }
}

impl Seated {
    /// The same, who drives privately when they do.
    #[must_use]
    pub fn privately(self, is_private: bool) -> Self {
        if let Some(person) = self.wheel.lock().people.get_mut(&self.seat) {
            person.is_private = is_private;
        }
        self
    }

    /// The seat, which its owner comes back to by it. To be told to nobody else.
    pub fn seat(&self) -> &str {
        &self.seat
    }

    /// Whether they have the wheel, and nothing of the agent's is under way any more.
    pub fn drives(&self) -> bool {
        self.wheel.may_act_from(&self.seat)
    }

    /// Who drives, as it is told.
    pub fn status(&self) -> ControlStatus {
        self.wheel.status()
    }

    /// Counts what changes about the wheel.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.wheel.changes()
    }

    /// Takes the wheel.
    pub fn take(&self, is_forced: bool) -> Result<(), Error> {
        let seat = self.seat.clone();
        self.step(Input::Take { seat, is_forced })
    }

    /// Asks for it.
    pub fn ask(&self) -> Result<(), Error> {
        let seat = self.seat.clone();
        self.step(Input::Ask { seat })
    }

    /// Gives the wheel to the first who asks and is called so.
    pub fn grant(&self, name: &str) -> Result<(), Error> {
        let found = {
            let state = self.wheel.lock();
            let mut asking = state.control.asking().iter();
            asking.find(|seat| state.name(seat) == name).cloned()
        };
        let seat = found.unwrap_or_default();
        self.wheel
            .step(Input::Grant { seat }, Some(name.to_owned()))
    }

    /// They may be here no more.
    pub fn lose(&self) -> Result<(), Error> {
        let seat = self.seat.clone();
        self.step(Input::Lose { seat })
    }

    /// Gives the wheel back to the agent.
    pub fn hand_back(&self, is_done: bool) -> Result<(), Error> {
        self.wheel.hand_back_from(&self.seat, is_done)
    }

    fn step(&self, input: Input) -> Result<(), Error> {
        let name = self.wheel.lock().name(&self.seat);
        self.wheel.step(input, Some(name))
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let mut state = self.wheel.lock();
        if let Some(person) = state.people.get_mut(&self.seat) {
            person.sockets = person.sockets.saturating_sub(1);
            if person.sockets == 0 {
                let seat = self.seat.clone();
                // Whoever leaves changes nothing at once.
                let _ = state.control.step(Instant::now(), Input::Left { seat });
                if state.control.driver() != Some(&self.seat) {
                    state.people.remove(&self.seat);
                }
            }
        }
        drop(state);
        self.wheel.wake();
    }
}

fn cut(text: &str, max: usize) -> String {
    let shown = text.split_whitespace().collect::<Vec<_>>().join(" ");
    shown.chars().take(max).collect()
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt;
    use serde_json::json;

    use super::*;

    fn deed(json: serde_json::Value) -> Deed {
        serde_json::from_value(json).unwrap()
    }

    fn heard(wheel: &Wheel) -> News {
        wheel.next().now_or_never().expect("there is news")
    }

    fn wheel() -> (Wheel, Seated) {
        let wheel = Wheel::new(SessionId::new(), Links::default(), String::new());
        let ada = wheel.sit(None, "Ada").unwrap().privately(true);
        (wheel, ada)
    }

    #[tokio::test]
    async fn whoever_takes_it_begins_when_what_the_one_before_held_is_let_go_of() {
        let wheel = Wheel::new(SessionId::new(), Links::default(), String::new());
        let (ada, bob) = (wheel.sit(None, "ada"), wheel.sit(None, "bob"));
        let (ada, bob) = (ada.unwrap(), bob.unwrap());
        ada.take(false).unwrap();
        wheel.clear(None);
        assert!(!ada.drives(), "the actor has not heard of it");
        assert!(heard(&wheel).releases.is_empty());
        wheel.clear(None);
        assert!(ada.drives());
        let shift = deed(json!({ "type": "key", "down": true, "key": "Shift" }));
        wheel.drive_from(ada.seat(), &shift).unwrap();
        bob.take(true).unwrap();
        let press = deed(json!({ "type": "down", "x": 1, "y": 1 }));
        assert!(
            wheel.drive_from(bob.seat(), &press).is_err(),
            "ada's Shift is held still"
        );
        wheel.clear(None);
        assert!(!bob.drives());
        assert_eq!(heard(&wheel).releases, [shift.release().unwrap()]);
        wheel.clear(None);
        wheel.drive_from(bob.seat(), &press).unwrap();
        assert!(wheel.drive_from(ada.seat(), &press).is_err());
    }

    #[tokio::test]
    async fn who_drives_privately_begins_behind_their_own_veil_alone() {
        let (wheel, ada) = wheel();
        let bob = wheel.sit(None, "Bob").unwrap();
        let may_act = |one: &Seated| wheel.note_use(one.seat()).is_ok();
        ada.take(false).unwrap();
        assert!(heard(&wheel).is_private);
        wheel.clear(None);
        assert!(!ada.drives() && !may_act(&ada), "there is no veil yet");
        wheel.clear(Some(&ada.seat));
        assert!(ada.drives() && may_act(&ada) && !may_act(&bob));
        bob.take(true).unwrap();
        assert!(heard(&wheel).is_private);
        assert_eq!(wheel.private_driver().as_deref(), Some(bob.seat()));
        wheel.clear(Some(&ada.seat));
        assert!(!bob.drives() && !may_act(&bob), "the veil is hers still");
        wheel.clear(Some(&bob.seat));
        assert!(bob.drives() && !may_act(&ada));
        bob.hand_back(true).unwrap();
        bob.take(false).unwrap();
        assert!(!heard(&wheel).is_private && !heard(&wheel).is_private);
        wheel.clear(None);
        assert!(bob.drives() && wheel.private_driver().is_none());
    }

    #[test]
    fn a_private_time_is_noticed_by_who_looks_after_it() {
        let (wheel, ada) = wheel();
        let reading = wheel.clone();
        let mut reading = pin!(reading.taken_privately());
        assert!(reading.as_mut().now_or_never().is_none());
        ada.take(false).unwrap();
        ada.hand_back(true).unwrap();
        assert!(reading.now_or_never().is_some());
        assert!(wheel.taken_privately().now_or_never().is_none());
    }

    #[tokio::test]
    async fn who_waits_for_the_end_of_a_drive_hears_of_it() {
        let (wheel, ada) = wheel();
        ada.take(false).unwrap();
        assert!(heard(&wheel).is_private);
        wheel.clear(Some(&ada.seat));
        let mut left = pin!(wheel.left_by(ada.seat()));
        assert!(left.as_mut().now_or_never().is_none());
        wheel.sit(None, "Bob").unwrap().take(true).unwrap();
        assert!(left.now_or_never().is_some());
    }
}
