//! What comes of an action.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ActionErrorKind;
use crate::model::outcome::Outcome;

/// The outcome of every action, flat on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ActionResult {
    /// Names this action, for `correction_of` and to ask for it later.
    pub action_id: String,
    /// The failed action that this one was to put right; null for any other.
    pub correction_of: Option<String>,
    /// Whether the action did what was asked, and was seen to.
    pub success: bool,
    /// What went wrong and what to do next; null on success.
    pub error: Option<String>,
    /// The error's kind; null on success.
    pub error_kind: Option<ActionErrorKind>,
    /// On failure: the attempted action, the page's state, nearest candidates.
    pub context: Option<Value>,
    /// What was done, whether it succeeded or failed.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took, milliseconds.
    pub duration_ms: f64,
    /// The page's URL afterwards.
    pub url: String,
    /// The page's title afterwards; null when it is not known.
    pub title: Option<String>,
    /// The document's `readyState` afterwards; null when it is not known.
    pub ready_state: Option<String>,
}
