//! Links by which people take the wheel of a session, and how they are entered; and who of the LiveKit room may
//! take it.

use axum::extract::{Path, State};
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Doors;
use super::access::Caller;
use super::body::{JsonBody, OptionalJsonBody};
use super::place::Place;
use super::share::{Revoked, end_links, life};
use super::status::ErrorBody;
use crate::error::Error;
use crate::jobs::TheirScreen;
use crate::model::session::LiveKitStatus;
use crate::model::{Right, SessionRecord};
use crate::session::{Invitation, Invite, LinkKind};

/// How long a link is good at most, seconds.
const TTL_S_MAX: u64 = 7 * 24 * 3_600;

/// Longest identity of a participant, characters, as LiveKit has it.
const IDENTITY_CHARS_MAX: usize = 256;

/// What the link shall be.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TakeoverOrder {
    /// What whoever has the link may do.
    role: Role,
    /// How long it is good, seconds; 3600 without it.
    #[schema(minimum = 1, maximum = 604_800, default = 3_600)]
    ttl_s: Option<u64>,
    /// Whether it is good for the first only who opens it.
    one_time: bool,
    /// Whether whoever drives by it does so privately: nobody else sees the page or is told of it meanwhile.
    private: bool,
    /// What the person is called, where the session tells who drives.
    #[schema(max_length = 64)]
    name: Option<String>,
}

/// What may be done by a link.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Role {
    /// Take the wheel.
    #[default]
    Control,
    /// Watch, and ask for it.
    Watch,
}

/// A link to a session for a person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Takeover {
    /// The page to open, made for desktops and phones. Whoever has it is let in.
    #[schema(example = "https://browser.example.com/takeover/gcs_…")]
    url: String,
    /// Until when it is good, ISO 8601, UTC. It ends before, when the session is closed.
    expires_at: String,
}

/// The token of a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The last part of its address.
    token: String,
    /// What they see it on, for whoever comes anew: the page of a login is shown at a phone's size to one.
    screen: Option<TheirScreen>,
}

/// Whoever has entered.
#[derive(Serialize, ToSchema)]
pub(super) struct Entered {
    /// The token to go on with, as a bearer: the link's own, or the one that stands for a link that was good
    /// once.
    token: String,
    /// What may be done.
    role: Role,
    /// The session.
    session: SessionRecord,
}

/// Make a link by which a person takes the wheel of the session on a page of their own, and can do nothing
/// else.
#[utoipa::path(post, path = "/sessions/{room_name}/takeover", tag = "watch",
    params(("room_name" = String, Path, description = "Session id, name or room")),
    request_body = Option<TakeoverOrder>, responses(
    (status = 201, description = "The link", body = Takeover),
    (status = 400, description = "The time is out of range", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 429, description = "The session has too many links", body = ErrorBody),
))]
pub(super) async fn takeover(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    Extension(caller): Extension<Caller>,
    OptionalJsonBody(order): OptionalJsonBody<TakeoverOrder>,
) -> Result<Response, Error> {
    caller.must_last()?;
    let life = life(order.ttl_s, TTL_S_MAX)?;
    let handle = doors.manager.find(&room).await?;
    let invite = Invite {
        right: match order.role {
            Role::Control => Right::Control,
            Role::Watch => Right::Watch,
        },
        life,
        is_one_time: order.one_time,
        name: order.name,
        is_private: order.private,
        maker: Some(caller.maker()),
        until: caller.gone.clone(),
    };
    let Invitation { url, expires_at } = handle.wheel().invite(invite, caller.base())?;
    doors.manager.keep_links(handle.record().session_id).await?;
    let headers = [(header::CACHE_CONTROL, "no-store")];
    let made = Json(Takeover { url, expires_at });
    Ok((StatusCode::CREATED, headers, made).into_response())
}

