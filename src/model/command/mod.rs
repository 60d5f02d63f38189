//! What can be asked of a page, and what comes back.
//!
//! Wire form (REQUIREMENTS A12, A149): `{"action_type": string, "params": object}`. [`Command`]
//! is its parsed form; every front door parses by [`Command::parse`], so all accept the same.

mod error;
mod page;
mod parse;
mod pointer;
mod result;
#[cfg(test)]
mod tests;
mod text;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use self::parse::{NoParams, decode, unknown_action};
use super::wait::Wait;

pub use error::{ActionError, ActionErrorKind};
pub use page::{CloseTab, Navigate, NewTab, SwitchTab, TIMEOUT_MS_MAX};
pub use pointer::{Click, Direction, MouseButton, SCROLL_AMOUNT_DEFAULT, Scroll, Target};
pub use result::ActionResult;
pub use text::{TEXT_CHARS_MAX, Type};

/// An action as it arrives and as events echo it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionRequest {
    /// One of `navigate`, `click`, `type`, `scroll`, `wait`, `go_back`, `go_forward`, `refresh`,
    /// `new_tab`, `switch_tab`, `close_tab`.
    #[schema(example = "click")]
    pub action_type: String,
    /// The action's parameters; see the README's table.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"index": 5}))]
    pub params: Map<String, Value>,
    /// The `action_id` of a failed action that this one tries to put right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction_of: Option<String>,
}

impl ActionRequest {
    /// An action that corrects none.
    pub fn new(action_type: &str, params: Map<String, Value>) -> Self {
        Self {
            action_type: action_type.to_owned(),
            params,
            correction_of: None,
        }
    }
}

/// A parsed action.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Go to a URL.
    Navigate(Navigate),
    /// Press a mouse button on an element or at a point.
    Click(Click),
    /// Type text into an element, or into whatever has the focus.
    Type(Type),
    /// Scroll the page, or the scroller that holds an element.
    Scroll(Scroll),
    /// Let time pass, or wait until something is so.
    Wait(Wait),
    /// One step back in the page's history.
    GoBack,
    /// One step forward in the page's history.
    GoForward,
    /// Load the page again.
    Refresh,
    /// Open a tab and make it the current one.
    NewTab(NewTab),
    /// Make another tab the current one.
    SwitchTab(SwitchTab),
    /// Close a tab.
    CloseTab(CloseTab),
}

/// Every `action_type` there is, in the order of the documentation.
pub const ACTION_TYPES: [&str; 11] = [
    "navigate",
    "click",
    "type",
    "scroll",
    "wait",
    "go_back",
    "go_forward",
    "refresh",
    "new_tab",
    "switch_tab",
    "close_tab",
];

impl Command {
    /// Parses the wire form. The error says which parameter is wrong and what it should be.
    pub fn parse(request: &ActionRequest) -> Result<Self, ActionError> {
        let params = &request.params;
        match request.action_type.as_str() {
            "navigate" => decode(params, &["url"])
                .and_then(Navigate::checked)
                .map(Self::Navigate),
            "click" => decode(params, &[])
                .and_then(Click::checked)
                .map(Self::Click),
            "type" => decode(params, &["text"])
                .and_then(Type::checked)
                .map(Self::Type),
            "scroll" => decode(params, &["direction"])
                .and_then(Scroll::checked)
                .map(Self::Scroll),
            "wait" => decode(params, &[]).and_then(page::wait).map(Self::Wait),
            "go_back" => decode::<NoParams>(params, &[]).map(|_| Self::GoBack),
            "go_forward" => decode::<NoParams>(params, &[]).map(|_| Self::GoForward),
            "refresh" => decode::<NoParams>(params, &[]).map(|_| Self::Refresh),
            "new_tab" => decode(params, &[])
                .and_then(NewTab::checked)
                .map(Self::NewTab),
            "switch_tab" => decode(params, &["tab"]).map(Self::SwitchTab),
            "close_tab" => decode(params, &[]).map(Self::CloseTab),
            other => Err(unknown_action(other)),
        }
    }
}
