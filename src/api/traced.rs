//! The trace that a request is part of (W3C Trace Context), where traces are sent.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use tracing::field::Empty;

use crate::model::SPANS;
use crate::telemetry::follow;

/// Answers a request in a span of its own, which goes on with the caller's trace.
pub(super) async fn traced(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str);
    let method = request.method().as_str();
    let span = tracing::info_span!(
        target: SPANS,
        "request",
        "otel.name" = format!("{method} {route}"),
        "otel.kind" = "server",
        "http.request.method" = method,
        "http.route" = route,
        "http.response.status_code" = Empty,
        "otel.status_code" = Empty,
    );
    if span.is_disabled() {
        return next.run(request).await;
    }
    let carried = request.headers().get("traceparent");
    if let Some(carried) = carried.and_then(|carried| carried.to_str().ok()) {
        follow(&span, carried);
    }
    let response = next.run(request).instrument(span.clone()).await;
    let status = i64::from(response.status().as_u16());
    span.record("http.response.status_code", status);
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}
