//! `WS /mcp/events/{room_name}`: a room's events, one JSON object a text frame.

use std::pin::pin;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use axum::{Extension, Json};
use futures::future::poll_immediate;
use futures::stream::unfold;
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, interval_at, timeout};
use utoipa::{IntoParams, ToSchema};

use super::Doors;
use super::access::Caller;
use super::body::Params;
use super::farewell::Farewell;
use super::request_id::going_on;
use super::status::ErrorBody;
use super::subscribe::{Wanted, lagged};
use crate::error::Error;
use crate::events::{Next, Sent, Since, Subscription};
use crate::model::{RoomName, SessionId};

/// Pings that may go unanswered.
const UNANSWERED_MAX: u32 = 2;
/// So many of a subscriber that is behind: what fills the buffers between us comes before the ping,
/// and it reads that first.
const UNANSWERED_BEHIND_MAX: u32 = 12;
/// What is read of a socket at once, bytes, and held for as long as it is open. Clients say little: the
/// library's own measure, 128 KiB, would be nearly all that a socket takes.
pub(super) const READ_BUFFER: usize = 4 * 1024;
/// A subscriber sends nothing but pongs and closes.
pub(super) const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// What to do about a path that speaks WebSocket only.
pub(super) const USE_A_CLIENT: &str =
    "Connect with a WebSocket client to ws://… instead of http://….";

/// The subprotocol, for clients that offer any.
pub(super) const SUBPROTOCOL: &str = "ghostcast.events.v1";

/// Names the counting that an event's number is of.
pub(super) const EVENTS_EPOCH: HeaderName = HeaderName::from_static("x-events-epoch");

/// Which events, and from where on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// Event types, separated by commas, or `all`. Naming only optional types adds them to the
    /// six default ones; naming a default type makes the list exact.
    types: Option<String>,
    /// Replay the kept events after this number first.
    since: Option<u64>,
    /// The epoch that `since` is of, as the header `X-Events-Epoch` of an earlier answer named it.
    /// If the room's is another by now, a `lagged` with the new one comes first, and then all that
    /// is kept.
    epoch: Option<String>,
    /// Each event also says its `epoch`, and its `session_id`, `tab`, `action_id` and `element` where they apply.
    #[serde(default)]
    details: bool,
}

/// The event sockets of a room.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Connections {
    /// The room.
    #[schema(value_type = String)]
    room_name: RoomName,
    /// Open event sockets.
    connections: usize,
}

/// Count the event sockets of a room.
#[utoipa::path(get, path = "/rooms/{room_name}/connections", tag = "events",
    params(("room_name" = String, Path, description = "Session id, name or room")), responses(
    (status = 200, description = "Open event sockets", body = Connections),
    (status = 400, description = "Not a room name", body = ErrorBody),
))]
pub(super) async fn connections(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<Connections>, Error> {
    let room_name = doors.manager.room(&room)?;
    let connections = doors.manager.bus().connections(&room_name);
    Ok(Json(Connections {
        room_name,
        connections,
    }))
}

/// Subscribe to a room's events by WebSocket. The room may be without a session yet.
#[utoipa::path(get, path = "/mcp/events/{room_name}", tag = "events",
    params(("room_name" = String, Path, description = "Session id, name or room"), EventsQuery),
    responses(
    (status = 101, description = "Text frames follow, each one event. The header X-Events-Epoch names \
        the room's epoch. A client that cannot send a header offers the subprotocols \
        ghostcast.events.v1 and ghostcast.bearer.TOKEN, the token as base64url. When the token is good no \
        more, the socket is closed with 1008"),
    (status = 400, description = "No WebSocket handshake, an unknown type, or not a room name",
        body = ErrorBody),
    (status = 429, description = "Too many sockets on this room", body = ErrorBody),
))]
pub(super) async fn events(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<EventsQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    let upgrade = must_upgrade(upgrade, USE_A_CLIENT)?;
    let types = query.types.as_deref().unwrap_or_default();
    let types = Wanted::parse(types.split(','))?.types();
    let from = Since {
        seq: query.since,
        epoch: query.epoch,
    };
    let room = doors.manager.room(&room)?;
    let subscription = doors.manager.bus().subscribe(&room, &from, types)?;
    let only = caller.only_session(&doors.manager, &room);
    let epoch = HeaderValue::from_str(subscription.epoch());
    let heartbeat = doors.config.events.heartbeat();
    let details = query.details;
    let tracked = doors.life.tracker.token();
    let cancel = doors.life.cancel;
    let mut response = upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .on_upgrade(going_on(async move |mut socket| {
            let serving = serve(&mut socket, frames(subscription, only, details), heartbeat);
            let farewell = tokio::select! {
                biased;
                () = cancel.cancelled() => Some(Farewell::GoingAway),
                () = caller.gone.cancelled() => Some(Farewell::NotLetIn),
                farewell = serving => farewell,
            };
            if let Some(farewell) = farewell {
                farewell.say(&mut socket).await;
            }
            drop(tracked);
        }));
    if let Ok(epoch) = epoch {
        response.headers_mut().insert(EVENTS_EPOCH, epoch);
    }
    Ok(response)
}

