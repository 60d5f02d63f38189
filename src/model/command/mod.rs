//! What can be asked of a page, and what comes back.
//!
//! Wire form: `{"action_type": string, "params": object}`. [`Command`]
//! is its parsed form; every front door parses by [`Command::parse`], so all accept the same.

mod error;
mod files;
mod page;
mod parse;
mod person;
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
pub use files::{UPLOAD_BYTES_MAX, UPLOAD_FILES_MAX, Upload, UploadFile, given_files};
pub use page::{CloseTab, Navigate, NewTab, SwitchTab, TIMEOUT_MS_MAX, WaitUntil};
pub use person::{REASON_CHARS_MAX, RequestHuman, WAIT_S, WAIT_S_MAX};
pub use pointer::{Click, Direction, Drag, MouseButton, SCROLL_AMOUNT_DEFAULT, Scroll, Target};
pub use result::ActionResult;
pub use text::{
    Check, Choice, ClipboardWrite, Focus, HandleDialog, PRESS_MAX, Press, Select, TEXT_CHARS_MAX,
    Type,
};

/// An action as it arrives and as events echo it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionRequest {
    /// One of `navigate`, `click`, `hover`, `type`, `press`, `select`, `check`, `focus`, `scroll`, `drag`,
    /// `upload`, `wait`, `go_back`, `go_forward`, `refresh`, `handle_dialog`, `clipboard_write`,
    /// `clipboard_read`, `new_tab`, `switch_tab`, `close_tab`, `request_human`, `withdraw_request`.
    #[schema(example = "click")]
    pub action_type: String,
    /// The action's parameters; see the table of actions in the documents.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"index": 5}))]
    pub params: Map<String, Value>,
    /// The `action_id` of a failed action that this one tries to put right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction_of: Option<String>,
    /// What must still be so for the action to be carried out; else it is refused as
    /// `page_changed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expects: Option<Expects>,
}

/// The page that an action is meant for. What is left out is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Expects {
    /// The page's URL, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The number of the current tab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tab: Option<u32>,
    /// The number of the page's document, as the context tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<u64>,
}

impl ActionRequest {
    /// An action that corrects none.
    pub fn new(action_type: &str, params: Map<String, Value>) -> Self {
        Self {
            action_type: action_type.to_owned(),
            params,
            correction_of: None,
            expects: None,
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
    /// Move the pointer over an element or a point.
    Hover(Target),
    /// Type text into an element, or into whatever has the focus.
    Type(Type),
    /// Press keys.
    Press(Press),
    /// Choose from a list.
    Select(Select),
    /// See to it that something is checked, or is not.
    Check(Check),
    /// Give an element the focus.
    Focus(Focus),
    /// Scroll the page, or the scroller that holds an element.
    Scroll(Scroll),
    /// Drag something somewhere.
    Drag(Drag),
    /// Give files to a file field.
    Upload(Upload),
    /// Let time pass, or wait until something is so.
    Wait(Wait),
    /// One step back in the page's history.
    GoBack,
    /// One step forward in the page's history.
    GoForward,
    /// Load the page again.
    Refresh,
    /// Answer the dialog that is open.
    HandleDialog(HandleDialog),
    /// Put a text on the session's clipboard.
    ClipboardWrite(ClipboardWrite),
    /// Read the session's clipboard.
    ClipboardRead,
    /// Ask for a person.
    RequestHuman(RequestHuman),
    /// Ask for a person no longer.
    WithdrawRequest,
    /// Open a tab and make it the current one.
    NewTab(NewTab),
    /// Make another tab the current one.
    SwitchTab(SwitchTab),
    /// Close a tab.
    CloseTab(CloseTab),
}

/// Every `action_type` there is, in the order of the documentation.
pub const ACTION_TYPES: [&str; 23] = [
    "navigate",
    "click",
    "hover",
    "type",
    "press",
    "select",
    "check",
    "focus",
    "scroll",
    "drag",
    "upload",
    "wait",
    "go_back",
    "go_forward",
    "refresh",
    "handle_dialog",
    "clipboard_write",
    "clipboard_read",
    "new_tab",
    "switch_tab",
    "close_tab",
    "request_human",
    "withdraw_request",
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
            "hover" => decode(params, &[]).and_then(Target::hover).map(Self::Hover),
            "type" => decode(params, &["text"])
                .and_then(Type::checked)
                .map(Self::Type),
            "press" => decode(params, &["keys"])
                .and_then(Press::checked)
                .map(Self::Press),
            "select" => decode(params, &["index"])
                .and_then(Select::checked)
                .map(Self::Select),
            "check" => decode(params, &["index"]).map(Self::Check),
            "focus" => decode(params, &["index"]).map(Self::Focus),
            "scroll" => decode(params, &["direction"])
                .and_then(Scroll::checked)
                .map(Self::Scroll),
            "drag" => decode(params, &["from", "to"])
                .and_then(Drag::checked)
                .map(Self::Drag),
            "upload" => decode(params, &["index"])
                .and_then(Upload::checked)
                .map(Self::Upload),
            "wait" => decode(params, &[]).and_then(page::wait).map(Self::Wait),
            "go_back" => decode::<NoParams>(params, &[]).map(|_| Self::GoBack),
            "go_forward" => decode::<NoParams>(params, &[]).map(|_| Self::GoForward),
            "refresh" => decode::<NoParams>(params, &[]).map(|_| Self::Refresh),
            "handle_dialog" => decode(params, &["accept"])
                .and_then(HandleDialog::checked)
                .map(Self::HandleDialog),
            "clipboard_write" => decode(params, &["text"])
                .and_then(ClipboardWrite::checked)
                .map(Self::ClipboardWrite),
            "clipboard_read" => decode::<NoParams>(params, &[]).map(|_| Self::ClipboardRead),
            "new_tab" => decode(params, &[])
                .and_then(NewTab::checked)
                .map(Self::NewTab),
            "switch_tab" => decode(params, &["tab"]).map(Self::SwitchTab),
            "close_tab" => decode(params, &[]).map(Self::CloseTab),
            "request_human" => decode(params, &["reason"])
                .and_then(RequestHuman::checked)
                .map(Self::RequestHuman),
            "withdraw_request" => decode::<NoParams>(params, &[]).map(|_| Self::WithdrawRequest),
            other => Err(unknown_action(other)),
        }
    }

    /// Whether it goes on while a person drives: it does nothing on the page.
    pub const fn is_passive(&self) -> bool {
        matches!(
            self,
            Self::Wait(_) | Self::RequestHuman(_) | Self::WithdrawRequest
        )
    }

    /// Whether it is aimed at an element of the list, whose number means nothing on another page.
    pub fn is_by_index(&self) -> bool {
        match self {
            Self::Click(Click { target, .. }) | Self::Hover(target) => target.is_index(),
            Self::Drag(Drag { from, to }) => from.is_index() || to.is_index(),
            Self::Type(Type { index, .. })
            | Self::Press(Press { index, .. })
            | Self::Scroll(Scroll { index, .. }) => index.is_some(),
            Self::Select(_) | Self::Upload(_) | Self::Check(_) | Self::Focus(_) => true,
            Self::Navigate(_)
            | Self::Wait(_)
            | Self::GoBack
            | Self::GoForward
            | Self::Refresh
            | Self::HandleDialog(_)
            | Self::ClipboardWrite(_)
            | Self::ClipboardRead
            | Self::RequestHuman(_)
            | Self::WithdrawRequest
            | Self::NewTab(_)
            | Self::SwitchTab(_)
            | Self::CloseTab(_) => false,
        }
    }
}
