//! One action from its wire form to its result.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::Span;

use super::actor::Asking;
use super::asker::Lending;
use super::expects::{self, Present};
use super::handle::refused;
use super::masking;
use super::people;
use super::queue::Interrupt;
use super::studio::Studio;
use super::wheel::Wheel;
use crate::browser::act::{self, Cues, Stage};
use crate::browser::capture::Easel;
use crate::browser::gate::Gate;
use crate::browser::sight;
use crate::browser::tabs::Tabs;
use crate::browser::target::{Page, PageState};
use crate::config;
use crate::media::cursor::{Cue, Worn};
use crate::model::address::without_password;
use crate::model::command::{ActionError, ActionErrorKind, ActionRequest};
use crate::model::wait::Wait;
use crate::model::{ActionResult, Command, Outcome, Secrets, Sketch};

/// Beyond its own bound no action takes longer than this.
pub(super) const OVERTIME: Duration = Duration::from_secs(30);

/// What an action ends with is asked of the page within this time.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// What the page asks the cursor to look like is told within this time.
const CURSOR_WITHIN: Duration = Duration::from_millis(100);

/// Stands for a text that must not be repeated.
const MASK: &str = "•••";

/// Parameters that may hold a password, or a part of one.
const TEXTS: [&str; 2] = ["text", "keys"];

/// What actions of a session work with.
#[derive(Debug, Clone)]
pub(super) struct Kit {
    pub(super) tabs: Tabs,
    pub(super) gate: std::sync::Arc<Gate>,
    pub(super) studio: Studio,
    /// What is to be drawn over the page for a moment.
    pub(super) sketches: mpsc::Sender<Asking>,
    pub(super) easel: Easel,
    pub(super) config: config::Session,
    /// Where files lie that may be uploaded by path; empty for nowhere.
    pub(super) uploads_dir: std::sync::Arc<std::path::Path>,
    pub(super) secrets: Secrets,
    pub(super) wheel: Wheel,
    /// Most pictures a second.
    pub(super) fps: u32,
    /// Whether the video says who drives.
    pub(super) has_driver_badge: bool,
}

/// Shows cues by the studio; the action waits for the cursor only when somebody watches.
struct StudioCues<'a>(&'a Kit);

impl Cues for StudioCues<'_> {
    fn cue(&self, cue: Cue) -> Option<Instant> {
        let arrival = self.0.studio.cue(Instant::now(), cue);
        self.is_watched().then_some(arrival)
    }

    fn wear(&self, from: Instant, worn: Worn) {
        self.0.studio.wear(from, worn);
    }

    fn is_watched(&self) -> bool {
        self.0.studio.view().borrow().watched
    }

    fn sketch(&self, sketch: BoxFuture<'static, Option<Sketch>>) {
        // What comes while others wait is left out: it is for a moment only.
        let _ = self.0.sketches.try_send(sketch);
    }
}

/// Whom an action is for.
pub(super) struct Client {
    /// What their links hang on.
    pub(super) lending: Lending,
    /// Whether it is the session itself, which opens its page whoever drives.
    pub(super) is_session: bool,
    /// The seat of a person who drives.
    pub(super) seat: Option<String>,
}

/// What came of an action.
pub(super) struct Performed {
    pub(super) result: ActionResult,
    /// The action as it may be repeated to others.
    pub(super) echo: ActionRequest,
}

/// Parses and performs an action, unless it is brought to its end first.
pub(super) async fn perform(
    kit: Kit,
    request: ActionRequest,
    client: Client,
    interrupted: impl Future<Output = Interrupt>,
) -> Performed {
    let started = Instant::now();
    let is_password = OnceLock::new();
    let page = kit.tabs.present().await;
    let outcome = match wanted(&kit, &page, &request, &client) {
        Ok(command) => tokio::select! {
            biased;
            outcome = carry_out(&kit, &page, &command, &client, &is_password) => outcome,
            why = interrupted => {
                if why != Interrupt::Yield && !command.is_passive() {
                    stop_loading(&kit, &page).await;
                }
                Err(cut_short(why))
            }
        },
        Err(error) => Err(error),
    };
    // A field that was listed and is gone may have been one of another document.
    let is_gone = matches!(&outcome, Err(error) if error.kind == ActionErrorKind::StaleElement);
    let known = is_password.into_inner().or(is_gone.then_some(true));
    let mut echo = match may_be_password(&page, &request, known).await {
        true => masked(&request),
        false => echo(&request),
    };
    masking::request(&kit.secrets, &mut echo);
    let (ending, ()) = tokio::join!(ending(&kit), follow_cursor(&kit));
    let Ending {
        url,
        title,
        ready_state,
    } = ending;
    let mut result = match outcome {
        Ok(outcome) => ActionResult {
            action_id: String::new(),
            correction_of: None,
            success: true,
            error: None,
            error_kind: None,
            context: None,
            outcome: outcome.told(),
            duration_ms: 0.0,
            url,
            title,
            ready_state,
        },
        Err(mut error) => {
            let detail = error.context.take();
            let title = title.as_deref();
            let context = context(&echo, &url, title, ready_state.as_deref(), detail);
            error.context = Some(context);
            ActionResult {
                ready_state,
                ..refused(error, &url, title.map(str::to_owned))
            }
        }
    };
    masking::result(&kit.secrets, &mut result);
    if let Some(kind) = result.error_kind {
        let span = Span::current();
        span.record("error.type", kind.as_str());
        span.record("otel.status_code", "ERROR");
    }
    let took = started.elapsed();
    result.duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
    Performed { result, echo }
}

