//! What `execute_action` takes.

use serde_json::{Map, Value, json};

use super::{ROOM_OR_DEFAULT, input as object_of, room_name, wait_for};
use crate::model::command::{
    ACTION_TYPES, PRESS_MAX, REASON_CHARS_MAX, TEXT_CHARS_MAX, UPLOAD_BYTES_MAX, UPLOAD_FILES_MAX,
    WAIT_S, WAIT_S_MAX,
};

/// What `execute_action` takes.
pub(super) fn input() -> Value {
    let properties = json!({
        "room_name": room_name(ROOM_OR_DEFAULT),
        "action_type": {
            "type": "string", "enum": ACTION_TYPES,
            "description": "What to do. navigate needs url; click and hover need index, or x and y; \
                type needs text; press needs keys; select needs index and one of value, label, values, \
                labels; check and focus need index; scroll needs direction; drag needs from and to; upload needs index and files; \
                wait needs seconds or for; handle_dialog needs accept; clipboard_write needs text; \
                switch_tab needs tab; request_human (a person takes the wheel, such as for a login or a \
                captcha) needs reason; the others need nothing.",
        },
        "params": {
            "type": "object", "description": "The action's parameters.", "default": {},
            "properties": params(),
        },
        "correction_of": {
            "type": "string",
            "description": "The action_id of a failed action that this one corrects.",
        },
        "expects": {
            "type": "object", "additionalProperties": false,
            "description": "What must still be so; else nothing is done, and the error is page_changed.",
            "properties": {
                "url": {"type": "string", "description": "The page's URL, exactly."},
                "tab": {"type": "integer", "description": "The number of the current tab."},
                "document": {
                    "type": "integer",
                    "description": "The document's number, as get_browser_context tells it.",
                },
            },
        },
    });
    let mut schema = object_of(properties, &["action_type"]);
    schema["examples"] = json!([
        {"action_type": "navigate", "params": {"url": "https://example.com"}},
        {"action_type": "click", "params": {"index": 5}},
        {"action_type": "type", "params": {"index": 2, "text": "hello", "submit": true}},
        {"action_type": "press", "params": {"keys": "Control+A", "index": 2}},
        {"action_type": "select", "params": {"index": 7, "label": "Large"}},
        {"action_type": "handle_dialog", "params": {"accept": true}},
    ]);
    schema
}

/// The parameters of all actions.
fn params() -> Value {
    let all = [pages(), pointer(), text(), lists_and_files()];
    let all = all.into_iter().filter_map(|part| match part {
        Value::Object(part) => Some(part),
        _ => None,
    });
    Value::Object(all.flatten().collect::<Map<_, _>>())
}

fn pages() -> Value {
    json!({
        "url": {
            "type": "string",
            "description": "navigate: where to; a bare host gets https://. new_tab: what the tab \
                shows; nothing without it.",
        },
        "tab": {
            "type": "integer", "minimum": 1,
            "description": "switch_tab, close_tab: the tab, by its number in get_browser_context; \
                close_tab without it closes the current one.",
        },
        "timeout_ms": {
            "type": "integer", "minimum": 1, "maximum": 120_000, "default": 15_000,
            "description": "navigate, wait for: give up after this many milliseconds; wait for by \
                itself after 10000.",
        },
        "seconds": {
            "type": "number", "minimum": 0, "maximum": 300, "description": "wait: how long.",
        },
        "for": wait_for("wait: until this holds, instead of seconds."),
    })
}

