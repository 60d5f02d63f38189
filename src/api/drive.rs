//! `WS /sessions/{room_name}/drive`: a person at a session, who watches, asks for the wheel, takes it and gives
//! it back.
//!
//! Each text frame is one JSON object with a `type`. A person sends `take`, `ask`, `grant`, `hand_back`, and
//! what they do on the page ([`Deed`]); the service sends `state` whenever it changes, and `error` for what it
//! does not do. A connection that answers no ping is gone, and the wheel with it soon after.
//!
//! What they do may come by the data channel of their picture as well, and is heard here as if it had come by the
//! socket. A message may have a number `n`: what is not above the last one that was heard is passed over, and
//! `heard` tells that one. So whoever changes the way sends once more what was not heard yet.

use std::pin::{Pin, pin};
use std::time::Duration;

use axum::Extension;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, interval_at, timeout};
use utoipa::{IntoParams, ToSchema};

use super::Doors;
use super::access::Caller;
use super::body::{JsonBody, Params};
use super::events::{READ_BUFFER, USE_A_CLIENT, must_upgrade};
use super::farewell::Farewell;
use super::request_id::going_on;
use super::status::ErrorBody;
use crate::error::{Error, ErrorKind};
use crate::jobs::{Aftermath, Jobs};
use crate::model::command::given_files;
use crate::model::control::ControlStatus;
use crate::model::hand::Deed;
use crate::model::offer::Offer;
use crate::model::{DialogInfo, SessionRecord, SessionState, Size};
use crate::session::{Hearing, Seated, SessionHandle, Way};

/// The subprotocol, for clients that offer any.
const SUBPROTOCOL: &str = "ghostcast.drive.v1";
/// A text that is pasted is the largest that is said.
const MESSAGE_BYTES_MAX: usize = 512 * 1024;
/// How often it is asked whether somebody is there, and how many times in vain.
const HEARTBEAT: Duration = Duration::from_secs(3);
const UNANSWERED_MAX: u32 = 2;
/// How often it is looked whether a dialog has opened.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a person's page may take nothing.
const TAKES_WITHIN: Duration = Duration::from_secs(5);

/// After so many more it is told what was heard, or else when it is looked for dialogs.
const TELL_HEARD_AFTER: u64 = 32;

/// Where to sit.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DriveQuery {
    /// The seat that an earlier connection had, as its `state` told: whoever had the wheel has it still.
    seat: Option<String>,
}

/// What a person says, beside what they do on the page.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Word {
    /// Take the wheel.
    Take {
        /// From another person too.
        #[serde(default)]
        force: bool,
    },
    /// Ask whoever has it.
    Ask,
    /// Give it to one who asks.
    Grant {
        /// What they are called.
        name: String,
    },
    /// Give it back to the agent.
    HandBack {
        /// Whether what was asked for is done.
        done: bool,
    },
    /// Copy what is selected on the page.
    Copy,
}

/// The number of what a person says.
#[derive(Deserialize)]
struct Number {
    n: Option<u64>,
}

/// What has come of what a person says.
enum Heard {
    /// It was heard before.
    Again,
    /// A hand has moved: what they are told changes by its effects alone.
    Hand,
    /// What they are told may have changed.
    Done,
    /// They are answered.
    Answer(Told),
}

/// What a person is told.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Told {
    /// How things are.
    State(Box<Scene>),
    /// The last number that was heard.
    Heard { n: u64 },
    /// What the page has copied; null where nothing was selected.
    Copied { text: Option<String> },
    /// What was not done.
    Error { kind: ErrorKind, message: String },
}

/// How things are, as one person sees them.
#[derive(Debug, PartialEq, Serialize)]
struct Scene {
    /// Names this person's place; to be told to nobody.
    seat: String,
    /// Whether they have the wheel.
    yours: bool,
    /// Whether they may take it by themselves.
    may_drive: bool,
    control: ControlStatus,
    state: SessionState,
    url: String,
    title: String,
    viewport: Size,
    dialog: Option<Asked>,
    /// What it offers to choose from, to whoever drives.
    offer: Option<Offer>,
    /// What has come of a person's Done, where a login or a job waited for that.
    outcome: Option<Aftermath>,
}

