//! `GET /openapi.json`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::Extension;
use axum::body::Bytes;
use axum::http::{HeaderName, header};
use serde_json::Value;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    Content, KnownFormat, ObjectBuilder, Ref, RefOr, ResponseBuilder, Schema, SchemaFormat, Type,
};
use utoipa::{OpenApi, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use super::Doors;
use super::status::ErrorBody;
use crate::error::Error;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ghostcast",
        description = "A browser for every LiveKit room, that people can watch and a voice agent \
                       can drive. Wherever a path says {room_name}, a session_id or a \
                       session_name is taken too. Each answer names its request in X-Request-Id, by \
                       the id that the request brought or by a new one; the log and whatever \
                       refuses it name it so too.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ErrorBody)),
    security(("token" = []), ("ticket" = []))
)]
struct Base;

/// The routes that are in the document, without any yet.
pub(super) fn begun() -> OpenApiRouter<Doors> {
    OpenApiRouter::with_openapi(Base::openapi())
}

/// A file as it is, in an answer.
pub(super) enum FileBytes {}

impl PartialSchema for FileBytes {
    fn schema() -> RefOr<Schema> {
        let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
        let object = ObjectBuilder::new().schema_type(Type::String);
        object.format(Some(binary)).into()
    }
}

impl ToSchema for FileBytes {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("FileBytes")
    }
}

/// The document, as it is served.
#[derive(Debug, Clone)]
pub(super) struct Document(Bytes);

impl Document {
    /// Of all routes.
    pub(super) fn of(mut document: utoipa::openapi::OpenApi) -> Result<Self, Error> {
        describe_tokens(&mut document);
        for item in document.paths.paths.values_mut() {
            operations(item).for_each(add_refusals);
        }
        let broken = |error| Error::internal("the document cannot be written").source(error);
        let mut document = serde_json::to_value(document).map_err(broken)?;
        mend(&mut document);
        let written = serde_json::to_vec(&document).map_err(broken)?;
        Ok(Self(written.into()))
    }
}

/// What a path takes.
fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let operations = [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ];
    operations.into_iter().flatten()
}

/// What any call may be answered.
const OF_ALL: [(&str, &str); 4] = [
    (
        "400",
        "The request is not valid: a parameter, the body or the path",
    ),
    ("403", "This origin or host may not call the service"),
    ("500", "The service has a defect, which its log tells"),
    (
        "503",
        "The service cannot do it now, or too many connections are open",
    ),
];
/// What a call may be answered that takes a token.
const OF_GUARDED: [(&str, &str); 5] = [
    ("401", "A valid token is needed"),
    (
        "403",
        "This origin or host may not call the service, or the token's scope does not reach this \
         far: the message says which it takes",
    ),
    (
        "409",
        "The session is still starting, or is in no state for this: the message says which",
    ),
    (
        "429",
        "A bound is reached, or too many wrong tokens came from this address: wait as long as \
         Retry-After says",
    ),
    (
        "504",
        "The browser, or what else is waited for, did not answer in time",
    ),
];
/// What a call may be answered that has a body.
const OF_BODIES: [(&str, &str); 2] = [
    ("408", "The body did not come in time"),
    ("413", "The body is too large"),
];

/// Adds what a call may be answered that is not valid, or may not be made, where it does not say it itself.
fn add_refusals(operation: &mut Operation) {
    let is_open = operation.security.is_some();
    let guarded = OF_GUARDED.into_iter().filter(|_| !is_open);
    let has_body = operation.request_body.is_some();
    let of_bodies = OF_BODIES.into_iter().filter(|_| has_body);
    for (status, description) in guarded.chain(of_bodies).chain(OF_ALL) {
        let answer = Content::new(Some(Ref::from_schema_name("ErrorBody")));
        let answer = ResponseBuilder::new()
            .description(description)
            .content("application/json", answer);
        let responses: &mut BTreeMap<_, _> = &mut operation.responses.responses;
        responses
            .entry(status.to_owned())
            .or_insert_with(|| answer.build().into());
    }
}

/// Describes the bearer token, needed where the service has one, and what may stand for it.
fn describe_tokens(document: &mut utoipa::openapi::OpenApi) {
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description = Some(
        "server.token, or one of server.tokens_file with its scope; a service without any on \
         loopback needs none. Without a valid token: 401."
            .to_owned(),
    );
    let ticket = ApiKeyValue::with_description(
        "ticket",
        "A ticket of POST /tickets, for one request, where a browser cannot send a header.",
    );
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    let ticket = SecurityScheme::ApiKey(ApiKey::Query(ticket));
    components.add_security_scheme("ticket", ticket);
}

/// This document. /docs shows it as a page.
#[utoipa::path(get, path = "/openapi.json", tag = "service", security(()), responses(
    (status = 200, description = "OpenAPI 3.1", body = Object),
))]
pub(super) async fn openapi(
    Extension(Document(document)): Extension<Document>,
) -> ([(HeaderName, &'static str); 1], Bytes) {
    ([(header::CONTENT_TYPE, "application/json")], document)
}

/// Says what the types cannot say: fields that come together or not at all need not be there, and a number
/// without a sign has no format, for JSON Schema knows those of signed ones only.
fn mend(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mend),
        Value::Object(object) => {
            let is_unsigned = object.get("type").is_some_and(names_integer)
                && object.get("minimum").and_then(Value::as_f64) >= Some(0.0);
            if is_unsigned {
                object.remove("format");
            }
            for part in object
                .get_mut("allOf")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                if let Some(optional) = without_null(part) {
                    *part = optional;
                }
            }
            object.values_mut().for_each(mend);
        }
        _ => {}
    }
}

fn names_integer(kind: &Value) -> bool {
    kind == "integer"
        || kind
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(names_integer))
}

/// The schema of an object whose fields need not be there, of one that is it or null.
fn without_null(schema: &Value) -> Option<Value> {
    let one_of = schema.get("oneOf")?.as_array()?;
    let is_null = |schema: &&Value| schema["type"] == "null";
    one_of.iter().find(is_null)?;
    let mut optional = one_of.iter().find(|schema| !is_null(schema))?.clone();
    optional.as_object_mut()?.remove("required");
    Some(optional)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_that_come_together_need_not_be_there() {
        let group =
            json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}});
        let own = json!({"type": "object", "required": ["b"], "properties": {"b": {
            "type": ["integer", "null"], "format": "int32", "minimum": 0}}});
        let mut schema = json!({"allOf": [{"oneOf": [{"type": "null"}, group]}, own]});
        mend(&mut schema);
        assert_eq!(
            schema["allOf"][0],
            json!({"type": "object", "properties": {"a": {"type": "string"}}})
        );
        assert_eq!(schema["allOf"][1]["required"], json!(["b"]));
        assert_eq!(
            schema["allOf"][1]["properties"]["b"],
            json!({"type": ["integer", "null"], "minimum": 0})
        );
    }
}
