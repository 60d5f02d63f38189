//! A DevTools connection of the tests' own: what it reads in the page is not read by the code that
//! is tested.

use std::collections::VecDeque;
use std::path::Path;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::http::{self, Body};
use super::outcome::{Expect, Failure, Outcome, ensure, result_of, seconds, until};

/// One page of a browser.
pub(super) struct Tab {
    socket: WebSocketStream<TcpStream>,
    next_id: u64,
    events: VecDeque<Value>,
}

impl Tab {
    /// Connects to the page of the one browser whose profile lies below `work_dir`.
    pub(super) async fn attach(work_dir: &Path) -> Outcome<Self> {
        let port = until(
            seconds(5),
            "the browser says where it listens",
            async || debugging_port(work_dir),
        )
        .await?;
        let url = format!("http://127.0.0.1:{port}/json/list");
        let list = http::ask("GET", &url, None, Body::None);
        let list = list.await?.json()?;
        let pages = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let page = pages.iter().find(|target| target["type"] == "page");
        let id = page.and_then(|page| page["id"].as_str());
        let id = id.expect_that("the browser has a page")?;
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let url = format!("ws://127.0.0.1:{port}/devtools/page/{id}");
        let (socket, _) = client_async(url, stream).await?;
        Ok(Self {
            socket,
            next_id: 1,
            events: VecDeque::new(),
        })
    }

    /// Sends a command; answers its result.
    pub(super) async fn call(&mut self, method: &str, params: Value) -> Outcome<Value> {
        let id = self.next_id;
        self.next_id += 1;
        let command = json!({ "id": id, "method": method, "params": params });
        self.socket.send(Message::text(command.to_string())).await?;
        loop {
            let message = self.read().await?;
            if message["id"] == id {
                return result_of(method, message);
            }
            self.events.push_back(message);
        }
    }

    /// Evaluates an expression in the page's own world.
    pub(super) async fn evaluate(&mut self, expression: &str) -> Outcome<Value> {
        let params = json!({ "expression": expression, "returnByValue": true });
        let mut result = self.call("Runtime.evaluate", params).await?;
        ensure!(
            result.get("exceptionDetails").is_none(),
            "{expression} fails in the page: {}",
            result["exceptionDetails"]
        );
        Ok(result["result"]["value"].take())
    }

    /// Waits for an event; answers its parameters.
    pub(super) async fn event(&mut self, method: &str) -> Outcome<Value> {
        loop {
            let mut message = match self.events.pop_front() {
                Some(message) => message,
                None => self.read().await?,
            };
            if message["method"] == method {
                return Ok(message["params"].take());
            }
        }
    }

    async fn read(&mut self) -> Outcome<Value> {
        let reading = async {
            while let Some(message) = self.socket.next().await {
                if let Message::Text(text) = message? {
                    return Ok(serde_json::from_str(&text)?);
                }
            }
            Err(Failure::new("the browser closed the DevTools connection"))
        };
        let read = tokio::time::timeout(seconds(10), reading).await;
        read.expect_that("the browser answers on the DevTools connection")?
    }
}

/// Where the browser listens, as it wrote into its profile.
fn debugging_port(work_dir: &Path) -> Option<u16> {
    let directories = std::fs::read_dir(work_dir).ok()?.flatten();
    let profiles = directories.filter_map(|entry| std::fs::read_dir(entry.path()).ok());
    let mut files = profiles
        .flatten()
        .flatten()
        .map(|profile| profile.path().join("DevToolsActivePort"));
    files.find_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        text.lines().next()?.parse().ok()
    })
}
