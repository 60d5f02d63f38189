//! The schemas of `run_script` and `interact`.

use std::sync::{Arc, LazyLock};

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use super::{ROOM_OR_DEFAULT, input, output, room_name, text, text_or_null};

/// What `interact` takes.
pub(super) fn interact_input() -> Value {
    let properties = json!({
        "room_name": room_name(ROOM_OR_DEFAULT),
        "action": {
            "type": "string",
            "enum": [
                "click", "hover", "fill", "type", "press", "select", "check", "uncheck", "focus",
                "upload", "scroll",
            ],
            "description": "What to do. fill empties the field first.",
        },
        "selector": {
            "type": "string", "minLength": 1,
            "description": "A CSS selector: the first that is shown. Or text=Sign in, or \
                role=button[name=\"Sign in\"].",
            "examples": ["#submit", "text=Sign in"],
        },
        "params": {
            "type": "object", "default": {},
            "description": "The action's other parameters, as execute_action takes them: text of fill \
                and type, keys of press, value or label of select, direction of scroll.",
            "examples": [{"text": "hello", "submit": true}],
        },
        "timeout_ms": {
            "type": "integer", "minimum": 1, "maximum": 3_000, "default": 2_000,
            "description": "How long the element is waited for, milliseconds; wait_for waits longer.",
        },
    });
    input(properties, &["action", "selector"])
}

/// What `run_script` takes.
pub(super) fn run_script_input() -> Value {
    let properties = json!({
        "room_name": room_name(ROOM_OR_DEFAULT),
        "script": {
            "type": "string", "minLength": 1,
            "description": "An expression, or a function's body with return. A promise is waited for.",
            "examples": ["document.title", "return args.a + args.b"],
        },
        "args": {"description": "Anything; the script finds it as args."},
        "timeout_ms": {
            "type": "integer", "minimum": 1, "maximum": 3_000, "default": 3_000,
            "description": "The script is ended after this many milliseconds.",
        },
        "frame": {
            "type": "string",
            "description": "The frame to run it in: its name, or a part of its URL; the page itself \
                without it.",
        },
    });
    input(properties, &["script"])
}

/// What `run_script` answers.
pub(super) static RAN: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    output(
        json!({
            "success": {"type": "boolean", "description": "Whether it ended without throwing."},
            "result": {"description": "What it returned; null where it threw."},
            "type": text_or_null("What that is in JavaScript, such as number; null where it threw."),
            "thrown": {
                "type": ["object", "null"],
                "description": "What it threw: name, message, stack.",
            },
            "error": text_or_null("What went wrong and what to do next."),
            "error_kind": text("The error's kind, for a program to branch on."),
        }),
        &["success", "result", "type", "thrown"],
    )
});
