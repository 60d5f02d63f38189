//! Two peers, a simulated network and a virtual clock.

use str0m::media::MediaData;

use super::*;
use crate::media::Level;
use crate::rtc::ways::TCP_AFTER;

const RATE: Rate = Rate {
    target: 2_000_000,
    level: Level::USUAL,
};
pub(super) const TRACK: Track<'_> = Track {
    stream: "stream-1",
    id: "track-1",
    is_layered: false,
};
const STEPS_MAX: usize = 200_000;

/// An address of ours on a server that relays.
fn relay() -> SocketAddr {
    ([203, 0, 113, 9], 5_000).into()
}

/// A small deterministic generator (xorshift), so that a failing run can be run again.
pub(super) struct Dice(u64);

impl Dice {
    fn per_cent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

struct Packet {
    arrives_at: Instant,
    to_viewer: bool,
    transport: Transport,
    bytes: Vec<u8>,
}

/// Our peer, a viewer made of the bare engine, and a link between them.
pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) peer: Peer,
    pub(super) viewer: Rtc,
    link: VecDeque<Packet>,
    pub(super) delay: Duration,
    /// How much a packet may come later than the delay says.
    pub(super) jitter: Duration,
    /// Of datagrams over UDP; TCP loses none.
    pub(super) loss_per_cent: u64,
    /// What the way to the viewer carries, bits a second; 0 for all.
    pub(super) rate: u64,
    /// How long a packet may queue on that way before it is dropped.
    pub(super) queue: Duration,
    /// When that way has carried what it was given.
    free_at: Instant,
    pub(super) dice: Dice,
    pub(super) events: Vec<Event>,
    pub(super) received: Vec<MediaData>,
    /// When each of them came.
    pub(super) received_at: Vec<Instant>,
    is_broken: bool,
    asked_at: Instant,
    /// How often the peer's time came.
    pub(super) wakes: usize,
    peer_wakes: Instant,
    viewer_wakes: Instant,
}

fn ours() -> SocketAddr {
    "10.0.0.1:4000".parse().unwrap()
}

fn theirs() -> SocketAddr {
    "10.0.0.2:5000".parse().unwrap()
}

/// Where the viewer takes TCP connections.
fn theirs_by_tcp() -> SocketAddr {
    "10.0.0.2:5001".parse().unwrap()
}

/// Where our TCP connection comes from, as the viewer sees it.
fn ours_by_tcp() -> SocketAddr {
    "10.0.0.1:40000".parse().unwrap()
}

fn passive() -> Candidate {
    let candidate = Candidate::builder().tcp().host(theirs_by_tcp());
    candidate.tcptype(TcpType::Passive).build().unwrap()
}

fn viewer(now: Instant, reordering: usize) -> Rtc {
    let mut config = RtcConfig::new().clear_codecs();
    // Numbers of its own, as a browser has.
    config
        .codec_config()
        .add_h264(96.into(), Some(97.into()), true, BASELINE | 31);
    let mut viewer = config
        .set_extension(9, Extension::PlayoutDelay)
        .set_reordering_size_video(reordering)
        .build(now);
    viewer.add_local_candidate(Candidate::host(theirs(), Protocol::Udp).unwrap());
    viewer
}

impl Pair {
    fn new(peer: Peer, viewer: Rtc, now: Instant, loss_per_cent: u64) -> Self {
        Self {
            now,
            peer,
            viewer,
            link: VecDeque::new(),
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            rate: 0,
            queue: Duration::from_millis(400),
            free_at: now,
            received_at: Vec::new(),
            is_broken: false,
            asked_at: now,
            wakes: 0,
            loss_per_cent,
            dice: Dice(0x9e37_79b9_7f4a_7c15),
            events: Vec::new(),
            received: Vec::new(),
            peer_wakes: now,
            viewer_wakes: now,
        }
    }

    /// A pair whose viewer sent the offer.
    pub(super) fn answered(loss_per_cent: u64) -> Self {
        Self::patient(loss_per_cent, 200)
    }

    /// The same, whose viewer waits for a missing packet until so many have come after it.
    pub(super) fn patient(loss_per_cent: u64, reordering: usize) -> Self {
        let now = Instant::now();
        let mut viewer = viewer(now, reordering);
        let mut api = viewer.sdp_api();
        api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = api.apply().unwrap();
        let (peer, answer) = Peer::answer(now, &[ours()], RATE, &offer.to_sdp_string()).unwrap();
        let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
        viewer.sdp_api().accept_answer(pending, answer).unwrap();
        Self::new(peer, viewer, now, loss_per_cent)
    }

