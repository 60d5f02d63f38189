//! [`Estimate`]: what the path carries, by what the other side says of each packet's arrival.
//!
//! ## Design notes
//! - **The queue is measured, not its slope.** A packet's one-way delay above the least one is the
//!   time that it stood in a queue. Of the packets of the last moments the *least* delayed one
//!   counts: a busy machine, ours or theirs, delays some packets, a full path delays all. The
//!   engine's own estimator follows the slope; on a shared machine it takes each hiccup for a full
//!   path, falls to a fraction of what a quiet source happened to send, and takes minutes back.
//! - **A quiet source proves nothing.** The estimate falls by evidence alone: a standing queue, or
//!   loss that grew with the rate. It does not follow a still page down.
//! - **Pictures are the probes.** A picture's packets leave at a multiple of the estimate. When the
//!   last of them arrives as promptly as the first, the path carries that rate, and the estimate
//!   jumps to it. No padding is ever sent, so a still page wakes nobody.
//! - **Loss that does not go away at a lower rate is the path's own**, as wireless links have it,
//!   and is tolerated: the rate that was given up for it is taken back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What happened to one packet, as the other side reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Its number on this path, the low 16 bits.
    pub(super) number: u16,
    /// When it came, by the other side's clock; `None` when it did not.
    pub(super) at: Option<Duration>,
}

#[derive(Debug)]
struct Sent {
    number: u64,
    at: Instant,
    bytes: usize,
    /// Whether more waited behind it, so that the next one follows in the same train.
    more: bool,
    /// Whether it is known to have come, and how long it took by two clocks, ms.
    delay: Option<f64>,
    judged: bool,
}

/// What the path carries. See the module's documentation.
#[derive(Debug)]
pub(super) struct Estimate {
    start: Instant,
    bits: f64,
    ceiling: f64,
    sent: VecDeque<Sent>,
    /// What left in the last second.
    left: VecDeque<(Instant, usize)>,
    next_number: u64,
    /// The least one-way delays, ms, of this span and the one before, and when this one began.
    floor: (f64, f64, Instant),
    /// Packets in a row whose times are out of all proportion.
    jumps: u32,
    /// When packets' arrivals were reported, and how long each had queued, ms.
    queued: VecDeque<(Instant, f64)>,
    /// When packets came by the other clock, s, and their bytes.
    came: VecDeque<(f64, usize)>,
    /// When packets' fates were reported, their numbers, and whether they were lost.
    fates: VecDeque<(Instant, u64, bool)>,
    rtt: Option<Duration>,
    /// The shortest round trip of this span and of the one before.
    rtt_least: (Duration, Duration),
    /// When the estimate was cut last, and to how much the path was found to carry.
    cut: Option<(Instant, f64)>,
    /// Cuts in a row that did not shorten the queue.
    vain_cuts: u32,
    raised_at: Instant,
    /// Loss up to which nothing is cut.
    tolerated: f64,
    /// A cut made for loss: when, the loss, and the estimate before.
    trial: Option<(Instant, f64, f64)>,
    reported_at: Option<Instant>,
    first_sent_at: Option<Instant>,
}

impl Estimate {
    /// `target` is the most that will ever be wanted.
    pub(super) fn new(now: Instant, target: u64) -> Self {
        let ceiling = target as f64 * HEADROOM;
        Self {
            start: now,
            bits: START_BPS.min(ceiling),
            ceiling,
            sent: VecDeque::new(),
            left: VecDeque::new(),
            next_number: 0,
            floor: (f64::MAX, f64::MAX, now),
            jumps: 0,
            queued: VecDeque::new(),
            came: VecDeque::new(),
            fates: VecDeque::new(),
            rtt: None,
            rtt_least: (Duration::MAX, Duration::MAX),
            cut: None,
            vain_cuts: 0,
            raised_at: now,
            tolerated: LOSS_TOLERATED,
            trial: None,
            reported_at: None,
            first_sent_at: None,
        }
    }

    /// Bits a second; `None` when the other side tells nothing.
    pub(super) fn bits(&self, now: Instant) -> Option<u64> {
        let is_mute = self.reported_at.is_none()
            && self
                .first_sent_at
                .is_some_and(|at| now > at + FIRST_REPORT_WITHIN);
        (!is_mute).then_some(self.bits as u64)
    }

