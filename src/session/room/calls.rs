//! What can be called from the room.

use std::time::Duration;

use futures::FutureExt;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::asker::{Asker, Door as Way, Lending};
use super::super::handle::{SessionHandle, closed};
use super::super::request::ActionOrder;
use super::{CALLS_MAX, Call, Door, name};
use crate::error::{Error, ErrorKind};
use crate::livekit::Participant;
use crate::livekit::data::{RpcError, Told};
use crate::model::ActionResult;
use crate::model::command::{ActionErrorKind, ActionRequest, TIMEOUT_MS_MAX};

/// Kept of a caller's patience for the way back.
const WAY_BACK: Duration = Duration::from_millis(500);
/// The least that is taken for a caller's patience.
const PATIENCE_MIN: Duration = Duration::from_secs(1);
/// The action that waits for what a page says of itself.
const NAVIGATE: &str = "navigate";

/// What can be called: in our words, and in those of LiveKit's browser plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Take,
    Release,
    Input,
    /// What an action of this name does.
    Act(&'static str),
}

impl Method {
    fn parse(name: &str) -> Option<Self> {
        let method = match name.strip_prefix("browser/")? {
            "take" | "request-focus" => Self::Take,
            "release" | "release-focus" => Self::Release,
            "send-input" => Self::Input,
            "navigate" => Self::Act(NAVIGATE),
            "go-back" => Self::Act("go_back"),
            "go-forward" => Self::Act("go_forward"),
            "refresh" => Self::Act("refresh"),
            _ => return None,
        };
        Some(method)
    }
}

/// How the wheel is taken.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Take {
    /// From another person too.
    force: bool,
}

/// How it is given back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Release {
    /// Whether what the agent asked for is done.
    done: bool,
}

impl Default for Release {
    fn default() -> Self {
        Self { done: true }
    }
}

/// What comes of a call: its answer, or the wait for it.
enum Called {
    Now(String),
    Later(futures::future::BoxFuture<'static, Result<String, Error>>),
}

impl Door {
    /// Takes a call, and answers it now or later.
    pub(super) fn call(&mut self, from: String, call: Call) {
        let Call {
            id,
            method,
            payload,
            patience,
        } = call;
        let called = match Method::parse(&method) {
            Some(method) => self.carry_out(&from, method, &payload, patience),
            None => {
                let error = RpcError {
                    code: RpcError::UNSUPPORTED_METHOD,
                    message: "Method not supported at destination".to_owned(),
                };
                return self.answer(from, id, Err(error));
            }
        };
        match called {
            Ok(Called::Now(answer)) => self.answer(from, id, Ok(answer)),
            Err(error) => self.answer(from, id, Err(told(&error))),
            Ok(Called::Later(answer)) => {
                let patience = patience.saturating_sub(WAY_BACK).max(PATIENCE_MIN);
                let later = async move {
                    let answer = timeout(patience, answer).await.unwrap_or_else(|_| {
                        Err(Error::timeout("it has not ended in time, and goes on")
                            .hint("Watch the page, or wait longer."))
                    });
                    let answer = answer.map_err(|error| told(&error));
                    Told::Answer {
                        to: from,
                        id,
                        answer,
                    }
                };
                self.answers.push(later.boxed());
            }
        }
    }

    fn carry_out(
        &mut self,
        from: &str,
        method: Method,
        payload: &str,
        patience: Duration,
    ) -> Result<Called, Error> {
        let participant = self.must_be_permitted(from)?;
        if self.answers.len() >= CALLS_MAX {
            return Err(Error::exhausted("too many calls wait for their answers")
                .hint("Wait for those that are under way."));
        }
        match method {
            Method::Take => self.take(&participant, parsed(payload)?),
            Method::Release => Ok(self.release(from, &parsed(payload)?)),
            Method::Input => {
                let (caller, done) = oneshot::channel();
                self.input(from, payload.as_bytes(), Some(caller))?;
                let done = async move {
                    let done = done.await.map_err(|_| taken())??;
                    Ok(json!({ "status": "ok", "done": done }).to_string())
                };
                Ok(Called::Later(done.boxed()))
            }
            Method::Act(action) => {
                let mut params: Map<String, Value> = parsed(payload)?;
                if action == NAVIGATE && !params.contains_key("timeout_ms") {
                    // What the page says of itself comes before the caller hears nothing more.
                    let bound = patience.saturating_sub(2 * WAY_BACK).max(PATIENCE_MIN);
                    let bound = (bound.as_millis() as u64).min(TIMEOUT_MS_MAX);
                    params.insert("timeout_ms".to_owned(), bound.into());
                }
                self.act(from, ActionRequest::new(action, params))
            }
        }
    }

    /// Gives the wheel to whoever may have it, and is answered when they can use it.
    fn take(&mut self, participant: &Participant, how: Take) -> Result<Called, Error> {
        let from = participant.identity.as_str();
        // Who would be refused does not sit down; the taking looks at it once more.
        self.wheel().must_be_open_to_room()?;
        let seated = self.wheel().sit_from_room(from, &name(participant))?;
        if let Err(error) = seated.take_in_room(how.force) {
            if error.kind == ErrorKind::Forbidden {
                return Err(error);
            }
            let holder = self.wheel().driver_as_told();
            let holder = holder.map(|(identity, who)| identity.unwrap_or(who));
            let answer = json!({ "granted": false, "holder": holder });
            return Ok(Called::Now(answer.to_string()));
        }
        let is_same = self.driver.as_ref().is_some_and(|it| it.identity == from);
        // Whoever leaves meanwhile has left: what waits here does not sit in their place.
        let (wheel, seat) = (self.wheel().clone(), seated.seat().to_owned());
        if !is_same {
            self.seat(from.to_owned(), seated);
        }
        let ready = async move {
            match wheel.ready(&seat).await {
                true => Ok(json!({ "granted": true }).to_string()),
                false => Err(taken()),
            }
        };
        Ok(Called::Later(ready.boxed()))
    }