    /// A pair whose peer sent the offer, to a viewer that takes UDP and TCP.
    fn offered(loss_per_cent: u64) -> Self {
        Self::offered_track(loss_per_cent, TRACK)
    }

    pub(super) fn offered_track(loss_per_cent: u64, track: Track<'_>) -> Self {
        let now = Instant::now();
        let offered = Peer::offer(now, &[ours()], RATE, track).unwrap();
        let offer = SdpOffer::from_sdp_string(offered.sdp()).unwrap();
        let mut viewer = viewer(now, 200);
        viewer.add_local_candidate(passive());
        let answer = viewer.sdp_api().accept_offer(offer).unwrap();
        let mut peer = offered.accept(&answer.to_sdp_string()).unwrap();
        let candidate = Candidate::host(theirs(), Protocol::Udp).unwrap();
        for candidate in [candidate, passive()] {
            peer.add_remote_candidate(&candidate.to_sdp_string())
                .unwrap();
        }
        Self::new(peer, viewer, now, loss_per_cent)
    }

    /// Lets the viewer answer the offer that looks for another path.
    pub(super) fn answer_restart(&mut self) {
        let offer = self.events.iter().rev().find_map(|event| match event {
            Event::PathLost { offer } => Some(offer.clone()),
            _ => None,
        });
        let offer = SdpOffer::from_sdp_string(&offer.expect("the path is lost")).unwrap();
        let answer = self.viewer.sdp_api().accept_offer(offer).unwrap();
        self.peer.accept_restart(&answer.to_sdp_string()).unwrap();
    }

    fn send(&mut self, to_viewer: bool, transport: Transport, bytes: &[u8]) {
        if transport == Transport::Udp && self.dice.per_cent(self.loss_per_cent) {
            return;
        }
        let mut leaves_at = self.now;
        if to_viewer && self.rate > 0 {
            if self.free_at > self.now + self.queue {
                return;
            }
            let bits = (bytes.len() as u64 + 28) * 8;
            let takes = Duration::from_secs_f64(bits as f64 / self.rate as f64);
            self.free_at = self.free_at.max(self.now) + takes;
            leaves_at = self.free_at;
        }
        let jitter = self.dice.below(1 + self.jitter.as_micros() as u64);
        let arrives_at = leaves_at + self.delay + Duration::from_micros(jitter);
        let place = self.link.partition_point(|p| p.arrives_at <= arrives_at);
        let packet = Packet {
            arrives_at,
            to_viewer,
            transport,
            bytes: bytes.to_vec(),
        };
        self.link.insert(place, packet);
    }

    fn drain(&mut self) {
        loop {
            match self.peer.poll() {
                Output::Transmit(transmit) => {
                    let expected = match transmit.transport {
                        Transport::Udp | Transport::Relay(_) => theirs(),
                        Transport::Tcp => theirs_by_tcp(),
                    };
                    assert_eq!(transmit.destination, expected);
                    self.send(true, transmit.transport, transmit.contents());
                }
                Output::Event(event) => self.events.push(event),
                Output::Timeout(at) => break self.peer_wakes = at,
            }
        }
        loop {
            match self.viewer.poll_output().unwrap() {
                str0m::Output::Transmit(transmit) => {
                    let transport = match transmit.proto {
                        Protocol::Tcp => Transport::Tcp,
                        _ if transmit.destination == relay() => Transport::Relay(relay()),
                        _ => Transport::Udp,
                    };
                    self.send(false, transport, &transmit.contents);
                }
                str0m::Output::Event(str0m::Event::MediaData(data)) => {
                    self.keep(data);
                }
                str0m::Output::Event(_) => {}
                str0m::Output::Timeout(at) => break self.viewer_wakes = at,
            }
        }
    }

    /// As a browser does: after a gap that nobody filled, it shows nothing until a keyframe comes,
    /// and asks for one.
    fn keep(&mut self, data: MediaData) {
        let is_keyframe = data
            .data
            .windows(5)
            .any(|w| matches!(w, [0, 0, 0, 1, n] if n & 31 == 5));
        self.is_broken = !is_keyframe && (self.is_broken || !data.contiguous);
        if !self.is_broken {
            self.received.push(data);
            self.received_at.push(self.now);
        } else if self.now > self.asked_at + Duration::from_millis(300) {
            self.asked_at = self.now;
            let writer = self.viewer.writer(data.mid);
            let kind = str0m::media::KeyframeRequestKind::Pli;
            writer.unwrap().request_keyframe(data.rid, kind).unwrap();
        }
    }

