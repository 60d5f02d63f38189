//! What the service answers over REST, as far as the tests look at it.

use serde::Deserialize;
use serde_json::Value;

/// A session as its record has it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Record {
    pub(super) session_id: String,
    pub(super) state: String,
    pub(super) page_error: Option<String>,
    pub(super) capturing: bool,
    pub(super) viewers: Viewers,
    pub(super) livekit: String,
    pub(super) bitrate_bps: u32,
    pub(super) video: Video,
    pub(super) recording: Option<Recording>,
    pub(super) cursor: Option<Point>,
}

impl Record {
    /// Whether it has no browser any more, or soon will not.
    pub(super) fn is_dead(&self) -> bool {
        ["failed", "closing", "closed", "stored"].contains(&self.state.as_str())
    }
}

/// Who watches.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Viewers {
    pub(super) livekit: bool,
}

/// What the video has come to.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Video {
    pub(super) frames_encoded: u64,
}

/// A recording under way, or the last one.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Recording {
    pub(super) state: String,
    pub(super) bytes: u64,
    pub(super) frames: u64,
    pub(super) path: String,
    pub(super) reason: Option<String>,
}

/// A place in the page, CSS px.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// What came of an action.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ActionResult {
    pub(super) action_id: String,
    pub(super) correction_of: Option<String>,
    pub(super) success: bool,
    pub(super) error: Option<String>,
    pub(super) error_kind: Option<String>,
    pub(super) context: Option<Value>,
    pub(super) duration_ms: f64,
}

/// The page as an agent needs it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PageContext {
    pub(super) url: String,
    pub(super) title: Option<String>,
    pub(super) ready_state: Option<String>,
    pub(super) is_loading: bool,
    pub(super) scroll: Value,
    pub(super) viewport: Value,
    pub(super) cursor: Option<Point>,
    pub(super) elements: Option<Vec<Value>>,
    pub(super) accessibility: Option<Vec<Value>>,
}

/// What the configured model says.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Analysis {
    pub(super) answer: String,
}

/// The body of each answer that is an error.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) error: Refusal,
}

/// Why the service refuses, and what it advises.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Refusal {
    pub(super) kind: String,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Refusal {
    /// All of it, for people.
    pub(super) fn sentence(&self) -> String {
        let advice = self.hint.iter().map(|hint| format!(". {hint}"));
        format!("{}{}", self.message, advice.collect::<String>())
    }
}
