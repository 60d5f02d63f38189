//! What a room's participants say to the browser, and what they are told: [`Talk`], which the owner holds
//! through all connections.
//!
//! Nothing here waits. A participant who says too much, or to an owner who does not listen, is not heard, and
//! what a connection does not take is not said; each is counted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{OwnedMutexGuard, mpsc, oneshot, watch};

use crate::livekit::Participant;
use crate::livekit::data::{self, Heard, RpcError, Said, Told};
use crate::rtc::{Command, Vitals};

/// Messages that may wait for the owner; what comes beyond is not heard.
const HEARD_MAX: usize = 256;
/// Messages of one participant in a second, and how many it may send at once: a pointer that moves takes
/// some hundred.
const RATE: f64 = 200.0;
const BURST: f64 = 400.0;
/// Participants whose pace is remembered; those who have been quiet are forgotten.
const PACES_MAX: usize = 1_024;
/// Largest data that is heard; a call has LiveKit's own bound.
const DATA_BYTES_MAX: usize = 16 * 1024;

/// The way to and from a room's participants. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Talk {
    senders: watch::Receiver<Vec<Participant>>,
    heard: Arc<tokio::sync::Mutex<mpsc::Receiver<Heard>>>,
    line: Line,
}

/// The connection that there is, to say something by.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Arc<Mutex<Option<mpsc::Sender<Command>>>>);

/// Hears for the owner.
#[derive(Debug)]
pub(super) struct Ear {
    topics: &'static [&'static str],
    heard: mpsc::Sender<Heard>,
    paces: Mutex<HashMap<String, Pace>>,
    line: Line,
}

/// How much a participant may say now.
#[derive(Debug, Clone, Copy)]
struct Pace {
    left: f64,
    at: Instant,
}

/// The owner's end and the connection's, for data of these topics and for calls.
pub(super) fn channel(
    topics: &'static [&'static str],
    senders: watch::Receiver<Vec<Participant>>,
) -> (Talk, Ear) {
    let (heard, listening) = mpsc::channel(HEARD_MAX);
    let line = Line::default();
    let talk = Talk {
        senders,
        heard: Arc::new(tokio::sync::Mutex::new(listening)),
        line: line.clone(),
    };
    let ear = Ear {
        topics,
        heard,
        paces: Mutex::default(),
        line,
    };
    (talk, ear)
}

impl Talk {
    /// Who is in the room and may send data; nobody while there is no connection.
    pub fn senders(&self) -> watch::Receiver<Vec<Participant>> {
        self.senders.clone()
    }

    /// What they say, for one listener at a time: another one waits until this is dropped.
    pub async fn listen(&self) -> OwnedMutexGuard<mpsc::Receiver<Heard>> {
        Arc::clone(&self.heard).lock_owned().await
    }

    /// Tells them something, if there is a connection that takes it.
    pub fn say(&self, told: Told) {
        drop(self.line.say(told));
    }

    /// The same; answers whether it has gone out.
    pub fn tell(&self, told: Told) -> impl Future<Output = bool> + Send + use<> {
        let sent = self.line.say(told);
        async move { sent.await.is_ok() }
    }

    /// What is seen of the connection by which it goes, if there is one.
    pub(super) async fn describe(&self) -> Option<Vitals> {
        self.line.describe().await
    }

    /// One by whose line all goes out, and by which nobody is heard.
    #[cfg(test)]
    pub(crate) fn by(line: mpsc::Sender<Command>) -> Self {
        let (talk, ear) = channel(&[], watch::channel(Vec::new()).1);
        ear.line().lead(Some(line));
        talk
    }
}

impl Line {
    /// What is said goes by this connection from now on, or by none.
    pub(super) fn lead(&self, commands: Option<mpsc::Sender<Command>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = commands;
    }

    /// What is seen of the connection, if there is one.
    async fn describe(&self) -> Option<Vitals> {
        let (told, vitals) = oneshot::channel();
        let line = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        line?.send(Command::Describe(told)).await.ok()?;
        vitals.await.ok()
    }

    /// Hands it to the connection, whose word it is that it has gone out.
    fn say(&self, told: Told) -> oneshot::Receiver<()> {
        let (sent, word) = oneshot::channel();
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = line.as_ref() {
            let message = told.write();
            if line.try_send(Command::Send { message, sent }).is_err() {
                count_message("unsaid");
            }
        }
        word
    }
}

impl Ear {
    /// The connection's line, to say which it is.
    pub(super) const fn line(&self) -> &Line {
        &self.line
    }

