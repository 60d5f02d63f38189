//! What programs that watch the service are told, beside its log and `/metrics`: traces and measurements by OTLP
//! over HTTP, and reports of errors to whatever speaks Sentry's protocol. Each by option; without one, a span costs
//! a look at a flag.
//!
//! ```text
//! post       how all of it is sent, over the one HTTP client
//! traces     spans: a request, a job's attempt, an action, a command to the browser
//! metrics    what /metrics tells, as OTLP has it
//! reports    errors, without what may be secret in them
//! ```

mod metrics;
mod post;
mod reports;
mod traces;

use std::time::Duration;

use tracing_subscriber::{Layer, Registry};

use self::post::Poster;
use self::reports::Reports;
use self::traces::Traces;
use crate::config;
use crate::error::Error;

pub use self::traces::{carried, follow};

/// What is still to be sent goes within this time, or not at all.
const END_MAX: Duration = Duration::from_secs(3);

/// A layer of any kind.
type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends while it lives.
#[derive(Debug)]
pub struct Telemetry {
    metrics: Option<metrics::Sender>,
    traces: Option<Traces>,
    reports: Option<Reports>,
}

impl Telemetry {
    /// Begins to send, and answers what hears of spans and errors. To be called within the runtime.
    pub fn begin(config: &config::Telemetry) -> Result<(Self, Vec<Boxed>), Error> {
        let mut layers = Vec::new();
        let mut telemetry = Self {
            metrics: None,
            traces: None,
            reports: None,
        };
        if config.otlp_endpoint.is_empty() && config.sentry_dsn.is_empty() {
            return Ok((telemetry, layers));
        }
        let poster = Poster::new()?;
        if !config.otlp_endpoint.is_empty() {
            if config.traces {
                let (traces, layer) = Traces::begin(config, poster.clone())?;
                telemetry.traces = Some(traces);
                layers.push(layer);
            }
            if config.metrics_every_s > 0 {
                telemetry.metrics = Some(metrics::Sender::new(config, poster.clone()));
            }
        }
        if !config.sentry_dsn.is_empty() {
            let (reports, layer) = Reports::begin(config, poster)?;
            telemetry.reports = Some(reports);
            layers.push(layer);
        }
        Ok((telemetry, layers))
    }

    /// Whether errors are reported.
    pub fn reports(&self) -> bool {
        self.reports.is_some()
    }

    /// Sends what `rendered` answers, in Prometheus's text format, for as long as it is polled.
    pub async fn measure(&self, rendered: impl Fn() -> String) {
        match &self.metrics {
            Some(metrics) => metrics.send_for_ever(rendered).await,
            None => std::future::pending().await,
        }
    }

    /// Sends the last measurements.
    pub async fn measure_last(&self, rendered: impl Fn() -> String) {
        if let Some(metrics) = &self.metrics {
            // Whoever is away at the end does not hold it up, nor does it help to say so once more.
            let _ = tokio::time::timeout(END_MAX, metrics.send(&rendered())).await;
        }
    }

    /// Sends what is still to be sent.
    pub async fn end(self) {
        let (traces, reports) = (self.traces, self.reports);
        // Both wait on the thread that they end on, for what is sent by this runtime.
        let traces = tokio::task::spawn_blocking(move || {
            if let Some(traces) = traces {
                traces.end(END_MAX);
            }
        });
        let reports = tokio::task::spawn_blocking(move || {
            if let Some(reports) = reports {
                reports.end(END_MAX);
            }
        });
        let _ = tokio::join!(traces, reports);
    }
}
