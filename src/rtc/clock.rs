//! [`RtpClock`]: RTP timestamps from capture times.

use std::time::{Duration, Instant};

use str0m::media::{Frequency, MediaTime};

/// Turns capture times into RTP timestamps: 90 kHz since the peer's start, strictly increasing.
#[derive(Debug)]
pub(super) struct RtpClock {
    start: Instant,
    last_ticks: Option<u64>,
}

impl RtpClock {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            last_ticks: None,
        }
    }

    pub(super) fn stamp(&mut self, made_at: Instant) -> (Instant, MediaTime) {
        let since = made_at.saturating_duration_since(self.start);
        let ticks = (since.as_nanos() * 9 / 100_000) as u64;
        let ticks = self
            .last_ticks
            .map_or(ticks, |last| ticks.max(last.saturating_add(1)));
        self.last_ticks = Some(ticks);
        let wallclock = self.start + Duration::from_nanos(ticks.saturating_mul(100_000) / 9);
        (wallclock, MediaTime::new(ticks, Frequency::NINETY_KHZ))
    }
}
