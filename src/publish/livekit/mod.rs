//! Publishes a session's access units as a screen-share track of a LiveKit room.
//!
//! [`start`] spawns one actor, which owns the session's [`Feed`] through all connections; a
//! [`Publisher`] tells it what is wanted and sees what it is doing.
//!
//! One connection is a join, a handshake, and then two futures side by side: the media driver,
//! which waits for nothing but its own inputs, and the signalling, which may wait for the server.
//! Signalling that is lost is resumed while media goes on; when that fails, or media is lost, the
//! next connection follows after a pause. Only an answer that trying again cannot change (a
//! refused token) stops it, and a word that we are not wanted (removed, replaced, the room
//! deleted), until [`Publisher::reconnect_now`]. A room that the server closed because only agents
//! were left is joined again at once, and nobody is told: nobody was there to notice.
//!
//! While there is no connection the feed is read and discarded, and says that nobody watches.

mod handshake;
mod signalling;
mod talk;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info, info_span, warn};
use uuid::Uuid;

use self::handshake::Ready;
use self::signalling::{Introduction, Signalling};
use self::talk::{Ear, channel};
pub use self::talk::{Talk, count_message};
use super::Feed;
use crate::error::Chain;
use crate::livekit::signal::{self, Leave};
use crate::livekit::{Company, Minter, Participant, SelfWriters, Signal};
use crate::model::{Secret, Size};
use crate::rtc::peer::Rate;
use crate::rtc::{End, Report, Vitals, sockets};

/// Where and how to publish.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server: `ws://…` or `wss://…`.
    pub url: String,
    /// What lets us in.
    pub credentials: Credentials,
    /// The size of the pictures.
    pub size: Size,
    /// The bits a second, of the full layer.
    pub rate: Rate,
    /// Whether there is a low layer beside it.
    pub has_low: bool,
    /// Where media sockets live.
    pub sockets: sockets::Config,
    /// The topics of data that is heard.
    pub topics: &'static [&'static str],
}

/// What lets us into the room.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The service's own key: each connection gets a token of its own.
    Minted(Minter),
    /// A caller's token, which the server renews while we are connected.
    Given(Secret),
}

/// What a publisher is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// On the way to its first connection.
    Connecting,
    /// Media can flow.
    Connected,
    /// Lost, and trying again.
    Reconnecting {
        /// What was lost.
        reason: String,
    },
    /// Given up until told otherwise.
    Failed {
        /// What has to change.
        reason: String,
    },
    /// Closed for good.
    Closed,
}

/// The way to a running publisher. Dropping it does not end it; cancel or [`Publisher::close`].
#[derive(Debug, Clone)]
pub struct Publisher {
    wanted: watch::Sender<Wanted>,
    state: watch::Receiver<State>,
    company: watch::Receiver<Company>,
    talk: Talk,
    cancel: CancellationToken,
}

/// What the owner wants: levels, so that nothing is lost while there is no connection.
#[derive(Debug, Clone, Default)]
struct Wanted {
    paused: bool,
    attributes: HashMap<String, String>,
    /// A token to join with from now on, and how many of them there were.
    token: Option<(u64, Secret)>,
    /// Counts the calls of [`Publisher::reconnect_now`].
    reconnects: u64,
}

/// Starts publishing from `feed`, in a task of `tracker`, until `cancel` or the session's end.
pub fn start(
    options: Options,
    feed: Feed,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) -> Publisher {
    let (wanted, wanted_seen) = watch::channel(Wanted::default());
    let (state, state_seen) = watch::channel(State::Connecting);
    let (company, company_seen) = watch::channel(Company::default());
    let (senders, senders_seen) = watch::channel(Vec::new());
    let (talk, ear) = channel(options.topics, senders_seen);
    let cancel = cancel.child_token();
    let actor = Actor {
        feed,
        context: Context {
            options,
            tracker: tracker.clone(),
            cancel: cancel.clone(),
            wanted: wanted_seen,
            state,
            company,
            senders,
            ear: Arc::new(ear),
            self_writers: SelfWriters::default(),
            tokens_taken: 0,
            is_moderated: false,
        },
    };
    tracker.spawn(actor.run().instrument(info_span!("livekit")));
    Publisher {
        wanted,
        state: state_seen,
        company: company_seen,
        talk,
        cancel,
    }
}

