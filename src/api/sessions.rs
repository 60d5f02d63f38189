//! REST: sessions and what their pages show.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Doors;
use super::access::Caller;
use super::body::{JsonBody, OptionalJsonBody, Params};
use super::place::Place;
use super::status::ErrorBody;
use crate::error::Error;
use crate::model::{Secret, SessionRecord, SessionSpec, StorageState};
use crate::session::{Analysis, ContextOptions, Manager, Opened, PageContext};

/// The sessions of the service.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionList {
    /// Oldest first.
    pub(super) sessions: Vec<SessionRecord>,
}

/// A session that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Started {
    #[serde(flatten)]
    record: SessionRecord,
    /// Whether it was there before, alive or stored.
    reused: bool,
}

/// Start a session: a browser for a room, or one with a name of its own, which is kept. A session of
/// that name that lives is answered as it is; one that is stored comes back as it was.
#[utoipa::path(post, path = "/sessions", tag = "sessions", request_body = SessionSpec, responses(
    (status = 200, description = "There was a session of that name; it runs", body = Started),
    (status = 201, description = "The session runs", body = Started),
    (status = 400, description = "A field is not valid", body = ErrorBody),
    (status = 403, description = "initial_url is refused", body = ErrorBody),
    (status = 409, description = "The room has a live session, or the name or room is another's",
        body = ErrorBody),
    (status = 422, description = "Neither session_name nor room_name came, something is not supported, \
        or livekit_url names another server than the service's own and no livekit_token came",
        body = ErrorBody),
    (status = 429, description = "The budget of sessions is used up", body = ErrorBody),
    (status = 503, description = "No browser could be started", body = ErrorBody),
))]
pub(super) async fn start(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    extensions: Extensions,
    headers: HeaderMap,
    JsonBody(spec): JsonBody<SessionSpec>,
) -> Result<Response, Error> {
    caller.enter_new(&doors.manager, &spec)?;
    let Opened { handle, is_reused } = doors.manager.open(spec).await?;
    let record = handle.opened().await;
    let place = Place::of(&doors.config.server, &headers, &extensions);
    let location = place.location(&["sessions", &record.session_id.to_string()]);
    let code = match is_reused {
        true => StatusCode::OK,
        false => StatusCode::CREATED,
    };
    let started = Started {
        record,
        reused: is_reused,
    };
    Ok((code, [(header::LOCATION, location)], Json(started)).into_response())
}

/// Show one session.
#[utoipa::path(get, path = "/sessions/{room_name}", tag = "sessions",
    params(("room_name" = String, Path, description = "Session id, name or room")), responses(
    (status = 200, description = "The session", body = SessionRecord),
    (status = 404, description = "No such session", body = ErrorBody),
))]
pub(super) async fn show(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<SessionRecord>, Error> {
    doors.manager.record(&room).map(Json)
}

/// How a session is closed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseQuery {
    /// What becomes of the profile of a session with a name.
    #[serde(default)]
    #[param(inline)]
    profile: ProfileFate,
}

/// What becomes of a profile.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ProfileFate {
    /// It stays, for the next session of that name.
    #[default]
    Keep,
    /// It is deleted, with all logins in it.
    Delete,
}

/// Close a session: its browser ends, it leaves the room, its names are free again and its record is
/// gone. The profile of a session with a name stays unless it is to be deleted.
#[utoipa::path(delete, path = "/sessions/{room_name}", tag = "sessions",
    params(("room_name" = String, Path, description = "Session id, name or room"), CloseQuery), responses(
    (status = 200, description = "The closed session", body = SessionRecord),
    (status = 404, description = "No such session", body = ErrorBody),
))]
pub(super) async fn close(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    Params(query): Params<CloseQuery>,
) -> Result<Json<SessionRecord>, Error> {
    let record = doors.manager.close(&room).await?;
    if query.profile == ProfileFate::Delete
        && let Some(name) = &record.session_name
    {
        doors.manager.delete_profile(name).await?;
    }
    Ok(Json(record))
}

/// Which sessions are old.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cleanup {
    /// Hours since a session's `last_activity`, 0 or more.
    #[schema(minimum = 0, example = 24)]
    pub(super) max_age_hours: f64,
    /// Only says which they are.
    #[serde(default)]
    pub(super) dry_run: bool,
    /// Deletes the profiles of those with a name too.
    #[serde(default)]
    pub(super) profiles: bool,
}

/// What a cleanup came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CleanedUp {
    /// The sessions that are closed, or would be.
    pub(super) deleted: Vec<SessionRecord>,
    /// How many others there are.
    pub(super) kept: usize,
}

/// Close the sessions that nothing has happened in for so long, alive or stored.
#[utoipa::path(post, path = "/sessions/cleanup", tag = "sessions", request_body = Cleanup, responses(
    (status = 200, description = "Which were closed", body = CleanedUp),
    (status = 400, description = "The age is not valid", body = ErrorBody),
))]
pub(super) async fn clean_up(
    State(doors): State<Doors>,
    JsonBody(body): JsonBody<Cleanup>,
) -> Result<Json<CleanedUp>, Error> {
    clean(&doors.manager, body).await.map(Json)
}

