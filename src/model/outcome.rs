//! What an action did: what was sent, what was seen of it, and what that means for a second try.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// How much of an action's input reached the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Nothing was sent.
    #[default]
    NotSent,
    /// All of it was sent, and the browser took it.
    Sent,
    /// Some of it was sent.
    Partly,
    /// It was sent, or may have been, and no answer came in time.
    Unknown,
}

impl Delivery {
    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Sent => "sent",
            Self::Partly => "partly",
            Self::Unknown => "unknown",
        }
    }
}

/// What an action brought about, the weakest first: of several that were seen, the strongest counts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// Nothing was seen.
    #[default]
    None,
    /// The page's content changed.
    Page,
    /// A field holds something else.
    Value,
    /// The focus moved.
    Focus,
    /// Something scrolled.
    Scroll,
    /// The page went elsewhere.
    Navigation,
    /// A tab opened, closed or became the current one.
    Tab,
    /// The page opened a dialog, or one was answered.
    Dialog,
    /// A download began.
    Download,
}

impl EffectKind {
    /// The wire name, as in `data.effect`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Page => "page",
            Self::Value => "value",
            Self::Focus => "focus",
            Self::Scroll => "scroll",
            Self::Navigation => "navigation",
            Self::Tab => "tab",
            Self::Dialog => "dialog",
            Self::Download => "download",
        }
    }
}

/// What was seen to come of an action.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Effect {
    /// The strongest that was seen.
    pub kind: EffectKind,
    /// Whether the page was seen to hold what was asked for; null when that cannot be known.
    pub verified: Option<bool>,
    /// What was there before, where the effect is one of a value, a place or a URL.
    pub before: Option<Value>,
    /// What is there afterwards.
    pub after: Option<Value>,
}

/// The element that was hit at the press, for coordinates too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Struck {
    /// Its index, if it has one.
    pub index: Option<u32>,
    /// Its role, such as `button`.
    pub role: String,
    /// Its name, as a person reads it; empty when it has none.
    pub name: String,
    /// The URL of the frame that holds it; null for the page's own document.
    pub frame: Option<String>,
}

impl Struck {
    /// It in words, as a person reads them: `button “Save”`, or what it is where it has no name.
    pub fn spoken(&self) -> String {
        let role = match self.role.as_str() {
            "" => "element",
            role => role,
        };
        match self.name.as_str() {
            "" => role.to_owned(),
            name => format!("{role} “{name}”"),
        }
    }
}

/// Whether the page came to rest afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rest {
    /// Whether it did within the bound.
    pub reached: bool,
    /// What it still waits for, such as `document` or `requests`; null at rest.
    pub waits_for: Option<String>,
}

/// What comes of sending the same action again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Nothing was done: it may be sent again as it is.
    #[default]
    Safe,
    /// It was done, or may have been: to send it again may do it twice.
    Unsafe,
    /// It would fail again as it is.
    Useless,
}

impl Retry {
    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
            Self::Useless => "useless",
        }
    }

    /// The same, once it is known how much was sent: what was sent is not safe to send again.
    #[must_use]
    pub const fn after(self, delivery: Delivery) -> Self {
        match (self, delivery) {
            (Self::Safe, Delivery::Sent | Delivery::Partly | Delivery::Unknown) => Self::Unsafe,
            (retry, _) => retry,
        }
    }
}

/// What becomes of the dialogs that a page opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DialogPolicy {
    /// They stay open until an action `handle_dialog` answers them.
    #[default]
    Ask,
    /// They are accepted at once, a `prompt` with what it holds.
    Accept,
    /// They are dismissed at once.
    Dismiss,
}

impl DialogPolicy {
    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Accept => "accept",
            Self::Dismiss => "dismiss",
        }
    }
}

/// Who answered a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandledBy {
    /// An action `handle_dialog`.
    Agent,
    /// A person who drives.
    Person,
    /// The session's `dialogs`, which is not `ask`.
    Policy,
    /// Nobody did in time, so it was dismissed.
    Timeout,
}

impl HandledBy {
    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Person => "person",
            Self::Policy => "policy",
            Self::Timeout => "timeout",
        }
    }
}

/// A dialog of the page's scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DialogInfo {
    /// `alert`, `confirm`, `prompt` or `beforeunload`.
    #[serde(rename = "type")]
    pub dialog_type: String,
    /// Its text.
    pub message: String,
    /// What the field of a `prompt` holds; null for the others.
    pub default_value: Option<String>,
    /// Whether it was accepted (OK) or dismissed (Cancel); null while it is open.
    pub accepted: Option<bool>,
    /// Who answered it; null while it is open.
    pub handled_by: Option<HandledBy>,
}

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DownloadState {
    /// Bytes are coming.
    InProgress,
    /// It is whole.
    Completed,
    /// It broke off; what came of it is not kept.
    Failed,
    /// It was not let in: too large, too many, or its host is not allowed.
    Refused,
}

impl DownloadState {
    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// A file that the page gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DownloadInfo {
    /// Names it in the session.
    pub id: String,
    /// The file's name, as the page proposes it, without a path.
    pub name: String,
    /// How far it is.
    pub state: DownloadState,
    /// Bytes that have come.
    pub bytes: u64,
}