    /// What the encoder may use: room is left for headers and repairs.
    pub(super) fn for_media(&self, now: Instant) -> Option<u64> {
        let is_full = self.queue(now).is_some_and(|queue| queue > QUEUE_HIGH_MS);
        let share = if is_full {
            MEDIA_SHARE_DRAINING
        } else {
            MEDIA_SHARE - self.loss(now).min(MEDIA_LOSS_MAX)
        };
        self.bits(now).map(|bits| (bits as f64 * share) as u64)
    }

    /// How fast packets leave, bits a second. While they queue on the path it is given time.
    pub(super) fn pace(&self, now: Instant) -> f64 {
        let Some(bits) = self.bits(now) else {
            return self.ceiling * PACE_UNPROVEN;
        };
        let factor = match self.queue(now) {
            Some(queue) if queue > QUEUE_HIGH_MS => PACE_DRAINING,
            Some(queue) if queue > QUEUE_LOW_MS => 1.0,
            _ if self.is_near_the_wall(now) => PACE_PROVEN,
            _ => PACE_UNPROVEN,
        };
        (bits as f64).min(self.ceiling / HEADROOM * PACE_TARGETS) * factor
    }

    /// The shortest round trip of late: the others have waited for a report.
    pub(super) fn rtt(&self) -> Option<Duration> {
        let least = self.rtt_least.0.min(self.rtt_least.1);
        (least < Duration::MAX).then_some(least)
    }

    /// Whether the path was found full a moment ago.
    pub(super) fn was_full(&self, now: Instant) -> bool {
        self.cut.is_some_and(|(at, _)| now < at + FULL_LASTS)
    }

    /// Whether packets are lost though the path is not full.
    pub(super) fn is_lossy(&self, now: Instant) -> bool {
        let was_full = self.was_full(now);
        let queues = self.queue(now).is_some_and(|queue| queue > QUEUE_LOW_MS);
        !was_full && !queues && self.loss(now) > LOSSY
    }

    /// Whether so many packets are lost that each one is better sent twice, and there is room for that: what is lost
    /// of both is as good as nothing, where each repair takes a round trip, and is lost as often.
    pub(super) fn bears_twice(&self, now: Instant) -> bool {
        let room = |carried| carried * TWICE_ROOM < self.bits;
        let is_its_own = self.tolerated > LOSS_TOLERATED;
        is_its_own
            && self.is_lossy(now)
            && self.loss(now) > TWICE_LOSS
            && self.carried().is_some_and(room)
    }

    /// The path is another one: what is known of delays is worth nothing.
    pub(super) fn path_changed(&mut self, now: Instant) {
        self.floor = (f64::MAX, f64::MAX, now);
        self.rtt_least = (Duration::MAX, Duration::MAX);
        self.queued.clear();
        self.came.clear();
        self.fates.clear();
        self.cut = None;
        self.vain_cuts = 0;
        self.jumps = 0;
    }

    /// A packet has left.
    pub(super) fn sent(&mut self, now: Instant, number: u16, bytes: usize, more: bool) {
        let number = extended(self.next_number, number);
        self.next_number = number + 1;
        self.first_sent_at.get_or_insert(now);
        self.left.push_back((now, bytes));
        self.sent.push_back(Sent {
            number,
            at: now,
            bytes,
            more,
            delay: None,
            judged: false,
        });
        while self.sent.len() > PACKETS_MAX {
            self.sent.pop_front();
        }
    }

    /// The other side reports on packets.
    pub(super) fn reported(&mut self, now: Instant, arrivals: impl Iterator<Item = Arrival>) {
        self.reported_at = Some(now);
        self.roll_floor(now);
        let mut train = Train::default();
        let mut proven = None;
        for arrival in arrivals {
            let number = extended(self.next_number, arrival.number);
            let Ok(index) = self.sent.binary_search_by_key(&number, |sent| sent.number) else {
                continue;
            };
            self.book(now, index, arrival.at);
            proven = self.follow(&mut train, index).or(proven);
        }
        self.forget(now);
        self.judge(now, proven);
    }

