//! REST: connections.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::Doors;
use super::super::access::Caller;
use super::super::body::{JsonBody, Params};
use super::super::status::ErrorBody;
use crate::error::Error;
use crate::jobs::{Lookup, PlatformName, Started, UserEvent, Verified};
use crate::model::{Connection, ConnectionStatus, Right};
use crate::session::{Invitation, Invite, SessionHandle};

pub(super) fn routes() -> OpenApiRouter<Doors> {
    OpenApiRouter::default()
        .routes(routes!(connect, list_connections))
        .routes(routes!(show_connection, disconnect))
        .routes(routes!(verify))
        .routes(routes!(reconnect))
}

/// Whose login, and where.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ConnectOrder {
    /// The user, in the caller's own words.
    #[schema(min_length = 1, max_length = 128, example = "user-17")]
    user_id: String,
    /// The platform, as the service's settings call it.
    #[schema(example = "youtube")]
    platform: String,
}

/// Where the user logs in.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct Connecting {
    /// The connection.
    connection_id: String,
    /// How it stands: `awaiting_auth`, until a verification sees the login.
    status: ConnectionStatus,
    /// The page where the user sees the platform and logs in, by hand. Whoever has it is let in.
    takeover_url: String,
    /// Until when it is good, ISO 8601, UTC.
    expires_at: String,
    /// For the user.
    message: String,
}

/// Which connections.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ConnectionsQuery {
    /// Of this user.
    user_id: Option<String>,
    /// To this platform.
    platform: Option<String>,
    /// That stand so.
    #[param(inline)]
    status: Option<ConnectionStatus>,
}

/// Connections.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct ConnectionList {
    /// The newest first.
    connections: Vec<Connection>,
    /// The platforms that users can connect, whatever was asked for.
    platforms: Vec<PlatformName>,
    /// A connection whose `last_used_at` is so many days ago expires.
    expire_after_days: f64,
}

/// A link to a session for a person of that name, who drives privately or not.
pub(super) async fn invite(
    doors: &Doors,
    caller: &Caller,
    handle: &SessionHandle,
    (name, is_private): (Option<String>, bool),
) -> Result<Invitation, Error> {
    let config = &doors.config.connections;
    let invite = Invite {
        right: Right::Control,
        life: Duration::from_secs(u64::from(config.link_s)),
        is_one_time: false,
        is_private,
        name,
        until: caller.gone.clone(),
        maker: Some(caller.maker()),
    };
    let invitation = handle.wheel().invite(invite, caller.base())?;
    doors.manager.keep_links(handle.record().session_id).await?;
    Ok(invitation)
}

/// Lends a link to the session of a connection, and tells its user.
async fn lend(doors: &Doors, caller: &Caller, started: &Started) -> Result<Connecting, Error> {
    // What a login looks like is its user's alone.
    let link = (Some(started.connection.user_id.clone()), true);
    let invitation = invite(doors, caller, &started.handle, link).await?;
    let connection = &started.connection;
    doors.jobs.tell_user(
        &connection.user_id,
        UserEvent::OpenUrl {
            url: invitation.url.clone(),
            connection_id: Some(connection.connection_id.clone()),
            job_id: None,
        },
    );
    let label = doors.jobs.label(&connection.platform);
    Ok(Connecting {
        connection_id: connection.connection_id.clone(),
        status: connection.status,
        takeover_url: invitation.url,
        expires_at: invitation.expires_at,
        message: format!(
            "Log in to {label} on the page that opens, and press Done or close it then."
        ),
    })
}

