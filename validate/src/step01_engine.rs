//! Step 1: browser engine core and CDP foundation.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;

use super::bench::{Bench, profiles};
use super::outcome::{Expect, Outcome, ensure, seconds, until};
use super::processes::{self, Process};
use super::report::Measure;
use super::runner::Runner;
use super::service::Service;

/// Creation, destruction, and both together: no more than this.
const LIFE_MAX: Duration = Duration::from_secs(5);
/// A browser with a page takes less.
const MEMORY_MAX: u64 = 2 << 30;
const BROWSERS: usize = 10;
const AT_ONCE: usize = 4;

pub(super) async fn run_step1_tests(runner: &mut Runner) -> bool {
    runner.begin(1, "Browser engine core and CDP foundation");
    let passed = [
        runner
            .test(
                "Browser Creation and Destruction",
                test_step1_browser_creation_and_destruction,
            )
            .await,
        runner
            .test(
                "Navigation and Page Information",
                test_step1_navigation_and_page_information,
            )
            .await,
        runner
            .test(
                "CDP Connection and Commands",
                test_step1_cdp_connection_and_commands,
            )
            .await,
        runner
            .test("Browser Configuration", test_step1_browser_configuration)
            .await,
        runner
            .test("Resource Cleanup", test_step1_resource_cleanup)
            .await,
    ];
    runner.tally(&passed)
}

/// Waits until nothing is left of some processes, not even a zombie.
async fn wait_gone(service: &Service, processes: &[Process]) -> Outcome {
    let what = "the browser's processes have ended and its profile is removed";
    let gone = until(seconds(5), what, async || {
        let is_gone = processes::remaining(processes).is_empty();
        (is_gone && profiles(&service.work_dir) == 0).then_some(())
    });
    gone.await.map_err(|mut failure| {
        failure.chain.push(format!(
            "{} remain, {} of them zombies; {} profiles",
            processes::remaining(processes).len(),
            processes::zombies(processes),
            profiles(&service.work_dir)
        ));
        failure
    })
}

async fn test_step1_browser_creation_and_destruction(bench: Bench) -> Outcome {
    let service = bench.service(json!({})).await?;
    let baseline = processes::browsers(&service.work_dir).len();
    ensure!(baseline == 0, "{baseline} browsers run before the first");
    let mut creations = Vec::new();
    for number in 1..=BROWSERS {
        let started = Instant::now();
        let session = bench.session_of(&service, "one", json!({})).await?;
        let created = started.elapsed();
        let mut tab = session.tab().await?;
        let version = tab.call("Browser.getVersion", json!({}));
        let product = version.await?["product"].clone();
        ensure!(product.is_string(), "no answer on the CDP connection");
        let tree = processes::trees(&processes::browsers(&service.work_dir));
        ensure!(!tree.is_empty(), "the browser is not in the process table");
        let started = Instant::now();
        service.close("one").await?;
        wait_gone(&service, &tree).await?;
        let destroyed = started.elapsed();
        bench.say(format!(
            "browser {number:>2}: created in {:.3} s, {} processes, destroyed in {:.3} s",
            created.as_secs_f64(),
            tree.len(),
            destroyed.as_secs_f64()
        ));
        ensure!(
            created + destroyed < LIFE_MAX,
            "a browser takes {created:?} to create and {destroyed:?} to destroy"
        );
        bench.measure(Measure::Creation, created);
        bench.measure(Measure::Destruction, destroyed);
        creations.push(created.as_secs_f64());
    }
    let mean = creations.iter().sum::<f64>() / creations.len() as f64;
    let (least, most) = (
        creations.iter().copied().fold(f64::INFINITY, f64::min),
        creations.iter().copied().fold(0.0, f64::max),
    );
    bench.say(format!(
        "creation: {least:.3} s least, {mean:.3} s mean, {most:.3} s most"
    ));
    let left = processes::browsers(&service.work_dir).len();
    ensure!(left == baseline, "{left} browsers are left");
    Ok(())
}

