//! [`Pace`]: when a window is told to draw. A pure machine: the time is an argument.
//!
//! Time is cut into slots of the window's interval. With each picture that comes the client is told
//! when the slot has started and how long slots are, so that its own clock ticks with them and each
//! picture is drawn and sent at the start of a slot. It may send the next one at once: held back, it
//! would draw ahead and send what is old. That it keeps to the clock is seen to: who draws more often
//! than there are slots waits. Slots are laid so that a picture is there just before it is wanted.
//!
//! A window that nobody watches is held back all the same, to a picture a second.
//!
//! Chromium may fall a slot behind and stay there: it draws at a slot's start what its page made in the one before,
//! and the page is then too late for this one, for as long as it moves. So a page that moves is told of a short slot
//! now and then. What waited is drawn in that, and no page makes another picture meanwhile, since Chromium gives
//! pages 60 slots a second however many there are ([`SHORT`]); from then on the page is in time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A window that nobody watches draws this seldom, so that no page's own logic waits for ever.
const REST: Duration = Duration::from_secs(1);

/// How long a window draws at full rate after input, watched or not; and when it is new.
const HURRY: Duration = Duration::from_millis(500);

/// The full rate.
pub(super) const FULL: Duration = Duration::from_nanos(16_666_667);

/// How long before it is wanted a picture should be there.
const MARGIN: Duration = Duration::from_millis(1);

/// Pictures, and moments at which one was wanted, that are looked back on.
const SAMPLES: usize = 8;

/// Slots stay where they are while they lie this well, and moments that differ by more are no rhythm.
const SLACK: Duration = Duration::from_millis(1);

/// The short slot by which one that has fallen behind catches up. It has to be one of more than 120 a second, for
/// Chromium to keep pages to 60; three of them are one of those.
const SHORT: Duration = Duration::from_micros(5_600);

/// So many pictures in so many slots are a page that moves; and how soon it may be told of another short slot: later
/// each time that it was in time.
const RUN: u32 = 6;
const CATCH_UP_EVERY: Duration = Duration::from_secs(1);
const CATCH_UP_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Where slots are longer it is not tried: the few pictures more that it takes would be many. Every window's first
/// slots are short, and those after input.
const CATCH_UP_INTERVAL_MAX: Duration = Duration::from_millis(34);

/// What waited comes so soon after the start of its slot; what a page makes anew comes later.
const WAITED: Duration = Duration::from_millis(15);

/// What is told with a picture is so from the next slot on, so the short one is told of twice: Chromium has to know
/// when it begins that it is short.
const CATCH_UP_PICTURES: u32 = 2;

/// What a window may draw ahead of its slots until it has caught up.
const AHEAD: u32 = 3;

/// What it may draw in a slot: a popup draws beside its window.
const IN_SLOT: u32 = 2;

/// When a window is told to draw.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between two pictures that somebody watches; nobody does without.
    watched: Option<Duration>,
    hurry_until: Option<Instant>,
    /// A start of a slot.
    start: Instant,
    /// Whether the client waits to be told.
    is_asked: bool,
    /// How often it may still be told in the slot in which it was told last.
    left: u32,
    /// When it was told last.
    called: Option<Instant>,
    /// Whether a picture has come since.
    is_answered: bool,
    /// How long it took from a slot's start to its picture, lately.
    costs: VecDeque<Duration>,
    /// How far from the start of their slot pictures should have been begun, ns, lately.
    offsets: VecDeque<i64>,
    /// The slot of the newest picture, and how many slots before it had one each.
    run: (Option<Instant>, u32),
    /// When a short slot was told of last, and with how many pictures it still is.
    caught_up: Option<Instant>,
    catches_up: u32,
    /// How long until another one, and the slot that shows whether it was of use.
    pause: Duration,
    trial: Option<Instant>,
}

