//! The demo: one session on a small built-in page, driven by Ghostcast itself in a short loop,
//! so that there is something to see without any network.
//!
//! The page is served apart from the service's own address, which no page may reach.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::api;
use crate::error::Error;
use crate::model::command::ActionRequest;
use crate::model::{RoomName, SessionSpec};
use crate::session::{ContextOptions, Manager, SessionHandle};

/// The room of the demo.
const ROOM: &str = "demo";
/// Pause between two actions, as a person would make.
const BREATH: Duration = Duration::from_millis(900);
/// A page that is missing something is looked at again after this.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// One step of the loop. Elements are found by their accessible names.
enum Step {
    Click(&'static str),
    Type(&'static str, &'static str),
    Scroll(&'static str, f64),
    Rest(Duration),
}

const SCRIPT: [Step; 15] = [
    Step::Type("New task", "Water the ghost orchids"),
    Step::Click("Add task"),
    Step::Click("Water the ghost orchids"),
    Step::Click("Dusk"),
    Step::Type("New task", "Call the lighthouse"),
    Step::Click("Add task"),
    Step::Click("Night"),
    Step::Click("Paint area"),
    Step::Click("Sign up"),
    Step::Type("Name", "Ada Lovelace"),
    Step::Click("Board"),
    Step::Scroll("down", 520.0),
    Step::Rest(Duration::from_millis(800)),
    Step::Scroll("up", 520.0),
    Step::Click("Noon"),
];

/// Opens the demo's session: on `url`, or on the built-in page, which is then driven for ever.
pub async fn start(manager: &Manager, url: Option<String>) -> Result<(), Error> {
    let is_own = url.is_none();
    let url = match url {
        Some(url) => url,
        None => format!("http://{}/demo", serve_page().await?),
    };
    let spec = SessionSpec {
        initial_url: Some(url),
        ..SessionSpec::of(RoomName::parse(ROOM)?)
    };
    let session = manager.start(spec).await?;
    session.opened().await;
    if is_own {
        // A shutdown does not wait for the script's rests.
        tokio::spawn(drive(session));
    }
    Ok(())
}

async fn serve_page() -> Result<SocketAddr, Error> {
    let broken = |error| Error::unavailable("the demo page cannot be served").source(error);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(broken)?;
    let address = listener.local_addr().map_err(broken)?;
    let serving = axum::serve(listener, api::demo_page());
    // Not tracked: it serves for as long as the process lives, and a shutdown does not wait for it.
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::warn!(%error, "the demo page is no longer served");
        }
    });
    Ok(address)
}

/// Plays the script over and over, until the session is closed.
async fn drive(session: SessionHandle) {
    loop {
        for step in &SCRIPT {
            tokio::time::sleep(BREATH).await;
            if session.record().state.is_dead() {
                return;
            }
            play(&session, step).await;
        }
    }
}

async fn play(session: &SessionHandle, step: &Step) {
    let (action_type, params) = match step {
        Step::Rest(time) => return tokio::time::sleep(*time).await,
        Step::Scroll(direction, amount) => (
            "scroll",
            json!({ "direction": direction, "amount": amount }),
        ),
        Step::Click(name) => match find(session, name).await {
            Some(index) => ("click", json!({ "index": index })),
            None => return,
        },
        Step::Type(name, text) => match find(session, name).await {
            Some(index) => (
                "type",
                json!({ "index": index, "text": text, "clear": true }),
            ),
            None => return,
        },
    };
    let Value::Object(params) = params else {
        return;
    };
    let action = ActionRequest::new(action_type, params);
    match session.act(action).await {
        Ok(result) => {
            if let Some(error) = result.error {
                tracing::debug!(error, "a step of the demo failed");
            }
        }
        Err(error) => {
            tracing::debug!(%error, "a step of the demo was refused");
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}

/// The index of the first element whose accessible name begins like this.
async fn find(session: &SessionHandle, name: &str) -> Option<u64> {
    let options = ContextOptions {
        elements: true,
        limit: Some(500),
        ..ContextOptions::default()
    };
    let elements = session.context(options).await.ok()?.elements?.elements;
    let named = |element: &&Value| {
        element
            .get("name")
            .and_then(Value::as_str)
            .is_some_and(|text| text.starts_with(name))
    };
    elements.iter().find(named)?.get("index")?.as_u64()
}