impl Publisher {
    /// Mutes the track.
    pub fn pause(&self) {
        self.wanted.send_modify(|wanted| wanted.paused = true);
    }

    /// Unmutes the track; who watches gets a keyframe.
    pub fn resume(&self) {
        self.wanted.send_modify(|wanted| wanted.paused = false);
    }

    /// Sets attributes of the participant, beside those set before. Meant for changes every few
    /// seconds at most.
    pub fn set_attributes(&self, attributes: impl IntoIterator<Item = (String, String)>) {
        self.wanted
            .send_modify(|wanted| wanted.attributes.extend(attributes));
    }

    /// Joins with `token` from the next connection on.
    pub fn set_token(&self, token: Secret) {
        self.wanted.send_modify(|wanted| {
            let count = wanted.token.as_ref().map_or(0, |(count, _)| *count);
            wanted.token = Some((count + 1, token));
        });
    }

    /// Tries again at once what waits or has failed. A healthy connection is not disturbed.
    pub fn reconnect_now(&self) {
        self.wanted.send_modify(|wanted| wanted.reconnects += 1);
    }

    /// Its state, to wait on.
    pub fn states(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Who is in the room beside us; while there is no connection, who was.
    pub fn company(&self) -> watch::Receiver<Company> {
        self.company.clone()
    }

    /// The way to and from the participants.
    pub fn talk(&self) -> Talk {
        self.talk.clone()
    }

    /// What is seen of the connection to the server; `None` while there is none.
    pub async fn describe(&self) -> Option<Vitals> {
        self.talk.describe().await
    }

    /// Leaves the room and ends; takes at most about a second.
    pub async fn close(&self) {
        self.cancel.cancel();
        let mut state = self.state.clone();
        // An error means that the actor is gone already.
        let _ = state.wait_for(|state| *state == State::Closed).await;
    }
}

struct Actor {
    feed: Feed,
    context: Context,
}

/// All of the actor but the feed, so that signalling and media can each hold their own.
struct Context {
    options: Options,
    tracker: TaskTracker,
    cancel: CancellationToken,
    wanted: watch::Receiver<Wanted>,
    state: watch::Sender<State>,
    company: watch::Sender<Company>,
    senders: watch::Sender<Vec<Participant>>,
    ear: Arc<Ear>,
    self_writers: SelfWriters,
    /// How many of the owner's tokens have been taken over.
    tokens_taken: u64,
    /// Whether a moderator has muted the track.
    is_moderated: bool,
}

/// Why a connection, or the attempt at one, is over.
#[derive(Debug)]
enum Outcome {
    /// Cancelled, or the session is over.
    Over,
    /// The room was closed for want of people; it opens again when we join.
    RoomClosed,
    /// Worth another try.
    Retry(String),
    /// Not worth another try.
    Permanent(String),
}

impl Actor {
    async fn run(mut self) {
        let mut pause = BACKOFF_MIN;
        loop {
            let began = Instant::now();
            let outcome = self.connect().await;
            let was_good = began.elapsed() > BACKOFF_RESET_AFTER;
            if was_good {
                pause = BACKOFF_MIN;
            }
            let over = match outcome {
                Outcome::Over => true,
                Outcome::RoomClosed if was_good => {
                    info!("the room was empty and closed; joining it again");
                    false
                }
                Outcome::RoomClosed => {
                    self.pause("the room is closed".to_owned(), &mut pause)
                        .await
                }
                Outcome::Permanent(reason) => {
                    warn!(%reason, "publishing failed");
                    self.context.set_state(State::Failed { reason });
                    self.wait_for_word(None).await
                }
                Outcome::Retry(reason) => self.pause(reason, &mut pause).await,
            };
            if over {
                break;
            }
        }
        self.context.set_state(State::Closed);
    }

