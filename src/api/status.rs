//! Errors on the wire: one table for the whole service.

use std::any::Any;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::grpc;
use crate::error::{Chain, Error, ErrorKind};

/// The header that carries the request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

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

tokio::task_local! {
    /// The id of the request that is being answered.
    static CURRENT: Uuid;
}

/// The table: every kind of error and its HTTP status.
pub(super) const fn http_status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Closed => StatusCode::GONE,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
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
        ErrorKind::InvalidInput | ErrorKind::Unprocessable => 3,
        ErrorKind::Timeout => 4,
        ErrorKind::NotFound | ErrorKind::Closed => 5,
        ErrorKind::Forbidden => 7,
        ErrorKind::Exhausted => 8,
        ErrorKind::Conflict => 9,
        ErrorKind::NotConfigured => 12,
        ErrorKind::Internal => 13,
        ErrorKind::Unavailable => 14,
        ErrorKind::Unauthenticated => 16,
    }
}

/// Logs an error on its way out; answers the request's id.
pub(super) fn log(error: &Error) -> String {
    let request_id = CURRENT
        .try_with(|id| *id)
        .unwrap_or_else(|_| Uuid::new_v4());
    if http_status(error.kind).is_server_error() {
        tracing::warn!(%request_id, error = %Chain(error), "a request failed");
    } else {
        tracing::debug!(%request_id, error = %Chain(error), "a request was refused");
    }
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
        (status, Json(ErrorBody { error: detail })).into_response()
    }
}

/// Gives each request an id, and tells it in the response.
pub(super) async fn request_id(request: Request, next: Next) -> Response {
    let id = Uuid::new_v4();
    let mut response = CURRENT.scope(id, next.run(request)).await;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
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
            (ErrorKind::Closed, 410, "NOT_FOUND"),
            (ErrorKind::Unprocessable, 422, "INVALID_ARGUMENT"),
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
