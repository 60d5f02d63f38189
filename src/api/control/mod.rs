//! One call for each thing that programs do most, over the same actions as
//! everywhere. REST has them here; the other doors call the same functions: [`go`], [`act_on`], [`until_so`].

mod wait;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::wait::{Condition, Waited, until_so};
use super::Doors;
use super::body::JsonBody;
use super::status::ErrorBody;
use crate::error::Error;
use crate::model::ActionResult;
use crate::model::command::{ActionRequest, WaitUntil};
use crate::session::{ActionOrder, Executed, Interaction, Script, SessionHandle, act_on};

/// The calls of this module.
pub(super) fn routes() -> OpenApiRouter<Doors> {
    OpenApiRouter::default()
        .routes(routes!(navigate))
        .routes(routes!(execute))
        .routes(routes!(interact))
        .routes(routes!(wait))
}

/// Longest wait, milliseconds.
const WAIT_MS_MAX: u64 = 120_000;

/// Where to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Navigation {
    /// Absolute URL; a bare host gets `https://`.
    pub(super) url: String,
    /// What the answer waits for.
    #[serde(default)]
    #[schema(inline)]
    pub(super) wait_until: WaitUntil,
    /// Bound on the whole, milliseconds.
    #[schema(minimum = 1, maximum = 120_000)]
    pub(super) timeout_ms: Option<u64>,
}

/// Goes to a URL.
pub(super) async fn go(
    handle: &SessionHandle,
    to: Navigation,
    cancel: &CancellationToken,
) -> Result<ActionResult, Error> {
    let mut params = Map::from_iter([
        ("url".to_owned(), Value::from(to.url)),
        ("wait_until".to_owned(), json!(to.wait_until)),
    ]);
    if let Some(timeout_ms) = to.timeout_ms {
        params.insert("timeout_ms".to_owned(), timeout_ms.into());
    }
    let action = ActionRequest::new("navigate", params);
    handle
        .act_on(ActionOrder::new(cancel.clone()), action)
        .await
}

/// Go to a URL. A page that could not be loaded is a 200 with `success: false` and its `error_kind`.
#[utoipa::path(post, path = "/sessions/{room_name}/navigate", tag = "control",
    params(("room_name" = String, Path, description = "Session id, name or room")),
    request_body = Navigation, responses(
    (status = 200, description = "What came of it", body = ActionResult),
    (status = 400, description = "The body is no navigation", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 429, description = "Too many requests wait for the session", body = ErrorBody),
))]
pub(super) async fn navigate(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    JsonBody(body): JsonBody<Navigation>,
) -> Result<Json<ActionResult>, Error> {
    let handle = doors.manager.find(&room).await?;
    go(&handle, body, &CancellationToken::new()).await.map(Json)
}

/// Run a script in the current page's own world. One that throws is a 200 with `success: false` and the
/// `error` that it threw.
#[utoipa::path(post, path = "/sessions/{room_name}/execute", tag = "control",
    params(("room_name" = String, Path, description = "Session id, name or room")),
    request_body = Script, responses(
    (status = 200, description = "What it returned or threw", body = Executed),
    (status = 400, description = "The script is empty or too long", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 409, description = "The page has a dialog open", body = ErrorBody),
    (status = 422, description = "The result is larger than 1 MiB, or not one frame is called so", body = ErrorBody),
    (status = 503, description = "The browser is gone", body = ErrorBody),
    (status = 504, description = "The script did not end in time", body = ErrorBody),
))]
pub(super) async fn execute(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    JsonBody(script): JsonBody<Script>,
) -> Result<Json<Executed>, Error> {
    let handle = doors.manager.find(&room).await?;
    handle.execute(&script).await.map(Json)
}

/// Act on an element: by a CSS selector, an index of the list, or a point. A failed action is a 200 with
/// `success: false` and its `error_kind`.
#[utoipa::path(post, path = "/sessions/{room_name}/interact", tag = "control",
    params(("room_name" = String, Path, description = "Session id, name or room")),
    request_body = Interaction, responses(
    (status = 200, description = "What came of it", body = ActionResult),
    (status = 400, description = "The body is no interaction", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 422, description = "The selector found something that the action cannot be done to",
        body = ErrorBody),
    (status = 429, description = "Too many requests wait for the session", body = ErrorBody),
    (status = 504, description = "Nothing on the page is what `text=` or `role=` means", body = ErrorBody),
))]
pub(super) async fn interact(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    JsonBody(body): JsonBody<Interaction>,
) -> Result<Json<ActionResult>, Error> {
    let handle = doors.manager.find(&room).await?;
    act_on(&handle, body, &CancellationToken::new())
        .await
        .map(Json)
}

/// Wait until something is so.
#[utoipa::path(post, path = "/sessions/{room_name}/wait", tag = "control",
    params(("room_name" = String, Path, description = "Session id, name or room")),
    request_body = Condition, responses(
    (status = 200, description = "It is so", body = Waited),
    (status = 400, description = "The body is no condition", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 504, description = "It did not come in time; the message says what is there instead",
        body = ErrorBody),
))]
pub(super) async fn wait(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    JsonBody(condition): JsonBody<Condition>,
) -> Result<Json<Waited>, Error> {
    let handle = doors.manager.find(&room).await?;
    until_so(&handle, condition, &CancellationToken::new())
        .await
        .map(Json)
}
