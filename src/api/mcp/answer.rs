//! Answers: a sentence that can be spoken, and the same facts as structured content.

use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::status::log;
use super::words::{self, place};
use crate::error::{Error, ErrorKind};
use crate::model::session::LiveKitStatus;
use crate::model::{
    ActionResult, ActionState, ActionStatus, RoomName, SessionRecord, SessionState,
};

/// An answer: the sentence first, then the facts, for clients that read text only.
pub(super) fn answer(message: &str, mut facts: Map<String, Value>) -> CallToolResult {
    facts.insert("message".to_owned(), message.into());
    let facts = Value::Object(facts);
    let mut result = CallToolResult::success(vec![
        ContentBlock::text(message),
        ContentBlock::text(facts.to_string()),
    ]);
    result.structured_content = Some(facts);
    result
}

/// The sentence of an answer.
pub(super) fn spoken(result: &CallToolResult) -> Option<String> {
    Some(result.content.first()?.as_text()?.text.clone())
}

/// Marks an answer as a failure.
pub(super) fn failed(mut result: CallToolResult) -> CallToolResult {
    result.is_error = Some(true);
    result
}

/// A failure that is not an action's: what went wrong, and which tool to call next.
pub(super) fn error(error: &Error) -> CallToolResult {
    log(error);
    let next = match error.kind {
        ErrorKind::NotFound => Some("Call start_browser_session to start one."),
        _ => error.hint.as_deref(),
    };
    let message = sentence(&error.message, next);
    let kind = serde_json::to_value(error.kind).unwrap_or_default();
    let facts = Map::from_iter([
        ("error".to_owned(), message.clone().into()),
        ("error_kind".to_owned(), kind),
    ]);
    failed(answer(&message, facts))
}

fn sentence(message: &str, next: Option<&str>) -> String {
    let first_word = message.split(' ').next().unwrap_or_default();
    let mut text = match first_word.chars().next() {
        // The name of an argument is written as it is.
        Some(first) if first.is_lowercase() && !first_word.contains('_') => {
            first.to_uppercase().to_string() + message.get(first.len_utf8()..).unwrap_or_default()
        }
        _ => message.to_owned(),
    };
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    if let Some(next) = next {
        text.push(' ');
        text.push_str(next);
    }
    text
}

/// The facts of anything that belongs to a room.
pub(super) fn of_room(room: &RoomName, value: &impl Serialize) -> Map<String, Value> {
    let mut facts = into_map(serde_json::to_value(value).unwrap_or_default());
    facts.insert("room_name".to_owned(), room.as_str().into());
    facts
}

/// The facts of a session.
pub(super) fn session(record: &SessionRecord, events_url: &str) -> Map<String, Value> {
    let facts = json!({
        "room_name": record.channel(),
        "session_name": record.session_name,
        "session_id": record.session_id,
        "state": record.state,
        "state_reason": record.state_reason,
        "livekit": record.livekit,
        "url": record.current_url,
        "title": record.title,
        "is_opening": record.is_opening,
        "page_error": record.page_error,
        "viewport": record.viewport,
        "fps": record.fps,
        "events_url": events_url,
    });
    into_map(facts)
}

/// What is said of a session that was just started.
pub(super) fn started(record: &SessionRecord) -> String {
    if record.state == SessionState::Failed {
        let reason = record
            .state_reason
            .as_deref()
            .unwrap_or("The browser was lost.");
        return sentence(reason, Some("Call start_browser_session again."));
    }
    let page = match (&record.page_error, record.is_opening) {
        (Some(error), _) => format!("The browser is open, but the first page is not. {error}"),
        (None, true) => "The browser is open; the first page is still loading.".to_owned(),
        (None, false) if record.current_url == "about:blank" => "The browser is open.".to_owned(),
        (None, false) => format!(
            "The browser is open and shows {}.",
            place(Some(&record.title), &record.current_url)
        ),
    };
    match record.livekit {
        LiveKitStatus::Reconnecting | LiveKitStatus::Failed => format!(
            "{page} The LiveKit room cannot be reached yet; call recover_browser_session to try \
             again."
        ),
        LiveKitStatus::None | LiveKitStatus::Connecting | LiveKitStatus::Connected => page,
    }
}

/// The facts of an action that ended.
pub(super) fn result(room: &RoomName, result: &ActionResult) -> Map<String, Value> {
    let mut facts = of_room(room, result);
    facts.insert("status".to_owned(), "done".into());
    facts
}

/// The facts of an action that goes on.
pub(super) fn running(record: &SessionRecord, action_id: String) -> Map<String, Value> {
    into_map(json!({
        "room_name": record.channel(),
        "status": "running",
        "action_id": action_id,
        "success": null,
        "error": null,
        "error_kind": null,
        "context": null,
        "data": {},
        "url": record.current_url,
        "title": record.title,
    }))
}

/// How far an action has come, and what came of it.
pub(super) fn progress(room: &RoomName, status: &ActionStatus) -> CallToolResult {
    let message = match (status.state, &status.result) {
        (ActionState::Queued, _) => match status.position {
            Some(1) | None => "The action waits for its turn; it is next.".to_owned(),
            Some(position) => format!("The action waits for its turn, in place {position}."),
        },
        (ActionState::Running, _) => "The action is still under way.".to_owned(),
        (ActionState::Done, Some(result)) => words::told(&status.action, result),
        (ActionState::Done, None) => "The action is done.".to_owned(),
    };
    let mut facts = status
        .result
        .as_ref()
        .map(|it| result(room, it))
        .unwrap_or_default();
    let state = serde_json::to_value(status.state).unwrap_or_default();
    facts.extend([
        ("room_name".to_owned(), room.as_str().into()),
        ("action_id".to_owned(), status.action_id.as_str().into()),
        ("status".to_owned(), state),
        ("position".to_owned(), json!(status.position)),
        ("action".to_owned(), json!(status.action)),
    ]);
    answer(&message, facts)
}

/// The same answer, beginning with the session that was made for it.
pub(super) fn just_started(mut result: CallToolResult, room: &RoomName) -> CallToolResult {
    let said = spoken(&result).unwrap_or_default();
    let message = format!(
        "A browser was just started for you in the room \"{room}\", for there was none. {said}"
    );
    let facts = result.structured_content.take();
    let mut facts = into_map(facts.unwrap_or_default());
    facts.insert("just_started".to_owned(), true.into());
    facts.insert("room_name".to_owned(), room.as_str().into());
    let rest = result.content.split_off(result.content.len().min(2));
    let mut again = answer(&message, facts);
    // Pictures stay.
    again.content.extend(rest);
    again.is_error = result.is_error;
    again
}

pub(super) fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_was_made_is_told_first() {
        let room = RoomName::parse("default-1").unwrap();
        let plain = answer("Opened it.", Map::new());
        let told = just_started(failed(plain), &room);
        assert!(
            spoken(&told)
                .unwrap()
                .starts_with("A browser was just started")
        );
        assert!(spoken(&told).unwrap().ends_with("Opened it."));
        assert_eq!(told.is_error, Some(true));
        let facts = told.structured_content.unwrap();
        assert_eq!(facts["just_started"], true);
        assert_eq!(facts["room_name"], "default-1");
        assert!(facts["message"].as_str().unwrap().ends_with("Opened it."));
    }

    #[test]
    fn errors_are_sentences_that_say_what_to_call() {
        let result = error(&Error::not_found("there is no session \"x\""));
        let text = result.content[0].as_text().unwrap().text.clone();
        assert_eq!(
            text,
            "There is no session \"x\". Call start_browser_session to start one."
        );
        assert_eq!(result.is_error, Some(true));
    }
}
