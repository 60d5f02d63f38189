//! Request bodies and queries, with errors that name the field.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::Doors;
use crate::error::Error;
use crate::model::SessionSpec;
use crate::model::command::{ActionRequest, UPLOAD_BYTES_MAX};

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

/// An action, which may bring files and is longer than other bodies then.
pub(super) struct ActionBody(pub(super) ActionRequest);

impl FromRequest<Doors> for ActionBody {
    type Rejection = Response;

    async fn from_request(request: Request, doors: &Doors) -> Result<Self, Response> {
        let bytes_max = action_bytes_max(doors.config.server.body_bytes_max);
        let bytes = Bytes::from_request(request, doors)
            .await
            .map_err(|rejection| too_large(rejection.status(), bytes_max))?;
        parse(&bytes).map(Self).map_err(Error::into_response)
    }
}

/// What a new session shall be, which may bring what sites know of it and is longer than other bodies then.
pub(super) struct SpecBody(pub(super) SessionSpec);

impl FromRequest<Doors> for SpecBody {
    type Rejection = Response;

    async fn from_request(request: Request, doors: &Doors) -> Result<Self, Response> {
        let bytes_max = spec_bytes_max(doors.config.server.body_bytes_max);
        let bytes = Bytes::from_request(request, doors)
            .await
            .map_err(|rejection| too_large(rejection.status(), bytes_max))?;
        parse(&bytes).map(Self).map_err(Error::into_response)
    }
}

/// Most bytes of what a new session shall be.
pub(super) const fn spec_bytes_max(body_bytes_max: usize) -> usize {
    body_bytes_max + STATE_BYTES_MAX
}

/// Most bytes of an action, with the files of an upload as base64.
pub(super) const fn action_bytes_max(body_bytes_max: usize) -> usize {
    // Four characters for three bytes, and room for the names.
    body_bytes_max + UPLOAD_BYTES_MAX / 3 * 4 + 4
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
    let bytes_max = doors.config.server.body_bytes_max;
    Bytes::from_request(request, doors)
        .await
        .map_err(|rejection| too_large(rejection.status(), bytes_max))
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

fn too_large(status: StatusCode, bytes_max: usize) -> Response {
    let error = Error::invalid_input("the body could not be read, or is too large")
        .hint(format!("Send at most {bytes_max} bytes."));
    let mut response = error.into_response();
    *response.status_mut() = status;
    response
}
