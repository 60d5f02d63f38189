//! The schemas of the tools: what they take and what they answer (JSON Schema 2020-12).

use std::sync::{Arc, LazyLock};

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use super::catalog::{FPS_DEFAULT, ToolName};
use crate::model::command::ACTION_TYPES;
use crate::model::session::limits;

/// What a tool takes.
pub(super) fn takes(tool: ToolName) -> Arc<JsonObject> {
    object(match tool {
        ToolName::Start => start_input(),
        ToolName::Pause | ToolName::Resume | ToolName::Close => room_input(),
        ToolName::Recover => recover_input(),
        ToolName::Act => act_input(),
        ToolName::Look => look_input(),
        ToolName::Screenshot => screenshot_input(),
        ToolName::Analyze => analyze_input(),
        ToolName::Tabs => tabs_input(),
        ToolName::Record => record_input(),
        ToolName::WaitFor => wait_for_input(),
    })
}

/// What a tool answers.
pub(super) fn answers(tool: ToolName) -> Arc<JsonObject> {
    Arc::clone(match tool {
        ToolName::Start
        | ToolName::Pause
        | ToolName::Resume
        | ToolName::Close
        | ToolName::Recover => &SESSION,
        ToolName::Act | ToolName::WaitFor => &RESULT,
        ToolName::Look => &CONTEXT,
        ToolName::Screenshot => &PICTURE,
        ToolName::Analyze => &ANALYSIS,
        ToolName::Tabs => &TABS,
        ToolName::Record => &RECORDING,
    })
}

fn object(schema: Value) -> Arc<JsonObject> {
    match schema {
        Value::Object(object) => Arc::new(object),
        _ => Arc::default(),
    }
}

fn input(properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn room_name(description: &str) -> Value {
    json!({
        "type": "string", "description": description,
        "minLength": 1, "maxLength": 256, "examples": ["demo"],
    })
}

fn room_input() -> Value {
    let properties = json!({"room_name": room_name("The LiveKit room whose browser is meant.")});
    input(properties, &["room_name"])
}

fn recover_input() -> Value {
    let properties = json!({
        "room_name": room_name("The LiveKit room whose browser is meant."),
        "livekit_token": {
            "type": "string",
            "description": "A new JWT for the room, when the session's own has expired.",
        },
    });
    input(properties, &["room_name"])
}

const ROOM_OR_DEFAULT: &str = "The LiveKit room whose browser is meant; without it the one you \
    started last, or a default one that starts by itself. Name it always where the protocol keeps no \
    session, as over HTTP since 2026-07-28.";

fn number(description: &str, range: &std::ops::RangeInclusive<u32>, default: u32) -> Value {
    json!({
        "type": "integer", "description": description,
        "minimum": range.start(), "maximum": range.end(), "default": default,
    })
}

fn start_input() -> Value {
    let properties = json!({
        "room_name": room_name("The LiveKit room that shall see the browser."),
        "livekit_url": {
            "type": "string", "description": "WebSocket URL of the LiveKit server; without it the \
                service's own. Any other server needs livekit_token.",
            "pattern": "^wss?://", "examples": ["ws://127.0.0.1:7880", "wss://example.livekit.cloud"],
        },
        "livekit_token": {
            "type": "string", "description": "JWT that may join the room and publish; without it \
                the service makes one for its own LiveKit server.",
        },
        "initial_url": {
            "type": "string", "description": "The first page; an empty page without it.",
            "examples": ["https://example.com"],
        },
        "viewport_width": number("Width of the page in CSS pixels.", &limits::VIEWPORT_WIDTH, 1280),
        "viewport_height": number("Height of the page in CSS pixels.", &limits::VIEWPORT_HEIGHT, 720),
        "fps": number("Most pictures a second.", &limits::FPS, FPS_DEFAULT),
        "allowed_domains": {
            "type": "array", "items": {"type": "string"}, "maxItems": limits::ALLOWED_DOMAINS,
            "description": "Hosts that the page may reach, as patterns; without it all that the \
                service permits.",
            "examples": [["example.com", "*.example.com"]],
        },
    });
    input(properties, &["room_name"])
}

fn act_input() -> Value {
    let properties = json!({
        "room_name": room_name(ROOM_OR_DEFAULT),
        "action_type": {
            "type": "string", "enum": ACTION_TYPES,
            "description": "What to do. navigate needs url; click needs index, or x and y; type \
                needs text; scroll needs direction; wait needs seconds or for; switch_tab needs \
                tab; the others need nothing.",
        },
        "params": params(),
        "correction_of": {
            "type": "string",
            "description": "The action_id of a failed action that this one corrects.",
        },
    });
    let mut schema = input(properties, &["action_type"]);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(
            "examples".to_owned(),
            json!([
                {"action_type": "navigate", "params": {"url": "https://example.com"}},
                {"action_type": "click", "params": {"index": 5}},
                {"action_type": "type", "params": {"index": 2, "text": "hello", "submit": true}},
            ]),
        );
    }
    schema
}

