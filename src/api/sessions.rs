//! REST: sessions, actions, context and screenshots.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Doors;
use super::body::{JsonBody, OptionalJsonBody, Params};
use super::status::ErrorBody;
use crate::browser::screenshot::Format;
use crate::error::Error;
use crate::model::command::ActionRequest;
use crate::model::{ActionResult, Secret, SessionRecord, SessionSpec};
use crate::session::{ContextOptions, PageContext};

/// The sessions of the service.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionList {
    /// Oldest first.
    sessions: Vec<SessionRecord>,
}

/// Start a session: a browser for a room.
#[utoipa::path(post, path = "/sessions", tag = "sessions", request_body = SessionSpec, responses(
    (status = 201, description = "The session runs", body = SessionRecord),
    (status = 400, description = "A field is not valid", body = ErrorBody),
    (status = 403, description = "initial_url is refused", body = ErrorBody),
    (status = 409, description = "The room has a live session", body = ErrorBody),
    (status = 429, description = "The budget of sessions is used up", body = ErrorBody),
    (status = 503, description = "No browser could be started", body = ErrorBody),
))]
pub(super) async fn start(
    State(doors): State<Doors>,
    JsonBody(spec): JsonBody<SessionSpec>,
) -> Result<Response, Error> {
    let handle = doors.manager.start(spec).await?;
    let record = handle.opened().await;
    let location = format!("/sessions/{}", record.session_id);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(record),
    )
        .into_response())
}

/// List all sessions.
#[utoipa::path(get, path = "/sessions", tag = "sessions", responses(
    (status = 200, description = "All sessions", body = SessionList),
))]
pub(super) async fn list(State(doors): State<Doors>) -> Json<SessionList> {
    Json(SessionList {
        sessions: doors.manager.records(),
    })
}

/// Show one session.
#[utoipa::path(get, path = "/sessions/{room_name}", tag = "sessions",
    params(("room_name" = String, Path, description = "Room name or session id")), responses(
    (status = 200, description = "The session", body = SessionRecord),
    (status = 404, description = "No such session", body = ErrorBody),
))]
pub(super) async fn show(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<SessionRecord>, Error> {
    doors.manager.record(&room).map(Json)
}

/// Close a session: its browser ends, it leaves the room, the room name is free again.
#[utoipa::path(delete, path = "/sessions/{room_name}", tag = "sessions",
    params(("room_name" = String, Path, description = "Room name or session id")), responses(
    (status = 200, description = "The closed session", body = SessionRecord),
    (status = 404, description = "No such session", body = ErrorBody),
))]
pub(super) async fn close(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<SessionRecord>, Error> {
    doors.manager.close(&room).await.map(Json)
}

/// Pause the video; the browser, actions and events go on.
#[utoipa::path(post, path = "/sessions/{room_name}/pause", tag = "sessions",
    params(("room_name" = String, Path, description = "Room name or session id")), responses(
    (status = 200, description = "The paused session", body = SessionRecord),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 503, description = "The browser is gone", body = ErrorBody),
))]
pub(super) async fn pause(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<SessionRecord>, Error> {
    doors.manager.find(&room)?.pause().await?;
    doors.manager.record(&room).map(Json)
}

/// Show the current page again.
#[utoipa::path(post, path = "/sessions/{room_name}/resume", tag = "sessions",
    params(("room_name" = String, Path, description = "Room name or session id")), responses(
    (status = 200, description = "The resumed session", body = SessionRecord),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 503, description = "The browser is gone", body = ErrorBody),
))]
pub(super) async fn resume(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<SessionRecord>, Error> {
    doors.manager.find(&room)?.resume().await?;
    doors.manager.record(&room).map(Json)
}

/// What helps to recover.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Recovery {
    /// A JWT that may join the session's room and publish.
    #[schema(value_type = Option<String>)]
    livekit_token: Option<Secret>,
}