/// The dialog that the page waits with.
#[derive(Debug, PartialEq, Serialize)]
struct Asked {
    /// Counts the page's dialogs; an answer names it.
    number: u64,
    #[serde(flatten)]
    info: DialogInfo,
}

/// Take part in a session as a person: watch who drives, take the wheel, act on the page, give it back.
#[utoipa::path(get, path = "/sessions/{room_name}/drive", tag = "watch",
    params(("room_name" = String, Path, description = "Session id, name or room"), DriveQuery),
    responses(
    (status = 101, description = "Text frames follow, each one JSON object with a `type`. The service tells \
        `state` (seat, yours, may_drive, control, state, url, title, viewport, dialog, offer, outcome), `copied` (text), \
        `heard` (n) and `error` (kind, message). A person sends `take` (force), `ask`, `grant` (name), `hand_back` (done), and with \
        the wheel `move` and `wheel` (x, y, buttons, dx, dy), `pinch` (x, y, scale), `down` and `up` (x, y, button, count), `key` (down, \
        key, modifiers, repeat), `text` and `compose` (text), `dialog` (number, accept, text), `choose` (number, \
        index), `copy`, `back`, `forward` and `reload`; each with a number `n` if it shall be heard once, whatever \
        way it comes by. By the data channel `browser.input` of the WHEP connection of their seat come those that \
        take the wheel to be said"),
    (status = 400, description = "No WebSocket handshake", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 429, description = "Too many people at this session", body = ErrorBody),
))]
pub(super) async fn drive(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<DriveQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    let upgrade = must_upgrade(upgrade, USE_A_CLIENT)?;
    let handle = doors.manager.find(&room).await?;
    let may_drive = caller.may_drive(&doors.manager, &room);
    let seated = handle.wheel().sit(query.seat.as_deref(), caller.person())?;
    let seated = seated.privately(caller.drives_privately());
    let tracked = doors.life.tracker.token();
    let cancel = doors.life.cancel;
    let place = Place {
        record: handle.watch(),
        handle,
        seated,
        may_drive,
        jobs: doors.jobs,
    };
    Ok(upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .on_upgrade(going_on(async move |mut socket| {
            let farewell = tokio::select! {
                biased;
                () = cancel.cancelled() => Some(Farewell::GoingAway),
                () = caller.gone.cancelled() => {
                    // Whoever is sent away takes nothing along, and what was asked for waits on.
                    let _ = place.seated.lose();
                    Some(Farewell::NotLetIn)
                }
                farewell = place.serve(&mut socket) => farewell,
            };
            if let Some(farewell) = farewell {
                farewell.say(&mut socket).await;
            }
            drop((place, tracked));
        })))
}

/// Files that a person gives to the page.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Handed {
    /// The seat of the person, who drives.
    seat: String,
    /// Which offer of the page's is answered, as the state tells it.
    number: u64,
    /// The files.
    #[schema(min_items = 1, max_items = 100)]
    files: Vec<HandedFile>,
}

/// One of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HandedFile {
    /// Its name, without a path.
    name: String,
    /// Its media type.
    mime_type: Option<String>,
    /// Its bytes, as base64.
    data_base64: String,
}

