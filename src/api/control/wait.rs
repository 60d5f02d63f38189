//! To wait until something is so.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::WAIT_MS_MAX;
use crate::error::{Error, ErrorKind};
use crate::model::command::ActionRequest;
use crate::session::{ActionOrder, LOOK_EVERY, Script, SessionHandle, WAIT_MS, not_met};

/// What to wait for; exactly one of `selector`, `text`, `url`, `load_state`, `function` and `seconds`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Condition {
    /// A CSS selector, with `state`.
    pub(in super::super) selector: Option<String>,
    /// What the element has to be.
    #[serde(default)]
    #[schema(inline)]
    pub(in super::super) state: ElementState,
    /// A text that the page shows, in whatever case and spacing.
    pub(in super::super) text: Option<String>,
    /// What the page's URL is like, where `*` stands for anything.
    pub(in super::super) url: Option<String>,
    /// How far the page is.
    #[schema(inline)]
    pub(in super::super) load_state: Option<LoadState>,
    /// An expression in the page's own world that becomes true.
    pub(in super::super) function: Option<String>,
    /// Time that passes.
    pub(in super::super) seconds: Option<f64>,
    /// Bound on it, milliseconds; 10,000 without it.
    #[schema(minimum = 1, maximum = 120_000)]
    pub(in super::super) timeout_ms: Option<u64>,
}

/// What an element has to be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum ElementState {
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
pub(in super::super) enum LoadState {
    /// Its document is there and read.
    Domcontentloaded,
    /// All that it loads by itself is there.
    Load,
    /// Nothing loads and nothing changes.
    Settled,
}

/// How long a wait took.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct Waited {
    /// Milliseconds.
    pub(in super::super) waited_ms: u64,
}

/// Waits until something is so.
pub(in super::super) async fn until_so(
    handle: &SessionHandle,
    condition: Condition,
    cancel: &CancellationToken,
) -> Result<Waited, Error> {
    let bound = condition.timeout_ms.unwrap_or(WAIT_MS);
    if !(1..=WAIT_MS_MAX).contains(&bound) {
        return Err(Error::invalid_input("timeout_ms is out of range")
            .hint(format!("Use 1 to {WAIT_MS_MAX}.")));
    }
    let way = condition.way()?;
    let started = Instant::now();
    match way {
        Way::Action(mut params) => {
            if !params.contains_key("seconds") {
                params.insert("timeout_ms".to_owned(), bound.into());
            }
            let action = ActionRequest::new("wait", params);
            let done = handle
                .act_on(ActionOrder::new(cancel.clone()), action)
                .await?;
            if !done.success {
                return Err(not_met(&done));
            }
        }
        Way::Script(script) => until(handle, script, Duration::from_millis(bound)).await?,
    }
    let waited_ms = started.elapsed().as_millis() as u64;
    Ok(Waited { waited_ms })
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
