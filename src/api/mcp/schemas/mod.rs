//! The schemas of the tools: what they take and what they answer (JSON Schema 2020-12).

use std::sync::{Arc, LazyLock};

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use super::catalog::{FPS_DEFAULT, ToolName};
use crate::model::session::limits;

mod action;
mod control;
mod service;

/// What a tool takes.
pub(super) fn takes(tool: ToolName) -> Arc<JsonObject> {
    object(match tool {
        ToolName::Start => start_input(),
        ToolName::Pause | ToolName::Resume | ToolName::Close => room_input(),
        ToolName::Recover => recover_input(),
        ToolName::Act => action::input(),
        ToolName::Look => look_input(),
        ToolName::Screenshot => screenshot_input(),
        ToolName::Analyze => analyze_input(),
        ToolName::Tabs => tabs_input(),
        ToolName::Record => record_input(),
        ToolName::WaitFor => wait_for_input(),
        ToolName::Ended => service::ended_input(),
        ToolName::Stats => input(json!({}), &[]),
        ToolName::Drain => service::drain_input(),
        ToolName::Share => share_input(),
        ToolName::Interact => control::interact_input(),
        ToolName::RunScript => control::run_script_input(),
        ToolName::CleanUp => service::clean_up_input(),
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
        ToolName::Act | ToolName::WaitFor | ToolName::Interact => &RESULT,
        ToolName::Look => &CONTEXT,
        ToolName::Screenshot => &PICTURE,
        ToolName::Analyze => &ANALYSIS,
        ToolName::Tabs => &TABS,
        ToolName::Record => &RECORDING,
        ToolName::Ended => &service::ENDED,
        ToolName::Stats => &service::STATS,
        ToolName::Drain => &service::DRAIN,
        ToolName::Share => &SHARE,
        ToolName::RunScript => &control::RAN,
        ToolName::CleanUp => &service::CLEANED_UP,
    })
}

