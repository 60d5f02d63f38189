//! What the studio makes, counted.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::View;
use crate::model::session::VideoStats;

/// Counts what is made, and publishes it once a second.
pub(super) struct Meter {
    origin: Instant,
    since: Instant,
    pictures: u32,
    bytes: u64,
    total: u64,
    keyframes: u64,
    is_quiet: bool,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            origin: now,
            since: now,
            pictures: 0,
            bytes: 0,
            total: 0,
            keyframes: 0,
            is_quiet: true,
        }
    }

    pub(super) fn media_ms(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.origin).as_millis() as u64
    }

    pub(super) fn count(&mut self, bytes: usize, keyframe: bool) {
        self.pictures += 1;
        self.bytes += bytes as u64;
        self.total += 1;
        self.keyframes += u64::from(keyframe);
        metrics::counter!("ghostcast_keyframes_total").increment(u64::from(keyframe));
        metrics::counter!("ghostcast_frames_encoded_total").increment(1);
        metrics::counter!("ghostcast_encoded_bytes_total").increment(bytes as u64);
    }

    /// When the next second is over; `None` when there is nothing new to tell.
    pub(super) fn next_at(&self) -> Option<Instant> {
        (!self.is_quiet || self.pictures > 0).then(|| self.since + Duration::from_secs(1))
    }

    pub(super) fn publish(&mut self, now: Instant, view: &watch::Sender<View>) {
        let span = now.saturating_duration_since(self.since);
        if span < Duration::from_secs(1) {
            return;
        }
        let seconds = span.as_secs_f64();
        let stats = VideoStats {
            fps: (f64::from(self.pictures) / seconds * 10.0).round() / 10.0,
            bitrate_bps: (self.bytes as f64 * 8.0 / seconds) as u64,
            frames_encoded: self.total,
            keyframes: self.keyframes,
            low_viewers: view.borrow().stats.low_viewers,
        };
        self.is_quiet = self.pictures == 0;
        self.since = now;
        self.pictures = 0;
        self.bytes = 0;
        view.send_if_modified(|view| {
            let changed = view.stats != stats;
            view.stats = stats;
            changed
        });
    }
}
