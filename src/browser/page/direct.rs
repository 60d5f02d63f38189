//! `Page.navigate` on a connection of its own.
//!
//! chromiumoxide holds a navigation back until the one before it has loaded, so a server that
//! never answers would block every later URL. Chromium itself lets the newest navigation win.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{client_async_with_config, tungstenite};

use super::super::error::Error;

const OPERATION: &str = "navigate";
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The answer is a few hundred bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Asks the page `target` of the browser at `debugger` to go to `url`. Returns with Chromium's
/// answer, which comes when the document is committed or has failed.
pub(super) async fn navigate(debugger: SocketAddr, target: &str, url: &str) -> Result<(), Error> {
    let connect = async {
        let stream = tokio::net::TcpStream::connect(debugger).await?;
        let address = format!("ws://{debugger}/devtools/page/{target}");
        let config = WebSocketConfig::default().max_message_size(Some(ANSWER_BYTES_MAX));
        client_async_with_config(address, stream, Some(config)).await
    };
    let (mut socket, _) = timeout(CONNECT_WITHIN, connect)
        .await
        .map_err(|_| Error::Timeout {
            operation: OPERATION,
        })?
        .map_err(failed)?;
    let command = json!({ "id": 1, "method": "Page.navigate", "params": { "url": url } });
    socket
        .send(Message::text(command.to_string()))
        .await
        .map_err(failed)?;
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message.map_err(failed)? else {
            continue;
        };
        let answer: Value = serde_json::from_str(&text).map_err(|error| Error::Command {
            operation: OPERATION,
            source: error.into(),
        })?;
        if answer.get("id") != Some(&json!(1)) {
            continue;
        }
        return match answer.pointer("/error/message").and_then(Value::as_str) {
            Some(refusal) => Err(Error::Command {
                operation: OPERATION,
                source: refusal.to_owned().into(),
            }),
            None => Ok(()),
        };
    }
    Err(Error::Gone)
}

fn failed(error: tungstenite::Error) -> Error {
    Error::Command {
        operation: OPERATION,
        source: error.into(),
    }
}
