//! What the client has asked and not yet been answered, and how the conversation began.

use std::collections::HashMap;

use serde_json::{Value, json};

/// Open requests that are kept track of.
const OPEN_MAX: usize = 4096;

const LOST: &str = "The Ghostcast service ended before it answered, and its browsers with it. \
    Call start_browser_session to start again.";

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
    is_tool_call: bool,
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
            let open = Open {
                id: id.clone(),
                is_tool_call: method == "tools/call",
            };
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

    /// Answers to all that a lost service left open.
    pub(super) fn close_open(&mut self) -> Vec<String> {
        let open = std::mem::take(&mut self.open);
        let answer = |open: Open| match open.is_tool_call {
            true => json!({
                "jsonrpc": "2.0", "id": open.id,
                "result": {"content": [{"type": "text", "text": LOST}], "isError": true},
            }),
            false => json!({
                "jsonrpc": "2.0", "id": open.id,
                "error": {"code": -32_000, "message": LOST},
            }),
        };
        open.into_values()
            .map(|open| answer(open).to_string())
            .collect()
    }

    /// What has to be said to another service before the conversation can go on.
    pub(super) fn greeting(&mut self) -> Vec<String> {
        let first = self.greeting.first();
        let message = first.and_then(|line| serde_json::from_str::<Value>(line).ok());
        self.unheard = message.and_then(|message| Some(message.get("id")?.to_string()));
        self.greeting.clone()
    }
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
        let mut answers = ledger.close_open();
        answers.sort();
        assert!(answers[0].contains("\"isError\":true") || answers[1].contains("\"isError\":true"));
        assert!(answers.iter().any(|answer| answer.contains("-32000")));
        assert!(!ledger.has_open());
        assert_eq!(ledger.greeting(), [HELLO, READY]);
        assert!(!ledger.answered(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#));
        assert!(ledger.answered(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#));
    }

    #[test]
    fn what_is_cancelled_is_not_answered_for() {
        let mut ledger = Ledger::default();
        ledger.asked(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}"#);
        ledger.asked(
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#,
        );
        assert!(!ledger.has_open() && ledger.close_open().is_empty());
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
