//! The default seven tools in few words: what a model reads of them in each conversation, before it has done
//! anything. Whoever asks for the extended tools is shown the whole of [`super::schemas`].

use rmcp::model::Tool;
use serde_json::{Value, json};

use super::catalog::{FPS_DEFAULT, ToolName};
use super::schemas::object;
use crate::model::command::ACTION_TYPES;
use crate::model::session::limits;

/// One of the default tools; none for any other.
pub(super) fn tool(tool: ToolName) -> Option<Tool> {
    let (description, input) = match tool {
        ToolName::Start => (
            "Starts a browser that everybody in a LiveKit room sees, one a room. Needs room_name, \
             session_name or both.",
            start(),
        ),
        ToolName::Pause => ("Stops the video; the browser goes on.", of_room()),
        ToolName::Resume => ("Shows a paused browser again, as it is now.", of_room()),
        ToolName::Close => ("Closes the browser; its page is lost.", of_room()),
        ToolName::Recover => (
            "Brings back a lost video, or says that the browser is gone.",
            recover(),
        ),
        ToolName::Act => (
            "Does one thing in the browser and tells what came of it.",
            act(),
        ),
        ToolName::Look => (
            "Tells what the browser shows, and what can be used, each with its index.",
            look(),
        ),
        _ => return None,
    };
    let output = object(json!({"type": "object", "required": ["message"]}));
    let tool = Tool::new(tool.as_str(), description, object(input)).with_raw_output_schema(output);
    Some(tool)
}

fn input(properties: Value, required: &[&str]) -> Value {
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn flag(description: &str) -> Value {
    json!({"type": "boolean", "description": description})
}

fn number(description: &str) -> Value {
    json!({"type": "integer", "description": description})
}

fn room() -> Value {
    text("The browser's room.")
}

fn room_or_own() -> Value {
    text("The browser's room; without it your own, started if there is none.")
}

fn of_room() -> Value {
    input(json!({"room_name": room()}), &["room_name"])
}

fn recover() -> Value {
    let properties = json!({
        "room_name": room(),
        "livekit_token": text("A new JWT for an expired one."),
    });
    input(properties, &["room_name"])
}

fn start() -> Value {
    let properties = json!({
        "room_name": text("The LiveKit room."),
        "session_name": text("Keeps the browser and its logins by this name."),
        "livekit_url": text("Another LiveKit server, ws or wss."),
        "livekit_token": text("JWT to join it and publish."),
        "initial_url": text("The first page."),
        "viewport_width": {"type": "integer", "description": "CSS px.", "default": 1280},
        "viewport_height": {"type": "integer", "description": "CSS px.", "default": 720},
        "fps": {
            "type": "integer", "description": "Most pictures a second.",
            "minimum": limits::FPS.start(), "maximum": limits::FPS.end(), "default": FPS_DEFAULT,
        },
        "dialogs": {
            "type": "string", "description": "Of pages; ask: you answer.",
            "enum": ["ask", "accept", "dismiss"],
        },
        "allowed_domains": {
            "type": "array", "items": {"type": "string"},
            "description": "All it may reach, such as *.example.com.",
        },
        "idle_timeout_s": number("Ends after so many s unused; 0: never."),
        "max_lifetime_s": number("Ends so many s after its start; 0: never."),
        "browser": {
            "type": "string", "description": "Where it runs.", "enum": ["auto", "local", "remote"],
        },
    });
    input(properties, &[])
}

/// The parameters of all actions, one action after the other.
const PARAMS: &str = "By action, ? optional; index is an integer from get_browser_context. navigate: url, \
    timeout_ms?; click: index or x and y, button?, count?; hover: index or x and y; type: text, index?, \
    clear?, submit?; press: keys such as Control+A, index?; select: index and value, label, values or \
    labels; check, focus: index; scroll: direction (up, down, left, right), amount?, index?; drag: from \
    and to, each {index} or {x, y}; upload: index and files [{name, data_base64}] or path; wait: seconds, \
    or for with {selector}, {text}, {url} or {idle: true}, timeout_ms?; handle_dialog: accept, text?; clipboard_write: \
    text; new_tab: url?; switch_tab: tab; close_tab: tab?; request_human, for a login or captcha: reason, \
    wait_s?, private?.";

fn act() -> Value {
    let properties = json!({
        "room_name": room_or_own(),
        "action_type": {"type": "string", "enum": ACTION_TYPES, "description": "What to do."},
        "params": {"type": "object", "description": PARAMS},
        "expects": {
            "type": "object",
            "description": "Do nothing unless the page still has this url, tab or document.",
        },
        "correction_of": text("action_id of the failed action that this corrects."),
    });
    let mut schema = input(properties, &["action_type"]);
    schema["examples"] =
        json!([{"action_type": "type", "params": {"index": 2, "text": "hello", "submit": true}}]);
    schema
}

fn look() -> Value {
    let properties = json!({
        "room_name": room_or_own(),
        "elements": {"type": "boolean", "default": true, "description": "With what can be used."},
        "accessibility": flag("With the accessibility tree."),
        "text": flag("With the page's text."),
        "find": text("Tells where this phrase stands."),
        "boxes": flag("With each element's place."),
        "more": text("Reads on: more of the answer before."),
        "accessibility_more": text("Likewise."),
        "text_cursor": text("Likewise."),
        "action_id": text("How far this action is, instead."),
    });
    input(properties, &[])
}

#[cfg(test)]
mod tests {
    use super::super::catalog::tools;
    use super::*;

    /// What the list takes of each conversation, bytes of JSON.
    const BYTES_MAX: usize = 6_000;

    #[test]
    fn the_default_list_is_short() {
        let list = serde_json::to_string(&tools(false)).unwrap();
        assert!(list.len() <= BYTES_MAX, "{} bytes", list.len());
    }

    #[test]
    fn nothing_is_left_out() {
        let names = |value: &Value| -> Vec<String> {
            let object = value.as_object().cloned().unwrap_or_default();
            object.into_iter().map(|(name, _)| name).collect()
        };
        for (brief, whole) in tools(false).into_iter().zip(tools(true)) {
            let (brief, whole) = (&brief.input_schema, &whole.input_schema);
            assert_eq!(names(&brief["properties"]), names(&whole["properties"]));
            let required = |schema: &Value| schema.as_array().cloned().unwrap_or_default();
            let none = Value::Null;
            assert_eq!(
                required(brief.get("required").unwrap_or(&none)),
                required(whole.get("required").unwrap_or(&none))
            );
            for (name, of_brief) in brief["properties"].as_object().unwrap() {
                let of_whole = &whole["properties"][name];
                assert_eq!(of_brief["type"], of_whole["type"], "{name}");
                assert_eq!(of_brief["enum"], of_whole["enum"], "{name}");
            }
            for name in names(&whole["properties"]["params"]["properties"]) {
                // The same as x and y in other words.
                let is_alias = name.starts_with("coordinate_");
                let mut words = PARAMS.split(|sign: char| !sign.is_alphanumeric() && sign != '_');
                assert!(is_alias || words.any(|word| word == name), "{name}");
            }
        }
    }
}
