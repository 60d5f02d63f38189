//! Step 12, beyond the source's 34: events, as a WebSocket client gets them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::bench::Bench;
use super::http::Body;
use super::mcp;
use super::outcome::{Expect, Outcome, ensure, seconds, until};
use super::processes;
use super::runner::Runner;
use super::session::Session;
use super::socket::Events;

/// The six types, each with exactly its fields.
const SHAPES: [(&str, &[&str]); 6] = [
    ("page_navigation", &["url"]),
    ("page_load_complete", &["url"]),
    ("dom_change", &["change_type"]),
    ("action_completed", &["action"]),
    ("action_error", &["error", "action"]),
    ("browser_error", &["error"]),
];
/// Locally an event takes no longer.
const DELAY_MAX: Duration = Duration::from_millis(200);

pub(super) async fn run_step12_tests(runner: &mut Runner) -> bool {
    runner.begin(12, "Events");
    let passed = [
        runner
            .test("Six Types with Exact Fields", test_step12_six_types)
            .await,
        runner
            .test("One End for Each Action", test_step12_one_end)
            .await,
        runner
            .test("Order of a Navigation", test_step12_order)
            .await,
        runner
            .test("Connections Are Counted", test_step12_connections)
            .await,
        runner
            .test("The Same by MCP and REST", test_step12_doors)
            .await,
    ];
    runner.tally(&passed)
}

/// The event is flat and has exactly the fields of its type.
fn check_shape(event: &Value) -> Outcome {
    let type_name = event["type"].as_str().unwrap_or_default();
    let shape = SHAPES.iter().find(|(name, _)| *name == type_name);
    let (_, own) = shape.expect_that(&format!("{type_name} is one of the six types"))?;
    let common = ["type", "timestamp", "seq"];
    let wanted: BTreeSet<&str> = common.iter().chain(*own).copied().collect();
    let fields = event.as_object().into_iter().flatten();
    let got: BTreeSet<&str> = fields.map(|(name, _)| name.as_str()).collect();
    ensure!(got == wanted, "{type_name} has the fields {got:?}");
    ensure!(
        event["timestamp"].is_f64() && event["seq"].is_u64(),
        "{type_name}: {event}"
    );
    for text in ["url", "change_type", "error"] {
        let field = &event[text];
        ensure!(
            field.is_null() || field.is_string(),
            "{text} is no text: {event}"
        );
    }
    if let Some(action) = event.get("action") {
        let fields: Vec<&String> = action
            .as_object()
            .into_iter()
            .flatten()
            .map(|f| f.0)
            .collect();
        ensure!(
            fields == ["action_type", "params"] && action["params"].is_object(),
            "the action is {action}"
        );
    }
    Ok(())
}

async fn test_step12_six_types(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(None).await?;
    let mut events = session.events("").await?;
    let started = Instant::now();
    session.navigate(&pages.url("/form")).await?;
    events
        .wait(seconds(3), "action_completed", |_| true)
        .await?;
    bench.say(format!(
        "the navigation's end is heard {:.0} ms after its start",
        started.elapsed().as_secs_f64() * 1e3
    ));
    let mut tab = session.tab().await?;
    let insert = "void document.body.append(document.createElement('hr'))";
    tab.evaluate(insert).await?;
    events.wait(seconds(3), "dom_change", |_| true).await?;
    let sent = Instant::now();
    let bad = json!({ "index": 4000 });
    session
        .fail("click", bad.clone(), "element_not_found")
        .await?;
    let failed = sent.elapsed();
    let is_it = |event: &Value| event["action"] == json!({ "action_type": "click", "params": bad });
    events.wait(seconds(3), "action_error", is_it).await?;
    let delay = sent.elapsed().saturating_sub(failed);
    ensure!(
        delay < DELAY_MAX,
        "the event comes {delay:?} after the result"
    );
    for browser in processes::browsers(&session.service.work_dir) {
        processes::signal(browser, Signal::SIGKILL)?;
    }
    events.wait(seconds(5), "browser_error", |_| true).await?;
    events.hear_for(Duration::from_millis(300)).await;
    let mut last = 0;
    for event in &events.heard {
        check_shape(event)?;
        let seq = event["seq"].as_u64().unwrap_or_default();
        // Types that were not asked for are numbered as well.
        ensure!(seq > last, "{seq} follows {last}");
        last = seq;
    }
    for (name, _) in SHAPES {
        let count = events.of(name).len();
        bench.say(format!("{name}: {count}"));
        ensure!(count > 0, "{name} is not heard");
    }
    let crashes = events.of("browser_error").len();
    ensure!(crashes == 1, "one crash is told {crashes} times");
    Ok(())
}