/// End all links by which people come to the session. Whoever came by one is sent away.
#[utoipa::path(delete, path = "/sessions/{room_name}/takeover", tag = "watch",
    params(("room_name" = String, Path, description = "Session id, name or room")), responses(
    (status = 200, description = "How many there were", body = Revoked),
    (status = 404, description = "No such session", body = ErrorBody),
))]
pub(super) async fn end_takeovers(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<Revoked>, Error> {
    let record = doors.manager.record(&room)?;
    Ok(Json(Revoked {
        revoked: end_links(&doors, &record, LinkKind::Takeover).await?,
    }))
}

/// Let a participant of the LiveKit room take the wheel, whatever its token says of it: until the session ends,
/// the service is started anew, or it is taken back.
#[utoipa::path(put, path = "/sessions/{room_name}/drivers/{identity}", tag = "watch",
    params(("room_name" = String, Path, description = "Session id, name or room"),
        ("identity" = String, Path, description = "The participant's identity, which its token names")),
    responses(
    (status = 204, description = "It may, while its token has canPublishData"),
    (status = 400, description = "No identity is that long", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 409, description = "The session is in no LiveKit room", body = ErrorBody),
    (status = 429, description = "Too many may already", body = ErrorBody),
))]
pub(super) async fn permit_driver(
    State(doors): State<Doors>,
    Path((room, identity)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    if identity.chars().count() > IDENTITY_CHARS_MAX {
        return Err(
            Error::invalid_input("no identity is that long").hint(format!(
                "LiveKit's have {IDENTITY_CHARS_MAX} characters at most."
            )),
        );
    }
    let handle = doors.manager.find(&room).await?;
    if handle.record().livekit == LiveKitStatus::None {
        return Err(Error::conflict("the session is in no LiveKit room")
            .hint("Make a link by which the person comes: POST to its takeover."));
    }
    handle.wheel().permit(&identity)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take back what a participant of the LiveKit room was let do. If it has the wheel by that, it has lost it.
#[utoipa::path(delete, path = "/sessions/{room_name}/drivers/{identity}", tag = "watch",
    params(("room_name" = String, Path, description = "Session id, name or room"),
        ("identity" = String, Path, description = "The participant's identity")),
    responses(
    (status = 204, description = "It may no more, unless its token says so"),
    (status = 404, description = "No such session, or it was never let", body = ErrorBody),
))]
pub(super) async fn forbid_driver(
    State(doors): State<Doors>,
    Path((room, identity)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    let handle = doors.manager.find(&room).await?;
    if handle.wheel().forbid(&identity) {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Error::not_found("this participant was not let drive")
        .hint("What its token says of it is taken back in LiveKit."))
}

/// Enter by a link. One that is good once is of no use to anybody else then.
#[utoipa::path(post, path = "/takeover", tag = "watch", security(()), request_body = Entry, responses(
    (status = 200, description = "Who may do what", body = Entered),
    (status = 401, description = "The link is not good, or not any more", body = ErrorBody),
    (status = 404, description = "The session is gone", body = ErrorBody),
    (status = 409, description = "The session is still starting, or is in no state for this",
        body = ErrorBody),
    (status = 429, description = "Too many links that are not good came from this address",
        body = ErrorBody),
))]
pub(super) async fn enter_by_link(
    State(doors): State<Doors>,
    headers: HeaderMap,
    extensions: Extensions,
    JsonBody(entry): JsonBody<Entry>,
) -> Result<Response, Error> {
    let from = Place::of(&doors.config.server, &headers, &extensions).client;
    let (link, token) = doors
        .access
        .enter(doors.manager.links(), &entry.token, from)?;
    let role = match link.right {
        Right::Watch => Role::Watch,
        Right::Control | Right::Admin => Role::Control,
    };
    let mut session = doors.manager.record(&link.session.to_string())?;
    if let (Role::Control, Some(screen)) = (role, entry.screen) {
        session = doors.jobs.receive(session, screen).await;
    }
    if token != entry.token {
        // It is used up, also for those who come after a restart.
        doors.manager.keep_links(link.session).await?;
    }
    let headers = [(header::CACHE_CONTROL, "no-store")];
    let entered = Json(Entered {
        token,
        role,
        session,
    });
    Ok((headers, entered).into_response())
}
