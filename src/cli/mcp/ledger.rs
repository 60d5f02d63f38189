//! What the client has asked and not yet been answered, and how the conversation began.

use std::collections::HashMap;

use serde_json::{Value, json};

/// Open requests that are kept track of.
const OPEN_MAX: usize = 4096;
/// JSON-RPC's codes: of a request that is not one, and of what a server may say for itself.
const INVALID_REQUEST: i32 = -32_600;
const SERVER_ERROR: i32 = -32_000;

/// The ledger of one conversation.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Ids as they came, and whether a tool was called.
    open: HashMap<String, Open>,
    /// `initialize` and `notifications/initialized`, to be said again to another service.
    greeting: Vec<String>,
    /// The answer to a greeting said again is not the client's to hear.
    unheard: Option<String>,
}

#[derive(Debug)]
struct Open {
    id: Value,
    asks: Asks,
}

/// What kind of answer is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// The beginning of the conversation, which the next service answers.
    Initialize,
    /// What a model reads.
    ToolCall,
    Other,
}

impl Ledger {
    /// Notes what the client says.
    pub(super) fn asked(&mut self, line: &str) {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            return;
        };
        let method = message.get("method").and_then(Value::as_str);
        match method {
            // Without an id it asks for no answer, and opens no conversation.
            Some("initialize") if message.get("id").is_some() => {
                self.greeting = vec![line.to_owned()];
            }
            Some("notifications/initialized") if self.greeting.len() == 1 => {
                self.greeting.push(line.to_owned());
            }
            // Nobody answers what is cancelled.
            Some("notifications/cancelled") => {
                if let Some(id) = message.pointer("/params/requestId") {
                    self.open.remove(&id.to_string());
                }
            }
            _ => (),
        }
        if let (Some(id), Some(method)) = (message.get("id"), method)
            && self.open.len() < OPEN_MAX
        {
            let asks = match method {
                "initialize" => Asks::Initialize,
                "tools/call" => Asks::ToolCall,
                _ => Asks::Other,
            };
            let id_asked = id.clone();
            let open = Open { id: id_asked, asks };
            self.open.insert(id.to_string(), open);
        }
    }

    /// Notes what the service says; answers whether the client shall hear it.
    pub(super) fn answered(&mut self, line: &str) -> bool {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            return true;
        };
        let is_answer = message.get("method").is_none();
        let Some(id) = message.get("id").filter(|_| is_answer) else {
            return true;
        };
        let id = id.to_string();
        if self.unheard.as_ref() == Some(&id) {
            self.unheard = None;
            return false;
        }
        self.open.remove(&id);
        true
    }

    /// Whether an answer is still to come.
    pub(super) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Answers to all that nobody will answer any more, and why. The beginning of the conversation stays
    /// open, since it is said again.
    pub(super) fn close_open(&mut self, why: &str) -> Vec<String> {
        let open = std::mem::take(&mut self.open);
        let (greeting, others): (HashMap<_, _>, HashMap<_, _>) = open
            .into_iter()
            .partition(|(_, open)| open.asks == Asks::Initialize);
        self.open = greeting;
        // The protocol shows a model what is in a tool's result, and not always an error beside it.
        let answer = |open: Open| match open.asks {
            Asks::ToolCall => json!({
                "jsonrpc": "2.0", "id": open.id,
                "result": {"content": [{"type": "text", "text": why}], "isError": true},
            }),
            Asks::Initialize | Asks::Other => error(&open.id, SERVER_ERROR, why),
        };
        let others = others.into_values();
        others.map(|open| answer(open).to_string()).collect()
    }

    /// What has to be said to another service before the conversation can go on.
    pub(super) fn greeting(&mut self) -> Vec<String> {
        let first = self.greeting.first();
        let message = first.and_then(|line| serde_json::from_str::<Value>(line).ok());
        let id = message.and_then(|message| Some(message.get("id")?.to_string()));
        self.unheard = id.filter(|id| !self.open.contains_key(id));
        self.greeting.clone()
    }
}

/// The answer to a message that was not handed on; `None` to one that asks for no answer.
pub(super) fn refusal(line: &str, why: &str) -> Option<String> {
    /// All that an answer needs to know of it.
    #[derive(serde::Deserialize)]
    struct Head {
        id: Option<Value>,
        #[serde(rename = "method")]
        _method: serde::de::IgnoredAny,
    }
    let head: Head = serde_json::from_str(line).ok()?;
    Some(error(&head.id?, INVALID_REQUEST, why).to_string())
}

/// The answer to a message that could not be read, so that nobody knows its id.
pub(super) fn nameless_refusal(why: &str) -> String {
    error(&Value::Null, INVALID_REQUEST, why).to_string()
}

fn error(id: &Value, code: i32, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#;
    const READY: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

    #[test]
    fn a_lost_service_is_answered_for_and_greeted_again() {
        let mut ledger = Ledger::default();
        ledger.asked(HELLO);
        assert!(ledger.answered(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#));
        ledger.asked(READY);
        ledger.asked(r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{}}"#);
        ledger.asked(r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#);
        assert!(ledger.has_open());
        let mut answers = ledger.close_open("it ended");
        answers.sort();
        assert!(answers[0].contains("\"isError\":true") || answers[1].contains("\"isError\":true"));
        assert!(answers.iter().any(|answer| answer.contains("-32000")));
        assert!(!ledger.has_open());
        assert_eq!(ledger.greeting(), [HELLO, READY]);
        assert!(!ledger.answered(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#));
        assert!(ledger.answered(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#));
    }

    #[test]
    fn a_beginning_that_was_not_answered_is_answered_by_the_next() {
        let mut ledger = Ledger::default();
        ledger.asked(HELLO);
        assert!(ledger.close_open("it ended").is_empty() && ledger.has_open());
        assert_eq!(ledger.greeting(), [HELLO]);
        assert!(ledger.answered(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#));
        assert!(!ledger.has_open());
    }

    #[test]
    fn what_is_too_long_is_refused_by_its_id_wherever_that_stands() {
        let long = "x".repeat(100);
        let line = format!(r#"{{"method":"m","params":{{"text":"{long}","id":1}},"id":"a"}}"#);
        let answer: Value = serde_json::from_str(&refusal(&line, "too long").unwrap()).unwrap();
        assert_eq!(answer["id"], "a");
        assert_eq!(answer["error"]["message"], "too long");
        let silent = [r#"{"method":"m"}"#, r#"{"id":1,"result":{}}"#, "{", "[]"];
        assert!(silent.iter().all(|line| refusal(line, "").is_none()));
        assert!(nameless_refusal("").contains("\"id\":null"));
    }

    #[test]
    fn what_is_cancelled_is_not_answered_for() {
        let mut ledger = Ledger::default();
        ledger.asked(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}"#);
        ledger.asked(
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#,
        );
        assert!(!ledger.has_open() && ledger.close_open("it ended").is_empty());
    }

    #[test]
    fn noise_and_notifications_pass() {
        let mut ledger = Ledger::default();
        ledger.asked(r#"{"jsonrpc":"2.0","method":"initialize"}"#);
        ledger.asked("{");
        ledger.asked("[]");
        assert!(ledger.answered("no json"));
        assert!(ledger.answered(r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#));
        assert!(!ledger.has_open() && ledger.greeting().is_empty());
    }
}
