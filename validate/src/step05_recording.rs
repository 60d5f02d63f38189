//! Step 5: vision capture pipeline, and video recording.

use std::time::{Duration, Instant};

use serde_json::json;

use super::bench::Bench;
use super::film::{self, Film};
use super::outcome::{Expect, Outcome, ensure, seconds, until};
use super::playback::{Picture, Player};
use super::runner::Runner;
use super::session::Session;
use super::viewer::is_like;

/// How far a film's length may be from the time by the clock.
const LENGTH_TOLERANCE: Duration = Duration::from_millis(700);

pub(super) async fn run_step5_tests(runner: &mut Runner) -> bool {
    runner.begin(5, "Vision capture pipeline and video recording");
    let passed = [
        runner
            .test("Video Recording Start", test_step5_video_recording_start)
            .await,
        runner
            .test("Basic Frame Capture", test_step5_basic_frame_capture)
            .await,
        runner
            .test("Video File Creation", test_step5_video_file_creation)
            .await,
    ];
    runner.tally(&passed)
}

/// Pictures recorded so far.
async fn frames(session: &Session) -> Outcome<u64> {
    let recording = session.record().await?.recording;
    Ok(recording.map_or(0, |recording| recording.frames))
}

async fn more_frames(session: &Session, than: u64, what: &str) -> Outcome<u64> {
    until(seconds(4), what, async || {
        let now = frames(session).await.ok()?;
        (now > than).then_some(now)
    })
    .await
}

/// Every picture of a film, with its time; each access unit must decode.
pub(super) fn play(film: &Film) -> Outcome<Vec<(Duration, Picture)>> {
    let mut player = Player::new()?;
    let mut shown = Vec::new();
    for picture in &film.pictures {
        if let Some(decoded) = player.show(&picture.unit)? {
            shown.push((picture.at, decoded));
        }
    }
    Ok(shown)
}

/// Stops the recording and reads its file.
pub(super) async fn stop_and_read(session: &Session) -> Outcome<(String, Film)> {
    let status = session.stop_recording().await?;
    ensure!(
        status.state == "finished",
        "the recording is {}: {:?}",
        status.state,
        status.reason
    );
    let file = tokio::fs::read(&status.path).await?;
    ensure!(
        file.len() as u64 == status.bytes,
        "the file has {} bytes, the status says {}",
        file.len(),
        status.bytes
    );
    let film = film::read(&file).expect_that("the file is a finished MP4 with H.264")?;
    Ok((status.path, film))
}

async fn test_step5_video_recording_start(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/flat/cc3333"))).await?;
    ensure!(
        session.record().await?.recording.is_none(),
        "there is a recording before one was started"
    );
    let started = session.start_recording().await?;
    ensure!(
        started.state == "recording",
        "the recording is {}",
        started.state
    );
    more_frames(&session, 0, "the counter of frames starts").await?;
    let record = session.record().await?;
    let state = record.recording.map(|recording| recording.state);
    ensure!(
        state.as_deref() == Some("recording"),
        "the record says {state:?} while it is recorded"
    );
    let (path, film) = stop_and_read(&session).await?;
    bench.say(format!("{path}: {} pictures", film.pictures.len()));
    Ok(())
}

async fn test_step5_basic_frame_capture(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/flat/ffffff"))).await?;
    session.start_recording().await?;
    let first = more_frames(&session, 0, "a first frame").await?;
    session.navigate(&pages.url("/form")).await?;
    let navigated = more_frames(&session, first, "frames of the navigation").await?;
    let index = session.index_of("Paint it").await?;
    session.perform("click", json!({ "index": index })).await?;
    let acted = more_frames(&session, navigated, "frames of the click").await?;
    session.perform("wait", json!({ "seconds": 0.5 })).await?;
    let (_, film) = stop_and_read(&session).await?;
    let shown = play(&film)?;
    let colours: Vec<[u8; 3]> = shown.iter().map(|(_, p)| p.rgb_at(1250, 690)).collect();
    let last = colours.last().copied().unwrap_or_default();
    bench.say(format!(
        "frames: {first}, after the navigation {navigated}, after the click {acted}; {} decode, the \
         last one is {last:?}",
        shown.len()
    ));
    ensure!(
        colours
            .first()
            .is_some_and(|first| is_like(*first, [255; 3])),
        "the first picture is not the page before the click: {:?}",
        colours.first()
    );
    ensure!(
        is_like(last, [0x33, 0x66, 0xcc]),
        "the click's colour is not in the last picture: {last:?}"
    );
    Ok(())
}

async fn test_step5_video_file_creation(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/flat/cc3333"))).await?;
    session.start_recording().await?;
    let started = Instant::now();
    let mut changes = Vec::new();
    for colour in ["33cc33", "3333cc"] {
        session.perform("wait", json!({ "seconds": 1.0 })).await?;
        session
            .navigate(&pages.url(&format!("/flat/{colour}")))
            .await?;
        changes.push(started.elapsed());
    }
    session.perform("wait", json!({ "seconds": 1.0 })).await?;
    let wall = started.elapsed();
    let (path, film) = stop_and_read(&session).await?;
    let shown = play(&film)?;
    ensure!(
        shown.len() == film.pictures.len(),
        "{} of {} pictures decode",
        shown.len(),
        film.pictures.len()
    );
    bench.say(format!(
        "{path}: {} pictures, {:.2} s, by the clock {:.2} s",
        shown.len(),
        film.duration.as_secs_f64(),
        wall.as_secs_f64()
    ));
    ensure!(
        film.duration.abs_diff(wall) < LENGTH_TOLERANCE,
        "the film lasts {:?}, by the clock it took {wall:?}",
        film.duration
    );
    let size = shown.first().map(|(_, picture)| picture.size());
    ensure!(size == Some((1280, 720)), "the pictures are {size:?}");
    let meant = [[0xcc, 0x33, 0x33], [0x33, 0xcc, 0x33], [0x33, 0x33, 0xcc]];
    let mut last_at = Duration::ZERO;
    for (place, colour) in meant.iter().enumerate() {
        let first = shown
            .iter()
            .find(|(_, picture)| is_like(picture.rgb_at(300, 300), *colour));
        let (at, _) = first.expect_that(&format!("the film shows {colour:?}"))?;
        ensure!(*at >= last_at, "{colour:?} comes too early, at {at:?}");
        last_at = *at;
        bench.say(format!("{colour:?} from {:.2} s on", at.as_secs_f64()));
        if place > 0 {
            ensure!(
                at.abs_diff(changes[place - 1]) < LENGTH_TOLERANCE,
                "{colour:?} is shown at {at:?}, the page had it by {:?}",
                changes[place - 1]
            );
        }
    }
    Ok(())
}
