//! The driver against a viewer made of the bare engine, over loopback sockets.

use crate::rtc::peer::Rate;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Input, Rtc, RtcConfig};
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

use super::*;
use crate::media::{AccessUnit, Layer, Level};
use crate::publish::{Fanout, FeedId, Feedback, Wants};
use crate::rtc::sockets;

const RATE: Rate = Rate {
    target: 2_000_000,
    level: Level::USUAL,
};

#[derive(Debug, Default)]
struct Wishes {
    keyframes: AtomicUsize,
    watched: Mutex<Vec<Wants>>,
}

impl Feedback for Wishes {
    fn request_keyframe(&self, _: FeedId, _: Option<Layer>) {
        self.keyframes.fetch_add(1, Ordering::SeqCst);
    }
    fn set_bandwidth(&self, _: FeedId, _: Carries) {}
    fn set_wants(&self, _: FeedId, watched: Wants) {
        self.watched.lock().unwrap().push(watched);
    }
    fn remove(&self, _: FeedId) {}
}

fn loopback() -> sockets::Config {
    sockets::Config {
        bind: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ..sockets::Config::default()
    }
}

/// A driver whose peer answers a new viewer, and that viewer with its socket.
fn pair(socket: &UdpSocket) -> (Driver, Rtc) {
    let now = Instant::now();
    let mut config = RtcConfig::new().clear_codecs();
    config
        .codec_config()
        .add_h264(96.into(), Some(97.into()), true, 0x0042_e01f);
    let mut viewer = config.build(now);
    let address = socket.local_addr().unwrap();
    viewer.add_local_candidate(Candidate::host(address, Protocol::Udp).unwrap());
    let mut api = viewer.sdp_api();
    api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    let (offer, pending) = api.apply().unwrap();
    let bound = sockets::bind(&loopback(), None).unwrap();
    let (peer, answer) = Peer::answer(now, &bound.local, RATE, &offer.to_sdp_string()).unwrap();
    let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
    viewer.sdp_api().accept_answer(pending, answer).unwrap();
    let within = Duration::from_millis(500);
    let (driver, _commands) = Driver::new(peer, bound, Watch::Connection, within);
    (driver, viewer)
}

/// Runs a viewer until it has got `count` access units; gives their sizes.
async fn watch(viewer: &mut Rtc, socket: &UdpSocket, count: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut datagram = vec![0; 2048];
    while sizes.len() < count {
        let at = loop {
            match viewer.poll_output().unwrap() {
                str0m::Output::Transmit(t) => {
                    socket.send_to(&t.contents, t.destination).await.unwrap();
                }
                str0m::Output::Event(str0m::Event::MediaData(data)) => sizes.push(data.data.len()),
                str0m::Output::Event(_) => {}
                str0m::Output::Timeout(at) => break at,
            }
        };
        tokio::select! {
            Ok((length, source)) = socket.recv_from(&mut datagram) => {
                let here = socket.local_addr().unwrap();
                let packet = Receive::new(Protocol::Udp, source, here, &datagram[..length]);
                let input = Input::Receive(Instant::now(), packet.unwrap());
                viewer.handle_input(input).unwrap();
            }
            () = sleep_until(at.into()) => {
                viewer.handle_input(Input::Timeout(Instant::now())).unwrap();
            }
        }
    }
    sizes
}

fn unit(keyframe: bool, size: usize) -> Arc<AccessUnit> {
    let mut data = vec![0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }];
    data.resize(size, 0x5a);
    Arc::new(AccessUnit {
        data: data.into(),
        keyframe,
        layer: Layer::Full,
        made_at: Instant::now(),
    })
}

#[tokio::test]
async fn a_viewer_watches_from_a_keyframe_until_it_is_sent_away() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (driver, mut viewer) = pair(&socket);
    let wishes = Arc::new(Wishes::default());
    let mut fanout = Fanout::default();
    let feedback: Arc<dyn Feedback> = Arc::<Wishes>::clone(&wishes);
    let mut feed = fanout.subscribe(feedback);
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let driving = tokio::spawn(async move { driver.run(&mut feed, &stop, |_| {}).await });

    let seen = Arc::<Wishes>::clone(&wishes);
    let studio = tokio::spawn(async move {
        loop {
            let keyframe = seen.keyframes.swap(0, Ordering::SeqCst) > 0;
            let size = if keyframe { 40_000 } else { 500 };
            fanout.send(&unit(keyframe, size));
            sleep(Duration::from_millis(20)).await;
        }
    });
    let watching = watch(&mut viewer, &socket, 10);
    let sizes = timeout(Duration::from_secs(10), watching).await.unwrap();
    assert_eq!(sizes[0], 40_000, "{sizes:?}");
    cancel.cancel();
    assert!(matches!(driving.await.unwrap(), End::Cancelled));
    assert_eq!(
        *wishes.watched.lock().unwrap(),
        [Wants::Either, Wants::Nothing]
    );
    studio.abort();
}

#[tokio::test]
async fn nobody_connects() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (driver, _viewer) = pair(&socket);
    let mut fanout = Fanout::default();
    let mut feed = fanout.subscribe(Arc::new(Wishes::default()));
    let end = driver
        .run(&mut feed, &CancellationToken::new(), |_| {})
        .await;
    assert!(matches!(end, End::ConnectTimeout { .. }), "{end}");
}

#[tokio::test]
async fn the_session_ends() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (driver, _viewer) = pair(&socket);
    let mut fanout = Fanout::default();
    let mut feed = fanout.subscribe(Arc::new(Wishes::default()));
    drop(fanout);
    let end = driver
        .run(&mut feed, &CancellationToken::new(), |_| {})
        .await;
    assert!(matches!(end, End::SessionOver), "{end}");
}
