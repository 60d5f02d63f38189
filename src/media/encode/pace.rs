//! [`Budget`]: keeps what is encoded within the set bit rate.
//!
//! Two measures work together. A debt in bits says when the next picture may be drawn: on a busy
//! page the pictures thin out a little instead of piling up on the network, so no five seconds
//! exceed the set rate by more than the debt allowed. And the encoder's own target is corrected
//! by what it really made, since its rate control misses a screen's bursts both ways.

use std::time::{Duration, Instant};

/// Debt at which drawing waits: a fifth of a second's bits, 4 % of any five seconds.
const DEBT_S_MAX: f64 = 0.2;
/// Credit that rest may save up: a keyframe after a rest need not wait.
const CREDIT_S_MAX: f64 = 0.3;
/// The share of the bits of its time that one picture may cost, and how much less when debt is at its
/// most.
const ALLOWANCE_SHARE: f64 = 0.95;
const ALLOWANCE_OWED: f64 = 0.45;
/// The longest time that counts, s.
const ALLOWANCE_S_MAX: f64 = 0.1;
/// The encoder's target is corrected after so long, and so many pictures: of fewer, chance says
/// more than the page does.
const REVIEW_AFTER: Duration = Duration::from_millis(300);
const REVIEW_PICTURES: u32 = 4;
/// It is not waited longer for them.
const REVIEW_WITHIN: Duration = Duration::from_secs(1);
/// A new encoder begins with a keyframe and finds its own way for so long.
const GRACE: Duration = Duration::from_millis(1_500);
/// Bounds of the correction: a heavy page makes far fewer pictures than the rate that the encoder
/// counts on.
const CORRECTION: (f64, f64) = (0.3, 3.0);
/// Below this share of the allowed pictures a page counts as quiet, and the correction fades; not
/// above so many a second, which a heavy page on a slow machine still makes.
const BUSY_SHARE: f64 = 0.25;
const BUSY_FPS: f64 = 4.0;
/// Below this share of the rate as well.
const LARGE_SHARE: f64 = 0.15;

/// Decides when the next picture may be drawn and what the encoder shall aim at.
#[derive(Debug)]
pub struct Budget {
    bitrate_bps: f64,
    fps: f64,
    debt_bits: f64,
    paid_at: Instant,
    correction: f64,
    review: Review,
}

#[derive(Debug)]
struct Review {
    since: Instant,
    bits: f64,
    pictures: u32,
    held_back: bool,
}

impl Review {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            bits: 0.0,
            pictures: 0,
            held_back: false,
        }
    }
}

impl Budget {
    /// A budget of `bitrate_bps` for at most `fps` pictures a second.
    pub fn new(now: Instant, bitrate_bps: u32, fps: u32) -> Self {
        Self {
            bitrate_bps: f64::from(bitrate_bps),
            fps: f64::from(fps),
            debt_bits: 0.0,
            paid_at: now,
            correction: 1.0,
            review: Review::new(now),
        }
    }

    /// Forgets what was learnt of the encoder: another one takes its place.
    pub fn forget_correction(&mut self, now: Instant) {
        self.correction = 1.0;
        self.review = Review::new(now + GRACE);
    }

    /// Changes the rate. What is owed stays owed, as far as a debt may go: what was made at a higher
    /// rate has left, or was given up where the path turned out to be narrow.
    pub fn set_bitrate(&mut self, now: Instant, bitrate_bps: u32) {
        self.pay(now);
        self.bitrate_bps = f64::from(bitrate_bps);
        self.debt_bits = self.debt_bits.min(DEBT_S_MAX * self.bitrate_bps);
    }

    /// What the next picture may cost, bits, when the last one was made `since`: a page that paints
    /// less often may paint larger pictures.
    pub fn allowance(&self, since: Duration) -> f64 {
        // At few pictures a second the shortest time is the longer one.
        let span = since.as_secs_f64().min(ALLOWANCE_S_MAX);
        let span = span.max(1.0 / self.fps);
        let owed = (self.debt_bits / (DEBT_S_MAX * self.bitrate_bps)).clamp(0.0, 1.0);
        self.bitrate_bps * span * (ALLOWANCE_SHARE - ALLOWANCE_OWED * owed)
    }

    /// The earliest instant at which the next picture may be drawn: `now` when nothing is owed.
    pub fn next_at(&mut self, now: Instant) -> Instant {
        self.pay(now);
        let excess = self.debt_bits - DEBT_S_MAX * self.bitrate_bps;
        if excess <= 0.0 {
            return now;
        }
        self.review.held_back |= now >= self.review.since;
        now + Duration::from_secs_f64(excess / self.bitrate_bps)
    }

    /// Books one encoded picture. Returns a new target for the encoder when it needs one.
    pub fn spend(&mut self, now: Instant, bytes: usize) -> Option<u32> {
        self.pay(now);
        let bits = bytes as f64 * 8.0;
        self.debt_bits += bits;
        if now < self.review.since {
            return None;
        }
        self.review.bits += bits;
        self.review.pictures += 1;
        self.reviewed(now)
    }

