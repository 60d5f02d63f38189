//! What comes of an action.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::ActionErrorKind;

/// The outcome of every action (REQUIREMENTS A20, DESIGN section 7).
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ActionResult {
    /// Names this action, for `correction_of`.
    pub action_id: String,
    /// The failed action that this one was to put right; null for any other.
    pub correction_of: Option<String>,
    /// Whether the action did what was asked.
    pub success: bool,
    /// What went wrong and what to do next; null on success.
    pub error: Option<String>,
    /// The error's kind; null on success.
    pub error_kind: Option<ActionErrorKind>,
    /// On failure: the attempted action, the page's state, nearest candidates.
    pub context: Option<Value>,
    /// What the action found out, such as `settled`.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
    /// How long it took, milliseconds.
    pub duration_ms: f64,
    /// The page's URL afterwards.
    pub url: String,
    /// The page's title afterwards.
    pub title: String,
}
