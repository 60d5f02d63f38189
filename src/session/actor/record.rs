//! The actor's recording: one at a time, told of what happens, and finished before the session is.

use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, OptionFuture};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Work;
use crate::error::Error;
use crate::model::command::ActionRequest;
use crate::model::{ActionResult, EventBody, RecordingState, RecordingStatus, SessionState};
use crate::publish::record::{self, Recorder, Shelf};
use crate::session::request::Reply;

/// Longest wait for a file to be completed when the session ends; a disk may hang.
const COMPLETE_MAX: Duration = Duration::from_secs(3);
/// Longest part of a title that comes from a page or a caller, characters.
const WORDS_CHARS_MAX: usize = 120;

/// A session's recording.
pub(super) struct Recording {
    shelf: Shelf,
    starting: Option<(Reply<RecordingStatus>, BoxFuture<'static, Started>)>,
    recorder: Option<Recorder>,
    status: Option<watch::Receiver<RecordingStatus>>,
    stops: Vec<Reply<RecordingStatus>>,
    /// Why the session ends, once it does.
    leaving: Option<&'static str>,
    /// Nothing is recorded any more, now that the session ends.
    is_over: CancellationToken,
}

type Started = Result<Recorder, Error>;

/// What changed.
pub(super) enum Change {
    Started(Reply<RecordingStatus>, Started),
    Status(RecordingStatus),
}

impl Recording {
    pub(super) fn new(shelf: Shelf) -> Self {
        Self {
            shelf,
            starting: None,
            recorder: None,
            status: None,
            stops: Vec::new(),
            leaving: None,
            is_over: CancellationToken::new(),
        }
    }

    /// What changes next. Safe to cancel.
    pub(super) async fn next(&mut self) -> Change {
        let starting = self.starting.as_mut().map(|(_, future)| future);
        let changed = OptionFuture::from(self.status.as_mut().map(watch::Receiver::changed));
        tokio::select! {
            Some(started) = OptionFuture::from(starting) => match self.starting.take() {
                Some((reply, _)) => Change::Started(reply, started),
                None => std::future::pending().await,
            },
            Some(changed) = changed => match &mut self.status {
                Some(seen) if changed.is_ok() => Change::Status(seen.borrow_and_update().clone()),
                Some(seen) => Change::Status(broken(&seen.borrow(), "the recorder broke")),
                None => std::future::pending().await,
            },
            else => std::future::pending().await,
        }
    }

    /// Names the present moment in the film, if there is one.
    pub(super) fn chapter(&self, at: Instant, title: String) {
        if let Some(recorder) = &self.recorder {
            recorder.chapter(at, title);
        }
    }
}

impl Work {
    /// Begins a recording; the answer comes when its file is there.
    pub(super) fn start_recording(&mut self, reply: Reply<RecordingStatus>) {
        let recording = &mut self.recording;
        let refusal = if self.machine.state().is_dead() {
            Some(crate::browser::Error::Gone.into())
        } else if recording.recorder.is_some() || recording.starting.is_some() {
            Some(
                Error::conflict("this session is being recorded already")
                    .hint("Stop that recording first."),
            )
        } else {
            None
        };
        if let Some(refusal) = refusal {
            // Whoever asked may have hung up.
            let _ = reply.send(Err(refusal));
            return;
        }
        let room = self.actor.record.borrow().channel();
        let feed = self.actor.kit.studio.subscribe_deep(record::RING_UNITS_MAX);
        let (shelf, tracker) = (recording.shelf.clone(), self.actor.tracker.clone());
        let future = record::start(room, shelf, feed, tracker).boxed();
        recording.starting = Some((reply, future));
    }

    /// Ends the recording; the answer comes when its file is complete.
    pub(super) fn stop_recording(&mut self, reply: Reply<RecordingStatus>) {
        match &self.recording.recorder {
            Some(recorder) => {
                recorder.stop(None);
                self.recording.stops.push(reply);
            }
            None => {
                drop(reply.send(Err(
                    Error::not_found("this session is not being recorded").hint(
                        "Start a recording first; the session's record tells of the last one.",
                    ),
                )))
            }
        }
    }

