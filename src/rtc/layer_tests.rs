//! Several viewers of one studio under a virtual clock, each on a link of their own: what one bad link
//! costs the others, and what its viewer gets.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::link_tests::{FRAME, Path, Seen, Studio, TARGET, look, path};
use super::tests::{Pair, TRACK, unit};
use super::{Carries, Event, Track, Written};
use crate::media::Layer;
use crate::publish::layers::Choice;
use crate::publish::{Fanout, Feed, FeedId, Feedback, Takes, Wants};

#[derive(Debug)]
struct Ignore;

impl Feedback for Ignore {
    fn request_keyframe(&self, _: FeedId, _: Option<Layer>) {}
    fn set_bandwidth(&self, _: FeedId, _: Carries) {}
    fn set_wants(&self, _: FeedId, _: Wants) {}
    fn remove(&self, _: FeedId) {}
}

struct Viewer {
    pair: Pair,
    feed: Feed,
    start: Instant,
    carries: Carries,
}

/// A studio and its viewers.
struct House {
    fanout: Fanout,
    choice: Choice,
    full: Studio,
    low: Studio,
    viewers: Vec<Viewer>,
    frames: u32,
    /// Keyframes of either layer.
    keyframes: HashMap<Layer, usize>,
    /// The least that the full layer was made for.
    full_least: u64,
}

impl House {
    fn new(viewers: usize) -> Self {
        let mut fanout = Fanout::default();
        let viewers = (0..viewers).map(|_| {
            let mut pair = Pair::patient(0, 30);
            pair.run(Duration::from_secs(1));
            Viewer {
                start: pair.now,
                pair,
                feed: fanout.subscribe(Arc::new(Ignore)),
                carries: Carries::default(),
            }
        });
        let viewers: Vec<_> = viewers.collect();
        let now = viewers[0].pair.now;
        Self {
            fanout,
            choice: Choice::new(TARGET, true),
            full: Studio::new(now),
            low: Studio::low(now),
            viewers,
            frames: 0,
            keyframes: HashMap::new(),
            full_least: TARGET,
        }
    }

    /// Lets the page scroll for so long, over these links.
    fn scroll(&mut self, seconds: u32, links: &[Path]) {
        for (viewer, link) in self.viewers.iter_mut().zip(links) {
            link.lead(&mut viewer.pair);
        }
        for _ in 0..seconds * 30 {
            self.hear();
            self.draw();
            for viewer in &mut self.viewers {
                while let Some(unit) = viewer.feed.try_next() {
                    viewer.pair.write(&unit);
                }
                viewer.pair.run(FRAME);
            }
        }
    }

    fn hear(&mut self) {
        for viewer in &mut self.viewers {
            for event in viewer.pair.events.drain(..) {
                match event {
                    Event::KeyframeRequested(_) => match self.choice.layer(viewer.feed.id()) {
                        Layer::Full => self.full.keyframe = true,
                        Layer::Low => self.low.keyframe = true,
                    },
                    Event::Bandwidth(carries) => viewer.carries = carries,
                    _ => {}
                }
            }
        }
        let now = self.viewers[0].pair.now;
        let carries = self.viewers.iter().map(|v| (v.feed.id(), v.carries));
        for (feed, layer) in self.choice.choose(now, carries) {
            for wished in self.fanout.give(feed, Takes::One(layer)) {
                match wished {
                    Layer::Full => self.full.keyframe = true,
                    Layer::Low => self.low.keyframe = true,
                }
            }
        }
        self.low.keyframe |= self.choice.probes(now);
        self.full.limit = self.choice.bits(Layer::Full).unwrap_or(TARGET).min(TARGET);
        self.low.limit = self.choice.bits(Layer::Low).unwrap_or(TARGET).min(150_000);
    }

    fn draw(&mut self) {
        self.frames += 1;
        let pair = &mut self.viewers[0].pair;
        let full = self.full.picture(pair);
        let is_low = self.frames.is_multiple_of(3) && self.choice.low_count() > 0;
        let low = is_low.then(|| self.low.picture(pair)).flatten();
        for unit in [full, low].into_iter().flatten() {
            *self.keyframes.entry(unit.layer).or_default() += usize::from(unit.keyframe);
            self.fanout.send(&Arc::new(unit));
        }
        // The first moments are everybody's way up.
        if self.frames > 60 {
            self.full_least = self.full_least.min(self.full.limit);
        }
    }

    fn seen(&self, viewer: usize, from: u64, until: u64) -> Seen {
        let viewer = &self.viewers[viewer];
        look(&viewer.pair, viewer.start, from, until)
    }

    fn layer(&self, viewer: usize) -> Layer {
        self.choice.layer(self.viewers[viewer].feed.id())
    }
}

#[test]
fn one_bad_link_costs_five_good_ones_nothing() {
    let good = path(0, 0, 10, 1);
    let alone = {
        let mut house = House::new(5);
        house.scroll(20, &[good; 5]);
        house.seen(0, 3, 20)
    };
    for bad in [path(600_000, 0, 10, 1), path(300_000, 0, 40, 5)] {
        let mut house = House::new(6);
        house.scroll(20, &[good, good, good, good, good, bad]);
        assert_eq!(house.full_least, TARGET);
        for viewer in 0..5 {
            let seen = house.seen(viewer, 3, 20);
            assert!(seen.fps >= alone.fps * 0.98, "{seen:?}, alone {alone:?}");
            assert!(seen.p50_ms <= alone.p50_ms + 5, "{seen:?}, alone {alone:?}");
        }
        assert_eq!(house.layer(5), Layer::Low);
        let seen = house.seen(5, 3, 20);
        assert!(seen.fps >= 8.0, "{seen:?}");
        assert!(seen.gap_max_ms <= 700, "{seen:?}");
        assert!(seen.p50_ms <= 300, "{seen:?}");
        let first = house.viewers[5].pair.received_at[0];
        assert!(first < house.viewers[5].start + Duration::from_secs(3));
        assert!(house.keyframes[&Layer::Full] <= 6, "{:?}", house.keyframes);
    }
}

