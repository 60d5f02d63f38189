//! Why an action fails.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Why an action failed, for a program to branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionErrorKind {
    /// `action_type` names no action.
    UnknownAction,
    /// A required parameter is absent.
    MissingParameter,
    /// A parameter has the wrong type, is out of range, or does not exist.
    InvalidParameter,
    /// No element has this index.
    ElementNotFound,
    /// The index belongs to an older state of the page.
    StaleElement,
    /// The element has no visible box to click.
    ElementNotVisible,
    /// Another element lies over the target.
    ElementCovered,
    /// The element takes no text.
    ElementNotEditable,
    /// The URL is refused by `allowed_domains` or by a default denial.
    Blocked,
    /// The host name could not be resolved.
    DnsFailed,
    /// The certificate or the TLS handshake was refused.
    TlsFailed,
    /// The host refused, reset or never answered the connection.
    ConnectionFailed,
    /// The navigation failed in another way.
    NavigationFailed,
    /// There is no page to go back or forward to.
    NoHistory,
    /// The action took longer than its bound.
    Timeout,
    /// The browser crashed or does not answer.
    BrowserLost,
    /// The caller cancelled it, or its tab or the session closed before it ended.
    Cancelled,
    /// Too many actions wait already, or too many tabs are open.
    Exhausted,
    /// A defect of the service.
    Internal,
}

impl ActionErrorKind {
    /// The wire name, as in `error_kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownAction => "unknown_action",
            Self::MissingParameter => "missing_parameter",
            Self::InvalidParameter => "invalid_parameter",
            Self::ElementNotFound => "element_not_found",
            Self::StaleElement => "stale_element",
            Self::ElementNotVisible => "element_not_visible",
            Self::ElementCovered => "element_covered",
            Self::ElementNotEditable => "element_not_editable",
            Self::Blocked => "blocked",
            Self::DnsFailed => "dns_failed",
            Self::TlsFailed => "tls_failed",
            Self::ConnectionFailed => "connection_failed",
            Self::NavigationFailed => "navigation_failed",
            Self::NoHistory => "no_history",
            Self::Timeout => "timeout",
            Self::BrowserLost => "browser_lost",
            Self::Cancelled => "cancelled",
            Self::Exhausted => "exhausted",
            Self::Internal => "internal",
        }
    }
}

/// Why an action failed: the kind and a sentence that says what to do next.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ActionError {
    /// For a program.
    pub kind: ActionErrorKind,
    /// For a person or a voice agent.
    pub message: String,
    /// What a corrector needs: the page, the nearest candidates, what covered the target.
    pub context: Option<Value>,
}

impl ActionError {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ActionErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            context: None,
        }
    }

    /// Adds what a corrector needs.
    #[must_use]
    pub fn context(mut self, context: Value) -> Self {
        self.context = Some(context);
        self
    }
}
