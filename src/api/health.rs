//! `GET /health`, and what a supervisor asks: `/health/live` and `/health/ready`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Doors;

/// The service's health.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `healthy`; `degraded` while a session has failed or has lost LiveKit, while no browser can be
    /// started, and while nothing can be kept on disk. Either way the service answers: it is no reason to restart it.
    #[schema(example = "healthy")]
    status: &'static str,
    /// The service's version.
    version: &'static str,
    /// Why it is degraded; empty when it is healthy.
    reasons: Vec<String>,
    /// How many sessions are in each state.
    sessions: BTreeMap<&'static str, usize>,
}

/// Whether the service is well. Needs no token.
#[utoipa::path(get, path = "/health", tag = "service", security(()), responses(
    (status = 200, description = "The service answers", body = Health),
))]
pub(super) async fn health(State(doors): State<Doors>) -> Json<Health> {
    let mut sessions = BTreeMap::new();
    for record in doors.manager.records() {
        *sessions.entry(record.state.as_str()).or_default() += 1;
    }
    let problems = Problems::of(&doors);
    let reasons = reasons(&sessions, problems);
    let status = if reasons.is_empty() {
        "healthy"
    } else {
        "degraded"
    };
    Json(Health {
        status,
        version: env!("CARGO_PKG_VERSION"),
        reasons,
        sessions,
    })
}

/// What the service itself lacks.
#[derive(Debug, Default)]
struct Problems {
    browser: Option<String>,
    registry: Option<String>,
    is_draining: bool,
}

impl Problems {
    fn of(doors: &Doors) -> Self {
        Self {
            browser: doors.manager.browser_problem(),
            registry: doors.manager.registry_problem(),
            is_draining: doors.manager.is_draining(),
        }
    }

    /// Why no session can be started.
    fn refusals(&self) -> Vec<String> {
        let browser = self.browser.as_ref();
        let browser = browser.map(|problem| format!("no browser can be started: {problem}"));
        let draining = self.is_draining.then(|| DRAINING.to_owned());
        browser.into_iter().chain(draining).collect()
    }
}

/// Why a service that is being drained takes nothing new.
const DRAINING: &str = "it is being drained: no new sessions";

/// Whether the service can be used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// Whether a session can be started.
    ready: bool,
    /// Why not.
    reasons: Vec<String>,
}

/// Whether the service runs at all: any answer says so. Needs no token.
#[utoipa::path(get, path = "/health/live", tag = "service", security(()), responses(
    (status = 200, description = "It runs", body = Object),
))]
pub(super) async fn live() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "live": true }))
}

/// Whether a session can be started. Needs no token.
#[utoipa::path(get, path = "/health/ready", tag = "service", security(()), responses(
    (status = 200, description = "It can", body = Readiness),
    (status = 503, description = "It cannot; why", body = Readiness),
))]
pub(super) async fn ready(State(doors): State<Doors>) -> (StatusCode, Json<Readiness>) {
    let reasons = Problems::of(&doors).refusals();
    let (status, ready) = match reasons.is_empty() {
        true => (StatusCode::OK, true),
        false => (StatusCode::SERVICE_UNAVAILABLE, false),
    };
    (status, Json(Readiness { ready, reasons }))
}

fn reasons(sessions: &BTreeMap<&'static str, usize>, problems: Problems) -> Vec<String> {
    let count = |state| sessions.get(state).copied().filter(|count| *count > 0);
    let refusals = problems.refusals();
    let registry = problems
        .registry
        .map(|problem| format!("nothing can be kept on disk: {problem}"));
    let failed = count("failed").map(|count| format!("sessions whose browser is lost: {count}"));
    let lost = count("reconnecting").map(|count| format!("sessions without LiveKit: {count}"));
    refusals
        .into_iter()
        .chain(registry)
        .chain(failed)
        .chain(lost)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ill_is_named() {
        let well = BTreeMap::from([("live", 2), ("paused", 1)]);
        assert_eq!(reasons(&well, Problems::default()), [""; 0]);
        let ill = BTreeMap::from([("live", 1), ("failed", 2), ("reconnecting", 3)]);
        assert_eq!(
            reasons(
                &ill,
                Problems {
                    browser: Some("it is not there".to_owned()),
                    registry: Some("disk full".to_owned()),
                    is_draining: false,
                }
            ),
            [
                "no browser can be started: it is not there",
                "nothing can be kept on disk: disk full",
                "sessions whose browser is lost: 2",
                "sessions without LiveKit: 3"
            ]
        );
    }
}
