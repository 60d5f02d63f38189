//! Step 7: the vision analyser.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::bench::Bench;
use super::outcome::{Expect, Failure, Outcome, ensure};
use super::runner::Runner;
use super::session::Session;
use super::still::Still;
use super::viewer::is_like;

const COLOUR: [u8; 3] = [0xcc, 0x33, 0x33];
const QUESTION: &str = "What colour is the page?";

pub(super) async fn run_step7_tests(runner: &mut Runner) -> bool {
    runner.begin(7, "Vision analyser");
    let passed = [
        runner
            .test("Screenshot Capture", test_step7_screenshot_capture)
            .await,
        runner
            .test("Vision Infrastructure", test_step7_vision_infrastructure)
            .await,
    ];
    runner.tally(&passed)
}

/// The picture must have the viewport's size and the page's colour.
fn check_picture(png: &[u8]) -> Outcome {
    let still = Still::of_png(png)?;
    ensure!(
        (still.width, still.height) == (1280, 720),
        "the picture is {}x{}",
        still.width,
        still.height
    );
    for (x, y) in [(5, 5), (640, 360), (1270, 710)] {
        let colour = still.rgb_at(x, y).expect_that("the pixel is there")?;
        ensure!(
            is_like(colour, COLOUR),
            "the colour at {x},{y} is {colour:?}"
        );
    }
    Ok(())
}

async fn test_step7_screenshot_capture(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/flat/cc3333"))).await?;
    let png = session.screenshot("format=png").await?.body;
    bench.say(format!("{} bytes of PNG", png.len()));
    check_picture(&png)?;
    let jpeg = session.screenshot("format=jpeg&quality=80").await?.body;
    let colour = Still::of_jpeg(&jpeg)?.rgb_at(640, 360);
    let colour = colour.expect_that("the JPEG has its middle")?;
    ensure!(is_like(colour, COLOUR), "the JPEG's colour is {colour:?}");
    Ok(())
}

async fn test_step7_vision_infrastructure(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let colour = pages.url("/flat/cc3333");
    let without: Session = bench.session(Some(colour.clone())).await?;
    let refused = without.analyze_refused(QUESTION).await?;
    bench.say(format!("without an endpoint: {}", refused.message));
    ensure!(
        refused.kind == "not_configured" && refused.hint.is_some(),
        "without an endpoint the answer is {}: {}",
        refused.kind,
        refused.message
    );
    let settings = json!({ "vision": { "url": pages.url("/v1"), "model": "stand-in" } });
    let service = bench.service(settings).await?;
    let fields = json!({ "initial_url": colour });
    let session = bench.session_of(&service, "vision", fields).await?;
    let analysis = session.analyze(QUESTION).await?;
    bench.say(format!("\"{QUESTION}\" - \"{}\"", analysis.answer));
    ensure!(
        analysis.answer == "A page of one colour.",
        "the endpoint's answer is not returned: {}",
        analysis.answer
    );
    let asked = pages.questions();
    ensure!(
        asked.len() == 1,
        "the endpoint was asked {} times",
        asked.len()
    );
    let content = &asked[0]["messages"][1]["content"];
    ensure!(
        content[0]["text"] == QUESTION,
        "the question arrives as {}",
        content[0]
    );
    let url = content[1]["image_url"]["url"].as_str().unwrap_or_default();
    let data = url.strip_prefix("data:image/png;base64,");
    let data = data.ok_or_else(|| Failure::new("the request carries no PNG"))?;
    check_picture(&STANDARD.decode(data)?)
}