/// Closes the old sessions.
pub(super) async fn clean(manager: &Manager, wanted: Cleanup) -> Result<CleanedUp, Error> {
    let age = Duration::try_from_secs_f64(wanted.max_age_hours * 3_600.0);
    let age = age.map_err(|error| {
        Error::invalid_input("max_age_hours is out of range")
            .hint("Use 0 or more.")
            .source(error)
    })?;
    let (deleted, kept) = manager.clean_up(age, wanted.dry_run).await?;
    if wanted.profiles && !wanted.dry_run {
        for name in deleted
            .iter()
            .filter_map(|record| record.session_name.as_ref())
        {
            manager.delete_profile(name).await?;
        }
    }
    Ok(CleanedUp { deleted, kept })
}

/// Pause the video; the browser, actions and events go on.
#[utoipa::path(post, path = "/sessions/{room_name}/pause", tag = "sessions",
    params(("room_name" = String, Path, description = "Session id, name or room")), responses(
    (status = 200, description = "The paused session", body = SessionRecord),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 503, description = "The browser is gone", body = ErrorBody),
))]
pub(super) async fn pause(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<SessionRecord>, Error> {
    doors.manager.find(&room).await?.pause().await?;
    doors.manager.record(&room).map(Json)
}

/// Show the current page again.
#[utoipa::path(post, path = "/sessions/{room_name}/resume", tag = "sessions",
    params(("room_name" = String, Path, description = "Session id, name or room")), responses(
    (status = 200, description = "The resumed session", body = SessionRecord),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 503, description = "The browser is gone", body = ErrorBody),
))]
pub(super) async fn resume(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<SessionRecord>, Error> {
    doors.manager.find(&room).await?.resume().await?;
    doors.manager.record(&room).map(Json)
}

/// What of the state is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StateQuery {
    /// With the databases of IndexedDB.
    #[serde(default = "yes")]
    #[param(default = true)]
    indexed_db: bool,
}

/// What sites know the session by: cookies, `localStorage` and IndexedDB, in the form of Playwright's
/// `storageState`. Whoever has it is logged in where the session is. What that form cannot hold, and what is
/// too large for it, is named in `leftOut` of its origin.
#[utoipa::path(get, path = "/sessions/{room_name}/storage_state", tag = "sessions",
    params(("room_name" = String, Path, description = "Session id, name or room"), StateQuery), responses(
    (status = 200, description = "The state", body = StorageState),
    (status = 400, description = "A query that is not valid", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 503, description = "The browser is gone", body = ErrorBody),
))]
pub(super) async fn storage_state(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    Params(query): Params<StateQuery>,
) -> Result<Response, Error> {
    let handle = doors.manager.find(&room).await?;
    let state = handle.storage_state(query.indexed_db).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(state)).into_response())
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
    params(("room_name" = String, Path, description = "Session id, name or room")),
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
    doors.manager.find(&room).await?.recover(token).await?;
    doors.manager.record(&room).map(Json)
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
    /// Most elements listed, 1 or more (5000 at most); without it as many as make about 8 kB.
    #[param(minimum = 1)]
    limit: Option<u32>,
    /// Reads on in the elements: the `more` of the answer before.
    more: Option<String>,
    /// Reads on in the accessibility tree: the `accessibility_more` of the answer before.
    accessibility_more: Option<String>,
    /// With the text of the page and its frames, in reading order.
    #[serde(default)]
    text: bool,
    /// Reads on in the text: the `text_cursor` of the answer before.
    text_cursor: Option<String>,
    /// A phrase: answers in `found` where the page says it.
    find: Option<String>,
    /// Whether each element comes with its box.
    #[serde(default = "yes")]
    #[param(default = true)]
    boxes: bool,
}

const fn yes() -> bool {
    true
}

/// The page as an agent needs it.
#[utoipa::path(get, path = "/sessions/{room_name}/context", tag = "actions",
    params(("room_name" = String, Path, description = "Session id, name or room"), ContextQuery),
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
        more,
        accessibility_more,
        text,
        text_cursor,
        find,
        boxes,
    } = query;
    if limit == Some(0) {
        return Err(Error::invalid_input("limit is out of range").hint("Use 1 to 5000."));
    }
    let options = ContextOptions {
        elements,
        accessibility,
        limit,
        more,
        accessibility_more,
        text,
        text_cursor,
        find,
        boxes,
    };
    doors
        .manager
        .find(&room)
        .await?
        .context(options)
        .await
        .map(Json)
}

/// A question about the page as it looks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// What to ask, up to 4000 characters.
    #[schema(example = "Is there a form on this page?")]
    question: String,
    /// Shows the model the elements' indices as well.
    #[serde(default)]
    marks: bool,
}

/// Ask the configured model about a screenshot of the page.
#[utoipa::path(post, path = "/sessions/{room_name}/analyze", tag = "actions",
    params(("room_name" = String, Path, description = "Session id, name or room")),
    request_body = Question, responses(
    (status = 200, description = "What the model says", body = Analysis),
    (status = 400, description = "The question is empty or too long", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 501, description = "No model is configured", body = ErrorBody),
    (status = 503, description = "The browser is gone, or the model cannot be asked", body = ErrorBody),
    (status = 504, description = "The model did not answer in time", body = ErrorBody),
))]
pub(super) async fn analyze(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    JsonBody(body): JsonBody<Question>,
) -> Result<Json<Analysis>, Error> {
    let handle = doors.manager.find(&room).await?;
    handle.analyze(&body.question, body.marks).await.map(Json)
}
