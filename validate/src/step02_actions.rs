//! Step 2: action execution framework.

use std::time::Duration;

use serde_json::json;

use super::bench::Bench;
use super::outcome::{Outcome, ensure};
use super::pages::PRESS_AT;
use super::report::Measure;
use super::runner::Runner;
use super::session::Session;

/// Bound on a navigation.
const NAVIGATE_MAX: Duration = Duration::from_secs(5);
/// Bound on any other action but `wait`.
const ACTION_MAX: Duration = Duration::from_secs(1);
/// What a `wait` may take beyond its time; it may never take less.
const WAIT_OVERRUN_MAX: Duration = Duration::from_millis(100);

pub(super) async fn run_step2_tests(runner: &mut Runner) -> bool {
    runner.begin(2, "Action execution framework");
    let passed = [
        runner
            .test("Navigate Action", test_step2_navigate_action)
            .await,
        runner.test("Click Action", test_step2_click_action).await,
        runner.test("Type Action", test_step2_type_action).await,
        runner.test("Scroll Action", test_step2_scroll_action).await,
        runner.test("Wait Action", test_step2_wait_action).await,
        runner
            .test("Error Handling", test_step2_error_handling)
            .await,
    ];
    runner.tally(&passed)
}

async fn test_step2_navigate_action(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(None).await?;
    for path in ["/example", "/two", "/form", "/tall", "/example"] {
        let took = session.navigate(&pages.url(path)).await?;
        bench.say(format!("{path} in {:.3} s", took.as_secs_f64()));
        ensure!(took < NAVIGATE_MAX, "a navigation takes {took:?}");
        let at = session.tab().await?.evaluate("location.href").await?;
        ensure!(at == pages.url(path), "the page is at {at}");
    }
    session.perform("go_back", json!({})).await?;
    let back = session.context().await?.url;
    ensure!(back == pages.url("/tall"), "back leads to {back}");
    session.perform("go_forward", json!({})).await?;
    let forward = session.context().await?.url;
    ensure!(
        forward == pages.url("/example"),
        "forward leads to {forward}"
    );
    let before = pages.arrivals_at("/example");
    session.perform("refresh", json!({})).await?;
    let after = pages.arrivals_at("/example");
    ensure!(after > before, "the server sees no second GET on refresh");
    Ok(())
}

async fn test_step2_click_action(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/form"))).await?;
    let mut tab = session.tab().await?;
    // By coordinates, on a page that nothing has been asked about yet.
    for number in 0..5u32 {
        let (x, y) = (PRESS_AT.0 + f64::from(number), PRESS_AT.1);
        let (_, took) = session.perform("click", json!({ "x": x, "y": y })).await?;
        ensure!(took < ACTION_MAX, "a click takes {took:?}");
        let hit = tab.evaluate("hits.at(-1)").await?;
        ensure!(
            hit["x"].as_f64() == Some(x) && hit["y"].as_f64() == Some(y) && hit["id"] == "press",
            "the page saw {hit} and not a click at {x},{y}"
        );
        bench.say(format!("at {x},{y} in {:.3} s", took.as_secs_f64()));
    }
    let index = session.index_of("Paint it").await?;
    session.perform("click", json!({ "index": index })).await?;
    let hits = tab.evaluate("hits.map(hit => hit.id).join()").await?;
    ensure!(
        hits == "press,press,press,press,press,paint",
        "each click arrives once: {hits}"
    );
    Ok(())
}

async fn test_step2_type_action(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/form"))).await?;
    let mut tab = session.tab().await?;
    let index = session.index_of("Name").await?;
    for text in [
        "Ada",
        "Grüße, 世界",
        "a longer text, as a person would type it",
    ] {
        let params = json!({ "index": index, "text": text, "clear": true });
        let (_, took) = session.perform("type", params).await?;
        ensure!(took < ACTION_MAX, "typing takes {took:?}");
        let value = tab.evaluate("document.getElementById('name').value");
        let value = value.await?;
        ensure!(value == text, "the field holds {value} and not {text}");
        bench.say(format!("\"{text}\" in {:.3} s", took.as_secs_f64()));
    }
    let params = json!({ "index": 9999, "text": "nobody" });
    session.fail("type", params, "element_not_found").await?;
    session
        .perform("type", json!({ "index": index, "text": "!" }))
        .await?;
    Ok(())
}

async fn test_step2_scroll_action(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/tall"))).await?;
    let mut tab = session.tab().await?;
    let mut before = (0.0, 0.0);
    for (direction, x, y) in [
        ("down", 0.0, 300.0),
        ("right", 300.0, 0.0),
        ("up", 0.0, -300.0),
        ("left", -300.0, 0.0),
    ] {
        let params = json!({ "direction": direction, "amount": 300 });
        let (_, took) = session.perform("scroll", params).await?;
        ensure!(took < ACTION_MAX, "a scroll takes {took:?}");
        let offset = tab.evaluate("[scrollX, scrollY]").await?;
        let at = |place: usize| offset[place].as_f64().unwrap_or(f64::NAN);
        let moved = (at(0) - before.0, at(1) - before.1);
        bench.say(format!(
            "{direction}: offset {offset} in {:.3} s",
            took.as_secs_f64()
        ));
        let is_right = (moved.0 - x).abs() <= 1.0 && (moved.1 - y).abs() <= 1.0;
        ensure!(is_right, "{direction} moves the page by {moved:?}");
        before = (at(0), at(1));
    }
    Ok(())
}

async fn test_step2_wait_action(bench: Bench) -> Outcome {
    let session = bench.session(None).await?;
    for _ in 0..3 {
        let (_, took) = session.perform("wait", json!({ "seconds": 0.5 })).await?;
        bench.measure(Measure::Wait, took);
        bench.say(format!("0.5 s took {:.4} s", took.as_secs_f64()));
        let asked = Duration::from_millis(500);
        ensure!(took >= asked, "it waited too short: {took:?}");
        ensure!(
            took <= asked + WAIT_OVERRUN_MAX,
            "it waited too long: {took:?}"
        );
    }
    Ok(())
}

async fn test_step2_error_handling(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session: Session = bench.session(Some(pages.url("/form"))).await?;
    for (action_type, params, kind, word) in [
        ("bogus", json!({}), "unknown_action", "bogus"),
        ("click", json!({}), "missing_parameter", "index"),
        ("type", json!({ "index": 1 }), "missing_parameter", "text"),
        ("navigate", json!({}), "missing_parameter", "url"),
        (
            "scroll",
            json!({ "direction": "sideways" }),
            "invalid_parameter",
            "direction",
        ),
        (
            "wait",
            json!({ "seconds": -1 }),
            "invalid_parameter",
            "seconds",
        ),
        (
            "click",
            json!({ "index": 9999 }),
            "element_not_found",
            "9999",
        ),
    ] {
        let failed = session.fail(action_type, params.clone(), kind).await?;
        let error = failed.error.unwrap_or_default();
        bench.say(format!("{action_type} {params}: {error}"));
        ensure!(
            error.contains(word),
            "the error does not name {word}: {error}"
        );
    }
    session.navigate(&pages.url("/two")).await?;
    Ok(())
}
