//! Answers: a sentence that can be spoken, and the same facts as structured content.

use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::status::log;
use crate::error::{Error, ErrorKind};
use crate::model::command::ActionRequest;
use crate::model::session::LiveKitStatus;
use crate::model::{ActionResult, RoomName, SessionRecord, SessionState};
use crate::session::PageContext;

/// Longest piece of a page's text within a sentence, characters.
const SPOKEN_CHARS_MAX: usize = 80;

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
        "room_name": record.room_name,
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
            place(&record.title, &record.current_url)
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
        "room_name": record.room_name,
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

/// What is said of an action that ended.
pub(super) fn told(action: &ActionRequest, result: &ActionResult) -> String {
    if let Some(error) = &result.error {
        return error.clone();
    }
    let place = || place(&result.title, &result.url);
    match action.action_type.as_str() {
        "navigate" => format!("Opened {}.", place()),
        "go_back" => format!("Went back to {}.", place()),
        "go_forward" => format!("Went forward to {}.", place()),
        "refresh" => format!("Loaded {} again.", place()),
        "click" => {
            let clicked = format!("Clicked {}.", element(&result.data));
            match result.data.get("navigated") == Some(&Value::Bool(true)) {
                _ if result.data.contains_key("tab") => {
                    format!("{clicked} Another tab is shown now, with {}.", place())
                }
                true => format!("{clicked} The page is now {}.", place()),
                false => clicked,
            }
        }
        "type" => "Typed the text.".to_owned(),
        "scroll" => match result.data.get("moved") == Some(&Value::Bool(false)) {
            true => "The page does not scroll any further that way.".to_owned(),
            false => format!("Scrolled {}.", param(action, "direction").unwrap_or("on")),
        },
        "wait" => match action.params.contains_key("for") {
            true => "It is there.".to_owned(),
            false => "Done waiting.".to_owned(),
        },
        "new_tab" => format!("Opened a new tab with {}.", place()),
        "switch_tab" => format!("Switched to the tab with {}.", place()),
        "close_tab" => format!("Closed the tab. The current one shows {}.", place()),
        _ => "Done.".to_owned(),
    }
}

/// What is said while an action takes its time.
pub(super) fn under_way(action: &ActionRequest) -> String {
    match action.action_type.as_str() {
        "navigate" => {
            let url = param(action, "url").unwrap_or_default();
            format!("Opening {}, one moment.", host(url))
        }
        "go_back" => "Going back, one moment.".to_owned(),
        "go_forward" => "Going forward, one moment.".to_owned(),
        "refresh" => "Loading the page again, one moment.".to_owned(),
        "wait" => "Waiting.".to_owned(),
        "new_tab" => match param(action, "url") {
            Some(url) => format!("Opening {} in a new tab, one moment.", host(url)),
            None => "Opening a new tab.".to_owned(),
        },
        "switch_tab" => "Switching tabs.".to_owned(),
        "close_tab" => "Closing the tab.".to_owned(),
        _ => "Working on it, one moment.".to_owned(),
    }
}

/// What is said of an action that outlasts its answer.
pub(super) fn late(action: &ActionRequest) -> String {
    let what = match action.action_type.as_str() {
        "navigate" | "new_tab" => {
            let url = param(action, "url").unwrap_or_default();
            format!("{} is still loading.", host(url))
        }
        "go_back" | "go_forward" | "refresh" => "The page is still loading.".to_owned(),
        "wait" => "The wait goes on.".to_owned(),
        _ => "The action is still under way.".to_owned(),
    };
    format!("{what} An event tells when it is done; meanwhile get_browser_context shows the page.")
}

/// What is said of a page.
pub(super) fn seen(context: &PageContext, elements: Option<u64>) -> String {
    let place = place(&context.title, &context.url);
    let state = match context.is_loading {
        true => " and is still loading",
        false => "",
    };
    let page = match elements {
        Some(0) => format!("The page is {place}{state}; nothing can be used on it."),
        Some(1) => format!("The page is {place}{state}; one thing can be used on it."),
        Some(count) => format!("The page is {place}{state}; {count} things can be used on it."),
        None => format!("The page is {place}{state}."),
    };
    match context.tabs.len() {
        0 | 1 => page,
        count => format!("{page} There are {count} tabs."),
    }
}

fn element(data: &Map<String, Value>) -> String {
    let part = |name| {
        data.get("element")
            .and_then(|element| element.get(name)?.as_str())
    };
    match (part("role"), part("name").map(str::trim)) {
        (Some(role), Some(name)) if !name.is_empty() => format!("the {role} \"{}\"", cut(name)),
        (Some(role), _) if !role.is_empty() => format!("the {role}"),
        _ => "there".to_owned(),
    }
}

fn param<'a>(action: &'a ActionRequest, name: &str) -> Option<&'a str> {
    action.params.get(name)?.as_str()
}

/// A page by its title, or by its host when it has none.
fn place(title: &str, url: &str) -> String {
    match title.trim() {
        "" => host(url),
        title => format!("\"{}\"", cut(title)),
    }
}

fn host(url: &str) -> String {
    let parsed = url::Url::parse(url).ok();
    let host = parsed.as_ref().and_then(url::Url::host_str);
    match host {
        Some(host) => cut(host),
        None if url.starts_with("about:") || url.is_empty() => "an empty page".to_owned(),
        None => cut(url),
    }
}

fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(SPOKEN_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
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
    fn errors_are_sentences_that_say_what_to_call() {
        let result = error(&Error::not_found("there is no session \"x\""));
        let text = result.content[0].as_text().unwrap().text.clone();
        assert_eq!(
            text,
            "There is no session \"x\". Call start_browser_session to start one."
        );
        assert_eq!(result.is_error, Some(true));
    }

    #[test]
    fn pages_are_named_briefly() {
        assert_eq!(place("", "https://example.com/a?b"), "example.com");
        assert_eq!(place(" A page ", "https://example.com/"), "\"A page\"");
        assert_eq!(host("about:blank"), "an empty page");
        assert!(cut(&"x".repeat(500)).chars().count() == SPOKEN_CHARS_MAX + 1);
    }
}
