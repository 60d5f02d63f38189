//! Weak links under a virtual clock: a studio's model sends over a modelled path, and what comes
//! out at the other end is held against what a viewer needs.

use std::time::{Duration, Instant};

use super::tests::Pair;
use super::{Event, Written};
use crate::media::{AccessUnit, Layer};

/// A path, as it is from some second on.
#[derive(Clone, Copy, Default)]
pub(super) struct Path {
    rate: u64,
    loss_per_cent: u64,
    delay_ms: u64,
    jitter_ms: u64,
    /// How much the path queues before it drops.
    queue_ms: u64,
}

/// What the viewer saw within the window.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) fps: f64,
    /// Seconds in gaps of more than 300 ms.
    pub(super) frozen_s: f64,
    pub(super) gap_max_ms: u64,
    pub(super) p50_ms: u64,
    limit: Option<u64>,
    sent_bps: u64,
}

/// Draws and encodes as the studio does, as far as bits go.
pub(super) struct Studio {
    start: Instant,
    layer: Layer,
    pub(super) limit: u64,
    /// What the page takes at most.
    page_bps: u64,
    debt: f64,
    paid_at: Instant,
    pub(super) keyframe: bool,
    keyframe_at: Option<Instant>,
    pictures: u64,
}

pub(super) const TARGET: u64 = 2_000_000;
pub(super) const FRAME: Duration = Duration::from_micros(33_333);