/// A request of the page that the session's fence stopped while the action went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BlockedRequest {
    /// Where to.
    pub host: String,
    /// Why, in a sentence.
    pub reason: String,
}

/// Something that a person would notice after an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Change {
    /// What kind of thing: `alert`, `status`, `validation`, `dialog`, `menu`, `navigation` …
    pub kind: String,
    /// Its words, as the page shows them.
    pub text: String,
    /// The element that it belongs to, if that is listed.
    pub index: Option<u32>,
}

/// What an action did, whether it succeeded or failed. By default: nothing sent, nothing seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Outcome {
    /// How much of its input reached the page.
    pub delivery: Delivery,
    /// What was seen to come of it.
    pub effect: Effect,
    /// The element that was hit; null when none was.
    pub target: Option<Struck>,
    /// Whether the page came to rest afterwards; null when that was not waited for.
    pub rest: Option<Rest>,
    /// What comes of sending it again.
    pub retry: Retry,
    /// The tab that was acted on, or the one that it opened or led to; null when there was none.
    pub tab: Option<u32>,
    /// Dialogs that opened or were answered during the action.
    pub dialogs: Vec<DialogInfo>,
    /// Downloads that began or ended during the action.
    pub downloads: Vec<DownloadInfo>,
    /// Requests that the session's fence stopped during the action.
    pub blocked_requests: Vec<BlockedRequest>,
    /// What a person would notice.
    pub changes: Vec<Change>,
    /// More facts, such as `settled` and `value`.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
}

impl Outcome {
    /// An action whose whole input was sent: not safe to send again.
    pub fn sent() -> Self {
        Self {
            delivery: Delivery::Sent,
            retry: Retry::Unsafe,
            ..Self::default()
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// Notes an effect that was seen; a weaker one changes nothing.
    pub fn saw(&mut self, effect: Effect) {
        if effect.kind >= self.effect.kind {
            self.effect = effect;
        }
    }

    /// That what was acted on has the focus now is no news.
    pub fn drop_focus_on(&mut self, index: Option<u32>) {
        self.changes
            .retain(|change| change.kind != "focus" || change.index != index);
    }

    /// The dialog that is open at the end of the action.
    pub fn open_dialog(&self) -> Option<&DialogInfo> {
        self.dialogs
            .iter()
            .rev()
            .find(|dialog| dialog.handled_by.is_none())
    }

    /// The same, with the facts that `data` repeats for every action: the effect's name, the dialog
    /// that is open (or was last answered) and the last download.
    #[must_use]
    pub fn told(mut self) -> Self {
        let dialog = self
            .open_dialog()
            .or(self.dialogs.last())
            .map(|it| json!(it));
        let download = self.downloads.last().map(|it| json!(it));
        let effect = Some(Value::from(self.effect.kind.as_str()));
        for (key, fact) in [
            ("effect", effect),
            ("dialog", dialog),
            ("download", download),
        ] {
            if let Some(fact) = fact {
                self.data.insert(key.to_owned(), fact);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(kind: EffectKind) -> Effect {
        Effect {
            kind,
            ..Effect::default()
        }
    }

    #[test]
    fn the_strongest_effect_counts() {
        let mut outcome = Outcome::sent();
        outcome.saw(effect(EffectKind::Navigation));
        outcome.saw(effect(EffectKind::Page));
        assert_eq!(outcome.effect.kind, EffectKind::Navigation);
        outcome.saw(effect(EffectKind::Download));
        assert_eq!(outcome.effect.kind, EffectKind::Download);
    }

    #[test]
    fn what_was_sent_is_not_safe_to_send_again() {
        assert_eq!(Retry::Safe.after(Delivery::NotSent), Retry::Safe);
        for delivery in [Delivery::Sent, Delivery::Partly, Delivery::Unknown] {
            assert_eq!(Retry::Safe.after(delivery), Retry::Unsafe);
            assert_eq!(Retry::Useless.after(delivery), Retry::Useless);
        }
    }

    #[test]
    fn the_open_dialog_is_the_one_that_nobody_answered() {
        let dialog = |message: &str, handled_by: Option<HandledBy>| DialogInfo {
            dialog_type: "confirm".to_owned(),
            message: message.to_owned(),
            default_value: None,
            accepted: handled_by.map(|_| true),
            handled_by,
        };
        let mut outcome = Outcome::sent();
        outcome
            .dialogs
            .push(dialog("first", Some(HandledBy::Agent)));
        assert_eq!(outcome.open_dialog(), None);
        assert_eq!(outcome.clone().told().data["dialog"]["message"], "first");
        outcome.dialogs.push(dialog("second", None));
        let told = outcome.told();
        assert_eq!(told.data["dialog"]["type"], "confirm");
        assert_eq!(told.data["dialog"]["message"], "second");
        assert_eq!(told.data["effect"], "none");
        let json = serde_json::to_value(&told).unwrap();
        assert_eq!(json["dialogs"][0]["handled_by"], "agent");
        assert_eq!(json["dialogs"][1]["handled_by"], Value::Null);
    }
}