    /// Books one packet's fate.
    fn book(&mut self, now: Instant, index: usize, at: Option<Duration>) {
        let sent = &mut self.sent[index];
        let was_judged = std::mem::replace(&mut sent.judged, true);
        let number = sent.number;
        let Some(at) = at else {
            if !was_judged {
                self.fates.push_back((now, number, true));
            }
            return;
        };
        if sent.delay.is_some() {
            return;
        }
        let left = sent.at.saturating_duration_since(self.start).as_secs_f64();
        let delay = (at.as_secs_f64() - left) * 1000.0;
        let least = self.floor.0.min(self.floor.1);
        if least < f64::MAX && !(least - JUMP_DOWN_MS..least + JUMP_UP_MS).contains(&delay) {
            // No packet does that. A clock that was set does, and then all do.
            self.jumps += 1;
            if self.jumps > JUMPS_MAX {
                self.path_changed(now);
            }
            return;
        }
        self.jumps = 0;
        sent.delay = Some(delay);
        let rtt = now.saturating_duration_since(sent.at);
        self.rtt = Some(rtt);
        self.rtt_least.0 = self.rtt_least.0.min(rtt);
        self.came.push_back((at.as_secs_f64(), sent.bytes));
        // Another one has overtaken what was reported as lost before.
        let mut known = self.fates.iter_mut().rev();
        match known.find(|(_, of, _)| was_judged && *of == number) {
            Some(fate) => fate.2 = false,
            None => self.fates.push_back((now, number, false)),
        }
        self.floor.0 = self.floor.0.min(delay);
        let queue = delay - self.floor.0.min(self.floor.1);
        self.queued.push_back((now, queue));
    }

    /// Whether the train that this packet may end was carried as fast as it was sent, and how fast
    /// that was.
    fn follow(&self, train: &mut Train, index: usize) -> Option<f64> {
        let sent = &self.sent[index];
        let delay = sent.delay?;
        match &mut train.first {
            Some((first, _)) => {
                train.bytes += sent.bytes;
                train.packets += 1;
                train.span = sent.at.saturating_duration_since(*first);
            }
            none => *none = Some((sent.at, delay)),
        }
        let least = self.floor.0.min(self.floor.1);
        let is_long = train.packets >= TRAIN_PACKETS_MIN && train.span >= TRAIN_SPAN_MIN;
        let is_prompt = delay - least <= TRAIN_QUEUE_MS;
        let rate = train.bytes as f64 * 8.0 / train.span.as_secs_f64().max(1e-4);
        if !sent.more {
            *train = Train::default();
        }
        (is_long && is_prompt).then_some(rate * TRAIN_SHARE)
    }

    fn judge(&mut self, now: Instant, proven: Option<f64>) {
        let queue = self.queue(now).unwrap_or(0.0);
        let loss = self.loss(now);
        self.look_at_trial(now, loss);
        if queue > QUEUE_HIGH_MS {
            self.cut_for_queue(now, queue);
            return;
        }
        self.vain_cuts = 0;
        if loss > self.tolerated {
            self.cut_for_loss(now, loss);
            return;
        }
        let since = now.saturating_duration_since(self.raised_at);
        self.raised_at = now;
        if queue > QUEUE_LOW_MS || self.has_just_cut(now) {
            return;
        }
        if let Some(proven) = proven.filter(|proven| *proven > self.bits) {
            self.bits = proven.min(self.bits * PROOF_STEP).min(self.ceiling);
            return;
        }
        let seconds = since.as_secs_f64().min(RAISE_SPAN_S_MAX);
        let step = if self.is_near_the_wall(now) {
            RAISE_NEAR
        } else {
            RAISE_FAR
        };
        let bits = self.left.iter().map(|(_, bytes)| *bytes as f64 * 8.0);
        if bits.sum::<f64>() >= TRIED_SHARE * self.bits {
            self.bits = (self.bits * (1.0 + step * seconds)).min(self.ceiling);
        }
    }

    /// Packets stand in a queue: less than arrives now, and the queue drains.
    fn cut_for_queue(&mut self, now: Instant, queue: f64) {
        let carried = self.carried().unwrap_or(self.bits);
        // A path that narrowed by far shows so before the first cut can tell.
        let is_collapsing = carried < self.bits * COLLAPSE_SHARE;
        if self.has_just_cut(now) && !is_collapsing {
            return;
        }
        self.vain_cuts += 1;
        if self.vain_cuts > VAIN_CUTS_MAX {
            // It is no queue that stays whatever is sent: the way has become longer.
            self.floor = (self.floor.0.min(self.floor.1) + queue, f64::MAX, now);
            self.vain_cuts = 0;
            return;
        }
        self.bits = (carried * CUT_SHARE).min(self.bits).max(LEAST_BPS);
        self.cut = Some((now, carried.max(LEAST_BPS)));
        self.trial = None;
    }

