//! gRPC: the door for programs (`proto/ghostcast/v1`), with reflection and health.
//!
//! It shares port, token and Origin check with the other doors: HTTP/2 without TLS is told apart
//! by its preface. [`service`] answers, [`convert`] knows both languages.

mod control;
mod convert;
mod deadline;
mod service;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use futures::{TryStreamExt, stream};
use tokio::time::timeout_at;
use tonic::service::Routes;
use tonic::{Code, Status};

use self::service::Service;
use super::Doors;
use super::body::{Pace, action_bytes_max, spec_bytes_max};
use super::status::{grpc_code, log};
use crate::error::{BoxError, Error, ErrorKind};

/// The generated messages and the service's skeleton.
#[expect(
    unreachable_pub,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated from the contract, whose comments are the documentation"
)]
mod proto {
    tonic::include_proto!("ghostcast.v1");
}

/// What the paths of reflection begin with.
const REFLECTION: &str = "/grpc.reflection.";
/// The contract, for reflection.
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ghostcast.v1.bin"));

/// The routes of this door.
pub(super) fn routes(doors: &Doors) -> Result<Router<Doors>, Error> {
    let body = doors.config.server.body_bytes_max;
    let bytes_max = action_bytes_max(body).max(spec_bytes_max(body));
    let service = proto::browser_service_server::BrowserServiceServer::new(Service::new(doors))
        .max_decoding_message_size(bytes_max);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let broken = |error| Error::internal("the gRPC contract is broken").source(error);
    let (reporter, health) = tonic_health::server::health_reporter();
    let routes = Routes::new(service)
        .add_service(reflection().build_v1().map_err(broken)?)
        // Most tools still ask in the older words.
        .add_service(reflection().build_v1alpha().map_err(broken)?)
        .add_service(health);
    // Serving as long as the process does; how it fares is told by /health.
    tokio::spawn(async move {
        let name = proto::browser_service_server::SERVICE_NAME;
        let serving = tonic_health::ServingStatus::Serving;
        reporter.set_service_status(name, serving).await;
    });
    let router = routes.into_axum_router().reset_fallback().with_state(());
    Ok(router
        .layer(map_response(blame_the_caller))
        .layer(from_fn_with_state(doors.clone(), timely))
        .layer(from_fn(deadline::keep)))
}

/// Gives up a call's message that trickles in. Reflection has as many of them as it is asked, when it is asked.
async fn timely(State(doors): State<Doors>, request: Request<Body>, next: Next) -> Response {
    if request.uri().path().starts_with(REFLECTION) {
        return next.run(request).await;
    }
    let pace = Pace::new(doors.config.server.body_timeout());
    let pieces = |body: Body| {
        let begin = (body.into_data_stream(), 0_usize);
        stream::try_unfold(begin, move |(mut body, bytes)| async move {
            let late = |_| BoxError::from(too_slow());
            match timeout_at(pace.until(bytes), body.try_next())
                .await
                .map_err(late)??
            {
                Some(piece) => {
                    let bytes = bytes + piece.len();
                    Ok(Some((piece, (body, bytes))))
                }
                None => Ok::<_, BoxError>(None),
            }
        })
    };
    let request = request.map(|body| Body::from_stream(pieces(body)));
    next.run(request).await
}

fn too_slow() -> Status {
    Status::deadline_exceeded("The message did not come in time. Send it whole at once.")
}

/// The library calls a message that it cannot decode a defect of the service; it is the caller's.
async fn blame_the_caller(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let says = |name: HeaderName, what: &[u8]| {
        let value = headers.get(name).map(HeaderValue::as_bytes);
        value.is_some_and(|value| value.starts_with(what))
    };
    // A method that is none is refused by the library without a word.
    if says(Status::GRPC_STATUS, b"12") && !headers.contains_key(Status::GRPC_MESSAGE) {
        return no_method();
    }
    if says(Status::GRPC_STATUS, b"13") && says(Status::GRPC_MESSAGE, b"failed%20to%20decode") {
        let code = grpc_code(ErrorKind::InvalidInput);
        headers.insert(Status::GRPC_STATUS, HeaderValue::from(code));
    }
    response
}

/// Whether an answer is gRPC's own.
pub(super) fn is_own(response: &Response) -> bool {
    let content_type = response.headers().get(axum::http::header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Whether a route is of this door: those are a library's, which takes all that begins like them.
pub(super) fn has(route: &str) -> bool {
    route.contains("{*")
}

/// Whether a request came by gRPC, and so has to be refused in its way.
pub(super) fn speaks(request: &Request<Body>) -> bool {
    let content_type = request.headers().get(axum::http::header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// A method that is none.
pub(super) fn no_method() -> Response {
    Status::unimplemented("there is no such method. Reflection lists those there are.").into_http()
}

/// A refusal as gRPC says it.
pub(super) fn refuse(error: &Error) -> Response {
    status(error).into_http()
}

/// An error by the one table; what to do next goes into the message, the kind into the metadata.
fn status(error: &Error) -> Status {
    let request_id = log(error);
    let mut message = error.message.to_string();
    if let Some(hint) = &error.hint {
        message.push_str(". ");
        message.push_str(hint);
    }
    let mut status = Status::new(Code::from(grpc_code(error.kind)), message);
    let kind = serde_json::to_value(error.kind).unwrap_or_default();
    let pairs = [
        ("error-kind", kind.as_str().unwrap_or_default()),
        ("x-request-id", &request_id),
    ];
    for (name, value) in pairs {
        if let Ok(value) = value.parse() {
            status.metadata_mut().insert(name, value);
        }
    }
    status
}
