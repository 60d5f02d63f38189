//! REST: sessions, actions, context and screenshots.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Doors;
use super::body::{JsonBody, OptionalJsonBody, Params};
use super::picture::{AreaParams, PictureOptions, take};
use super::place::Place;
use super::status::ErrorBody;
use crate::browser::capture::screenshot::Format;
use crate::error::Error;
use crate::model::{Secret, SessionRecord, SessionSpec};
use crate::session::{Analysis, ContextOptions, ElementList, Opened, PageContext};

/// The sessions of the service.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionList {
    /// Oldest first.
    sessions: Vec<SessionRecord>,
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
    extensions: Extensions,
    headers: HeaderMap,
    JsonBody(spec): JsonBody<SessionSpec>,
) -> Result<Response, Error> {
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
    /// The token, where no header can be set.
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
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
    max_age_hours: f64,
    /// Only says which they are.
    #[serde(default)]
    dry_run: bool,
    /// Deletes the profiles of those with a name too.
    #[serde(default)]
    profiles: bool,
}

/// What a cleanup came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CleanedUp {
    /// The sessions that are closed, or would be.
    deleted: Vec<SessionRecord>,
    /// How many others there are.
    kept: usize,
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
    let age = std::time::Duration::try_from_secs_f64(body.max_age_hours * 3_600.0);
    let age = age.map_err(|error| {
        Error::invalid_input("max_age_hours is out of range")
            .hint("Use 0 or more.")
            .source(error)
    })?;
    let (deleted, kept) = doors.manager.clean_up(age, body.dry_run).await?;
    if body.profiles && !body.dry_run {
        for name in deleted
            .iter()
            .filter_map(|record| record.session_name.as_ref())
        {
            doors.manager.delete_profile(name).await?;
        }
    }
    Ok(Json(CleanedUp { deleted, kept }))
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
    /// The token, where no header can be set.
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
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
        ..
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
    quality: Option<u32>,
    /// The whole page and not the viewport only.
    #[serde(default)]
    full_page: bool,
    /// An element of the list, and nothing else.
    index: Option<u32>,
    /// A part of the page, with y, width and height: CSS px from the left of what is in view.
    x: Option<f64>,
    /// CSS px from the top of what is in view; it may lie below.
    y: Option<f64>,
    /// CSS px.
    width: Option<f64>,
    /// CSS px.
    height: Option<f64>,
    /// Draws a box with its index round each element; `png` and `jpeg` only.
    #[serde(default)]
    marks: bool,
    /// Answers JSON: the picture in base64, and with `marks` the list of elements.
    #[serde(default)]
    json: bool,
    /// The token, where no header can be set.
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
}

/// A screenshot as JSON.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ScreenshotAnswer {
    /// The picture, base64.
    image: String,
    /// Its media type.
    media_type: &'static str,
    /// With `marks`: the elements whose boxes are drawn.
    #[serde(flatten)]
    #[schema(inline)]
    elements: Option<ElementList>,
}

/// Names the state of the page that the marks' indices belong to.
const ELEMENTS_VERSION: HeaderName = HeaderName::from_static("x-elements-version");

/// A screenshot, without the ghost cursor. With `marks`, the header `X-Elements-Version` names the
/// list that the numbers belong to.
#[utoipa::path(get, path = "/sessions/{room_name}/screenshot", tag = "actions",
    params(("room_name" = String, Path, description = "Session id, name or room"), ScreenshotQuery),
    responses(
    (status = 200, description = "The picture", content(
        (Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp"),
        (ScreenshotAnswer = "application/json"))),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 422, description = "The picture would be too large for its format", body = ErrorBody),
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
        index,
        x,
        y,
        width,
        height,
        marks,
        json,
        ..
    } = query;
    let area = AreaParams {
        full_page,
        index,
        x,
        y,
        width,
        height,
    };
    let handle = doors.manager.find(&room).await?;
    let wanted = PictureOptions {
        format,
        quality,
        area: area.area()?,
        marks,
    };
    let (picture, elements) = take(&handle, wanted).await?;
    let version = elements
        .as_ref()
        .map(|list| HeaderValue::from(list.version));
    let mut response = if json {
        let answer = ScreenshotAnswer {
            image: STANDARD.encode(&picture),
            media_type: format.media_type(),
            elements,
        };
        Json(answer).into_response()
    } else {
        ([(header::CONTENT_TYPE, format.media_type())], picture).into_response()
    };
    if let Some(version) = version {
        response.headers_mut().insert(ELEMENTS_VERSION, version);
    }
    Ok(response)
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