    fn cut_for_loss(&mut self, now: Instant, loss: f64) {
        if self.has_just_cut(now) || self.trial.is_some() {
            return;
        }
        let carried = self.carried().unwrap_or(self.bits);
        self.trial = Some((now, loss, self.bits));
        self.bits = (carried * CUT_LOSS_SHARE).min(self.bits).max(LEAST_BPS);
        self.cut = Some((now, carried.max(LEAST_BPS)));
    }

    /// Loss that is there at a lower rate as well is the path's own.
    fn look_at_trial(&mut self, now: Instant, loss: f64) {
        let span = self.rtt.unwrap_or_default() + LOSS_WINDOW + TRIAL_SLACK;
        match self.trial {
            Some((at, before, bits)) if now > at + span => {
                self.trial = None;
                if loss >= before * TRIAL_SHARE {
                    self.tolerated = (loss.max(before) * 1.3).clamp(LOSS_TOLERATED, 0.6);
                    self.bits = bits;
                    self.cut = None;
                }
            }
            Some(_) => {}
            None => {
                let fades = self.tolerated * 0.9995;
                self.tolerated = fades.max(LOSS_TOLERATED);
            }
        }
    }

    /// How long the least delayed packet of the last moments stood in a queue, ms.
    fn queue(&self, now: Instant) -> Option<f64> {
        let recent = |at: Instant| now.saturating_duration_since(at) <= QUEUE_WINDOW;
        let queued = self.queued.iter().filter(|(at, _)| recent(*at));
        queued.map(|(_, queue)| *queue).reduce(f64::min)
    }

    /// The fraction of packets lost lately; 0 of too few.
    pub(super) fn loss(&self, now: Instant) -> f64 {
        let recent = |at: Instant| now.saturating_duration_since(at) <= LOSS_WINDOW;
        let (mut lost, mut all) = (0_u32, 0_u32);
        for (_, _, is_lost) in self.fates.iter().filter(|fate| recent(fate.0)) {
            lost += u32::from(*is_lost);
            all += 1;
        }
        if all < LOSS_PACKETS_MIN {
            return 0.0;
        }
        f64::from(lost) / f64::from(all)
    }

    /// The rate at which packets came lately, bits a second.
    fn carried(&self) -> Option<f64> {
        let last = self.came.back()?.0;
        let mut recent = self.came.iter().filter(|(at, _)| last - at <= CARRIED_S);
        let (first, _) = recent.next()?;
        let bytes: usize = recent.map(|(_, bytes)| *bytes).sum();
        let span = last - first;
        (span >= CARRIED_S_MIN).then(|| bytes as f64 * 8.0 / span)
    }

    fn has_just_cut(&self, now: Instant) -> bool {
        let pause = self.rtt.unwrap_or_default().min(CUT_PAUSE_MAX) + CUT_PAUSE;
        self.cut.is_some_and(|(at, _)| now < at + pause)
    }

    /// Whether the estimate is about where the path was found full a while ago.
    fn is_near_the_wall(&self, now: Instant) -> bool {
        self.cut.is_some_and(|(at, carried)| {
            now < at + WALL_LASTS && self.bits > carried * 0.8 && self.bits < carried * 1.3
        })
    }

    fn roll_floor(&mut self, now: Instant) {
        if now.saturating_duration_since(self.floor.2) > FLOOR_SPAN {
            self.floor = (f64::MAX, self.floor.0, now);
            self.rtt_least = (Duration::MAX, self.rtt_least.0);
        }
    }

    fn forget(&mut self, now: Instant) {
        let is_old = |at: Instant, span| now.saturating_duration_since(at) > span;
        while self.left.front().is_some_and(|l| is_old(l.0, LEFT_WINDOW)) {
            self.left.pop_front();
        }
        while self
            .queued
            .front()
            .is_some_and(|q| is_old(q.0, QUEUE_WINDOW))
        {
            self.queued.pop_front();
        }
        while self.fates.front().is_some_and(|f| is_old(f.0, LOSS_WINDOW)) {
            self.fates.pop_front();
        }
        while self.came.len() > CAME_MAX {
            self.came.pop_front();
        }
    }
}

