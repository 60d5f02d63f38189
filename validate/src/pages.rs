//! The pages that the tests open, served on loopback: nothing is fetched from the network. A page
//! called "Example Domain" stands for example.com.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::outcome::Outcome;

/// How long a slow page takes.
const SLOW: Duration = Duration::from_millis(1_200);

/// Where the button of the form is pressed: the middle of it.
pub(super) const PRESS_AT: (f64, f64) = (700.0, 340.0);

const FORM: &str = "<a href='/two' style='position:absolute;left:600px;top:200px'>Second page</a>
<button id=press style='position:absolute;left:600px;top:300px;width:200px;height:80px'>Press me</button>
<button id=paint style='position:absolute;left:900px;top:300px;width:200px;height:80px'>Paint it</button>
<input id=name aria-label=Name style='position:absolute;left:600px;top:450px;width:200px;height:30px'>
<script>
window.hits = [];
addEventListener('click', (e) => hits.push({x: e.clientX, y: e.clientY, id: e.target.id}), true);
document.getElementById('paint').onclick = () => { document.body.style.background = '#3366cc'; };
</script>";

const LIST: &str = "<div id=room style='margin-top:60px'></div><script>
const names = ['Apples', 'Pears', 'Plums', 'Figs'];
window.chosen = '';
function draw() {
  document.getElementById('room').replaceChildren(...names.map((name) => {
    const made = document.createElement('button');
    made.textContent = name;
    made.onclick = (e) => { e.stopPropagation(); window.chosen = name; };
    return made;
  }));
}
draw();
addEventListener('click', () => { names.reverse(); draw(); });
</script>";

/// The colour changes with every frame, so that each is a picture of its own.
const CLOCK: &str = "<div id=bar style='width:100px;height:100px;position:fixed'></div><script>
let n = 0;
function tick() {
  n += 1;
  const bar = document.getElementById('bar');
  bar.style.left = (n * 7) % 1000 + 'px';
  bar.style.background = `hsl(${n % 360} 90% 50%)`;
  requestAnimationFrame(tick);
}
tick();
</script>";

/// Ways for a page to reach a place by itself.
const ESCAPE: &str = "<script>
const query = new URLSearchParams(location.search), to = query.get('to');
if (query.get('how') === 'script') location.href = to;
if (query.get('how') === 'popup') window.open(to);
if (query.get('how') === 'fetch') fetch(to, {mode: 'no-cors'}).catch(() => 0);
if (query.get('how') === 'frame') {
  const frame = document.createElement('iframe'); frame.src = to; document.body.append(frame);
}
if (query.get('how') === 'link') {
  const link = document.createElement('a'); link.href = to; link.textContent = 'Follow';
  document.body.append(link);
}
</script>";

/// One request that a page server got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrival {
    /// The name that it was asked by, without the port.
    pub(super) host: String,
    /// Path and query.
    pub(super) path: String,
}

type Seen = Arc<Mutex<Log>>;

#[derive(Debug, Default)]
struct Log {
    arrivals: Vec<Arrival>,
    questions: Vec<Value>,
}

/// A running page server; ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    address: SocketAddr,
    seen: Seen,
    _serving: Arc<Serving>,
}

#[derive(Debug)]
struct Serving(tokio::task::JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Pages {
    pub(super) async fn serve() -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let seen = Seen::default();
        let router = router(Arc::clone(&seen));
        let serving = tokio::spawn(async move {
            // A server that ends early shows as pages that do not open.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            seen,
            _serving: Arc::new(Serving(serving)),
        })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The same page by another name of this machine; every name under localhost is one.
    pub(super) fn url_at(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }

    pub(super) fn arrivals(&self, host: &str) -> Vec<Arrival> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let arrivals = seen.arrivals.iter();
        arrivals.filter(|a| a.host == host).cloned().collect()
    }

    pub(super) fn arrivals_at(&self, path: &str) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.arrivals.iter().filter(|a| a.path == path).count()
    }

    /// What the stand-in for a model was asked.
    pub(super) fn questions(&self) -> Vec<Value> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.questions.clone()
    }
}

fn router(seen: Seen) -> Router {
    let example = "<h1>Example Domain</h1><p>A local page in the place of example.com.</p>";
    let tall = "<div style='width:4000px;height:4000px;background:linear-gradient(#fff,#369)'>";
    let page = |title: &'static str, body: &'static str| get(async move || html(title, body));
    Router::new()
        .route("/example", page("Example Domain", example))
        .route("/two", page("Second page", "<h1>Second page</h1>"))
        .route("/form", page("Form", FORM))
        .route("/list", page("List", LIST))
        .route("/clock", page("Clock", CLOCK))
        .route("/tall", page("Tall", tall))
        .route("/escape", page("Escape", ESCAPE))
        .route("/flat/{colour}", get(flat))
        .route("/slow", get(slow))
        .route("/hang", get(std::future::pending::<Response>))
        .route("/redirect", get(redirect))
        .route("/v1/chat/completions", post(complete))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&seen),
            note,
        ))
        .with_state(seen)
}

fn html(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>\
         <link rel=icon href='data:,'><body style='margin:0;background:#fff'>{body}</body></html>"
    ))
}

async fn flat(Path(colour): Path<String>) -> Html<String> {
    let colour: String = colour.chars().filter(char::is_ascii_hexdigit).collect();
    let style = "position:fixed;inset:0;background:";
    html("Flat", &format!("<div style='{style}#{colour}'></div>"))
}

async fn slow() -> Html<String> {
    tokio::time::sleep(SLOW).await;
    html("Slow", "<h1>Slow</h1>")
}

async fn redirect(Query(query): Query<HashMap<String, String>>) -> Redirect {
    Redirect::to(query.get("to").map_or("/two", String::as_str))
}

/// Answers as a model would, and keeps what it was asked.
async fn complete(State(seen): State<Seen>, body: axum::Json<Value>) -> axum::Json<Value> {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.questions.push(body.0);
    let message = json!({ "role": "assistant", "content": "A page of one colour." });
    axum::Json(json!({ "model": "stand-in", "choices": [{ "message": message }] }))
}

async fn note(
    State(seen): State<Seen>,
    uri: Uri,
    headers: HeaderMap,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.arrivals.push(Arrival {
            host: host.to_owned(),
            path: path.to_owned(),
        });
    }
    next.run(request).await.into_response()
}