pub(super) fn object(schema: Value) -> Arc<JsonObject> {
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

const ROOM_OR_DEFAULT: &str = "The LiveKit room whose browser is meant; without it the one browser that \
    you started. If you never started any, one starts for you alone. Name it always where the protocol \
    keeps no conversation, as over HTTP since 2026-07-28.";

fn number(description: &str, range: &std::ops::RangeInclusive<u32>, default: u32) -> Value {
    json!({
        "type": "integer", "description": description,
        "minimum": range.start(), "maximum": range.end(), "default": default,
    })
}

fn start_input() -> Value {
    let properties = json!({
        "room_name": room_name("The LiveKit room that shall see the browser. It, session_name or both \
            are needed."),
        "session_name": {
            "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._-]+$",
            "description": "A name under which the browser is kept with its logins, and comes back as it \
                was; the other tools take it as room_name where there is no room.",
            "examples": ["shop-login"],
        },
        "livekit_url": {
            "type": "string", "description": "WebSocket URL of the LiveKit server; without it the \
                service's own.",
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
        "dialogs": {
            "type": "string", "enum": ["ask", "accept", "dismiss"], "default": "ask",
            "description": "What becomes of dialogs that the page opens: ask leaves them to \
                execute_action handle_dialog; accept and dismiss answer at once.",
        },
        "allowed_domains": {
            "type": "array", "items": {"type": "string"}, "maxItems": limits::ALLOWED_DOMAINS,
            "description": "Hosts that the page may reach, as patterns; without it all that the \
                service permits.",
            "examples": [["example.com", "*.example.com"]],
        },
        "idle_timeout_s": {
            "type": "integer", "minimum": 0,
            "description": "Ends the browser after so many seconds in which nobody uses it; 0 for never.",
        },
        "max_lifetime_s": {
            "type": "integer", "minimum": 0,
            "description": "Ends the browser so many seconds after its start, used or not; 0 for never.",
        },
        "browser": {
            "type": "string", "enum": ["auto", "local", "remote"],
            "description": "Which browser serves: the service's machine's, a remote one, or the first of \
                both that can; without it as the service is set.",
        },
    });
    input(properties, &[])
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
        "text": {
            "type": "boolean", "default": false,
            "description": "With the text that the page shows, in reading order.",
        },
        "text_cursor": {
            "type": "string",
            "description": "Reads on in the text: the value of text_cursor in the answer before.",
        },
        "find": {
            "type": "string", "minLength": 1, "maxLength": 1000,
            "description": "A phrase to look for: answers where it stands and the nearest index.",
            "examples": ["Order number"],
        },
        "boxes": {
            "type": "boolean", "default": false,
            "description": "With the place of each element, CSS pixels.",
        },
        "action_id": {
            "type": "string",
            "description": "Tells how an action of execute_action stands, and what came of it, \
                instead of the page.",
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
        "index": {
            "type": "integer", "minimum": 0, "description": "Only this element.",
        },
        "x": {
            "type": "number", "minimum": 0,
            "description": "Only a part of the page, with y, width and height: CSS pixels from the \
                left of what is in view.",
        },
        "y": {"type": "number", "minimum": 0, "description": "CSS pixels from the top of what is in view; it may lie below."},
        "width": {"type": "number", "minimum": 1, "description": "CSS pixels."},
        "height": {"type": "number", "minimum": 1, "description": "CSS pixels."},
        "filename": {
            "type": "string", "minLength": 1, "maxLength": 200,
            "description": "Saves the picture under this bare name where the service runs, instead of \
                showing it: png, jpg or webp by its ending, png without one.",
            "examples": ["checkout.png"],
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

fn share_input() -> Value {
    let properties = json!({
        "room_name": room_name(ROOM_OR_DEFAULT),
        "ttl_s": {
            "type": "integer", "minimum": 1, "maximum": 86_400, "default": 3_600,
            "description": "How long the link is good, seconds.",
        },
    });
    input(properties, &[])
}

/// What a tool answers, or how it fails: clients may hold failures against the schema as well. All
/// answers have a sentence and the room.
fn output(mut properties: Value, required: &[&str]) -> Arc<JsonObject> {
    properties["room_name"] =
        text("The room; of a browser without one its name, which every tool takes.");
    let required = [&["room_name"], required].concat();
    of_service(properties, &required)
}

/// What a tool answers that belongs to no room.
fn of_service(mut properties: Value, required: &[&str]) -> Arc<JsonObject> {
    properties["message"] = text("What happened, as a sentence that can be spoken.");
    let required = [&["message"], required].concat();
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
            "session_name": text_or_null("Its own name, under which it is kept; null without one."),
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
            "page_error": text_or_null("Why the page could not be loaded."),
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
                "description": "running: the action goes on after this answer; \
                    get_browser_context with action_id tells its end, and so does an \
                    action_completed or action_error event.",
            },
            "success": {
                "type": ["boolean", "null"],
                "description": "Whether it was done and seen to be done; null while it runs.",
            },
            "error": text_or_null("What went wrong and what to do next."),
            "error_kind": text_or_null("The error's kind, for a program to branch on."),
            "context": {
                "type": ["object", "null"],
                "description": "On failure: the attempted action, the page, the nearest elements.",
            },
            "data": {"type": "object", "description": "What the action found out, such as value."},
            "delivery": {
                "type": "string", "enum": ["not_sent", "sent", "partly", "unknown"],
                "description": "How much of the input reached the page.",
            },
            "effect": {
                "type": "object",
                "description": "What was seen to come of it: kind (none, page, value, focus, scroll, \
                    navigation, tab, dialog, download), verified, before, after.",
            },
            "target": {
                "type": ["object", "null"],
                "description": "What was hit: index, role, name, frame.",
            },
            "rest": {
                "type": ["object", "null"],
                "description": "Whether the page came to rest: reached, waits_for.",
            },
            "retry": {
                "type": "string", "enum": ["safe", "unsafe", "useless"],
                "description": "safe: may be sent again; unsafe: may have been done already, look \
                    first; useless: would fail again.",
            },
            "tab": {"type": ["integer", "null"], "description": "The tab that was acted on, or the one \
                that it opened or led to."},
            "dialogs": list("Dialogs that opened or were answered: type, message, default_value, \
                accepted, handled_by."),
            "downloads": list("Downloads that began or ended: id, name, state, bytes."),
            "blocked_requests": list("Requests that were stopped: host, reason."),
            "changes": list("What a person would notice: kind, text, index."),
            "action_id": text("What this action is called, to ask for it and for correction_of."),
            "correction_of": text_or_null("The failed action that this one corrects."),
            "duration_ms": {"type": "number", "description": "How long it took."},
            "url": text("The page's URL afterwards."),
            "title": text_or_null("The page's title afterwards; null when it is not known."),
            "ready_state": text_or_null("How far the document is; null when it is not known."),
            "just_started": {
                "type": "boolean", "description": "A browser was started for this call.",
            },
        }),
        &["status", "success", "error", "url", "title"],
    )
});

