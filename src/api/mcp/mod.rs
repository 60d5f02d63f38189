//! MCP: the voice agent's door (Model Context Protocol, revisions up to 2026-07-28).
//!
//! The same server answers on streamable HTTP at `/mcp`, on a WebSocket at `/mcp/socket` (one
//! JSON-RPC message a frame, for `ghostcast mcp` to attach to), and on any other byte stream.
//! [`catalog`] says what tools there are, [`arguments`] what they take, [`calls`], [`extended`]
//! and [`control`] what they do,
//! [`meant`] finds the session that a call does not name, [`pace`] keeps each of them within the patience of a conversation, and [`words`] and [`answer`]
//! put what came of it into sentences and facts.

mod answer;
mod arguments;
mod brief;
mod calls;
mod catalog;
mod control;
mod extended;
mod http;
mod meant;
mod memory;
mod pace;
mod schemas;
mod sessions;
mod socket;
mod words;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestMethod, CompleteRequestParams,
    CompleteResult, Implementation, ListPromptsRequestMethod, ListPromptsResult,
    ListResourceTemplatesRequestMethod, ListResourceTemplatesResult, ListResourcesRequestMethod,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer, serve_server};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Map;
use tokio::io::{AsyncRead, AsyncWrite};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::memory::Memory;
use self::sessions::{InUse, Sessions, Uses};
use super::Doors;
use super::access::Caller;
use super::asker;
use super::place::Place;
use super::request_id::RequestId;
use crate::error::{Chain, Error};
use crate::session::{Asker, Door};

/// What a client is told about this server.
const INSTRUCTIONS: &str = "A browser that people watch in a LiveKit room while you drive it. \
Start it with start_browser_session, look with get_browser_context (it lists what can be used, \
each thing with an index), act with execute_action, and close it at the end. Without room_name, the \
one session that you started is meant; if you never started any, one is started for you alone, and \
the answer says so. Over a protocol without conversations, name the room in each call. An index means \
the thing that it was listed for, as long as that is there. Success means that it was seen to happen; \
retry says whether a failed action may be sent again. When a dialog opens, answer it with \
handle_dialog before anything else. Each answer begins with a sentence that can be spoken. Calls \
answer within four seconds; a slower action goes on, and get_browser_context with its action_id, or \
the events of the room, tell how it ended.";

/// What it is told besides where the service is a part of the client's own server.
const CARRIED: &str = "No Ghostcast service ran when this conversation began, so its server carries one of \
its own: the browsers end with this conversation.";

/// The MCP server of one client.
#[derive(Debug, Clone)]
pub(super) struct Server {
    doors: Doors,
    /// Whether the tools beyond the default seven are listed.
    extended: bool,
    /// Whether the service ends with this client.
    is_carried: bool,
    /// What this client has begun.
    memory: Arc<Memory>,
    /// Where the client is, where its messages do not say it.
    address: Option<IpAddr>,
    /// Where its conversation is one of those that streamable HTTP keeps.
    uses: Option<Uses>,
    /// Who it is, where no request over HTTP tells.
    caller: Option<Caller>,
}

impl Server {
    pub(super) fn new(doors: Doors, extended: bool) -> Self {
        let extended = extended || doors.config.mcp.extended;
        let memory = Arc::new(Memory::new(doors.manager.clone()));
        Self {
            doors,
            extended,
            is_carried: false,
            memory,
            address: None,
            uses: None,
            caller: None,
        }
    }

    /// The server of the client that the whole service is there for.
    pub(super) fn carried(doors: Doors, extended: bool) -> Self {
        Self {
            is_carried: true,
            ..Self::new(doors, extended).of(Caller::service(), None)
        }
    }

    /// The same server, of a client at that address that comes by a stream of its own.
    pub(super) fn of(self, caller: Caller, address: Option<IpAddr>) -> Self {
        Self {
            caller: Some(caller),
            address,
            ..self
        }
    }

    /// Who makes this very request.
    fn caller(&self, context: &RequestContext<RoleServer>) -> Result<Caller, Error> {
        let parts = context.extensions.get::<Parts>();
        let told = parts.and_then(|parts| parts.extensions.get::<Caller>());
        let caller = told.or(self.caller.as_ref());
        caller
            .cloned()
            .ok_or_else(|| Error::internal("a call without its caller"))
    }

    /// For whom what a call asks for is done, as it is written down.
    fn known(&self, context: &RequestContext<RoleServer>) -> Asker {
        let parts = context.extensions.get::<Parts>();
        let server = &self.doors.config.server;
        let place = parts.map(|parts| Place::of(server, &parts.headers, &parts.extensions));
        let program = context.client_info();
        Asker {
            door: Door::Mcp,
            address: place.and_then(|place| place.client).or(self.address),
            program: program.map(|program| format!("{} {}", program.name, program.version)),
            token: asker::label(self.caller(context).ok().as_ref()),
            lending: asker::lending(self.caller(context).ok().as_ref()),
            seat: None,
            request_id: RequestId::current().map(|id| id.to_string()),
        }
    }

