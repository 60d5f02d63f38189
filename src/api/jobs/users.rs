//! `WS /users/{user_id}/events`: what a user is told, one JSON object a text frame.

use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::json;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, interval_at, timeout};

use super::super::Doors;
use super::super::access::Caller;
use super::super::farewell::Farewell;
use super::super::status::ErrorBody;
use super::super::ws::{READ_BUFFER, USE_A_CLIENT, must_upgrade};
use crate::error::Error;
use crate::jobs::UserNews;

/// Pings that may go unanswered.
const UNANSWERED_MAX: u32 = 2;
/// A listener sends nothing but pongs and closes.
const MESSAGE_BYTES_MAX: usize = 4 * 1024;

pub(super) fn routes() -> Router<Doors> {
    Router::new().route("/users/{user_id}/events", get(user_events))
}

/// Listen by WebSocket to what a user is told: `open_url`, `connection_required`, `connection_active`,
/// `connection_lost`, `note_posted` and `note_failed`, from now on.
#[utoipa::path(get, path = "/users/{user_id}/events", tag = "connections",
    params(("user_id" = String, Path, description = "The user, as connections and notes call them")),
    responses(
    (status = 101, description = "Text frames follow, each one event. Whoever reads too slowly is told by \
        `lagged` how many were `missed`", body = UserNews),
    (status = 400, description = "No WebSocket handshake", body = ErrorBody),
))]
pub(in super::super) async fn user_events(
    State(doors): State<Doors>,
    Path(user_id): Path<String>,
    Extension(caller): Extension<Caller>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    let upgrade = must_upgrade(upgrade, USE_A_CLIENT)?;
    let news = doors.jobs.news().of_users();
    let heartbeat = doors.config.events.heartbeat();
    let tracked = doors.life.tracker.token();
    let cancel = doors.life.cancel;
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER)
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(async move |mut socket| {
        let farewell = tokio::select! {
            biased;
            () = cancel.cancelled() => Some(Farewell::GoingAway),
            () = caller.gone.cancelled() => Some(Farewell::NotLetIn),
            farewell = serve(&mut socket, news, &user_id, heartbeat) => farewell,
        };
        if let Some(farewell) = farewell {
            farewell.say(&mut socket).await;
        }
        drop(tracked);
    }))
}

/// Sends what the user is told until either side ends it.
async fn serve(
    socket: &mut WebSocket,
    mut news: broadcast::Receiver<UserNews>,
    user_id: &str,
    heartbeat: Duration,
) -> Option<Farewell> {
    let mut pings = interval_at(Instant::now() + heartbeat, heartbeat);
    let mut unanswered = 0;
    loop {
        let message = tokio::select! {
            biased;
            received = socket.recv() => match received {
                None | Some(Ok(Message::Close(_))) => return None,
                Some(Err(error)) => return Farewell::of(error),
                Some(Ok(_)) => {
                    unanswered = 0;
                    continue;
                }
            },
            _ = pings.tick() => {
                unanswered += 1;
                if unanswered > UNANSWERED_MAX {
                    return None;
                }
                Message::Ping(bytes::Bytes::new())
            }
            told = news.recv() => match told {
                Ok(told) if told.user_id == user_id => {
                    Message::text(serde_json::to_string(&told).unwrap_or_default())
                }
                Ok(_) => continue,
                Err(RecvError::Lagged(missed)) => {
                    Message::text(json!({"type": "lagged", "missed": missed}).to_string())
                }
                Err(RecvError::Closed) => return Some(Farewell::GoingAway),
            },
        };
        let sent = timeout(heartbeat * 2, socket.send(message)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return None;
        }
    }
}
