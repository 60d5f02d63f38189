//! What the default tools do: each parses, asks the manager or a session, and answers.

use std::sync::OnceLock;
use std::time::Duration;

use rmcp::model::CallToolResult;
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Server;
use super::answer;
use super::arguments::{self, Act, Look, Recover, Room, Start};
use super::catalog::{FPS_DEFAULT, ToolName};
use super::meant::Want;
use super::memory::Begun;
use super::pace::{Expected, Pace, Paced};
use super::words;
use crate::api::access::Caller;
use crate::api::place::Place;
use crate::error::{Chain, Error};
use crate::model::command::ActionRequest;
use crate::model::event::Origin;
use crate::model::session::LiveKitStatus;
use crate::model::{EventBody, RoomName, SessionName, SessionRecord, SessionSpec, SessionState};
use crate::session::{ActionOrder, ContextOptions, SessionHandle};

/// A start waits this long for LiveKit beyond its first page.
const LIVEKIT_PATIENCE: Duration = Duration::from_millis(1_000);
/// A wait shorter than this needs no announcement, seconds.
const WAIT_ANNOUNCED: f64 = 1.0;

/// Calls a tool. Whatever goes wrong is a tool's failure, which the model reads and acts upon.
pub(super) async fn call(
    server: &Server,
    tool: ToolName,
    arguments: Map<String, Value>,
    context: &RequestContext<RoleServer>,
) -> CallToolResult {
    let caller = match server.caller(context) {
        Ok(caller) => caller,
        Err(error) => return answer::error(&error),
    };
    let may = caller.enter_tool(&server.doors.manager, tool.as_str(), &arguments);
    if let Err(error) = may {
        return answer::error(&error);
    }
    let call = Call {
        server,
        caller,
        context,
        pace: Pace::new(context),
        made: OnceLock::new(),
    };
    let outcome = match tool {
        ToolName::Start => call.start(arguments).await,
        ToolName::Pause => call.pause(arguments).await,
        ToolName::Resume => call.resume(arguments).await,
        ToolName::Close => call.close(arguments).await,
        ToolName::Recover => call.recover(arguments).await,
        ToolName::Act => Box::pin(call.act(arguments)).await,
        ToolName::Look => call.look(arguments).await,
        ToolName::Screenshot => Box::pin(call.screenshot(arguments)).await,
        ToolName::Analyze => call.analyze(arguments).await,
        ToolName::Tabs => call.tabs(arguments).await,
        ToolName::Record => call.record(arguments).await,
        ToolName::WaitFor => call.wait_for(arguments).await,
        ToolName::Ended => call.ended(arguments).await,
        ToolName::Stats => call.stats(arguments).await,
        ToolName::Drain => call.drain(arguments),
        ToolName::Share => call.share(arguments).await,
        ToolName::Interact => Box::pin(call.interact(arguments)).await,
        ToolName::RunScript => call.run_script(arguments).await,
        ToolName::CleanUp => call.clean_up(arguments).await,
    };
    let result = outcome.unwrap_or_else(|error| answer::error(&error));
    match call.made.into_inner() {
        Some(room) => answer::just_started(result, &room),
        None => result,
    }
}

/// One call of one tool.
pub(super) struct Call<'a> {
    pub(super) server: &'a Server,
    /// Who makes it.
    pub(super) caller: Caller,
    pub(super) context: &'a RequestContext<RoleServer>,
    pace: Pace<'a>,
    /// The room of the session that this call has made without being asked for it.
    pub(super) made: OnceLock<RoomName>,
}

