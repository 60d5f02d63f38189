//! Step 11, beyond the source's 34: LiveKit. Who is in the room is asked of the server itself, and
//! what is seen there is decoded by a subscriber.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bench::Bench;
use super::livekit_server::Coordinates;
use super::outcome::{Outcome, ensure, seconds, until};
use super::runner::Runner;
use super::service::Service;
use super::viewer::Viewer;

const RED: [u8; 3] = [0xcc, 0x33, 0x33];
const GREEN: [u8; 3] = [0x33, 0xcc, 0x33];
const BLUE: [u8; 3] = [0x33, 0x33, 0xcc];
const AT: (usize, usize) = (300, 300);
/// How far the bit rate may be beyond what was asked for.
const BITRATE_TOLERANCE: f64 = 1.15;

pub(super) async fn run_step11_tests(runner: &mut Runner) -> bool {
    runner.begin(11, "LiveKit");
    let passed = [
        runner
            .test(
                "Participant and Track in the Room",
                test_step11_participant_and_track,
            )
            .await,
        runner
            .test("A Subscriber Sees the Page", test_step11_subscriber)
            .await,
        runner
            .test("Pause and Resume", test_step11_pause_and_resume)
            .await,
        runner
            .test("Frame Rate and Bit Rate", test_step11_rates)
            .await,
        runner
            .test("Close Leaves the Room", test_step11_close)
            .await,
        runner
            .test("Two Rooms Do Not Mix", test_step11_two_rooms)
            .await,
    ];
    runner.tally(&passed)
}

async fn service(bench: &Bench) -> Outcome<(Coordinates, Service)> {
    let server = bench.livekit().await?;
    let service = bench.service(server.settings()).await?;
    Ok((server, service))
}

/// Rooms of a shared server are told apart by name.
fn room(name: &str) -> String {
    format!("validate-{name}-{}", uuid::Uuid::new_v4().simple())
}

async fn test_step11_participant_and_track(bench: Bench) -> Outcome {
    let (server, service) = service(&bench).await?;
    let room = room("track");
    let session = bench.session_of(&service, &room, json!({})).await?;
    let track = server.track(&room, "the track is in the room", |_| true);
    let track = track.await?;
    let browser = server.browser(&room).await?.unwrap_or_default();
    bench.say(format!(
        "{} ({}): track \"{}\", {}, {}, {}x{}",
        browser["identity"],
        browser["kind"],
        track["name"].as_str().unwrap_or_default(),
        track["source"],
        track["mime_type"]
            .as_str()
            .or(track["mimeType"].as_str())
            .unwrap_or_default(),
        track["width"],
        track["height"]
    ));
    ensure!(
        browser["kind"] == "AGENT",
        "its kind is {}",
        browser["kind"]
    );
    ensure!(
        track["source"] == "SCREEN_SHARE" && track["name"] == "browser",
        "the track is {track}"
    );
    let mime = track["mime_type"].as_str().or(track["mimeType"].as_str());
    let is_h264 = mime.is_some_and(|mime| mime.eq_ignore_ascii_case("video/h264"));
    ensure!(is_h264, "the track is {mime:?}");
    ensure!(
        track["width"] == 1280 && track["height"] == 720,
        "the track is {}x{}",
        track["width"],
        track["height"]
    );
    let state = session.record().await?.livekit;
    ensure!(state == "connected", "the record says {state}");
    Ok(())
}

async fn test_step11_subscriber(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let (server, service) = service(&bench).await?;
    let room = room("subscriber");
    let fields = json!({ "initial_url": pages.url("/flat/cc3333") });
    let session = bench.session_of(&service, &room, fields).await?;
    let viewer = Viewer::livekit(&server, &room).await?;
    let first = viewer.sees(seconds(15), AT, RED).await?;
    bench.say(format!(
        "first decoded picture after {:.2} s",
        first.as_secs_f64()
    ));
    ensure!(
        viewer.size() == Some((1280, 720)),
        "the pictures are {:?}",
        viewer.size()
    );
    session.navigate(&pages.url("/form")).await?;
    viewer.sees(seconds(5), (1250, 690), [255; 3]).await?;
    let index = session.index_of("Paint it").await?;
    let (_, took) = session.perform("click", json!({ "index": index })).await?;
    let seen = viewer
        .sees(seconds(5), (1250, 690), [0x33, 0x66, 0xcc])
        .await?;
    bench.say(format!(
        "a click's colour is seen {:.0} ms after the click's result, which took {:.0} ms",
        seen.as_secs_f64() * 1e3,
        took.as_secs_f64() * 1e3
    ));
    // The server says so a moment after it has subscribed somebody.
    until(seconds(5), "the record knows of a viewer", async || {
        session.record().await.ok()?.viewers.livekit.then_some(())
    })
    .await?;
    ensure!(
        viewer.broken() == 0,
        "{} units do not decode",
        viewer.broken()
    );
    Ok(())
}

