//! Step 8: readiness to stream.

use super::bench::Bench;
use super::outcome::{Outcome, ensure, seconds, until};
use super::runner::Runner;
use super::viewer::Viewer;

pub(super) async fn run_step8_tests(runner: &mut Runner) -> bool {
    runner.begin(8, "LiveKit streaming readiness");
    let passed = [runner
        .test(
            "Video Streaming Infrastructure",
            test_step8_video_streaming_infrastructure,
        )
        .await];
    runner.tally(&passed)
}

/// The whole way without a LiveKit server: captured, encoded, sent by WebRTC, received, decoded.
async fn test_step8_video_streaming_infrastructure(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/flat/cc3333"))).await?;
    ensure!(
        !session.record().await?.capturing,
        "it is captured though nobody watches"
    );
    let viewer = Viewer::whep(&session).await?;
    let first = viewer
        .sees(seconds(10), (300, 300), [0xcc, 0x33, 0x33])
        .await?;
    ensure!(
        viewer.size() == Some((1280, 720)),
        "the pictures are {:?}",
        viewer.size()
    );
    session.navigate(&pages.url("/flat/3333cc")).await?;
    let next = viewer
        .sees(seconds(5), (300, 300), [0x33, 0x33, 0xcc])
        .await?;
    session.navigate(&pages.url("/clock")).await?;
    let before = viewer.pictures();
    let flowing = until(
        seconds(5),
        "pictures flow on a page that moves",
        async || (viewer.pictures() > before + 30).then_some(()),
    );
    flowing.await?;
    let video = session.record().await?.video;
    bench.say(format!(
        "first picture after {:.2} s, the next page {:.2} s after it was opened; {} pictures \
         decoded, {} encoded, {} broken",
        first.as_secs_f64(),
        next.as_secs_f64(),
        viewer.pictures(),
        video.frames_encoded,
        viewer.broken()
    ));
    ensure!(
        viewer.broken() == 0,
        "{} access units do not decode",
        viewer.broken()
    );
    Ok(())
}
