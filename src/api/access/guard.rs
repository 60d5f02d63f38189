//! The way in, of every door: who calls, from where, and whether this call is theirs to make.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use url::form_urlencoded;

use super::rules::{self, Need};
use super::{Caller, Presented, Unknown};
use crate::api::place::Place;
use crate::api::{Doors, auth, grpc};
use crate::credential;
use crate::error::Error;
use crate::model::Right;

/// What a WebSocket's subprotocol begins with that says a token, since a browser's cannot set headers.
const BEARER_PROTOCOL: &str = "ghostcast.bearer.";
/// What a token is called in an address.
const TOKEN_PARAMETER: &str = "access_token";
/// Tokens of one request that are looked at: more of them are guesses.
const PRESENTED_MAX: usize = 2;
/// What a ticket is called there.
const TICKET_PARAMETER: &str = "ticket";

/// Lets a request in or answers why not.
pub(in super::super) async fn guard(
    State(doors): State<Doors>,
    request: Request,
    next: Next,
) -> Response {
    let speaks_grpc = grpc::speaks(&request);
    let refused = match auth::check(&doors, &request) {
        Ok(()) => match admit(&doors, request).await {
            Ok((request, caller)) => return until_gone(next.run(request).await, caller),
            Err(refused) => refused,
        },
        Err(error) => Unknown { error, pause: None },
    };
    let mut response = match speaks_grpc {
        true => grpc::refuse(&refused.error),
        false => refused.error.into_response(),
    };
    if let Some(pause) = refused.pause {
        let seconds = HeaderValue::from(pause.as_secs().max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// The request with its caller, if they may make it.
async fn admit(doors: &Doors, request: Request) -> Result<(Request, Option<Caller>), Unknown> {
    let (mut parts, body) = request.into_parts();
    let presented = Presented::take(&mut parts);
    let need = need(&parts);
    if need == Need::Nothing {
        return Ok((Request::from_parts(parts, body), None));
    }
    let place = Place::of(&doors.config.server, &parts.headers, &parts.extensions);
    let caller = doors
        .access
        .caller(&presented, place.client, &doors.manager)?;
    let refused = |error| Unknown { error, pause: None };
    check(doors, &caller, need, &mut parts)
        .await
        .map_err(refused)?;
    let right = match need {
        Need::Nothing | Need::Anybody | Need::Conversation => Right::Watch,
        Need::OfPath(right) | Need::OfFile(right) | Need::OfBody(right) | Need::OfAll(right) => {
            right
        }
    };
    let host = auth::host_of(&parts).unwrap_or_default();
    let base = place.base(host).map(Arc::from);
    let caller = caller.making(right, base);
    parts.extensions.insert(caller.clone());
    Ok((Request::from_parts(parts, body), Some(caller)))
}

/// What the call takes. A path that is none is told so to whoever has any token.
fn need(parts: &Parts) -> Need {
    let path = parts.uri.path();
    let route = parts.extensions.get::<MatchedPath>();
    match route.map(MatchedPath::as_str) {
        Some(route) if grpc::has(route) => rules::need(parts.method.as_str(), path),
        Some(route) => rules::need(parts.method.as_str(), route),
        None => Need::Anybody,
    }
}

async fn check(doors: &Doors, caller: &Caller, need: Need, parts: &mut Parts) -> Result<(), Error> {
    match need {
        // Whoever reads the body asks.
        Need::Nothing | Need::Anybody | Need::OfBody(_) => Ok(()),
        Need::Conversation => caller.may_converse(),
        Need::OfPath(right) => {
            let key = parameter(parts, "room_name").await?;
            caller.may(right, &doors.manager, &key)
        }
        // Whose it is need not be looked for.
        Need::OfFile(right) if caller.scope().permits_all(right) => Ok(()),
        Need::OfFile(right) => {
            let file = parameter(parts, "file").await?;
            let names = doors.manager.names_of_recording(&file).await;
            caller.may_of(right, "*", &names)
        }
        Need::OfAll(right) => caller.may_all(right),
    }
}

async fn parameter(parts: &mut Parts, wanted: &str) -> Result<String, Error> {
    let parameters = RawPathParams::from_request_parts(parts, &()).await;
    let parameters =
        parameters.map_err(|error| Error::invalid_input("the path is not valid").source(error))?;
    let mut found = parameters.iter().filter(|(name, _)| *name == wanted);
    let found = found.next().map(|(_, value)| value.to_owned());
    found.ok_or_else(|| Error::internal("a route without its parameter"))
}

impl Presented {
    /// Takes what says who calls out of a request; what is in the address is not there any more then.
    fn take(parts: &mut Parts) -> Self {
        let mut presented = Self::default();
        let bearer = parts.headers.get(header::AUTHORIZATION);
        let bearer = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        presented.tokens.extend(bearer.map(str::to_owned));
        let protocols = parts.headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
        let protocols = protocols.iter().filter_map(|value| value.to_str().ok());
        let said = protocols
            .flat_map(|list| list.split(','))
            .filter_map(|protocol| {
                credential::decoded(protocol.trim().strip_prefix(BEARER_PROTOCOL)?)
            });
        presented.tokens.extend(said);
        let query = parts.uri.query().unwrap_or_default();
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let is_ours = |name: &str| matches!(name, TOKEN_PARAMETER | TICKET_PARAMETER);
        if !pairs.iter().any(|(name, _)| is_ours(name)) {
            presented.tokens.truncate(PRESENTED_MAX);
            return presented;
        }
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &pairs {
            match name.as_ref() {
                TOKEN_PARAMETER => {
                    presented.tokens.push(value.clone().into_owned());
                    presented.is_in_address = true;
                }
                TICKET_PARAMETER => presented.ticket = Some(value.clone().into_owned()),
                _ => drop(rest.append_pair(name, value)),
            }
        }
        let rest = rest.finish();
        let path = parts.uri.path();
        let path = match rest.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{rest}"),
        };
        let mut uri = parts.uri.clone().into_parts();
        uri.path_and_query = path.parse().ok();
        if let Ok(uri) = Uri::from_parts(uri) {
            parts.uri = uri;
        }
        presented.tokens.truncate(PRESENTED_MAX);
        presented
    }
}

/// A stream of events that is still being answered ends with what let its caller in.
fn until_gone(response: Response, caller: Option<Caller>) -> Response {
    const CONTENT_TYPE: HeaderName = header::CONTENT_TYPE;
    let is_stream = |value: &HeaderValue| value.as_bytes().starts_with(b"text/event-stream");
    match caller {
        Some(caller) if response.headers().get(CONTENT_TYPE).is_some_and(is_stream) => response
            .map(|body| {
                let gone = caller.gone.cancelled_owned();
                Body::from_stream(body.into_data_stream().take_until(gone))
            }),
        _ => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(uri: &str, headers: &[(HeaderName, &str)]) -> (Presented, String) {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let presented = Presented::take(&mut parts);
        (presented, parts.uri.to_string())
    }

    #[test]
    fn who_calls_is_told_in_any_of_these_ways() {
        let (presented, uri) = take("/x?a=b%20c", &[(header::AUTHORIZATION, "Bearer one")]);
        assert_eq!(presented.tokens, ["one"]);
        assert_eq!(uri, "/x?a=b%20c");
        let protocols = "ghostcast.events.v1, ghostcast.bearer.dHdv";
        let (presented, _) = take("/x", &[(header::SEC_WEBSOCKET_PROTOCOL, protocols)]);
        assert_eq!(presented.tokens, ["two"]);
        let (presented, uri) = take("/x?a=1&access_token=th%20ree&ticket=t&b=%26", &[]);
        assert_eq!(presented.tokens, ["th ree"]);
        assert_eq!(presented.ticket.as_deref(), Some("t"));
        assert!(presented.is_in_address);
        assert_eq!(uri, "/x?a=1&b=%26");
        let (presented, uri) = take("http://h:1/x?ticket=t", &[]);
        assert_eq!((presented.tokens.len(), uri.as_str()), (0, "http://h:1/x"));
    }
}
