//! The conversations that streamable HTTP keeps: a bounded number of them, each until it has been
//! silent for long, or has been idle for longest when another one needs its place. Its client is told that
//! it is gone (404), and begins anew.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{
    ServerSseMessage, SessionId, SessionManager,
};
use serde::de::IgnoredAny;
use serde_json::json;

use super::super::Doors;
use super::super::request_id::RequestId;
use crate::error::Error;
use crate::refusals::{self, Limit};

/// The header that names a conversation.
pub(super) const SESSION_ID: &str = "mcp-session-id";
/// JSON-RPC's codes: of what is no JSON, and of JSON that is no message.
const PARSE_ERROR: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;

tokio::task_local! {
    /// Whether the request that is being answered found no place.
    static IS_REFUSED: Cell<bool>;
}

/// Why a conversation cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// There are as many as there may be.
    #[error("too many conversations are open")]
    Full,
    /// The library's own.
    #[error(transparent)]
    Local(#[from] LocalSessionManagerError),
}

/// The library's conversations, within a bound.
pub(super) struct Sessions {
    local: LocalSessionManager,
    count_max: usize,
    uses: Uses,
}

/// When each conversation was used, and by how much it is used now.
#[derive(Debug, Clone, Default)]
pub(super) struct Uses(Arc<Mutex<HashMap<String, Use>>>);

#[derive(Debug)]
struct Use {
    last: Instant,
    /// Streams that are open, and calls that run.
    now: usize,
}

/// Something that uses a conversation for as long as this lives.
#[derive(Debug)]
pub(super) struct InUse {
    uses: Uses,
    id: String,
}

impl Uses {
    /// Notes that a conversation is used, from now until what this answers goes.
    pub(super) fn begin(&self, id: &str) -> InUse {
        if let Some(used) = self.lock().get_mut(id) {
            used.last = Instant::now();
            used.now += 1;
        }
        InUse {
            uses: self.clone(),
            id: id.to_owned(),
        }
    }

    fn add(&self, id: &str) {
        let last = Instant::now();
        self.lock().insert(id.to_owned(), Use { last, now: 0 });
    }

    fn remove(&self, id: &str) {
        self.lock().remove(id);
    }

    /// The one that has been idle for longest.
    fn idlest(&self) -> Option<String> {
        let uses = self.lock();
        let idle = uses.iter().filter(|(_, used)| used.now == 0);
        idle.min_by_key(|(_, used)| used.last)
            .map(|(id, _)| id.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(used) = self.uses.lock().get_mut(&self.id) {
            used.last = Instant::now();
            used.now = used.now.saturating_sub(1);
        }
    }
}

impl Sessions {
    pub(super) fn new(count_max: usize, idle_max: Duration) -> Self {
        let mut local = LocalSessionManager::default();
        local.session_config.keep_alive = Some(idle_max);
        Self {
            local,
            count_max,
            uses: Uses::default(),
        }
    }

    /// When its conversations are used.
    pub(super) fn uses(&self) -> Uses {
        self.uses.clone()
    }