/// What is asked for, unless the page is not the one that it is meant for.
fn wanted(
    kit: &Kit,
    page: &Page,
    request: &ActionRequest,
    client: &Client,
) -> Result<Command, ActionError> {
    let command = Command::parse(request)?;
    if let Some(expects) = &request.expects {
        // Whether the page is that one is told of the page.
        people::must_be_told(&kit.wheel, client.seat.as_deref())?;
        let present = Present {
            // As it was told.
            url: kit.secrets.mask(&page.loading().url).into_owned(),
            tab: page.tab(),
            document: page.document(),
        };
        expects::check(expects, &present)?;
    }
    Ok(command)
}

/// A page that was asked for and is no longer wanted must not arrive later.
async fn stop_loading(kit: &Kit, page: &Page) {
    let current = kit.tabs.current();
    current.stop_loading().await;
    if current.tab() != page.tab() {
        page.stop_loading().await;
    }
}

/// What is said of an action that was brought to its end.
pub(super) fn cut_short(why: Interrupt) -> ActionError {
    let (kind, message) = match why {
        Interrupt::Cancelled => return act::cancelled(),
        Interrupt::Superseded => (
            ActionErrorKind::Cancelled,
            "A newer navigation took the place of the first page.",
        ),
        Interrupt::Overdue => (
            ActionErrorKind::OutcomeUnknown,
            "The action took too long and was given up, and it is not known what it did. Get the page's \
             context and look before doing it again.",
        ),
        Interrupt::Taken => (
            ActionErrorKind::HumanInControl,
            "A person took the wheel while the action was under way, and it is not known what it did. Wait \
             for the control event that says that it is given back, then get the page's context.",
        ),
        Interrupt::Yield => (
            ActionErrorKind::Timeout,
            "The first page is still on its way. It goes on loading while the actions that waited for it \
             are carried out.",
        ),
    };
    ActionError::new(kind, message)
}

/// What lies under the cursor may be another thing now.
async fn follow_cursor(kit: &Kit) {
    let cues = StudioCues(kit);
    let Some(at) = kit.studio.cursor_target().filter(|_| cues.is_watched()) else {
        return;
    };
    let shown = kit.tabs.current();
    if shown.dialog().is_none()
        && let Ok(Some(worn)) = timeout(CURSOR_WITHIN, sight::cursor_at(&shown, at)).await
    {
        cues.wear(Instant::now(), worn);
    }
}

/// What is shown in the end, which may be another tab. What is not known is not made up.
struct Ending {
    url: String,
    title: Option<String>,
    ready_state: Option<String>,
}

async fn ending(kit: &Kit) -> Ending {
    let shown = kit.tabs.present().await;
    // A page that a dialog has stopped says nothing of itself.
    let state: Option<PageState> = match shown.dialog() {
        None => told(shown.latest_state()).await,
        Some(_) => None,
    };
    match state {
        // Chromium's error page stands for the document that could not be loaded.
        Some(state) if !state.is_error_page() => Ending {
            url: state.url,
            title: Some(state.title),
            ready_state: Some(state.ready_state),
        },
        _ => Ending {
            url: shown.loading().url,
            title: None,
            ready_state: None,
        },
    }
}

/// What a page says of itself; nothing when it hangs or is gone, for an action ends all the same.
async fn told<T, E>(asking: impl Future<Output = Result<T, E>>) -> Option<T> {
    let asking = timeout(TOLD_WITHIN, asking);
    asking.await.ok().and_then(Result::ok)
}

/// Whether the text of an action is a password, or was meant for a field that never was found on a
/// page that asks for one.
async fn may_be_password(page: &Page, request: &ActionRequest, known: Option<bool>) -> bool {
    match known {
        Some(is_password) => is_password,
        None if !TEXTS.iter().any(|name| request.params.contains_key(*name)) => false,
        // A page that a dialog has stopped cannot say.
        None if page.dialog().is_some() => true,
        None => {
            let asks = told(sight::asks_for_password(page)).await;
            asks.unwrap_or(true)
        }
    }
}

