//! navigate and refresh, and what becomes of a navigation.

use std::time::{Duration, Instant};

use chromiumoxide_cdp::cdp::browser_protocol::page::{NavigateReturns, ReloadParams};
use chromiumoxide_cdp::cdp::js_protocol::runtime::TerminateExecutionParams;
use chromiumoxide_types::Command;
use serde_json::{Value, json};
use tokio::time::{timeout, timeout_at};

use super::super::error::Error;
use super::super::gate;
use super::super::target::Page;
use super::super::target::loading::{Failure, Loading, Progress};
use super::super::text::without_password;
use super::deliver::is_open;
use super::settle::{self, Landing, waits};
use super::{Stage, browser_failed, renderer_crashed};
use crate::model::Outcome;
use crate::model::allowlist::{Denial, DenialRule};
use crate::model::command::{ActionError, ActionErrorKind, Navigate, WaitUntil};
use crate::model::outcome::{Change, Delivery, Effect, EffectKind, Rest, Retry};

/// A download that a navigation led to is told of within this time.
const DOWNLOAD_WITHIN: Duration = Duration::from_millis(300);

/// A page that does not answer a trifle for so long hangs.
const HANGS_AFTER: Duration = Duration::from_secs(2);
/// Scripts of one page that are ended in a row.
const SCRIPTS_ENDED_MAX: usize = 4;
/// Once a script of it was ended, it has so long to answer.
const AGAIN_WITHIN: Duration = Duration::from_millis(250);

pub(super) async fn to(stage: Stage<'_>, params: &Navigate) -> Result<Outcome, ActionError> {
    let url = allowed(stage, &params.url)?;
    let bound = params
        .timeout_ms
        .map_or(stage.navigate_timeout, Duration::from_millis);
    let sent = async { stage.page.navigate(&url).await.map(Some) };
    go_until(stage, bound, &url, params.wait_until, sent).await
}

/// The URL as it is loaded, or why it is not.
pub(super) fn allowed(stage: Stage<'_>, url: &str) -> Result<String, ActionError> {
    let url = stage.gate.url_verdict(url);
    let url = url.map_err(|denial| ActionError::new(kind(&denial), blocked(&denial)))?;
    Ok(url.into())
}

/// Loads a URL that is allowed.
pub(super) async fn load(
    stage: Stage<'_>,
    bound: Duration,
    url: &str,
) -> Result<Outcome, ActionError> {
    let sent = async { stage.page.navigate(url).await.map(Some) };
    go(stage, bound, url, sent).await
}

pub(super) async fn refresh(stage: Stage<'_>) -> Result<Outcome, ActionError> {
    let url = stage.page.loading().url;
    let command = send(stage.page, ReloadParams::default(), "reload the page");
    go(stage, stage.navigate_timeout, &url, command).await
}

/// Asks for a navigation, and waits until it has landed.
pub(super) async fn go(
    stage: Stage<'_>,
    bound: Duration,
    url: &str,
    send: impl Future<Output = Result<Option<NavigateReturns>, Error>>,
) -> Result<Outcome, ActionError> {
    go_until(stage, bound, url, WaitUntil::Settled, send).await
}

async fn go_until(
    stage: Stage<'_>,
    bound: Duration,
    url: &str,
    until: WaitUntil,
    send: impl Future<Output = Result<Option<NavigateReturns>, Error>>,
) -> Result<Outcome, ActionError> {
    let freed = free(stage.page, url).await;
    let mut landed = land(stage, bound, url, until, send).await;
    let outcome = match &mut landed {
        Ok(outcome) => outcome,
        Err(error) => &mut *error.outcome,
    };
    outcome.changes.extend(freed);
    landed
}

