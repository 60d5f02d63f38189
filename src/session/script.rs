//! A caller's own script in the session's page.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::handle::{SessionHandle, cut_short};
use crate::browser::target::script::Ran;
use crate::error::Error;

/// Longest script, bytes.
const SCRIPT_BYTES_MAX: usize = 128 * 1024;
/// Largest result, bytes of JSON.
const RESULT_BYTES_MAX: usize = 1 << 20;
/// Bound on a script that names none, milliseconds.
const TIMEOUT_MS: u64 = 10_000;
/// Frames that a refusal names at most.
const FRAMES_TOLD_MAX: usize = 8;
/// Longest bound, milliseconds.
const TIMEOUT_MS_MAX: u64 = 120_000;

/// A script to run.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// JavaScript for the page's own world: an expression, or a function's body with `return`. A promise
    /// is waited for.
    #[schema(example = "document.title")]
    pub script: String,
    /// What the script finds as `args`.
    #[serde(default)]
    #[schema(value_type = serde_json::Value)]
    pub args: Value,
    /// Bound on it, 1 to 120,000 milliseconds; 10,000 without it. A script that is not through by then
    /// is ended.
    #[schema(minimum = 1, maximum = 120_000, default = 10_000)]
    pub timeout_ms: Option<u64>,
    /// The frame to run it in: its name, its URL, or a part of its URL that no other one has. The page itself
    /// without it.
    #[schema(example = "https://shop.example/checkout")]
    pub frame: Option<String>,
}

/// What a script came to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Executed {
    /// Whether it ended without throwing.
    pub success: bool,
    /// What it returned, as JSON; a text that describes what JSON cannot hold; null where it threw.
    #[schema(value_type = serde_json::Value)]
    pub result: Value,
    /// What that is in JavaScript: `number`, `string`, `array`, `object`, `undefined`, `node`, …; null
    /// where it threw.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// What it threw; null where it did not.
    pub error: Option<ScriptError>,
}

/// What a script threw.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScriptError {
    /// The error's class, such as `TypeError`.
    pub name: String,
    /// What it says.
    pub message: String,
    /// Where it was thrown.
    pub stack: String,
}

impl Script {
    /// A script without arguments, with the usual bound.
    pub fn new(script: String) -> Self {
        Self {
            script,
            args: Value::Null,
            timeout_ms: None,
            frame: None,
        }
    }
}

impl SessionHandle {
    /// Runs a script in the current page.
    pub async fn execute(&self, script: &Script) -> Result<Executed, Error> {
        self.must_have_browser()?;
        if script.script.trim().is_empty() || script.script.len() > SCRIPT_BYTES_MAX {
            return Err(Error::invalid_input("script is empty or too long")
                .hint(format!("Send 1 to {SCRIPT_BYTES_MAX} bytes of JavaScript.")));
        }
        let bound = script.timeout_ms.unwrap_or(TIMEOUT_MS);
        if !(1..=TIMEOUT_MS_MAX).contains(&bound) {
            return Err(Error::invalid_input("timeout_ms is out of range")
                .hint(format!("Use 1 to {TIMEOUT_MS_MAX}.")));
        }
        self.must_be_agents()?;
        let page = self.tabs.present().await;
        if page.dialog().is_some_and(|dialog| dialog.is_open()) {
            return Err(Error::conflict(
                "the page has a dialog open, and runs nothing until it is answered",
            )
            .hint("Answer it with the action handle_dialog."));
        }
        let (bound_for, frame) = (Duration::from_millis(bound), script.frame.as_deref());
        let ran = page.run_script(&script.script, &script.args, frame, bound_for);
        let ran = tokio::select! {
            biased;
            // A script that is left ends in the page too.
            () = self.wheel.taken() => return Err(self.must_be_agents().err().unwrap_or_else(cut_short)),
            ran = ran => ran?,
        };
        let executed = match ran {
            Ran::NoFrame(there) => return Err(self.no_frame(frame.unwrap_or_default(), &there)),
            Ran::Value { mut result, kind } => {
                let bytes = serde_json::to_string(&result).map_or(0, |json| json.len());
                if bytes > RESULT_BYTES_MAX {
                    return Err(too_large());
                }
                self.secrets.mask_value(&mut result);
                Executed {
                    success: true,
                    result,
                    kind: Some(kind),
                    error: None,
                }
            }
            Ran::Threw(thrown) => Executed {
                success: false,
                result: Value::Null,
                kind: None,
                error: Some(ScriptError {
                    name: thrown.name,
                    message: self.secrets.mask(&thrown.message).into_owned(),
                    stack: self.secrets.mask(&thrown.stack).into_owned(),
                }),
            },
            Ran::TooLarge => return Err(too_large()),
            Ran::TimedOut => {
                return Err(
                    Error::timeout(format!("the script had not ended after {bound} ms")).hint(
                        "What it had done until then stays done. Give it more time by timeout_ms.",
                    ),
                );
            }
        };
        self.touch();
        Ok(executed)
    }
}

impl SessionHandle {
    fn no_frame(&self, wanted: &str, there: &[String]) -> Error {
        let wanted: String = wanted.chars().take(120).collect();
        let message = format!("not one frame of the page is called \"{wanted}\"");
        let shown: Vec<&str> = there
            .iter()
            .map(String::as_str)
            .take(FRAMES_TOLD_MAX)
            .collect();
        let hint = match shown.is_empty() {
            true => "The page has no frames; leave frame out.".to_owned(),
            false => format!(
                "Send the name of one, or enough of its URL that no other one has it: {}.",
                shown.join(", ")
            ),
        };
        Error::unprocessable(self.secrets.mask(&message).into_owned())
            .hint(self.secrets.mask(&hint).into_owned())
    }
}

fn too_large() -> Error {
    Error::unprocessable("the result is too large")
        .hint(format!("Return at most {RESULT_BYTES_MAX} bytes of JSON."))
}
