//! REST: by which ways a session's video goes out, and how well.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::Doors;
use super::status::ErrorBody;
use crate::error::Error;
use crate::model::watched::ViewerInfo;

/// The ways by which a session's video goes out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ViewerList {
    /// The LiveKit server first, then the WHEP viewers, in no order.
    viewers: Vec<ViewerInfo>,
}

/// List the ways by which the session's video goes out, as they are seen at this moment. A session that is stored stays so,
/// and none counts as used by it.
#[utoipa::path(get, path = "/sessions/{room_name}/viewers", tag = "watch", operation_id = "list_viewers",
    params(("room_name" = String, Path, description = "Session id, name or room")), responses(
    (status = 200, description = "The ways; none where nobody watches and there is no room, or no browser runs", body = ViewerList),
    (status = 404, description = "No such session", body = ErrorBody),
))]
pub(super) async fn list(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<ViewerList>, Error> {
    let viewers = doors.manager.viewers(&room).await?;
    Ok(Json(ViewerList { viewers }))
}
