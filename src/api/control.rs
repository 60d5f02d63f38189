//! REST: one call for each thing that programs do most (REQUIREMENTS B17–B21), over the same actions as
//! everywhere.

use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::Doors;
use super::body::JsonBody;
use super::selector::Selector;
use super::status::ErrorBody;
use crate::error::{Error, ErrorKind};
use crate::model::ActionResult;
use crate::model::command::{ActionRequest, WaitUntil};
use crate::session::{ContextOptions, Executed, Script, SessionHandle};

/// The calls of this module.
pub(super) fn routes() -> Router<Doors> {
    Router::new()
        .route("/sessions/{room_name}/navigate", post(navigate))
        .route("/sessions/{room_name}/execute", post(execute))
        .route("/sessions/{room_name}/interact", post(interact))
        .route("/sessions/{room_name}/wait", post(wait))
}

/// Bound on a wait that names none, milliseconds.
pub(super) const WAIT_MS: u64 = 10_000;
/// What can be done only to an element that has a number in the list.
const NUMBERED: [&str; 9] = [
    "fill", "type", "press", "select", "check", "uncheck", "focus", "upload", "scroll",
];
/// Longest piece of a selector that a refusal repeats, characters.
const SHOWN_CHARS_MAX: usize = 120;
/// Longest wait, milliseconds.
const WAIT_MS_MAX: u64 = 120_000;
/// Elements that are numbered to find the one that a selector means.
const LISTED_MAX: u32 = 5_000;
/// Elements that are named where none is what was meant.
const SEEN_MAX: usize = 12;
/// Between two looks of a wait.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Where to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Navigation {
    /// Absolute URL; a bare host gets `https://`.
    url: String,
    /// What the answer waits for.
    #[serde(default)]
    #[schema(inline)]
    wait_until: WaitUntil,
    /// Bound on the whole, milliseconds.
    #[schema(minimum = 1, maximum = 120_000)]
    timeout_ms: Option<u64>,
}

/// Go to a URL. A page that could not be loaded is a 200 with `success: false` and its `error_kind`.
#[utoipa::path(post, path = "/sessions/{room_name}/navigate", tag = "control",
    params(("room_name" = String, Path, description = "Session id, name or room")),
    request_body = Navigation, responses(
    (status = 200, description = "What came of it", body = ActionResult),
    (status = 400, description = "The body is no navigation", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 429, description = "Too many requests wait for the session", body = ErrorBody),
))]
pub(super) async fn navigate(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    JsonBody(body): JsonBody<Navigation>,
) -> Result<Json<ActionResult>, Error> {
    let mut params = Map::from_iter([
        ("url".to_owned(), Value::from(body.url)),
        ("wait_until".to_owned(), json!(body.wait_until)),
    ]);
    if let Some(timeout_ms) = body.timeout_ms {
        params.insert("timeout_ms".to_owned(), timeout_ms.into());
    }
    let handle = doors.manager.find(&room).await?;
    let done = handle.act(ActionRequest::new("navigate", params)).await?;
    Ok(Json(done))
}

/// Run a script in the current page's own world. One that throws is a 200 with `success: false` and the
/// `error` that it threw.
#[utoipa::path(post, path = "/sessions/{room_name}/execute", tag = "control",
    params(("room_name" = String, Path, description = "Session id, name or room")),
    request_body = Script, responses(
    (status = 200, description = "What it returned or threw", body = Executed),
    (status = 400, description = "The script is empty or too long", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 409, description = "The page has a dialog open", body = ErrorBody),
    (status = 422, description = "The result is larger than 1 MiB, or not one frame is called so", body = ErrorBody),
    (status = 503, description = "The browser is gone", body = ErrorBody),
    (status = 504, description = "The script did not end in time", body = ErrorBody),
))]
pub(super) async fn execute(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    JsonBody(script): JsonBody<Script>,
) -> Result<Json<Executed>, Error> {
    let handle = doors.manager.find(&room).await?;
    handle.execute(&script).await.map(Json)
}

/// What to do with an element or a point.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Interaction {
    /// `click`, `fill`, `type`, `press`, `hover`, `select`, `check`, `uncheck`, `focus`, `upload`, `drag` or
    /// `scroll`.
    #[schema(example = "click")]
    action: String,
    /// A CSS selector: the first element that is shown and matches. Or what a person sees of an element of
    /// the list: `text=Sign in`, `role=button[name="Sign in"]`. It is waited for.
    #[schema(example = "#submit")]
    selector: Option<String>,
    /// Bound on the wait for the selector, milliseconds; 10,000 without it.
    #[schema(minimum = 1, maximum = 120_000)]
    timeout_ms: Option<u64>,
    /// The action's other parameters, as `POST …/actions` takes them: `index`, or `x` and `y`; `text`,
    /// `value`, `keys`, `files`, `direction`, …
    #[serde(flatten)]
    #[schema(value_type = Object)]
    params: Map<String, Value>,
}

