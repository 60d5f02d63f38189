//! To find the element that a selector means, and to act on it.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::handle::SessionHandle;
use super::look::ContextOptions;
use super::request::ActionOrder;
use super::selector::Selector;
use crate::error::Error;
use crate::model::ActionResult;
use crate::model::command::ActionRequest;

/// Bound on a wait that names none, milliseconds.
pub const WAIT_MS: u64 = 10_000;
/// Between two looks of a wait.
pub const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What can be done only to an element that has a number in the list.
const NUMBERED: [&str; 9] = [
    "fill", "type", "press", "select", "check", "uncheck", "focus", "upload", "scroll",
];
/// Longest piece of a selector that a refusal repeats, characters.
const SHOWN_CHARS_MAX: usize = 120;
/// Elements that are numbered to find the one that a selector means.
const LISTED_MAX: u32 = 5_000;
/// Elements that are named where none is what was meant.
const SEEN_MAX: usize = 12;

/// What to do with an element or a point.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Interaction {
    /// `click`, `fill`, `type`, `press`, `hover`, `select`, `check`, `uncheck`, `focus`, `upload`, `drag` or
    /// `scroll`.
    #[schema(example = "click")]
    pub action: String,
    /// A CSS selector: the first element that is shown and matches. Or what a person sees of an element of
    /// the list: `text=Sign in`, `role=button[name="Sign in"]`. It is waited for.
    #[schema(example = "#submit")]
    pub selector: Option<String>,
    /// Bound on the wait for the selector, milliseconds; 10,000 without it.
    #[schema(minimum = 1, maximum = 120_000)]
    pub timeout_ms: Option<u64>,
    /// The action's other parameters, as `POST …/actions` takes them: `index`, or `x` and `y`; `text`,
    /// `value`, `keys`, `files`, `direction`, …
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub params: Map<String, Value>,
}

/// What an interaction comes to.
#[derive(Debug)]
pub enum Meant {
    /// This action, on an element that is there.
    Action(ActionRequest),
    /// The element did not come: this is what came of the wait for it.
    Missing(Box<ActionResult>),
}

impl Interaction {
    /// Finds the element, and answers what is to be done with it.
    pub async fn meant(
        self,
        handle: &SessionHandle,
        cancel: &CancellationToken,
    ) -> Result<Meant, Error> {
        let mut params = self.params;
        if let Some(selector) = self.selector {
            if ["index", "x", "y"]
                .iter()
                .any(|name| params.contains_key(*name))
            {
                return Err(Error::invalid_input("the element came twice")
                    .hint("Send one of selector, index, and x with y."));
            }
            if self.action == "drag" {
                return Err(Error::invalid_input("drag takes no selector")
                    .hint("Send from and to in params, each an index or a point."));
            }
            let shown: String = selector.chars().take(SHOWN_CHARS_MAX).collect();
            let bound = self.timeout_ms.unwrap_or(WAIT_MS);
            let found = find(handle, selector, bound, cancel).await?;
            if !found.success {
                return Ok(Meant::Missing(Box::new(found)));
            }
            let place = place(found.outcome.data.get("found"));
            if !place.contains_key("index") && NUMBERED.contains(&self.action.as_str()) {
                return Err(unlisted(&shown, &self.action));
            }
            params.extend(place);
        } else if self.timeout_ms.is_some() {
            return Err(Error::invalid_input("timeout_ms came without selector")
                .hint("It is the bound on the wait for the selector."));
        }
        Ok(Meant::Action(action(&self.action, params)))
    }
}

/// The action that does it to an element of the list.
pub fn on_index(name: &str, index: Value, mut params: Map<String, Value>) -> ActionRequest {
    params.insert("index".to_owned(), index);
    action(name, params)
}

/// The action that does it.
fn action(name: &str, mut params: Map<String, Value>) -> ActionRequest {
    let action = match name {
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
    ActionRequest::new(action, params)
}

/// Acts on an element.
pub async fn act_on(
    handle: &SessionHandle,
    interaction: Interaction,
    cancel: &CancellationToken,
) -> Result<ActionResult, Error> {
    match interaction.meant(handle, cancel).await? {
        Meant::Action(action) => {
            handle
                .act_on(ActionOrder::new(cancel.clone()), action)
                .await
        }
        Meant::Missing(result) => Ok(*result),
    }
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
    cancel: &CancellationToken,
) -> Result<ActionResult, Error> {
    let meant = Selector::parse(&selector)?;
    if !matches!(meant, Selector::Css(_)) {
        return listed(handle, &meant, &selector, timeout_ms, cancel).await;
    }
    let params = Map::from_iter([
        ("for".to_owned(), json!({ "selector": selector })),
        ("timeout_ms".to_owned(), timeout_ms.into()),
    ]);
    let wait = ActionRequest::new("wait", params);
    let order = || ActionOrder::new(cancel.clone());
    let found = handle.act_on(order(), wait.clone()).await?;
    let what = found.outcome.data.get("found");
    if !found.success || what.is_some_and(|what| what.get("index").is_some()) {
        return Ok(found);
    }
    // An element has a number once the page is listed.
    handle.context(whole_list()).await?;
    handle.act_on(order(), wait).await
}

/// Waits for an element of the list that a selector means.
async fn listed(
    handle: &SessionHandle,
    meant: &Selector,
    selector: &str,
    timeout_ms: u64,
    cancel: &CancellationToken,
) -> Result<ActionResult, Error> {
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    loop {
        let context = handle.context(whole_list()).await?;
        let elements = context.elements.map_or_else(Vec::new, |list| list.elements);
        let found = elements.iter().find(|element| meant.fits(element));
        if let Some(found) = found {
            // An action that does nothing answers as each does.
            let rest = Map::from_iter([("seconds".to_owned(), 0.into())]);
            let order = ActionOrder::new(cancel.clone());
            let rest = ActionRequest::new("wait", rest);
            let mut done = handle.act_on(order, rest).await?;
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

pub(super) fn whole_list() -> ContextOptions {
    ContextOptions {
        elements: true,
        limit: Some(LISTED_MAX),
        boxes: true,
        ..ContextOptions::default()
    }
}

/// Where the element is that a selector means, which is waited for: its index, or its box, CSS px.
pub async fn located(
    handle: &SessionHandle,
    selector: &str,
    timeout_ms: u64,
) -> Result<(Option<u32>, [f64; 4]), Error> {
    let cancel = CancellationToken::new();
    let found = find(handle, selector.to_owned(), timeout_ms, &cancel).await?;
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

/// Why something did not come that was waited for.
pub fn not_met(done: &ActionResult) -> Error {
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
        Some(Kind::HumanInControl) => Error::human_in_control(message),
        Some(Kind::BrowserLost | Kind::RendererCrashed | Kind::Closed) => {
            Error::unavailable(message)
        }
        _ => Error::conflict(message),
    }
}
