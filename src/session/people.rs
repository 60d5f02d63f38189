//! `request_human` and `withdraw_request`: an agent asks for a person, and goes on when they are through.

use std::time::Duration;

use serde_json::json;

use super::asker::Lending;
use super::wheel::{Invite, Wheel};
use crate::error::{Error, ErrorKind};
use crate::model::command::{ActionError, ActionErrorKind, Command, RequestHuman};
use crate::model::{Delivery, Outcome, Retry, Right};

/// A person who has come at the last moment may be at it for so long.
const STAY_MAX: Duration = Duration::from_secs(12 * 3_600);

/// Asks for a person, and answers the link by which one comes.
pub(super) fn ask(
    wheel: &Wheel,
    wanted: &RequestHuman,
    lending: &Lending,
) -> Result<Outcome, ActionError> {
    if !lending.may_lend {
        return Err(ActionError::new(
            ActionErrorKind::Unsupported,
            "A ticket makes no link, and so asks for nobody. Send the token itself.",
        ));
    }
    let wait = Duration::from_secs(wanted.wait_s);
    let until = lending.until.child_token();
    let request = wheel
        .request(&wanted.reason, (wait, wanted.private), until.clone())
        .map_err(failed)?;
    let invite = Invite {
        right: Right::Control,
        // Whoever has come may stay; the link ends with the request.
        life: wait + STAY_MAX,
        is_one_time: false,
        name: None,
        is_private: wanted.private,
        // What was asked for is in memory only.
        maker: None,
        until,
    };
    let made = wheel
        .invite(invite, lending.base.as_deref())
        .inspect_err(|_| {
            // Nobody could come.
            let _ = wheel.withdraw();
        });
    let made = made.map_err(failed)?;
    Ok(Outcome::default()
        .with("request_id", request.request_id)
        .with("takeover_url", made.url)
        .with("expires_at", request.expires_at))
}

/// Whether the agent may act on the page, or the person of this seat.
pub(super) fn must_be_agents(wheel: &Wheel, seat: Option<&str>) -> Result<(), ActionError> {
    let Some((who, since)) = wheel.driver() else {
        return Ok(());
    };
    if seat.is_some_and(|seat| wheel.is_driven_from(seat)) {
        return Ok(());
    }
    let is_private = wheel.private_driver().is_some();
    let reading = match is_private {
        true => "They drive privately, and nothing is told of the page.",
        false => "Reading and waiting go on.",
    };
    let message = format!(
        "{who} has taken the wheel (since {since}): nothing was done. {reading} Wait for the control event that \
         says that it is given back, then get the page's context."
    );
    Err(ActionError::new(ActionErrorKind::HumanInControl, message)
        .delivery(Delivery::NotSent)
        .retry(Retry::Safe)
        .context(json!({ "who": who, "since": since, "private": is_private })))
}

/// Whether an action may be taken: none that reads, where the page is a person's alone.
pub(super) fn must_be_free(
    wheel: &Wheel,
    command: &Command,
    seat: Option<&str>,
) -> Result<(), ActionError> {
    match command {
        Command::RequestHuman(_) | Command::WithdrawRequest => Ok(()),
        command if command.is_passive() && wheel.private_driver().is_none() => Ok(()),
        _ => must_be_agents(wheel, seat),
    }
}

/// Whether something of the page is told to the agent, or to the person of this seat.
pub(super) fn must_be_told(wheel: &Wheel, seat: Option<&str>) -> Result<(), ActionError> {
    match wheel.private_driver() {
        None => Ok(()),
        Some(_) => must_be_agents(wheel, seat),
    }
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
    ActionError::new(kind, error.in_full())
        .delivery(Delivery::NotSent)
        .retry(Retry::Safe)
}