fn params() -> Value {
    json!({
        "type": "object",
        "description": "The action's parameters.",
        "default": {},
        "properties": {
            "url": {
                "type": "string",
                "description": "navigate: where to; a bare host gets https://. new_tab: what the \
                    tab shows; nothing without it.",
            },
            "tab": {
                "type": "integer", "minimum": 1,
                "description": "switch_tab, close_tab: the tab, by its number in \
                    get_browser_context; close_tab without it closes the current one.",
            },
            "timeout_ms": {
                "type": "integer", "minimum": 1, "maximum": 120_000, "default": 15_000,
                "description": "navigate, wait for: give up after this many milliseconds; wait for by \
                    itself after 10000.",
            },
            "index": {
                "type": "integer", "minimum": 0,
                "description": "click, type, scroll: the element, by its index in \
                    get_browser_context.",
            },
            "x": {"type": "number", "minimum": 0, "description": "click: CSS pixels from the left."},
            "y": {"type": "number", "minimum": 0, "description": "click: CSS pixels from the top."},
            "coordinate_x": {"type": "number", "minimum": 0, "description": "The same as x."},
            "coordinate_y": {"type": "number", "minimum": 0, "description": "The same as y."},
            "button": {
                "type": "string", "enum": ["left", "middle", "right"], "default": "left",
                "description": "click: which button.",
            },
            "count": {
                "type": "integer", "minimum": 1, "maximum": 3, "default": 1,
                "description": "click: 2 for a double click.",
            },
            "text": {"type": "string", "description": "type: what to type."},
            "clear": {
                "type": "boolean", "default": false, "description": "type: empty the field first.",
            },
            "submit": {
                "type": "boolean", "default": false, "description": "type: press Enter afterwards.",
            },
            "direction": {
                "type": "string", "enum": ["up", "down", "left", "right"],
                "description": "scroll: which way the view moves.",
            },
            "amount": {
                "type": "number", "exclusiveMinimum": 0, "maximum": 100_000, "default": 500,
                "description": "scroll: how far, CSS pixels.",
            },
            "seconds": {
                "type": "number", "minimum": 0, "maximum": 300, "description": "wait: how long.",
            },
            "for": wait_for("wait: until this holds, instead of seconds."),
        },
    })
}

fn wait_for(description: &str) -> Value {
    json!({
        "type": "object", "description": description, "minProperties": 1, "maxProperties": 1,
        "properties": {
            "selector": {"type": "string", "description": "A CSS selector that is shown."},
            "text": {"type": "string", "description": "A text that is shown."},
            "url": {"type": "string", "description": "The page's URL, with * for any part."},
            "idle": {"type": "boolean", "description": "The page has come to rest."},
        },
        "examples": [{"text": "Thank you"}],
    })
}