/// The action without the text that it types.
pub(super) fn masked(request: &ActionRequest) -> ActionRequest {
    let mut masked = echo(request);
    for name in TEXTS {
        if let Some(text) = masked.params.get_mut(name) {
            *text = MASK.into();
        }
    }
    masked
}

/// The action as it is repeated to others: as it was sent, but for the contents of files.
pub(super) fn echo(request: &ActionRequest) -> ActionRequest {
    let mut echo = ActionRequest::new(&request.action_type, request.params.clone());
    // What opens a page is in nothing that is said of it.
    if let Some(Value::String(url)) = echo.params.get_mut("url") {
        *url = without_password(url).into_owned();
    }
    let files = echo.params.get_mut("files").and_then(Value::as_array_mut);
    for file in files.into_iter().flatten().filter_map(Value::as_object_mut) {
        if let Some(data) = file.get_mut("data_base64") {
            *data = MASK.into();
        }
    }
    echo
}

/// Counts an action that has ended, whatever its end.
pub(super) fn count(action_type: &str, result: &ActionResult) {
    let outcome = result
        .error_kind
        .map_or("completed", ActionErrorKind::as_str);
    let action_type = known_type(action_type);
    metrics::counter!("ghostcast_actions_total", "type" => action_type, "outcome" => outcome)
        .increment(1);
    metrics::histogram!("ghostcast_action_seconds", "type" => action_type)
        .record(result.duration_ms / 1e3);
}

async fn carry_out(
    kit: &Kit,
    page: &Page,
    command: &Command,
    client: &Client,
    is_password: &OnceLock<bool>,
) -> Result<Outcome, ActionError> {
    match command {
        Command::RequestHuman(wanted) => return people::ask(&kit.wheel, wanted, &client.lending),
        Command::WithdrawRequest => return people::withdraw(&kit.wheel),
        // Whoever took the wheel a moment ago has it.
        command if !client.is_session => {
            people::must_be_free(&kit.wheel, command, client.seat.as_deref())?
        }
        _ => {}
    }
    let stage = Stage {
        tabs: &kit.tabs,
        page,
        gate: &kit.gate,
        cues: &StudioCues(kit),
        navigate_timeout: kit.config.navigate_timeout(),
        settle_max: kit.config.settle_max(),
        uploads_dir: &kit.uploads_dir,
        secrets: &kit.secrets,
        is_password,
    };
    Box::pin(act::execute(stage, command)).await
}

/// How long an action may take: its own bound and some time beyond it.
pub(super) fn longest(kit: &Kit, request: &ActionRequest) -> Duration {
    let otherwise = kit.config.navigate_timeout();
    let own = match Command::parse(request) {
        Ok(Command::Wait(Wait::Seconds(seconds))) => Duration::from_secs_f64(seconds),
        Ok(Command::Wait(Wait::For { timeout_ms, .. })) => Duration::from_millis(timeout_ms),
        Ok(Command::Navigate(navigate)) => {
            navigate.timeout_ms.map_or(otherwise, Duration::from_millis)
        }
        Ok(_) | Err(_) => otherwise,
    };
    own + OVERTIME
}

/// Whether a target of the action is an index, which means an element of the page that is shown.
pub(super) fn is_of_index(request: &ActionRequest) -> bool {
    let has_index = |params: &serde_json::Map<String, Value>| {
        params.get("index").is_some_and(|index| !index.is_null())
    };
    let ends = ["from", "to"].map(|end| request.params.get(end).and_then(Value::as_object));
    has_index(&request.params) || ends.into_iter().flatten().any(has_index)
}

/// A label of bounded cardinality: callers can send any text.
fn known_type(action_type: &str) -> &'static str {
    crate::model::command::ACTION_TYPES
        .into_iter()
        .find(|known| *known == action_type)
        .unwrap_or("unknown")
}

/// What a corrector needs: what was tried, where, and what the failure itself knows.
pub(super) fn context(
    request: &ActionRequest,
    url: &str,
    title: Option<&str>,
    ready_state: Option<&str>,
    detail: Option<Value>,
) -> Value {
    let mut context = json!({
        "action": request, "url": url, "title": title, "ready_state": ready_state,
    });
    if let (Some(context), Some(Value::Object(detail))) = (context.as_object_mut(), detail) {
        context.extend(detail);
    }
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_found_wherever_it_is_a_target() {
        let is_of_index = |params: Value| {
            let Value::Object(params) = params else {
                panic!("an object")
            };
            is_of_index(&ActionRequest::new("click", params))
        };
        assert!(is_of_index(json!({"index": 3})));
        assert!(is_of_index(
            json!({"from": {"x": 1, "y": 2}, "to": {"index": 4}})
        ));
        assert!(!is_of_index(json!({"x": 1, "y": 2, "index": null})));
        assert!(!is_of_index(json!({"text": "index"})));
    }
}
