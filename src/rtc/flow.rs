//! [`Flow`]: decides when a bandwidth estimate is a limit.
//!
//! An estimate counts as a limit only below the target bitrate, and only when it has been tried:
//! the last second's sending came near it, or packets were lost. Otherwise the source was quiet
//! and the estimate merely followed it down. A limit found is kept for [`HOLD`] after the source
//! goes quiet (and may rise in it), so that the next burst does not run into the same wall.
//!
//! A busy machine delays packets like a narrow path, and the estimate falls. So an estimate becomes
//! a limit only while packets queue or are lost, as far as round trips are known. When clearly more
//! than the estimate went out and no packet queued, the estimate is wrong; and while a limit is
//! obeyed and nothing queues, it is raised step by step.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Flow {
    target: u64,
    /// When and how many bytes, over the last [`WINDOW`].
    sent: VecDeque<(Instant, usize)>,
    estimate: Option<u64>,
    lossy: bool,
    rtt: Option<Duration>,
    /// The shortest round trip, and when it was seen.
    rtt_min: Option<(Duration, Instant)>,
    raised_at: Option<Instant>,
    limit: Option<u64>,
    limited_at: Option<Instant>,
    reported: Option<u64>,
}

impl Flow {
    pub(super) fn new(target: u64) -> Self {
        Self {
            target,
            sent: VecDeque::new(),
            estimate: None,
            lossy: false,
            rtt: None,
            rtt_min: None,
            raised_at: None,
            limit: None,
            limited_at: None,
            reported: None,
        }
    }

    pub(super) fn set_target(&mut self, target: u64) {
        self.target = target;
    }

    /// `bytes` of media were sent.
    pub(super) fn sent(&mut self, now: Instant, bytes: usize) {
        self.sent.push_back((now, bytes));
        self.forget(now);
    }

    /// The engine's new estimate, bits a second.
    pub(super) fn estimated(&mut self, now: Instant, estimate: u64) {
        self.estimate = Some(estimate);
        self.judge(now);
    }

    /// The fraction of packets lost lately.
    pub(super) fn lost(&mut self, now: Instant, fraction: Option<f32>) {
        self.lossy = fraction.is_some_and(|fraction| fraction > LOSS_TOLERATED);
        self.judge(now);
    }

    /// The latest round trip.
    pub(super) fn round_trip(&mut self, now: Instant, rtt: Duration) {
        self.rtt = Some(rtt);
        let is_new = self.rtt_min.is_none_or(|(least, seen)| {
            rtt <= least || now.saturating_duration_since(seen) > RTT_MIN_LASTS
        });
        if is_new {
            self.rtt_min = Some((rtt, now));
        }
    }

    /// Whether packets queue on the path; `None` while no round trip is known. A busy machine, ours
    /// or the other one, delays packets as well and pulls the estimate down, but not for long.
    fn queues(&self) -> Option<bool> {
        Some(self.rtt? > self.rtt_min?.0 + QUEUEING)
    }

    /// The limit, when it is worth telling again.
    pub(super) fn changed(&mut self) -> Option<Option<u64>> {
        let worth = match (self.reported, self.limit) {
            (None, None) => false,
            (Some(old), Some(new)) => old.abs_diff(new) * CHANGE_PARTS > old,
            (None, Some(_)) | (Some(_), None) => true,
        };
        worth.then(|| {
            self.reported = self.limit;
            self.limit
        })
    }

    fn judge(&mut self, now: Instant) {
        let Some(estimate) = self.estimate else {
            return;
        };
        self.forget(now);
        let bits: u64 = self.sent.iter().map(|(_, bytes)| *bytes as u64 * 8).sum();
        let tried = bits * TRIED_PARTS.1 >= estimate * TRIED_PARTS.0;
        let is_clear = tried && !self.lossy && self.queues() == Some(false);
        let is_disproved = is_clear && bits * DISPROVED_PARTS.1 >= estimate * DISPROVED_PARTS.0;
        if estimate >= self.target || is_disproved {
            self.limit = None;
        } else if is_clear {
            self.limited_at = Some(now);
            self.raise(now, estimate);
        } else if tried || self.lossy {
            self.limit = Some(estimate);
            self.limited_at = Some(now);
            self.raised_at = Some(now);
        } else if self.limited_at.is_some_and(|at| now < at + HOLD) {
            self.limit = self.limit.map(|limit| limit.max(estimate));
        } else {
            self.limit = None;
        }
    }

    /// One step up, each [`RAISE_EVERY`], until the target is reached.
    fn raise(&mut self, now: Instant, estimate: u64) {
        let is_due = self
            .raised_at
            .is_none_or(|at| now.saturating_duration_since(at) >= RAISE_EVERY);
        if is_due {
            self.raised_at = Some(now);
            self.limit = self
                .limit
                .map(|limit| (limit + limit / RAISE_PARTS).max(estimate))
                .filter(|limit| *limit < self.target);
        }
    }

    fn forget(&mut self, now: Instant) {
        while let Some((at, _)) = self.sent.front() {
            if self.sent.len() <= UNITS_MAX && now.saturating_duration_since(*at) < WINDOW {
                break;
            }
            self.sent.pop_front();
        }
    }
}