/// Act on an element: by a CSS selector, an index of the list, or a point. A failed action is a 200 with
/// `success: false` and its `error_kind`.
#[utoipa::path(post, path = "/sessions/{room_name}/interact", tag = "control",
    params(("room_name" = String, Path, description = "Session id, name or room")),
    request_body = Interaction, responses(
    (status = 200, description = "What came of it", body = ActionResult),
    (status = 400, description = "The body is no interaction", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 422, description = "The selector found something that the action cannot be done to",
        body = ErrorBody),
    (status = 429, description = "Too many requests wait for the session", body = ErrorBody),
    (status = 504, description = "Nothing on the page is what `text=` or `role=` means", body = ErrorBody),
))]
pub(super) async fn interact(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    JsonBody(body): JsonBody<Interaction>,
) -> Result<Json<ActionResult>, Error> {
    let handle = doors.manager.find(&room).await?;
    let mut params = body.params;
    if let Some(selector) = body.selector {
        if ["index", "x", "y"]
            .iter()
            .any(|name| params.contains_key(*name))
        {
            return Err(Error::invalid_input("the element came twice")
                .hint("Send one of selector, index, and x with y."));
        }
        if body.action == "drag" {
            return Err(Error::invalid_input("drag takes no selector")
                .hint("Send from and to in params, each an index or a point."));
        }
        let shown: String = selector.chars().take(SHOWN_CHARS_MAX).collect();
        let found = find(&handle, selector, body.timeout_ms.unwrap_or(WAIT_MS)).await?;
        if !found.success {
            return Ok(Json(found));
        }
        let place = place(found.outcome.data.get("found"));
        if !place.contains_key("index") && NUMBERED.contains(&body.action.as_str()) {
            return Err(unlisted(&shown, &body.action));
        }
        params.extend(place);
    } else if body.timeout_ms.is_some() {
        return Err(Error::invalid_input("timeout_ms came without selector")
            .hint("It is the bound on the wait for the selector."));
    }
    let action = match body.action.as_str() {
        "fill" => {
            params.insert("clear".to_owned(), true.into());
            "type"
        }
        "uncheck" => {
            params.insert("checked".to_owned(), false.into());
            "check"
        }
        other => other,
    };
    if action == "type"
        && let Some(value) = params.remove("value")
    {
        params.insert("text".to_owned(), value);
    }
    let done = handle.act(ActionRequest::new(action, params)).await?;
    Ok(Json(done))
}

/// What a selector found is nothing that the action can be done to.
fn unlisted(selector: &str, action: &str) -> Error {
    Error::unprocessable(format!(
        "the selector \"{selector}\" found an element, but none that people use: {action} cannot be done to it"
    ))
    .hint(
        "Name the field, button, switch or link itself, as the list of elements has it; click and hover \
         take any element.",
    )
}

/// Waits for the element that a selector means, and sees to it that it has a number.
async fn find(
    handle: &SessionHandle,
    selector: String,
    timeout_ms: u64,
) -> Result<ActionResult, Error> {
    let meant = Selector::parse(&selector)?;
    if !matches!(meant, Selector::Css(_)) {
        return listed(handle, &meant, &selector, timeout_ms).await;
    }
    let params = Map::from_iter([
        ("for".to_owned(), json!({ "selector": selector })),
        ("timeout_ms".to_owned(), timeout_ms.into()),
    ]);
    let wait = ActionRequest::new("wait", params);
    let found = handle.act(wait.clone()).await?;
    let what = found.outcome.data.get("found");
    if !found.success || what.is_some_and(|what| what.get("index").is_some()) {
        return Ok(found);
    }
    // An element has a number once the page is listed.
    handle.context(whole_list()).await?;
    handle.act(wait).await
}

