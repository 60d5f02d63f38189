//! `GET /stats`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::Doors;
use crate::error::Error;
use crate::model::session::Viewers;
use crate::model::{RoomName, SessionId, SessionName, SessionState};
use crate::session::{Busy, Cost};

/// How often, by method, path and status.
type Counts = BTreeMap<(String, String, u16), u64>;

/// What was asked of the service, by method, path and status. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    since: Instant,
    counts: Arc<Mutex<Counts>>,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            counts: Arc::default(),
        }
    }
}

/// Counts a request and how long its answer took to begin, by the route that it is for.
pub(super) async fn count(State(doors): State<Doors>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PATCH" | "DELETE" | "OPTIONS") => known.to_owned(),
        // Callers can send any word.
        _ => "other".to_owned(),
    };
    let route = request.extensions().get::<MatchedPath>();
    let path = route.map_or("none", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let labels = [
        ("method", method.clone()),
        ("path", path.clone()),
        ("status", status.to_string()),
    ];
    metrics::counter!("ghostcast_http_requests_total", &labels).increment(1);
    metrics::histogram!("ghostcast_http_request_seconds", "path" => path.clone())
        .record(began.elapsed().as_secs_f64());
    let counts = &doors.asked.counts;
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    *counts.entry((method, path, status)).or_default() += 1;
    response
}

/// What the service does and costs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Stats {
    /// The service's version.
    version: &'static str,
    /// Seconds since the service began.
    uptime_s: f64,
    /// How many sessions are in each state.
    sessions: BTreeMap<&'static str, usize>,
    /// All sessions.
    sessions_total: usize,
    /// Those with a browser that works.
    pub(super) sessions_active: usize,
    /// What each `cpu_percent` was measured over, milliseconds: since the last call, or at least half a
    /// second.
    cpu_over_ms: u64,
    /// The service's own process; null where the system does not tell.
    service: Option<ProcessCost>,
    /// The browsers. Several sessions may share one.
    browsers: Vec<BrowserCost>,
    /// The sessions, oldest first.
    per_session: Vec<SessionCost>,
    /// What was asked of the service since it began.
    requests: Vec<RequestCount>,
}

/// What a process, with those it has started, takes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProcessCost {
    /// The first process.
    pid: u32,
    /// How many there are.
    processes: u32,
    /// Percent of one processor.
    cpu_percent: f64,
    /// Seconds of processor time since it began.
    cpu_seconds: f64,
    /// Memory; what several processes share counts once (the proportional set size).
    pss_bytes: u64,
}

/// What a browser takes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BrowserCost {
    #[serde(flatten)]
    cost: ProcessCost,
    /// The ids of its sessions; none of one that is kept warm.
    #[schema(value_type = Vec<String>)]
    sessions: Vec<SessionId>,
}

/// What a session takes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionCost {
    /// UUID.
    #[schema(value_type = String)]
    session_id: SessionId,
    /// Its own name.
    #[schema(value_type = Option<String>)]
    session_name: Option<SessionName>,
    /// The LiveKit room.
    #[schema(value_type = Option<String>)]
    room_name: Option<RoomName>,
    /// Where it is in its life.
    state: SessionState,
    /// The first process of its browser; null without one.
    browser_pid: Option<u32>,
    /// Percent of one processor that its browser takes; null where other sessions share that browser:
    /// the system does not tell them apart.
    cpu_percent: Option<f64>,
    /// The memory of its browser; null likewise.
    pss_bytes: Option<u64>,
    /// Bytes sent to viewers and to LiveKit.
    bytes_sent: u64,
    /// Who watches.
    viewers: Viewers,
    /// Event subscribers.
    connections: u32,
    /// Actions that have ended, whatever their end; the opening of the first page is one.
    actions: u64,
    /// ISO 8601, UTC.
    last_activity: String,
}

/// How often something was asked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RequestCount {
    /// The method.
    method: String,
    /// The path with its parameters' names; `none` where there is no such path.
    path: String,
    /// The status that was answered.
    status: u16,
    /// How often.
    count: u64,
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl From<Cost> for ProcessCost {
    fn from(cost: Cost) -> Self {
        Self {
            pid: cost.pid,
            processes: cost.usage.processes,
            cpu_percent: rounded(cost.cpu_percent),
            cpu_seconds: rounded(cost.usage.cpu.as_secs_f64()),
            pss_bytes: cost.usage.pss_bytes,
        }
    }
}

/// What the service does and costs, as the system tells it. Takes half a second where nobody has asked
/// within the last minute.
#[utoipa::path(get, path = "/stats", tag = "service", responses(
    (status = 200, description = "The numbers", body = Stats),
))]
pub(super) async fn stats(State(doors): State<Doors>) -> Result<Json<Stats>, Error> {
    Stats::of(&doors).await.map(Json)
}

impl Stats {
    /// What is measured now.
    pub(super) async fn of(doors: &Doors) -> Result<Self, Error> {
        let costs = doors.manager.costs().await?;
        let mut sessions = BTreeMap::new();
        for busy in &costs.sessions {
            *sessions.entry(busy.record.state.as_str()).or_default() += 1;
        }
        let active = |busy: &&Busy| busy.record.active;
        let sessions_active = costs.sessions.iter().filter(active).count();
        let alone = |pid: Option<u32>| {
            let of = |(cost, of): &&(Cost, Vec<SessionId>)| Some(cost.pid) == pid && of.len() == 1;
            costs.browsers.iter().find(of).map(|(cost, _)| *cost)
        };
        let per_session = costs.sessions.iter().map(|busy| {
            let cost = alone(busy.browser_pid);
            let record = &busy.record;
            SessionCost {
                session_id: record.session_id,
                session_name: record.session_name.clone(),
                room_name: record.room_name.clone(),
                state: record.state,
                browser_pid: busy.browser_pid,
                cpu_percent: cost.map(|cost| rounded(cost.cpu_percent)),
                pss_bytes: cost.map(|cost| cost.usage.pss_bytes),
                bytes_sent: busy.bytes_sent,
                viewers: record.viewers,
                connections: record.connections,
                actions: busy.actions,
                last_activity: record.last_activity.clone(),
            }
        });
        let per_session = per_session.collect();
        let counts = doors
            .asked
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let requests = counts
            .iter()
            .map(|((method, path, status), count)| RequestCount {
                method: method.clone(),
                path: path.clone(),
                status: *status,
                count: *count,
            });
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_s: rounded(doors.asked.since.elapsed().as_secs_f64()),
            sessions,
            sessions_total: costs.sessions.len(),
            sessions_active,
            cpu_over_ms: costs.over.as_millis() as u64,
            service: costs.service.map(ProcessCost::from),
            requests: requests.collect(),
            browsers: costs
                .browsers
                .into_iter()
                .map(|(cost, sessions)| BrowserCost {
                    cost: cost.into(),
                    sessions,
                })
                .collect(),
            per_session,
        })
    }
}