/// The handshake of a path that speaks WebSocket only; the hint is for whoever comes without one.
pub(super) fn must_upgrade(
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    hint: &'static str,
) -> Result<WebSocketUpgrade, Error> {
    upgrade.map_err(|rejection| {
        Error::invalid_input(format!("this path speaks WebSocket only: {rejection}")).hint(hint)
    })
}

/// Whether an event is of another session than the only one that may be heard.
pub(super) fn is_others(event: &Sent, only: Option<SessionId>) -> bool {
    let of = event.session_id();
    only.is_some_and(|only| of.is_some_and(|of| of != only))
}

/// A room's events as frames, those of `only` one session where that is all that may be heard.
fn frames(
    subscription: Subscription,
    only: Option<SessionId>,
    details: bool,
) -> impl Stream<Item = Message> {
    unfold(subscription, move |mut subscription| async move {
        loop {
            let frame = match subscription.next().await {
                // Another session's of the same room is not for whoever may see one of them.
                Next::Event(event) if is_others(&event, only) => continue,
                Next::Event(event) => Message::Text(Utf8Bytes::from(event.json(details))),
                Next::Lagged { missed, seq, epoch } => {
                    let epoch = epoch.as_deref().or(details.then(|| subscription.epoch()));
                    Message::text(lagged(missed, seq, epoch))
                }
            };
            return Some((frame, subscription));
        }
    })
}

/// Sends frames to a listener until either side ends it, and answers what is left to say then. A socket that
/// answers no ping, or takes nothing for two heartbeats, is dead.
pub(super) async fn serve(
    socket: &mut WebSocket,
    frames: impl Stream<Item = Message>,
    heartbeat: Duration,
) -> Option<Farewell> {
    let mut frames = pin!(frames);
    let mut pings = interval_at(Instant::now() + heartbeat, heartbeat);
    let mut unanswered = 0;
    // Whether it left no room for what was sent since it was last heard.
    let mut is_behind = false;
    loop {
        let message = tokio::select! {
            biased;
            received = socket.recv() => match received {
                None | Some(Ok(Message::Close(_))) => return None,
                Some(Err(error)) => return Farewell::of(error),
                Some(Ok(Message::Pong(_) | Message::Ping(_) | Message::Text(_) | Message::Binary(_))) => {
                    (unanswered, is_behind) = (0, false);
                    continue;
                }
            },
            _ = pings.tick() => {
                unanswered += 1;
                if unanswered > if is_behind { UNANSWERED_BEHIND_MAX } else { UNANSWERED_MAX } {
                    return None;
                }
                Message::Ping(bytes::Bytes::new())
            }
            frame = frames.next() => match frame {
                Some(frame) => frame,
                None => return Some(Farewell::GoingAway),
            },
        };
        let mut sending = pin!(socket.send(message));
        let sent = match poll_immediate(sending.as_mut()).await {
            Some(sent) => Ok(sent),
            None => {
                is_behind = true;
                timeout(heartbeat * 2, sending).await
            }
        };
        if !matches!(sent, Ok(Ok(()))) {
            return None;
        }
    }
}