impl Studio {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            start: now,
            layer: Layer::Full,
            limit: TARGET,
            page_bps: TARGET,
            debt: 0.0,
            paid_at: now,
            keyframe: true,
            keyframe_at: None,
            pictures: 0,
        }
    }

    /// Draws the low layer, ten times a second.
    pub(super) fn low(now: Instant) -> Self {
        Self {
            layer: Layer::Low,
            limit: 150_000,
            ..Self::new(now)
        }
    }

    fn hear(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            match event {
                Event::KeyframeRequested(_) => self.keyframe = true,
                Event::Bandwidth(carries) => {
                    let limit = carries.bits.unwrap_or(TARGET).min(TARGET);
                    if std::mem::replace(&mut self.limit, limit) != limit {
                        self.debt = self.debt.min(0.2 * limit as f64);
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn picture(&mut self, pair: &mut Pair) -> Option<AccessUnit> {
        let now = pair.now;
        let rate = self.limit.min(self.page_bps) as f64;
        let elapsed = now.saturating_duration_since(self.paid_at).as_secs_f64();
        self.paid_at = now;
        self.debt = (self.debt - elapsed * rate).max(-0.3 * rate);
        if self.debt > 0.2 * rate {
            return None;
        }
        let may = self
            .keyframe_at
            .is_none_or(|at| now > at + Duration::from_millis(500));
        let keyframe = self.keyframe && may;
        let dice = 50 + pair.dice.below(80);
        self.pictures += 1;
        let fps = match self.layer {
            Layer::Full => 30.0,
            Layer::Low => 10.0,
        };
        let bits = if keyframe {
            match self.layer {
                Layer::Full => (0.25 * rate).clamp(110_000.0, 480_000.0),
                Layer::Low => 0.5 * rate,
            }
        } else if self.pictures.is_multiple_of(45) {
            rate / fps * 4.0
        } else {
            rate / fps * dice as f64 / 100.0
        };
        if keyframe {
            self.keyframe = false;
            self.keyframe_at = Some(now);
        }
        self.debt += bits;
        let mut data = vec![0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }];
        let millis = now.saturating_duration_since(self.start).as_millis() as u64;
        data.extend((0..4).map(|n| (millis >> (7 * n)) as u8 | 0x80));
        data.resize((bits / 8.0) as usize, 0x5a);
        Some(AccessUnit {
            data: data.into(),
            keyframe,
            layer: self.layer,
            made_at: now,
        })
    }
}

/// Lets a page scroll that takes all bits for as many seconds as the last entry of `paths` says, of which those from
/// `from` on count.
fn scroll(paths: &[(u64, Path)], from: u64, until: u64) -> Seen {
    scroll_with(TARGET, paths, from, until)
}

fn scroll_with(page_bps: u64, paths: &[(u64, Path)], from: u64, until: u64) -> Seen {
    // Some tenths of a second, as far as packets tell.
    let patience = if paths.len() > 1 { 30 } else { 100 };
    let mut pair = Pair::patient(0, patience);
    pair.run(Duration::from_secs(1));
    let start = pair.now;
    let mut studio = Studio::new(start);
    studio.page_bps = page_bps;
    let mut limits = None;
    let mut sent = 0;
    while pair.now < start + Duration::from_secs(until) {
        let second = pair.now.duration_since(start).as_secs();
        let path = paths.iter().rev().find(|(at, _)| *at <= second);
        path.unwrap().1.lead(&mut pair);
        studio.hear(&mut pair.events);
        limits = Some(studio.limit);
        if let Some(unit) = studio.picture(&mut pair)
            && pair.write(&unit) == Written::Sent
        {
            sent += unit.data.len() as u64 * 8;
        }
        pair.run(FRAME);
    }
    Seen {
        limit: limits,
        sent_bps: sent / until,
        ..look(&pair, start, from, until)
    }
}

/// What the viewer saw from some second after `start` until another.
pub(super) fn look(pair: &Pair, start: Instant, from: u64, until: u64) -> Seen {
    let window = start + Duration::from_secs(from)..start + Duration::from_secs(until);
    let mut shown: Vec<(Instant, f64)> = Vec::new();
    for (data, at) in pair.received.iter().zip(&pair.received_at) {
        let digits = data.data[5..9].iter().rev();
        let millis = digits.fold(0, |sum, digit| sum << 7 | u64::from(digit & 0x7f));
        let made_at = start + Duration::from_millis(millis);
        let latency = at.duration_since(made_at).as_secs_f64() * 1000.0;
        if window.contains(at) {
            shown.push((*at, latency));
        }
    }
    let mut gaps = Vec::new();
    let mut before = window.start;
    for (at, _) in &shown {
        gaps.push(at.duration_since(before).as_millis() as u64);
        before = *at;
    }
    gaps.push(window.end.duration_since(before).as_millis() as u64);
    let mut latencies: Vec<u64> = shown.iter().map(|(_, ms)| *ms as u64).collect();
    latencies.sort_unstable();
    let median = latencies.get(latencies.len() / 2).copied();
    Seen {
        fps: shown.len() as f64 / (until - from) as f64,
        frozen_s: gaps.iter().filter(|gap| **gap > 300).sum::<u64>() as f64 / 1000.0,
        gap_max_ms: gaps.iter().max().copied().unwrap_or(0),
        p50_ms: median.unwrap_or(u64::MAX),
        limit: None,
        sent_bps: 0,
    }
}

impl Path {
    pub(super) fn lead(self, pair: &mut Pair) {
        pair.rate = self.rate;
        pair.loss_per_cent = self.loss_per_cent;
        pair.delay = Duration::from_millis(self.delay_ms);
        pair.jitter = Duration::from_millis(self.jitter_ms);
        pair.queue = Duration::from_millis(self.queue_ms);
    }
}

pub(super) fn path(rate: u64, loss_per_cent: u64, delay_ms: u64, jitter_ms: u64) -> Path {
    Path {
        rate,
        loss_per_cent,
        delay_ms,
        jitter_ms,
        queue_ms: 400,
    }
}

/// What a viewer needs of a link: at least so many pictures a second, at most so many seconds
/// frozen of twenty, and so much latency.
fn check(name: &str, path: Path, fps: f64, frozen_s: f64, p50_ms: u64) {
    let seen = scroll(&[(0, path)], 3, 23);
    assert!(seen.fps >= fps, "{name}: {seen:?}");
    assert!(seen.frozen_s <= frozen_s, "{name}: {seen:?}");
    assert!(seen.p50_ms <= p50_ms, "{name}: {seen:?}");
    let wanted = (path.rate as f64 * 0.5).min(TARGET as f64 * 0.85);
    if path.loss_per_cent == 0 && path.rate > 0 {
        assert!(seen.sent_bps as f64 >= wanted, "{name}: {seen:?}");
    }
}

#[test]
fn weak_links_carry_a_picture_that_moves() {
    check("free", path(0, 0, 5, 1), 29.0, 0.0, 20);
    check("busy machines", path(0, 0, 10, 60), 29.0, 0.0, 120);
    check("1 Mb/s", path(1_000_000, 0, 10, 1), 28.0, 0.0, 150);
    check("1 Mb/s, uneven", path(1_000_000, 0, 10, 30), 28.0, 0.3, 200);
    check("600 kb/s", path(600_000, 0, 10, 1), 28.0, 0.0, 150);
    check("300 kb/s", path(300_000, 0, 10, 1), 25.0, 1.0, 200);
}

#[test]
fn links_that_queue_little_or_without_end_carry_a_picture_that_moves() {
    let queueing = |rate, queue_ms| Path {
        queue_ms,
        ..path(rate, 0, 10, 1)
    };
    check("1 Mb/s, no buffer", queueing(1_000_000, 40), 20.0, 4.0, 300);
    check(
        "1 Mb/s, bloated",
        queueing(1_000_000, 3_000),
        28.0,
        0.0,
        200,
    );
}

#[test]
fn lossy_links_carry_a_picture_that_moves() {
    check("2 %", path(0, 2, 25, 2), 28.0, 0.4, 120);
    check("10 %", path(0, 10, 50, 2), 22.0, 4.0, 300);
    check("1 Mb/s, 5 %", path(1_000_000, 5, 50, 1), 20.0, 4.0, 400);
}

/// What is lost of both is as good as nothing.
#[test]
fn where_there_is_room_each_packet_of_a_very_lossy_link_is_sent_twice() {
    let seen = scroll_with(130_000, &[(0, path(0, 30, 50, 2))], 8, 28);
    assert!(seen.fps >= 25.0, "{seen:?}");
}

#[test]
fn a_path_that_narrows_is_followed_and_one_that_widens_again_is_filled() {
    let wide = path(5_000_000, 0, 10, 1);
    let paths = [(0, wide), (8, path(400_000, 0, 10, 1)), (20, wide)];
    let seen = scroll(&paths, 3, 30);
    assert!(seen.gap_max_ms <= 1_800, "{seen:?}");
    assert_eq!(seen.limit, Some(TARGET), "ten seconds later: {seen:?}");
}

#[test]
fn the_estimate_of_a_path_that_rests_stays_and_wakes_nobody() {
    let mut pair = Pair::answered(0);
    pair.run(Duration::from_secs(1));
    let mut studio = Studio::new(pair.now);
    let play = |pair: &mut Pair, studio: &mut Studio, pictures: usize| {
        for _ in 0..pictures {
            studio.hear(&mut pair.events);
            if let Some(unit) = studio.picture(pair) {
                pair.write(&unit);
            }
            pair.run(FRAME);
        }
    };
    play(&mut pair, &mut studio, 150);
    assert_eq!(studio.limit, TARGET, "nothing is known against it");
    pair.wakes = 0;
    pair.run(Duration::from_secs(20));
    assert!(pair.wakes <= 80, "{} times in 20 s", pair.wakes);
    play(&mut pair, &mut studio, 30);
    assert_eq!(studio.limit, TARGET, "what was known is still known");
}