    /// Lets the next pause before another connection pass; `true` when all is over.
    async fn pause(&mut self, reason: String, pause: &mut Duration) -> bool {
        info!(%reason, pause_ms = pause.as_millis() as u64, "publishing again soon");
        self.context.set_state(State::Reconnecting { reason });
        let jittered = jitter(*pause);
        *pause = (*pause * 2).min(BACKOFF_MAX);
        self.wait_for_word(Some(jittered)).await
    }

    /// Waits until `pause` is over or the owner wants a try now; `true` when all is over.
    async fn wait_for_word(&mut self, pause: Option<Duration>) -> bool {
        let Self { feed, context } = self;
        let mut wanted = context.wanted.clone();
        let seen = wanted.borrow().reconnects;
        let waiting = async {
            let word = async {
                if wanted.wait_for(|w| w.reconnects != seen).await.is_err() {
                    // Nobody is left to speak; only the pause and the cancellation count.
                    std::future::pending::<()>().await;
                }
            };
            match pause {
                Some(pause) => drop(timeout(pause, word).await),
                None => word.await,
            }
        };
        aside(feed, &context.cancel, waiting).await.is_none()
    }

    /// One connection, from the join to its end.
    async fn connect(&mut self) -> Outcome {
        let mut signal = match self.join().await {
            Ok(signal) => signal,
            Err(outcome) => return outcome,
        };
        let Self { feed, context } = self;
        let ready = aside(feed, &context.cancel, context.handshake(&mut signal)).await;
        let outcome = match ready {
            None => Outcome::Over,
            Some(Err(outcome)) => outcome,
            Some(Ok(ready)) => self.publish(&mut signal, ready).await,
        };
        if let Credentials::Given(token) = &mut self.context.options.credentials {
            *token = signal.token();
        }
        match outcome {
            Outcome::Over => signal.leave().await,
            Outcome::RoomClosed | Outcome::Retry(_) | Outcome::Permanent(_) => {
                signal.close().await;
            }
        }
        outcome
    }

    /// Joins in a task of its own: an attempt cut short would leave its connection behind, so it
    /// is finished, and left again, even when nobody waits for it any more.
    async fn join(&mut self) -> Result<Signal, Outcome> {
        let Self { feed, context } = self;
        context.take_token();
        let token = match &context.options.credentials {
            Credentials::Given(token) => token.clone(),
            Credentials::Minted(minter) => minter
                .mint()
                .map_err(|error| Outcome::Permanent(Chain(&error).to_string()))?,
        };
        let url = context.options.url.clone();
        let self_writers = context.self_writers.clone();
        let mut joining: JoinHandle<_> = context
            .tracker
            .spawn(async move { Signal::join(&url, &token, self_writers).await }.in_current_span());
        match aside(feed, &context.cancel, &mut joining).await {
            Some(Ok(joined)) => joined.map_err(|error| refused_or_lost(&error)),
            Some(Err(_)) => Err(Outcome::Retry("joining was aborted".to_owned())),
            None => {
                context.tracker.spawn(async move {
                    if let Ok(Ok(signal)) = joining.await {
                        signal.leave().await;
                    }
                });
                Err(Outcome::Over)
            }
        }
    }

    /// Sends media and keeps the signalling until either ends.
    async fn publish(&mut self, signal: &mut Signal, ready: Ready) -> Outcome {
        let Self { feed, context } = self;
        let stop = context.cancel.child_token();
        let Ready {
            published,
            driver,
            commands,
            asked,
            has_layers,
        } = ready;
        context.see_who_is_there(signal);
        context.ear.line().lead(Some(commands.clone()));
        let ear = Arc::clone(&context.ear);
        let (reports, reported) = mpsc::channel(REPORTS_MAX);
        let media = async {
            // A report that finds no place is late by seconds. Of a lost path the driver's own bound
            // is the end; a path that came back is told with the next change.
            let report = move |report| match report {
                Report::Message(message) => ear.hear(Instant::now(), &message),
                Report::Path(path) => drop(reports.try_send(path)),
            };
            let end = driver.run(feed, &stop, report).await;
            if matches!(end, End::Lost { .. }) {
                sleep(LAST_WORDS).await;
            }
            stop.cancel();
            end
        };
        let signalling = async {
            let mut signalling = Signalling {
                context,
                signal,
                published,
                commands,
                reported,
                stop: &stop,
                asked,
                has_layers,
                has_path: false,
                introduction: Introduction::default(),
            };
            let outcome = signalling.run().await;
            stop.cancel();
            outcome
        };
        let (end, outcome) = tokio::join!(media, signalling);
        self.context.be_alone();
        match (outcome, end) {
            (Some(outcome), _) => outcome,
            (None, End::Cancelled | End::SessionOver) => Outcome::Over,
            (None, end @ (End::ConnectTimeout { .. } | End::Lost { .. })) => {
                Outcome::Retry(Chain(&end).to_string())
            }
        }
    }
}

impl Context {
    fn set_state(&self, state: State) {
        self.state.send_replace(state);
    }