impl Call<'_> {
    async fn start(&self, arguments: Map<String, Value>) -> Result<CallToolResult, Error> {
        let Start {
            room_name,
            session_name,
            livekit_url,
            livekit_token,
            initial_url,
            viewport_width,
            viewport_height,
            fps,
            dialogs,
            allowed_domains,
            idle_timeout_s,
            max_lifetime_s,
            browser,
        } = arguments::parse(arguments)?;
        let room_name = room_name.as_deref().map(RoomName::parse).transpose()?;
        let session_name = session_name
            .as_deref()
            .map(SessionName::parse)
            .transpose()?;
        let spec = SessionSpec {
            room_name,
            session_name,
            livekit_url,
            livekit_token,
            initial_url,
            viewport_width,
            viewport_height,
            fps: Some(fps.unwrap_or(FPS_DEFAULT)),
            dialogs,
            allowed_domains,
            idle_timeout_s,
            max_lifetime_s,
            browser,
            ..SessionSpec::default()
        };
        // Where its events are told, and by which the other tools find it.
        let room_name = spec.channel()?;
        let handle = match self.begin(spec).await? {
            Paced::Done(handle) => handle,
            Paced::Late => return self.still_starting(&room_name),
            Paced::Cancelled => return Err(cancelled()),
        };
        self.server.memory.remember(Begun {
            room: room_name,
            session: Some(handle.record().session_id),
            is_automatic: false,
        });
        let ready = self
            .pace
            .wait(Expected::Slow, "Opening the page.", ready(&handle));
        if let Paced::Cancelled = ready.await {
            let id = handle.record().session_id.to_string();
            self.server.doors.manager.close(&id).await?;
            return Err(cancelled());
        }
        let record = handle.record();
        let result = self.session(&record, &answer::started(&record));
        Ok(match record.state {
            SessionState::Failed => answer::failed(result),
            _ => result,
        })
    }

    /// Starts a session, for as long as a conversation can wait; its events tell the rest.
    pub(super) async fn begin(&self, spec: SessionSpec) -> Result<Paced<SessionHandle>, Error> {
        let room = spec.channel()?;
        let manager = self.server.doors.manager.clone();
        let mut starting = {
            let manager = manager.clone();
            tokio::spawn(async move { manager.start(spec).await }.in_current_span())
        };
        let waited = self.pace.wait(
            Expected::Slow,
            "Starting the browser, one moment.",
            &mut starting,
        );
        let is_cancelled = match waited.await {
            Paced::Done(started) => {
                let broken = |error| Error::internal("the session's start broke").source(error);
                return started.map_err(broken)?.map(Paced::Done);
            }
            Paced::Late => false,
            Paced::Cancelled => true,
        };
        let ending = async move {
            match starting.await {
                Ok(Ok(handle)) if is_cancelled => {
                    let id = handle.record().session_id.to_string();
                    // Somebody else may have closed it already.
                    let _ = manager.close(&id).await;
                }
                Ok(Err(error)) if !is_cancelled => {
                    tracing::warn!(error = %Chain(&error), "a session could not be started");
                    if let Ok(room) = manager.bus().room(&room) {
                        let error = error.to_string();
                        room.publish(EventBody::BrowserError { error }, Origin::default());
                    }
                }
                Ok(_) | Err(_) => (),
            }
        };
        tokio::spawn(ending.in_current_span());
        Ok(match is_cancelled {
            true => Paced::Cancelled,
            false => Paced::Late,
        })
    }

    fn still_starting(&self, room: &RoomName) -> Result<CallToolResult, Error> {
        self.server.memory.remember(Begun {
            room: room.clone(),
            session: None,
            is_automatic: false,
        });
        let record = self.server.doors.manager.record(room.as_str())?;
        let message = "The browser is still starting. An event tells when it is there.";
        Ok(self.session(&record, message))
    }

    async fn pause(&self, arguments: Map<String, Value>) -> Result<CallToolResult, Error> {
        let handle = self.named(arguments).await?;
        handle.pause().await?;
        Ok(self.session(
            &handle.record(),
            "The video is paused; the browser goes on.",
        ))
    }

    async fn resume(&self, arguments: Map<String, Value>) -> Result<CallToolResult, Error> {
        let handle = self.named(arguments).await?;
        handle.resume().await?;
        Ok(self.session(&handle.record(), "The video shows the browser again."))
    }

    async fn close(&self, arguments: Map<String, Value>) -> Result<CallToolResult, Error> {
        let Room { room_name } = arguments::parse(arguments)?;
        let manager = self.server.doors.manager.clone();
        let room = room_name.clone();
        // Seen through whatever becomes of the caller.
        let mut closing = tokio::spawn(async move { manager.close(&room).await });
        let waited = self
            .pace
            .wait(Expected::Quick, "Closing the browser.", &mut closing);
        match waited.await {
            Paced::Done(closed) => {
                let broken = |error| Error::internal("the session's end broke").source(error);
                let record = closed.map_err(broken)??;
                self.server
                    .memory
                    .forget(&record.channel(), record.session_id);
                Ok(self.session(&record, "The browser is closed and has left the room."))
            }
            Paced::Late | Paced::Cancelled => {
                let record = self.server.doors.manager.record(&room_name)?;
                Ok(self.session(&record, "The browser is being closed."))
            }
        }
    }

    async fn recover(&self, arguments: Map<String, Value>) -> Result<CallToolResult, Error> {
        let Recover {
            room_name,
            livekit_token,
        } = arguments::parse(arguments)?;
        let token = livekit_token.filter(|token| !token.is_empty());
        let handle = self.server.doors.manager.find(&room_name).await?;
        let was_lost = handle.record().livekit.is_lost();
        let expected = match was_lost {
            true => Expected::Slow,
            false => Expected::Quick,
        };
        let message = "Reaching the room again, one moment.";
        match self
            .pace
            .wait(expected, message, handle.recover(token))
            .await
        {
            Paced::Done(recovered) => recovered?,
            Paced::Late => {
                let message = "LiveKit cannot be reached yet; it is tried again and again. \
                    Look again with get_browser_context, or call recover_browser_session later.";
                return Ok(answer::failed(self.session(&handle.record(), message)));
            }
            Paced::Cancelled => return Err(cancelled()),
        }
        let message = match was_lost {
            true => "The video is back in the room.",
            false => "All is well: the browser is live.",
        };
        Ok(self.session(&handle.record(), message))
    }

    async fn act(&self, arguments: Map<String, Value>) -> Result<CallToolResult, Error> {
        let (room, action) = arguments::parse::<Act>(arguments)?.into_request();
        let handle = self.meant(room.as_deref(), Want::Act).await?;
        self.perform(&handle, action).await
    }

    /// Performs an action, for as long as a conversation can wait.
    pub(super) async fn perform(
        &self,
        handle: &SessionHandle,
        action: ActionRequest,
    ) -> Result<CallToolResult, Error> {
        let session = handle.record().session_id;
        let memory = &self.server.memory;
        if leads_elsewhere(&action) {
            // The client has moved on: a page that it no longer waits for must not be in the way.
            memory.cancel_unfinished(session);
        }
        let cancel = CancellationToken::new();
        let order = ActionOrder::new(cancel.clone());
        let id = order.id.clone();
        let acting = handle.act_on(order, action.clone());
        let message = words::under_way(&action);
        match self.pace.wait(expected(&action), &message, acting).await {
            Paced::Done(result) => {
                let result = result?;
                let facts = answer::result(&handle.record().channel(), &result);
                let answer = answer::answer(&words::told(&action, &result), facts);
                Ok(match result.success {
                    true => answer,
                    false => answer::failed(answer),
                })
            }
            Paced::Late => {
                memory.keep_unfinished(session, cancel);
                let facts = answer::running(&handle.record(), id);
                Ok(answer::answer(&words::late(&action), facts))
            }
            Paced::Cancelled => {
                cancel.cancel();
                Err(cancelled())
            }
        }
    }

    async fn look(&self, arguments: Map<String, Value>) -> Result<CallToolResult, Error> {
        let Look {
            room_name,
            elements,
            accessibility,
            more,
            accessibility_more,
            text,
            text_cursor,
            find,
            boxes,
            action_id,
        } = arguments::parse(arguments)?;
        let handle = self.meant(room_name.as_deref(), Want::Read).await?;
        if let Some(id) = action_id {
            return progress(&handle, &id);
        }
        let options = ContextOptions {
            elements,
            accessibility,
            limit: None,
            more,
            accessibility_more,
            text,
            text_cursor,
            find,
            boxes,
        };
        let late = || {
            Error::timeout("the page does not answer")
                .hint("Wait a moment and look again, or navigate elsewhere.")
        };
        let looking = Box::pin(handle.context(options));
        let page = self.timely(Expected::Quick, "Looking.", looking, late);
        let page = page.await?;
        let facts = answer::of_room(&handle.record().channel(), &page);
        let total = facts.get("total").and_then(Value::as_u64);
        let message = words::seen(&page, total);
        Ok(answer::answer(&message, facts))
    }

    /// Waits for something that has to end within this call; `late` says that it did not.
    pub(super) async fn timely<T>(
        &self,
        expected: Expected,
        message: &str,
        work: impl Future<Output = Result<T, Error>>,
        late: impl FnOnce() -> Error,
    ) -> Result<T, Error> {
        match self.pace.wait(expected, message, work).await {
            Paced::Done(done) => done,
            Paced::Late => Err(late()),
            Paced::Cancelled => Err(cancelled()),
        }
    }

    /// The session that a tool names.
    async fn named(&self, arguments: Map<String, Value>) -> Result<SessionHandle, Error> {
        let Room { room_name } = arguments::parse(arguments)?;
        self.server.doors.manager.find(&room_name).await
    }

    fn session(&self, record: &SessionRecord, message: &str) -> CallToolResult {
        let facts = answer::session(record, &self.events_url(record.channel().as_str()));
        answer::answer(message, facts)
    }

    /// Where this client hears the events of a room.
    fn events_url(&self, room: &str) -> String {
        let parts = self.context.extensions.get::<axum::http::request::Parts>();
        let host = parts
            .and_then(|parts| parts.headers.get(axum::http::header::HOST)?.to_str().ok())
            .map(str::to_owned)
            .unwrap_or_else(|| self.server.doors.config.server.listen.to_string());
        let server = &self.server.doors.config.server;
        let place = parts.map(|parts| Place::of(server, &parts.headers, &parts.extensions));
        let place = place.unwrap_or_else(|| Place::unasked(server));
        place
            .socket(&host, &["mcp", "events", room])
            .unwrap_or_else(|| format!("/mcp/events/{room}"))
    }
}

