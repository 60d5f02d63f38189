//! What tools take, parsed. A complaint names the argument, so that a model can correct itself.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::model::command::{ActionRequest, Expects};
use crate::model::{BrowserWish, DialogPolicy, Secret};

/// Of `start_browser_session`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {
    pub(super) room_name: Option<String>,
    pub(super) session_name: Option<String>,
    pub(super) livekit_url: Option<String>,
    pub(super) livekit_token: Option<String>,
    pub(super) initial_url: Option<String>,
    pub(super) viewport_width: Option<u32>,
    pub(super) viewport_height: Option<u32>,
    pub(super) fps: Option<u32>,
    #[serde(default)]
    pub(super) dialogs: DialogPolicy,
    #[serde(default)]
    pub(super) allowed_domains: Vec<String>,
    pub(super) idle_timeout_s: Option<u32>,
    pub(super) max_lifetime_s: Option<u32>,
    pub(super) browser: Option<BrowserWish>,
}

/// Of the tools that need nothing but a room.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Room {
    pub(super) room_name: String,
}

/// Of `recover_browser_session`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recover {
    pub(super) room_name: String,
    pub(super) livekit_token: Option<Secret>,
}

/// Of `execute_action`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Act {
    pub(super) room_name: Option<String>,
    pub(super) action_type: String,
    #[serde(default)]
    pub(super) params: Option<Map<String, Value>>,
    pub(super) correction_of: Option<String>,
    pub(super) expects: Option<Expects>,
}

impl Act {
    /// The action, and the room that was named.
    pub(super) fn into_request(self) -> (Option<String>, ActionRequest) {
        let action = ActionRequest {
            action_type: self.action_type,
            params: self.params.unwrap_or_default(),
            correction_of: self.correction_of,
            expects: self.expects,
        };
        (self.room_name, action)
    }
}

/// Of `get_browser_context`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Look {
    pub(super) room_name: Option<String>,
    #[serde(default = "yes")]
    pub(super) elements: bool,
    #[serde(default)]
    pub(super) accessibility: bool,
    pub(super) more: Option<String>,
    pub(super) accessibility_more: Option<String>,
    #[serde(default)]
    pub(super) text: bool,
    pub(super) text_cursor: Option<String>,
    pub(super) find: Option<String>,
    #[serde(default)]
    pub(super) boxes: bool,
    pub(super) action_id: Option<String>,
}

/// Of `screenshot`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Screenshot {
    pub(super) room_name: Option<String>,
    #[serde(default)]
    pub(super) marks: bool,
    #[serde(default)]
    pub(super) full_page: bool,
    pub(super) index: Option<u32>,
    pub(super) x: Option<f64>,
    pub(super) y: Option<f64>,
    pub(super) width: Option<f64>,
    pub(super) height: Option<f64>,
    pub(super) filename: Option<String>,
}

/// Of `stats`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Of `drain`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Drain {
    pub(super) operation: DrainOperation,
    pub(super) timeout_s: Option<u64>,
}

/// What `drain` shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DrainOperation {
    Start,
    Undo,
    Status,
}

/// Of `ended_sessions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndedSessions {
    pub(super) room_name: Option<String>,
}

/// Of `analyze`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Analyze {
    pub(super) room_name: Option<String>,
    pub(super) question: String,
    #[serde(default)]
    pub(super) marks: bool,
}

/// Of `recording`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) room_name: Option<String>,
    pub(super) operation: RecordOperation,
}

/// What `recording` shall do.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RecordOperation {
    Start,
    Stop,
    Status,
}

/// Of `tabs`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tabs {
    pub(super) room_name: Option<String>,
    pub(super) operation: TabsOperation,
    pub(super) tab: Option<u32>,
    pub(super) url: Option<String>,
}

/// What `tabs` shall do.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TabsOperation {
    List,
    New,
    Switch,
    Close,
}

impl TabsOperation {
    /// The action that does it, if it takes one.
    pub(super) const fn action_type(self) -> Option<&'static str> {
        match self {
            Self::List => None,
            Self::New => Some("new_tab"),
            Self::Switch => Some("switch_tab"),
            Self::Close => Some("close_tab"),
        }
    }
}

/// Of `wait_for`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitFor {
    pub(super) room_name: Option<String>,
    pub(super) condition: Map<String, Value>,
    pub(super) timeout_ms: Option<u64>,
}

/// Of `run_script`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunScript {
    pub(super) room_name: Option<String>,
    pub(super) script: String,
    #[serde(default)]
    pub(super) args: Value,
    pub(super) timeout_ms: Option<u64>,
    pub(super) frame: Option<String>,
}

/// Of `interact`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Interact {
    pub(super) room_name: Option<String>,
    pub(super) action: String,
    pub(super) selector: String,
    pub(super) params: Option<Map<String, Value>>,
    pub(super) timeout_ms: Option<u64>,
}

/// Of `clean_up`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CleanUp {
    pub(super) max_age_hours: f64,
    #[serde(default)]
    pub(super) dry_run: bool,
    #[serde(default)]
    pub(super) profiles: bool,
}

/// Of `share`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Share {
    pub(super) room_name: Option<String>,
    pub(super) ttl_s: Option<u64>,
}

const fn yes() -> bool {
    true
}

/// Parses the arguments of a call.
pub(super) fn parse<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, Error> {
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.inner();
        let message = match path.as_str() {
            "." => format!("the arguments are not valid: {inner}"),
            field => format!("the argument \"{field}\" is not valid: {inner}"),
        };
        Error::invalid_input(message).hint("Correct it as the tool's input schema says.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn complaint(arguments: Value) -> String {
        let Value::Object(arguments) = arguments else {
            panic!("not an object");
        };
        parse::<Start>(arguments).unwrap_err().to_string()
    }

    #[test]
    fn complaints_name_the_argument() {
        assert!(complaint(json!({"room_name": 1})).contains("\"room_name\""));
        assert!(complaint(json!({"room_name": "a", "fps": "ten"})).contains("\"fps\""));
        assert!(complaint(json!({"room_name": "a", "colour": 1})).contains("colour"));
    }
}
