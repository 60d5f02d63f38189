//! Errors on the wire: one table for the whole service.

use std::any::Any;

use axum::Json;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::grpc;
use super::request_id::RequestId;
use crate::error::{Chain, Error, ErrorKind};

/// So much of a library's own words is kept.
const BARE_BYTES_MAX: usize = 4 * 1024;

/// Every error response.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    error: ErrorDetail,
}

/// What went wrong and what to do next.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorDetail {
    /// The class of the error.
    kind: ErrorKind,
    /// What went wrong.
    message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// Names this request in the log.
    request_id: String,
}

/// The table: every kind of error and its HTTP status.
pub(super) const fn http_status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Closed => StatusCode::GONE,
        ErrorKind::Conflict | ErrorKind::HumanInControl => StatusCode::CONFLICT,
        ErrorKind::Unprocessable | ErrorKind::Unsupported => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::NotConfigured => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Unavailable | ErrorKind::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// The same table for gRPC (google.rpc.Code).
pub(super) const fn grpc_code(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::Cancelled => 1,
        ErrorKind::InvalidInput | ErrorKind::Unprocessable | ErrorKind::Unsupported => 3,
        ErrorKind::Timeout => 4,
        ErrorKind::NotFound | ErrorKind::Closed => 5,
        ErrorKind::Forbidden => 7,
        ErrorKind::Exhausted => 8,
        ErrorKind::Conflict | ErrorKind::HumanInControl => 9,
        ErrorKind::NotConfigured => 12,
        ErrorKind::Internal => 13,
        ErrorKind::Unavailable => 14,
        ErrorKind::Unauthenticated => 16,
    }
}