async fn test_step12_one_end(bench: Bench) -> Outcome {
    const ACTIONS: usize = 50;
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/form"))).await?;
    let mut events = session.events("").await?;
    let mut good = 0;
    for number in 0..ACTIONS {
        let (action_type, params) = match number % 5 {
            0 => ("click", json!({ "x": 20, "y": 20 })),
            1 => ("click", json!({ "index": 4000 + number })),
            2 => ("wait", json!({ "seconds": 0.01 })),
            3 => ("bogus", json!({ "number": number })),
            _ => ("scroll", json!({ "direction": "down", "amount": 1 })),
        };
        good += usize::from(session.act(action_type, params).await?.success);
    }
    events.hear_for(Duration::from_millis(500)).await;
    let (completed, failed) = (
        events.of("action_completed").len(),
        events.of("action_error").len(),
    );
    bench.say(format!(
        "{ACTIONS} actions: {completed} completed, {failed} errors; by their results {good} good"
    ));
    ensure!(
        completed == good && completed + failed == ACTIONS,
        "{ACTIONS} actions end in {completed} + {failed} events"
    );
    Ok(())
}

async fn test_step12_order(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(None).await?;
    let mut events = session.events("").await?;
    for path in ["/example", "/two", "/form"] {
        let from = events.heard.len();
        session.navigate(&pages.url(path)).await?;
        events
            .wait(seconds(3), "action_completed", |_| true)
            .await?;
        let told = events.heard[from..].iter();
        let told: Vec<&str> = told
            .filter_map(|event| event["type"].as_str())
            .filter(|name| *name != "dom_change")
            .collect();
        bench.say(format!("{path}: {}", told.join(", ")));
        let expected = ["page_navigation", "page_load_complete", "action_completed"];
        ensure!(told == expected, "the order is {told:?}");
    }
    Ok(())
}

async fn connections(session: &Session, room: &str) -> Outcome<u64> {
    let path = format!("/rooms/{room}/connections");
    let answer: Value = session.service.call("GET", &path, Body::None).await?;
    let count = answer["connections"].as_u64();
    count.expect_that(&format!("the answer has a number: {answer}"))
}

async fn test_step12_connections(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(None).await?;
    let room = session.room.clone();
    let none = connections(&session, &room).await?;
    ensure!(none == 0, "{none} sockets before the first");
    let mut sockets = Vec::new();
    for wanted in 1..=3 {
        sockets.push(session.events("").await?);
        let what = format!("{wanted} sockets are counted");
        until(seconds(2), &what, async || {
            let now = connections(&session, &room).await.ok()?;
            (now == wanted).then_some(())
        })
        .await?;
    }
    let address = session.service.address;
    let mut stranger = Events::listen(address, "another", "").await?;
    session.navigate(&pages.url("/two")).await?;
    for socket in &mut sockets {
        let is_it = |event: &Value| event["url"] == pages.url("/two");
        socket.wait(seconds(2), "page_navigation", is_it).await?;
    }
    stranger.hear_for(Duration::from_millis(200)).await;
    ensure!(
        stranger.heard.is_empty(),
        "another room hears of it: {:?}",
        stranger.heard
    );
    // Dropped without a word, as by a client that crashes.
    drop(sockets);
    until(seconds(5), "lost sockets are counted no more", async || {
        let now = connections(&session, &room).await.ok()?;
        (now == 0).then_some(())
    })
    .await
}

async fn test_step12_doors(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/form"))).await?;
    let service = &session.service;
    let mut events = session.events("").await?;
    let action = json!({ "action_type": "click", "params": { "x": 30, "y": 30 } });
    let is_it = |event: &Value| event["action"] == action;
    let mut asked = action.clone();
    asked["room_name"] = session.room.as_str().into();
    mcp::call_by_socket(service.address, "execute_action", asked).await?;
    events.wait(seconds(3), "action_completed", is_it).await?;
    let path = format!("/sessions/{}/actions", session.room);
    let answer = service.ask("POST", &path, Body::Json(&action)).await?;
    ensure!(
        answer.status == 200,
        "REST answers {}: {}",
        answer.status,
        answer.text()
    );
    events.wait(seconds(3), "action_completed", is_it).await?;
    let mut told: Vec<Value> = Vec::new();
    for event in events.of("action_completed") {
        let mut event = event.clone();
        if let Some(fields) = event.as_object_mut() {
            fields.remove("seq");
            fields.remove("timestamp");
        }
        told.push(event);
    }
    ensure!(
        told.len() == 2 && told[0] == told[1],
        "the doors tell it apart: {told:?}"
    );
    let health = service.ask("GET", "/health", Body::None).await?.json()?;
    ensure!(health["status"] == "healthy", "the health is {health}");
    Ok(())
}