    /// Hears a message, as far as it is for us and is not too much.
    pub(super) fn hear(&self, now: Instant, message: &[u8]) {
        let Some(heard) = data::read(message) else {
            return;
        };
        if let Said::Data { topic, payload } = &heard.said {
            if !self.topics.contains(&topic.as_str()) {
                return;
            }
            if payload.len() > DATA_BYTES_MAX {
                return count_message("too_large");
            }
        }
        if !self.may_say(now, &heard.identity) {
            return self.refuse(heard, "too_fast", "Too much at once. Wait a moment.");
        }
        if let Err(error) = self.heard.try_send(heard) {
            let (mpsc::error::TrySendError::Full(heard) | mpsc::error::TrySendError::Closed(heard)) =
                error;
            self.refuse(heard, "overflow", "The browser is busy. Wait a moment.");
        }
    }

    fn may_say(&self, now: Instant, identity: &str) -> bool {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        if paces.len() >= PACES_MAX {
            paces.retain(|_, pace| pace.refilled(now) < BURST);
        }
        // Many who all say much at once are as one.
        let identity = match paces.len() < PACES_MAX || paces.contains_key(identity) {
            true => identity,
            false => "",
        };
        let fresh = Pace {
            left: BURST,
            at: now,
        };
        let pace = paces.entry(identity.to_owned()).or_insert(fresh);
        let left = pace.refilled(now);
        let may = left >= 1.0;
        *pace = Pace {
            left: if may { left - 1.0 } else { left },
            at: now,
        };
        may
    }

    /// Does not hear it; whoever calls is told so.
    fn refuse(&self, heard: Heard, outcome: &'static str, message: &str) {
        count_message(outcome);
        let (Said::Call { id, .. } | Said::Refused { id, .. }) = heard.said else {
            return;
        };
        let error = RpcError {
            code: RpcError::TOO_MUCH,
            message: message.to_owned(),
        };
        let to = heard.identity;
        let ack = Told::Ack {
            to: to.clone(),
            id: id.clone(),
        };
        drop(self.line.say(ack));
        let answer = Err(error);
        drop(self.line.say(Told::Answer { to, id, answer }));
    }
}

impl Pace {
    fn refilled(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        RATE.mul_add(passed, self.left).min(BURST)
    }
}

/// Counts what has become of a message of a participant's.
pub fn count_message(outcome: &'static str) {
    metrics::counter!("ghostcast_room_messages_total", "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TOPICS: &[&str] = &["browser.input"];

    #[tokio::test]
    async fn one_who_says_too_much_is_not_heard_and_others_are() {
        let (_, senders) = watch::channel(Vec::new());
        let (talk, ear) = channel(TOPICS, senders);
        let now = Instant::now();
        let said = (0..1_000).filter(|_| ear.may_say(now, "ada")).count();
        assert_eq!(said, 400);
        assert!(ear.may_say(now, "bob"));
        let later = now + Duration::from_secs(1);
        let said = (0..1_000).filter(|_| ear.may_say(later, "ada")).count();
        assert_eq!(said, 200);
        for other in 0..5_000 {
            ear.may_say(later, &other.to_string());
        }
        assert!(ear.paces.lock().unwrap().len() <= PACES_MAX + 1);
        drop(talk);
    }

    #[tokio::test]
    async fn what_is_said_goes_by_the_connection_that_there_is() {
        let (_, senders) = watch::channel(Vec::new());
        let (talk, ear) = channel(TOPICS, senders);
        let told = || Told::Data {
            topic: "browser-url",
            payload: "{}".to_owned(),
        };
        talk.say(told());
        let (commands, mut sent) = mpsc::channel(1);
        ear.line().lead(Some(commands));
        talk.say(told());
        talk.say(told());
        assert!(matches!(sent.try_recv(), Ok(Command::Send { .. })));
        assert!(sent.try_recv().is_err(), "what finds no place is not said");
    }

    #[tokio::test]
    async fn a_call_that_is_too_much_is_refused_as_that() {
        let (_, senders) = watch::channel(Vec::new());
        let (talk, ear) = channel(TOPICS, senders);
        let (commands, mut sent) = mpsc::channel(8);
        ear.line().lead(Some(commands));
        let mut refused = || {
            while let Ok(Command::Send { message, .. }) = sent.try_recv() {
                if let Some(code) = data::refused_with(&message) {
                    return Some(code);
                }
            }
            None
        };
        let now = Instant::now();
        let call = data::call_of("ada", "browser/take");
        for _ in 0..HEARD_MAX {
            ear.hear(now, &call);
        }
        assert_eq!(refused(), None);
        ear.hear(now, &call);
        assert_eq!(refused(), Some(429), "nobody listens");
        let mut heard = talk.listen().await;
        while heard.try_recv().is_ok() {}
        while ear.may_say(now, "ada") {}
        ear.hear(now, &call);
        assert_eq!(refused(), Some(429), "too fast");
    }
}