fn look_input() -> Value {
    let properties = json!({
        "room_name": room_name(ROOM_OR_DEFAULT),
        "elements": {
            "type": "boolean", "default": true,
            "description": "With the elements that can be clicked or typed into.",
        },
        "accessibility": {
            "type": "boolean", "default": false,
            "description": "With the accessibility tree, which has the page's texts too.",
        },
        "more": {
            "type": "string",
            "description": "Reads on in the elements: the value of more in the answer before.",
        },
        "accessibility_more": {
            "type": "string",
            "description": "Reads on in the accessibility tree, likewise.",
        },
    });
    input(properties, &[])
}

fn screenshot_input() -> Value {
    let properties = json!({
        "room_name": room_name(ROOM_OR_DEFAULT),
        "marks": {
            "type": "boolean", "default": false,
            "description": "With a numbered box round each element.",
        },
        "full_page": {
            "type": "boolean", "default": false,
            "description": "The whole page and not only what is in view.",
        },
    });
    input(properties, &[])
}

fn analyze_input() -> Value {
    let properties = json!({
        "room_name": room_name(ROOM_OR_DEFAULT),
        "question": {
            "type": "string", "minLength": 1, "maxLength": 4000,
            "description": "What to ask about the page.",
            "examples": ["Is there an error message?"],
        },
        "marks": {
            "type": "boolean", "default": false,
            "description": "Show the model the elements' indices as well.",
        },
    });
    input(properties, &["question"])
}

fn tabs_input() -> Value {
    let properties = json!({
        "room_name": room_name(ROOM_OR_DEFAULT),
        "operation": {
            "type": "string", "enum": ["list", "new", "switch", "close"],
            "description": "What to do.",
        },
        "tab": {
            "type": "integer", "minimum": 0,
            "description": "switch, close: which tab, as listed; close without it means the current one.",
        },
        "url": {"type": "string", "description": "new: the tab's first page."},
    });
    input(properties, &["operation"])
}

fn record_input() -> Value {
    let properties = json!({
        "room_name": room_name(ROOM_OR_DEFAULT),
        "operation": {
            "type": "string", "enum": ["start", "stop", "status"],
            "description": "What to do.",
        },
    });
    input(properties, &["operation"])
}

fn wait_for_input() -> Value {
    let properties = json!({
        "room_name": room_name(ROOM_OR_DEFAULT),
        "condition": wait_for("What to wait for: exactly one of these."),
        "timeout_ms": {
            "type": "integer", "minimum": 1, "maximum": 120_000, "default": 10_000,
            "description": "Give up after this many milliseconds.",
        },
    });
    input(properties, &["condition"])
}

/// What a tool answers, or how it fails: clients may hold failures against the schema as well. All
/// answers have a sentence and the room.
fn output(mut properties: Value, required: &[&str]) -> Arc<JsonObject> {
    properties["message"] = text("What happened, as a sentence that can be spoken.");
    properties["room_name"] = text("The room.");
    let required = [&["message", "room_name"], required].concat();
    object(json!({
        "type": "object",
        "properties": properties,
        "anyOf": [{"required": required}, {"required": ["message", "error_kind"]}],
    }))
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn text_or_null(description: &str) -> Value {
    json!({"type": ["string", "null"], "description": description})
}

/// What the session tools answer.
static SESSION: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    output(
        json!({
            "session_id": text_or_null("UUID; null while the session starts."),
            "state": {
                "type": "string",
                "enum": ["starting", "live", "paused", "reconnecting", "failed", "closing", "closed"],
                "description": "Where the session is in its life.",
            },
            "state_reason": text_or_null("Why, when that needs saying."),
            "livekit": {
                "type": "string",
                "enum": ["none", "connecting", "connected", "reconnecting", "failed"],
                "description": "The LiveKit side.",
            },
            "url": text("The page's URL."),
            "title": text("The page's title."),
            "is_opening": {"type": "boolean", "description": "Whether the first page still loads."},
            "page_error": text_or_null("Why the first page could not be opened."),
            "viewport": {"type": "object", "description": "CSS pixels."},
            "fps": {"type": "integer", "description": "Most pictures a second."},
            "events_url": text("WebSocket that tells what happens in the browser."),
        }),
        &["state", "events_url"],
    )
});

