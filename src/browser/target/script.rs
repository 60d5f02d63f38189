//! A caller's own script, run in the page's world.

use std::time::Duration;

use chromiumoxide_cdp::cdp::js_protocol::runtime::{
    CallFunctionOnParams, CompileScriptParams, EvaluateParams, ExceptionDetails,
    ReleaseObjectParams, RemoteObject, RemoteObjectId, RemoteObjectSubtype, RemoteObjectType,
    TerminateExecutionParams,
};
use futures::future::join_all;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::super::cdp::Session;
use super::super::error::Error;
use super::super::text::shown;
use super::Page;
use super::frames::Frame;

const OPERATION: &str = "run a script";

/// A page that is not busy answers a trifle within this time.
const ANSWERS_WITHIN: Duration = Duration::from_millis(250);
/// Longest text that a script may return, characters; of anything else its JSON.
const CHARS_MAX: usize = 1 << 20;
/// What is thrown in the page where it returns more.
const TOO_LARGE: &str = "GhostcastResultTooLarge";

/// What a script came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Ran {
    /// It returned a value.
    Value {
        /// As JSON; what JSON cannot hold is described by a text.
        result: Value,
        /// What it is in JavaScript: `number`, `array`, `undefined`, `node`, …
        kind: String,
    },
    /// It threw, or is no script.
    Threw(Thrown),
    /// It had not come to an end within the bound.
    TimedOut,
    /// It returned more than is handed over.
    TooLarge,
    /// No frame is called so, or several: the URLs of those there are, or that are called so.
    NoFrame(Vec<String>),
}

/// Where a script runs.
#[derive(Debug)]
struct Place<'a> {
    session: &'a Session,
    /// The document as its page holds it, of a frame within the page; none for the page's own document.
    document: Option<RemoteObjectId>,
}

/// What a script threw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thrown {
    /// The error's class, such as `TypeError`.
    pub name: String,
    /// What it says.
    pub message: String,
    /// Where it was thrown.
    pub stack: String,
}

impl Page {
    /// Runs a script in the page's own world: an expression, or a function's body with `return`; `args`
    /// is what the caller handed over. A promise is waited for. `frame` is the name of a frame, its URL or a
    /// part of it; none is the page itself.
    pub async fn run_script(
        &self,
        script: &str,
        args: &Value,
        frame: Option<&str>,
        bound: Duration,
    ) -> Result<Ran, Error> {
        let within = match frame {
            Some(wanted) => match self.frame_called(wanted).await {
                Ok(frame) => Some(frame),
                Err(there) => return Ok(Ran::NoFrame(there)),
            },
            None => None,
        };
        let session = within.as_ref().map_or(self.session(), Frame::session);
        let document = match &within {
            Some(frame) => match timeout(bound, frame.document_of_page()).await {
                Ok(document) => Some(document?),
                Err(_) => return Ok(Ran::TimedOut),
            },
            None => None,
        };
        let place = Place { session, document };
        let unheeded = Unheeded(Some(session.clone()));
        let ran = timeout(bound, run(&place, script, args)).await;
        unheeded.heeded();
        place.leave();
        match ran {
            Ok(ran) => ran,
            Err(_) => {
                end(session).await;
                Ok(Ran::TimedOut)
            }
        }
    }
}

/// Ends a script whose caller is gone before it came to an end, where nothing else would.
#[derive(Debug)]
struct Unheeded(Option<Session>);

impl Unheeded {
    /// Its caller has waited for it.
    fn heeded(mut self) {
        self.0 = None;
    }
}

impl Drop for Unheeded {
    fn drop(&mut self) {
        let runtime = Handle::try_current();
        if let (Some(session), Ok(runtime)) = (self.0.take(), runtime) {
            runtime.spawn(async move { end(&session).await });
        }
    }
}

/// Ends a script that keeps the page busy. One that never lets go of the page would keep everything from it;
/// one that waits does not, and what would be ended in its place is the page's own.
async fn end(session: &Session) {
    if is_busy(session).await {
        session.tell("end a script", &TerminateExecutionParams::default());
    }
}

