//! A headful Chromium on our display, driven by the bare protocol.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use ghostcast::display::Display;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const FLAGS: &[&str] = &[
    "--ozone-platform=wayland",
    "--disable-gpu",
    "--kiosk",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-sandbox",
    "--test-type",
    "--hide-crash-restore-bubble",
    "--force-color-profile=srgb",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--password-store=basic",
    "--mute-audio",
    "--remote-debugging-port=0",
    "--no-startup-window",
];

/// A browser, its display, and the way to drive it.
#[derive(Debug)]
pub(crate) struct Chromium {
    pub(crate) display: Display,
    pub(crate) child: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next: u64,
    dir: PathBuf,
}

/// A page, in a context of its own unless it shares one.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) target: String,
    pub(crate) session: String,
}

static DIRS: AtomicU64 = AtomicU64::new(0);

/// A new private directory.
pub(crate) fn private_dir() -> PathBuf {
    use std::os::unix::fs::DirBuilderExt;
    let number = DIRS.fetch_add(1, Ordering::Relaxed);
    let name = format!("ghostcast-display-{}-{number}", std::process::id());
    let dir = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&dir);
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700).create(&dir).unwrap();
    dir
}

impl Chromium {
    pub(crate) async fn start() -> Self {
        let dir = private_dir();
        let display = Display::open(&dir).unwrap();
        let profile = dir.join("profile");
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let mut command = Command::new("chromium");
        command
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .envs(display.environment())
            .env_remove("DISPLAY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("these tests want a headful Chromium: apt-get install chromium ({error})")
        });
        let address = address(&profile, &dir.join("log")).await;
        let (socket, _) = tokio_tungstenite::connect_async(address).await.unwrap();
        Self {
            display,
            child,
            socket,
            next: 0,
            dir,
        }
    }

    pub(crate) async fn call(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Value {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let text = message.to_string();
        self.socket.send(Message::text(text)).await.unwrap();
        loop {
            let wait = tokio::time::timeout(Duration::from_secs(20), self.socket.next());
            let message = wait.await.expect("an answer in time").unwrap().unwrap();
            let Message::Text(text) = message else {
                continue;
            };
            let value: Value = serde_json::from_str(text.as_str()).unwrap();
            if value["id"] == self.next {
                assert!(value["error"].is_null(), "{method}: {value}");
                return value["result"].clone();
            }
        }
    }

    /// Opens a window with that document in a context of its own.
    pub(crate) async fn open(&mut self, html: &str) -> Page {
        let context = self
            .call(None, "Target.createBrowserContext", json!({}))
            .await;
        let context = &context["browserContextId"];
        let url = format!("data:text/html,{}", encoded(html));
        let params = json!({"url": url, "newWindow": true, "browserContextId": context});
        let target = self.call(None, "Target.createTarget", params).await;
        let target = target["targetId"].as_str().unwrap().to_owned();
        let params = json!({"targetId": target, "flatten": true});
        let session = self.call(None, "Target.attachToTarget", params).await;
        Page {
            target,
            session: session["sessionId"].as_str().unwrap().to_owned(),
        }
    }

    pub(crate) async fn eval(&mut self, page: &Page, script: &str) -> Value {
        let params = json!({"expression": script, "awaitPromise": true, "returnByValue": true});
        let result = self
            .call(Some(&page.session), "Runtime.evaluate", params)
            .await;
        assert!(result["exceptionDetails"].is_null(), "{script}: {result}");
        result["result"]["value"].clone()
    }

    pub(crate) async fn close(&mut self, page: &Page) {
        let params = json!({"targetId": page.target});
        self.call(None, "Target.closeTarget", params).await;
    }

    async fn mouse(&mut self, page: &Page, kind: &str, x: f64, y: f64) {
        let params = json!({
            "type": kind, "x": x, "y": y,
            "button": if kind == "mouseMoved" { "none" } else { "left" },
            "clickCount": i32::from(kind != "mouseMoved"),
        });
        self.call(Some(&page.session), "Input.dispatchMouseEvent", params)
            .await;
    }

    pub(crate) async fn click(&mut self, page: &Page, x: f64, y: f64) {
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            self.mouse(page, kind, x, y).await;
        }
    }

    pub(crate) async fn key(&mut self, page: &Page, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let params =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            self.call(Some(&page.session), "Input.dispatchKeyEvent", params)
                .await;
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

async fn address(profile: &Path, log: &Path) -> String {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let text = std::fs::read_to_string(profile.join("DevToolsActivePort")).unwrap_or_default();
        if let Some((port, path)) = text.split_once('\n').filter(|(_, path)| !path.is_empty()) {
            return format!("ws://127.0.0.1:{port}{}", path.trim());
        }
        let log = || std::fs::read_to_string(log).unwrap_or_default();
        assert!(Instant::now() < until, "Chromium did not start: {}", log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn encoded(html: &str) -> String {
    percent_encoding::utf8_percent_encode(html, percent_encoding::NON_ALPHANUMERIC).to_string()
}