impl Pace {
    /// Of a new window, which is in a hurry.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            watched: None,
            hurry_until: Some(now + HURRY),
            start: now,
            is_asked: false,
            left: AHEAD,
            called: None,
            is_answered: false,
            costs: VecDeque::new(),
            offsets: VecDeque::new(),
            run: (None, 0),
            caught_up: None,
            catches_up: 0,
            pause: CATCH_UP_EVERY,
            trial: None,
        }
    }

    /// Says how often somebody wants a picture, if anybody does.
    pub(super) fn set(&mut self, watched: Option<Duration>, now: Instant) {
        if self.watched != watched {
            self.watched = watched;
            self.begin(now);
        }
    }

    /// Says that something was done to the window.
    pub(super) fn hurry(&mut self, now: Instant) {
        let before = self.interval(now);
        self.hurry_until = Some(now + HURRY);
        if self.interval(now) != before {
            self.begin(now);
        }
    }

    /// Says when the next picture is wanted.
    pub(super) fn due(&mut self, due: Instant, now: Instant) {
        let interval = self.interval(now);
        let lead = (self.cost() + MARGIN).min(interval);
        let Some(wanted) = due.checked_sub(lead) else {
            return;
        };
        let into = into_slot(wanted, self.start, interval);
        let late = into < interval / 2;
        let off = if late { into } else { interval - into };
        let off = i64::try_from(off.as_nanos()).unwrap_or(0);
        keep(&mut self.offsets, if late { off } else { -off });
        self.shift();
    }

    /// Says that the client waits to be told.
    pub(super) const fn ask(&mut self) {
        self.is_asked = true;
    }

    /// Says that a picture has come.
    pub(super) fn commit(&mut self, now: Instant) {
        self.follow_run(now);
        if !self.is_answered {
            self.is_answered = true;
            let cost = into_slot(now, self.start, self.interval(now));
            keep(&mut self.costs, cost);
        }
    }

    /// Says that the client was told.
    pub(super) fn call(&mut self, now: Instant) {
        if self.called.is_none_or(|called| called < self.slot(now)) {
            self.left = self.left.max(self.in_slot(now));
        }
        self.left = self.left.saturating_sub(1);
        self.called = Some(now);
        self.is_asked = false;
        self.is_answered = false;
    }

    /// Between two pictures.
    pub(super) fn interval(&self, now: Instant) -> Duration {
        let wanted = self.watched.unwrap_or(REST);
        if self.is_hurried(now) {
            FULL.min(wanted)
        } else {
            wanted
        }
    }

    /// How long the client is told that slots are. Held back, it is told of short ones, so that it
    /// draws at once when somebody comes to watch.
    pub(super) fn told(&self, now: Instant) -> Duration {
        if self.catches_up > 0 {
            SHORT
        } else if self.is_drawn(now) {
            self.interval(now)
        } else {
            FULL
        }
    }

    /// When the slot has started that `now` lies in.
    pub(super) fn slot(&self, now: Instant) -> Instant {
        let into = into_slot(now, self.start, self.interval(now));
        now.checked_sub(into).unwrap_or(now)
    }

    /// When the client is to be told next, if it waits.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        if !self.is_asked {
            return None;
        }
        let slot = self.slot(now);
        let is_used = self.called.is_some_and(|called| called >= slot);
        if is_used && self.left == 0 {
            Some(slot + self.interval(now))
        } else {
            Some(now)
        }
    }

    /// Counts slots that have a picture each, and sees whether it is time for a short one.
    fn follow_run(&mut self, now: Instant) {
        let (slot, interval) = (self.slot(now), self.interval(now));
        self.judge(slot, now);
        self.catches_up = self.catches_up.saturating_sub(1);
        if self.catches_up == 1 {
            self.trial = Some(slot);
        }
        let Some(before) = self.run.0.replace(slot) else {
            return;
        };
        // Slots are laid anew now and then, by less than one.
        let since = slot.saturating_duration_since(before);
        if since < interval / 2 {
            return;
        }
        self.run.1 = if since < interval * 3 / 2 {
            self.run.1 + 1
        } else {
            0
        };
        let is_time = self.caught_up.is_none_or(|at| now >= at + self.pause);
        let is_short = interval <= CATCH_UP_INTERVAL_MAX;
        if self.watched.is_some() && is_short && self.run.1 >= RUN && is_time {
            self.catches_up = CATCH_UP_PICTURES;
            self.caught_up = Some(now);
        }
    }

    /// Whether the short slot brought what had waited: this picture is the first after the one that began it.
    fn judge(&mut self, slot: Instant, now: Instant) {
        let Some(trial) = self.trial.take() else {
            return;
        };
        let was_behind = slot == trial && now < slot + WAITED;
        self.pause = match was_behind {
            true => CATCH_UP_EVERY,
            false => (self.pause * 2).min(CATCH_UP_PAUSE_MAX),
        };
    }

    /// Lays slots anew.
    fn begin(&mut self, now: Instant) {
        self.start = now;
        self.called = None;
        self.left = AHEAD;
        self.costs.clear();
        self.offsets.clear();
        self.run = (None, 0);
        (self.catches_up, self.trial) = (0, None);
        self.pause = CATCH_UP_EVERY;
    }

    /// Moves the slots to where pictures are wanted, if that is a rhythm.
    fn shift(&mut self) {
        let (Some(least), Some(most)) = (self.offsets.iter().min(), self.offsets.iter().max())
        else {
            return;
        };
        let slack = i64::try_from(SLACK.as_nanos()).unwrap_or(i64::MAX);
        let middle = least.midpoint(*most);
        let is_rhythm = self.offsets.len() == SAMPLES && most - least <= 2 * slack;
        if !is_rhythm || middle.abs() <= slack {
            return;
        }
        let by = Duration::from_nanos(middle.unsigned_abs());
        let moved = if middle > 0 {
            self.start.checked_add(by)
        } else {
            self.start.checked_sub(by)
        };
        self.start = moved.unwrap_or(self.start);
        self.offsets.clear();
        self.costs.clear();
    }

    fn in_slot(&self, now: Instant) -> u32 {
        if self.is_drawn(now) { IN_SLOT } else { 1 }
    }

    fn is_drawn(&self, now: Instant) -> bool {
        self.watched.is_some() || self.is_hurried(now)
    }

    fn is_hurried(&self, now: Instant) -> bool {
        self.hurry_until.is_some_and(|until| now < until)
    }

    /// How long a picture takes from its slot's start, most of the time.
    fn cost(&self) -> Duration {
        let mut costs: Vec<Duration> = self.costs.iter().copied().collect();
        costs.sort_unstable();
        let high = (costs.len() * 9 / 10).min(costs.len().saturating_sub(1));
        costs.get(high).copied().unwrap_or(Duration::ZERO)
    }
}

