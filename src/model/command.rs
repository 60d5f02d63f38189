//! What can be asked of a page, and what comes back.
//!
//! Wire form (REQUIREMENTS A12, A149): `{"action_type": string, "params": object}`. [`Command`]
//! is its parsed form; every front door parses by [`Command::parse`], so all accept the same.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::geometry::Point;
use super::likeness::meant;
use super::wait::{Wait, WaitParams};

/// Longest text a single `type` accepts, characters.
pub const TEXT_CHARS_MAX: usize = 100_000;
/// Longest navigation timeout accepted, milliseconds.
pub const TIMEOUT_MS_MAX: u64 = 120_000;
/// Pixels scrolled when the caller names no amount, CSS px.
pub const SCROLL_AMOUNT_DEFAULT: f64 = 500.0;

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

/// Parameters of `new_tab`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTab {
    /// What it shows, as for `navigate`; an empty page without it.
    pub url: Option<String>,
}

/// Parameters of `switch_tab`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchTab {
    /// The tab, as the context names it.
    pub tab: u32,
}

/// Parameters of `close_tab`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseTab {
    /// The tab, as the context names it; without it, the current one.
    pub tab: Option<u32>,
}

/// Parameters of `navigate`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Navigate {
    /// Absolute URL; a bare host gets `https://`.
    pub url: String,
    /// Bound on the whole navigation, milliseconds.
    pub timeout_ms: Option<u64>,
}

/// Where a click goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// An element of the indexed list.
    Index(u32),
    /// A point of the viewport.
    Point(Point),
}

/// Parameters of `click`.
#[derive(Debug, Clone, PartialEq)]
pub struct Click {
    /// The element or point.
    pub target: Target,
    /// Which button.
    pub button: MouseButton,
    /// 1 for a click, 2 for a double click, 3 for a triple click.
    pub count: u8,
}

/// A mouse button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MouseButton {
    /// The primary button.
    #[default]
    Left,
    /// The wheel.
    Middle,
    /// The context-menu button.
    Right,
}

/// Parameters of `type`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Type {
    /// What to type.
    pub text: String,
    /// The element to focus first; without it, whatever has the focus.
    pub index: Option<u32>,
    /// Empty the field first.
    #[serde(default)]
    pub clear: bool,
    /// Press Enter afterwards.
    #[serde(default)]
    pub submit: bool,
}

/// Parameters of `scroll`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scroll {
    /// Which way the view moves.
    pub direction: Direction,
    /// How far, CSS px.
    #[serde(default = "scroll_amount_default")]
    pub amount: f64,
    /// An element inside the scroller that shall move; without it, the page.
    pub index: Option<u32>,
}

fn scroll_amount_default() -> f64 {
    SCROLL_AMOUNT_DEFAULT
}

/// Which way the view moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards the start of the page.
    Up,
    /// Towards its end.
    Down,
    /// Towards the left edge.
    Left,
    /// Towards the right edge.
    Right,
}

impl Direction {
    /// The unit step of the scroll offset in this direction.
    pub const fn unit(self) -> Point {
        match self {
            Self::Up => Point::new(0.0, -1.0),
            Self::Down => Point::new(0.0, 1.0),
            Self::Left => Point::new(-1.0, 0.0),
            Self::Right => Point::new(1.0, 0.0),
        }
    }
}

/// The parameters of `click` as they arrive. `coordinate_x` and `coordinate_y` are documented
/// aliases (DESIGN section 7).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClickParams {
    index: Option<u32>,
    #[serde(alias = "coordinate_x")]
    x: Option<f64>,
    #[serde(alias = "coordinate_y")]
    y: Option<f64>,
    #[serde(default)]
    button: MouseButton,
    count: Option<u8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoParams {}

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
            "wait" => decode(params, &[]).and_then(wait).map(Self::Wait),
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

fn wait(params: WaitParams) -> Result<Wait, ActionError> {
    Wait::checked(params).map_err(|(name, why)| match why {
        Some(why) => invalid(name, &why),
        None => ActionError::new(
            ActionErrorKind::MissingParameter,
            "A wait needs \"seconds\", or \"for\" with a selector, a text, a URL or idle. Send one \
             of them in params.",
        ),
    })
}

