//! `GET /health`, and what a supervisor asks: `/health/live` and `/health/ready`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Doors;
use crate::model::SessionState;
use crate::model::session::LiveKitStatus;
use crate::refusals::{self, Reached};

/// The service's health.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `healthy`; `degraded` while no browser can be started, while nothing can be kept on disk, while a shared job
    /// queue cannot be used, while the service is being drained, while a session tries to reach LiveKit again, for a
    /// minute after a browser was lost, and for a minute after the machine lacked room on the disk, ports, threads or
    /// files. Either way the service answers: it is no reason to restart it.
    #[schema(example = "healthy")]
    status: &'static str,
    /// The service's version.
    version: &'static str,
    /// Why it is degraded. And what does not degrade it, but is to be known: who was refused in the last
    /// minute at a limit that was set, and how many sessions have given LiveKit up.
    reasons: Vec<String>,
    /// How many sessions are in each state.
    sessions: BTreeMap<&'static str, usize>,
    /// The remote browser, which is asked only when a session needs it.
    remote: RemoteHealth,
}

/// What is known of the remote browser.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RemoteHealth {
    /// Whether there is one to fall back to.
    configured: bool,
    /// Who gives it; without one, what is not set.
    who: String,
    /// Why the last session could not have it; null when it could, or none has asked.
    problem: Option<String>,
}

/// Whether the service is well. Needs no token.
#[utoipa::path(get, path = "/health", tag = "service", security(()), responses(
    (status = 200, description = "The service answers", body = Health),
))]
pub(super) async fn health(State(doors): State<Doors>) -> Json<Health> {
    let mut sessions = BTreeMap::new();
    let (mut reconnecting, mut given_up) = (0, 0);
    for record in doors.manager.records() {
        *sessions.entry(record.state.as_str()).or_default() += 1;
        if record.state == SessionState::Reconnecting {
            match record.livekit {
                LiveKitStatus::Failed => given_up += 1,
                _ => reconnecting += 1,
            }
        }
    }
    let remote = doors.manager.remote();
    let ills = Ills {
        problems: Problems::of(&doors),
        failed: doors.manager.count_failed_lately(),
        reconnecting,
        given_up,
        refused: refusals::lately(),
    };
    let (reasons, is_degraded) = ills.tell();
    let status = match is_degraded {
        true => "degraded",
        false => "healthy",
    };
    Json(Health {
        status,
        version: env!("CARGO_PKG_VERSION"),
        reasons,
        sessions,
        remote: RemoteHealth {
            configured: remote.is_configured(),
            who: remote.describe(),
            problem: remote.problem(),
        },
    })
}

/// What the service itself lacks.
#[derive(Debug, Default)]
struct Problems {
    browser: Option<String>,
    /// Whether a remote one serves in its place.
    has_other: bool,
    registry: Option<String>,
    /// Why no jobs can be had from the queue that services share.
    queue: Option<String>,
    is_draining: bool,
}

impl Problems {
    fn of(doors: &Doors) -> Self {
        Self {
            browser: doors.manager.browser_problem(),
            has_other: doors.manager.falls_back(),
            registry: doors.manager.registry_problem(),
            queue: doors.jobs.queue_problem(),
            is_draining: doors.manager.is_draining(),
        }
    }

    /// Why no session can be started.
    fn refusals(&self) -> Vec<String> {
        let browser = self.browser.as_ref().filter(|_| !self.has_other);
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

/// All that may be wrong.
#[derive(Debug, Default)]
struct Ills {
    problems: Problems,
    /// Sessions whose browser was lost within the last minute. What happened to one session is no lasting
    /// state of the service.
    failed: usize,
    /// Sessions that try to reach LiveKit again.
    reconnecting: usize,
    /// Those that do so no more.
    given_up: usize,
    refused: Vec<Reached>,
}

impl Ills {
    /// What is wrong, in words, and whether the service is degraded by it.
    fn tell(self) -> (Vec<String>, bool) {
        let mut reasons = self.problems.refusals();
        let elsewhere = self.problems.browser.filter(|_| self.problems.has_other);
        reasons.extend(elsewhere.map(|why| {
            format!("no browser of this machine can be started, the remote one serves: {why}")
        }));
        let registry = self.problems.registry;
        reasons.extend(registry.map(|why| format!("nothing can be kept on disk: {why}")));
        let queue = self.problems.queue;
        reasons.extend(queue.map(|why| format!("the shared job queue cannot be used: {why}")));
        let mut count = |words: &str, count: usize| {
            if count > 0 {
                reasons.push(format!("{words}: {count}"));
            }
        };
        count("sessions whose browser is lost", self.failed);
        count("sessions without LiveKit", self.reconnecting);
        let (wants, limits): (Vec<_>, Vec<_>) = self
            .refused
            .into_iter()
            .partition(|reached| reached.limit.is_want());
        let tell = |reached: Reached| {
            let limit = reached.limit.as_str();
            format!("refused in the last minute ({limit}): {}", reached.why)
        };
        reasons.extend(wants.into_iter().map(tell));
        let is_degraded = !reasons.is_empty();
        if self.given_up > 0 {
            reasons.push(format!(
                "sessions that have given LiveKit up, until recover: {}",
                self.given_up
            ));
        }
        reasons.extend(limits.into_iter().map(tell));
        (reasons, is_degraded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusals::Limit;

    #[test]
    fn what_is_ill_is_named() {
        assert_eq!(Ills::default().tell(), (Vec::new(), false));
        let ills = Ills {
            problems: Problems {
                browser: Some("it is not there".to_owned()),
                registry: Some("disk full".to_owned()),
                ..Problems::default()
            },
            failed: 2,
            reconnecting: 3,
            ..Ills::default()
        };
        let expected = [
            "no browser can be started: it is not there",
            "nothing can be kept on disk: disk full",
            "sessions whose browser is lost: 2",
            "sessions without LiveKit: 3",
        ];
        assert_eq!(ills.tell(), (expected.map(str::to_owned).into(), true));
    }

    #[test]
    fn a_full_house_is_told_and_is_no_illness() {
        let reached = |limit, why: &str| Reached {
            limit,
            why: why.to_owned(),
        };
        let full = reached(Limit::Sessions, "20 sessions run already");
        let told = "refused in the last minute (sessions): 20 sessions run already";
        let ills = Ills {
            given_up: 1,
            refused: vec![full.clone()],
            ..Ills::default()
        };
        let expected = [
            "sessions that have given LiveKit up, until recover: 1",
            told,
        ];
        assert_eq!(ills.tell(), (expected.map(str::to_owned).into(), false));
        let ills = Ills {
            refused: vec![full, reached(Limit::Disk, "no room")],
            ..Ills::default()
        };
        let expected = ["refused in the last minute (disk): no room", told];
        assert_eq!(ills.tell(), (expected.map(str::to_owned).into(), true));
    }
}