    /// What this very request is called: as the one over HTTP that brought it, or by a name of its own.
    fn request_id(context: &RequestContext<RoleServer>) -> RequestId {
        let parts = context.extensions.get::<Parts>();
        let told = parts.and_then(|parts| parts.extensions.get::<RequestId>());
        told.cloned().unwrap_or_else(RequestId::new)
    }

    /// The same server, of a conversation over streamable HTTP.
    fn of_http(self, uses: Uses) -> Self {
        Self {
            uses: Some(uses),
            ..self
        }
    }

    /// Keeps the conversation from being idle, though its client may have gone from the call.
    fn in_use(&self, context: &RequestContext<RoleServer>) -> Option<InUse> {
        let parts = context.extensions.get::<Parts>()?;
        let id = parts.headers.get(sessions::SESSION_ID)?.to_str().ok()?;
        Some(self.uses.as_ref()?.begin(id))
    }

    /// Whether the caller of this very request sees the extended tools.
    fn is_extended(&self, context: &RequestContext<RoleServer>) -> bool {
        let query = context
            .extensions
            .get::<Parts>()
            .and_then(|parts| parts.uri.query());
        self.extended || query.is_some_and(asks_for_extended)
    }
}

/// Whether a query string has `extended=true`.
fn asks_for_extended(query: &str) -> bool {
    query.split('&').any(|pair| pair == "extended=true")
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let name = Implementation::new("ghostcast", env!("CARGO_PKG_VERSION"))
            .with_title("Ghostcast")
            .with_description(env!("CARGO_PKG_DESCRIPTION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(name)
            .with_instructions(match self.is_carried {
                true => format!("{INSTRUCTIONS} {CARRIED}"),
                false => INSTRUCTIONS.to_owned(),
            })
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = catalog::tools(self.is_extended(&context));
        Ok(ListToolsResult::with_all_items(tools))
    }

    // What the library answers with an empty list, as if there were such things here.
    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn list_resources(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourcesRequestMethod>())
    }

    async fn list_resource_templates(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Err(ErrorData::method_not_found::<
            ListResourceTemplatesRequestMethod,
        >())
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<CompleteRequestMethod>())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let _in_use = self.in_use(&context);
        let name = request.name.as_ref();
        let request_id = Self::request_id(&context);
        let meta = Map::from_iter([("request_id".to_owned(), request_id.as_str().into())]);
        let Some(tool) = catalog::ToolName::parse(name, self.is_extended(&context)) else {
            let shown: String = name.chars().take(64).collect();
            let message = format!("Unknown tool: {shown}. tools/list names those there are.");
            return Err(ErrorData::invalid_params(message, Some(meta.into())));
        };
        let arguments = request.arguments.unwrap_or_default();
        let calling = async {
            let calling = Box::pin(calls::call(self, tool, arguments, &context));
            self.known(&context).scope(calling).await
        };
        let mut result = request_id.scope(calling).await;
        if result.is_error == Some(true) {
            // Beside what models read.
            result.meta.get_or_insert_default().extend(meta.into());
        }
        Ok(CallToolResponse::from(result))
    }
}

/// The routes of this door. Who may come in is decided before them, as for every door.
pub(super) fn routes(doors: &Doors) -> OpenApiRouter<Doors> {
    let settings = &doors.config.mcp;
    let idle_max = Duration::from_secs(settings.session_idle_s);
    let sessions = Arc::new(Sessions::new(settings.sessions_max, idle_max));
    let uses = sessions.uses();
    let config = StreamableHttpServerConfig::default()
        // Host and Origin are checked for all doors alike.
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_max_request_body_bytes(doors.config.server.body_bytes_max)
        .with_sse_keep_alive(Some(doors.config.events.heartbeat()))
        .with_cancellation_token(doors.life.cancel.child_token());
    let server = doors.clone();
    let service = StreamableHttpService::new(
        move || Ok(Server::new(server.clone(), false).of_http(uses.clone())),
        Arc::clone(&sessions),
        config,
    );
    let gate = sessions::Gate {
        doors: doors.clone(),
        sessions,
    };
    OpenApiRouter::default()
        .routes(routes!(http::message, http::stream, http::end))
        .route_layer(from_fn_with_state(gate, sessions::explain))
        .route_layer(Extension(http::Conversations::new(service)))
        .routes(routes!(socket::socket))
}

/// Serves one client on a stream of lines until it hangs up.
pub(super) async fn serve<S>(server: Server, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    match serve_server(server, stream).await {
        Ok(running) => drop(running.waiting().await),
        Err(error) => tracing::debug!(error = %Chain(&error), "an MCP client did not get going"),
    }
}