#[test]
fn where_all_links_are_narrow_the_full_layer_has_few_bits() {
    let mut house = House::new(2);
    house.scroll(20, &[path(600_000, 0, 10, 1), path(500_000, 0, 10, 1)]);
    for viewer in 0..2 {
        assert_eq!(house.layer(viewer), Layer::Full);
        let seen = house.seen(viewer, 3, 20);
        assert!(seen.fps >= 25.0, "{seen:?}");
    }
}

#[test]
fn a_link_that_narrows_is_left_and_one_that_widens_is_filled_again() {
    let good = path(0, 0, 10, 1);
    let mut house = House::new(2);
    house.scroll(5, &[good, path(5_000_000, 0, 10, 1)]);
    assert_eq!(house.layer(1), Layer::Full);
    house.scroll(10, &[good, path(400_000, 0, 10, 1)]);
    assert_eq!(house.layer(1), Layer::Low);
    let narrowed = house.seen(1, 5, 15);
    assert!(narrowed.gap_max_ms <= 1_800, "{narrowed:?}");
    house.scroll(20, &[good, path(5_000_000, 0, 10, 1)]);
    assert_eq!(house.layer(1), Layer::Full);
    let after = house.seen(1, 27, 35);
    assert!(after.fps >= 29.0, "{after:?}");
    assert_eq!(house.full_least, TARGET);
}

/// A page's pictures, a keyframe of each layer first, by a stream for each.
fn stream_both(pair: &mut Pair, count: usize) {
    for index in 0..count {
        for layer in Layer::ALL {
            let mut unit = unit(index, pair.now);
            unit.layer = layer;
            assert_eq!(pair.write(&unit), Written::Sent, "{layer:?} {index}");
        }
        pair.run(Duration::from_millis(33));
    }
    pair.run(Duration::from_secs(2));
}

fn by(pair: &Pair, name: &str) -> usize {
    let of = |rid: str0m::media::Rid| rid == name.into();
    let received = pair.received.iter();
    received.filter(|data| data.rid.is_some_and(of)).count()
}

#[test]
fn for_a_server_of_rooms_each_layer_is_a_stream_of_its_own() {
    for loss_per_cent in [0, 5] {
        let track = Track {
            is_layered: true,
            ..TRACK
        };
        let mut pair = Pair::offered_track(loss_per_cent, track);
        pair.run(Duration::from_secs(2));
        let mut early = unit(1, pair.now);
        assert_eq!(pair.write(&early), Written::Skipped);
        assert_eq!(pair.write(&unit(0, pair.now)), Written::Sent);
        early.layer = Layer::Low;
        assert_eq!(pair.write(&early), Written::Skipped, "its own has not come");
        let asked = |event: &Event| matches!(event, Event::KeyframeRequested(Some(Layer::Low)));
        assert!(pair.events.iter().any(asked), "{:?}", pair.events);
        pair.run(Duration::from_millis(100));
        pair.received.clear();
        stream_both(&mut pair, 90);
        assert_eq!(
            (by(&pair, "h"), by(&pair, "q")),
            (90, 90),
            "{loss_per_cent} % lost"
        );
    }
}

#[test]
fn a_keyframe_is_asked_for_of_the_layer_that_lacks_it() {
    let track = Track {
        is_layered: true,
        ..TRACK
    };
    let mut pair = Pair::offered_track(0, track);
    pair.run(Duration::from_secs(2));
    stream_both(&mut pair, 3);
    let mid = pair.received[0].mid;
    for (name, layer) in [("q", Layer::Low), ("h", Layer::Full)] {
        pair.events.clear();
        let writer = pair.viewer.writer(mid);
        let kind = str0m::media::KeyframeRequestKind::Pli;
        let asked = writer.unwrap().request_keyframe(Some(name.into()), kind);
        asked.unwrap();
        pair.run(Duration::from_secs(1));
        let of = |event: &Event| match event {
            Event::KeyframeRequested(of) => Some(*of),
            _ => None,
        };
        let asked: Vec<_> = pair.events.iter().filter_map(of).collect();
        assert_eq!(asked, [Some(layer)]);
    }
}

#[test]
fn each_layer_is_shown_once_on_each_path() {
    let track = Track {
        is_layered: true,
        ..TRACK
    };
    let shown = |pair: &Pair| {
        let shown = |event: &&Event| matches!(event, Event::Shown);
        pair.events.iter().filter(shown).count()
    };
    let mut pair = Pair::offered_track(0, track);
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.write(&unit(0, pair.now)), Written::Sent);
    pair.run(Duration::from_millis(100));
    assert_eq!(shown(&pair), 0, "the low one has not gone");
    stream_both(&mut pair, 60);
    assert_eq!(shown(&pair), 1);
    pair.loss_per_cent = 100;
    pair.run(Duration::from_secs(10));
    assert!(!pair.peer.is_connected());
    pair.loss_per_cent = 0;
    pair.answer_restart();
    pair.run(Duration::from_secs(2));
    assert!(pair.peer.is_connected());
    stream_both(&mut pair, 3);
    assert_eq!(shown(&pair), 2);
}