impl Page {
    /// The one frame of that name or URL, or else whose URL has that in it; an error has the URLs of those
    /// that come into question.
    async fn frame_called(&self, wanted: &str) -> Result<Frame, Vec<String>> {
        let frames: Vec<Frame> = self
            .frames()
            .into_iter()
            .filter(|frame| frame.parent().is_some())
            .collect();
        let names = frames.iter().map(|frame| async {
            // One that hangs has no name.
            let name = timeout(ANSWERS_WITHIN, frame.evaluate::<String>("window.name")).await;
            name.ok().and_then(Result::ok).unwrap_or_default()
        });
        let names = join_all(names).await;
        let called = |is_it: &dyn Fn(&Frame, &str) -> bool| -> Vec<Frame> {
            let pairs = frames.iter().zip(&names);
            let found = pairs.filter(|(frame, name)| is_it(frame, name));
            found.map(|(frame, _)| frame.clone()).collect()
        };
        // A frame without a name has the empty one, which means none of them.
        let exact =
            called(&|frame, name| !wanted.is_empty() && (name == wanted || frame.url() == wanted));
        let found = match exact.is_empty() {
            true => called(&|frame, _| frame.url().contains(wanted)),
            false => exact,
        };
        match <[Frame; 1]>::try_from(found) {
            Ok([frame]) => Ok(frame),
            Err(found) => {
                let asked = if found.is_empty() { frames } else { found };
                Err(asked.iter().map(|frame| shown(frame.url())).collect())
            }
        }
    }
}

impl Place<'_> {
    /// Lets go of what it holds in the page.
    fn leave(&self) {
        if let Some(document) = &self.document {
            let letting_go = ReleaseObjectParams::new(document.clone());
            self.session.tell("let a document go", &letting_go);
        }
    }
}

/// Whether the page does not answer a trifle.
async fn is_busy(session: &Session) -> bool {
    let asking = session.execute_unbounded(OPERATION, EvaluateParams::new("0"));
    timeout(ANSWERS_WITHIN, asking).await.is_err()
}

async fn run(place: &Place<'_>, script: &str, args: &Value) -> Result<Ran, Error> {
    let session = place.session;
    // Measured where it is, before it is handed over.
    let measured = format!(
        ".then((is) => {{ if (typeof is === 'string' && is.length > {CHARS_MAX}) throw \
         '{TOO_LARGE}'; return is; }})"
    );
    let expression = format!("(async (args) => (\n{script}\n))({args}){measured}");
    let answer = evaluate(place, &expression).await?;
    match answer {
        Ok(object) => told(session, object).await,
        Err(thrown) if is_syntax(&thrown) && !compiles(session, &expression).await? => {
            let body = format!("(async (args) => {{\n{script}\n}})({args}){measured}");
            match evaluate(place, &body).await? {
                Ok(object) => told(session, object).await,
                Err(thrown) => Ok(threw(&thrown)),
            }
        }
        Err(thrown) => Ok(threw(&thrown)),
    }
}

async fn evaluate(
    place: &Place<'_>,
    expression: &str,
) -> Result<Result<RemoteObject, Box<ExceptionDetails>>, Error> {
    let session = place.session;
    if let Some(document) = &place.document {
        // Of frames in one process only the outermost one's world is known, but each has a document.
        let params = CallFunctionOnParams {
            object_id: Some(document.clone()),
            await_promise: Some(true),
            user_gesture: Some(true),
            ..CallFunctionOnParams::new(format!("function () {{ return {expression}; }}"))
        };
        let answer = session.execute_unbounded(OPERATION, params).await?;
        return Ok(match answer.exception_details {
            Some(thrown) => Err(Box::new(thrown)),
            None => Ok(answer.result),
        });
    }
    let params = EvaluateParams {
        await_promise: Some(true),
        user_gesture: Some(true),
        ..EvaluateParams::new(expression)
    };
    let answer = session.execute_unbounded(OPERATION, params).await?;
    Ok(match answer.exception_details {
        Some(thrown) => Err(Box::new(thrown)),
        None => Ok(answer.result),
    })
}