fn unknown_action(name: &str) -> ActionError {
    let meant = meant(name, &ACTION_TYPES).map(|meant| format!("Did you mean \"{meant}\"? "));
    let shown: String = name.chars().take(64).collect();
    ActionError::new(
        ActionErrorKind::UnknownAction,
        format!(
            "There is no action \"{shown}\". {}The actions are {}.",
            meant.unwrap_or_default(),
            ACTION_TYPES.join(", ")
        ),
    )
}

fn decode<T: serde::de::DeserializeOwned>(
    params: &Map<String, Value>,
    required: &[&str],
) -> Result<T, ActionError> {
    for name in required {
        if params.get(*name).is_none_or(Value::is_null) {
            return Err(missing(name));
        }
    }
    let whole = match serde_json::from_value(Value::Object(params.clone())) {
        Ok(parsed) => return Ok(parsed),
        Err(error) => error,
    };
    // serde does not say which field is mistyped: leave one out at a time, and the one whose
    // absence, or null in its place, changes the complaint is the culprit.
    let culprit = params.keys().find(|name| {
        let mut without = params.clone();
        without.remove(*name);
        match serde_json::from_value::<T>(Value::Object(without)) {
            Ok(_) => true,
            Err(error) => error.to_string() != whole.to_string(),
        }
    });
    let name = culprit.map_or("params", String::as_str);
    // serde repeats the value, and what is to be typed may be a password.
    let why = match name {
        "text" => "it must be a text".to_owned(),
        _ => whole.to_string(),
    };
    Err(invalid(name, &why))
}

fn missing(name: &str) -> ActionError {
    ActionError::new(
        ActionErrorKind::MissingParameter,
        format!("The parameter \"{name}\" is missing. Send it in params and try again."),
    )
}

fn invalid(name: &str, why: &str) -> ActionError {
    ActionError::new(
        ActionErrorKind::InvalidParameter,
        format!("The parameter \"{name}\" is not valid: {why}. Correct it and try again."),
    )
}

impl Navigate {
    fn checked(self) -> Result<Self, ActionError> {
        if self.url.trim().is_empty() {
            return Err(invalid("url", "it is empty"));
        }
        if self
            .timeout_ms
            .is_some_and(|ms| ms == 0 || ms > TIMEOUT_MS_MAX)
        {
            return Err(invalid(
                "timeout_ms",
                &format!("it must be from 1 to {TIMEOUT_MS_MAX}"),
            ));
        }
        Ok(self)
    }
}

impl NewTab {
    fn checked(self) -> Result<Self, ActionError> {
        if self.url.as_deref().is_some_and(|url| url.trim().is_empty()) {
            return Err(invalid("url", "it is empty; leave it out for an empty tab"));
        }
        Ok(self)
    }
}

impl Click {
    fn checked(params: ClickParams) -> Result<Self, ActionError> {
        let target = match (params.index, params.x, params.y) {
            (Some(index), None, None) => Target::Index(index),
            (None, Some(x), Some(y)) => Target::Point(Point::new(x, y)),
            (None, Some(_), None) => return Err(missing("y")),
            (None, None, Some(_)) => return Err(missing("x")),
            (Some(_), _, _) => {
                return Err(invalid("index", "give either index, or x and y, not both"));
            }
            (None, None, None) => {
                return Err(ActionError::new(
                    ActionErrorKind::MissingParameter,
                    "A click needs \"index\", or \"x\" and \"y\". Send one of them in params.",
                ));
            }
        };
        if let Target::Point(point) = target
            && !(point.x.is_finite() && point.y.is_finite() && point.x >= 0.0 && point.y >= 0.0)
        {
            return Err(invalid(
                "x",
                "a point inside the viewport has x and y of 0 or more",
            ));
        }
        let count = params.count.unwrap_or(1);
        if !(1..=3).contains(&count) {
            return Err(invalid("count", "it must be 1, 2 or 3"));
        }
        Ok(Self {
            target,
            button: params.button,
            count,
        })
    }
}

impl Type {
    fn checked(self) -> Result<Self, ActionError> {
        if self.text.chars().count() > TEXT_CHARS_MAX {
            return Err(invalid(
                "text",
                &format!("it has more than {TEXT_CHARS_MAX} characters"),
            ));
        }
        Ok(self)
    }
}

