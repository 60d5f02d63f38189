//! `GET /mcp/socket`: MCP over a WebSocket, one JSON-RPC message a text frame.

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex, split,
};

use super::super::Doors;
use super::super::body::Params;
use super::{Server, serve};
use crate::error::Error;

/// What the subprotocol is called.
const SUBPROTOCOL: &str = "mcp";
/// Bytes under way between the socket and the server.
const PIPE_BYTES: usize = 64 * 1024;

/// Which tools.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct SocketQuery {
    #[serde(default)]
    extended: bool,
    /// The token, where no header can be set.
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
}

/// Serves MCP on a WebSocket.
pub(in super::super) async fn socket(
    State(doors): State<Doors>,
    Params(query): Params<SocketQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    let upgrade = upgrade.map_err(|rejection| {
        Error::invalid_input(format!("this path speaks WebSocket only: {rejection}"))
            .hint("Connect with a WebSocket client, or POST to /mcp.")
    })?;
    let bytes_max = doors.config.server.body_bytes_max;
    let server = Server::new(doors, query.extended);
    Ok(upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(bytes_max)
        .on_upgrade(move |socket| async move {
            let (ours, theirs) = duplex(PIPE_BYTES);
            tokio::join!(serve(server, theirs), pump(socket, ours));
        }))
}

/// Carries frames to lines and lines to frames, each way at its own pace.
async fn pump(socket: WebSocket, stream: DuplexStream) {
    let (reading, writing) = split(stream);
    let (sink, frames) = socket.split();
    tokio::select! {
        () = inwards(frames, writing) => (),
        () = outwards(reading, sink) => (),
    }
}

async fn inwards(mut frames: SplitStream<WebSocket>, mut writing: WriteHalf<DuplexStream>) {
    while let Some(Ok(message)) = frames.next().await {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return,
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => continue,
        };
        // Within JSON a line end is mere space.
        let mut line = text.replace(['\n', '\r'], " ");
        line.push('\n');
        if writing.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn outwards(reading: ReadHalf<DuplexStream>, mut sink: SplitSink<WebSocket, Message>) {
    let mut lines = BufReader::new(reading).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if sink.send(Message::text(line)).await.is_err() {
            return;
        }
    }
}
