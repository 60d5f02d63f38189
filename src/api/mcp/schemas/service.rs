//! The schemas of the tools that are about the service and not about one browser.

use std::sync::{Arc, LazyLock};

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use super::{input, list, of_service, room_name};

/// What `ended_sessions` takes.
pub(super) fn ended_input() -> Value {
    let properties = json!({
        "room_name": room_name("One of them, by its room, its name or its session_id; without it all."),
    });
    input(properties, &[])
}

/// What `drain` takes.
pub(super) fn drain_input() -> Value {
    let properties = json!({
        "operation": {
            "type": "string", "enum": ["start", "undo", "status"],
            "description": "What to do.",
        },
        "timeout_s": {
            "type": "integer", "minimum": 0, "maximum": 604_800, "default": 3_600,
            "description": "start: the service ends after so many seconds whatever is left.",
        },
    });
    input(properties, &["operation"])
}

/// What `ended_sessions` answers.
pub(super) static ENDED: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    of_service(
        json!({
            "ended": list("The newest first: session_id, session_name, room_name, created_at, ended_at, \
                reason, detail, current_url, title, viewers, actions, actions_failed, recordings, \
                last_events, state."),
        }),
        &["ended"],
    )
});

/// What `stats` answers.
pub(super) static STATS: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    of_service(
        json!({
            "stats": {"type": "object", "description": "As GET /stats shows it."},
        }),
        &["stats"],
    )
});

/// What `drain` answers.
pub(super) static DRAIN: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    of_service(
        json!({
            "draining": {"type": "boolean", "description": "Whether no new browsers are taken."},
            "sessions": {"type": "integer", "description": "Browsers that are left."},
        }),
        &["draining", "sessions"],
    )
});