    /// Takes note of what the recording does.
    pub(super) fn hear_recording(&mut self, change: Change) {
        match change {
            Change::Started(reply, Ok(recorder)) => {
                let mut seen = recorder.status();
                let status = seen.borrow_and_update().clone();
                self.actor.logbook.recording(&status);
                self.recording.status = Some(seen);
                self.recording.recorder = Some(recorder);
                let url = self.actor.record.borrow().current_url.clone();
                self.recording.chapter(Instant::now(), page_title(&url));
                self.adopt_recording(&status);
                self.tell_recording(&status);
                // Whoever asked may have hung up.
                let _ = reply.send(Ok(status));
                self.end_recording();
            }
            Change::Started(reply, Err(error)) => {
                let _ = reply.send(Err(error));
                self.end_recording();
            }
            Change::Status(status) => {
                self.adopt_recording(&status);
                if status.state == RecordingState::Recording {
                    return;
                }
                self.recording.recorder = None;
                self.recording.status = None;
                self.tell_recording(&status);
                for reply in self.recording.stops.drain(..) {
                    let _ = reply.send(Ok(status.clone()));
                }
                self.end_recording();
            }
        }
    }

    /// Finishes the recording because the session ends. What is answered lasts until its file is
    /// complete, or for as long as a disk may take.
    pub(super) fn leave_recording(&mut self) -> impl Future<Output = ()> + Send + use<> {
        self.recording.leaving = Some(match self.machine.state() {
            SessionState::Failed => "the browser was lost",
            _ => "the session was closed",
        });
        self.end_recording();
        let is_over = self.recording.is_over.clone();
        async move {
            if tokio::time::timeout(COMPLETE_MAX, is_over.cancelled())
                .await
                .is_err()
            {
                tracing::warn!("the recording's file was not completed in time");
            }
        }
    }

    /// Ends what is recorded, if the session ends. A recording that starts is seen through first, or
    /// its file would stay without anybody who completes it.
    fn end_recording(&self) {
        let Some(reason) = self.recording.leaving else {
            return;
        };
        match &self.recording.recorder {
            Some(recorder) => recorder.stop(Some(reason.to_owned())),
            None if self.recording.starting.is_none() => self.recording.is_over.cancel(),
            None => (),
        }
    }

    /// Waits no longer for a file.
    pub(super) fn give_up_recording(&mut self) {
        if let Some(seen) = self.recording.status.take() {
            let status = seen.borrow().clone();
            let status = match status.state {
                RecordingState::Recording => broken(&status, "the disk did not answer in time"),
                RecordingState::Finished | RecordingState::Empty | RecordingState::Failed => status,
            };
            self.hear_recording(Change::Status(status));
        }
    }

    /// Names what an action did, in the film where it began.
    pub(super) fn note_action(&self, action: &ActionRequest, result: &ActionResult) {
        if self.recording.recorder.is_some() {
            let took = Duration::try_from_secs_f64(result.duration_ms / 1e3).unwrap_or_default();
            let now = Instant::now();
            let at = now.checked_sub(took).unwrap_or(now);
            self.recording.chapter(at, action_title(action, result));
        }
    }

    /// Names a page that came by itself: actions speak for those that they lead to.
    pub(super) fn note_page(&self, url: &str) {
        if !self.acting.is_busy() {
            self.recording.chapter(Instant::now(), page_title(url));
        }
    }

    fn adopt_recording(&self, status: &RecordingStatus) {
        self.actor
            .record
            .send_modify(|record| record.recording = Some(status.clone()));
    }

