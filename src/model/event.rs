//! What happened, as subscribers hear it.
//!
//! On the wire an event is one flat JSON object: `type`, `timestamp`, `seq`, and the fields of
//! its type, no envelope.

use serde::Serialize;

use super::command::ActionRequest;
use super::ids::SessionId;
use super::offer::PermissionAsked;
use super::outcome::{DownloadState, HandledBy};
use super::recording::RecordingState;
use super::time::UnixTime;

/// One event of one room.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
    /// When, Unix seconds.
    pub timestamp: UnixTime,
    /// Counts the events of the room's epoch from 1, without gaps.
    pub seq: u64,
}

/// Where an event comes from; told to subscribers that ask for details.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The session; none where there is none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The tab, of what a page does and of what is done to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tab: Option<u32>,
    /// The action's name, of an action's end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_id: Option<String>,
    /// What the action was done to, by its role and name as a person reads them: `button “Save”`; of an action's
    /// end, where it met an element.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub element: Option<String>,
}

/// What happened. The first six reach every subscriber; the others only who asks for them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventBody {
    /// The page went to another URL, by a load or by `history`.
    PageNavigation {
        /// The new URL.
        url: String,
    },
    /// The page finished loading; comes after its `page_navigation`.
    PageLoadComplete {
        /// The loaded URL.
        url: String,
    },
    /// The page's content changed; coalesced over a short window.
    DomChange {
        /// What kind of change.
        change_type: DomChange,
    },
    /// An action did what was asked.
    ActionCompleted {
        /// The action as it was sent.
        action: ActionRequest,
    },
    /// An action failed.
    ActionError {
        /// What went wrong.
        error: String,
        /// The action as it was sent.
        action: ActionRequest,
    },
    /// The browser crashed or does not answer.
    BrowserError {
        /// What went wrong.
        error: String,
    },
    /// Opt-in: the session's state changed, or how well its picture reaches those who watch.
    StreamState {
        /// The session's state.
        state: &'static str,
        /// What led there.
        reason: String,
        /// What became of the picture, where that is the news.
        #[serde(skip_serializing_if = "Option::is_none")]
        quality: Option<Quality>,
    },
    /// Opt-in: an action begins.
    ActionStarted {
        /// The action as it was sent.
        action: ActionRequest,
        /// Its name in its result.
        action_id: String,
        /// The failed action that it tries to put right.
        #[serde(skip_serializing_if = "Option::is_none")]
        correction_of: Option<String>,
    },
    /// Opt-in: the page settled after an action.
    Settled {
        /// The page's URL.
        url: String,
        /// Whether it came to rest, or its bound was reached.
        settled: bool,
    },
    /// Opt-in: the page opened a dialog, or one was answered.
    Dialog {
        /// `alert`, `confirm`, `prompt` or `beforeunload`.
        kind: String,
        /// The dialog's text.
        message: String,
        /// What the field of a `prompt` holds; null for the others.
        default_value: Option<String>,
        /// Whether it was accepted (OK) or dismissed (Cancel); null while it is open.
        accepted: Option<bool>,
        /// Who answered it: `agent`, `person`, `policy` or `timeout`; null while it is open.
        handled_by: Option<HandledBy>,
    },
    /// Opt-in: a download began or ended.
    Download {
        /// Names it in the session.
        id: String,
        /// The file's name.
        name: String,
        /// How far it is.
        state: DownloadState,
        /// Bytes that have come.
        bytes: u64,
    },
    /// Opt-in: the page wrote to its console.
    Console {
        /// `log`, `warning`, `error` …
        level: String,
        /// The text.
        text: String,
    },
    /// Opt-in: a recording began or ended.
    Recording {
        /// `recording`, `finished`, `empty` or `failed`.
        state: RecordingState,
        /// The file's name.
        file: String,
        /// Why it ended, where nobody asked for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Opt-in: the session ends by itself soon, unless it is used.
    SessionEnding {
        /// `idle`: nobody uses it; `lifetime`: it has lived its longest, and use does not help.
        reason: &'static str,
        /// Seconds until then.
        in_s: u64,
    },
    /// Opt-in: somebody else drives, or a person is asked for.
    Control {
        /// Who has the wheel now: `agent`, `human` or `nobody`.
        owner: &'static str,
        /// Why: `requested`, `taken`, `done`, `declined`, `gone`, `idle`, `withdrawn`, `expired`, `asked`.
        cause: &'static str,
        /// The person that it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        who: Option<String>,
        /// The agent's request that it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
        /// What the agent asked a person for.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Whether the person who has it drives privately.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        private: bool,
    },
    /// Opt-in: a page has asked the person who drives for permission.
    Permission(PermissionAsked),
    /// This subscriber was too slow and missed events; sent whether asked for or not.
    Lagged {
        /// How many events were missed; at least so many where the number asked for was of
        /// another epoch.
        missed: u64,
        /// The room's epoch, where the number asked for was of another one, or details are wanted.
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<String>,
    },
}

/// The kinds of content change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DomChange {
    /// Nodes were inserted.
    ElementAdded,
    /// Nodes were removed.
    ElementRemoved,
    /// Attributes that matter to a user changed.
    Attributes,
    /// Text changed.
    Text,
}

/// What becomes of the picture on its way to those who watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// A way carries far less than the picture takes.
    Degraded,
    /// No way to somebody who watches is known to be that slow any more.
    Recovered,
}

/// The six event types that every subscriber gets.
pub const EVENT_TYPES_DEFAULT: [&str; 6] = [
    "page_navigation",
    "page_load_complete",
    "dom_change",
    "action_completed",
    "action_error",
    "browser_error",
];

/// The event types that come only on request by `?types=`.
pub const EVENT_TYPES_OPTIONAL: [&str; 10] = [
    "stream_state",
    "action_started",
    "settled",
    "dialog",
    "download",
    "console",
    "recording",
    "session_ending",
    "control",
    "permission",
];

impl EventBody {
    /// The wire name of the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::PageNavigation { .. } => "page_navigation",
            Self::PageLoadComplete { .. } => "page_load_complete",
            Self::DomChange { .. } => "dom_change",
            Self::ActionCompleted { .. } => "action_completed",
            Self::ActionError { .. } => "action_error",
            Self::BrowserError { .. } => "browser_error",
            Self::StreamState { .. } => "stream_state",
            Self::ActionStarted { .. } => "action_started",
            Self::Settled { .. } => "settled",
            Self::Dialog { .. } => "dialog",
            Self::Download { .. } => "download",
            Self::Console { .. } => "console",
            Self::Recording { .. } => "recording",
            Self::SessionEnding { .. } => "session_ending",
            Self::Control { .. } => "control",
            Self::Permission { .. } => "permission",
            Self::Lagged { .. } => "lagged",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_flat() {
        let event = Event {
            body: EventBody::DomChange {
                change_type: DomChange::ElementAdded,
            },
            timestamp: UnixTime(12.5),
            seq: 7,
        };
        let json = serde_json::to_value(&event).unwrap();
        let expected = serde_json::json!({
            "type": "dom_change", "change_type": "element_added", "timestamp": 12.5, "seq": 7
        });
        assert_eq!(json, expected);
        assert_eq!(event.body.type_name(), "dom_change");
    }
}
