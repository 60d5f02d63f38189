//! Step 7: the vision analyser.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::bench::{Bench, Session};
use super::outcome::{Expect, Failure, Outcome, ensure};
use super::runner::Runner;
use super::viewer::is_like;
use crate::browser::capture::screenshot::Format;
use crate::error::ErrorKind;
use crate::media::Picture;
use crate::media::decode::Decoder;
use crate::media::playback::rgb_at;
use crate::model::Size;
use crate::session::Area;

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
    let mut picture = Picture::new(Size::new(2, 2));
    Decoder::new()?.decode_png(png, &mut picture)?;
    let size = picture.size();
    ensure!(
        (size.width, size.height) == (1280, 720),
        "the picture is {}x{}",
        size.width,
        size.height
    );
    for (x, y) in [(5, 5), (640, 360), (1270, 710)] {
        let colour = rgb_at(&picture, x, y);
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
    let png = session
        .handle
        .screenshot(Format::Png, None, Area::Viewport)
        .await?;
    bench.say(format!("{} bytes of PNG", png.len()));
    check_picture(&png)?;
    let jpeg = session
        .handle
        .screenshot(Format::Jpeg, Some(80), Area::Viewport)
        .await?;
    let mut picture = Picture::new(Size::new(2, 2));
    Decoder::new()?.decode_jpeg(&jpeg, &mut picture)?;
    let colour = rgb_at(&picture, 640, 360);
    ensure!(is_like(colour, COLOUR), "the JPEG's colour is {colour:?}");
    Ok(())
}

async fn test_step7_vision_infrastructure(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let colour = pages.url("/flat/cc3333");
    let without: Session = bench.session(Some(colour.clone())).await?;
    let refused = without.handle.analyze(QUESTION, false).await.err();
    let refused = refused.expect_that("without an endpoint there is no answer")?;
    bench.say(format!("without an endpoint: {refused}"));
    ensure!(
        refused.kind == ErrorKind::NotConfigured && refused.hint.is_some(),
        "without an endpoint the answer is {:?}: {refused}",
        refused.kind
    );
    let service = bench.service(|config| {
        config.vision.url = pages.url("/v1");
        config.vision.model = "stand-in".to_owned();
    });
    let service = service.await?;
    let session = bench.session_of(&service, "vision", |spec| {
        spec.initial_url = Some(colour);
    });
    let analysis = session.await?.handle.analyze(QUESTION, false).await?;
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