    /// Makes room for another one, if there is none.
    async fn make_room(&self) -> Result<(), Failure> {
        while self.local.sessions.read().await.len() >= self.count_max {
            let Some(idlest) = self.uses.idlest() else {
                // Outside of a request nobody asks.
                let _ = IS_REFUSED.try_with(|is_refused| is_refused.set(true));
                return Err(Failure::Full);
            };
            metrics::counter!("ghostcast_mcp_sessions_evicted_total").increment(1);
            self.close_session(&idlest.into()).await?;
        }
        Ok(())
    }
}

/// A stream that uses its conversation for as long as it is open.
fn using<S: Stream>(stream: S, in_use: InUse) -> impl Stream<Item = S::Item> {
    stream.inspect(move |_| {
        let _ = &in_use;
    })
}

impl SessionManager for Sessions {
    type Error = Failure;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Failure> {
        self.make_room().await?;
        let (id, transport) = self.local.create_session().await?;
        self.uses.add(&id);
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Failure> {
        let _in_use = self.uses.begin(id);
        Ok(self.local.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Failure> {
        Ok(self.local.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Failure> {
        self.uses.remove(id);
        Ok(self.local.close_session(id).await?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Failure> {
        let in_use = self.uses.begin(id);
        Ok(using(self.local.create_stream(id, message).await?, in_use))
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), Failure> {
        let _in_use = self.uses.begin(id);
        Ok(self.local.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Failure> {
        let in_use = self.uses.begin(id);
        Ok(using(
            self.local.create_standalone_stream(id).await?,
            in_use,
        ))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Failure> {
        let in_use = self.uses.begin(id);
        Ok(using(self.local.resume(id, last_event_id).await?, in_use))
    }
}

/// What the answers to clients of conversations need to know.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) doors: Doors,
    pub(super) sessions: Arc<Sessions>,
}

/// Answers what the library would answer otherwise than the protocol says, and says what a refused client
/// can do where the library only says that something failed.
pub(super) async fn explain(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let id = request.headers().get(SESSION_ID);
    let id = id.and_then(|id| id.to_str().ok()).map(str::to_owned);
    if method == Method::DELETE
        && let Some(id) = id
        && !gate.sessions.has_session(&id.into()).await.unwrap_or(false)
    {
        return Error::not_found("there is no such MCP conversation")
            .hint("It has ended already; begin another by initialize.")
            .into_response();
    }
    let is_message = method == Method::POST && is_json(&request);
    let (parts, body) = request.into_parts();
    // It has come whole, within its bound.
    let read = to_bytes(body, gate.doors.config.server.body_bytes_max).await;
    let broken = |error| Error::invalid_input("the body could not be read").source(error);
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) => return broken(error).into_response(),
    };
    let said = is_message.then(|| bytes.clone());
    let request = Request::from_parts(parts, bytes.into());
    let answering = async {
        let response = next.run(request).await;
        (response, IS_REFUSED.with(Cell::get))
    };
    match IS_REFUSED.scope(Cell::new(false), answering).await {
        // It has ended by then, so nothing is only accepted.
        (response, _) if method == Method::DELETE && response.status().is_success() => {
            StatusCode::NO_CONTENT.into_response()
        }
        // The library says so of what it cannot read, though it was JSON's media type.
        (response, _) if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            said.map_or(response, |said| unreadable(&said))
        }
        (response, false) => response,
        (_, true) => {
            let full = Error::exhausted("too many MCP conversations are in use").hint(format!(
                "End one by DELETE, or raise mcp.sessions_max (now {}).",
                gate.doors.config.mcp.sessions_max
            ));
            refusals::refused(Limit::McpSessions, full).into_response()
        }
    }
}

/// Whether the body is said to be JSON.
fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// What is wrong with a body that is no message of JSON-RPC.
fn unreadable(body: &[u8]) -> Response {
    match serde_json::from_slice::<IgnoredAny>(body) {
        Err(error) => refused(PARSE_ERROR, &format!("Parse error: {error}")),
        Ok(_) => refused(
            INVALID_REQUEST,
            "Invalid request: send one message of JSON-RPC 2.0.",
        ),
    }
}

/// An error of JSON-RPC to a message whose id is not known.
fn refused(code: i32, message: &str) -> Response {
    let data =
        json!({ "request_id": RequestId::current().unwrap_or_else(RequestId::new).as_str() });
    let body = json!({
        "jsonrpc": "2.0", "id": null, "error": {"code": code, "message": message, "data": data},
    });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_idlest_goes_and_nothing_that_is_in_use() {
        let uses = Uses::default();
        for id in ["a", "b", "c"] {
            uses.add(id);
        }
        assert_eq!(uses.idlest().as_deref(), Some("a"));
        let a = uses.begin("a");
        assert_eq!(uses.idlest().as_deref(), Some("b"));
        drop(uses.begin("b"));
        assert_eq!(uses.idlest().as_deref(), Some("c"));
        let c = uses.begin("c");
        assert_eq!(uses.idlest().as_deref(), Some("b"));
        uses.remove("b");
        assert_eq!(uses.idlest(), None);
        drop((a, c));
        assert_eq!(uses.idlest().as_deref(), Some("a"));
        drop(uses.begin("unknown"));
    }
}