impl Scroll {
    fn checked(self) -> Result<Self, ActionError> {
        if !(self.amount.is_finite() && self.amount > 0.0 && self.amount <= 100_000.0) {
            return Err(invalid(
                "amount",
                "it must be more than 0 and at most 100000 CSS px",
            ));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(action_type: &str, params: Value) -> Result<Command, ActionError> {
        let Value::Object(params) = params else {
            panic!("params is an object")
        };
        Command::parse(&ActionRequest::new(action_type, params))
    }

    fn check_error(action_type: &str, params: Value, kind: ActionErrorKind, word: &str) {
        let error = parse(action_type, params).expect_err("refused");
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(word), "{error} names {word}");
    }

    #[test]
    fn a_mistyped_text_is_not_repeated() {
        let error = parse("type", json!({"index": 2, "text": 481_516})).expect_err("refused");
        assert!(error.message.contains("\"text\""), "{error}");
        assert!(!error.message.contains("481516"), "{error}");
    }

    #[test]
    fn both_click_forms_and_their_aliases() {
        let by_index = parse("click", json!({"index": 5})).unwrap();
        assert!(matches!(
            by_index,
            Command::Click(Click {
                target: Target::Index(5),
                ..
            })
        ));
        for params in [
            json!({"x": 3, "y": 4.5}),
            json!({"coordinate_x": 3, "coordinate_y": 4.5}),
        ] {
            let Command::Click(click) = parse("click", params).unwrap() else {
                panic!("a click")
            };
            assert_eq!(click.target, Target::Point(Point::new(3.0, 4.5)));
        }
    }

    #[test]
    fn tabs_are_opened_named_and_closed() {
        let empty = parse("new_tab", json!({})).unwrap();
        assert_eq!(empty, Command::NewTab(NewTab { url: None }));
        let switch = parse("switch_tab", json!({"tab": 2})).unwrap();
        assert_eq!(switch, Command::SwitchTab(SwitchTab { tab: 2 }));
        let close = parse("close_tab", json!({})).unwrap();
        assert_eq!(close, Command::CloseTab(CloseTab { tab: None }));
        use ActionErrorKind::{InvalidParameter, MissingParameter};
        check_error("new_tab", json!({"url": " "}), InvalidParameter, "\"url\"");
        check_error("switch_tab", json!({}), MissingParameter, "\"tab\"");
        check_error(
            "switch_tab",
            json!({"tab": "2"}),
            InvalidParameter,
            "\"tab\"",
        );
        check_error("close_tab", json!({"tab": -1}), InvalidParameter, "\"tab\"");
    }

    #[test]
    fn each_mistake_is_named() {
        use ActionErrorKind::{InvalidParameter, MissingParameter, UnknownAction};
        check_error("bogus", json!({}), UnknownAction, "bogus");
        check_error("clik", json!({}), UnknownAction, "\"click\"");
        check_error("click", json!({}), MissingParameter, "index");
        check_error("click", json!({"x": 1}), MissingParameter, "\"y\"");
        check_error(
            "click",
            json!({"index": "five"}),
            InvalidParameter,
            "\"index\"",
        );
        check_error(
            "click",
            json!({"index": 1, "x": 1, "y": 1}),
            InvalidParameter,
            "index",
        );
        check_error(
            "click",
            json!({"index": 1, "count": 9}),
            InvalidParameter,
            "count",
        );
        check_error("navigate", json!({}), MissingParameter, "\"url\"");
        check_error("navigate", json!({"url": 7}), InvalidParameter, "\"url\"");
        check_error(
            "navigate",
            json!({"url": "x", "tmeout": 7}),
            InvalidParameter,
            "tmeout",
        );
        check_error(
            "type",
            json!({"text": "a", "index": -1}),
            InvalidParameter,
            "\"index\"",
        );
        check_error(
            "scroll",
            json!({"direction": "sideways"}),
            InvalidParameter,
            "\"direction\"",
        );
        check_error(
            "wait",
            json!({"seconds": -1}),
            InvalidParameter,
            "\"seconds\"",
        );
        check_error(
            "go_back",
            json!({"steps": 2}),
            InvalidParameter,
            "\"steps\"",
        );
    }
}