    /// Runs both ends for `span` of virtual time.
    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..STEPS_MAX {
            self.drain();
            let packet_at = self.link.front().map_or(end, |packet| packet.arrives_at);
            let next = packet_at.min(self.peer_wakes).min(self.viewer_wakes);
            if next >= end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            if packet_at <= self.now {
                let packet = self.link.pop_front().unwrap();
                self.deliver(&packet);
            } else if self.peer_wakes <= self.now {
                self.wakes += 1;
                self.peer.handle_timeout(self.now);
            } else {
                self.viewer.handle_input(Input::Timeout(self.now)).unwrap();
            }
        }
        panic!("no progress within {STEPS_MAX} steps");
    }

    fn deliver(&mut self, packet: &Packet) {
        if packet.to_viewer {
            let (protocol, from, to) = match packet.transport {
                Transport::Udp => (Protocol::Udp, ours(), theirs()),
                Transport::Tcp => (Protocol::Tcp, ours_by_tcp(), theirs_by_tcp()),
                Transport::Relay(address) => (Protocol::Udp, address, theirs()),
            };
            let packet = Receive::new(protocol, from, to, &packet.bytes).unwrap();
            let input = Input::Receive(self.now, packet);
            self.viewer.handle_input(input).unwrap();
        } else {
            let from = match packet.transport {
                Transport::Udp | Transport::Relay(_) => theirs(),
                Transport::Tcp => theirs_by_tcp(),
            };
            self.peer
                .handle_receive(self.now, packet.transport, from, &packet.bytes);
        }
    }

    fn keyframe_requests(&self) -> usize {
        let asked = |event: &&Event| matches!(event, Event::KeyframeRequested(_));
        self.events.iter().filter(asked).count()
    }

    pub(super) fn write(&mut self, unit: &AccessUnit) -> Written {
        let written = self.peer.write(self.now, unit);
        self.drain();
        written
    }

    /// Sends `count` pictures at 30 a second, a keyframe first; gives what was sent.
    ///
    /// The link loses nothing of the first and the last picture: a receiver cannot miss what
    /// came before the first packet it sees, nor what comes after the last.
    fn stream(&mut self, count: usize) -> Vec<Vec<u8>> {
        let loss_per_cent = self.loss_per_cent;
        let mut sent = Vec::new();
        for index in 0..count {
            let edge = index == 0 || index + 1 == count;
            self.loss_per_cent = if edge { 0 } else { loss_per_cent };
            let unit = unit(index, self.now);
            assert_eq!(self.write(&unit), Written::Sent);
            sent.push(unit.data.to_vec());
            self.run(Duration::from_millis(33));
        }
        self.run(Duration::from_secs(2));
        sent
    }
}

/// Something with the shape of an access unit, of many packets now and then.
pub(super) fn unit(index: usize, made_at: Instant) -> AccessUnit {
    let keyframe = index == 0;
    let mut data = Vec::new();
    if keyframe {
        data.extend_from_slice(&[0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0x8d]);
        data.extend_from_slice(&[0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80]);
    }
    data.extend_from_slice(&[0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }]);
    let size = if index.is_multiple_of(5) { 9_000 } else { 300 };
    data.extend((0..size).map(|n| (n * 31 + index * 7) as u8 | 1));
    AccessUnit {
        data: data.into(),
        keyframe,
        layer: Layer::Full,
        made_at,
    }
}

/// NAL units without their start codes, parameter sets and slices alike.
fn nal_units(annex_b: &[u8]) -> Vec<Vec<u8>> {
    let text: Vec<u8> = annex_b.to_vec();
    let mut units = vec![];
    let mut rest = text.as_slice();
    while let Some(at) = rest.windows(4).position(|w| w == [0, 0, 0, 1]) {
        rest = &rest[at + 4..];
        let end = rest.windows(4).position(|w| w == [0, 0, 0, 1]);
        units.push(rest[..end.unwrap_or(rest.len())].to_vec());
    }
    units
}

fn assert_arrived(pair: &Pair, sent: &[Vec<u8>]) {
    let sent: Vec<_> = sent.iter().map(|data| nal_units(data)).collect();
    let received: Vec<_> = pair.received.iter().map(|m| nal_units(&m.data)).collect();
    let missing: Vec<_> = (0..sent.len())
        .filter(|index| !received.contains(&sent[*index]))
        .collect();
    assert!(missing.is_empty(), "missing access units: {missing:?}");
    assert!(received == sent, "whole and in order");
    let times: Vec<_> = pair.received.iter().map(|m| m.time.numer()).collect();
    assert!(times.windows(2).all(|w| w[0] < w[1]), "times: {times:?}");
}