async fn land(
    stage: Stage<'_>,
    bound: Duration,
    url: &str,
    until: WaitUntil,
    send: impl Future<Output = Result<Option<NavigateReturns>, Error>>,
) -> Result<Outcome, ActionError> {
    let started = Instant::now();
    let deadline = started + bound;
    let before = stage.page.loading();
    let marks = Marks::of(stage);
    let landed = {
        let mut watch = stage.page.watch_loading();
        let landing = settle::follow(stage.page, &mut watch, &before, deadline);
        let asked = asked(stage.page);
        let enough = far_enough(stage.page, &before, until);
        tokio::pin!(landing, asked, enough, send);
        // The answer to the command may come long after the landing, or only with it.
        tokio::select! {
            biased;
            landed = &mut landing => Came::To(landed),
            () = &mut asked => Came::Asked,
            () = &mut enough => Came::Enough,
            answer = &mut send => match answer.map_err(browser_failed)? {
                Some(answer) if answer.is_download == Some(true) => Came::Download,
                // How it went is told by events as well, which explain more.
                _ => tokio::select! {
                    biased;
                    landed = landing => Came::To(landed),
                    () = asked => Came::Asked,
                    () = enough => Came::Enough,
                },
            }
        }
    };
    let waits_for = match landed {
        Came::To(Landing::Loaded) => quiet(stage, deadline).await,
        Came::To(Landing::WithinDocument) => None,
        // How the page goes on from here is not looked at.
        Came::To(Landing::StillLoading) | Came::Enough => Some(waits::NAVIGATION),
        Came::Asked => Some(waits::DIALOG),
        Came::Download => {
            marks.download(stage).await;
            None
        }
        Came::To(Landing::Failed(failure)) => return Err(sent(explain(stage, &failure))),
        Came::To(Landing::NoDocument) => {
            if !marks.download(stage).await {
                let facts = status_of(&stage.page.loading());
                return Err(sent(no_document(url).context(facts)));
            }
            None
        }
        Came::To(Landing::TimedOut) => {
            stage.page.stop_loading().await;
            let facts = status_of(&stage.page.loading());
            return Err(sent(timed_out(url, bound).context(facts)));
        }
        Came::To(Landing::Crashed) => return Err(sent(renderer_crashed())),
    };
    let rest = Rest {
        reached: waits_for.is_none(),
        waits_for: waits_for.map(str::to_owned),
    };
    Ok(marks.outcome(stage, &before, rest, started.elapsed()))
}