/// The first page is there, and LiveKit has had its moment.
async fn ready(handle: &SessionHandle) {
    let mut record = handle.watch();
    let opened =
        record.wait_for(|record| record.state != SessionState::Starting && !record.is_opening);
    if opened.await.is_err() {
        return;
    }
    let joined = record.wait_for(|record| record.livekit != LiveKitStatus::Connecting);
    // A room that takes longer is reached later; the session's state tells.
    let _ = timeout(LIVEKIT_PATIENCE, joined).await;
}

/// How far an action has come.
fn progress(handle: &SessionHandle, id: &str) -> Result<CallToolResult, Error> {
    let status = handle.action(id).ok_or_else(|| {
        let shown: String = id.chars().take(64).collect();
        Error::not_found(format!("this session knows no action \"{shown}\""))
            .hint("Pass an action_id that execute_action gave, or leave it out to see the page.")
    })?;
    let room = handle.record().channel();
    Ok(answer::progress(&room, &status))
}

pub(super) fn cancelled() -> Error {
    Error::cancelled("the call was cancelled")
}

fn expected(action: &ActionRequest) -> Expected {
    let seconds = || action.params.get("seconds").and_then(Value::as_f64);
    match action.action_type.as_str() {
        "wait" if seconds().is_some_and(|seconds| seconds < WAIT_ANNOUNCED) => Expected::Quick,
        "wait" => Expected::Slow,
        "new_tab" if !action.params.contains_key("url") => Expected::Quick,
        "switch_tab" | "close_tab" => Expected::Quick,
        _ if leads_elsewhere(action) => Expected::Slow,
        _ => Expected::Quick,
    }
}

fn leads_elsewhere(action: &ActionRequest) -> bool {
    matches!(
        action.action_type.as_str(),
        "navigate" | "go_back" | "go_forward" | "refresh" | "new_tab" | "switch_tab" | "close_tab"
    )
}