fn list(description: &str) -> Value {
    json!({"type": "array", "items": {"type": "object"}, "description": description})
}

/// What `share` answers.
static SHARE: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    output(
        json!({
            "url": text("The link. Whoever has it can watch, so give it only to who is meant."),
            "expires_at": text("Until when it is good, ISO 8601, UTC."),
        }),
        &["url", "expires_at"],
    )
});

/// What `get_browser_context` answers: the page, or how far an action has come.
static CONTEXT: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    let read = json!({"type": ["array", "null"], "items": {"type": "object"}});
    let described = |description: &str| {
        let mut schema = read.clone();
        schema["description"] = description.into();
        schema
    };
    let schema = output(
        json!({
            "url": text("The page's URL."),
            "page_error": text_or_null("Why the document of that URL could not be loaded; null when it is there."),
            "title": text_or_null("The page's title; null when it is not known."),
            "ready_state": {
                "enum": ["loading", "interactive", "complete", null],
                "description": "How far the document is; null when it is not known.",
            },
            "is_loading": {"type": "boolean", "description": "Whether a navigation is under way."},
            "document": {
                "type": ["integer", "null"],
                "description": "The number of the page's document, for expects.",
            },
            "tabs": list("The session's tabs: tab, url, title, current."),
            "dialog": {
                "type": ["object", "null"],
                "description": "The dialog that is open: type, message, default_value. Until \
                    handle_dialog answers it, the rest is from before.",
            },
            "from_before": {
                "type": "boolean",
                "description": "True while a dialog is open: the page is told as it was last read.",
            },
            "total": {"type": "integer", "description": "How many elements the page has."},
            "more": text_or_null("Pass it as more to read on; null at the end."),
            "elements": described("What can be used: index, role, name, value; null when it could \
                not be read."),
            "accessibility": described("The accessibility tree; null when it could not be read."),
            "text": text_or_null("The page's text; null when it could not be read."),
            "text_cursor": text_or_null("Pass it as text_cursor to read on; null at the end."),
            "found": described("Where the phrase stands: text, index, in_viewport; null when it \
                could not be looked for."),
            "unreadable": {
                "type": "string", "enum": ["between_documents", "script_failed", "too_large", "dialog_open"],
                "description": "Why what is null could not be read.",
            },
            "status": {
                "type": "string", "enum": ["queued", "running", "done"],
                "description": "With action_id: how far the action has come.",
            },
            "action": {"type": "object", "description": "With action_id: the action."},
            "position": {
                "type": ["integer", "null"],
                "description": "With action_id: its place among those that wait.",
            },
            "just_started": {
                "type": "boolean", "description": "A browser was started for this call.",
            },
        }),
        &["url", "title", "ready_state"],
    );
    with_way(&schema, &["message", "room_name", "status", "action_id"])
});

/// The schema with another set of fields that may be all there is.
fn with_way(schema: &JsonObject, required: &[&str]) -> Arc<JsonObject> {
    let mut schema = schema.clone();
    if let Some(Value::Array(ways)) = schema.get_mut("anyOf") {
        ways.push(json!({ "required": required }));
    }
    Arc::new(schema)
}

/// What `screenshot` answers, besides the picture.
static PICTURE: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    output(
        json!({
            "url": text("The page's URL."),
            "title": text("The page's title."),
            "media_type": text("The picture's type."),
            "marked": {"type": "boolean", "description": "Whether elements are numbered."},
            "path": text("With filename: where the picture is on the service's machine."),
            "width": {"type": "integer", "description": "With filename: px."},
            "height": {"type": "integer", "description": "With filename: px."},
            "bytes": {"type": "integer", "description": "With filename: the file's size."},
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
                "type": "string", "enum": ["recording", "finished", "empty", "failed"],
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