#[test]
fn access_units_arrive_whole_and_in_order() {
    let mut pair = Pair::answered(0);
    pair.run(Duration::from_secs(2));
    assert!(matches!(
        pair.events[..],
        [
            Event::Connected,
            Event::Bandwidth(Carries {
                bits: Some(_),
                is_full: false
            }),
            Event::KeyframeRequested(_)
        ]
    ));
    let sent = pair.stream(60);
    assert_arrived(&pair, &sent);
    let spread = pair.received[59].time.numer() - pair.received[0].time.numer();
    assert!(
        (59 * 2970 - 90..59 * 2970 + 90).contains(&spread),
        "90 kHz: {spread}"
    );
    let delay = pair.received[0].ext_vals.play_delay_max;
    assert_eq!(delay.map(|max| max.numer()), Some(0));
}

#[test]
fn a_lossy_link_is_repaired() {
    for loss_per_cent in [1, 5, 8] {
        let mut pair = Pair::answered(loss_per_cent);
        pair.run(Duration::from_secs(10));
        assert!(pair.peer.is_connected());
        let sent = pair.stream(150);
        assert_arrived(&pair, &sent);
    }
}

#[test]
fn an_offer_is_answered_and_carries_the_track() {
    let offered = Peer::offer(Instant::now(), &[ours()], RATE, TRACK).unwrap();
    assert!(offered.sdp().contains("stream-1 track-1"), "msid");
    let formats = offered.sdp().lines().find(|l| l.starts_with("m=video"));
    assert!(
        formats.is_some_and(|l| l.trim_end().ends_with(" 102 103")),
        "one codec: {formats:?}"
    );
    let mut pair = Pair::offered(0);
    pair.run(Duration::from_secs(2));
    let sent = pair.stream(10);
    assert_arrived(&pair, &sent);
}

#[test]
fn a_viewers_keyframe_request_comes_through() {
    let mut pair = Pair::answered(0);
    pair.run(Duration::from_secs(2));
    pair.stream(3);
    let before = pair.keyframe_requests();
    let mid = pair.received[0].mid;
    let mut writer = pair.viewer.writer(mid).unwrap();
    writer
        .request_keyframe(None, str0m::media::KeyframeRequestKind::Pli)
        .unwrap();
    pair.run(Duration::from_millis(200));
    assert_eq!(pair.keyframe_requests(), before + 1);
}

#[test]
fn a_delta_never_comes_first_and_a_keyframe_is_asked_for_again() {
    let mut pair = Pair::answered(0);
    let early = unit(0, pair.now);
    assert_eq!(pair.write(&early), Written::Skipped, "not connected");
    pair.run(Duration::from_secs(2));
    for index in 1..10 {
        let delta = unit(index, pair.now);
        assert_eq!(pair.write(&delta), Written::Skipped);
        pair.run(Duration::from_millis(200));
    }
    assert!((3..=6).contains(&pair.keyframe_requests()));
    pair.stream(2);
    assert_eq!(pair.received.len(), 2);
}

#[test]
fn rtp_times_increase_even_when_capture_times_do_not() {
    let start = Instant::now();
    let mut clock = RtpClock::new(start);
    let at = |millis| start + Duration::from_millis(millis);
    let ticks: Vec<_> = [at(0), at(100), at(100), at(50), at(200)]
        .map(|made_at| clock.stamp(made_at).1.numer())
        .to_vec();
    assert_eq!(ticks, [0, 9000, 9001, 9002, 18_000]);
}

#[test]
fn a_vanished_viewer_is_noticed() {
    let mut pair = Pair::answered(0);
    pair.run(Duration::from_secs(2));
    pair.loss_per_cent = 100;
    pair.run(SILENCE_MAX + Duration::from_secs(1));
    assert!(matches!(
        pair.events.last(),
        Some(Event::Disconnected(Lost::Path))
    ));
    assert!(!pair.peer.is_connected());
}

#[test]
fn a_lost_path_is_looked_for_again_and_a_keyframe_comes_first() {
    let mut pair = Pair::offered(0);
    pair.run(Duration::from_secs(2));
    pair.stream(3);
    pair.loss_per_cent = 100;
    pair.run(SILENCE_MAX + Duration::from_secs(1));
    assert!(!pair.peer.is_connected());
    assert_eq!(
        pair.peer.write(pair.now, &unit(0, pair.now)),
        Written::Skipped
    );
    pair.loss_per_cent = 0;
    pair.events
        .retain(|event| matches!(event, Event::PathLost { .. }));
    pair.answer_restart();
    pair.run(Duration::from_secs(2));
    assert!(pair.peer.is_connected());
    let expected = |events: &[Event]| {
        matches!(
            events,
            [
                Event::PathLost { .. },
                Event::Connected,
                Event::KeyframeRequested(_),
                ..
            ]
        )
    };
    assert!(expected(&pair.events), "{:?}", pair.events);
    let delta = unit(1, pair.now);
    assert_eq!(
        pair.write(&delta),
        Written::Skipped,
        "a keyframe comes first"
    );
    pair.received.clear();
    let sent = pair.stream(5);
    assert_arrived(&pair, &sent);
}

