//! `GET /metrics`: Prometheus text.

use std::sync::{Mutex, PoisonError};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::{Doors, viewer_metrics};
use crate::error::Error;
use crate::model::{EndReason, SessionState};
use crate::processes;
use crate::refusals::LIMITS;
use crate::session::control::Cause;
use crate::session::{Hearing, Way};

/// Buckets of what is measured in seconds, from a cursor's blend to a slow navigation.
const SECONDS: [f64; 14] = [
    0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0,
];

/// What a picture passes: how long it waited to be drawn, then each step until its first packet has left.
const STAGES: [&str; 7] = [
    "capture",
    "decode",
    "convert",
    "compose",
    "encode",
    "encode_low",
    "send",
];

static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// The process's recorder of measurements.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// The process's recorder, installed by the first call: a process has one, however many
    /// services it carries one after the other.
    pub fn install() -> Result<Self, Error> {
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = &*installed {
            return Ok(Self(handle.clone()));
        }
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(|error| Error::internal("metrics cannot be recorded").source(error))?;
        describe();
        *installed = Some(handle.clone());
        Ok(Self(handle))
    }

    /// Keeps the recorder's memory bounded; to be called every few seconds.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Names every family, so that each is there from the start and explains itself.
fn describe() {
    for (name, help) in COUNTERS {
        describe_counter!(name, help);
    }
    for (name, help) in GAUGES {
        describe_gauge!(name, help);
        if !LABELLED.contains(&name) {
            metrics::gauge!(name).set(0.0);
        }
    }
    for (name, help) in HISTOGRAMS {
        describe_histogram!(name, help);
    }
    for name in PLAIN_COUNTERS {
        metrics::counter!(name).absolute(0);
    }
    for reason in [
        "newer_shot",
        "page_left",
        "unchanged",
        "slow_publisher",
        "slow_recorder",
        "broken",
    ] {
        metrics::counter!("ghostcast_frames_dropped_total", "reason" => reason).absolute(0);
    }
    for limit in LIMITS {
        metrics::counter!("ghostcast_refusals_total", "limit" => limit.as_str()).absolute(0);
    }
    for limit in crate::display::LIMITS {
        metrics::counter!("ghostcast_display_refusals_total", "limit" => limit).absolute(0);
    }
    for outcome in ["started", "reused", "refused", "failed"] {
        metrics::counter!("ghostcast_session_starts_total", "outcome" => outcome).absolute(0);
    }
    for outcome in ["started", "failed"] {
        metrics::counter!("ghostcast_remote_starts_total", "outcome" => outcome).absolute(0);
    }
    for (kind, outcome) in [
        ("run", "done"),
        ("run", "failed"),
        ("context", "done"),
        ("context", "failed"),
    ] {
        metrics::counter!("ghostcast_remote_releases_total", "kind" => kind, "outcome" => outcome)
            .absolute(0);
    }
    for reason in [EndReason::BrowserLost, EndReason::Internal] {
        metrics::counter!("ghostcast_browsers_lost_total", "reason" => reason.as_str()).absolute(0);
    }
    for reason in ["missing", "unknown", "ticket", "share", "throttled"] {
        metrics::counter!("ghostcast_auth_failures_total", "reason" => reason).absolute(0);
    }
    describe_passes();
    for cause in Cause::ALL {
        metrics::counter!("ghostcast_control_changes_total", "cause" => cause.as_str()).absolute(0);
    }
    for (way, outcome) in Way::ALL.into_iter().flat_map(Hearing::by) {
        let (way, outcome) = (way.as_str(), outcome.as_str());
        metrics::counter!("ghostcast_driver_messages_total", "way" => way, "outcome" => outcome)
            .absolute(0);
    }
    for stage in STAGES {
        let _ = metrics::histogram!("ghostcast_stage_seconds", "stage" => stage);
    }
    for layer in ["full", "low"] {
        metrics::counter!("ghostcast_layer_changes_total", "layer" => layer).absolute(0);
    }
}

fn describe_passes() {
    for (kind, outcome) in [
        ("ticket", "issued"),
        ("ticket", "used"),
        ("link", "issued"),
        ("link", "used"),
        ("link", "revoked"),
        ("share", "issued"),
        ("share", "revoked"),
    ] {
        metrics::counter!("ghostcast_passes_total", "kind" => kind, "outcome" => outcome)
            .absolute(0);
    }
}