    fn tell_recording(&self, status: &RecordingStatus) {
        self.tell(EventBody::Recording {
            state: status.state,
            file: status.file.clone(),
            reason: status.reason.clone(),
        });
    }
}

/// A recording of which no more is heard.
fn broken(last: &RecordingStatus, reason: &str) -> RecordingStatus {
    RecordingStatus {
        state: RecordingState::Failed,
        reason: Some(reason.to_owned()),
        ..last.clone()
    }
}

fn page_title(url: &str) -> String {
    format!("page {}", words(url))
}

/// An action in a few words: `click "Send"`. Never what was typed.
fn action_title(action: &ActionRequest, result: &ActionResult) -> String {
    let params = &action.params;
    let text = |name: &str| params.get(name).and_then(Value::as_str).map(words);
    let number = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| params.get(*name));
        found.and_then(Value::as_f64)
    };
    let element = || {
        let data = &result.outcome.data;
        let listed = || data.get("element")?.get("name")?.as_str();
        let struck = result
            .outcome
            .target
            .as_ref()
            .map(|target| target.name.as_str());
        let name = struck.or_else(listed)?;
        (!name.is_empty()).then(|| format!("\"{}\"", words(name)))
    };
    let index = || Some(format!("element {}", number(["index"; 2])?));
    let point = || {
        let (x, y) = (
            number(["x", "coordinate_x"])?,
            number(["y", "coordinate_y"])?,
        );
        Some(format!("at {x}, {y}"))
    };
    let object = match action.action_type.as_str() {
        "navigate" | "new_tab" => text("url"),
        "switch_tab" | "close_tab" => number(["tab"; 2]).map(|tab| tab.to_string()),
        "click" | "hover" | "select" | "upload" => element().or_else(index).or_else(point),
        "type" | "press" => index().map(|element| format!("into {element}")),
        "scroll" => text("direction"),
        "wait" => number(["seconds"; 2]).map(|seconds| format!("{seconds} s")),
        _ => None,
    };
    let mut title = words(&action.action_type);
    if let Some(object) = object {
        title = format!("{title} {object}");
    }
    match result.error_kind {
        Some(kind) => format!("{title} (failed: {})", kind.as_str()),
        None => title,
    }
}

/// One line of bounded length.
fn words(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut words: String = text.chars().take(WORDS_CHARS_MAX).map(plain).collect();
    if text.chars().nth(WORDS_CHARS_MAX).is_some() {
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::command::{ActionError, ActionErrorKind};
    use crate::session::handle::refused;

    fn title(
        action_type: &str,
        params: Value,
        data: Value,
        kind: Option<ActionErrorKind>,
    ) -> String {
        let (Value::Object(params), Value::Object(data)) = (params, data) else {
            panic!("both are objects")
        };
        let kind_or_any = kind.unwrap_or(ActionErrorKind::Internal);
        let mut result = refused(ActionError::new(kind_or_any, "why"), "", None);
        result.error_kind = kind;
        result.outcome.data = data;
        let action = ActionRequest::new(action_type, params);
        action_title(&action, &result)
    }

    #[test]
    fn titles_say_what_was_done_and_never_what_was_typed() {
        let none = || json!({});
        let named = json!({"element": {"role": "button", "name": "Send"}});
        let titles = [
            title("click", json!({"index": 3}), named, None),
            title(
                "click",
                json!({"index": 3}),
                none(),
                Some(ActionErrorKind::StaleElement),
            ),
            title(
                "click",
                json!({"coordinate_x": 4.5, "coordinate_y": 6}),
                none(),
                None,
            ),
            title("type", json!({"text": "secret", "index": 2}), none(), None),
            title("type", json!({"text": "secret"}), none(), None),
            title(
                "navigate",
                json!({"url": "https://example.com/\n"}),
                none(),
                None,
            ),
            title("wait", json!({"seconds": 1.5}), none(), None),
            title("scroll", json!({"direction": "down"}), none(), None),
            title("refresh", none(), none(), None),
        ];
        let expected = [
            "click \"Send\"",
            "click element 3 (failed: stale_element)",
            "click at 4.5, 6",
            "type into element 2",
            "type",
            "navigate https://example.com/ ",
            "wait 1.5 s",
            "scroll down",
            "refresh",
        ];
        assert_eq!(titles, expected);
        let long = title("navigate", json!({"url": "x".repeat(500)}), none(), None);
        assert_eq!(
            long.chars().count(),
            "navigate ".len() + WORDS_CHARS_MAX + 1
        );
    }
}
