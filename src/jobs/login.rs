//! Whether a platform shows that somebody is logged in.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::config::Platform;
use crate::error::ErrorKind;
use crate::model::command::{ActionErrorKind, ActionRequest};
use crate::model::{ActionResult, JobError, JobErrorKind, Seen};
use crate::session::{Script, SessionHandle};

/// What shows a login is waited for so long, once the page has loaded.
const MARKER_MAX: Duration = Duration::from_secs(10);
/// A login that is asked for is believed when it still is after this time: pages that are being built show it
/// for a moment.
const LOGIN_PAGE_STAYS: Duration = Duration::from_millis(700);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Bound on one look.
const LOOK_MAX_MS: u64 = 2_000;

/// Which of two selectors is shown. One that is no selector is told as an error of the script.
const SHOWN: &str = "
    const shown = (selector) => selector !== '' && [...document.querySelectorAll(selector)]
        .some((it) => it.checkVisibility ? it.checkVisibility() : it.getClientRects().length > 0);
    return {in: shown(args.logged_in), challenge: shown(args.challenge), out: shown(args.login_page), text: args.slow_down !== ''
        && (document.body?.innerText ?? '').toLowerCase().includes(args.slow_down)};
";

/// What a page shows of a login.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shown {
    is_in: bool,
    is_out: bool,
    is_slow: bool,
    is_challenge: bool,
}

/// Goes to a page of a platform, which must not ask for fewer requests.
pub(super) async fn go(
    handle: &SessionHandle,
    url: &str,
    platform: &Platform,
) -> Result<(), JobError> {
    let params = Map::from_iter([
        ("url".to_owned(), Value::from(url)),
        ("wait_until".to_owned(), "load".into()),
    ]);
    let went = handle.act(ActionRequest::new("navigate", params)).await?;
    let is_blocked = went.error_kind == Some(ActionErrorKind::Blocked);
    let went = succeeded(went).map_err(|error| match is_blocked {
        true => JobError {
            message: format!(
                "{} The list is allowed_domains of the platform {}.",
                error.message, platform.label
            ),
            ..error
        },
        false => error,
    })?;
    if went.outcome.data.get("http_status") == Some(&json!(429)) {
        return Err(slow_down(platform));
    }
    if platform.slow_down.is_empty() {
        return Ok(());
    }
    match look(handle, platform).await {
        Ok(Shown { is_slow: true, .. }) => Err(slow_down(platform)),
        // What cannot be looked at is found out by what comes next.
        _ => Ok(()),
    }
}

fn slow_down(platform: &Platform) -> JobError {
    JobError {
        kind: JobErrorKind::RateLimited,
        message: format!("{} wants fewer requests.", platform.label),
    }
}

/// Visits a platform and sees whether somebody is logged in.
pub(super) async fn visit(handle: &SessionHandle, platform: &Platform) -> Result<Seen, JobError> {
    go(handle, &platform.url, platform).await?;
    watch(handle, platform).await
}

/// What the page that is there shows of a login, which is waited for.
pub(super) async fn watch(handle: &SessionHandle, platform: &Platform) -> Result<Seen, JobError> {
    let deadline = Instant::now() + MARKER_MAX;
    let mut out_since = None;
    loop {
        let shown = look(handle, platform).await?;
        let now = Instant::now();
        if shown.is_in {
            return Ok(Seen::LoggedIn);
        }
        out_since = shown.is_out.then(|| out_since.unwrap_or(now));
        if out_since.is_some_and(|since| now - since >= LOGIN_PAGE_STAYS) {
            return Ok(Seen::LoginPage);
        }
        if now >= deadline {
            return Ok(Seen::Neither);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether a login is asked for on the page that is there, now.
pub(super) async fn is_asked_for(handle: &SessionHandle, platform: &Platform) -> bool {
    let asked = async || {
        let shown = look(handle, platform).await;
        shown.is_ok_and(|shown| shown.is_out && !shown.is_in)
    };
    if platform.login_page.is_empty() || !asked().await {
        return false;
    }
    tokio::time::sleep(LOGIN_PAGE_STAYS).await;
    asked().await
}

/// Whether the page that is there shows what only a person passes.
pub(super) async fn is_challenged(handle: &SessionHandle, platform: &Platform) -> bool {
    if platform.challenge.is_empty() {
        return false;
    }
    let shown = look(handle, platform).await;
    shown.is_ok_and(|shown| shown.is_challenge)
}

/// Whether one of these selectors is shown on the page that is there, within that time.
pub(super) async fn is_shown(
    handle: &SessionHandle,
    selectors: Vec<String>,
    patience: Duration,
) -> Result<bool, JobError> {
    // What is looked for in the place of a challenge is found by the same look.
    let marker = Platform {
        challenge: selectors.join(", "),
        ..Platform::default()
    };
    let deadline = Instant::now() + patience;
    loop {
        if look(handle, &marker).await?.is_challenge {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn look(handle: &SessionHandle, platform: &Platform) -> Result<Shown, JobError> {
    let mut script = Script::new(SHOWN.to_owned());
    script.args = json!({
        "logged_in": platform.logged_in,
        "login_page": platform.login_page,
        "challenge": platform.challenge,
        "slow_down": platform.slow_down.to_lowercase(),
    });
    script.timeout_ms = Some(LOOK_MAX_MS);
    let looked = match handle.execute(&script).await {
        Ok(looked) => looked,
        // The next look may find another document.
        Err(error) if error.kind == ErrorKind::Timeout => return Ok(Shown::default()),
        Err(error) => return Err(error.into()),
    };
    if let Some(error) = looked.error {
        // A document that is being replaced throws too; a selector that is none does so at every look.
        return match error.name.as_str() {
            "SyntaxError" => Err(JobError {
                kind: JobErrorKind::InvalidInput,
                message: format!(
                    "The platform's settings hold no selector: {}",
                    error.message
                ),
            }),
            _ => Ok(Shown::default()),
        };
    }
    let is = |name: &str| looked.result.get(name) == Some(&Value::Bool(true));
    Ok(Shown {
        is_in: is("in"),
        is_out: is("out"),
        is_slow: is("text"),
        is_challenge: is("challenge"),
    })
}

/// Acts on the page; a failed action is the job's error.
pub(super) async fn act(
    handle: &SessionHandle,
    action: ActionRequest,
) -> Result<ActionResult, JobError> {
    succeeded(handle.act(action).await?)
}

/// A failed action is the job's error.
pub(super) fn succeeded(done: ActionResult) -> Result<ActionResult, JobError> {
    use ActionErrorKind as Kind;
    if done.success {
        return Ok(done);
    }
    let kind = match done.error_kind {
        Some(Kind::HumanInControl) => JobErrorKind::HumanInControl,
        Some(
            Kind::ConditionNotMet
            | Kind::StaleElement
            | Kind::ElementNotFound
            | Kind::ElementNotVisible
            | Kind::ElementNotEditable
            | Kind::OptionNotFound,
        ) => JobErrorKind::SelectorChanged,
        Some(Kind::Timeout | Kind::OutcomeUnknown | Kind::PageUnresponsive) => {
            JobErrorKind::Timeout
        }
        Some(
            Kind::InvalidParameter
            | Kind::MissingParameter
            | Kind::UnknownSecret
            | Kind::Blocked
            | Kind::Unsupported,
        ) => JobErrorKind::InvalidInput,
        _ => JobErrorKind::Unavailable,
    };
    Err(JobError {
        kind,
        message: done
            .error
            .unwrap_or_else(|| "The action failed.".to_owned()),
    })
}
