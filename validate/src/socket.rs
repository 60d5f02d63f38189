//! A subscriber of a room's events, as any client is one: by WebSocket.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::outcome::{Failure, Outcome};

/// An open event socket, and what it has heard.
pub(super) struct Events {
    socket: WebSocketStream<TcpStream>,
    pub(super) heard: Vec<Value>,
}

impl Events {
    pub(super) async fn listen(service: SocketAddr, room: &str, query: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(service).await?;
        let url = format!("ws://{service}/mcp/events/{room}{query}");
        let (socket, _) = client_async(url, stream).await?;
        Ok(Self {
            socket,
            heard: Vec::new(),
        })
    }

    /// Waits for an event of a type that is as wanted, among those to come.
    pub(super) async fn wait(
        &mut self,
        within: Duration,
        type_name: &str,
        accept: impl Fn(&Value) -> bool,
    ) -> Outcome<Value> {
        let end = Instant::now() + within;
        while let Some(event) = self
            .next(end.saturating_duration_since(Instant::now()))
            .await
        {
            if event["type"] == type_name && accept(&event) {
                return Ok(event);
            }
        }
        let heard: Vec<&str> = self
            .heard
            .iter()
            .filter_map(|e| e["type"].as_str())
            .collect();
        Err(Failure::new(format!(
            "no event {type_name} as expected within {} ms; heard: {}",
            within.as_millis(),
            heard.join(", ")
        )))
    }

    /// Hears whatever comes within a time.
    pub(super) async fn hear_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while self
            .next(end.saturating_duration_since(Instant::now()))
            .await
            .is_some()
        {}
    }

    /// What was heard of one type.
    pub(super) fn of(&self, type_name: &str) -> Vec<&Value> {
        let events = self.heard.iter();
        events.filter(|event| event["type"] == type_name).collect()
    }

    async fn next(&mut self, within: Duration) -> Option<Value> {
        let reading = async {
            loop {
                if let Message::Text(text) = self.socket.next().await?.ok()? {
                    return serde_json::from_str::<Value>(&text).ok();
                }
            }
        };
        let event = tokio::time::timeout(within, reading).await.ok()??;
        self.heard.push(event.clone());
        Some(event)
    }
}
