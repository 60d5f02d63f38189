//! REST: one call for each thing that programs do most (REQUIREMENTS B17–B21), over the same actions as
//! everywhere.

mod interact;
mod wait;

use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use self::interact::{Interaction, find, place, unlisted};
use self::wait::{Condition, Waited, Way, until};
use super::Doors;
use super::body::JsonBody;
use super::status::ErrorBody;
use crate::error::Error;
use crate::model::ActionResult;
use crate::model::command::{ActionRequest, WaitUntil};
use crate::session::{Executed, Script};

pub(super) use self::interact::located;

/// The calls of this module.
pub(super) fn routes() -> Router<Doors> {
    Router::new()
        .route("/sessions/{room_name}/navigate", post(navigate))
        .route("/sessions/{room_name}/execute", post(execute))
        .route("/sessions/{room_name}/interact", post(interact))
        .route("/sessions/{room_name}/wait", post(wait))
}

/// Bound on a wait that names none, milliseconds.
pub(super) const WAIT_MS: u64 = 10_000;
/// What can be done only to an element that has a number in the list.
const NUMBERED: [&str; 9] = [
    "fill", "type", "press", "select", "check", "uncheck", "focus", "upload", "scroll",
];
/// Longest piece of a selector that a refusal repeats, characters.
const SHOWN_CHARS_MAX: usize = 120;
/// Longest wait, milliseconds.
const WAIT_MS_MAX: u64 = 120_000;
/// Between two looks of a wait.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Where to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Navigation {
    /// Absolute URL; a bare host gets `https://`.
    url: String,
    /// What the answer waits for.
    #[serde(default)]
    #[schema(inline)]
    wait_until: WaitUntil,
    /// Bound on the whole, milliseconds.
    #[schema(minimum = 1, maximum = 120_000)]
    timeout_ms: Option<u64>,
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
    let mut params = Map::from_iter([
        ("url".to_owned(), Value::from(body.url)),
        ("wait_until".to_owned(), json!(body.wait_until)),
    ]);
    if let Some(timeout_ms) = body.timeout_ms {
        params.insert("timeout_ms".to_owned(), timeout_ms.into());
    }
    let handle = doors.manager.find(&room).await?;
    let done = handle.act(ActionRequest::new("navigate", params)).await?;
    Ok(Json(done))
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
    let mut params = body.params;
    if let Some(selector) = body.selector {
        if ["index", "x", "y"]
            .iter()
            .any(|name| params.contains_key(*name))
        {
            return Err(Error::invalid_input("the element came twice")
                .hint("Send one of selector, index, and x with y."));
        }
        if body.action == "drag" {
            return Err(Error::invalid_input("drag takes no selector")
                .hint("Send from and to in params, each an index or a point."));
        }
        let shown: String = selector.chars().take(SHOWN_CHARS_MAX).collect();
        let found = find(&handle, selector, body.timeout_ms.unwrap_or(WAIT_MS)).await?;
        if !found.success {
            return Ok(Json(found));
        }
        let place = place(found.outcome.data.get("found"));
        if !place.contains_key("index") && NUMBERED.contains(&body.action.as_str()) {
            return Err(unlisted(&shown, &body.action));
        }
        params.extend(place);
    } else if body.timeout_ms.is_some() {
        return Err(Error::invalid_input("timeout_ms came without selector")
            .hint("It is the bound on the wait for the selector."));
    }
    let action = match body.action.as_str() {
        "fill" => {
            params.insert("clear".to_owned(), true.into());
            "type"
        }
        "uncheck" => {
            params.insert("checked".to_owned(), false.into());
            "check"
        }
        other => other,
    };
    if action == "type"
        && let Some(value) = params.remove("value")
    {
        params.insert("text".to_owned(), value);
    }
    let done = handle.act(ActionRequest::new(action, params)).await?;
    Ok(Json(done))
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
    let bound = condition.timeout_ms.unwrap_or(WAIT_MS);
    if !(1..=WAIT_MS_MAX).contains(&bound) {
        return Err(Error::invalid_input("timeout_ms is out of range")
            .hint(format!("Use 1 to {WAIT_MS_MAX}.")));
    }
    let way = condition.way()?;
    let handle = doors.manager.find(&room).await?;
    let started = Instant::now();
    match way {
        Way::Action(mut params) => {
            if !params.contains_key("seconds") {
                params.insert("timeout_ms".to_owned(), bound.into());
            }
            let done = handle.act(ActionRequest::new("wait", params)).await?;
            if !done.success {
                return Err(not_met(&done));
            }
        }
        Way::Script(script) => until(&handle, script, Duration::from_millis(bound)).await?,
    }
    let waited_ms = started.elapsed().as_millis() as u64;
    Ok(Json(Waited { waited_ms }))
}

fn not_met(done: &ActionResult) -> Error {
    use crate::model::command::ActionErrorKind as Kind;
    let message = done.error.clone().unwrap_or_default();
    let seen = done
        .context
        .as_ref()
        .and_then(|context| context.get("seen"));
    let message = match seen {
        Some(seen) => format!("{message} Seen: {seen}"),
        None => message,
    };
    match done.error_kind {
        Some(Kind::InvalidParameter | Kind::MissingParameter) => Error::invalid_input(message),
        Some(Kind::ConditionNotMet) => Error::timeout(message),
        Some(Kind::BrowserLost | Kind::RendererCrashed | Kind::Closed) => {
            Error::unavailable(message)
        }
        _ => Error::conflict(message),
    }
}
