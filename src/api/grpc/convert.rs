//! Between the service's own words and the contract's messages.

use std::collections::{BTreeMap, HashMap};

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value as ProtoValue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use super::super::drain::Draining;
use super::super::ended::Ended;
use super::super::screenshots::SavedScreenshot;
use super::proto;
use crate::error::Error;
use crate::model::command::{ActionRequest, Expects};
use crate::model::secrets::Entry;
use crate::model::{
    ActionResult, DialogInfo, DialogPolicy, DownloadInfo, Effect, Outcome, RecordingStatus,
    RoomName, Secret, SessionName, SessionRecord, SessionSpec, StorageState,
};
use crate::session::PageContext;

/// Deepest nesting of a struct that is taken in; prost stops at a hundred messages by itself.
const DEPTH_MAX: usize = 32;

/// A JSON object as a protobuf struct.
pub(super) fn to_struct(object: Map<String, Value>) -> Struct {
    let fields = object
        .into_iter()
        .map(|(name, value)| (name, to_value(value)))
        .collect();
    Struct { fields }
}

/// Any JSON as a protobuf value.
pub(super) fn to_value(value: Value) -> ProtoValue {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text),
        Value::Array(items) => Kind::ListValue(ListValue {
            values: items.into_iter().map(to_value).collect(),
        }),
        Value::Object(object) => Kind::StructValue(to_struct(object)),
    };
    ProtoValue { kind: Some(kind) }
}

/// A protobuf struct as a JSON object. Whole numbers become integers again: protobuf has only one
/// kind of number.
pub(super) fn from_struct(fields: Struct) -> Result<Map<String, Value>, Error> {
    object(fields, DEPTH_MAX)
}

/// A protobuf value as JSON, in the same way.
pub(super) fn from_any(value: ProtoValue) -> Result<Value, Error> {
    from_value(value, DEPTH_MAX)
}

fn object(fields: Struct, depth: usize) -> Result<Map<String, Value>, Error> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Error::invalid_input("a struct is nested too deeply")
            .hint(format!("Nest at most {DEPTH_MAX} levels.")));
    };
    fields
        .fields
        .into_iter()
        .map(|(name, value)| Ok((name, from_value(value, depth)?)))
        .collect()
}

fn from_value(value: ProtoValue, depth: usize) -> Result<Value, Error> {
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::NumberValue(number)) => from_number(number),
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::StructValue(fields)) => Value::Object(object(fields, depth)?),
        Some(Kind::ListValue(list)) => {
            let Some(depth) = depth.checked_sub(1) else {
                return Err(Error::invalid_input("a list is nested too deeply"));
            };
            let items = list.values.into_iter();
            Value::Array(
                items
                    .map(|item| from_value(item, depth))
                    .collect::<Result<_, _>>()?,
            )
        }
    })
}

/// Doubles hold whole numbers exactly up to this.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