/// What `execute_action` answers.
static RESULT: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    output(
        json!({
            "status": {
                "type": "string", "enum": ["done", "running"],
                "description": "running: the action goes on after this answer; an \
                    action_completed or action_error event tells its end.",
            },
            "success": {
                "type": ["boolean", "null"],
                "description": "Whether the action did what was asked; null while it runs.",
            },
            "error": text_or_null("What went wrong and what to do next."),
            "error_kind": text_or_null("The error's kind, for a program to branch on."),
            "context": {
                "type": ["object", "null"],
                "description": "On failure: the attempted action, the page, the nearest elements.",
            },
            "data": {"type": "object", "description": "What the action found out."},
            "action_id": text("What this action is called, for correction_of."),
            "correction_of": text_or_null("The failed action that this one corrects."),
            "duration_ms": {"type": "number", "description": "How long it took."},
            "url": text("The page's URL afterwards."),
            "title": text("The page's title afterwards."),
        }),
        &["status", "success", "error", "url", "title"],
    )
});

/// What `get_browser_context` answers.
static CONTEXT: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    output(
        json!({
            "url": text("The page's URL."),
            "title": text("The page's title."),
            "ready_state": {
                "type": "string", "enum": ["loading", "interactive", "complete"],
                "description": "How far the document is.",
            },
            "is_loading": {"type": "boolean", "description": "Whether a navigation is under way."},
            "tabs": {
                "type": "array", "items": {"type": "object"},
                "description": "The session's tabs: tab, url, title, current.",
            },
            "total": {"type": "integer", "description": "How many elements the page has."},
            "more": text_or_null("Pass it as more to read on; null at the end."),
            "elements": {
                "type": "array", "items": {"type": "object"},
                "description": "What can be clicked or typed into: index, role, name, box.",
            },
            "accessibility": {
                "type": "array", "items": {"type": "object"},
                "description": "The accessibility tree.",
            },
        }),
        &["url", "title", "ready_state"],
    )
});

/// What `screenshot` answers, besides the picture.
static PICTURE: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    output(
        json!({
            "url": text("The page's URL."),
            "title": text("The page's title."),
            "media_type": text("The picture's type."),
            "marked": {"type": "boolean", "description": "Whether elements are numbered."},
        }),
        &["media_type"],
    )
});

/// What `analyze` answers.
static ANALYSIS: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    output(
        json!({
            "answer": text("The model's words."),
            "model": text("The model that gave them."),
            "took_ms": {"type": "number", "description": "How long it took."},
        }),
        &["answer"],
    )
});

/// What `tabs` answers.
static TABS: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    output(
        json!({
            "tabs": {
                "type": "array", "items": {"type": "object"},
                "description": "The tabs there are: tab, url, title, current; left out when the \
                    page takes too long to tell.",
            },
            "status": {
                "type": "string", "enum": ["done", "running"],
                "description": "Of what was asked for; as execute_action says it.",
            },
            "action_id": text("What this action is called, for correction_of."),
        }),
        &[],
    )
});

/// What `recording` answers.
static RECORDING: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    output(
        json!({
            "state": {
                "type": "string", "enum": ["recording", "finished", "failed"],
                "description": "Where the recording is in its life.",
            },
            "duration_s": {"type": "number", "description": "How long it is, seconds."},
            "bytes": {"type": "integer", "description": "The file's size."},
            "file": text("The file's name, as GET /recordings/{file} takes it."),
            "path": text("Where the file is on the service's machine."),
            "reason": text_or_null("Why it ended, where nobody asked for it."),
        }),
        &["state", "file"],
    )
});
