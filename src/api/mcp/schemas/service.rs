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

/// What `clean_up` takes.
pub(super) fn clean_up_input() -> Value {
    let properties = json!({
        "max_age_hours": {
            "type": "number", "minimum": 0,
            "description": "Hours since anything happened in it; 0 closes all.",
            "examples": [24],
        },
        "dry_run": {
            "type": "boolean", "default": false, "description": "Only tell which they are.",
        },
        "profiles": {
            "type": "boolean", "default": false,
            "description": "Delete what they have kept, with all logins, too.",
        },
    });
    input(properties, &["max_age_hours"])
}

/// What `clean_up` answers.
pub(super) static CLEANED_UP: LazyLock<Arc<JsonObject>> = LazyLock::new(|| {
    of_service(
        json!({
            "deleted": list("What is closed, or would be: session_id, session_name, room_name, \
                last_activity."),
            "kept": {"type": "integer", "description": "How many others there are."},
        }),
        &["deleted", "kept"],
    )
});

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
