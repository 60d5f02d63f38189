//! Request bodies and queries, with errors that name the field; how long a body may be, and how long it may
//! take.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures::TryStreamExt;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::{Doors, grpc};
use crate::error::Error;
use crate::model::command::UPLOAD_BYTES_MAX;

/// The paths that take longer bodies than others: actions and people with their files, and sessions with their
/// storage.
pub(super) const ACTIONS_PATH: &str = "/sessions/{room_name}/actions";
pub(super) const SESSIONS_PATH: &str = "/sessions";
pub(super) const FILES_PATH: &str = "/sessions/{room_name}/drive/files";
/// A body that comes more slowly than this, beyond the time that any has, is given up.
const BYTES_PER_MS_MIN: usize = 16;
/// Most bytes of the cookies and storage that a session begins with.
const STATE_BYTES_MAX: usize = 16 << 20;

/// A JSON body, whatever content type it was sent as: `curl -d` does not say JSON.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Doors> for JsonBody<T> {
    type Rejection = Response;

    async fn from_request(request: Request, doors: &Doors) -> Result<Self, Response> {
        let bytes = read(request, doors).await?;
        parse(&bytes).map(Self).map_err(Error::into_response)
    }
}

/// A JSON body that may be left out.
pub(super) struct OptionalJsonBody<T>(pub(super) T);

impl<T: DeserializeOwned + Default> FromRequest<Doors> for OptionalJsonBody<T> {
    type Rejection = Response;

    async fn from_request(request: Request, doors: &Doors) -> Result<Self, Response> {
        let bytes = read(request, doors).await?;
        if matches!(bytes.trim_ascii(), b"" | b"null") {
            return Ok(Self(T::default()));
        }
        parse(&bytes).map(Self).map_err(Error::into_response)
    }
}

/// A query string.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Doors> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, Error> {
        let query = Query::<T>::from_request_parts(parts, doors).await;
        query
            .map(|Query(params)| Self(params))
            .map_err(|rejection| {
                Error::invalid_input(format!("the query is not valid: {}", rejection.body_text()))
                    .hint("GET /openapi.json describes every parameter.")
            })
    }
}

async fn read(request: Request, doors: &Doors) -> Result<Bytes, Response> {
    // It has come whole already.
    let read = Bytes::from_request(request, doors).await;
    read.map_err(|rejection| broken_off(&rejection).into_response())
}

/// Reads the body before anything is done with the request, within the bounds on its size and its time.
/// What streams, as gRPC does, is left to its own door.
pub(super) async fn gathered(State(doors): State<Doors>, request: Request, next: Next) -> Response {
    // By the route, and not by what the request says of itself.
    let route = request.extensions().get::<MatchedPath>();
    let is_grpc = route.is_some_and(|route| grpc::has(route.as_str())) && grpc::speaks(&request);
    let is_stream = request.method() == Method::CONNECT || is_grpc;
    if is_stream || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let server = &doors.config.server;
    let bytes_max = bytes_max_of(&request, server.body_bytes_max);
    let (parts, body) = request.into_parts();
    let pace = Pace::new(server.body_timeout());
    match whole(body, bytes_max, pace).await {
        Ok(bytes) => next.run(Request::from_parts(parts, bytes.into())).await,
        Err(refusal) => refusal,
    }
}

/// Most bytes of what a request brings.
fn bytes_max_of(request: &Request, body_bytes_max: usize) -> usize {
    let path = request.extensions().get::<MatchedPath>();
    match path.map(MatchedPath::as_str) {
        Some(ACTIONS_PATH | FILES_PATH) => action_bytes_max(body_bytes_max),
        Some(SESSIONS_PATH) => spec_bytes_max(body_bytes_max),
        _ => body_bytes_max,
    }
}

/// Most bytes of an action, with the files of an upload as base64.
pub(super) const fn action_bytes_max(body_bytes_max: usize) -> usize {
    // Four characters for three bytes, and room for the names.
    body_bytes_max + UPLOAD_BYTES_MAX / 3 * 4 + 4
}

