//! WHEP (draft-ietf-wish-whep): offer in, answer and Location out, DELETE ends it.

use axum::Extension;
use axum::extract::rejection::StringRejection;
use axum::extract::{Path, State};
use axum::http::{Extensions, HeaderMap, StatusCode, header};
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
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if !media_type.is_some_and(|value| value.trim().to_ascii_lowercase().starts_with(SDP)) {
        let mut refused = Error::invalid_input("the offer is not application/sdp")
            .hint("Send the header \"Content-Type: application/sdp\".")
            .into_response();
        *refused.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Ok(refused);
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
    ];
    Ok((StatusCode::CREATED, headers, answer).into_response())
}

/// Tell further ICE candidates (`application/trickle-ice-sdpfrag`).
#[utoipa::path(patch, path = "/whep/{room_name}/{viewer_id}", tag = "watch",
    params(("room_name" = String, Path, description = "Session id, name or room"),
        ("viewer_id" = String, Path, description = "As in Location")),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"), responses(
    (status = 204, description = "Taken"),
    (status = 404, description = "No such viewer", body = ErrorBody),
))]
pub(super) async fn trickle(
    State(doors): State<Doors>,
    Path((room, viewer)): Path<(String, String)>,
    candidates: Result<String, StringRejection>,
) -> Result<Response, Error> {
    let candidates = match candidates {
        Ok(candidates) => candidates,
        Err(rejection) => return Ok(unreadable(rejection)),
    };
    let viewer = parse_viewer(&viewer)?;
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

/// A body that is too large or no text, with the status that says which.
fn unreadable(rejection: StringRejection) -> Response {
    let status = rejection.status();
    let error = Error::invalid_input("the body could not be read, or is too large");
    let mut refused = error.source(rejection).into_response();
    *refused.status_mut() = status;
    refused
}

fn parse_viewer(text: &str) -> Result<ViewerId, Error> {
    ViewerId::parse(text).ok_or_else(|| {
        Error::not_found("there is no such viewer").hint("Use the path that Location named.")
    })
}