    fn pay(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.paid_at).as_secs_f64();
        self.paid_at = now;
        let floor = -CREDIT_S_MAX * self.bitrate_bps;
        self.debt_bits = (self.debt_bits - elapsed * self.bitrate_bps).max(floor);
    }

    fn reviewed(&mut self, now: Instant) -> Option<u32> {
        let span = now.saturating_duration_since(self.review.since);
        let is_enough = span >= REVIEW_AFTER && self.review.pictures >= REVIEW_PICTURES;
        if !is_enough && span < REVIEW_WITHIN {
            return None;
        }
        let review = std::mem::replace(&mut self.review, Review::new(now));
        let seconds = span.as_secs_f64();
        let busy_fps = (BUSY_SHARE * self.fps).min(BUSY_FPS);
        // A clock or a spinner needs no more than it takes.
        let is_large = review.bits >= LARGE_SHARE * self.bitrate_bps * seconds;
        let busy = is_large && f64::from(review.pictures) >= busy_fps * seconds;
        // What a quiet page makes says nothing; what was right for a busy one need not be any more.
        let ideal = if review.held_back {
            // The rate is kept by drawing less; small enough pictures make it all of them. What
            // holds them back may be a debt of before, so only their size counts.
            f64::from(review.pictures) * self.bitrate_bps / self.fps / review.bits.max(1.0)
        } else if busy {
            self.bitrate_bps * seconds / review.bits.max(1.0)
        } else {
            1.0 / self.correction
        };
        // Half the way at a time: the encoder follows a new target late.
        let step = ideal.clamp(0.6, 1.8).sqrt();
        let before = self.correction;
        self.correction = (self.correction * step).clamp(CORRECTION.0, CORRECTION.1);
        let changed = (self.correction / before - 1.0).abs() > 0.03;
        changed.then(|| self.encoder_target())
    }

    /// What the encoder shall aim at, bits a second.
    pub fn encoder_target(&self) -> u32 {
        (self.bitrate_bps * self.correction) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_may_cost_the_bits_of_its_time_at_any_rate() {
        for fps in [1, 5, 10, 60] {
            let budget = Budget::new(Instant::now(), 1_000_000, fps);
            let of_its_time = budget.allowance(Duration::ZERO);
            assert!(
                (of_its_time * f64::from(fps) - 950_000.0).abs() < 1.0,
                "{fps}"
            );
            let longest = budget.allowance(Duration::from_secs(9));
            assert!(longest >= of_its_time && longest <= 950_000.0, "{fps}");
        }
    }

    /// However large the pictures are, no five seconds carry more than 15 % above the rate.
    #[test]
    fn five_seconds_never_exceed_the_rate() {
        for picture_bytes in [2_000usize, 20_000, 60_000, 200_000] {
            let start = Instant::now();
            let mut budget = Budget::new(start, 2_000_000, 30);
            let mut sent: Vec<(f64, f64)> = Vec::new();
            let mut at = 0.0;
            while at < 20.0 {
                let now = start + Duration::from_secs_f64(at);
                let next = budget.next_at(now);
                if next <= now {
                    budget.spend(now, picture_bytes);
                    sent.push((at, picture_bytes as f64 * 8.0));
                }
                at += 1.0 / 60.0;
            }
            for window in 1..15 {
                let from = f64::from(window);
                let bits: f64 = sent
                    .iter()
                    .filter(|(t, _)| (from..from + 5.0).contains(t))
                    .map(|(_, b)| b)
                    .sum();
                // One picture of overshoot is unavoidable: it is drawn before its size is known.
                let bound = 2_000_000.0 * 5.0 * 1.15 + picture_bytes as f64 * 8.0;
                assert!(
                    bits <= bound,
                    "{picture_bytes} B: {bits} bits from {from} s"
                );
            }
        }
    }

    /// A heavy page on a slow machine: eight pictures a second where thirty are allowed, each as
    /// large as a thirtieth of the target. Their unevenness is not taken for rest.
    #[test]
    fn few_pictures_fill_the_rate_too() {
        let start = Instant::now();
        let mut budget = Budget::new(start, 2_000_000, 30);
        let mut target = f64::from(budget.encoder_target());
        let (mut bits, mut at) = (0.0, 0.0);
        for picture in 0..160 {
            at += if picture % 3 == 0 { 0.2 } else { 0.085 };
            let size = target / 12.0;
            if picture >= 80 {
                bits += size;
            }
            let now = start + Duration::from_secs_f64(at);
            if let Some(changed) = budget.spend(now, (size / 8.0) as usize) {
                target = f64::from(changed);
            }
        }
        let share = bits / (at / 2.0) / 2_000_000.0;
        assert!((0.9..1.1).contains(&share), "{share:.2} of the rate");
    }

    #[test]
    fn a_quiet_page_changes_nothing() {
        let start = Instant::now();
        let mut budget = Budget::new(start, 2_000_000, 30);
        for second in 0..30 {
            assert_eq!(budget.spend(start + Duration::from_secs(second), 900), None);
        }
        assert_eq!(budget.encoder_target(), 2_000_000);
    }
}
