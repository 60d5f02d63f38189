//! How far an action has come.

use serde::Serialize;
use utoipa::ToSchema;

use super::command::{ActionRequest, ActionResult};

/// Where an action is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionState {
    /// It waits for those before it.
    Queued,
    /// It is being performed.
    Running,
    /// It has ended, well or badly.
    Done,
}

/// An action, by its `action_id`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ActionStatus {
    /// What the action is called.
    pub action_id: String,
    /// Where it is.
    pub state: ActionState,
    /// Its place among those that wait, from 1; only while it is queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// The action as it may be repeated: what is typed is masked until it is known to be no password.
    pub action: ActionRequest,
    /// What came of it; only when it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ActionResult>,
}