const COUNTERS: [(&str, &str); 52] = [
    (
        "ghostcast_cdp_events_lost_total",
        "Events of browsers that a slow reader left out",
    ),
    (
        "ghostcast_error_reports_lost_total",
        "Reports of errors that did not arrive",
    ),
    (
        "ghostcast_bridge_calls_total",
        "Calls to the worker of the bridge, by outcome",
    ),
    (
        "ghostcast_bridge_crashes_total",
        "Times that the worker of the bridge was not there and was started again",
    ),
    (
        "ghostcast_jobs_enqueued_total",
        "Jobs that were asked for, by kind",
    ),
    (
        "ghostcast_job_attempts_total",
        "Attempts of jobs that have ended, by kind, outcome and which attempt it was",
    ),
    (
        "ghostcast_remote_seconds_total",
        "Seconds that remote browsers ran, by user where one was named",
    ),
    (
        "ghostcast_remote_starts_total",
        "Times that a session wanted a remote browser, by outcome",
    ),
    (
        "ghostcast_remote_releases_total",
        "Times that a vendor was told of a run that is over or a context that is deleted, by kind and outcome",
    ),
    (
        "ghostcast_remote_contexts_lost_total",
        "Contexts with logins that a vendor did not have any more, and that were made anew",
    ),
    (
        "ghostcast_renderers_ended_total",
        "Pages that were ended because they took more memory than they may",
    ),
    (
        "ghostcast_action_log_lines_dropped_total",
        "Lines that found no room on their way to the file of actions",
    ),
    (
        "ghostcast_mcp_sessions_evicted_total",
        "MCP conversations over HTTP that ended because another one needed their place",
    ),
    (
        "ghostcast_slow_bodies_refused_total",
        "Requests whose body did not come in time",
    ),
    (
        "ghostcast_frames_captured_total",
        "Frames that came in from browsers",
    ),
    (
        "ghostcast_display_commits_total",
        "What browsers have drawn to a display of ours, surface by surface",
    ),
    (
        "ghostcast_display_failures_total",
        "Displays that have failed, so that the screencast took over",
    ),
    (
        "ghostcast_display_refusals_total",
        "Clients of a display that were sent away because they wanted too much, by limit",
    ),
    ("ghostcast_frames_drawn_total", "Pictures drawn"),
    ("ghostcast_frames_encoded_total", "Pictures encoded"),
    (
        "ghostcast_frames_dropped_total",
        "Frames not sent, by reason",
    ),
    ("ghostcast_encoded_bytes_total", "Bytes encoded"),
    (
        "ghostcast_low_frames_encoded_total",
        "Pictures encoded of the low layer",
    ),
    (
        "ghostcast_low_encoded_bytes_total",
        "Bytes encoded of the low layer",
    ),
    (
        "ghostcast_layer_changes_total",
        "Viewers who went over to another layer, by layer",
    ),
    (
        "ghostcast_keyframe_requests_total",
        "Keyframes asked for by viewers",
    ),
    ("ghostcast_keyframes_total", "Keyframes encoded"),
    ("ghostcast_events_total", "Events published, by type"),
    (
        "ghostcast_log_lines_dropped_total",
        "Lines that found no room on their way to the log's file",
    ),
    (
        "ghostcast_browsers_retired_total",
        "Browser processes in which no page could be made",
    ),
    (
        "ghostcast_tabs_refused_total",
        "Pages that were closed because their session had too many tabs",
    ),
    (
        "ghostcast_events_lagged_total",
        "Events that slow subscribers missed",
    ),
    (
        "ghostcast_auth_failures_total",
        "Requests without a token, ticket or link that is good, by reason",
    ),
    (
        "ghostcast_passes_total",
        "Tickets and links to watch by, by kind and outcome",
    ),
    ("ghostcast_actions_total", "Actions, by type and outcome"),
    (
        "ghostcast_control_changes_total",
        "Times that the wheel got another owner, or a person was asked for, by cause",
    ),
    (
        "ghostcast_room_messages_total",
        "Messages of participants of LiveKit rooms, and to them, by what became of them",
    ),
    (
        "ghostcast_driver_messages_total",
        "Messages of people who drive by a page, by the way they came and what became of them",
    ),
    (
        "ghostcast_http_requests_total",
        "Requests answered, by method, path and status",
    ),
    (
        "ghostcast_panics_total",
        "Panics that ended a session, by its part",
    ),
    (
        "ghostcast_corrections_total",
        "Actions that were to put a failed one right",
    ),
    ("ghostcast_corrected_total", "Those of them that did"),
    (
        "ghostcast_requests_blocked_total",
        "Requests of pages that the gate refused, by reason",
    ),
    (
        "ghostcast_proxy_connections_total",
        "Connections of pages through the gate",
    ),
    (
        "ghostcast_recordings_total",
        "Recordings that ended, by outcome",
    ),
    (
        "ghostcast_recording_bytes_total",
        "Bytes of pictures written to recordings",
    ),
    (
        "ghostcast_session_starts_total",
        "Sessions that were asked for, by what became of that",
    ),
    (
        "ghostcast_sessions_ended_total",
        "Sessions whose browser ended, by reason",
    ),
    (
        "ghostcast_browsers_lost_total",
        "Sessions that lost their browser, or a part of the service, by reason",
    ),
    (
        "ghostcast_refusals_total",
        "What was refused because a limit was reached, by limit",
    ),
    (
        "ghostcast_swept_total",
        "What was removed because of its age or of the room it took, by kind",
    ),
    (
        "ghostcast_recording_chapters_dropped_total",
        "Chapters that a slow recorder left out",
    ),
];