/// Whether the page could run it at all. One that throws a `SyntaxError` of its own is not run twice.
async fn compiles(session: &Session, expression: &str) -> Result<bool, Error> {
    let params = CompileScriptParams::new(expression, "", false);
    let compiled = session.execute_unbounded(OPERATION, params).await?;
    Ok(compiled.exception_details.is_none())
}

fn is_syntax(thrown: &ExceptionDetails) -> bool {
    let class = thrown
        .exception
        .as_ref()
        .and_then(|e| e.class_name.as_deref());
    class == Some("SyntaxError")
}

/// A value as JSON; an object is handed over as a whole.
async fn told(session: &Session, object: RemoteObject) -> Result<Ran, Error> {
    let kind = match &object.subtype {
        Some(subtype) => subtype.as_ref().to_owned(),
        None => object.r#type.as_ref().to_owned(),
    };
    let described = || object.description.clone().map_or(Value::Null, Value::from);
    let is_plain = matches!(
        object.subtype,
        None | Some(RemoteObjectSubtype::Array | RemoteObjectSubtype::Null)
    );
    let result = match (&object.r#type, &object.object_id) {
        (RemoteObjectType::Object, Some(id)) if is_plain => {
            let mut whole = CallFunctionOnParams::new(format!(
                "function () {{ if ((JSON.stringify(this) || '').length > {CHARS_MAX}) throw \
                 '{TOO_LARGE}'; return this; }}"
            ));
            whole.object_id = Some(id.clone());
            whole.return_by_value = Some(true);
            let whole = session.execute_unbounded(OPERATION, whole).await;
            let thrown = whole
                .as_ref()
                .ok()
                .and_then(|answer| answer.exception_details.as_ref());
            if thrown.is_some_and(|thrown| threw(thrown) == Ran::TooLarge) {
                session.tell("let an object go", &ReleaseObjectParams::new(id.clone()));
                return Ok(Ran::TooLarge);
            }
            let value = whole.ok().and_then(|answer| answer.result.value);
            value.unwrap_or_else(described)
        }
        (RemoteObjectType::Undefined, _) => Value::Null,
        _ => match (&object.value, &object.unserializable_value) {
            (Some(value), _) => value.clone(),
            (None, Some(text)) => Value::from(text.inner().clone()),
            (None, None) if object.subtype == Some(RemoteObjectSubtype::Null) => Value::Null,
            (None, None) => described(),
        },
    };
    if let Some(id) = object.object_id {
        session.tell("let an object go", &ReleaseObjectParams::new(id));
    }
    Ok(Ran::Value { result, kind })
}

fn threw(thrown: &ExceptionDetails) -> Ran {
    let thrown = of(thrown);
    match thrown.message == TOO_LARGE {
        true => Ran::TooLarge,
        false => Ran::Threw(thrown),
    }
}

fn of(thrown: &ExceptionDetails) -> Thrown {
    let Some(exception) = &thrown.exception else {
        return Thrown {
            name: "Error".to_owned(),
            message: thrown.text.clone(),
            stack: String::new(),
        };
    };
    let Some(name) = exception.class_name.clone() else {
        // Not everything that is thrown is an error.
        let value = exception.value.clone().unwrap_or_default();
        let message = match value {
            Value::String(text) => text,
            Value::Null => exception.description.clone().unwrap_or_default(),
            other => other.to_string(),
        };
        return Thrown {
            name: exception.r#type.as_ref().to_owned(),
            message,
            stack: String::new(),
        };
    };
    let stack = exception.description.clone().unwrap_or_default();
    let first = stack.split("\n    at ").next().unwrap_or_default();
    let message = first.strip_prefix(&format!("{name}: ")).unwrap_or(first);
    Thrown {
        message: message.to_owned(),
        name,
        stack,
    }
}
