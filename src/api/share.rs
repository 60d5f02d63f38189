//! `POST /sessions/{room_name}/share`: a link by which people watch one session without a token.

use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::Doors;
use super::access::Caller;
use super::body::OptionalJsonBody;
use super::status::ErrorBody;
use crate::error::Error;
use crate::model::{Right, SessionRecord, UnixTime};
use crate::session::{Link, LinkKind};

/// How long a link is good where nobody says, seconds.
const TTL_S: u64 = 3_600;
/// At most, seconds.
const TTL_S_MAX: u64 = 24 * 3_600;

/// How long a link shall be good.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ShareOrder {
    /// Seconds; 3600 without it.
    #[schema(minimum = 1, maximum = 86_400, default = 3_600)]
    ttl_s: Option<u64>,
}

/// A link to watch a session by.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Share {
    /// The dashboard's page of that session. Whoever has the link can watch; the part after `#` is sent to
    /// no server.
    #[schema(example = "https://browser.example.com/?room=demo#share=gcs_…")]
    pub(super) url: String,
    /// Until when it is good, ISO 8601, UTC. It ends before, when the session is closed.
    pub(super) expires_at: String,
}

/// How many links were ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Revoked {
    /// Links that were good until now.
    pub(super) revoked: usize,
}

/// How long a link shall be good.
pub(super) fn life(ttl_s: Option<u64>, max: u64) -> Result<Duration, Error> {
    match ttl_s.unwrap_or(TTL_S) {
        ttl_s if (1..=max).contains(&ttl_s) => Ok(Duration::from_secs(ttl_s)),
        _ => Err(Error::invalid_input("ttl_s is out of range").hint(format!("Use 1 to {max}."))),
    }
}

/// Makes a link for a caller, who has been let in.
pub(super) async fn make(
    doors: &Doors,
    caller: &Caller,
    record: &SessionRecord,
    ttl_s: Option<u64>,
) -> Result<Share, Error> {
    caller.must_last()?;
    let life = life(ttl_s, TTL_S_MAX)?;
    let listen = format!("http://{}/", doors.config.server.listen);
    let page = Url::parse(caller.base().unwrap_or(&listen));
    let mut page =
        page.map_err(|error| Error::internal("the service has no address").source(error))?;
    let link = Link {
        session: record.session_id,
        right: Right::Watch,
        kind: LinkKind::Share,
        name: None,
        is_private: false,
        maker: Some(caller.maker()),
        gone: caller.gone.child_token(),
    };
    let made = doors
        .manager
        .links()
        .make(link, life, false, Instant::now())?;
    doors.manager.keep_links(record.session_id).await?;
    let key = record.channel();
    page.query_pairs_mut().append_pair("room", key.as_str());
    page.set_fragment(Some(&format!("share={}", made.token)));
    Ok(Share {
        url: page.into(),
        expires_at: UnixTime::now().plus(made.life).to_iso8601(),
    })
}

/// Make a link by which people watch the session in the dashboard without a token, and can do nothing else.
#[utoipa::path(post, path = "/sessions/{room_name}/share", tag = "watch",
    params(("room_name" = String, Path, description = "Session id, name or room")),
    request_body = Option<ShareOrder>, responses(
    (status = 201, description = "The link", body = Share),
    (status = 400, description = "The time is out of range", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 429, description = "The session has too many links", body = ErrorBody),
))]
pub(super) async fn share(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    Extension(caller): Extension<Caller>,
    OptionalJsonBody(order): OptionalJsonBody<ShareOrder>,
) -> Result<Response, Error> {
    let record = doors.manager.record(&room)?;
    let share = make(&doors, &caller, &record, order.ttl_s).await?;
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(share)).into_response())
}

/// Ends the links of a session that came about so; answers how many there were.
pub(super) async fn end_links(
    doors: &Doors,
    record: &SessionRecord,
    kind: LinkKind,
) -> Result<usize, Error> {
    let links = doors.manager.links();
    let revoked = links.revoke(record.session_id, kind, Instant::now());
    doors.manager.keep_links(record.session_id).await?;
    Ok(revoked)
}

/// End all links by which people watch the session. Whoever watches by one is sent away.
#[utoipa::path(delete, path = "/sessions/{room_name}/share", tag = "watch",
    params(("room_name" = String, Path, description = "Session id, name or room")), responses(
    (status = 200, description = "How many there were", body = Revoked),
    (status = 404, description = "No such session", body = ErrorBody),
))]
pub(super) async fn revoke(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<Revoked>, Error> {
    let record = doors.manager.record(&room)?;
    Ok(Json(Revoked {
        revoked: end_links(&doors, &record, LinkKind::Share).await?,
    }))
}
