//! Spans by OTLP: one trace from a request through the job, the action and the browser's commands.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;

use super::Boxed;
use super::metrics::resource;
use super::post::Poster;
use crate::config;
use crate::error::Error;
use crate::model::SPANS;

/// The header of W3C Trace Context.
const TRACEPARENT: &str = "traceparent";

/// Spans on their way.
#[derive(Debug)]
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    pub(super) fn begin(
        config: &config::Telemetry,
        poster: Poster,
    ) -> Result<(Self, Boxed), Error> {
        let base = config.otlp_endpoint.trim_end_matches('/');
        let headers: HashMap<String, String> = config.headers().into_iter().collect();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(poster)
            .with_endpoint(format!("{base}/v1/traces"))
            .with_headers(headers)
            .build()
            .map_err(|error| Error::invalid_input("no traces can be sent").source(error))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource(config))
            .build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("ghostcast"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|metadata| metadata.target() == SPANS))
            .boxed();
        Ok((Self(provider), layer))
    }

    /// Sends what is still to be sent.
    pub(super) fn end(self, patience: Duration) {
        if let Err(error) = self.0.shutdown_with_timeout(patience) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// What a span's trace is carried on by, in the form of W3C Trace Context; nothing where no traces are sent.
pub fn carried(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// Lets a span go on with the trace that was carried; one that is none is left alone.
pub fn follow(span: &Span, carried: &str) {
    if span.is_disabled() {
        return;
    }
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), carried.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    // Only a span that has begun refuses.
    let _ = span.set_parent(context);
}
