//! Step 6: the ghost cursor.

use std::time::Duration;

use serde_json::json;

use super::bench::Bench;
use super::outcome::{Expect, Outcome, ensure};
use super::pages::PRESS_AT;
use super::playback::Picture;
use super::runner::Runner;
use super::step05_recording::{play, stop_and_read};

/// The flat page's colour, and how far a pixel may be from it without being the cursor's.
const PAGE: [u8; 3] = [0x88, 0xcc, 0x88];
const NOISE: u8 = 40;
/// Where the click goes, and how far from there pixels of the cursor may be, px.
const CLICK: (usize, usize) = (640, 360);
const REACH: usize = 48;
/// An arrow of the default size has more.
const CURSOR_PIXELS_MIN: usize = 60;

pub(super) async fn run_step6_tests(runner: &mut Runner) -> bool {
    runner.begin(6, "Ghost cursor");
    let passed = [
        runner
            .test(
                "Click Coordinate Tracking",
                test_step6_click_coordinate_tracking,
            )
            .await,
        runner
            .test(
                "Frame Modification Infrastructure",
                test_step6_frame_modification_infrastructure,
            )
            .await,
    ];
    runner.tally(&passed)
}

async fn test_step6_click_coordinate_tracking(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/form"))).await?;
    ensure!(
        session.record().await?.cursor.is_none(),
        "there is a cursor before the first action"
    );
    for (x, y) in [(321.0, 123.0), (1000.5, 600.25)] {
        session.perform("click", json!({ "x": x, "y": y })).await?;
        let cursor = session.record().await?.cursor;
        let cursor = cursor.expect_that("the tracker holds a point")?;
        bench.say(format!(
            "clicked {x},{y}; tracked {},{}",
            cursor.x, cursor.y
        ));
        ensure!(
            (cursor.x, cursor.y) == (x, y),
            "the tracker holds {cursor:?}"
        );
    }
    let index = session.index_of("Press me").await?;
    session.perform("click", json!({ "index": index })).await?;
    let cursor = session.record().await?.cursor;
    let cursor = cursor.expect_that("the tracker holds a point")?;
    let off = (cursor.x - PRESS_AT.0).hypot(cursor.y - PRESS_AT.1);
    ensure!(
        off <= 1.0,
        "by index it is {cursor:?}, {off} px off the middle"
    );
    let context = session.context().await?.cursor;
    ensure!(context == Some(cursor), "the context has {context:?}");
    Ok(())
}

/// Pixels that are not of the page: near the click, and elsewhere.
fn changed(picture: &Picture) -> (usize, usize) {
    let (width, height) = picture.size();
    let (mut near, mut far) = (0, 0);
    for y in 0..height {
        for x in 0..width {
            let colour = picture.rgb_at(x, y);
            let is_changed = colour.iter().zip(PAGE).any(|(a, b)| a.abs_diff(b) > NOISE);
            let is_near = x.abs_diff(CLICK.0) <= REACH && y.abs_diff(CLICK.1) <= REACH;
            match (is_changed, is_near) {
                (true, true) => near += 1,
                (true, false) => far += 1,
                (false, _) => (),
            }
        }
    }
    (near, far)
}

/// Whether nothing of the page is in a picture.
fn is_empty(picture: &Picture) -> bool {
    let ((near, far), (width, height)) = (changed(picture), picture.size());
    near + far == width * height
}

async fn test_step6_frame_modification_infrastructure(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let mut found = Vec::new();
    for is_on in [true, false] {
        let settings = json!({ "cursor": { "enabled": is_on } });
        let service = bench.service(settings).await?;
        let fields = json!({ "initial_url": pages.url("/flat/88cc88") });
        let session = bench.session_of(&service, "cursor", fields).await?;
        session.start_recording().await?;
        session.perform("wait", json!({ "seconds": 0.5 })).await?;
        let (x, y) = CLICK;
        session.perform("click", json!({ "x": x, "y": y })).await?;
        // The ripple of the click passes, the cursor stays.
        session.perform("wait", json!({ "seconds": 1.2 })).await?;
        let (_, film) = stop_and_read(&session).await?;
        let shown = tokio::task::spawn_blocking(move || play(&film)).await??;
        // The film may begin before the browser has drawn the page: then the window is empty.
        let first = shown.iter().find(|(_, picture)| !is_empty(picture));
        let (_, first) = first.expect_that("the film has a first picture")?;
        ensure!(
            changed(first) == (0, 0),
            "something is drawn before any action: {:?}",
            changed(first)
        );
        let (at, last) = shown.last().expect_that("the film has a last picture")?;
        let (near, far) = changed(last);
        bench.say(format!(
            "cursor {}: {near} pixels at the click, {far} elsewhere, in the picture at {:.1} s",
            if is_on { "on" } else { "off" },
            at.as_secs_f64()
        ));
        ensure!(far == 0, "{far} pixels are changed away from the click");
        ensure!(
            *at > Duration::from_millis(500),
            "there is no later picture"
        );
        found.push(near);
        service.close("cursor").await?;
    }
    ensure!(
        found[0] >= CURSOR_PIXELS_MIN,
        "there is no cursor at the clicked point: {} pixels",
        found[0]
    );
    ensure!(found[1] == 0, "a cursor that is off is drawn: {}", found[1]);
    Ok(())
}