/// Waits, not for long, for what a page that has loaded asks for by itself, and for what it makes of the
/// answers; answers what it still waits for.
async fn quiet(stage: Stage<'_>, deadline: Instant) -> Option<&'static str> {
    let until = deadline.min(Instant::now() + stage.settle_max);
    let mut loading = stage.page.watch_loading();
    if loading.borrow().in_flight == 0 {
        return None;
    }
    let is_quiet = |now: &Loading| now.in_flight == 0 || now.crashed;
    if timeout_at(until.into(), loading.wait_for(is_quiet))
        .await
        .is_err()
    {
        return Some(waits::REQUESTS);
    }
    // What waited for the answer runs before the page's next word.
    if let Some(main) = stage.page.frames().into_iter().next() {
        // A page that is busy for longer is told by what comes next.
        let _ = main.answers_within(AGAIN_WITHIN).await;
    }
    None
}

/// Ends what keeps a page that hangs busy, and says so once the page answers again. The next document of
/// its site comes in the same process, not before the scripts there come to their end; and while it
/// waits for that, Chromium hands nothing to the page, so this comes first.
async fn free(page: &Page, url: &str) -> Option<Change> {
    let now = page.loading().url;
    let is_within = url.contains('#') && url.split('#').next() == now.split('#').next();
    if is_within || !hangs(page, HANGS_AFTER).await {
        return None;
    }
    if page.loading().awaits_document {
        // The document that comes keeps everything from the page; the navigation takes its place.
        page.stop_loading().await;
        if !hangs(page, AGAIN_WITHIN).await {
            return None;
        }
    }
    for _ in 0..SCRIPTS_ENDED_MAX {
        let end = TerminateExecutionParams::default();
        page.session().tell("end a script", &end);
        if !hangs(page, AGAIN_WITHIN).await {
            tracing::info!("the page that is to be left hung: its script was ended");
            return Some(Change {
                kind: "script_ended".to_owned(),
                text: "The page that was to be left hung: its script was ended.".to_owned(),
                index: None,
            });
        }
    }
    tracing::info!("the page that is to be left hangs, and its script cannot be ended");
    None
}

/// Whether a page does not answer within the bound, and not for the sake of a dialog.
async fn hangs(page: &Page, bound: Duration) -> bool {
    let Some(main) = page.frames().into_iter().next() else {
        return false;
    };
    let mut dialogs = page.watch_dialog();
    tokio::select! {
        biased;
        Ok(_) = dialogs.wait_for(is_open) => false,
        answer = main.answers_within(bound) => {
            matches!(answer, Err(Error::Timeout { .. })) && page.dialog().is_none()
        }
    }
}

/// What a navigation came to.
enum Came {
    To(Landing),
    /// The page asks something first.
    Asked,
    /// The document is as far as the caller waits for.
    Enough,
    /// A file came instead of a document.
    Download,
}

/// What was reached before a failure: the navigation itself.
fn sent(error: ActionError) -> ActionError {
    error.delivery(Delivery::Sent)
}

/// Returns when the page asks something by a dialog, such as whether it may be left.
async fn asked(page: &Page) {
    let mut dialog = page.watch_dialog();
    // A page that is gone asks nothing.
    if dialog.wait_for(Option::is_some).await.is_err() {
        std::future::pending().await
    }
}

/// Returns when another document is as far as a caller waits for; never for one who waits for rest.
async fn far_enough(page: &Page, before: &Loading, until: WaitUntil) {
    let wanted = match until {
        WaitUntil::Commit => Progress::Committed,
        WaitUntil::Domcontentloaded => Progress::Parsed,
        WaitUntil::Load => Progress::Loaded,
        WaitUntil::Settled => return std::future::pending().await,
    };
    let mut loading = page.watch_loading();
    let is_there = |now: &Loading| {
        now.committed > before.committed && !now.is_error_page && now.progress >= wanted
    };
    if loading.wait_for(is_there).await.is_err() {
        // A page that is gone comes no further.
        std::future::pending().await
    }
}

/// Where counters stood before the navigation.
#[derive(Debug, Clone, Copy)]
struct Marks {
    dialogs: u64,
    downloads: usize,
}

impl Marks {
    fn of(stage: Stage<'_>) -> Self {
        Self {
            dialogs: stage.page.dialogs_count(),
            downloads: stage.tabs.downloads().count(),
        }
    }

    /// Whether a download has begun, or begins in a moment.
    async fn download(self, stage: Stage<'_>) -> bool {
        let downloads = stage.tabs.downloads();
        let mut changed = downloads.watch();
        let began = changed.wait_for(|_| downloads.count() > self.downloads);
        timeout(DOWNLOAD_WITHIN, began).await.is_ok()
    }

    fn outcome(self, stage: Stage<'_>, before: &Loading, rest: Rest, took: Duration) -> Outcome {
        let after = stage.page.loading();
        let dialogs = stage.page.dialogs_since(self.dialogs);
        let downloads = stage.tabs.downloads().since(self.downloads);
        let navigated = after.committed > before.committed;
        let moved = navigated || after.within_document > before.within_document;
        let kind = if !downloads.is_empty() {
            EffectKind::Download
        } else if stage.page.dialog().is_some() {
            EffectKind::Dialog
        } else if moved {
            EffectKind::Navigation
        } else {
            EffectKind::None
        };
        let mut outcome = Outcome {
            delivery: Delivery::Sent,
            effect: Effect {
                kind,
                verified: Some(true),
                before: Some(without_password(&before.url).into()),
                after: Some(without_password(&after.url).into()),
            },
            retry: Retry::Unsafe,
            ..Outcome::default()
        }
        .with("effect", kind.as_str())
        .with("settled", rest.reached)
        .with("settle_ms", took.as_millis() as u64)
        .with("navigated", navigated);
        if let Some(status) = after.http_status.filter(|_| navigated) {
            outcome = outcome.with("http_status", status);
        }
        if let Some(dialog) = stage.page.dialog() {
            outcome = outcome.with("dialog", json!(dialog.info));
        }
        if let Some(download) = downloads.last() {
            outcome = outcome.with("download", json!(download));
        }
        outcome.rest = Some(rest);
        outcome.dialogs = dialogs;
        outcome.downloads = downloads;
        outcome
    }
}

/// Sends a command that leads to a navigation, of which its answer says nothing.
pub(super) async fn send<C: Command>(
    page: &Page,
    command: C,
    operation: &'static str,
) -> Result<Option<NavigateReturns>, Error> {
    page.session().execute_unbounded(operation, command).await?;
    Ok(None)
}

fn status_of(loading: &Loading) -> Value {
    json!({ "net_error": null, "http_status": loading.http_status })
}

fn no_document(url: &str) -> ActionError {
    let url = without_password(url);
    ActionError::new(
        ActionErrorKind::NavigationFailed,
        format!(
            "{url} did not lead to a page: it is a download or an empty answer. Try another URL."
        ),
    )
}

fn timed_out(url: &str, bound: Duration) -> ActionError {
    let url = without_password(url);
    ActionError::new(
        ActionErrorKind::Timeout,
        format!(
            "{url} did not answer within {} ms. Try again with a larger timeout_ms, or another \
             URL.",
            bound.as_millis()
        ),
    )
}

fn blocked(denial: &Denial) -> String {
    format!("{denial}. {}", denial.hint())
}

fn kind(denial: &Denial) -> ActionErrorKind {
    match denial.rule {
        DenialRule::NotAUrl => ActionErrorKind::InvalidParameter,
        _ => ActionErrorKind::Blocked,
    }
}

/// Names the true cause of a failed load. Behind the gate, Chromium itself only sees a
/// connection that ended.
pub(super) fn explain(stage: Stage<'_>, failure: &Failure) -> ActionError {
    let (kind, message) = why(stage.gate, failure);
    let http_status = stage.page.loading().http_status;
    let facts = json!({ "net_error": failure.error, "http_status": http_status });
    ActionError::new(kind, message).context(facts)
}

/// Why a document could not be loaded, in a sentence.
pub fn why(gate: &gate::Gate, failure: &Failure) -> (ActionErrorKind, String) {
    let Failure { url, error, .. } = failure;
    let shown = without_password(url);
    let host = url::Url::parse(url)
        .ok()
        .and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
    let verdict = host.and_then(|(host, port)| gate.verdict(&host, port));
    match (verdict, error.as_str()) {
        (Some(gate::Outcome::Denied(denial)), _) => (kind(&denial), blocked(&denial)),
        (Some(gate::Outcome::DnsFailed), _) | (None, "net::ERR_NAME_NOT_RESOLVED") => (
            ActionErrorKind::DnsFailed,
            format!("The host name of {shown} could not be found. Check its spelling."),
        ),
        (Some(gate::Outcome::TimedOut), _)
        | (None, "net::ERR_TIMED_OUT" | "net::ERR_CONNECTION_TIMED_OUT") => (
            ActionErrorKind::Timeout,
            format!("The host of {shown} did not accept a connection in time. Try again later."),
        ),
        (_, name) if name.contains("CERT") || name.contains("SSL") => (
            ActionErrorKind::TlsFailed,
            format!("The certificate of {shown} is not trusted. Use another URL."),
        ),
        (Some(gate::Outcome::Refused | gate::Outcome::Reset | gate::Outcome::Unreachable), _) => {
            connection_failed(url)
        }
        (None, name) if name.contains("CONNECTION") || name.contains("EMPTY_RESPONSE") => {
            connection_failed(url)
        }
        (None, "net::ERR_BLOCKED_BY_CLIENT" | "net::ERR_BLOCKED_BY_ADMINISTRATOR") => (
            ActionErrorKind::Blocked,
            format!("{shown} is blocked. Use a URL that the session allows."),
        ),
        (None, "net::ERR_UNSAFE_PORT") => (
            ActionErrorKind::NavigationFailed,
            format!("Browsers never open the port of {shown}. Use another port."),
        ),
        (None, "net::ERR_HTTP_RESPONSE_CODE_FAILURE") => (
            ActionErrorKind::NavigationFailed,
            format!("{shown} answered with an error and without a page. Try another URL."),
        ),
        (None, _) => (
            ActionErrorKind::NavigationFailed,
            format!("{shown} could not be loaded. Check the URL and try again."),
        ),
    }
}

fn connection_failed(url: &str) -> (ActionErrorKind, String) {
    let url = without_password(url);
    let message = format!(
        "The host of {url} refused or broke the connection. Check that it is up, then try again."
    );
    (ActionErrorKind::ConnectionFailed, message)
}
