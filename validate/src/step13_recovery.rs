//! Step 13, beyond the source's 34: what breaks is noticed, told and mended.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::bench::Bench;
use super::http::Body;
use super::outcome::{Outcome, ensure, seconds, until};
use super::processes;
use super::runner::Runner;
use super::session::Session;
use super::viewer::Viewer;

/// A crash is told within this time.
const CRASH_TOLD_WITHIN: Duration = Duration::from_secs(3);
/// Longest pause between two pictures that a recovery of a healthy session may cost.
const DISTURBANCE_MAX: Duration = Duration::from_millis(500);
/// How often a browser is asked whether it is there, and how long it may take to say so.
const PROBE_INTERVAL_MS: u64 = 300;
const PROBE_TIMEOUT_MS: u64 = 700;

pub(super) async fn run_step13_tests(runner: &mut Runner) -> bool {
    runner.begin(13, "Recovery");
    let passed = [
        runner
            .test("A Killed Browser", test_step13_killed_browser)
            .await,
        runner
            .test("A Hung Browser", test_step13_hung_browser)
            .await,
        runner
            .test("Recover a Healthy or Unknown Session", test_step13_recover)
            .await,
        runner
            .test("A Failed Action Is Corrected by Event", test_step13_agent)
            .await,
        runner
            .test("A Restart of LiveKit", test_step13_livekit_restart)
            .await,
    ];
    runner.tally(&passed)
}

fn signal_browser(session: &Session, signal: Signal) -> Outcome {
    let browsers = processes::browsers(&session.service.work_dir);
    ensure!(!browsers.is_empty(), "there is no browser to break");
    for browser in browsers {
        processes::signal(browser, signal)?;
    }
    Ok(())
}

/// Breaks the browser and checks the whole course until the room works again.
async fn break_and_restart(
    bench: &Bench,
    session: Session,
    signal: Signal,
    told_within: Duration,
) -> Outcome {
    let pages = bench.pages().await?;
    let mut events = session.events("").await?;
    let broken = Instant::now();
    signal_browser(&session, signal)?;
    let told = events.wait(told_within, "browser_error", |_| true).await?;
    bench.say(format!(
        "told after {:.2} s: {}",
        broken.elapsed().as_secs_f64(),
        told["error"]
    ));
    let failed = until(seconds(2), "the session has failed", async || {
        let state = session.record().await.ok()?.state;
        (state == "failed").then_some(())
    });
    failed.await?;
    let lost = json!({ "x": 10, "y": 10 });
    session.fail("click", lost, "browser_lost").await?;
    let refused = session.recover_refused().await?;
    let (message, hint) = (refused.message, refused.hint.unwrap_or_default());
    bench.say(format!("recover: {message}. {hint}"));
    ensure!(
        refused.kind == "unavailable" && hint.contains("new session"),
        "recover is refused as {}: {message}. {hint}",
        refused.kind
    );
    // The room is taken without a close.
    let url = pages.url("/two");
    let fields = json!({ "initial_url": url });
    let again = bench.session_of(&session.service, &session.room, fields);
    let again = again.await?;
    let at = again.context().await?.url;
    ensure!(at == url, "the new session is at {at}");
    again.navigate(&pages.url("/form")).await?;
    events.hear_for(Duration::from_millis(200)).await;
    let count = events.of("browser_error").len();
    ensure!(count == 1, "one loss is told {count} times");
    Ok(())
}

async fn test_step13_killed_browser(bench: Bench) -> Outcome {
    let session = bench.session(None).await?;
    break_and_restart(&bench, session, Signal::SIGKILL, CRASH_TOLD_WITHIN).await
}

async fn test_step13_hung_browser(bench: Bench) -> Outcome {
    let settings = json!({ "browser": {
        "probe_interval_ms": PROBE_INTERVAL_MS,
        "probe_timeout_ms": PROBE_TIMEOUT_MS,
    } });
    let service = bench.service(settings).await?;
    let session = bench.session_of(&service, "hung", json!({})).await?;
    let within = Duration::from_millis(PROBE_INTERVAL_MS + PROBE_TIMEOUT_MS) + seconds(2);
    break_and_restart(&bench, session, Signal::SIGSTOP, within).await
}

