//! `GET /mcp/socket`: MCP over a WebSocket, one JSON-RPC message a text frame.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex, split,
};
use tokio::time::{Instant, interval_at, timeout};
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use super::super::access::Caller;
use super::super::body::Params;
use super::super::events::{READ_BUFFER, must_upgrade};
use super::super::farewell::Farewell;
use super::super::place::Place;
use super::super::request_id::going_on;
use super::super::status::ErrorBody;
use super::super::{Doors, Life};
use super::{Server, serve};
use crate::error::Error;

/// What the subprotocol is called.
const SUBPROTOCOL: &str = "mcp";
/// Tells who attaches how long a message may be, bytes.
const BYTES_MAX: HeaderName = HeaderName::from_static("x-message-bytes-max");
/// Bytes under way between the socket and the server.
const PIPE_BYTES: usize = 64 * 1024;

/// Which tools.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct SocketQuery {
    /// With the extended tools besides the default seven.
    #[serde(default)]
    extended: bool,
}

/// Speak MCP by WebSocket: each text frame is one message of JSON-RPC 2.0, and the conversation ends with it.
#[utoipa::path(get, path = "/mcp/socket", tag = "mcp", operation_id = "mcp_socket",
    params(SocketQuery), responses(
    (status = 101, description = "Text frames follow. The header X-Message-Bytes-Max tells how long one may be"),
    (status = 400, description = "No WebSocket handshake", body = ErrorBody),
))]
pub(in super::super) async fn socket(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<SocketQuery>,
    headers: HeaderMap,
    extensions: Extensions,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    let upgrade = must_upgrade(upgrade, "Connect with a WebSocket client, or POST to /mcp.")?;
    let bytes_max = doors.config.server.body_bytes_max;
    let heartbeat = doors.config.events.heartbeat();
    let Life {
        tracker, cancel, ..
    } = doors.life.clone();
    let tracked = tracker.token();
    let place = Place::of(&doors.config.server, &headers, &extensions);
    let gone = caller.gone.clone();
    let server = Server::new(doors, query.extended).of(caller, place.client);
    let mut response = upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .max_message_size(bytes_max)
        .max_frame_size(bytes_max)
        .on_upgrade(going_on(async move |socket| {
            let (ours, theirs) = duplex(PIPE_BYTES);
            let pumping = async {
                pump(socket, ours, heartbeat, cancel, gone).await;
                drop(tracked);
            };
            tokio::join!(serve(server, theirs), pumping);
        }));
    let bytes_max = HeaderValue::from(bytes_max);
    response.headers_mut().insert(BYTES_MAX, bytes_max);
    Ok(response)
}

/// Carries frames to lines and lines to frames, each way at its own pace. A socket that answers no
/// ping, or takes nothing for two heartbeats, is dead.
async fn pump(
    socket: WebSocket,
    stream: DuplexStream,
    heartbeat: Duration,
    cancel: CancellationToken,
    gone: CancellationToken,
) {
    let (reading, writing) = split(stream);
    let (mut sink, frames) = socket.split();
    let unanswered = AtomicU32::new(0);
    let farewell = tokio::select! {
        farewell = inwards(frames, writing, &unanswered) => farewell,
        () = outwards(reading, &mut sink, heartbeat, &unanswered) => None,
        () = cancel.cancelled() => Some(Farewell::GoingAway),
        () = gone.cancelled() => Some(Farewell::NotLetIn),
    };
    if let Some(farewell) = farewell {
        farewell.say(&mut sink).await;
    }
}

async fn inwards(
    mut frames: SplitStream<WebSocket>,
    mut writing: WriteHalf<DuplexStream>,
    unanswered: &AtomicU32,
) -> Option<Farewell> {
    loop {
        let message = match frames.next().await? {
            Ok(message) => message,
            Err(error) => return Farewell::of(error),
        };
        unanswered.store(0, Ordering::Relaxed);
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return None,
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => continue,
        };
        // Within JSON a line end is mere space.
        let mut line = text.replace(['\n', '\r'], " ");
        line.push('\n');
        if writing.write_all(line.as_bytes()).await.is_err() {
            return None;
        }
    }
}

async fn outwards(
    reading: ReadHalf<DuplexStream>,
    sink: &mut SplitSink<WebSocket, Message>,
    heartbeat: Duration,
    unanswered: &AtomicU32,
) {
    let mut lines = BufReader::new(reading).lines();
    let mut pings = interval_at(Instant::now() + heartbeat, heartbeat);
    loop {
        let message = tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => Message::text(line),
                Ok(None) | Err(_) => return,
            },
            _ = pings.tick() => {
                if unanswered.fetch_add(1, Ordering::Relaxed) >= 2 {
                    return;
                }
                Message::Ping(bytes::Bytes::new())
            }
        };
        if !matches!(timeout(heartbeat * 2, sink.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
}
