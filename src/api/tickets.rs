//! `POST /tickets`: what stands for a token once, where a browser cannot send a header.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Doors;
use super::access::Caller;
use super::body::OptionalJsonBody;
use super::status::ErrorBody;
use crate::error::Error;
use crate::model::{Reach, Right, RoomName, Scope, UnixTime};

/// What a ticket shall be good for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TicketOrder {
    /// The session: its id, name or room. Without it all that the caller's token reaches.
    #[serde(rename = "for")]
    key: Option<String>,
    /// What may be done.
    scope: TicketScope,
}

/// What may be done by a ticket.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TicketScope {
    /// Look.
    #[default]
    Watch,
    /// Act.
    Control,
    /// Everything.
    Admin,
}

impl From<TicketScope> for Right {
    fn from(scope: TicketScope) -> Self {
        match scope {
            TicketScope::Watch => Self::Watch,
            TicketScope::Control => Self::Control,
            TicketScope::Admin => Self::Admin,
        }
    }
}

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ticket {
    /// The ticket, to be sent as `?ticket=`.
    ticket: String,
    /// Until when it can be used, ISO 8601, UTC.
    expires_at: String,
    /// What it is good for, as the scopes of tokens are written.
    #[schema(example = "watch:demo")]
    scope: String,
}

/// Make a ticket: it stands for the token in one request within a minute, as `?ticket=`, where a browser
/// cannot send a header: event sockets, WHEP, links to recordings and downloads.
#[utoipa::path(post, path = "/tickets", tag = "service", request_body = Option<TicketOrder>, responses(
    (status = 201, description = "The ticket", body = Ticket),
    (status = 403, description = "The token itself does not reach that far", body = ErrorBody),
    (status = 429, description = "Too many tickets wait for their use", body = ErrorBody),
))]
pub(super) async fn issue(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    OptionalJsonBody(order): OptionalJsonBody<TicketOrder>,
) -> Result<Response, Error> {
    caller.must_last()?;
    let reach = match order.key {
        Some(key) => Reach::One(RoomName::parse(&key)?.as_str().to_owned()),
        None => caller.scope().reach.clone(),
    };
    let right = Right::from(order.scope);
    if right == Right::Admin && reach != Reach::All {
        return Err(Error::invalid_input("the scope admin is not one session's")
            .hint("Leave \"for\" out, or ask for the scope control."));
    }
    let mut scope = Scope { right, reach };
    caller.lends(&doors.manager, &scope)?;
    if caller.scope().key().is_some() {
        // By the caller's own name of it: another may be somebody else's within the minute.
        scope.reach.clone_from(&caller.scope().reach);
    }
    let told = scope.to_string();
    let made = doors.access.ticket(&caller, scope)?;
    let ticket = Ticket {
        ticket: made.token,
        expires_at: UnixTime::now().plus(made.life).to_iso8601(),
        scope: told,
    };
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(ticket)).into_response())
}