/// Give files to the field of the page that asks the person for them who drives.
#[utoipa::path(post, path = "/sessions/{room_name}/drive/files", tag = "watch",
    params(("room_name" = String, Path, description = "Session id, name or room")),
    request_body = Handed, responses(
    (status = 204, description = "The field has them"),
    (status = 400, description = "These are no files that the page takes", body = ErrorBody),
    (status = 403, description = "Whoever sits there does not drive", body = ErrorBody),
    (status = 404, description = "No such session, or the page asks for no files", body = ErrorBody),
    (status = 413, description = "They are too large", body = ErrorBody),
    (status = 429, description = "The session has all the files that are kept", body = ErrorBody),
))]
pub(super) async fn hand_files(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    JsonBody(handed): JsonBody<Handed>,
) -> Result<StatusCode, Error> {
    let handle = doors.manager.find(&room).await?;
    let files = handed
        .files
        .into_iter()
        .map(|file| (file.name, file.mime_type, file.data_base64));
    let files = given_files(files).map_err(|error| {
        Error::invalid_input(error.message).hint("Send each file with its name and data_base64.")
    })?;
    handle
        .give_files(&handed.seat, handed.number, &files)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What tells that there may be something to tell a person.
struct News {
    pings: Interval,
    /// Pings that were not answered.
    unanswered: u32,
    /// What a page waits with is told by nothing that could be waited for beside the rest.
    looks: Interval,
    changes: watch::Receiver<u64>,
    record: watch::Receiver<SessionRecord>,
    /// What they say by the channel of their picture.
    said: mpsc::Receiver<Vec<u8>>,
    /// The last number of what was heard that they know of.
    heard: u64,
}

/// A person's place at a session.
struct Place {
    handle: SessionHandle,
    record: watch::Receiver<SessionRecord>,
    seated: Seated,
    may_drive: bool,
    jobs: Jobs,
}

impl Place {
    /// Hears what they say and tells them what changes, until either side ends it.
    async fn serve(&self, socket: &mut WebSocket) -> Option<Farewell> {
        let mut news = News {
            pings: interval_at(Instant::now() + HEARTBEAT, HEARTBEAT),
            unanswered: 0,
            looks: interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY),
            changes: self.seated.changes(),
            record: self.record.clone(),
            said: self.seated.listen(),
            heard: 0,
        };
        let mut last = None;
        loop {
            // What changes after the look is heard of.
            let offers = pin!(self.handle.offers());
            let state = self.state();
            let heard = self.seated.heard();
            let done = if heard != news.heard {
                news.heard = heard;
                say(socket, told(&Told::Heard { n: heard })).await
            } else if last.as_ref() == Some(&state) {
                self.listen(socket, &mut news, offers).await
            } else {
                let message = told(&state);
                last = Some(state);
                say(socket, message).await
            };
            if let Err(farewell) = done {
                return farewell;
            }
        }
    }

    /// Hears them until what they are told may have changed. News come first: a hand that never rests would keep
    /// them off.
    async fn listen(
        &self,
        socket: &mut WebSocket,
        news: &mut News,
        mut offers: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Option<Farewell>> {
        loop {
            let heard = tokio::select! {
                biased;
                changed = news.changes.changed() => return changed.map_err(|_| None),
                // Without its record the session is closed.
                changed = news.record.changed() => return changed.map_err(|_| None),
                () = &mut offers => return Ok(()),
                _ = news.looks.tick() => return Ok(()),
                _ = news.pings.tick() => {
                    news.unanswered += 1;
                    if news.unanswered > UNANSWERED_MAX {
                        return Err(None);
                    }
                    say(socket, Message::Ping(bytes::Bytes::new())).await?;
                    continue;
                }
                received = socket.recv() => {
                    news.unanswered = 0;
                    let text = match received {
                        None | Some(Ok(Message::Close(_))) => return Err(None),
                        Some(Err(error)) => return Err(Farewell::of(error)),
                        Some(Ok(Message::Text(text))) => text,
                        Some(Ok(_)) => continue,
                    };
                    self.hear(Way::Socket, text.as_bytes()).await
                }
                Some(message) = news.said.recv() => self.hear(Way::Channel, &message).await,
            };
            match heard {
                Ok(Heard::Hand | Heard::Again) => {}
                Ok(Heard::Done) => return Ok(()),
                Ok(Heard::Answer(answer)) => return say(socket, told(&answer)).await,
                Err(error) => return say(socket, told(&refused(&error))).await,
            }
            if self.seated.heard() >= news.heard + TELL_HEARD_AFTER {
                return Ok(());
            }
        }
    }

    /// Hears a message and counts it.
    async fn hear(&self, way: Way, message: &[u8]) -> Result<Heard, Error> {
        let number = serde_json::from_slice(message);
        let number = number.ok().and_then(|Number { n }| n);
        let heard = match number.is_some_and(|number| !self.seated.note_heard(number)) {
            true => Ok(Heard::Again),
            false => self.hear_new(way, message).await,
        };
        way.count(outcome(&heard));
        heard
    }

    async fn hear_new(&self, way: Way, message: &[u8]) -> Result<Heard, Error> {
        // Of all that is said nearly everything is done by hand.
        let Ok(deed) = serde_json::from_slice(message) else {
            return match way {
                Way::Socket => self.hear_word(message).await,
                // Whose the wheel is is said where it is told.
                Way::Channel => Err(not_understood()),
            };
        };
        self.act(&deed).await?;
        Ok(match deed {
            Deed::Dialog { .. } | Deed::Choose { .. } => Heard::Done,
            _ => Heard::Hand,
        })
    }

    async fn act(&self, deed: &Deed) -> Result<(), Error> {
        let viewport = self.record.borrow().viewport;
        deed.must_be_sound(viewport)?;
        self.handle.drive(&self.seated, deed).await
    }

    async fn hear_word(&self, message: &[u8]) -> Result<Heard, Error> {
        let word = serde_json::from_slice(message).map_err(|_| not_understood())?;
        match word {
            Word::Copy => {
                let text = self.handle.copy(&self.seated).await?;
                return Ok(Heard::Answer(Told::Copied { text }));
            }
            Word::Take { force } => {
                self.must_be_let()?;
                self.seated.take(force)?;
            }
            Word::Ask => self.seated.ask()?,
            Word::Grant { name } => {
                if !self.seated.drives() {
                    self.must_be_let()?;
                }
                self.seated.grant(&name)?;
            }
            Word::HandBack { done } => self.seated.hand_back(done)?,
        }
        Ok(Heard::Done)
    }

    fn must_be_let(&self) -> Result<(), Error> {
        match self.may_drive {
            true => Ok(()),
            false => Err(Error::forbidden("you may watch, and not take the wheel")
                .hint("Ask for it: whoever has it can give it to you.")),
        }
    }

    fn state(&self) -> Told {
        let dialog = self.handle.dialog_for(&self.seated);
        let (url, title) = self.handle.place_for(&self.seated);
        let record = self.record.borrow();
        let name = record.session_name.as_ref();
        Told::State(Box::new(Scene {
            seat: self.seated.seat().to_owned(),
            yours: self.seated.drives(),
            may_drive: self.may_drive,
            control: self.seated.status(),
            state: record.state,
            url,
            title,
            viewport: record.viewport,
            dialog: dialog.map(|(number, info)| Asked { number, info }),
            offer: self.handle.offer_for(&self.seated),
            outcome: name.and_then(|name| self.jobs.aftermath(name)),
        }))
    }
}

/// Sends a message; there is nobody who takes none for long.
async fn say(socket: &mut WebSocket, message: Message) -> Result<(), Option<Farewell>> {
    match timeout(TAKES_WITHIN, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(None),
    }
}

fn not_understood() -> Error {
    Error::invalid_input("this is no message that a person sends")
        .hint("GET /openapi.json describes them.")
}

/// As which a message is counted.
const fn outcome(heard: &Result<Heard, Error>) -> Hearing {
    match heard {
        Ok(Heard::Again) => Hearing::Repeated,
        Ok(_) => Hearing::Done,
        Err(error) => match error.kind {
            ErrorKind::Conflict | ErrorKind::Forbidden => Hearing::NotDriving,
            ErrorKind::InvalidInput => Hearing::Malformed,
            _ => Hearing::Failed,
        },
    }
}

fn refused(error: &Error) -> Told {
    Told::Error {
        kind: error.kind,
        message: error.in_full(),
    }
}

fn told(told: &Told) -> Message {
    // Nothing in it can fail to be written.
    Message::text(serde_json::to_string(told).unwrap_or_default())
}
