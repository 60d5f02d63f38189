//! The conversations that streamable HTTP keeps: a bounded number of them, each until it has been
//! silent for long.

use std::cell::Cell;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{
    ServerSseMessage, SessionId, SessionManager,
};

use super::super::Doors;
use crate::error::Error;
use crate::refusals::{Limit, refused};

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
}

impl Sessions {
    pub(super) fn new(count_max: usize, idle_max: Duration) -> Self {
        let mut local = LocalSessionManager::default();
        local.session_config.keep_alive = Some(idle_max);
        Self { local, count_max }
    }
}

impl SessionManager for Sessions {
    type Error = Failure;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Failure> {
        if self.local.sessions.read().await.len() >= self.count_max {
            // Outside of a request nobody asks.
            let _ = IS_REFUSED.try_with(|is_refused| is_refused.set(true));
            return Err(Failure::Full);
        }
        Ok(self.local.create_session().await?)
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Failure> {
        Ok(self.local.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Failure> {
        Ok(self.local.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Failure> {
        Ok(self.local.close_session(id).await?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Failure> {
        Ok(self.local.create_stream(id, message).await?)
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), Failure> {
        Ok(self.local.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Failure> {
        Ok(self.local.create_standalone_stream(id).await?)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Failure> {
        Ok(self.local.resume(id, last_event_id).await?)
    }
}

/// Says what a refused client can do, where the library only says that something failed.
pub(super) async fn explain(State(doors): State<Doors>, request: Request, next: Next) -> Response {
    let answering = async {
        let response = next.run(request).await;
        (response, IS_REFUSED.with(Cell::get))
    };
    match IS_REFUSED.scope(Cell::new(false), answering).await {
        (response, false) => response,
        (_, true) => {
            let full = Error::exhausted("too many MCP conversations are open").hint(format!(
                "End one by DELETE, wait until idle ones expire, or raise mcp.sessions_max (now {}).",
                doors.config.mcp.sessions_max
            ));
            refused(Limit::McpSessions, full).into_response()
        }
    }
}
