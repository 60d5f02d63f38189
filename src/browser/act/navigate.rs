//! navigate, go_back, go_forward and refresh.

use std::time::{Duration, Instant};

use chromiumoxide::cdp::browser_protocol::page::{
    GetNavigationHistoryParams, NavigateToHistoryEntryParams, ReloadParams,
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::error::Error;
use super::super::gate::Outcome;
use super::super::loading::{Failure, Loading};
use super::super::page::{COMMAND_TIMEOUT, Page};
use super::settle::{Landing, Settled, landing};
use super::{Done, Stage, browser_failed, browser_lost};
use crate::model::allowlist::{Denial, DenialRule};
use crate::model::command::{ActionError, ActionErrorKind, Navigate};

pub(super) async fn to(stage: Stage<'_>, params: &Navigate) -> Result<Done, ActionError> {
    let url = allowed(stage, &params.url)?;
    let bound = params
        .timeout_ms
        .map_or(stage.navigate_timeout, Duration::from_millis);
    load(stage, bound, &url).await
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
) -> Result<Done, ActionError> {
    go(stage, bound, url, stage.page.navigate(url)).await
}

pub(super) async fn refresh(stage: Stage<'_>) -> Result<Done, ActionError> {
    let url = stage.page.loading().url;
    let command = send(stage.page, ReloadParams::default(), "reload the page");
    go(stage, stage.navigate_timeout, &url, command).await
}

pub(super) async fn history(stage: Stage<'_>, step: i64) -> Result<Done, ActionError> {
    let history = timeout(
        COMMAND_TIMEOUT,
        stage
            .page
            .cdp()
            .execute(GetNavigationHistoryParams::default()),
    )
    .await
    .map_err(|_| {
        browser_failed(Error::Timeout {
            operation: "read the history",
        })
    })?
    .map_err(|error| browser_failed(Error::command("read the history")(error)))?
    .result;
    let wanted = history.current_index + step;
    let entry = usize::try_from(wanted)
        .ok()
        .and_then(|index| history.entries.get(index));
    // The blank page that every session begins with is not a place to go back to.
    let Some(entry) = entry.filter(|entry| wanted > 0 || entry.url != "about:blank") else {
        let way = if step < 0 { "back" } else { "forward" };
        return Err(ActionError::new(
            ActionErrorKind::NoHistory,
            format!("There is no page to go {way} to. Use navigate with a URL instead."),
        ));
    };
    let command = NavigateToHistoryEntryParams::new(entry.id);
    let command = send(stage.page, command, "move in the history");
    go(stage, stage.navigate_timeout, &entry.url, command).await
}

/// Asks for a navigation, and waits until it has landed.
async fn go(
    stage: Stage<'_>,
    bound: Duration,
    url: &str,
    send: impl Future<Output = Result<(), Error>>,
) -> Result<Done, ActionError> {
    let started = Instant::now();
    let before = stage.page.loading();
    let mut watch = stage.page.watch_loading();
    let landed = {
        let landing = landing(&mut watch, &before, started + bound);
        tokio::pin!(landing, send);
        // The answer to the command may come long after the landing, or only with it.
        tokio::select! {
            biased;
            landed = &mut landing => landed,
            refused = &mut send => match refused {
                Err(error) => return Err(browser_failed(error)),
                Ok(()) => landing.await,
            }
        }
    };
    let after = stage.page.loading();
    let took = started.elapsed();
    let settled = |settled| Settled {
        settled,
        navigated: after.committed > before.committed,
        failure: None,
        took,
        state: None,
    };
    let done = match landed {
        Landing::Loaded | Landing::WithinDocument => Done::settled(settled(true)),
        Landing::StillLoading => Done::settled(settled(false)),
        Landing::Failed(failure) => return Err(explain(stage, &failure)),
        Landing::NoDocument => return Err(no_document(url).context(status_of(&after))),
        Landing::TimedOut => {
            stage.page.stop_loading().await;
            return Err(timed_out(url, bound).context(status_of(&after)));
        }
        Landing::Crashed => return Err(browser_lost()),
    };
    Ok(with_status(done, &after))
}

async fn send<C: chromiumoxide::types::Command>(
    page: &Page,
    command: C,
    operation: &'static str,
) -> Result<(), Error> {
    let answer = timeout(COMMAND_TIMEOUT, page.cdp().execute(command)).await;
    answer
        .map_err(|_| Error::Timeout { operation })?
        .map_err(Error::command(operation))?;
    Ok(())
}

fn with_status(done: Done, loading: &Loading) -> Done {
    match loading.http_status {
        Some(status) => done.with("http_status", status),
        None => done,
    }
}

fn status_of(loading: &Loading) -> Value {
    json!({ "net_error": null, "http_status": loading.http_status })
}

fn no_document(url: &str) -> ActionError {
    ActionError::new(
        ActionErrorKind::NavigationFailed,
        format!(
            "{url} did not lead to a page: it is a download or an empty answer. Try another URL."
        ),
    )
}

fn timed_out(url: &str, bound: Duration) -> ActionError {
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
    let Failure { url, error, .. } = failure;
    let host = url::Url::parse(url)
        .ok()
        .and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
    let verdict = host.and_then(|(host, port)| stage.gate.verdict(&host, port));
    let (kind, message) = match (verdict, error.as_str()) {
        (Some(Outcome::Denied(denial)), _) => (kind(&denial), blocked(&denial)),
        (Some(Outcome::DnsFailed), _) | (None, "net::ERR_NAME_NOT_RESOLVED") => (
            ActionErrorKind::DnsFailed,
            format!("The host name of {url} could not be found. Check its spelling."),
        ),
        (Some(Outcome::TimedOut), _)
        | (None, "net::ERR_TIMED_OUT" | "net::ERR_CONNECTION_TIMED_OUT") => (
            ActionErrorKind::Timeout,
            format!("The host of {url} did not accept a connection in time. Try again later."),
        ),
        (_, name) if name.contains("CERT") || name.contains("SSL") => (
            ActionErrorKind::TlsFailed,
            format!("The certificate of {url} is not trusted. Use another URL."),
        ),
        (Some(Outcome::Refused | Outcome::Reset | Outcome::Unreachable), _) => {
            connection_failed(url)
        }
        (None, name) if name.contains("CONNECTION") || name.contains("EMPTY_RESPONSE") => {
            connection_failed(url)
        }
        (None, "net::ERR_BLOCKED_BY_CLIENT" | "net::ERR_BLOCKED_BY_ADMINISTRATOR") => (
            ActionErrorKind::Blocked,
            format!("{url} is blocked. Use a URL that the session allows."),
        ),
        (None, "net::ERR_UNSAFE_PORT") => (
            ActionErrorKind::NavigationFailed,
            format!("Browsers never open the port of {url}. Use another port."),
        ),
        (None, "net::ERR_HTTP_RESPONSE_CODE_FAILURE") => (
            ActionErrorKind::NavigationFailed,
            format!("{url} answered with an error and without a page. Try another URL."),
        ),
        (None, _) => (
            ActionErrorKind::NavigationFailed,
            format!("{url} could not be loaded. Check the URL and try again."),
        ),
    };
    let http_status = stage.page.loading().http_status;
    let facts = json!({ "net_error": error, "http_status": http_status });
    ActionError::new(kind, message).context(facts)
}

fn connection_failed(url: &str) -> (ActionErrorKind, String) {
    let message = format!(
        "The host of {url} refused or broke the connection. Check that it is up, then try again."
    );
    (ActionErrorKind::ConnectionFailed, message)
}