#[test]
fn without_udp_the_way_is_tcp() {
    let mut pair = Pair::offered(100);
    pair.run(TCP_AFTER - Duration::from_millis(100));
    assert!(!pair.peer.is_connected(), "UDP has its chance");
    pair.run(Duration::from_secs(3));
    assert!(pair.peer.is_connected());
    let sent = pair.stream(10);
    assert_arrived(&pair, &sent);
}

fn assert_goes_on_after_a_restart(pair: &mut Pair) {
    pair.answer_restart();
    pair.run(Duration::from_secs(4));
    assert!(pair.peer.is_connected());
    pair.received.clear();
    let sent = pair.stream(5);
    assert_arrived(pair, &sent);
}

#[test]
fn a_path_that_loses_udp_goes_on_over_tcp() {
    let mut pair = Pair::offered(0);
    pair.run(Duration::from_secs(2));
    pair.stream(3);
    pair.loss_per_cent = 100;
    pair.run(SILENCE_MAX + Duration::from_secs(1));
    assert_goes_on_after_a_restart(&mut pair);
}

#[test]
fn a_path_that_loses_udp_goes_on_by_a_relay() {
    let mut pair = Pair::offered(0);
    pair.run(Duration::from_secs(2));
    pair.stream(3);
    pair.loss_per_cent = 100;
    pair.run(SILENCE_MAX + Duration::from_secs(1));
    // Nor is there a way by TCP.
    pair.peer.ways.found();
    pair.peer.add_relay(pair.now, relay());
    pair.answer_restart();
    pair.run(Duration::from_secs(4));
    pair.received.clear();
    let sent = unit(0, pair.now);
    assert_eq!(pair.write(&sent), Written::Sent);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.received.len(), 1);
    let (transport, _) = pair.peer.vitals(pair.now).way.unwrap();
    assert_eq!(transport, Transport::Relay(relay()));
}

#[test]
fn a_way_that_answers_checks_only_is_no_path() {
    let mut pair = Pair::offered(0);
    pair.run(Duration::from_secs(2));
    pair.stream(3);
    // TCP is known as well, and answers, while the media's own way dies.
    pair.peer.ways.try_tcp(&mut pair.peer.rtc);
    pair.run(Duration::from_secs(3));
    pair.loss_per_cent = 100;
    pair.events.clear();
    pair.run(SILENCE_MAX + Duration::from_secs(1));
    let lost = |event: &Event| matches!(event, Event::PathLost { .. });
    assert!(pair.events.iter().any(lost), "{:?}", pair.events);
    assert_goes_on_after_a_restart(&mut pair);
}

#[test]
fn a_description_says_the_level_of_the_pictures() {
    let now = Instant::now();
    let level = Level::of(crate::model::Size::new(1920, 1080), 60);
    let rate = Rate { level, ..RATE };
    let offered = Peer::offer(now, &[ours()], rate, TRACK).unwrap();
    assert!(
        offered.sdp().contains("profile-level-id=42e02a"),
        "{}",
        offered.sdp()
    );
    let mut viewer = viewer(now, 200);
    let mut api = viewer.sdp_api();
    api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    let (offer, _) = api.apply().unwrap();
    let (_, answer) = Peer::answer(now, &[ours()], rate, &offer.to_sdp_string()).unwrap();
    assert!(answer.contains("profile-level-id=42e02a"), "{answer}");
}

#[test]
fn offers_that_cannot_be_answered_are_refused() {
    let now = Instant::now();
    let answer = |offer: &str| Peer::answer(now, &[ours()], RATE, offer).map(drop);
    assert!(matches!(answer("nonsense"), Err(Error::Parse { .. })));
    let long = "v=0\r\n".repeat(SDP_BYTES_MAX);
    assert!(matches!(answer(&long), Err(Error::TooLong)));
    let mut other = RtcConfig::new().clear_codecs().enable_vp8(true).build(now);
    let mut api = other.sdp_api();
    api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    let (offer, _pending) = api.apply().unwrap();
    assert!(matches!(
        answer(&offer.to_sdp_string()),
        Err(Error::NoVideo)
    ));
}
