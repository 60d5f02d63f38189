//! The messages of the calls that programs make most, and of a cleanup, in the service's own words.

use serde::de::DeserializeOwned;

use super::super::control::{Condition, Navigation};
use super::super::sessions::{CleanedUp, Cleanup};
use super::{convert, proto};
use crate::error::Error;
use crate::session::{Executed, Interaction, Script};

/// Where to go.
pub(super) fn navigation(request: proto::NavigateRequest) -> Result<Navigation, Error> {
    Ok(Navigation {
        url: request.url,
        wait_until: word(
            "wait_until",
            "commit, domcontentloaded, load or settled",
            request.wait_until,
        )?
        .unwrap_or_default(),
        timeout_ms: request.timeout_ms,
    })
}

/// A script to run.
pub(super) fn script(request: proto::ExecuteScriptRequest) -> Result<Script, Error> {
    let args = request.args.map(convert::from_any).transpose()?;
    Ok(Script {
        args: args.unwrap_or_default(),
        timeout_ms: request.timeout_ms,
        frame: request.frame,
        ..Script::new(request.script)
    })
}

/// What it came to.
pub(super) fn executed(executed: Executed) -> proto::ExecuteScriptResponse {
    proto::ExecuteScriptResponse {
        success: executed.success,
        result: Some(convert::to_value(executed.result)),
        r#type: executed.kind,
        error: executed.error.map(|error| proto::ScriptError {
            name: error.name,
            message: error.message,
            stack: error.stack,
        }),
    }
}

/// What to do with an element or a point.
pub(super) fn interaction(request: proto::InteractRequest) -> Result<Interaction, Error> {
    Ok(Interaction {
        action: request.action,
        selector: request.selector,
        timeout_ms: request.timeout_ms,
        params: convert::from_struct(request.params.unwrap_or_default())?,
    })
}

/// What to wait for.
pub(super) fn condition(request: proto::WaitRequest) -> Result<Condition, Error> {
    use proto::wait_request::Condition as Awaited;
    let states = "visible, hidden, attached or detached";
    let mut condition = Condition {
        state: word("state", states, request.state)?.unwrap_or_default(),
        timeout_ms: request.timeout_ms,
        ..Condition::default()
    };
    match request.condition {
        // Nothing to wait for is refused as everywhere.
        None => (),
        Some(Awaited::Selector(selector)) => condition.selector = Some(selector),
        Some(Awaited::Text(text)) => condition.text = Some(text),
        Some(Awaited::Url(url)) => condition.url = Some(url),
        Some(Awaited::LoadState(state)) => {
            let states = "domcontentloaded, load or settled";
            condition.load_state = word("load_state", states, Some(state))?;
        }
        Some(Awaited::Function(function)) => condition.function = Some(function),
        Some(Awaited::Seconds(seconds)) => condition.seconds = Some(seconds),
    }
    Ok(condition)
}

/// Which sessions are old.
pub(super) fn cleanup(request: proto::CleanUpRequest) -> Result<Cleanup, Error> {
    // No age at all would be the age of every session.
    let max_age_hours = request.max_age_hours.ok_or_else(|| {
        Error::invalid_input("max_age_hours is missing")
            .hint("Use 0 or more; 0 means all sessions.")
    })?;
    Ok(Cleanup {
        max_age_hours,
        dry_run: request.dry_run,
        profiles: request.profiles,
    })
}

/// What a cleanup came to.
pub(super) fn cleaned_up(done: CleanedUp) -> proto::CleanUpResponse {
    proto::CleanUpResponse {
        deleted: done.deleted.into_iter().map(convert::session).collect(),
        kept: done.kept as u64,
    }
}

/// One word of a closed set.
fn word<T: DeserializeOwned>(
    field: &str,
    words: &str,
    said: Option<String>,
) -> Result<Option<T>, Error> {
    let parsed = said.map(|said| {
        serde_json::from_value(said.into()).map_err(|error| {
            Error::invalid_input(format!("{field} is not valid"))
                .hint(format!("Use {words}."))
                .source(error)
        })
    });
    parsed.transpose()
}