/// Begin a connection: the user logs in once, by hand, on the page of the answer; the profile keeps the login. The
/// service never sees the password.
#[utoipa::path(post, path = "/connections", tag = "connections", request_body = ConnectOrder,
    responses(
    (status = 201, description = "Where the user logs in", body = Connecting),
    (status = 400, description = "The body names no user", body = ErrorBody),
    (status = 404, description = "No such platform", body = ErrorBody),
    (status = 503, description = "No browser can be started, or nothing can be kept on disk",
        body = ErrorBody),
    (status = 504, description = "The browser did not start in time", body = ErrorBody),
))]
pub(in super::super) async fn connect(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    JsonBody(order): JsonBody<ConnectOrder>,
) -> Result<Response, Error> {
    caller.must_last()?;
    let started = doors.jobs.connect(&order.user_id, &order.platform).await?;
    let location = format!("/connections/{}", started.connection.connection_id);
    let connecting = lend(&doors, &caller, &started).await?;
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::CREATED, headers, Json(connecting)).into_response())
}

/// List connections, the newest first.
#[utoipa::path(get, path = "/connections", tag = "connections", params(ConnectionsQuery), responses(
    (status = 200, description = "Connections", body = ConnectionList),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(in super::super) async fn list_connections(
    State(doors): State<Doors>,
    Params(query): Params<ConnectionsQuery>,
) -> Result<Json<ConnectionList>, Error> {
    let wanted = Lookup {
        user_id: query.user_id,
        platform: query.platform,
        status: query.status,
    };
    let connections = doors.jobs.connections(wanted).await?;
    Ok(Json(ConnectionList {
        connections,
        platforms: doors.jobs.platforms(),
        expire_after_days: doors.jobs.expire_after_days(),
    }))
}

/// How a connection stands.
#[utoipa::path(get, path = "/connections/{connection_id}", tag = "connections",
    params(("connection_id" = String, Path, description = "The connection's id")), responses(
    (status = 200, description = "The connection", body = Connection),
    (status = 404, description = "No such connection", body = ErrorBody),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(in super::super) async fn show_connection(
    State(doors): State<Doors>,
    Path(connection_id): Path<String>,
) -> Result<Json<Connection>, Error> {
    doors.jobs.connection(&connection_id).await.map(Json)
}

/// Visit the platform and see whether the login is there. What has waited for it goes on then.
#[utoipa::path(post, path = "/connections/{connection_id}/verify", tag = "connections",
    params(("connection_id" = String, Path, description = "The connection's id")), responses(
    (status = 200, description = "What was seen", body = Verified),
    (status = 404, description = "No such connection", body = ErrorBody),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(in super::super) async fn verify(
    State(doors): State<Doors>,
    Path(connection_id): Path<String>,
) -> Result<Json<Verified>, Error> {
    doors.jobs.verify(&connection_id).await.map(Json)
}

/// Open a connection's session for its user once more, to log in.
#[utoipa::path(post, path = "/connections/{connection_id}/takeover", tag = "connections",
    params(("connection_id" = String, Path, description = "The connection's id")), responses(
    (status = 201, description = "Where the user logs in", body = Connecting),
    (status = 404, description = "No such connection", body = ErrorBody),
    (status = 503, description = "No browser can be started, or nothing can be kept on disk",
        body = ErrorBody),
    (status = 504, description = "The browser did not start in time", body = ErrorBody),
))]
pub(in super::super) async fn reconnect(
    State(doors): State<Doors>,
    Path(connection_id): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Error> {
    caller.must_last()?;
    let started = doors.jobs.reconnect(&connection_id).await?;
    let connecting = lend(&doors, &caller, &started).await?;
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(connecting)).into_response())
}

/// Forget a connection. Its profile, and the login in it, is deleted.
#[utoipa::path(delete, path = "/connections/{connection_id}", tag = "connections",
    params(("connection_id" = String, Path, description = "The connection's id")), responses(
    (status = 200, description = "The connection as it was", body = Connection),
    (status = 404, description = "No such connection", body = ErrorBody),
    (status = 503, description = "The profile cannot be deleted", body = ErrorBody),
))]
pub(in super::super) async fn disconnect(
    State(doors): State<Doors>,
    Path(connection_id): Path<String>,
) -> Result<Json<Connection>, Error> {
    doors.jobs.disconnect(&connection_id).await.map(Json)
}