fn from_number(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() <= WHOLE_MAX {
        return Value::Number(Number::from(number as i64));
    }
    // Infinity and NaN are no JSON; as null they are refused by whoever wants a number.
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// Anything that serialises to an object.
pub(super) fn facts(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// The objects of a list.
pub(super) fn structs(items: Vec<Value>) -> Vec<Struct> {
    let objects = items.into_iter().filter_map(|item| match item {
        Value::Object(object) => Some(to_struct(object)),
        _ => None,
    });
    objects.collect()
}

fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// What a new session shall be.
pub(super) fn spec(request: proto::StartSessionRequest) -> Result<SessionSpec, Error> {
    let capture = match request.capture {
        None => None,
        Some(name) => Some(
            serde_json::from_value(Value::String(name)).map_err(|error| {
                Error::invalid_input("capture is not valid")
                    .hint("Use auto, display or screencast.")
                    .source(error)
            })?,
        ),
    };
    let dialogs = match request.dialogs {
        None => DialogPolicy::default(),
        Some(name) => serde_json::from_value(Value::String(name)).map_err(|error| {
            Error::invalid_input("dialogs is not valid")
                .hint("Use ask, accept or dismiss.")
                .source(error)
        })?,
    };
    let storage = word(request.storage, "storage", "Use profile or none.")?;
    let browser = word(request.browser, "browser", "Use auto, local or remote.")?;
    let fence = "Use intercept or strict.";
    let remote_fence = word(request.remote_fence, "remote_fence", fence)?;
    Ok(SessionSpec {
        livekit_url: request.livekit_url,
        livekit_token: request.livekit_token,
        initial_url: request.initial_url,
        viewport_width: request.viewport_width,
        viewport_height: request.viewport_height,
        fps: request.fps,
        bitrate_bps: request.bitrate_bps,
        allowed_domains: request.allowed_domains,
        block_private_networks: request.block_private_networks,
        capture,
        browser,
        remote_fence,
        remote_options: from_struct(request.remote_options.unwrap_or_default())?,
        user_id: request.user_id,
        dialogs,
        driver_badge: request.driver_badge,
        metadata: from_struct(request.metadata.unwrap_or_default())?,
        secrets: secrets(request.secrets, request.secret_origins)?,
        room_name: match request.room_name.is_empty() {
            true => None,
            false => Some(RoomName::parse(&request.room_name)?),
        },
        session_name: request
            .session_name
            .as_deref()
            .map(SessionName::parse)
            .transpose()?,
        reuse: !request.no_reuse,
        storage,
        idle_timeout_s: request.idle_timeout_s,
        max_lifetime_s: request.max_lifetime_s,
        storage_state: request.storage_state.map(storage_state).transpose()?,
        ..SessionSpec::default()
    })
}

/// One of the words of a set.
fn word<T: DeserializeOwned>(
    name: Option<String>,
    field: &'static str,
    words: &'static str,
) -> Result<Option<T>, Error> {
    let parsed = name.map(|name| serde_json::from_value(Value::String(name)));
    parsed.transpose().map_err(|error| {
        Error::invalid_input(format!("{field} is not valid"))
            .hint(words)
            .source(error)
    })
}

fn secrets(
    values: HashMap<String, String>,
    mut origins: HashMap<String, proto::Origins>,
) -> Result<BTreeMap<String, Entry>, Error> {
    let bound = values.into_iter().map(|(label, value)| {
        let value = Secret::from(value);
        let entry = match origins.remove(&label) {
            None => value.into(),
            Some(proto::Origins { origins }) => Entry::new(value, &origins)?,
        };
        Ok((label, entry))
    });
    let bound = bound.collect::<Result<_, Error>>()?;
    match origins.is_empty() {
        true => Ok(bound),
        false => Err(
            Error::invalid_input("secret_origins has a label that secrets has not")
                .hint("Use the same labels in both."),
        ),
    }
}

/// What a browser begins with.
fn storage_state(state: Struct) -> Result<StorageState, Error> {
    let state = Value::Object(from_struct(state)?);
    serde_path_to_error::deserialize(state).map_err(|error| {
        let path = error.path().to_string();
        Error::invalid_input(format!(
            "storage_state is not valid at {path}: {}",
            error.inner()
        ))
        .hint("Send what GetStorageState, or Playwright's storageState, answers.")
    })
}

/// A session that has ended.
pub(super) fn ended(ended: &Ended) -> proto::EndedSession {
    let whole = facts(ended);
    let session = &ended.session;
    let files = session.recordings.iter().map(|it| it.file.clone());
    proto::EndedSession {
        session_id: session.session_id.to_string(),
        room_name: session
            .room_name
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        session_name: session
            .session_name
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        reason: session.reason.as_str().to_owned(),
        detail: session.detail.clone(),
        created_at: session.created_at.clone(),
        ended_at: session.ended_at.clone(),
        state: ended.state.as_str().to_owned(),
        current_url: session.current_url.clone(),
        title: session.title.clone(),
        actions: session.actions,
        actions_failed: session.actions_failed,
        recordings: files.collect(),
        last_events: structs(session.last_events.clone().unwrap_or_default()),
        record: Some(to_struct(whole)),
    }
}

/// A picture that was saved.
pub(super) fn saved(saved: SavedScreenshot) -> proto::SavedScreenshot {
    proto::SavedScreenshot {
        path: saved.path,
        width: saved.width,
        height: saved.height,
        bytes: saved.bytes,
    }
}

/// How far the service is drained.
pub(super) fn draining(draining: &Draining) -> proto::Draining {
    proto::Draining {
        draining: draining.draining,
        sessions: draining.sessions as u64,
    }
}

/// The record of a session.
pub(super) fn session(record: SessionRecord) -> proto::Session {
    let whole = facts(&record);
    let livekit = whole.get("livekit").and_then(Value::as_str);
    proto::Session {
        session_id: record.session_id.to_string(),
        room_name: record
            .room_name
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        state: record.state.as_str().to_owned(),
        state_reason: record.state_reason,
        is_opening: record.is_opening,
        page_error: record.page_error,
        current_url: record.current_url,
        title: record.title,
        created_at: record.created_at,
        last_activity: record.last_activity,
        livekit: livekit.unwrap_or_default().to_owned(),
        page_count: record.page_count,
        capturing: record.capturing,
        viewport_width: record.viewport.width,
        viewport_height: record.viewport.height,
        fps: record.fps,
        bitrate_bps: record.bitrate_bps,
        connections: record.connections,
        session_name: record
            .session_name
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        active: record.active,
        idle_timeout_s: record.idle_timeout_s,
        max_lifetime_s: record.max_lifetime_s,
        browser: record.browser.as_str().to_owned(),
        record: Some(to_struct(whole)),
    }
}

/// An action to perform.
pub(super) fn action(request: proto::ExecuteActionRequest) -> Result<ActionRequest, Error> {
    let action = request.action.ok_or_else(|| {
        Error::invalid_input("the action is missing").hint("Set action.action_type.")
    })?;
    Ok(ActionRequest {
        action_type: action.action_type,
        params: from_struct(action.params.unwrap_or_default())?,
        correction_of: request.correction_of,
        expects: request.expects.map(|expects| Expects {
            url: expects.url,
            tab: expects.tab,
            document: expects.document,
        }),
    })
}

/// What came of an action.
pub(super) fn result(result: ActionResult) -> proto::ActionResult {
    let context = match result.context {
        Some(Value::Object(context)) => Some(to_struct(context)),
        _ => None,
    };
    proto::ActionResult {
        success: result.success,
        error: result.error,
        error_kind: result.error_kind.map(|kind| kind.as_str().to_owned()),
        context,
        duration_ms: result.duration_ms,
        url: result.url,
        title: result.title,
        ready_state: result.ready_state,
        action_id: result.action_id,
        correction_of: result.correction_of,
        ..outcome(result.outcome)
    }
}

/// What an action did.
fn outcome(outcome: Outcome) -> proto::ActionResult {
    let Outcome {
        delivery,
        effect:
            Effect {
                kind,
                verified,
                before,
                after,
            },
        target,
        rest,
        retry,
        tab,
        dialogs,
        downloads,
        blocked_requests,
        changes,
        data,
    } = outcome;
    let blocked = blocked_requests
        .into_iter()
        .map(|blocked| proto::BlockedRequest {
            host: blocked.host,
            reason: blocked.reason,
        });
    let changes = changes.into_iter().map(|change| proto::Change {
        kind: change.kind,
        text: change.text,
        index: change.index,
    });
    proto::ActionResult {
        delivery: delivery.as_str().to_owned(),
        effect: Some(proto::Effect {
            kind: kind.as_str().to_owned(),
            verified,
            before: before.map(to_value),
            after: after.map(to_value),
        }),
        target: target.map(|target| proto::Struck {
            index: target.index,
            role: target.role,
            name: target.name,
            frame: target.frame,
        }),
        rest: rest.map(|rest| proto::Rest {
            reached: rest.reached,
            waits_for: rest.waits_for,
        }),
        retry: retry.as_str().to_owned(),
        tab,
        dialogs: dialogs.into_iter().map(dialog).collect(),
        downloads: downloads.into_iter().map(download).collect(),
        blocked_requests: blocked.collect(),
        changes: changes.collect(),
        data: Some(to_struct(data)),
        ..proto::ActionResult::default()
    }
}

fn dialog(dialog: DialogInfo) -> proto::Dialog {
    proto::Dialog {
        r#type: dialog.dialog_type,
        message: dialog.message,
        default_value: dialog.default_value,
        accepted: dialog.accepted,
        handled_by: dialog.handled_by.map(|by| by.as_str().to_owned()),
    }
}

/// A download.
pub(super) fn download(info: DownloadInfo) -> proto::Download {
    proto::Download {
        id: info.id,
        name: info.name,
        state: info.state.as_str().to_owned(),
        bytes: info.bytes,
    }
}

/// What the browser shows.
pub(super) fn context(page: PageContext) -> proto::BrowserContext {
    let mut details = facts(&page);
    let elements = structs(list(details.remove("elements")));
    let accessibility = structs(list(details.remove("accessibility")));
    let found = structs(list(details.remove("found")));
    for name in [
        "url",
        "title",
        "ready_state",
        "is_loading",
        "text",
        "text_cursor",
        "unreadable",
        "document",
        "dialog",
    ] {
        details.remove(name);
    }
    let unreadable = page
        .unread
        .map(|unread| unread.unreadable.as_str().to_owned());
    proto::BrowserContext {
        url: page.url,
        title: page.title,
        ready_state: page.ready_state,
        is_loading: page.is_loading,
        elements,
        accessibility,
        text: page.text,
        text_cursor: page.text_cursor.flatten(),
        found,
        unreadable,
        document: page.document,
        dialog: page.dialog.map(dialog),
        details: Some(to_struct(details)),
    }
}

/// A recording as it is.
pub(super) fn recording(status: RecordingStatus) -> proto::Recording {
    proto::Recording {
        recording_id: status.recording_id.to_string(),
        state: status.state.as_str().to_owned(),
        started_at: status.started_at,
        duration_s: status.duration_s,
        bytes: status.bytes,
        frames: status.frames,
        file: status.file,
        path: status.path,
        reason: status.reason,
    }
}

/// An event, from the JSON that all subscribers share.
pub(super) fn event(json: &str) -> proto::Event {
    let Ok(Value::Object(mut event)) = serde_json::from_str(json) else {
        return proto::Event::default();
    };
    let action = match event.remove("action") {
        Some(Value::Object(mut action)) => Some(proto::Action {
            action_type: text(&mut action, "action_type").unwrap_or_default(),
            params: match action.remove("params") {
                Some(Value::Object(params)) => Some(to_struct(params)),
                _ => None,
            },
        }),
        _ => None,
    };
    let number = |event: &mut Map<String, Value>, name| event.remove(name).unwrap_or_default();
    proto::Event {
        r#type: text(&mut event, "type").unwrap_or_default(),
        timestamp: number(&mut event, "timestamp").as_f64().unwrap_or_default(),
        seq: number(&mut event, "seq").as_u64().unwrap_or_default(),
        url: text(&mut event, "url"),
        error: text(&mut event, "error"),
        change_type: text(&mut event, "change_type"),
        action,
        details: (!event.is_empty()).then(|| to_struct(event)),
    }
}

fn text(object: &mut Map<String, Value>, name: &str) -> Option<String> {
    match object.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_come_back_as_they_went() {
        let value = json!({
            "index": 5, "x": 1.5, "deep": {"list": [1, null, "a", {"b": true}]}, "none": null
        });
        let Value::Object(object) = value else {
            panic!("an object");
        };
        assert_eq!(from_struct(to_struct(object.clone())).unwrap(), object);
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused() {
        let mut value = json!({});
        for _ in 0..DEPTH_MAX + 1 {
            value = json!({ "a": value });
        }
        let Value::Object(object) = value else {
            panic!("an object");
        };
        assert!(from_struct(to_struct(object)).is_err());
    }

    #[test]
    fn events_keep_their_fields() {
        let event = event(
            r#"{"type":"action_error","error":"no","action":{"action_type":"click","params":{"index":5}},"timestamp":1.5,"seq":7}"#,
        );
        assert_eq!((event.r#type.as_str(), event.seq), ("action_error", 7));
        assert_eq!(event.error.as_deref(), Some("no"));
        assert_eq!(event.action.unwrap().action_type, "click");
        assert!(event.details.is_none());
    }
}