/// Packets that left one right after the other.
#[derive(Debug, Default)]
struct Train {
    first: Option<(Instant, f64)>,
    bytes: usize,
    packets: u32,
    span: Duration,
}

/// The number whose low bits these are, near the next one.
fn extended(next: u64, low: u16) -> u64 {
    let ahead = low.wrapping_sub(next as u16).cast_signed();
    next.saturating_add_signed(i64::from(ahead))
}

/// Where it begins: what nearly every path carries.
const START_BPS: f64 = 1_000_000.0;
/// It never falls below what a legible picture now and then takes.
const LEAST_BPS: f64 = 80_000.0;
/// What is known to be carried beyond what is wanted: it lets keyframes leave at once.
const HEADROOM: f64 = 3.0;
/// The encoder's share of it; headers take most of the rest.
const MEDIA_SHARE: f64 = 0.92;
/// While a queue drains, what is made would only wait.
const MEDIA_SHARE_DRAINING: f64 = 0.65;
/// Repairs take no more of it than this.
const MEDIA_LOSS_MAX: f64 = 0.3;
/// A picture leaves this much faster than the estimate while nothing speaks against it...
const PACE_UNPROVEN: f64 = 2.5;
/// ...near a rate at which the path was full...
const PACE_PROVEN: f64 = 1.5;
/// ...and while its queue has to drain.
const PACE_DRAINING: f64 = 0.65;
/// However much the path carries, it is given no more than so many times what is wanted.
const PACE_TARGETS: f64 = 1.3;
/// Above it the path is full, below the lower one it is free.
const QUEUE_HIGH_MS: f64 = 70.0;
const QUEUE_LOW_MS: f64 = 35.0;
/// The moments of which the least delayed packet counts; a report comes each 50 to 100 ms.
const QUEUE_WINDOW: Duration = Duration::from_millis(150);
/// How much of what a full path carries is sent next.
const CUT_SHARE: f64 = 0.85;
/// Less of the estimate than this comes: it is cut without a pause.
const COLLAPSE_SHARE: f64 = 0.7;
const CUT_LOSS_SHARE: f64 = 0.95;
/// Beyond a round trip, after which a cut shows.
const CUT_PAUSE: Duration = Duration::from_millis(120);
const CUT_PAUSE_MAX: Duration = Duration::from_millis(400);
/// So many cuts would have emptied any queue.
const VAIN_CUTS_MAX: u32 = 16;
/// The span over which arrivals make a rate, s.
const CARRIED_S: f64 = 0.25;
const CARRIED_S_MIN: f64 = 0.05;
/// How much it rises in a second, where the path was full and elsewhere.
const RAISE_NEAR: f64 = 0.06;
const RAISE_FAR: f64 = 0.35;
/// A pause between reports counts as no more than this, s.
const RAISE_SPAN_S_MAX: f64 = 0.25;
/// It rises only while so much of it is sent: what is not tried is not known.
const TRIED_SHARE: f64 = 0.55;
const LEFT_WINDOW: Duration = Duration::from_secs(1);
/// How long it is remembered where the path was full.
const WALL_LASTS: Duration = Duration::from_secs(12);
/// A train of fewer packets, or a shorter one, proves nothing.
const TRAIN_PACKETS_MIN: u32 = 3;
const TRAIN_SPAN_MIN: Duration = Duration::from_millis(6);
/// Its last packet may have queued so long, ms: clocks and threads are no better.
const TRAIN_QUEUE_MS: f64 = 9.0;
const TRAIN_SHARE: f64 = 0.85;
/// One train at most doubles the estimate.
const PROOF_STEP: f64 = 2.0;
/// Loss that wireless links have.
const LOSS_TOLERATED: f64 = 0.1;
/// Where more is lost than this, repairs are lost as well.
const LOSSY: f64 = 0.03;
/// Above this one each packet is sent twice, where the estimate is so many times what comes.
const TWICE_LOSS: f64 = 0.045;
const TWICE_ROOM: f64 = 4.0;
/// Loss soon after a full path is its overflow.
const FULL_LASTS: Duration = Duration::from_secs(3);
const LOSS_WINDOW: Duration = Duration::from_millis(1_500);
const LOSS_PACKETS_MIN: u32 = 30;
/// How long the loss at a lower rate is looked at, beyond the window.
const TRIAL_SLACK: Duration = Duration::from_millis(200);
/// The loss that is left is the path's own above this share.
const TRIAL_SHARE: f64 = 0.6;
/// The least delay is taken over one to two of these: clocks drift and ways change.
const FLOOR_SPAN: Duration = Duration::from_secs(20);
/// A delay that is so much longer or shorter than the least, ms, is an error of a report.
const JUMP_UP_MS: f64 = 4_000.0;
const JUMP_DOWN_MS: f64 = 300.0;
const JUMPS_MAX: u32 = 30;
/// Who has reported nothing by then never will.
const FIRST_REPORT_WITHIN: Duration = Duration::from_secs(3);
/// Bounds of what is remembered: some seconds at any rate.
const PACKETS_MAX: usize = 4_096;
const CAME_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends trains of `packets` every 33 ms over a path of `rate` bits a second (0 for a free one)
    /// whose delay is `delay` ms, and reports each; gives the time after them.
    fn send(
        estimate: &mut Estimate,
        mut now: Instant,
        trains: u16,
        packets: u16,
        rate: f64,
        delay: f64,
    ) -> Instant {
        let zero = estimate.start;
        let mut number = estimate.next_number as u16;
        for _ in 0..trains {
            let mut at = now;
            let mut arrivals = Vec::new();
            let mut free = now;
            for packet in 1..=packets {
                estimate.sent(at, number, 1_200, packet < packets);
                free = free.max(at);
                if rate > 0.0 {
                    free += Duration::from_secs_f64(9_600.0 / rate);
                }
                let came = free + Duration::from_secs_f64(delay / 1_000.0);
                arrivals.push(Arrival {
                    number,
                    at: Some(came.saturating_duration_since(zero)),
                });
                number = number.wrapping_add(1);
                at += Duration::from_secs_f64(9_600.0 / estimate.pace(at));
            }
            now += Duration::from_millis(33);
            estimate.reported(now + Duration::from_millis(20), arrivals.into_iter());
        }
        now
    }

    #[test]
    fn pictures_that_pass_promptly_prove_a_path() {
        let start = Instant::now();
        let mut estimate = Estimate::new(start, 3_000_000);
        assert_eq!(estimate.bits(start), Some(1_000_000), "it begins low");
        let now = send(&mut estimate, start, 6, 8, 0.0, 10.0);
        assert!(estimate.for_media(now) > Some(3_000_000), "{estimate:?}");
    }

    #[test]
    fn a_queue_that_stands_is_a_limit_and_one_packet_that_is_late_is_none() {
        let start = Instant::now();
        let mut estimate = Estimate::new(start, 3_000_000);
        let now = send(&mut estimate, start, 6, 8, 0.0, 10.0);
        let before = estimate.bits(now);
        let zero = estimate.start;
        let number = estimate.next_number as u16;
        let base = now.saturating_duration_since(zero);
        let late = [(0, 300), (1, 250), (2, 10)].map(|(packet, late)| Arrival {
            number: number + packet,
            at: Some(base + Duration::from_millis(late)),
        });
        for arrival in &late {
            estimate.sent(now, arrival.number, 1_200, true);
        }
        estimate.reported(now + Duration::from_millis(300), late.into_iter());
        assert!(estimate.bits(now) >= before, "a hiccup");
        let now = send(
            &mut estimate,
            now + Duration::from_secs(1),
            30,
            4,
            0.0,
            400.0,
        );
        assert!(estimate.bits(now) < before, "{estimate:?}");
        let longer = send(&mut estimate, now, 200, 4, 0.0, 400.0);
        let longer = send(&mut estimate, longer, 200, 8, 0.0, 400.0);
        assert!(
            estimate.for_media(longer) > Some(3_000_000),
            "a longer way is no queue: {:?}",
            estimate.bits(longer)
        );
    }

    #[test]
    fn who_reports_nothing_is_not_limited() {
        let start = Instant::now();
        let mut estimate = Estimate::new(start, 3_000_000);
        estimate.sent(start, 0, 1_200, false);
        assert!(estimate.bits(start).is_some());
        assert_eq!(estimate.bits(start + Duration::from_secs(5)), None);
    }

    #[test]
    fn numbers_go_round() {
        assert_eq!(extended(65_530, 2), 65_538);
        assert_eq!(extended(65_538, 65_535), 65_535);
        assert_eq!(extended(0, 0), 0);
    }
}
