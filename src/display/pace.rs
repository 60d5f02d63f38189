//! [`Pace`]: when a window is told to draw. A pure machine: the time is an argument.

use std::time::{Duration, Instant};

/// A window that nobody watches draws this seldom, so that no page's own logic waits for ever.
const REST: Duration = Duration::from_secs(1);

/// How long a window draws at full rate after input, watched or not.
const HURRY: Duration = Duration::from_millis(500);

/// The full rate.
const FULL: Duration = Duration::from_nanos(16_666_667);

#[derive(Debug)]
pub(super) struct Pace {
    /// Between two pictures that somebody watches; nobody does without.
    watched: Option<Duration>,
    hurry_until: Option<Instant>,
    /// When the client has asked to be told.
    asked: Option<Instant>,
    called: Option<Instant>,
    due: Option<Instant>,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self {
            watched: None,
            hurry_until: None,
            asked: None,
            called: None,
            due: None,
        }
    }

    pub(super) const fn set(&mut self, watched: Option<Duration>) {
        self.watched = watched;
    }

    pub(super) fn hurry(&mut self, now: Instant) {
        self.hurry_until = Some(now + HURRY);
    }

    pub(super) fn due(&mut self, due: Instant) {
        self.due = Some(due);
    }

    pub(super) fn asked(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
    }

    pub(super) fn called(&mut self, now: Instant) {
        self.called = Some(now);
        self.asked = None;
    }

    pub(super) fn interval(&self, now: Instant) -> Duration {
        let hurried = self.hurry_until.filter(|until| now < *until).map(|_| FULL);
        let wanted = self.watched.unwrap_or(REST);
        hurried.map_or(wanted, |full| full.min(wanted))
    }

    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let asked = self.asked?;
        let earliest = self.called.map(|called| called + self.interval(now));
        Some(earliest.map_or(asked, |earliest| earliest.max(asked)))
    }
}
