//! Why an action fails.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::model::outcome::{Delivery, Outcome, Retry};

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
    /// A text names a secret that the session does not have.
    UnknownSecret,
    /// No element has this index.
    ElementNotFound,
    /// The index belongs to something that is no longer there, or is something else now.
    StaleElement,
    /// The element has no visible box to click.
    ElementNotVisible,
    /// Another element lies over the target.
    ElementCovered,
    /// The element is disabled.
    ElementDisabled,
    /// The element takes no text.
    ElementNotEditable,
    /// The field holds something else than what was to be put in.
    ValueNotAccepted,
    /// The element offers no such choice.
    OptionNotFound,
    /// The page's validation stopped the form from being submitted.
    NotAccepted,
    /// A dialog of the page is open, and nothing else can be done until it is answered.
    DialogOpen,
    /// A person has the wheel: nothing is done until they give it back.
    HumanInControl,
    /// The page is another one than the action was meant for.
    PageChanged,
    /// It was sent, and what came of it is not known.
    OutcomeUnknown,
    /// The page's scripts do not answer.
    PageUnresponsive,
    /// What was waited for did not come about.
    ConditionNotMet,
    /// No open tab has this number.
    TabNotFound,
    /// It is the only tab, which stays.
    OnlyTab,
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
    /// The page's process ended; other tabs live on.
    RendererCrashed,
    /// The browser crashed or does not answer.
    BrowserLost,
    /// The caller cancelled it, or its tab closed before it ended.
    Cancelled,
    /// The session closed before it was carried out.
    Closed,
    /// Too many actions wait already, or too many tabs are open.
    Exhausted,
    /// This page, element or build cannot do it.
    Unsupported,
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
            Self::UnknownSecret => "unknown_secret",
            Self::ElementNotFound => "element_not_found",
            Self::StaleElement => "stale_element",
            Self::ElementNotVisible => "element_not_visible",
            Self::ElementCovered => "element_covered",
            Self::ElementDisabled => "element_disabled",
            Self::ElementNotEditable => "element_not_editable",
            Self::ValueNotAccepted => "value_not_accepted",
            Self::OptionNotFound => "option_not_found",
            Self::NotAccepted => "not_accepted",
            Self::DialogOpen => "dialog_open",
            Self::HumanInControl => "human_in_control",
            Self::PageChanged => "page_changed",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::PageUnresponsive => "page_unresponsive",
            Self::ConditionNotMet => "condition_not_met",
            Self::TabNotFound => "tab_not_found",
            Self::OnlyTab => "only_tab",
            Self::Blocked => "blocked",
            Self::DnsFailed => "dns_failed",
            Self::TlsFailed => "tls_failed",
            Self::ConnectionFailed => "connection_failed",
            Self::NavigationFailed => "navigation_failed",
            Self::NoHistory => "no_history",
            Self::Timeout => "timeout",
            Self::RendererCrashed => "renderer_crashed",
            Self::BrowserLost => "browser_lost",
            Self::Cancelled => "cancelled",
            Self::Closed => "closed",
            Self::Exhausted => "exhausted",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
        }
    }

    /// What comes of sending the same again, where the failure itself does not say.
    pub const fn retry(self) -> Retry {
        match self {
            // The reason may pass by itself, or be put out of the way; nothing was done.
            Self::ElementNotVisible
            | Self::ElementCovered
            | Self::DialogOpen
            | Self::HumanInControl
            | Self::PageUnresponsive
            | Self::ConditionNotMet
            | Self::DnsFailed
            | Self::ConnectionFailed
            | Self::NavigationFailed
            | Self::Exhausted => Retry::Safe,
            Self::OutcomeUnknown
            | Self::Timeout
            | Self::RendererCrashed
            | Self::Cancelled
            | Self::Internal => Retry::Unsafe,
            Self::UnknownAction
            | Self::MissingParameter
            | Self::InvalidParameter
            | Self::UnknownSecret
            | Self::ElementNotFound
            | Self::StaleElement
            | Self::ElementDisabled
            | Self::ElementNotEditable
            | Self::ValueNotAccepted
            | Self::OptionNotFound
            | Self::NotAccepted
            | Self::PageChanged
            | Self::TabNotFound
            | Self::OnlyTab
            | Self::Blocked
            | Self::TlsFailed
            | Self::NoHistory
            | Self::BrowserLost
            | Self::Closed
            | Self::Unsupported => Retry::Useless,
        }
    }

    /// How much was sent, where the failure itself does not say.
    pub const fn delivery(self) -> Delivery {
        match self {
            Self::ValueNotAccepted | Self::NotAccepted => Delivery::Sent,
            Self::OutcomeUnknown
            | Self::Timeout
            | Self::RendererCrashed
            | Self::BrowserLost
            | Self::Cancelled
            | Self::Internal => Delivery::Unknown,
            _ => Delivery::NotSent,
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
    /// What was done all the same.
    pub outcome: Box<Outcome>,
}

impl ActionError {
    /// An error of `kind` that says `message`; what was done is as that kind has it.
    pub fn new(kind: ActionErrorKind, message: impl Into<String>) -> Self {
        let outcome = Outcome {
            delivery: kind.delivery(),
            retry: kind.retry(),
            ..Outcome::default()
        };
        Self {
            kind,
            message: message.into(),
            context: None,
            outcome: Box::new(outcome),
        }
    }

    /// Adds what a corrector needs.
    #[must_use]
    pub fn context(mut self, context: Value) -> Self {
        self.context = Some(context);
        self
    }

    /// Tells what was done all the same. `retry` follows from the kind and from what was sent.
    #[must_use]
    pub fn outcome(mut self, mut outcome: Outcome) -> Self {
        outcome.retry = self.kind.retry().after(outcome.delivery);
        *self.outcome = outcome;
        self
    }

    /// Tells how much was sent. `retry` follows from the kind and from that.
    #[must_use]
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.outcome.delivery = delivery;
        self.outcome.retry = self.kind.retry().after(delivery);
        self
    }

    /// Tells what comes of sending it again, where that does not follow; after the others.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.outcome.retry = retry;
        self
    }
}
