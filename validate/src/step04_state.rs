//! Step 4: browser state change detection.

use std::time::Duration;

use serde_json::{Value, json};

use super::bench::Bench;
use super::outcome::{Expect, Outcome, ensure, seconds, until};
use super::runner::Runner;

pub(super) async fn run_step4_tests(runner: &mut Runner) -> bool {
    runner.begin(4, "Browser state change detection");
    let passed = [
        runner
            .test("URL Change Detection", test_step4_url_change_detection)
            .await,
        runner
            .test("DOM State Detection", test_step4_dom_state_detection)
            .await,
        runner
            .test("Loading State Tracking", test_step4_loading_state_tracking)
            .await,
        runner
            .test(
                "BrowserContext Generation",
                test_step4_browser_context_generation,
            )
            .await,
        runner
            .test(
                "Accessibility Tree Extraction",
                test_step4_accessibility_tree_extraction,
            )
            .await,
    ];
    runner.tally(&passed)
}

async fn test_step4_url_change_detection(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/example"))).await?;
    let mut events = session.events("").await?;
    let before = session.context().await?.url;
    ensure!(before == pages.url("/example"), "it begins at {before}");
    session.navigate(&pages.url("/two")).await?;
    let mut tab = session.tab().await?;
    let push = "history.pushState(null, '', '/two?pushed=1')";
    tab.evaluate(push).await?;
    for url in [pages.url("/two"), pages.url("/two?pushed=1")] {
        let is_it = |event: &Value| event["url"] == url.as_str();
        events.wait(seconds(3), "page_navigation", is_it).await?;
    }
    let after = session.context().await?.url;
    ensure!(
        after == pages.url("/two?pushed=1"),
        "the context is at {after}"
    );
    events.hear_for(Duration::from_millis(300)).await;
    let told = events.of("page_navigation").len();
    ensure!(told == 2, "two changes are told {told} times");
    Ok(())
}

async fn test_step4_dom_state_detection(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/form"))).await?;
    let known = [
        ("Second page", "link"),
        ("Press me", "button"),
        ("Paint it", "button"),
        ("Name", "textbox"),
    ];
    let elements = session.elements().await?;
    ensure!(
        elements.len() == known.len(),
        "the page has {} elements, listed are {}",
        known.len(),
        elements.len()
    );
    for (name, role) in known {
        let element = session.element(name).await?;
        ensure!(element["role"] == role, "{name} is a {}", element["role"]);
    }
    let mut events = session.events("").await?;
    let mut tab = session.tab().await?;
    let area = tab.evaluate(
        "(() => { const b = document.getElementById('press').getBoundingClientRect(); \
         return [b.x, b.y, b.width, b.height]; })()",
    );
    let area = area.await?;
    let listed = session.element("Press me").await?["box"].clone();
    let fields = ["x", "y", "width", "height"];
    let is_same = fields.iter().enumerate().all(|(place, field)| {
        let pair = (listed[field].as_f64(), area[place].as_f64());
        matches!(pair, (Some(a), Some(b)) if (a - b).abs() <= 1.0)
    });
    ensure!(is_same, "the box is {listed}, in the page it is {area}");
    let insert = "(() => { const made = document.createElement('button'); \
                  made.textContent = 'Made later'; document.body.append(made); })()";
    tab.evaluate(insert).await?;
    let is_addition = |event: &Value| event["change_type"] == "element_added";
    events.wait(seconds(3), "dom_change", is_addition).await?;
    session.element("Made later").await?;
    Ok(())
}

async fn test_step4_loading_state_tracking(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/example"))).await?;
    let is_idle = !session.context().await?.is_loading;
    ensure!(is_idle, "a loaded page is said to load");
    let url = pages.url("/slow");
    let (acted, seen) = tokio::join!(session.navigate(&url), async {
        until(
            seconds(3),
            "the context says that the page loads",
            async || {
                let context = session.context().await.ok()?;
                context.is_loading.then_some(context.ready_state)
            },
        )
        .await
    });
    let while_loading = seen?.unwrap_or_default();
    acted?;
    let context = session.context().await?;
    bench.say(format!(
        "while it loads: is_loading, {while_loading}; then: {}",
        context.ready_state.as_deref().unwrap_or("no ready state")
    ));
    ensure!(
        !context.is_loading
            && context.ready_state.as_deref() == Some("complete")
            && context.title.as_deref() == Some("Slow"),
        "afterwards it is not idle: {}",
        context.ready_state.as_deref().unwrap_or("no ready state")
    );
    Ok(())
}

async fn test_step4_browser_context_generation(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(None).await?;
    let mut tab = session.tab().await?;
    for path in ["/form", "/tall"] {
        session.navigate(&pages.url(path)).await?;
        session
            .perform("scroll", json!({ "direction": "down" }))
            .await?;
        let context = session.context().await?;
        let seen = tab
            .evaluate("[location.href, document.title, document.readyState, scrollY, innerWidth]");
        let seen = seen.await?;
        let told = json!([
            context.url,
            context.title,
            context.ready_state,
            context.scroll["y"],
            context.viewport["width"]
        ]);
        bench.say(told.to_string());
        let is_same = (0..3).all(|place| seen[place] == told[place])
            && (3..5).all(|place| seen[place].as_f64() == told[place].as_f64());
        ensure!(is_same, "the context says {told}, the page {seen}");
    }
    Ok(())
}

async fn test_step4_accessibility_tree_extraction(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/form"))).await?;
    let tree = session
        .context_with("accessibility=true")
        .await?
        .accessibility;
    let tree = json!(tree.expect_that("the context has the tree")?);
    let nodes = tree.as_array().map(Vec::as_slice).unwrap_or_default();
    for (role, name) in [
        ("link", "Second page"),
        ("button", "Press me"),
        ("textbox", "Name"),
    ] {
        let node = nodes
            .iter()
            .find(|node| node["role"] == role && node["name"] == name);
        let node = node.expect_that(&format!("the tree has the {role} \"{name}\": {tree}"))?;
        bench.say(format!("{role} \"{name}\", index {}", node["index"]));
        let index = session.index_of(name).await?;
        ensure!(
            node["index"] == index,
            "the tree's index {} is not the list's {index}",
            node["index"]
        );
    }
    Ok(())
}