async fn test_step11_pause_and_resume(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let (server, service) = service(&bench).await?;
    let room = room("pause");
    let fields = json!({ "initial_url": pages.url("/clock") });
    let session = bench.session_of(&service, &room, fields).await?;
    let viewer = Viewer::livekit(&server, &room).await?;
    let flowing = until(seconds(15), "pictures flow", async || {
        (viewer.pictures() > 20).then_some(())
    });
    flowing.await?;
    session.pause().await?;
    let is_muted = |track: &Value| track["muted"] == true;
    server.track(&room, "the track is muted", is_muted).await?;
    let before = viewer.pictures();
    tokio::time::sleep(seconds(1)).await;
    let more = viewer.pictures() - before;
    ensure!(more == 0, "{more} pictures come while it is paused");
    session.navigate(&pages.url("/flat/33cc33")).await?;
    session.resume().await?;
    let is_unmuted = |track: &Value| track["muted"] != true;
    server
        .track(&room, "the track is unmuted", is_unmuted)
        .await?;
    let took = viewer.sees(seconds(5), AT, GREEN).await?;
    bench.say(format!(
        "muted: no picture in a second, actions work; resumed: the current page after {:.2} s",
        took.as_secs_f64()
    ));
    Ok(())
}

async fn test_step11_rates(bench: Bench) -> Outcome {
    const WATCHED: Duration = Duration::from_secs(4);
    let pages = bench.pages().await?;
    let (server, service) = service(&bench).await?;
    for fps in [10, 20] {
        let room = room("rates");
        let fields = json!({ "initial_url": pages.url("/clock"), "fps": fps });
        let session = bench.session_of(&service, &room, fields).await?;
        let viewer = Viewer::livekit(&server, &room).await?;
        let flowing = until(seconds(15), "pictures flow", async || {
            (viewer.pictures() > 10).then_some(())
        });
        flowing.await?;
        let (pictures, bytes, started) = (viewer.pictures(), viewer.bytes(), Instant::now());
        tokio::time::sleep(WATCHED).await;
        let took = started.elapsed().as_secs_f64();
        let rate = (viewer.pictures() - pictures) as f64 / took;
        let bits = (viewer.bytes() - bytes) as f64 * 8.0 / took;
        bench.say(format!(
            "asked for {fps} a second: {rate:.1} decoded, {:.2} Mbit/s",
            bits / 1e6
        ));
        let asked = f64::from(fps);
        ensure!(
            (asked * 0.7..=asked * 1.15).contains(&rate),
            "{rate:.1} pictures a second, asked for {fps}"
        );
        let most = f64::from(session.record().await?.bitrate_bps) * BITRATE_TOLERANCE;
        ensure!(bits <= most, "{bits:.0} bits a second, at most {most:.0}");
        service.close(&room).await?;
    }
    Ok(())
}

async fn test_step11_close(bench: Bench) -> Outcome {
    let (server, service) = service(&bench).await?;
    let room = room("close");
    for round in 1..=3 {
        bench.session_of(&service, &room, json!({})).await?;
        server
            .track(&room, "the track is in the room", |_| true)
            .await?;
        service.close(&room).await?;
        let started = Instant::now();
        let gone = until(seconds(5), "the browser has left the room", async || {
            let there = server.browser(&room).await.ok()?;
            there.is_none().then_some(())
        });
        gone.await?;
        bench.say(format!(
            "round {round}: gone {:.2} s after the close",
            started.elapsed().as_secs_f64()
        ));
    }
    Ok(())
}

async fn test_step11_two_rooms(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let (server, service) = service(&bench).await?;
    let rooms = [room("left"), room("right")];
    let mut sessions = Vec::new();
    for (room, path) in rooms.iter().zip(["/flat/cc3333", "/flat/3333cc"]) {
        let fields = json!({ "initial_url": pages.url(path) });
        sessions.push(bench.session_of(&service, room, fields).await?);
    }
    let left = Viewer::livekit(&server, &rooms[0]).await?;
    let right = Viewer::livekit(&server, &rooms[1]).await?;
    left.sees(seconds(15), AT, RED).await?;
    right.sees(seconds(15), AT, BLUE).await?;
    let mut beside = sessions[1].events("").await?;
    sessions[0].navigate(&pages.url("/flat/33cc33")).await?;
    left.sees(seconds(5), AT, GREEN).await?;
    beside.hear_for(Duration::from_millis(500)).await;
    ensure!(
        beside.heard.is_empty(),
        "the other room hears of it: {:?}",
        beside.heard
    );
    let other = right.colour(AT.0, AT.1);
    ensure!(
        other == right.colour(AT.0 + 40, AT.1),
        "the other room is disturbed"
    );
    right.sees(seconds(1), AT, BLUE).await?;
    let url = sessions[1].context().await?.url;
    ensure!(
        url == pages.url("/flat/3333cc"),
        "the other room is at {url}"
    );
    Ok(())
}