/// Bring back what can be brought back: LiveKit, when the browser is alive.
///
/// With `livekit_token`, the room is joined with that token from the next connection on, for a
/// session whose own has expired. The body may be left out.
#[utoipa::path(post, path = "/sessions/{room_name}/recover", tag = "sessions",
    params(("room_name" = String, Path, description = "Room name or session id")),
    request_body = Option<Recovery>, responses(
    (status = 200, description = "The session is whole", body = SessionRecord),
    (status = 400, description = "A token for a session without LiveKit", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 503, description = "The browser is gone: start a new session. Or LiveKit cannot be \
        reached yet, or refuses the token: the message says which", body = ErrorBody),
))]
pub(super) async fn recover(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    OptionalJsonBody(recovery): OptionalJsonBody<Recovery>,
) -> Result<Json<SessionRecord>, Error> {
    let token = recovery.livekit_token.filter(|token| !token.is_empty());
    doors.manager.find(&room)?.recover(token).await?;
    doors.manager.record(&room).map(Json)
}

/// Perform an action. A failed action is a 200 with `success: false` and its `error_kind`.
#[utoipa::path(post, path = "/sessions/{room_name}/actions", tag = "actions",
    params(("room_name" = String, Path, description = "Room name or session id")),
    request_body = ActionRequest, responses(
    (status = 200, description = "What came of it", body = ActionResult),
    (status = 400, description = "The body is no action", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
))]
pub(super) async fn act(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    JsonBody(action): JsonBody<ActionRequest>,
) -> Result<Json<ActionResult>, Error> {
    doors.manager.find(&room)?.act(action).await.map(Json)
}

/// What the context shall hold.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ContextQuery {
    /// With the indexed interactive elements.
    #[serde(default)]
    elements: bool,
    /// With the accessibility tree.
    #[serde(default)]
    accessibility: bool,
    /// Most elements listed, 1 or more (500).
    #[param(minimum = 1)]
    limit: Option<u32>,
    /// The token, where no header can be set.
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
}

/// The page as an agent needs it.
#[utoipa::path(get, path = "/sessions/{room_name}/context", tag = "actions",
    params(("room_name" = String, Path, description = "Room name or session id"), ContextQuery),
    responses(
    (status = 200, description = "The page", body = PageContext),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 503, description = "The browser is gone", body = ErrorBody),
))]
pub(super) async fn context(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    Params(query): Params<ContextQuery>,
) -> Result<Json<PageContext>, Error> {
    let ContextQuery {
        elements,
        accessibility,
        limit,
        ..
    } = query;
    if limit == Some(0) {
        return Err(Error::invalid_input("limit is out of range").hint("Use 1 or more."));
    }
    let options = ContextOptions {
        elements,
        accessibility,
        limit,
    };
    doors.manager.find(&room)?.context(options).await.map(Json)
}

/// What the screenshot shall be.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ScreenshotQuery {
    /// `png` (default), `jpeg` or `webp`.
    #[serde(default)]
    #[param(inline)]
    format: Format,
    /// 1 to 100, for `jpeg` and `webp`.
    #[param(minimum = 1, maximum = 100)]
    quality: Option<u8>,
    /// The whole page and not the viewport only.
    #[serde(default)]
    full_page: bool,
    /// The token, where no header can be set.
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
}

/// A screenshot, without the ghost cursor.
#[utoipa::path(get, path = "/sessions/{room_name}/screenshot", tag = "actions",
    params(("room_name" = String, Path, description = "Room name or session id"), ScreenshotQuery),
    responses(
    (status = 200, description = "The picture", content(
        (Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp"))),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 503, description = "The browser is gone", body = ErrorBody),
))]
pub(super) async fn screenshot(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    Params(query): Params<ScreenshotQuery>,
) -> Result<Response, Error> {
    let ScreenshotQuery {
        format,
        quality,
        full_page,
        ..
    } = query;
    if quality.is_some_and(|quality| !(1..=100).contains(&quality)) {
        return Err(Error::invalid_input("quality is out of range").hint("Use 1 to 100."));
    }
    let handle = doors.manager.find(&room)?;
    let picture = handle.screenshot(format, quality, full_page).await?;
    Ok(([(header::CONTENT_TYPE, format.media_type())], picture).into_response())
}
