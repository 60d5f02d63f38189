//! `GET /health`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Doors;

/// The service's health.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `healthy`; `degraded` while a session has failed or has lost LiveKit.
    #[schema(example = "healthy")]
    status: &'static str,
    /// The service's version.
    version: &'static str,
    /// How many sessions are in each state.
    sessions: BTreeMap<&'static str, usize>,
}

/// Whether the service is well. Needs no token.
#[utoipa::path(get, path = "/health", tag = "service", responses(
    (status = 200, description = "The service answers", body = Health),
))]
pub(super) async fn health(State(doors): State<Doors>) -> Json<Health> {
    let mut sessions = BTreeMap::new();
    for record in doors.manager.records() {
        *sessions.entry(record.state.as_str()).or_default() += 1;
    }
    let is_ill = sessions.contains_key("failed") || sessions.contains_key("reconnecting");
    let status = if is_ill { "degraded" } else { "healthy" };
    Json(Health {
        status,
        version: env!("CARGO_PKG_VERSION"),
        sessions,
    })
}