/// Waits for an element of the list that a selector means.
async fn listed(
    handle: &SessionHandle,
    meant: &Selector,
    selector: &str,
    timeout_ms: u64,
) -> Result<ActionResult, Error> {
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    loop {
        let context = handle.context(whole_list()).await?;
        let elements = context.elements.map_or_else(Vec::new, |list| list.elements);
        let found = elements.iter().find(|element| meant.fits(element));
        if let Some(found) = found {
            // An action that does nothing answers as each does.
            let rest = Map::from_iter([("seconds".to_owned(), 0.into())]);
            let mut done = handle.act(ActionRequest::new("wait", rest)).await?;
            let data = &mut done.outcome.data;
            data.insert("found".to_owned(), found.clone());
            return Ok(done);
        }
        if Instant::now() + LOOK_EVERY >= deadline {
            let seen = elements.iter().filter_map(|element| {
                let field = |name: &str| element.get(name).and_then(Value::as_str);
                Some(format!("{} \"{}\"", field("role")?, field("name")?))
            });
            let seen: Vec<String> = seen.take(SEEN_MAX).collect();
            return Err(Error::timeout(format!(
                "nothing on the page is {selector} within {timeout_ms} ms; seen: {}",
                seen.join(", ")
            ))
            .hint("Look at the list of elements, or use a CSS selector."));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn whole_list() -> ContextOptions {
    ContextOptions {
        elements: true,
        limit: Some(LISTED_MAX),
        boxes: true,
        ..ContextOptions::default()
    }
}

/// Where the element is that a selector means, which is waited for: its index, or its box, CSS px.
pub(super) async fn located(
    handle: &SessionHandle,
    selector: &str,
    timeout_ms: u64,
) -> Result<(Option<u32>, [f64; 4]), Error> {
    let found = find(handle, selector.to_owned(), timeout_ms).await?;
    if !found.success {
        return Err(not_met(&found));
    }
    let what = found.outcome.data.get("found");
    let index = what.and_then(|found| u32::try_from(found.get("index")?.as_u64()?).ok());
    let side = |name: &str| {
        let side = what.and_then(|found| found.get("box")?.get(name)?.as_f64());
        side.unwrap_or_default()
    };
    Ok((index, ["x", "y", "width", "height"].map(side)))
}

/// Where an element is that was found: its index, or the middle of its box where it has none.
fn place(found: Option<&Value>) -> Map<String, Value> {
    let field = |name: &str| found.and_then(|found| found.get(name));
    if let Some(index) = field("index") {
        return Map::from_iter([("index".to_owned(), index.clone())]);
    }
    let side = |name: &str| field("box").and_then(|area| area.get(name)?.as_f64());
    let middle = |start: &str, length: &str| Some(side(start)? + side(length)? / 2.0);
    let (x, y) = (middle("x", "width"), middle("y", "height"));
    match (x, y) {
        (Some(x), Some(y)) => {
            Map::from_iter([("x".to_owned(), x.into()), ("y".to_owned(), y.into())])
        }
        _ => Map::new(),
    }
}

/// What to wait for; exactly one of `selector`, `text`, `url`, `load_state`, `function` and `seconds`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Condition {
    /// A CSS selector, with `state`.
    selector: Option<String>,
    /// What the element has to be.
    #[serde(default)]
    #[schema(inline)]
    state: ElementState,
    /// A text that the page shows, in whatever case and spacing.
    text: Option<String>,
    /// What the page's URL is like, where `*` stands for anything.
    url: Option<String>,
    /// How far the page is.
    #[schema(inline)]
    load_state: Option<LoadState>,
    /// An expression in the page's own world that becomes true.
    function: Option<String>,
    /// Time that passes.
    seconds: Option<f64>,
    /// Bound on it, milliseconds; 10,000 without it.
    #[schema(minimum = 1, maximum = 120_000)]
    timeout_ms: Option<u64>,
}

/// What an element has to be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ElementState {
    /// Shown.
    #[default]
    Visible,
    /// Not shown, or not there.
    Hidden,
    /// In the page's own document.
    Attached,
    /// Not in the page's own document.
    Detached,
}

/// How far a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LoadState {
    /// Its document is there and read.
    Domcontentloaded,
    /// All that it loads by itself is there.
    Load,
    /// Nothing loads and nothing changes.
    Settled,
}

/// How long a wait took.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Waited {
    /// Milliseconds.
    waited_ms: u64,
}

/// Wait until something is so.
#[utoipa::path(post, path = "/sessions/{room_name}/wait", tag = "control",
    params(("room_name" = String, Path, description = "Session id, name or room")),
    request_body = Condition, responses(
    (status = 200, description = "It is so", body = Waited),
    (status = 400, description = "The body is no condition", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 504, description = "It did not come in time; the message says what is there instead",
        body = ErrorBody),
))]
pub(super) async fn wait(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    JsonBody(condition): JsonBody<Condition>,
) -> Result<Json<Waited>, Error> {
    let bound = condition.timeout_ms.unwrap_or(WAIT_MS);
    if !(1..=WAIT_MS_MAX).contains(&bound) {
        return Err(Error::invalid_input("timeout_ms is out of range")
            .hint(format!("Use 1 to {WAIT_MS_MAX}.")));
    }
    let way = condition.way()?;
    let handle = doors.manager.find(&room).await?;
    let started = Instant::now();
    match way {
        Way::Action(mut params) => {
            if !params.contains_key("seconds") {
                params.insert("timeout_ms".to_owned(), bound.into());
            }
            let done = handle.act(ActionRequest::new("wait", params)).await?;
            if !done.success {
                return Err(not_met(&done));
            }
        }
        Way::Script(script) => until(&handle, script, Duration::from_millis(bound)).await?,
    }
    let waited_ms = started.elapsed().as_millis() as u64;
    Ok(Json(Waited { waited_ms }))
}

