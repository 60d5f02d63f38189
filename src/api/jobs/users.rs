//! `WS /users/{user_id}/events`: what a user is told, one JSON object a text frame.

use axum::Extension;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use futures::Stream;
use futures::stream::unfold;
use serde_json::json;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::Doors;
use super::super::access::Caller;
use super::super::events::{
    MESSAGE_BYTES_MAX, READ_BUFFER, SUBPROTOCOL, USE_A_CLIENT, must_upgrade, serve,
};
use super::super::farewell::Farewell;
use super::super::request_id::going_on;
use super::super::status::ErrorBody;
use crate::error::Error;
use crate::jobs::UserNews;

pub(super) fn routes() -> OpenApiRouter<Doors> {
    OpenApiRouter::default().routes(routes!(user_events))
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
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(going_on(async move |mut socket| {
        let farewell = tokio::select! {
            biased;
            () = cancel.cancelled() => Some(Farewell::GoingAway),
            () = caller.gone.cancelled() => Some(Farewell::NotLetIn),
            farewell = serve(&mut socket, frames(news, user_id), heartbeat) => farewell,
        };
        if let Some(farewell) = farewell {
            farewell.say(&mut socket).await;
        }
        drop(tracked);
    })))
}

/// What the user is told, as frames.
fn frames(news: broadcast::Receiver<UserNews>, user_id: String) -> impl Stream<Item = Message> {
    unfold((news, user_id), |(mut news, user_id)| async move {
        let frame = loop {
            match news.recv().await {
                Ok(told) if told.user_id == user_id => {
                    break Message::text(serde_json::to_string(&told).unwrap_or_default());
                }
                Ok(_) => (),
                Err(RecvError::Lagged(missed)) => {
                    break Message::text(json!({"type": "lagged", "missed": missed}).to_string());
                }
                Err(RecvError::Closed) => return None,
            }
        };
        Some((frame, (news, user_id)))
    })
}