/// Logs an error on its way out; answers the request's id.
pub(super) fn log(error: &Error) -> String {
    if http_status(error.kind).is_server_error() {
        tracing::warn!(error = %Chain(error), "a request failed");
    } else {
        tracing::debug!(error = %Chain(error), "a request was refused");
    }
    let request_id = RequestId::current().unwrap_or_else(RequestId::new);
    request_id.to_string()
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let request_id = log(&self);
        let status = http_status(self.kind);
        let detail = ErrorDetail {
            kind: self.kind,
            message: self.message.into_owned(),
            hint: self.hint.map(std::borrow::Cow::into_owned),
            request_id,
        };
        let mut response = (status, Json(ErrorBody { error: detail })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"ghostcast\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// Puts every refusal into the one form of the protocol that was asked in, also those of the libraries
/// beneath: a method, a path, a body or a range that they refuse themselves.
pub(super) async fn enveloped(request: Request, next: Next) -> Response {
    let speaks_grpc = grpc::speaks(&request);
    let response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    if speaks_grpc {
        return match grpc::is_own(&response) {
            true => response,
            false => grpc::refuse(&of_status(status, None)),
        };
    }
    let content_type = response.headers().get(CONTENT_TYPE);
    let starts = |kind: &[u8]| content_type.is_some_and(|value| value.as_bytes().starts_with(kind));
    if starts(b"application/json") || starts(b"text/event-stream") {
        return response;
    }
    let is_text = starts(b"text/plain");
    let (mut parts, body) = response.into_parts();
    let text = match is_text {
        true => to_bytes(body, BARE_BYTES_MAX).await.unwrap_or_default(),
        false => Bytes::new(),
    };
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let mut refused = of_status(status, Some(text)).into_response();
    *refused.status_mut() = status;
    // What belongs to the status (Allow, Content-Range) is kept; what belongs to the body is not.
    for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING] {
        parts.headers.remove(name);
    }
    for (name, value) in &parts.headers {
        refused.headers_mut().append(name, value.clone());
    }
    refused
}

/// The error that a status stands for, in its own words if it has any.
fn of_status(status: StatusCode, words: Option<String>) -> Error {
    let kind = match status {
        StatusCode::UNAUTHORIZED => ErrorKind::Unauthenticated,
        StatusCode::FORBIDDEN => ErrorKind::Forbidden,
        StatusCode::NOT_FOUND | StatusCode::GONE => ErrorKind::NotFound,
        StatusCode::CONFLICT => ErrorKind::Conflict,
        StatusCode::UNPROCESSABLE_ENTITY => ErrorKind::Unprocessable,
        StatusCode::TOO_MANY_REQUESTS => ErrorKind::Exhausted,
        StatusCode::NOT_IMPLEMENTED => ErrorKind::NotConfigured,
        StatusCode::SERVICE_UNAVAILABLE => ErrorKind::Unavailable,
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => ErrorKind::Timeout,
        _ if status.is_client_error() => ErrorKind::InvalidInput,
        _ => ErrorKind::Internal,
    };
    let own = match status {
        StatusCode::METHOD_NOT_ALLOWED => "this path does not take this method",
        StatusCode::NOT_ACCEPTABLE => "there is no answer of the kind that Accept asks for",
        StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "the body is of a kind that is not taken here",
        StatusCode::RANGE_NOT_SATISFIABLE => "the range lies outside the file",
        StatusCode::NOT_FOUND => "there is no such path",
        _ if status.is_client_error() => "the request is not valid",
        _ => "the service has a defect; this request failed",
    };
    let error = match words.filter(|words| !words.is_empty() && status.is_client_error()) {
        Some(words) => Error::new(kind, words),
        None => Error::new(kind, own),
    };
    error.hint("GET /openapi.json describes every path.")
}

/// A whole HTTP answer to a connection beyond the bound.
pub(super) fn full(connections_max: usize) -> String {
    let request_id = RequestId::new();
    let detail = ErrorDetail {
        kind: ErrorKind::Exhausted,
        message: "too many connections are open".to_owned(),
        hint: Some(format!(
            "Close some, or raise server.connections_max (now {connections_max})."
        )),
        request_id: request_id.to_string(),
    };
    // An error of four texts always serialises.
    let body = serde_json::to_string(&ErrorBody { error: detail }).unwrap_or_default();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         X-Request-Id: {request_id}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A path that is none.
pub(super) async fn no_route(request: Request) -> Response {
    if grpc::speaks(&request) {
        return grpc::no_method();
    }
    Error::not_found("there is no such path")
        .hint("GET /openapi.json lists every path.")
        .into_response()
}

/// A path that does not take this method.
pub(super) async fn no_method() -> Response {
    let error = Error::invalid_input("this path does not take this method")
        .hint("GET /openapi.json lists the methods of every path.");
    let mut response = error.into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// A defect of ours: this request fails, the service lives on.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is the layer's"
)]
pub(super) fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let text = cause
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| cause.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    tracing::error!(text, "a request panicked");
    Error::internal("the service has a defect; this request failed")
        .hint("Report it with the request id.")
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_the_readme_says() {
        let table = [
            (ErrorKind::InvalidInput, 400, "INVALID_ARGUMENT"),
            (ErrorKind::Unauthenticated, 401, "UNAUTHENTICATED"),
            (ErrorKind::Forbidden, 403, "PERMISSION_DENIED"),
            (ErrorKind::NotFound, 404, "NOT_FOUND"),
            (ErrorKind::Conflict, 409, "FAILED_PRECONDITION"),
            (ErrorKind::HumanInControl, 409, "FAILED_PRECONDITION"),
            (ErrorKind::Closed, 410, "NOT_FOUND"),
            (ErrorKind::Unprocessable, 422, "INVALID_ARGUMENT"),
            (ErrorKind::Unsupported, 422, "INVALID_ARGUMENT"),
            (ErrorKind::Exhausted, 429, "RESOURCE_EXHAUSTED"),
            (ErrorKind::Internal, 500, "INTERNAL"),
            (ErrorKind::NotConfigured, 501, "UNIMPLEMENTED"),
            (ErrorKind::Unavailable, 503, "UNAVAILABLE"),
            (ErrorKind::Cancelled, 503, "CANCELLED"),
            (ErrorKind::Timeout, 504, "DEADLINE_EXCEEDED"),
        ];
        let codes = [
            "OK",
            "CANCELLED",
            "UNKNOWN",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
            "UNAUTHENTICATED",
        ];
        for (kind, status, code) in table {
            assert_eq!(http_status(kind).as_u16(), status, "{kind:?}");
            assert_eq!(codes[grpc_code(kind) as usize], code, "{kind:?}");
        }
    }
}
