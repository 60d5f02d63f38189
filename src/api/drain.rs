//! `POST /drain`: the service takes no new sessions any more and ends when the last one has.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Doors;
use super::body::OptionalJsonBody;
use super::status::ErrorBody;
use crate::error::Error;

/// How long the last sessions may take where nobody says, seconds.
const TIMEOUT_S: u64 = 3_600;
/// At most, seconds.
const TIMEOUT_S_MAX: u64 = 7 * 24 * 3_600;
/// Between two looks at what is left.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How a service is drained.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DrainOrder {
    /// The service ends after so long whatever is left, seconds; 3600 without it.
    #[schema(minimum = 0, maximum = 604_800, default = 3_600)]
    timeout_s: Option<u64>,
}

/// How far a service is drained.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Draining {
    /// Whether it takes no new sessions.
    pub(super) draining: bool,
    /// Sessions that are left.
    pub(super) sessions: usize,
}

/// Take no new sessions any more, and end when the last one is closed, or at the bound: then those with a
/// name are stored and the others closed. What runs goes on meanwhile.
#[utoipa::path(post, path = "/drain", tag = "service", request_body = Option<DrainOrder>, responses(
    (status = 202, description = "It is being drained", body = Draining),
    (status = 400, description = "The bound is out of range", body = ErrorBody),
))]
pub(super) async fn drain(
    State(doors): State<Doors>,
    OptionalJsonBody(order): OptionalJsonBody<DrainOrder>,
) -> Result<(StatusCode, Json<Draining>), Error> {
    let draining = doors.start_drain(order.timeout_s)?;
    Ok((StatusCode::ACCEPTED, Json(draining)))
}

/// Take new sessions again.
#[utoipa::path(delete, path = "/drain", tag = "service", responses(
    (status = 200, description = "It takes sessions", body = Draining),
))]
pub(super) async fn undo(State(doors): State<Doors>) -> Json<Draining> {
    Json(doors.stop_drain())
}

impl Doors {
    /// Takes no new sessions any more; ends the service when the last one is closed, or after so many
    /// seconds.
    pub(super) fn start_drain(&self, timeout_s: Option<u64>) -> Result<Draining, Error> {
        let bound = timeout_s.unwrap_or(TIMEOUT_S);
        if bound > TIMEOUT_S_MAX {
            return Err(Error::invalid_input("timeout_s is out of range")
                .hint(format!("Use 0 to {TIMEOUT_S_MAX}.")));
        }
        let was_draining = self.manager.drain(true);
        tracing::info!(bound_s = bound, "draining: no new sessions");
        if !was_draining {
            let (draining, cancel) = (self.clone(), self.life.cancel.clone());
            let ending = async move { draining.end_when_empty(Duration::from_secs(bound)).await };
            self.life.tracker.spawn(async move {
                cancel.run_until_cancelled(ending).await;
            });
        }
        Ok(self.draining())
    }

    /// Takes new sessions again.
    pub(super) fn stop_drain(&self) -> Draining {
        self.manager.drain(false);
        self.draining()
    }

    /// How far that is.
    pub(super) fn draining(&self) -> Draining {
        Draining {
            draining: self.manager.is_draining(),
            sessions: self.manager.count_live(),
        }
    }

    async fn end_when_empty(&self, bound: Duration) {
        let until = Instant::now() + bound;
        while self.manager.count_live() > 0 && Instant::now() < until {
            if !self.manager.is_draining() {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if self.manager.is_draining() {
            tracing::info!("drained: the service ends");
            self.life.ended.cancel();
        }
    }
}
