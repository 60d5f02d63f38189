//! What a request is called: in each line that is logged while it is answered, in the header of its answer, and
//! in whatever refuses it.

use std::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use futures::future::BoxFuture;
use tracing::Instrument;
use uuid::Uuid;

/// The header that carries it, both ways.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest that is taken of a caller.
const LENGTH_MAX: usize = 128;

tokio::task_local! {
    /// That of the request that is being answered.
    static CURRENT: RequestId;
}

/// The name of a request: its caller's own, or one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestId(Arc<str>);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RequestId {
    /// One that nothing else is called.
    pub(super) fn new() -> Self {
        Self(Uuid::new_v4().to_string().into())
    }

    /// The caller's own, where it can be written into a line as it is; else a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(REQUEST_ID).iter();
        let own = match (values.next(), values.next()) {
            (Some(own), None) => own.as_bytes(),
            // None, or two that cannot both be meant.
            _ => return Self::new(),
        };
        let is_sane = (1..=LENGTH_MAX).contains(&own.len()) && own.iter().all(u8::is_ascii_graphic);
        match std::str::from_utf8(own) {
            Ok(own) if is_sane => Self(own.into()),
            _ => Self::new(),
        }
    }

    /// That of the request that the current task answers.
    pub(super) fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// As it is written.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Answers a request: what is told meanwhile has its name, however little is told.
    pub(super) async fn scope<T>(self, answering: impl Future<Output = T>) -> T {
        let span = tracing::error_span!(parent: None, "request", request_id = %self);
        CURRENT.scope(self, answering).instrument(span).await
    }
}

/// The same work, told as the request's still when the request has been answered.
pub(super) fn going_on<A, F>(
    work: impl FnOnce(A) -> F,
) -> impl FnOnce(A) -> BoxFuture<'static, F::Output>
where
    F: Future + Send + 'static,
{
    let id = RequestId::current().unwrap_or_else(RequestId::new);
    move |argument| id.scope(work(argument)).boxed()
}

/// Gives each request its name, and tells it in the answer.
pub(super) async fn named(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    // Answered by tasks of their own, calls of MCP find it here.
    request.extensions_mut().insert(id.clone());
    let mut response = id.clone().scope(next.run(request)).await;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> RequestId {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                REQUEST_ID,
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        RequestId::of(&headers)
    }

    #[test]
    fn a_callers_own_is_taken_where_it_is_sane() {
        assert_eq!(of(&["a/1:2"]).as_str(), "a/1:2");
        let long = "x".repeat(LENGTH_MAX);
        assert_eq!(of(&[&long]).as_str(), long);
        for foreign in [
            &[][..] as &[&str],
            &[""],
            &[&format!("{long}x")],
            &["two words"],
            &["tab\there"],
            &["grün"],
            &["a", "b"],
        ] {
            assert_eq!(of(foreign).as_str().len(), 36, "{foreign:?}");
        }
    }
}
