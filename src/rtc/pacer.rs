//! [`Pacer`]: lets packets leave evenly.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::output::Transmit;

/// A media packet that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) transmit: Transmit,
    /// Its number on this path; known a moment after the packet itself.
    pub(super) number: Option<u16>,
    since: Instant,
}

/// The queue of media packets. Repairs go before pictures: whoever waits for one shows nothing.
#[derive(Debug)]
pub(super) struct Pacer {
    repairs: VecDeque<Waiting>,
    /// The same repairs once more.
    repeats: VecDeque<Waiting>,
    media: VecDeque<Waiting>,
    /// When the next packet may leave.
    free_at: Instant,
}

impl Pacer {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            repairs: VecDeque::new(),
            repeats: VecDeque::new(),
            media: VecDeque::new(),
            free_at: now,
        }
    }

    /// Takes a packet, of which nothing more is known yet.
    pub(super) fn push(&mut self, now: Instant, transmit: Transmit) {
        self.media.push_back(Waiting {
            transmit,
            number: None,
            since: now,
        });
    }

    /// What the packet is that was taken last.
    pub(super) fn name_last(&mut self, number: Option<u16>, is_repair: bool) {
        if let Some(mut last) = self.media.pop_back() {
            last.number = number;
            let queue = match is_repair {
                true => &mut self.repairs,
                false => &mut self.media,
            };
            queue.push_back(last);
        }
    }

    /// The packet that was taken last leaves once more, after the repairs that wait now. A receiver
    /// takes the second for what it is.
    pub(super) fn repeat_last(&mut self) {
        if let Some(last) = self.media.back() {
            self.repeats.push_back(Waiting {
                transmit: last.transmit.again(),
                number: None,
                since: last.since,
            });
        }
    }

    /// Forgets the packet that was taken last.
    pub(super) fn drop_last(&mut self) {
        self.media.pop_back();
    }

    /// The next packet, if one may leave now at `rate` bits a second.
    pub(super) fn pop(&mut self, now: Instant, rate: f64) -> Option<Waiting> {
        if now < self.free_at {
            return None;
        }
        let is_ripe = |waiting: &mut Waiting| now >= waiting.since + REPEAT_AFTER;
        let repeat = |pacer: &mut Self| pacer.repeats.pop_front_if(is_ripe);
        let next = self.repairs.pop_front().or_else(|| repeat(self));
        let next = next.or_else(|| self.media.pop_front())?;
        let bits = next.transmit.contents().len() as f64 * 8.0;
        let takes = Duration::from_secs_f64(bits / rate.max(RATE_MIN));
        let credit = now.checked_sub(CREDIT).unwrap_or(now);
        self.free_at = self.free_at.max(credit) + takes;
        Some(next)
    }

    /// When the next packet may leave; `None` when none waits.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let repeat = self.repeats.front().map(|w| w.since + REPEAT_AFTER);
        let first = (!self.is_empty()).then_some(self.free_at);
        let repeat = repeat.map(|at| at.max(self.free_at));
        [first, repeat].into_iter().flatten().min()
    }

    /// Whether nothing waits but repeats.
    pub(super) fn is_empty(&self) -> bool {
        self.repairs.is_empty() && self.media.is_empty()
    }

    /// How long what waits takes to leave at `rate` bits a second.
    pub(super) fn backlog(&self, rate: f64) -> Duration {
        let waiting = self.repairs.iter().chain(&self.media);
        let bytes: usize = waiting.map(|w| w.transmit.contents().len()).sum();
        Duration::from_secs_f64(bytes as f64 * 8.0 / rate.max(RATE_MIN))
    }

    /// Forgets what waits: the way that it was meant for is gone.
    pub(super) fn clear(&mut self) {
        self.repairs.clear();
        self.repeats.clear();
        self.media.clear();
    }
}

/// Packets that are lost are lost together: a repeat keeps its distance.
const REPEAT_AFTER: Duration = Duration::from_millis(12);
/// Timers tick in milliseconds: what they come late is made up for.
const CREDIT: Duration = Duration::from_millis(4);
/// No packet takes longer than a second or so.
const RATE_MIN: f64 = 20_000.0;