const PLAIN_COUNTERS: [&str; 26] = [
    "ghostcast_low_frames_encoded_total",
    "ghostcast_low_encoded_bytes_total",
    "ghostcast_display_commits_total",
    "ghostcast_cdp_events_lost_total",
    "ghostcast_error_reports_lost_total",
    "ghostcast_bridge_crashes_total",
    "ghostcast_remote_seconds_total",
    "ghostcast_remote_contexts_lost_total",
    "ghostcast_renderers_ended_total",
    "ghostcast_action_log_lines_dropped_total",
    "ghostcast_mcp_sessions_evicted_total",
    "ghostcast_slow_bodies_refused_total",
    "ghostcast_frames_captured_total",
    "ghostcast_frames_drawn_total",
    "ghostcast_frames_encoded_total",
    "ghostcast_encoded_bytes_total",
    "ghostcast_keyframe_requests_total",
    "ghostcast_keyframes_total",
    "ghostcast_events_lagged_total",
    "ghostcast_corrections_total",
    "ghostcast_corrected_total",
    "ghostcast_recording_bytes_total",
    "ghostcast_recording_chapters_dropped_total",
    "ghostcast_tabs_refused_total",
    "ghostcast_browsers_retired_total",
    "ghostcast_log_lines_dropped_total",
];

const GAUGES: [(&str, &str); 13] = [
    ("ghostcast_remote_browsers", "Remote browsers that run"),
    (
        "ghostcast_browsers_memory_budget_bytes",
        "What all browsers may take together, as of the last start",
    ),
    (
        "ghostcast_sessions_by_state",
        "Sessions that there are, stored ones among them, by state",
    ),
    (
        "process_resident_memory_bytes",
        "Memory of the service's own process, without its browsers",
    ),
    (
        "process_open_fds",
        "Open files and sockets of the service's own process",
    ),
    ("ghostcast_sessions", "Sessions that are not dead"),
    ("ghostcast_browsers", "Browser processes"),
    ("ghostcast_contexts", "Browser contexts"),
    (
        "ghostcast_proxy_connections",
        "Connections of pages through the gate",
    ),
    ("ghostcast_viewers", "WHEP viewers"),
    ("ghostcast_recordings", "Recordings under way"),
    (
        "ghostcast_event_connections",
        "Open event sockets of rooms with a session",
    ),
    (
        "ghostcast_bitrate_bits_per_second",
        "Bits encoded in the last second, all sessions",
    ),
];

/// Gauges that have no value without their labels.
const LABELLED: [&str; 1] = ["ghostcast_sessions_by_state"];

const HISTOGRAMS: [(&str, &str); 4] = [
    (
        "ghostcast_job_duration_seconds",
        "Time of one attempt of a job, by kind and outcome",
    ),
    (
        "ghostcast_stage_seconds",
        "Time of one picture in a stage: capture is from its capture until it is drawn, send from its encoding until \
         a packet of media leaves",
    ),
    ("ghostcast_action_seconds", "Time of one action, by type"),
    (
        "ghostcast_http_request_seconds",
        "Time until an answer begins, by path",
    ),
];

/// What the process itself takes, where the system tells.
fn note_process() {
    if let Some(bytes) = processes::resident(std::process::id()) {
        metrics::gauge!("process_resident_memory_bytes").set(bytes as f64);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        metrics::gauge!("process_open_fds").set(open.count() as f64);
    }
}

/// Measurements for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "service", responses(
    (status = 200, description = "Prometheus text format 0.0.4", body = String,
        content_type = "text/plain"),
))]
pub(super) async fn metrics(State(doors): State<Doors>) -> Response {
    let mut text = rendered(&doors);
    text += &viewer_metrics::lines(&doors.manager.all_viewers().await);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// The measurements now, as text.
pub(super) fn rendered(doors: &Doors) -> String {
    let records = doors.manager.records();
    for state in SessionState::ALL {
        let count = records
            .iter()
            .filter(|record| record.state == state)
            .count();
        metrics::gauge!("ghostcast_sessions_by_state", "state" => state.as_str()).set(count as f64);
    }
    note_process();
    let bitrate: u64 = records.iter().map(|record| record.video.bitrate_bps).sum();
    let sockets: u32 = records.iter().map(|record| record.connections).sum();
    metrics::gauge!("ghostcast_bitrate_bits_per_second").set(bitrate as f64);
    metrics::gauge!("ghostcast_event_connections").set(f64::from(sockets));
    metrics::gauge!("ghostcast_sessions").set(doors.manager.count_live() as f64);
    doors.metrics.0.render()
}
