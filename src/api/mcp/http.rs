//! `/mcp`: MCP over streamable HTTP, as the library speaks it.

use axum::Extension;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use rmcp::transport::streamable_http_server::StreamableHttpService;

use super::super::status::ErrorBody;
use super::Server;
use super::sessions::Sessions;

/// All conversations over HTTP. Cheap to clone.
#[derive(Clone)]
pub(super) struct Conversations(StreamableHttpService<Server, Sessions>);

impl Conversations {
    pub(super) fn new(service: StreamableHttpService<Server, Sessions>) -> Self {
        Self(service)
    }

    async fn answer(&self, request: Request) -> Response {
        self.0.handle(request).await.map(Body::new)
    }
}

/// Say something in MCP: one message of JSON-RPC 2.0. `initialize` begins a conversation, whose id is in the
/// answer's header Mcp-Session-Id; since 2026-07-28 requests may stand on their own.
#[utoipa::path(post, path = "/mcp", tag = "mcp", operation_id = "mcp_message",
    params(
        ("extended" = Option<bool>, Query, description = "With the extended tools besides the default seven"),
        ("Mcp-Session-Id" = Option<String>, Header, description = "The conversation, if there is one"),
    ),
    request_body(content = Object, content_type = "application/json"), responses(
    (status = 200, description = "The answer, at once or as the last of a stream of events",
        content((Object = "application/json"), (String = "text/event-stream"))),
    (status = 202, description = "The message wants no answer"),
    (status = 400, description = "The message is none, or says something else than its headers", content(
        (Object = "application/json"))),
    (status = 404, description = "No such conversation: begin another; or no such method", content(
        (Object = "application/json"))),
    (status = 406, description = "Accept takes neither JSON nor events", body = ErrorBody),
    (status = 415, description = "Not JSON", body = ErrorBody),
))]
pub(super) async fn message(
    Extension(conversations): Extension<Conversations>,
    request: Request,
) -> Response {
    conversations.answer(request).await
}

/// Hear what a conversation is told beside answers, as server-sent events.
#[utoipa::path(get, path = "/mcp", tag = "mcp", operation_id = "mcp_stream",
    params(
        ("Mcp-Session-Id" = Option<String>, Header, description = "The conversation; without it: 400"),
        ("Last-Event-ID" = Option<String>, Header, description = "Goes on after this event"),
    ), responses(
    (status = 200, description = "Messages of JSON-RPC", body = String, content_type = "text/event-stream"),
    (status = 404, description = "No such conversation", body = ErrorBody),
    (status = 406, description = "Accept does not take events", body = ErrorBody),
))]
pub(super) async fn stream(
    Extension(conversations): Extension<Conversations>,
    request: Request,
) -> Response {
    conversations.answer(request).await
}

/// End a conversation.
#[utoipa::path(delete, path = "/mcp", tag = "mcp", operation_id = "mcp_end",
    params(
        ("Mcp-Session-Id" = Option<String>, Header, description = "The conversation; without it: 400"),
    ), responses(
    (status = 204, description = "It has ended"),
    (status = 404, description = "No such conversation", body = ErrorBody),
))]
pub(super) async fn end(
    Extension(conversations): Extension<Conversations>,
    request: Request,
) -> Response {
    conversations.answer(request).await
}
