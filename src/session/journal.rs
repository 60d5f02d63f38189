//! The journal: one line of JSON for each action that has ended, whoever asked for it, so that it can be said
//! later who did what. It holds no parameters: neither what was typed nor what a script was.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::asker::{Asker, Door};
use crate::model::command::ActionErrorKind;
use crate::model::{
    ActionResult, RoomName, SessionId, SessionName, SessionRecord, Struck, UnixTime,
};

/// Longest text that a page or a caller puts into a line, characters.
const TEXT_MAX: usize = 200;
/// Longest URL in a line, characters.
const URL_MAX: usize = 2_000;

/// Where the lines go; nowhere by default. Cheap to clone.
#[derive(Clone, Default)]
pub struct Journal(Option<Arc<Write>>);

/// Takes a line, and never waits.
type Write = dyn Fn(&[u8]) + Send + Sync;

/// The journal of one session.
#[derive(Debug, Clone, Default)]
pub(super) struct SessionJournal {
    journal: Journal,
    names: Option<Names>,
}

/// What a session is called.
#[derive(Debug, Clone, Serialize)]
struct Names {
    session_id: SessionId,
    session_name: Option<SessionName>,
    room_name: Option<RoomName>,
}

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    door: Option<Door>,
    /// Null where it is not known.
    address: Option<String>,
    program: Option<String>,
    /// What the token is called; null without one.
    token: Option<&'a str>,
    /// What the log calls the request; null where there was none.
    request_id: Option<&'a str>,
    #[serde(flatten)]
    names: Option<&'a Names>,
    action_id: &'a str,
    action: String,
    target: Option<Target>,
    outcome: &'static str,
    error_kind: Option<ActionErrorKind>,
    ms: f64,
    /// Where the page was afterwards.
    url: String,
}

/// The element that was acted on.
#[derive(Serialize)]
struct Target {
    role: String,
    name: String,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}

impl Journal {
    /// One whose lines are handed to `write`, which never waits.
    pub fn new(write: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(write)))
    }

    /// That of a session.
    pub(super) fn of(&self, record: &SessionRecord) -> SessionJournal {
        SessionJournal {
            journal: self.clone(),
            names: Some(Names {
                session_id: record.session_id,
                session_name: record.session_name.clone(),
                room_name: record.room_name.clone(),
            }),
        }
    }
}

impl SessionJournal {
    /// Writes how an action has ended, as it is told to everybody.
    pub(super) fn ended(
        &self,
        asker: Option<&Asker>,
        action_id: &str,
        action: &str,
        result: &ActionResult,
    ) {
        let Some(write) = &self.journal.0 else {
            return;
        };
        let target = result.outcome.target.as_ref();
        let line = Line {
            time: UnixTime::now().to_iso8601(),
            door: asker.map(|asker| asker.door),
            address: asker.and_then(|asker| Some(asker.address?.to_string())),
            program: asker.and_then(|asker| Some(short(asker.program.as_deref()?, TEXT_MAX))),
            token: asker.and_then(|asker| asker.token.as_deref()),
            request_id: asker.and_then(|asker| asker.request_id.as_deref()),
            names: self.names.as_ref(),
            action_id,
            action: short(action, TEXT_MAX),
            target: target.map(Target::of),
            outcome: if result.success {
                "completed"
            } else {
                "failed"
            },
            error_kind: result.error_kind,
            ms: (result.duration_ms * 10.0).round() / 10.0,
            url: short(&result.url, URL_MAX),
        };
        // Texts and numbers always serialise.
        let mut line = serde_json::to_vec(&line).unwrap_or_default();
        line.push(b'\n');
        write(&line);
    }
}

impl Target {
    fn of(struck: &Struck) -> Self {
        Self {
            role: short(&struck.role, TEXT_MAX),
            name: short(&struck.name, TEXT_MAX),
        }
    }
}

fn short(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::Config;
    use crate::model::SessionSpec;
    use crate::model::command::ActionError;
    use crate::session::asker::Lending;
    use crate::session::handle::refused;
    use crate::session::start::first_record;

    #[test]
    fn a_line_says_who_did_what_and_what_is_not_known() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let journal = Journal::new(move |line: &[u8]| kept.lock().unwrap().push(line.to_vec()));
        let spec = SessionSpec::of(RoomName::parse("demo").unwrap());
        let journal = journal.of(&first_record(&Config::default(), &spec));
        let error = ActionError::new(ActionErrorKind::Cancelled, "why");
        let mut result = refused(error, "https://example.com/", None);
        result.outcome.target = Some(Struck {
            role: "button".to_owned(),
            name: format!("Save\n{}", "x".repeat(1_000)),
            ..Struck::default()
        });
        let asker = Asker {
            door: Door::Grpc,
            address: Some([127, 0, 0, 1].into()),
            program: None,
            token: Some("ops".to_owned()),
            lending: Lending::default(),
            seat: None,
            request_id: Some("r".to_owned()),
        };
        journal.ended(Some(&asker), "a", "click", &result);
        journal.ended(None, "b", &"y".repeat(1_000), &result);
        let lines = lines.lock().unwrap();
        let parsed: Vec<Value> = lines
            .iter()
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        let one = &parsed[0];
        assert_eq!(one["door"], "grpc");
        assert_eq!(
            (&one["address"], &one["program"]),
            (&json!("127.0.0.1"), &Value::Null)
        );
        assert_eq!(
            (&one["token"], &parsed[1]["token"]),
            (&json!("ops"), &Value::Null)
        );
        assert_eq!(
            (&one["request_id"], &parsed[1]["request_id"]),
            (&json!("r"), &Value::Null)
        );
        assert_eq!(
            (&one["room_name"], &one["session_name"]),
            (&json!("demo"), &Value::Null)
        );
        assert_eq!(one["target"]["role"], "button");
        assert_eq!(
            (&one["outcome"], &one["error_kind"]),
            (&json!("failed"), &json!("cancelled"))
        );
        assert_eq!(
            (&parsed[1]["door"], &parsed[1]["action_id"]),
            (&Value::Null, &json!("b"))
        );
        for line in lines.iter() {
            assert!(line.len() < 1_000 && line.iter().filter(|byte| **byte == b'\n').count() == 1);
        }
    }
}