/// Most bytes of a session that is to be started, with the logins that it begins with.
pub(super) const fn spec_bytes_max(body_bytes_max: usize) -> usize {
    body_bytes_max + STATE_BYTES_MAX
}

/// The whole of a body. One that says beforehand that it is too long is not read, and its sender is not
/// asked for it (`Expect: 100-continue`).
async fn whole(body: Body, bytes_max: usize, pace: Pace) -> Result<Bytes, Response> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    let (mut pieces, mut bytes) = (body.into_data_stream(), BytesMut::new());
    loop {
        match timeout_at(pace.until(bytes.len()), pieces.try_next()).await {
            Ok(Ok(Some(piece))) if bytes.len() + piece.len() > bytes_max => {
                return Err(too_large(bytes_max));
            }
            Ok(Ok(Some(piece))) => bytes.extend_from_slice(&piece),
            Ok(Ok(None)) => return Ok(bytes.freeze()),
            Ok(Err(error)) => return Err(broken_off(&error).into_response()),
            Err(_) => return Err(too_slow(pace)),
        }
    }
}

/// How long a body may take: so long, and longer for what has come of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    began: Instant,
    patience: Duration,
}

impl Pace {
    /// Of a body that is read from now on.
    pub(super) fn new(patience: Duration) -> Self {
        let began = Instant::now();
        Self { began, patience }
    }

    /// When it is given up, after so many bytes.
    pub(super) fn until(self, bytes: usize) -> Instant {
        self.began + self.patience + Duration::from_millis((bytes / BYTES_PER_MS_MIN) as u64)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // A list of the fields' values in their order would be taken for the object as well.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Error::invalid_input("the body is not valid: it is a list")
            .hint("Send one JSON object. GET /openapi.json describes it."));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value =
        serde_path_to_error::deserialize(&mut json).map_err(|error| explain("body", &error))?;
    json.end().map_err(|error| {
        Error::invalid_input(format!("the body is not valid: {error}"))
            .hint("Send one JSON object and nothing after it.")
    })?;
    Ok(value)
}

fn explain(what: &str, error: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    let path = error.path().to_string();
    let inner = error.inner();
    let message = match path.as_str() {
        "." => format!("the {what} is not valid: {inner}"),
        field => format!("\"{field}\" is not valid: {inner}"),
    };
    Error::invalid_input(message).hint("GET /openapi.json describes the body.")
}

fn too_large(bytes_max: usize) -> Response {
    let error = Error::invalid_input("the body is too large");
    let error = error.hint(format!("Send at most {bytes_max} bytes."));
    cut_off(error, StatusCode::PAYLOAD_TOO_LARGE)
}

fn too_slow(pace: Pace) -> Response {
    metrics::counter!("ghostcast_slow_bodies_refused_total").increment(1);
    let error = Error::timeout("the body did not come in time").hint(format!(
        "Send it whole within {} ms, and a long one with {BYTES_PER_MS_MIN} bytes a millisecond, or raise \
         server.body_timeout_ms.",
        pace.patience.as_millis()
    ));
    cut_off(error, StatusCode::REQUEST_TIMEOUT)
}

fn broken_off(error: &dyn std::error::Error) -> Error {
    Error::invalid_input(format!("the body could not be read: {error}"))
}

/// The refusal of a body of which the rest is not read: the connection cannot be used for more.
fn cut_off(error: Error, status: StatusCode) -> Response {
    let mut response = error.into_response();
    *response.status_mut() = status;
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_has_longer() {
        let pace = Pace::new(Duration::from_secs(30));
        assert_eq!(pace.until(0) - pace.began, Duration::from_secs(30));
        assert_eq!(pace.until(1) - pace.began, Duration::from_secs(30));
        // 16 MiB have eighteen minutes more.
        let long = pace.until(16 << 20) - pace.began;
        assert_eq!(long.as_secs(), 30 + (16 << 20) / 16_000);
    }
}
