//! MCP by hand: what opens a conversation, and one call of a tool over the service's WebSocket.

use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::outcome::{Expect, Failure, Outcome, ensure, result_of, seconds};

/// A request.
pub(super) fn request(id: u64, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// What `initialize` is called with.
pub(super) fn hello() -> Value {
    json!({
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": { "name": "ghostcast-validate", "version": "1" },
    })
}

/// What is said when `initialize` is answered.
pub(super) fn ready() -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })
}

/// Calls a tool, which must succeed, in a conversation of its own; answers its facts.
pub(super) async fn call_by_socket(
    service: SocketAddr,
    tool: &str,
    arguments: Value,
) -> Outcome<Value> {
    let stream = TcpStream::connect(service).await?;
    let url = format!("ws://{service}/mcp/socket");
    let (mut socket, _) = client_async(url, stream).await?;
    ask(&mut socket, 1, "initialize", hello()).await?;
    socket.send(Message::text(ready().to_string())).await?;
    let params = json!({ "name": tool, "arguments": arguments });
    let mut result = ask(&mut socket, 2, "tools/call", params).await?;
    let sentence = &result["content"][0]["text"];
    ensure!(result["isError"] != true, "{tool} fails: {sentence}");
    Ok(result["structuredContent"].take())
}

async fn ask(
    socket: &mut WebSocketStream<TcpStream>,
    id: u64,
    method: &str,
    params: Value,
) -> Outcome<Value> {
    let message = request(id, method, params).to_string();
    socket.send(Message::text(message)).await?;
    let reading = async {
        while let Some(message) = socket.next().await {
            if let Message::Text(text) = message? {
                let message: Value = serde_json::from_str(&text)?;
                if message["id"] == id {
                    return result_of(method, message);
                }
            }
        }
        Err(Failure::new("the service closed the MCP socket"))
    };
    let answered = tokio::time::timeout(seconds(20), reading).await;
    answered.expect_that(&format!("{method} is answered"))?
}
