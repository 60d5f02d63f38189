//! Tools that do to a page what programs do most: a script in it, and an action on what a selector means.

use rmcp::model::CallToolResult;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::answer;
use super::arguments::{self, Interact, RunScript};
use super::calls::Call;
use super::meant::Want;
use super::pace::Expected;
use super::words;
use crate::error::Error;
use crate::model::command::ActionRequest;
use crate::session::{Interaction, Meant, Script};

/// Longest time that a script, and a wait for an element, have within one call, milliseconds.
const WITHIN_MS_MAX: u64 = 3_000;
/// How long an element is waited for where nobody says it, milliseconds.
const WAIT_MS: u64 = 2_000;
/// Largest result that is told, bytes of JSON: it goes into a model's context.
const RESULT_BYTES_MAX: usize = 32 * 1024;

impl Call<'_> {
    /// A script in the page, which has to end within this call.
    pub(super) async fn run_script(
        &self,
        arguments: Map<String, Value>,
    ) -> Result<CallToolResult, Error> {
        let RunScript {
            room_name,
            script,
            args,
            timeout_ms,
            frame,
        } = arguments::parse(arguments)?;
        let bound = bound(timeout_ms, WITHIN_MS_MAX)?;
        let script = Script {
            args,
            timeout_ms: Some(bound),
            frame,
            ..Script::new(script)
        };
        let handle = self.meant(room_name.as_deref(), Want::Act).await?;
        let late = || {
            Error::timeout("the page does not answer; whether the script ran is not known")
                .hint("Look with get_browser_context before you run it again.")
        };
        let running = Box::pin(handle.execute(&script));
        let executed = self.timely(Expected::Quick, "Running a script.", running, late);
        let executed = executed.await?;
        let bytes = serde_json::to_string(&executed.result).map_or(0, |json| json.len());
        if bytes > RESULT_BYTES_MAX {
            return Err(Error::unprocessable(format!(
                "the script ran, but its result is too large to tell: {bytes} bytes"
            ))
            .hint(format!("Return at most {RESULT_BYTES_MAX} bytes of JSON.")));
        }
        let message = words::ran(&executed);
        let mut facts = answer::of_room(&handle.record().channel(), &executed);
        let thrown = facts.insert("error".to_owned(), Value::Null);
        facts.insert("thrown".to_owned(), thrown.unwrap_or_default());
        if executed.success {
            return Ok(answer::answer(&message, facts));
        }
        facts.insert("error".to_owned(), message.as_str().into());
        Ok(answer::failed(answer::answer(&message, facts)))
    }

    /// An action on the element that a selector means.
    pub(super) async fn interact(
        &self,
        arguments: Map<String, Value>,
    ) -> Result<CallToolResult, Error> {
        let Interact {
            room_name,
            action,
            selector,
            params,
            timeout_ms,
        } = arguments::parse(arguments)?;
        let bound = bound(timeout_ms, WAIT_MS)?;
        let interaction = Interaction {
            action,
            selector: Some(selector),
            timeout_ms: Some(bound),
            params: params.unwrap_or_default(),
        };
        let handle = self.meant(room_name.as_deref(), Want::Act).await?;
        let cancel = CancellationToken::new();
        // The wait for the element ends with this call.
        let guard = cancel.clone().drop_guard();
        let late = || {
            Error::timeout("the page takes too long to look through, and nothing was done").hint(
                "Look with get_browser_context, and use execute_action with the element's index.",
            )
        };
        let finding = Box::pin(interaction.meant(&handle, &cancel));
        let meant = self.timely(Expected::Quick, "Looking for it.", finding, late);
        let meant = meant.await?;
        guard.disarm();
        match meant {
            Meant::Action(action) => self.perform(&handle, action).await,
            Meant::Missing(result) => {
                let wait = ActionRequest::new("wait", Map::new());
                let facts = answer::result(&handle.record().channel(), &result);
                let told = answer::answer(&words::told(&wait, &result), facts);
                Ok(answer::failed(told))
            }
        }
    }
}

/// A bound that fits into a call.
fn bound(wanted: Option<u64>, usual: u64) -> Result<u64, Error> {
    let bound = wanted.unwrap_or(usual);
    match (1..=WITHIN_MS_MAX).contains(&bound) {
        true => Ok(bound),
        false => Err(
            Error::invalid_input("timeout_ms is out of range").hint(format!(
                "Use 1 to {WITHIN_MS_MAX}, which fit into one call; wait_for waits longer."
            )),
        ),
    }
}