fn pointer() -> Value {
    json!({
        "index": {
            "type": "integer", "minimum": 0,
            "description": "click, hover, type, press, select, check, focus, scroll, upload: the \
                element, by its index in get_browser_context.",
        },
        "x": {
            "type": "number", "minimum": 0,
            "description": "click, hover: CSS pixels from the left.",
        },
        "y": {
            "type": "number", "minimum": 0,
            "description": "click, hover: CSS pixels from the top.",
        },
        "coordinate_x": {"type": "number", "minimum": 0, "description": "The same as x."},
        "coordinate_y": {"type": "number", "minimum": 0, "description": "The same as y."},
        "button": {
            "type": "string", "enum": ["left", "middle", "right"], "default": "left",
            "description": "click: which button.",
        },
        "count": {
            "type": "integer", "minimum": 1, "maximum": PRESS_MAX, "default": 1,
            "description": "click: 2 for a double click, 3 at most. press: how many times.",
        },
        "direction": {
            "type": "string", "enum": ["up", "down", "left", "right"],
            "description": "scroll: which way the view moves.",
        },
        "amount": {
            "type": "number", "exclusiveMinimum": 0, "maximum": 100_000, "default": 500,
            "description": "scroll: how far, CSS pixels.",
        },
        "from": place("drag: what is dragged, or from where."),
        "to": place("drag: onto what, or to where."),
    })
}

fn place(description: &str) -> Value {
    json!({
        "type": "object", "additionalProperties": false, "description": description,
        "properties": {
            "index": {"type": "integer", "minimum": 0, "description": "The element."},
            "x": {"type": "number", "minimum": 0, "description": "CSS pixels from the left."},
            "y": {"type": "number", "minimum": 0, "description": "CSS pixels from the top."},
        },
        "examples": [{"index": 5}, {"x": 100, "y": 200}],
    })
}

fn text() -> Value {
    json!({
        "text": {
            "type": "string", "maxLength": TEXT_CHARS_MAX,
            "description": "type: what to type; a line break is a line break, and date, time and \
                colour fields take the form of HTML, such as 2026-12-24 or #ff8800. handle_dialog: \
                what to put into a prompt. clipboard_write: what the clipboard shall hold.",
        },
        "clear": {
            "type": "boolean", "default": false, "description": "type: empty the field first.",
        },
        "submit": {
            "type": "boolean", "default": false, "description": "type: press Enter afterwards.",
        },
        "keys": {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": PRESS_MAX},
            ],
            "description": "press: keys to hold and one key, joined by +, or a list of those, one \
                after the other.",
            "examples": ["Control+A", "Enter", "ArrowDown", ["Control+A", "Delete"]],
        },
        "accept": {
            "type": "boolean",
            "description": "handle_dialog: true for OK, false for Cancel.",
        },
        "reason": {
            "type": "string", "maxLength": REASON_CHARS_MAX,
            "description": "request_human: what the person is to do, as they are to read it.",
        },
        "wait_s": {
            "type": "integer", "minimum": 1, "maximum": WAIT_S_MAX, "default": WAIT_S,
            "description": "request_human: how long to wait for somebody, seconds.",
        },
        "private": {
            "type": "boolean", "default": false,
            "description": "request_human: whether they have the page to themselves meanwhile.",
        },
    })
}

fn lists_and_files() -> Value {
    let texts = |description: &str| json!({"type": "array", "items": {"type": "string"}, "description": description});
    let bytes = format!(
        "upload: the files, {} MiB together at most.",
        UPLOAD_BYTES_MAX >> 20
    );
    json!({
        "value": {"type": "string", "description": "select: the option with this value."},
        "label": {"type": "string", "description": "select: the option that reads like this."},
        "values": texts("select: exactly the options with these values."),
        "labels": texts("select: exactly the options that read like these."),
        "files": {
            "type": "array", "minItems": 1, "maxItems": UPLOAD_FILES_MAX, "description": bytes,
            "items": {
                "type": "object", "additionalProperties": false,
                "required": ["name", "data_base64"],
                "properties": {
                    "name": {"type": "string", "description": "The file's name, without a path."},
                    "mime_type": {"type": "string", "description": "Such as text/plain."},
                    "data_base64": {"type": "string", "description": "Its bytes, as base64."},
                },
            },
        },
        "path": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "description": "upload: instead of files, paths inside the directory that the service's \
                configuration allows.",
        },
    })
}
