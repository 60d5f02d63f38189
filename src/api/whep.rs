//! WHEP (draft-ietf-wish-whep): offer in, answer and Location out, DELETE ends it. Its HTTP is that of WHIP
//! (RFC 9725), which the draft refers to.

use axum::Extension;
use axum::extract::rejection::StringRejection;
use axum::extract::{Path, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Doors;
use super::access::Caller;
use super::body::Params;
use super::place::Place;
use super::status::ErrorBody;
use crate::error::Error;
use crate::model::ViewerId;

const SDP: &str = "application/sdp";
const CANDIDATES: &str = "application/trickle-ice-sdpfrag";
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// Where the viewer sits.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct WatchQuery {
    /// The seat of a person, as the `state` of their socket told: they see the page also while they drive
    /// privately, and everybody else sees a card.
    seat: Option<String>,
}

/// Watch a session by WebRTC: send an SDP offer that receives H.264 video.
#[utoipa::path(post, path = "/whep/{room_name}", tag = "watch",
    params(("room_name" = String, Path, description = "Session id, name or room"), WatchQuery),
    request_body(content = String, content_type = "application/sdp"), responses(
    (status = 201, description = "The SDP answer; Location names the viewer", body = String,
        content_type = "application/sdp"),
    (status = 400, description = "The offer cannot be answered", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 415, description = "Not application/sdp", body = ErrorBody),
    (status = 429, description = "Too many viewers", body = ErrorBody),
))]
pub(super) async fn offer(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<WatchQuery>,
    extensions: Extensions,
    headers: HeaderMap,
    offer: Result<String, StringRejection>,
) -> Result<Response, Error> {
    if !is_media_type(&headers, SDP) {
        return Ok(wrong_type(SDP));
    }
    let offer = match offer {
        Ok(offer) => offer,
        Err(rejection) => return Ok(unreadable(rejection)),
    };
    let handle = doors.manager.find(&room).await?;
    let place = Place::of(&doors.config.server, &headers, &extensions);
    let from = (place.client, query.seat);
    let (viewer, answer) = handle.add_viewer(offer, from, caller.gone).await?;
    let session = handle.record().session_id.to_string();
    let location = place.location(&["whep", &session, &viewer.to_string()]);
    let headers = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, location),
        (header::ETAG, etag(viewer)),
        (ACCEPT_PATCH, CANDIDATES.to_owned()),
    ];
    let mut answer = (StatusCode::CREATED, headers, answer).into_response();
    for server in &doors.config.rtc.ice_servers {
        // What cannot stand in a header was refused with the settings.
        if let Ok(link) = HeaderValue::from_str(&server.link()) {
            answer.headers_mut().append(header::LINK, link);
        }
    }
    Ok(answer)
}

/// Tell further ICE candidates (`application/trickle-ice-sdpfrag`). ICE restarts are refused: who lost the way
/// sends another offer.
#[utoipa::path(patch, path = "/whep/{room_name}/{viewer_id}", tag = "watch",
    params(("room_name" = String, Path, description = "Session id, name or room"),
        ("viewer_id" = String, Path, description = "As in Location")),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"), responses(
    (status = 204, description = "Taken"),
    (status = 400, description = "The body is no text, or names something that is no candidate", body = ErrorBody),
    (status = 404, description = "No such viewer", body = ErrorBody),
    (status = 412, description = "If-Match names another ICE session", body = ErrorBody),
    (status = 415, description = "Not application/trickle-ice-sdpfrag", body = ErrorBody),
    (status = 422, description = "An ICE restart (If-Match: *)", body = ErrorBody),
))]
pub(super) async fn trickle(
    State(doors): State<Doors>,
    Path((room, viewer)): Path<(String, String)>,
    headers: HeaderMap,
    candidates: Result<String, StringRejection>,
) -> Result<Response, Error> {
    if !is_media_type(&headers, CANDIDATES) {
        return Ok(wrong_type(CANDIDATES));
    }
    let candidates = match candidates {
        Ok(candidates) => candidates,
        Err(rejection) => return Ok(unreadable(rejection)),
    };
    let viewer = parse_viewer(&viewer)?;
    if let Some(refused) = precondition(&headers, viewer) {
        return Ok(refused);
    }
    doors
        .manager
        .find(&room)
        .await?
        .trickle_viewer(viewer, candidates)
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Stop watching.
#[utoipa::path(delete, path = "/whep/{room_name}/{viewer_id}", tag = "watch",
    params(("room_name" = String, Path, description = "Session id, name or room"),
        ("viewer_id" = String, Path, description = "As in Location")), responses(
    (status = 200, description = "Ended"),
    (status = 404, description = "No such viewer", body = ErrorBody),
))]
pub(super) async fn end(
    State(doors): State<Doors>,
    Path((room, viewer)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    let viewer = parse_viewer(&viewer)?;
    doors
        .manager
        .find(&room)
        .await?
        .remove_viewer(viewer)
        .await?;
    Ok(StatusCode::OK)
}

/// What a program asks for before it comes (RFC 9725 §4.2). A browser's own question is answered by the layer
/// for origins, and gets this as well.
pub(super) async fn options(request: Request, next: Next) -> Response {
    let path = request.uri().path().strip_prefix("/whep/");
    let depth = path.map(|rest| rest.trim_end_matches('/').split('/').count());
    let asks = depth.filter(|_| request.method() == Method::OPTIONS);
    let mut answer = next.run(request).await;
    let (name, value) = match asks {
        Some(1) => (ACCEPT_POST, SDP),
        Some(2) => (ACCEPT_PATCH, CANDIDATES),
        _ => return answer,
    };
    answer
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
    answer
}

/// What names the ICE session of a viewer; there is one, from its offer to its end.
fn etag(viewer: ViewerId) -> String {
    format!("\"{viewer}\"")
}

/// Whether the request is for the ICE session that is there. One that does not say is taken to be.
fn precondition(headers: &HeaderMap, viewer: ViewerId) -> Option<Response> {
    let wanted = headers.get(header::IF_MATCH)?.to_str().unwrap_or_default();
    let own = etag(viewer);
    if wanted.split(',').any(|tag| tag.trim() == own) {
        return None;
    }
    let (error, status) = match wanted.trim() {
        "*" => (
            Error::invalid_input("ICE is not restarted here")
                .hint("End this viewer with DELETE, and send a new offer."),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        _ => (
            Error::invalid_input("If-Match names another ICE session")
                .hint("Send the ETag that came with the answer."),
            StatusCode::PRECONDITION_FAILED,
        ),
    };
    Some(refused(error, status))
}

/// Whether the body is said to be of a type, whatever its parameters.
fn is_media_type(headers: &HeaderMap, wanted: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted))
}

fn wrong_type(wanted: &str) -> Response {
    let error = Error::invalid_input(format!("the body is not {wanted}"))
        .hint(format!("Send the header \"Content-Type: {wanted}\"."));
    refused(error, StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

fn refused(error: Error, status: StatusCode) -> Response {
    let mut refused = error.into_response();
    *refused.status_mut() = status;
    refused
}

/// A body that is too large or no text, with the status that says which.
fn unreadable(rejection: StringRejection) -> Response {
    let status = rejection.status();
    let error = Error::invalid_input("the body could not be read, or is too large");
    refused(error.source(rejection), status)
}

fn parse_viewer(text: &str) -> Result<ViewerId, Error> {
    ViewerId::parse(text).ok_or_else(|| {
        Error::not_found("there is no such viewer").hint("Use the path that Location named.")
    })
}
