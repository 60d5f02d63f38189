//! REST: actions, and how far they are.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Doors;
use super::body::{JsonBody, Params};
use super::status::ErrorBody;
use crate::error::Error;
use crate::model::command::ActionRequest;
use crate::model::{ActionResult, ActionState, ActionStatus};
use crate::session::no_action;

/// How an action is answered.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ActQuery {
    /// Whether the answer waits for the action's end. With `false` it comes at once and has the
    /// `action_id` to ask by.
    #[serde(default = "waits")]
    #[param(default = true)]
    wait: bool,
}

fn waits() -> bool {
    true
}

/// Perform an action. A failed action is a 200 with `success: false` and its `error_kind`.
#[utoipa::path(post, path = "/sessions/{room_name}/actions", tag = "actions",
    params(("room_name" = String, Path, description = "Session id, name or room"), ActQuery),
    request_body = ActionRequest, responses(
    (status = 200, description = "What came of it", body = ActionResult),
    (status = 202, description = "With `wait=false`: it is taken, or has been refused already",
        body = ActionStatus),
    (status = 400, description = "The body is no action", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 429, description = "Too many requests wait for the session", body = ErrorBody),
))]
pub(super) async fn act(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    Params(query): Params<ActQuery>,
    JsonBody(action): JsonBody<ActionRequest>,
) -> Result<Response, Error> {
    let handle = doors.manager.find(&room).await?;
    if query.wait {
        return Ok(Json(handle.act(action).await?).into_response());
    }
    let status = handle.submit(action).await?;
    let session = handle.record().session_id;
    let location = format!("/sessions/{session}/actions/{}", status.action_id);
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::ACCEPTED, headers, Json(status)).into_response())
}

/// How far an action is: it waits, runs, or has ended with a result. The last 256 that have ended are
/// known.
#[utoipa::path(get, path = "/sessions/{room_name}/actions/{action_id}", tag = "actions",
    operation_id = "show_action",
    params(("room_name" = String, Path, description = "Session id, name or room"),
        ("action_id" = String, Path, description = "The action's name")), responses(
    (status = 200, description = "The action", body = ActionStatus),
    (status = 404, description = "No such session, or no such action in it", body = ErrorBody),
))]
pub(super) async fn show(
    State(doors): State<Doors>,
    Path((room, id)): Path<(String, String)>,
) -> Result<Json<ActionStatus>, Error> {
    let status = doors.manager.find(&room).await?.action(&id);
    status.map(Json).ok_or_else(|| no_action(&id))
}

/// Cancel an action. One that waits ends at once and has done nothing; one that runs is brought to its
/// end, and what it had done until then stays done.
#[utoipa::path(delete, path = "/sessions/{room_name}/actions/{action_id}", tag = "actions",
    params(("room_name" = String, Path, description = "Session id, name or room"),
        ("action_id" = String, Path, description = "The action's name")), responses(
    (status = 200, description = "It waited, and is cancelled", body = ActionStatus),
    (status = 202, description = "It runs, and is being brought to its end", body = ActionStatus),
    (status = 404, description = "No such session, or no such action in it", body = ErrorBody),
    (status = 409, description = "It has ended already", body = ErrorBody),
))]
pub(super) async fn cancel(
    State(doors): State<Doors>,
    Path((room, id)): Path<(String, String)>,
) -> Result<(StatusCode, Json<ActionStatus>), Error> {
    let status = doors.manager.find(&room).await?.cancel_action(&id).await?;
    let code = match status.state {
        ActionState::Done => StatusCode::OK,
        ActionState::Queued | ActionState::Running => StatusCode::ACCEPTED,
    };
    Ok((code, Json(status)))
}
