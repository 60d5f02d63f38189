//! `GET /openapi.json`.

use axum::Json;
use serde_json::Value;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::{
    actions, control, downloads, drain, drive, ended, health, jobs, metrics, recordings,
    screenshots, sessions, share, stats, status, takeover, tickets, watch, ws,
};

use crate::error::Error;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ghostcast",
        description = "A browser for every LiveKit room, that people can watch and a voice agent \
                       can drive. Wherever a path says {room_name}, a session_id or a \
                       session_name is taken too.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        sessions::start,
        ended::list,
        ended::show,
        sessions::show,
        sessions::close,
        sessions::clean_up,
        sessions::pause,
        sessions::resume,
        sessions::recover,
        sessions::storage_state,
        actions::act,
        actions::show,
        actions::cancel,
        control::navigate,
        control::execute,
        control::interact,
        control::wait,
        sessions::context,
        screenshots::screenshot,
        screenshots::take_screenshot,
        sessions::analyze,
        downloads::list,
        downloads::fetch,
        recordings::start,
        recordings::stop,
        recordings::show,
        recordings::list,
        recordings::fetch,
        recordings::remove,
        ws::events,
        ws::connections,
        watch::offer,
        watch::trickle,
        watch::end,
        share::share,
        share::revoke,
        takeover::takeover,
        takeover::end_takeovers,
        takeover::enter_by_link,
        takeover::permit_driver,
        takeover::forbid_driver,
        drive::drive,
        drive::hand_files,
        tickets::issue,
        jobs::enqueue_job,
        jobs::list_jobs,
        jobs::show_job,
        jobs::cancel_job,
        jobs::retry_job,
        jobs::take_over_job,
        jobs::watch_job,
        jobs::connect,
        jobs::list_connections,
        jobs::show_connection,
        jobs::verify,
        jobs::reconnect,
        jobs::disconnect,
        jobs::add_note,
        jobs::list_notes,
        jobs::show_note,
        jobs::patch_note,
        jobs::remove_note,
        jobs::finalise_note,
        jobs::user_events,
        health::health,
        health::live,
        health::ready,
        drain::drain,
        drain::undo,
        stats::stats,
        metrics::metrics,
        openapi,
    ),
    components(schemas(status::ErrorBody)),
    modifiers(&Token, &Refusals),
    security(("token" = []), ("ticket" = []))
)]
struct Document;

/// What any call may be answered that is not valid, or may not be made.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let refusals = [
            (
                "400",
                "The request is not valid: a parameter, the body or the path",
            ),
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
        ];
        let of_bodies = [
            ("408", "The body did not come in time"),
            ("413", "The body is too large"),
        ];
        for path in document.paths.paths.values_mut() {
            let operations = [
                &mut path.get,
                &mut path.post,
                &mut path.patch,
                &mut path.delete,
            ];
            for operation in operations.into_iter().flatten() {
                let has_body = operation.request_body.is_some();
                let of_bodies = of_bodies.into_iter().filter(|_| has_body);
                for (status, description) in refusals.into_iter().chain(of_bodies) {
                    let answer = Content::new(Some(Ref::from_schema_name("ErrorBody")));
                    let answer = ResponseBuilder::new()
                        .description(description)
                        .content("application/json", answer);
                    let responses = &mut operation.responses.responses;
                    responses
                        .entry(status.to_owned())
                        .or_insert_with(|| answer.build().into());
                }
            }
        }
    }
}

/// Describes the bearer token, needed where the service has one, and what may stand for it.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
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
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "service", security(()), responses(
    (status = 200, description = "OpenAPI 3.1", body = Object),
))]
pub(super) async fn openapi() -> Result<Json<Value>, Error> {
    let mut document = serde_json::to_value(Document::openapi())
        .map_err(|error| Error::internal("the document cannot be written").source(error))?;
    mend(&mut document);
    Ok(Json(document))
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
