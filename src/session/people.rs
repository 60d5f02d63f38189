//! `request_human` and `withdraw_request`: an agent asks for a person, and goes on when they are through.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::wheel::{Invite, Wheel};
use crate::error::{Error, ErrorKind};
use crate::model::command::{ActionError, ActionErrorKind, RequestHuman};
use crate::model::{Delivery, Outcome, Retry, Right};

/// Asks for a person, and answers the link by which one comes.
pub(super) fn ask(
    wheel: &Wheel,
    wanted: &RequestHuman,
    base: Option<&str>,
) -> Result<Outcome, ActionError> {
    let wait = Duration::from_secs(wanted.wait_s);
    let request = wheel.request(&wanted.reason, wait).map_err(failed)?;
    let invite = Invite {
        right: Right::Control,
        life: wait,
        is_one_time: false,
        name: None,
        until: CancellationToken::new(),
    };
    let made = wheel.invite(invite, base).inspect_err(|_| {
        // Nobody could come.
        let _ = wheel.withdraw();
    });
    let made = made.map_err(failed)?;
    Ok(Outcome::default()
        .with("request_id", request.request_id)
        .with("takeover_url", made.url)
        .with("expires_at", made.expires_at))
}

/// Asks for nobody any more.
pub(super) fn withdraw(wheel: &Wheel) -> Result<Outcome, ActionError> {
    wheel
        .withdraw()
        .map(|()| Outcome::default())
        .map_err(failed)
}

fn failed(error: Error) -> ActionError {
    let kind = match error.kind {
        ErrorKind::Exhausted => ActionErrorKind::Exhausted,
        ErrorKind::Conflict => ActionErrorKind::ConditionNotMet,
        _ => ActionErrorKind::Internal,
    };
    let hint = error.hint.as_deref().unwrap_or_default();
    let message = format!("{}. {hint}", error.message);
    ActionError::new(kind, message.trim_end())
        .delivery(Delivery::NotSent)
        .retry(Retry::Safe)
}