/// Keeps the newest few.
fn keep<T>(kept: &mut VecDeque<T>, new: T) {
    if kept.len() == SAMPLES {
        kept.pop_front();
    }
    kept.push_back(new);
}

/// How far a moment lies behind the start of its slot.
fn into_slot(at: Instant, start: Instant, interval: Duration) -> Duration {
    let interval = interval.as_nanos().max(1);
    let into = if at >= start {
        (at - start).as_nanos() % interval
    } else {
        let before = (start - at).as_nanos() % interval;
        (interval - before) % interval
    };
    // Less than the interval, which was a duration.
    Duration::from_nanos(u64::try_from(into).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn watched(fps: u32, start: Instant) -> Pace {
        let mut pace = Pace::new(start);
        pace.hurry_until = None;
        pace.set(Some(Duration::from_secs(1) / fps), start);
        pace
    }

    /// A client that asks again as soon as it was told; how often it was told.
    fn told(pace: &mut Pace, from: Instant, length: Duration) -> u32 {
        let (mut now, mut count) = (from, 0);
        while now < from + length {
            pace.ask();
            let next = pace.next(now).unwrap();
            assert!(next >= now, "never in the past");
            now = next;
            pace.call(now);
            count += 1;
            now += MS / 10;
        }
        count
    }

    #[test]
    fn one_that_keeps_to_its_slots_never_waits() {
        let start = Instant::now();
        let mut pace = watched(10, start);
        for slot in 0..50 {
            let now = start + 100 * MS * slot + 3 * MS;
            pace.commit(now);
            pace.ask();
            assert_eq!(pace.next(now), Some(now));
            pace.call(now);
            assert_eq!(pace.slot(now), start + 100 * MS * slot);
        }
    }

    #[test]
    fn one_that_does_not_waits_for_the_next() {
        let start = Instant::now();
        let count = told(&mut watched(10, start), start, 5000 * MS);
        assert!((95..=105).contains(&count), "{count}");
    }

    #[test]
    fn nobody_watches_and_it_is_told_once_a_second() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let rest = start + HURRY;
        told(&mut pace, rest, 1000 * MS);
        let count = told(&mut pace, rest + 2000 * MS, 10_000 * MS);
        assert!((9..=11).contains(&count), "{count}");
        pace.hurry(rest + 20_000 * MS);
        let count = told(&mut pace, rest + 20_000 * MS, HURRY);
        assert!((28..=70).contains(&count), "{count}");
    }

    /// The slots, of so many seconds, with whose picture a short one was told of first. What waits comes in it.
    fn short_slots(fps: u32, seconds: u32, is_behind: bool) -> Vec<u32> {
        let start = Instant::now();
        let (mut pace, interval) = (watched(fps, start), Duration::from_secs(1) / fps);
        let (mut short, mut left) = (Vec::new(), 0);
        for slot in 0..seconds * fps {
            let now = start + interval * slot + 3 * MS;
            pace.commit(now);
            match (pace.told(now) == SHORT, left) {
                (true, 0) => {
                    short.push(slot);
                    left = 1;
                }
                (true, _) => {
                    if is_behind {
                        pace.commit(now + SHORT);
                        assert_eq!(pace.told(now + SHORT), interval, "and slots are as before");
                    }
                    left = 0;
                }
                (false, _) => assert_eq!(pace.told(now), interval),
            }
        }
        short
    }

    #[test]
    fn a_page_that_moves_is_told_of_a_short_slot_with_two_pictures() {
        assert!(short_slots(10, 10, true).is_empty());
        for fps in [30, 60] {
            let behind = short_slots(fps, 10, true);
            assert_eq!(behind[0], RUN);
            assert!((9..=10).contains(&behind.len()), "{fps}: {behind:?}");
            let in_time = short_slots(fps, 40, false);
            assert!((5..=6).contains(&in_time.len()), "{fps}: {in_time:?}");
        }
    }

    #[test]
    fn a_page_that_moves_now_and_then_is_told_of_none() {
        let start = Instant::now();
        let mut pace = watched(30, start);
        for time in 0..50 {
            let now = start + Duration::from_secs(1) / 30 * 2 * time + 3 * MS;
            pace.commit(now);
            assert_ne!(pace.told(now), SHORT);
        }
    }

    #[test]
    fn one_that_asks_for_nothing_wakes_nobody() {
        let start = Instant::now();
        assert_eq!(watched(60, start).next(start + 100 * MS), None);
    }

    #[test]
    fn slots_follow_a_rhythm_and_nothing_else() {
        let start = Instant::now();
        let mut pace = watched(10, start);
        for slot in 1..=SAMPLES as u32 {
            pace.due(start + 100 * MS * slot + 40 * MS, start);
        }
        assert_eq!(pace.slot(start + 90 * MS), start + 39 * MS);
        let before = pace.start;
        for slot in 1..=3 * SAMPLES as u32 {
            let noise = MS * (slot * 7 % 11);
            pace.due(start + 100 * MS * slot + noise, start);
        }
        assert_eq!(pace.start, before);
    }

    proptest! {
        #[test]
        fn whatever_happens_it_is_told_in_time(steps in prop::collection::vec((0..6u8, 0..300u64), 1..200)) {
            let start = Instant::now();
            let mut pace = Pace::new(start);
            let mut now = start;
            for (step, by) in steps {
                now += MS * by as u32;
                match step {
                    0 => pace.set((by > 0).then(|| Duration::from_secs(1) / by as u32), now),
                    1 => pace.hurry(now),
                    2 => pace.due(now + MS * by as u32, now),
                    3 => pace.commit(now),
                    4 => pace.call(now),
                    _ => pace.ask(),
                }
                if let Some(next) = pace.next(now) {
                    prop_assert!(next >= now && next <= now + REST);
                }
                prop_assert!(pace.slot(now) <= now && pace.slot(now) + pace.interval(now) >= now);
            }
        }
    }
}
