//! REST: sessions that have ended.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Doors;
use super::access::Caller;
use super::body::Params;
use super::sessions::SessionList;
use super::status::ErrorBody;
use crate::error::Error;
use crate::model::ids::JOB;
use crate::model::{EndedSession, Right, SessionState};
use crate::session::Manager;

/// A session that has ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ended {
    #[serde(flatten)]
    pub(super) session: EndedSession,
    /// What it is now: `closed`; or what one with a name is since, as `stored`, or `live` again.
    pub(super) state: SessionState,
}

/// The sessions that have ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndedList {
    /// The newest first.
    pub(super) ended: Vec<Ended>,
}

/// The sessions that there are, or those that have ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Listed {
    /// Those that there are.
    Sessions(SessionList),
    /// Those that have ended.
    Ended(EndedList),
}

impl From<(EndedSession, SessionState)> for Ended {
    fn from((session, state): (EndedSession, SessionState)) -> Self {
        Self { session, state }
    }
}

impl Ended {
    /// The session of that id, or the last one of that name or room, if the caller may see that very one.
    pub(super) async fn of(manager: &Manager, caller: &Caller, key: &str) -> Result<Self, Error> {
        match manager.ended_of(key).await {
            Ok(ended) => {
                caller.may_see_ended(key, &ended.0)?;
                Ok(Self::from(ended))
            }
            Err(error) => {
                // Whether there is one is no stranger's to know.
                caller.may(Right::Watch, manager, key)?;
                Err(error)
            }
        }
    }
}

impl EndedList {
    /// All that are known, of those that the caller may see; those that served one job alone only where that is
    /// wanted.
    pub(super) async fn of(
        manager: &Manager,
        caller: &Caller,
        has_jobs: bool,
    ) -> Result<Self, Error> {
        let mut ended = manager.ended().await?;
        ended.retain(|(session, _)| caller.sees_ended(session) && (has_jobs || !of_job(session)));
        Ok(Self {
            ended: ended.into_iter().map(Ended::from).collect(),
        })
    }
}

/// Whether a session served one job alone: there are as many as jobs, and nobody asked for them.
fn of_job(session: &EndedSession) -> bool {
    let name = session.session_name.as_ref();
    name.is_some_and(|name| name.as_str().starts_with(JOB))
}

/// Which sessions are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Lists those that have ended, of the last 24 hours (`session.ended_kept_h`), in place of those that
    /// there are.
    #[serde(default)]
    ended: bool,
    /// With `ended=true`, lists those too that served one job alone (`_job-…`).
    #[serde(default)]
    jobs: bool,
}

/// List all sessions, with a token of one session that one; or, with `ended=true`, those that have ended.
#[utoipa::path(get, path = "/sessions", tag = "sessions", params(ListQuery), responses(
    (status = 200, description = "All sessions", body = Listed),
    (status = 503, description = "Of those that have ended nothing can be read", body = ErrorBody),
))]
pub(super) async fn list(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Listed>, Error> {
    let listed = match query.ended {
        true => Listed::Ended(EndedList::of(&doors.manager, &caller, query.jobs).await?),
        false => {
            let mut sessions = doors.manager.records();
            sessions.retain(|record| caller.sees(record));
            Listed::Sessions(SessionList { sessions })
        }
    };
    Ok(Json(listed))
}

/// How a session has ended: why, where it was, what was done in it, and its last events. By its id, or the
/// last one of a name or a room. Known for 24 hours (`session.ended_kept_h`), also by a service that was
/// started again.
#[utoipa::path(get, path = "/sessions/{room_name}/ended", tag = "sessions", operation_id = "show_ended",
    params(("room_name" = String, Path, description = "Session id, name or room")), responses(
    (status = 200, description = "Its end", body = Ended),
    (status = 404, description = "No such session is known to have ended", body = ErrorBody),
    (status = 503, description = "Of those that have ended nothing can be read", body = ErrorBody),
))]
pub(super) async fn show(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
) -> Result<Json<Ended>, Error> {
    let ended = Ended::of(&doors.manager, &caller, &room).await?;
    Ok(Json(ended))
}