async fn test_step1_navigation_and_page_information(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(None).await?;
    let url = pages.url("/example");
    bench.say(format!("{url} stands for https://example.com"));
    session.navigate(&url).await?;
    let context = session.context().await?;
    ensure!(context.url == url, "the page is at {}", context.url);
    let title = context.title.unwrap_or_default();
    ensure!(title == "Example Domain", "the title is {title}");
    ensure!(
        pages.arrivals_at("/example") == 1,
        "the page's server was not asked once"
    );
    Ok(())
}

async fn test_step1_cdp_connection_and_commands(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/example"))).await?;
    let mut tab = session.tab().await?;
    tab.call("Page.enable", json!({})).await?;
    let tree = tab.call("Page.getFrameTree", json!({})).await?;
    let url = &tree["frameTree"]["frame"]["url"];
    ensure!(
        *url == pages.url("/example"),
        "the frame tree has the URL {url}"
    );
    let two = pages.url("/two");
    let (acted, fired) = tokio::join!(session.navigate(&two), async {
        loop {
            let event = tab.event("Page.frameNavigated").await?;
            if event["frame"]["url"] == two {
                return Outcome::Ok(());
            }
        }
    });
    acted?;
    fired.map_err(|mut failure| {
        let what = "the event handler fires on the navigation";
        failure.chain.insert(0, what.to_owned());
        failure
    })
}

async fn test_step1_browser_configuration(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let service = bench.service(json!({})).await?;
    for (width, height) in [(1000, 640), (1280, 720)] {
        let room = format!("size-{width}");
        let fields = json!({
            "viewport_width": width,
            "viewport_height": height,
            "initial_url": pages.url("/example"),
        });
        let session = bench.session_of(&service, &room, fields).await?;
        let mut tab = session.tab().await?;
        let inner = tab.evaluate("[innerWidth, innerHeight]");
        let inner = inner.await?;
        bench.say(format!("configured {width}x{height}, in the page {inner}"));
        ensure!(
            inner == json!([width, height]),
            "the page's viewport is {inner} and not {width}x{height}"
        );
        let browser = processes::browsers(&service.work_dir).into_iter().next();
        let words = processes::words(browser.expect_that("the browser runs")?);
        // Nobody's screen is needed: it has no windows, or draws them to the service's own display.
        let is_unseen = words.iter().any(|word| {
            word.contains("headless-shell")
                || word.starts_with("--headless")
                || word == "--ozone-platform=wayland"
        });
        ensure!(is_unseen, "the browser wants a screen: {words:?}");
        service.close(&room).await?;
        let what = "the browser has ended";
        until(seconds(5), what, async || {
            processes::browsers(&service.work_dir)
                .is_empty()
                .then_some(())
        })
        .await?;
    }
    Ok(())
}

async fn test_step1_resource_cleanup(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let service = bench.service(json!({})).await?;
    let rooms: Vec<String> = (1..=AT_ONCE).map(|n| format!("many-{n}")).collect();
    let sessions = join_all(rooms.iter().map(|room| {
        let fields = json!({ "initial_url": pages.url("/example") });
        bench.session_of(&service, room, fields)
    }));
    for session in sessions.await {
        let session = session?;
        session.navigate(&pages.url("/two")).await?;
    }
    let browsers = processes::browsers(&service.work_dir);
    ensure!(browsers.len() == AT_ONCE, "{} browsers run", browsers.len());
    for browser in &browsers {
        let bytes = processes::memory_bytes(&processes::trees(&[*browser]));
        bench.say(format!(
            "browser {}: {:.0} MB (shared pages counted once)",
            browser.pid,
            bytes as f64 / 1e6
        ));
        ensure!(bytes > 0, "the memory of a browser cannot be read");
        ensure!(bytes < MEMORY_MAX, "a browser takes {bytes} bytes");
    }
    let trees = processes::trees(&browsers);
    for room in &rooms {
        service.close(room).await?;
    }
    wait_gone(&service, &trees).await?;
    bench.say(format!(
        "{} processes of {AT_ONCE} browsers: all gone, no zombie, no profile",
        trees.len()
    ));
    Ok(())
}