    /// Tells who is in the room now.
    fn see_who_is_there(&self, signal: &Signal) {
        let (company, senders) = (signal.company(), signal.senders());
        debug!(?company, "who is in the room");
        let replace = |known: &mut Company| std::mem::replace(known, company) != company;
        self.company.send_if_modified(replace);
        // What nobody hears is said by nobody.
        let senders = if signal.hears_data() {
            senders
        } else {
            Vec::new()
        };
        self.senders.send_if_modified(|known| {
            let is_news = *known != senders;
            *known = senders;
            is_news
        });
    }

    /// Nobody is heard any more, and nobody is told anything.
    fn be_alone(&self) {
        self.ear.line().lead(None);
        self.senders.send_replace(Vec::new());
    }

    /// Joins with the owner's token, if there is one that came after all others.
    fn take_token(&mut self) {
        if let Some((count, token)) = self.wanted.borrow().token.clone()
            && count > self.tokens_taken
        {
            self.tokens_taken = count;
            self.options.credentials = Credentials::Given(token);
        }
    }
}

/// Runs `work` while the feed is read and discarded. `None` when all is over.
async fn aside<T>(
    feed: &mut Feed,
    cancel: &CancellationToken,
    work: impl Future<Output = T>,
) -> Option<T> {
    let discard = async { while feed.next().await.is_some() {} };
    tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        () = discard => None,
        done = work => Some(done),
    }
}

fn refused_or_lost(error: &signal::Error) -> Outcome {
    match error.permanent() {
        Some(reason) => {
            debug!(error = %Chain(error), "refused");
            Outcome::Permanent(reason.to_owned())
        }
        None => retry(error),
    }
}

fn retry(error: &(dyn std::error::Error + 'static)) -> Outcome {
    Outcome::Retry(Chain(error).to_string())
}

fn left(leave: Leave) -> Outcome {
    match leave {
        Leave::Replaced => {
            Outcome::Permanent("another participant joined with the browser's identity".to_owned())
        }
        Leave::Removed => {
            Outcome::Permanent("a moderator removed the browser from the room".to_owned())
        }
        // Whoever ended the meeting wants no browser to open the room again.
        Leave::Deleted => Outcome::Permanent("the room was deleted".to_owned()),
        Leave::RoomClosed => Outcome::RoomClosed,
        Leave::Retry(reason) | Leave::Rejoin(reason) => {
            Outcome::Retry(format!("LiveKit ended the connection: {reason}"))
        }
    }
}

fn lost_signalling(reason: &str) -> String {
    format!("the LiveKit connection is lost: {reason}")
}

/// Between half of `pause` and all of it, so that many sessions do not come back at once.
fn jitter(pause: Duration) -> Duration {
    let dice = Uuid::new_v4().as_u128() as u32;
    pause / 2 + (pause / 2).mul_f64(f64::from(dice) / f64::from(u32::MAX))
}

/// Bounds the way to a media connection; it takes about 0.1 s where UDP passes.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The pause before another connection doubles from the one to the other: short enough at its
/// longest that a server that came back sees us within a few seconds.
const BACKOFF_MIN: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(4);
/// A connection that lived this long was a good one.
const BACKOFF_RESET_AFTER: Duration = Duration::from_secs(15);
/// How long the server may take to say why it closed the media connection. Without its reason, a
/// browser that was removed or replaced would come back and fight for its place.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// Reports of the driver that may wait for the signalling: a path is lost every few seconds at most.
const REPORTS_MAX: usize = 8;
