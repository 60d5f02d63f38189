//! What is told about the service to programs that watch it.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::Secret;

/// Traces and measurements by OTLP, and reports of errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Base URL of a collector that speaks OTLP over HTTP, without `/v1/…`; empty for none.
    pub otlp_endpoint: String,
    /// Headers of each request to it, `name=value` with commas between; they may hold a key.
    pub otlp_headers: Secret,
    /// Whether traces are sent there: requests, jobs, actions, and the browser commands of these.
    pub traces: bool,
    /// Measurements are sent there this often, seconds; 0 for never.
    pub metrics_every_s: u64,
    /// Where errors are reported, as Sentry writes it; empty for nowhere.
    pub sentry_dsn: Secret,
    /// What the service is called among others of its kind there: `production`, `staging`.
    pub environment: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp_endpoint: String::new(),
            otlp_headers: Secret::default(),
            traces: true,
            metrics_every_s: 60,
            sentry_dsn: Secret::default(),
            environment: String::new(),
        }
    }
}

impl Telemetry {
    /// The headers of a request to the collector; their values are written with `%` as in a URL.
    pub fn headers(&self) -> Vec<(String, String)> {
        let pairs = self.otlp_headers.reveal().split(',');
        let pairs = pairs.filter_map(|pair| pair.split_once('='));
        pairs
            .map(|(name, value)| {
                let value = percent_decode_str(value.trim()).decode_utf8_lossy();
                (name.trim().to_owned(), value.into_owned())
            })
            .collect()
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let is_http = |text: &str| {
            let url = url::Url::parse(text);
            url.is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https") && url.host_str().is_some()
            })
        };
        if !self.otlp_endpoint.is_empty() && !is_http(&self.otlp_endpoint) {
            return Err(
                Error::invalid_input("telemetry.otlp_endpoint is not a URL").hint(
                    "Write the collector's address for OTLP over HTTP, as http://localhost:4318.",
                ),
            );
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_sound = |(name, value): &(String, String)| {
            !name.is_empty() && name.chars().all(is_name) && !value.chars().any(char::is_control)
        };
        let headers = self.otlp_headers.reveal();
        let count = headers
            .split(',')
            .filter(|it| !it.trim().is_empty())
            .count();
        if self.headers().len() != count || !self.headers().iter().all(is_sound) {
            return Err(
                Error::invalid_input("telemetry.otlp_headers cannot be sent")
                    .hint("Write them as name=value,other=value; a comma in a value as %2C."),
            );
        }
        // It is repeated nowhere: it holds a key.
        if !self.sentry_dsn.is_empty() && !is_http(self.sentry_dsn.reveal()) {
            return Err(Error::invalid_input("telemetry.sentry_dsn is not a DSN")
                .hint("Copy it from the project's settings: https://KEY@HOST/PROJECT."));
        }
        if self.metrics_every_s > 86_400 {
            return Err(
                Error::invalid_input("telemetry.metrics_every_s is out of range")
                    .hint("Use 1 to 86400 seconds, or 0 for never."),
            );
        }
        Ok(())
    }
}