async fn test_step13_recover(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/clock"))).await?;
    let viewer = Viewer::whep(&session).await?;
    let flowing = until(seconds(10), "pictures flow", async || {
        (viewer.pictures() > 20).then_some(())
    });
    flowing.await?;
    let before = session.record().await?;
    session.recover().await?;
    let (mut longest, mut last, mut count) = (Duration::ZERO, Instant::now(), viewer.pictures());
    let end = Instant::now() + seconds(1);
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if viewer.pictures() > count {
            longest = longest.max(last.elapsed());
            (last, count) = (Instant::now(), viewer.pictures());
        }
    }
    longest = longest.max(last.elapsed());
    bench.say(format!(
        "healthy: recover succeeds, the longest pause between two pictures is {:.0} ms",
        longest.as_secs_f64() * 1e3
    ));
    ensure!(
        longest < DISTURBANCE_MAX,
        "the video is disturbed for {longest:?}"
    );
    let after = session.record().await?;
    ensure!(
        (&before.session_id, &before.state) == (&after.session_id, &after.state),
        "the session is another: {}",
        after.state
    );
    let path = "/sessions/no-such-room/recover";
    let unknown = session.service.refused("POST", path, Body::None).await?;
    bench.say(format!("unknown: {}", unknown.message));
    ensure!(
        unknown.kind == "not_found",
        "an unknown room is {}",
        unknown.kind
    );
    Ok(())
}

/// A stand-in for a voice agent: hears of the failure, looks, and acts again.
async fn test_step13_agent(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/form"))).await?;
    let mut events = session.events("").await?;
    let bad = json!({ "index": 4000 });
    let failed = session.fail("click", bad, "element_not_found").await?;
    let heard = events.wait(seconds(2), "action_error", |_| true).await?;
    let index = session.index_of("Press me").await?;
    let id = Some(failed.action_id);
    let again = session
        .act_on("click", json!({ "index": index }), id)
        .await?;
    ensure!(again.success, "the correction fails: {:?}", again.error);
    let corrected = |event: &Value| event["action"]["params"]["index"] == index;
    events
        .wait(seconds(2), "action_completed", corrected)
        .await?;
    bench.say(format!("{}; then index {index}", heard["error"]));
    let slow = json!({ "url": pages.url("/hang"), "timeout_ms": 500 });
    session.fail("navigate", slow, "timeout").await?;
    let is_timeout = |event: &Value| event["action"]["action_type"] == "navigate";
    events.wait(seconds(2), "action_error", is_timeout).await?;
    Ok(())
}

async fn test_step13_livekit_restart(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    // Never the operator's: nobody else may be watching there.
    let server = bench.own_livekit().await?;
    let service = bench.service(server.settings()).await?;
    let fields = json!({ "initial_url": pages.url("/flat/cc3333") });
    let session = bench.session_of(&service, "restart", fields).await?;
    {
        let viewer = Viewer::livekit(&server, "restart").await?;
        viewer
            .sees(seconds(15), (300, 300), [0xcc, 0x33, 0x33])
            .await?;
    }
    let mut running = bench.take_livekit()?;
    running.kill();
    let lost = Instant::now();
    let noticed = until(seconds(20), "the loss is noticed", async || {
        let record = session.record().await.ok()?;
        let is_lost = record.livekit == "reconnecting";
        (is_lost && record.state == "reconnecting").then_some(())
    });
    let noticed = noticed.await;
    let noticed_after = lost.elapsed();
    // Given back first, so that it is put away whatever comes.
    let restarted = running.restart().await;
    let back = Instant::now();
    bench.keep_livekit(running);
    noticed?;
    restarted?;
    session.navigate(&pages.url("/flat/3333cc")).await?;
    let live = until(seconds(30), "LiveKit is reached again", async || {
        let record = session.record().await.ok()?;
        let is_back = record.livekit == "connected";
        (is_back && record.state == "live").then_some(())
    });
    live.await?;
    let live_after = back.elapsed();
    let viewer = Viewer::livekit(&server, "restart").await?;
    viewer
        .sees(seconds(15), (300, 300), [0x33, 0x33, 0xcc])
        .await?;
    bench.say(format!(
        "noticed after {:.2} s; live again {:.2} s after the server's start, with the current page",
        noticed_after.as_secs_f64(),
        live_after.as_secs_f64()
    ));
    Ok(())
}