/// The span over which the sent rate is taken, so that sums of bits are bits a second.
const WINDOW: Duration = Duration::from_secs(1);
/// Bounds the window's memory; more than any picture rate.
const UNITS_MAX: usize = 256;
/// The fraction of the estimate (numerator, denominator) that has to be sent for it to count.
const TRIED_PARTS: (u64, u64) = (7, 10);
/// Sending this fraction of the estimate without a queue shows that it is wrong.
const DISPROVED_PARTS: (u64, u64) = (13, 10);
/// A limit rises by one part in this many...
const RAISE_PARTS: u64 = 4;
/// ...so often: more often than round trips are told would be blind.
const RAISE_EVERY: Duration = Duration::from_secs(1);
/// Routes change, and what was the shortest way may be none any more.
const RTT_MIN_LASTS: Duration = Duration::from_secs(60);
/// A path whose round trip grew by less than this has no queue to speak of.
const QUEUEING: Duration = Duration::from_millis(80);
/// Loss above this means a limit, whatever was sent; below it is what wireless links have.
const LOSS_TOLERATED: f32 = 0.05;
/// How long a limit outlives the traffic that found it.
const HOLD: Duration = Duration::from_secs(5);
/// A limit is told again when it moved by more than one part in this many.
const CHANGE_PARTS: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: u64 = 2_000_000;

    /// Sends `rate` bits a second for a second from `now` on; gives the time after it.
    fn send(flow: &mut Flow, now: Instant, rate: u64) -> Instant {
        for frame in 0..10 {
            flow.sent(
                now + Duration::from_millis(frame * 100),
                (rate / 80) as usize,
            );
        }
        now + Duration::from_millis(950)
    }

    #[test]
    fn an_estimate_of_a_quiet_source_is_no_limit() {
        let mut flow = Flow::new(TARGET);
        let now = send(&mut flow, Instant::now(), 100_000);
        flow.estimated(now, 700_000);
        assert_eq!(flow.changed(), None);
    }

    #[test]
    fn a_tried_estimate_is_a_limit_that_is_held_and_then_lifted() {
        let mut flow = Flow::new(TARGET);
        let now = send(&mut flow, Instant::now(), 900_000);
        flow.estimated(now, 1_000_000);
        assert_eq!(flow.changed(), Some(Some(1_000_000)));
        assert_eq!(flow.changed(), None, "told once");
        let quiet = now + Duration::from_secs(2);
        flow.estimated(quiet, 400_000);
        assert_eq!(flow.changed(), None, "a quiet source does not lower it");
        flow.estimated(quiet, 1_500_000);
        assert_eq!(flow.changed(), Some(Some(1_500_000)), "but it may rise");
        flow.lost(now + HOLD + Duration::from_secs(1), None);
        assert_eq!(flow.changed(), Some(None));
    }

    #[test]
    fn an_estimate_that_is_sent_without_a_queue_is_no_limit() {
        let ms = Duration::from_millis;
        let mut flow = Flow::new(TARGET);
        let now = send(&mut flow, Instant::now(), 900_000);
        flow.estimated(now, 500_000);
        assert_eq!(
            flow.changed(),
            Some(Some(500_000)),
            "no round trip is known"
        );
        flow.round_trip(now, ms(20));
        flow.estimated(now, 500_000);
        assert_eq!(flow.changed(), Some(None));
        flow.round_trip(now, ms(150));
        flow.estimated(now, 500_000);
        assert_eq!(flow.changed(), Some(Some(500_000)), "packets queue");
    }

    #[test]
    fn a_limit_that_is_obeyed_rises_step_by_step() {
        let ms = Duration::from_millis;
        let mut flow = Flow::new(TARGET);
        flow.round_trip(Instant::now(), ms(30));
        let mut now = send(&mut flow, Instant::now(), 900_000);
        flow.round_trip(now, ms(150));
        flow.estimated(now, 800_000);
        assert_eq!(flow.changed(), Some(Some(800_000)));
        let mut steps = 0;
        let mut limit = 800_000;
        while let Some(told) = Some(limit).filter(|limit| *limit < TARGET) {
            now = send(&mut flow, now, told);
            flow.round_trip(now, ms(30));
            flow.estimated(now, 700_000.max(told * 9 / 10));
            steps += 1;
            match flow.changed() {
                Some(Some(higher)) => {
                    assert!(higher > limit && higher <= limit + limit / RAISE_PARTS);
                    limit = higher;
                }
                Some(None) => break,
                None => (),
            }
            assert!(steps < 60, "stuck at {limit}");
        }
        assert!(steps >= 4, "lifted after {steps} seconds");
    }

    #[test]
    fn the_shortest_round_trip_is_forgotten() {
        let ms = Duration::from_millis;
        let mut flow = Flow::new(TARGET);
        let start = Instant::now();
        flow.round_trip(start, ms(10));
        flow.round_trip(start + ms(1_000), ms(200));
        assert_eq!(flow.queues(), Some(true));
        flow.round_trip(start + RTT_MIN_LASTS + ms(1), ms(200));
        assert_eq!(flow.queues(), Some(false));
    }

    #[test]
    fn loss_makes_an_estimate_a_limit_and_the_target_lifts_it() {
        let mut flow = Flow::new(TARGET);
        let now = Instant::now();
        flow.estimated(now, 800_000);
        assert_eq!(flow.changed(), None);
        flow.lost(now, Some(0.2));
        assert_eq!(flow.changed(), Some(Some(800_000)));
        flow.estimated(now, TARGET);
        assert_eq!(flow.changed(), Some(None));
    }
}