    /// Gives the wheel back, once what was done before is done.
    fn release(&mut self, from: &str, how: &Release) -> Called {
        let answer = |is_released: bool| json!({ "released": is_released }).to_string();
        let driver = self.driver.as_mut();
        let Some(driver) = driver.filter(|driver| driver.identity == from) else {
            return Called::Now(answer(false));
        };
        let Some(turn) = driver.hand.turn() else {
            let released = driver.seated.hand_back(how.done);
            self.driver = None;
            return Called::Now(answer(released.is_ok()));
        };
        let (seat, is_done) = (driver.seated.seat().to_owned(), how.done);
        let wheel = self.wheel().clone();
        let released = async move {
            let is_released = turn.await.is_ok() && wheel.hand_back_from(&seat, is_done).is_ok();
            Ok(answer(is_released))
        };
        Called::Later(released.boxed())
    }

    /// Does what an action does, for the person who drives.
    fn act(&mut self, from: &str, action: ActionRequest) -> Result<Called, Error> {
        let session = self.session.near().ok_or_else(closed)?;
        let driver = self.driver(from)?;
        let seated = &driver.seated;
        session.wheel().note_use(seated.seat())?;
        let asker = Asker {
            door: Way::Room,
            address: None,
            program: None,
            token: Some(from.to_owned()),
            lending: Lending::default(),
            seat: Some(seated.seat().to_owned()),
            request_id: None,
        };
        let turn = driver.hand.turn();
        let acting = async move {
            if let Some(turn) = turn {
                turn.await.map_err(|_| taken())?;
            }
            asker.scope(act(session, action)).await
        };
        Ok(Called::Later(acting.boxed()))
    }
}

fn taken() -> Error {
    Error::conflict("the wheel was taken from you").hint("Call browser/take, if you may.")
}

async fn act(session: SessionHandle, action: ActionRequest) -> Result<String, Error> {
    let order = ActionOrder::new(CancellationToken::new());
    let done = session.act_on(order, action).await?;
    if !done.success {
        return Err(failed(&done));
    }
    Ok(json!({ "status": "ok", "url": done.url }).to_string())
}

fn failed(done: &ActionResult) -> Error {
    use ActionErrorKind as Kind;
    let message = done.error.clone().unwrap_or_default();
    match done.error_kind {
        Some(Kind::InvalidParameter | Kind::MissingParameter) => Error::invalid_input(message),
        Some(Kind::Blocked) => Error::forbidden(message),
        Some(Kind::HumanInControl | Kind::DialogOpen) => Error::conflict(message),
        _ => Error::unavailable(message),
    }
}

/// What a call came with; nothing is as good as an empty object.
fn parsed<T: Default + for<'de> Deserialize<'de>>(payload: &str) -> Result<T, Error> {
    if payload.trim().is_empty() {
        return Ok(T::default());
    }
    serde_json::from_str(payload).map_err(|_| {
        Error::invalid_input("the payload is not what this method takes")
            .hint("The documents' section From inside the room has it.")
    })
}

/// As a caller is told.
pub(super) fn told(error: &Error) -> RpcError {
    let code = match error.kind {
        ErrorKind::InvalidInput => 400,
        ErrorKind::Forbidden => 403,
        ErrorKind::Conflict => 409,
        ErrorKind::Exhausted => RpcError::TOO_MUCH,
        _ => RpcError::APPLICATION_ERROR,
    };
    RpcError {
        code,
        message: error.in_full(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_two_names() {
        assert_eq!(Method::parse("browser/take"), Some(Method::Take));
        assert_eq!(Method::parse("browser/request-focus"), Some(Method::Take));
        assert_eq!(
            Method::parse("browser/release-focus"),
            Some(Method::Release)
        );
        for (name, action) in [
            ("browser/navigate", "navigate"),
            ("browser/go-back", "go_back"),
            ("browser/go-forward", "go_forward"),
            ("browser/refresh", "refresh"),
        ] {
            assert_eq!(Method::parse(name), Some(Method::Act(action)));
        }
        assert_eq!(Method::parse("browser/send-input"), Some(Method::Input));
        for wrong in ["take", "browser/", "browser/execute", ""] {
            assert_eq!(Method::parse(wrong), None);
        }
    }

    #[test]
    fn payloads_may_be_left_out_and_are_not_repeated() {
        assert!(!parsed::<Take>("").unwrap().force);
        assert!(parsed::<Take>(r#"{"force":true}"#).unwrap().force);
        assert!(parsed::<Release>(" ").unwrap().done);
        assert!(!parsed::<Release>(r#"{"done":false}"#).unwrap().done);
        let Err(error) = parsed::<Take>("secret") else {
            panic!("no payload");
        };
        let error = told(&error);
        assert_eq!(error.code, 400);
        assert!(!error.message.contains("secret"));
    }
}