/// How something is waited for.
enum Way {
    /// By the action, in all frames.
    Action(Map<String, Value>),
    /// By an expression in the page.
    Script(String),
}

impl Condition {
    fn way(self) -> Result<Way, Error> {
        let state = self.state;
        let awaited = |what: &str, value: Value| {
            let what = Map::from_iter([(what.to_owned(), value)]);
            Way::Action(Map::from_iter([("for".to_owned(), Value::Object(what))]))
        };
        let ready = |is_it: &str| Way::Script(format!("document.readyState {is_it}"));
        let ways = [
            self.selector.map(|selector| match state {
                ElementState::Visible => awaited("selector", selector.into()),
                other => Way::Script(other.script(&selector)),
            }),
            self.text.map(|text| awaited("text", text.into())),
            self.url.map(|url| awaited("url", url.into())),
            self.load_state.map(|state| match state {
                LoadState::Domcontentloaded => ready("!== 'loading'"),
                LoadState::Load => ready("=== 'complete'"),
                LoadState::Settled => awaited("idle", true.into()),
            }),
            self.function.map(Way::Script),
            self.seconds.map(|seconds| {
                Way::Action(Map::from_iter([("seconds".to_owned(), seconds.into())]))
            }),
        ];
        let mut ways = ways.into_iter().flatten();
        match (ways.next(), ways.next()) {
            (Some(way), None) => Ok(way),
            (None, _) => Err(Error::invalid_input("there is nothing to wait for")
                .hint("Send one of selector, text, url, load_state, function and seconds.")),
            (Some(_), Some(_)) => Err(Error::invalid_input("several things came to wait for")
                .hint("Send one of selector, text, url, load_state, function and seconds.")),
        }
    }
}

impl ElementState {
    /// Whether it is so, as an expression in the page.
    fn script(self, selector: &str) -> String {
        let selector = Value::from(selector);
        let all = format!("[...document.querySelectorAll({selector})]");
        match self {
            Self::Attached => format!("{all}.length > 0"),
            Self::Detached => format!("{all}.length === 0"),
            Self::Visible | Self::Hidden => format!(
                "{all}.every((el) => !el.checkVisibility({{ visibilityProperty: true }}) || \
                 !el.getClientRects().length)"
            ),
        }
    }
}

/// Looks again and again whether an expression is true.
async fn until(handle: &SessionHandle, expression: String, bound: Duration) -> Result<(), Error> {
    let deadline = Instant::now() + bound;
    loop {
        let left = deadline
            .saturating_duration_since(Instant::now())
            .as_millis() as u64;
        let script = Script {
            timeout_ms: Some(left.max(1)),
            ..Script::new(expression.clone())
        };
        let seen = match handle.execute(&script).await {
            Ok(seen) => seen,
            // A page that goes elsewhere meanwhile is looked at again when it is there.
            Err(error)
                if error.kind == ErrorKind::Unavailable
                    && !handle.record().state.is_dead()
                    && Instant::now() + LOOK_EVERY < deadline =>
            {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(thrown) = seen
            .error
            .as_ref()
            .filter(|error| error.name == "SyntaxError")
        {
            return Err(Error::invalid_input(format!(
                "what to wait for is not valid: {}",
                thrown.message
            ))
            .hint("Send a CSS selector, or an expression of JavaScript."));
        }
        let is_so = match &seen.result {
            Value::Null => false,
            Value::Bool(is) => *is,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(_) | Value::Object(_) => true,
        };
        if seen.success && is_so {
            return Ok(());
        }
        if Instant::now() + LOOK_EVERY >= deadline {
            let last = match seen.error {
                Some(error) => format!("it threw {}: {}", error.name, error.message),
                None => format!("seen last: {}", seen.result),
            };
            return Err(Error::timeout(format!(
                "it was not so within {} ms; {last}",
                bound.as_millis()
            ))
            .hint("Look at what is there instead, or wait longer with timeout_ms."));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn not_met(done: &ActionResult) -> Error {
    use crate::model::command::ActionErrorKind as Kind;
    let message = done.error.clone().unwrap_or_default();
    let seen = done
        .context
        .as_ref()
        .and_then(|context| context.get("seen"));
    let message = match seen {
        Some(seen) => format!("{message} Seen: {seen}"),
        None => message,
    };
    match done.error_kind {
        Some(Kind::InvalidParameter | Kind::MissingParameter) => Error::invalid_input(message),
        Some(Kind::ConditionNotMet) => Error::timeout(message),
        Some(Kind::BrowserLost | Kind::RendererCrashed | Kind::Closed) => {
            Error::unavailable(message)
        }
        _ => Error::conflict(message),
    }
}
