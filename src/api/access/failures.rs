//! Wrong tokens, by the address that they come from: how many, what the log is told, and who has to pause.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::refusals::Tally;

/// Failures are counted over this time.
const WINDOW: Duration = Duration::from_secs(60);
/// After so many, the address has to pause.
const FAILURES_MAX: u32 = 20;
/// For this long.
const PAUSE: Duration = Duration::from_secs(30);
/// Addresses that are remembered; the one that has been silent for longest makes way.
const ADDRESSES_MAX: usize = 4_096;

/// What has failed of late.
#[derive(Debug, Default)]
pub(super) struct Failures(HashMap<Option<IpAddr>, Record>);

/// Of one address.
#[derive(Debug)]
struct Record {
    window_began: Instant,
    count: u32,
    paused_until: Option<Instant>,
    last: Instant,
    /// What the log knows of them.
    tally: Tally,
}

/// What becomes of a failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// How long the address has to pause, if it has to.
    pub(super) pause: Option<Duration>,
    /// So many failures are to be told now.
    pub(super) told: Option<u32>,
}

impl Failures {
    /// Notes a failure.
    pub(super) fn note(&mut self, from: Option<IpAddr>, now: Instant) -> Verdict {
        let from = from.map(neighbourhood);
        if self.0.len() >= ADDRESSES_MAX && !self.0.contains_key(&from) {
            let oldest = self.0.iter().min_by_key(|(_, record)| record.last);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.0.remove(&oldest);
            }
        }
        self.0
            .entry(from)
            .or_insert_with(|| Record::new(now))
            .note(now)
    }

    /// Failures that are still to be told, and by whom. Forgets those that are long ago.
    pub(super) fn upkeep(&mut self, now: Instant) -> Vec<(Option<IpAddr>, u32)> {
        let due = self.0.iter_mut().filter_map(|(from, record)| {
            let told = record.tally.due(now)?;
            Some((*from, told))
        });
        let due = due.collect();
        self.0.retain(|_, record| {
            let is_paused = record.paused_until.is_some_and(|until| until > now);
            let is_recent = now.saturating_duration_since(record.last) < WINDOW;
            is_paused || is_recent || !record.tally.is_told()
        });
        due
    }
}

impl Record {
    fn new(now: Instant) -> Self {
        Self {
            window_began: now,
            count: 0,
            paused_until: None,
            last: now,
            tally: Tally::default(),
        }
    }

    fn note(&mut self, now: Instant) -> Verdict {
        self.last = now;
        let told = self.tally.note(now);
        if let Some(until) = self.paused_until {
            if until > now {
                let pause = Some(until - now);
                return Verdict { pause, told };
            }
            self.paused_until = None;
        }
        if now.saturating_duration_since(self.window_began) >= WINDOW {
            (self.window_began, self.count) = (now, 0);
        }
        self.count += 1;
        if self.count > FAILURES_MAX {
            self.paused_until = Some(now + PAUSE);
            (self.window_began, self.count) = (now, 0);
            let pause = Some(PAUSE);
            return Verdict { pause, told };
        }
        Verdict { pause: None, told }
    }
}

/// An address, of IPv6 its network: one caller has all of it.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusals::TOLD_EVERY;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn whoever_fails_too_often_has_to_pause_and_nobody_else() {
        let (mut failures, mut now) = (Failures::default(), Instant::now());
        let bad = address("192.0.2.1");
        for _ in 0..FAILURES_MAX {
            assert_eq!(failures.note(bad, now).pause, None);
            now += Duration::from_millis(10);
        }
        assert_eq!(failures.note(bad, now).pause, Some(PAUSE));
        assert_eq!(failures.note(address("192.0.2.2"), now).pause, None);
        now += PAUSE / 2;
        assert_eq!(failures.note(bad, now).pause, Some(PAUSE / 2));
        now += PAUSE;
        assert_eq!(failures.note(bad, now).pause, None);
        // Slowly, it never has to.
        for _ in 0..100 {
            now += WINDOW / FAILURES_MAX;
            assert_eq!(failures.note(address("192.0.2.3"), now).pause, None);
        }
    }

    #[test]
    fn the_log_is_told_once_in_a_while_and_of_all() {
        let (mut failures, began) = (Failures::default(), Instant::now());
        let bad = address("2001:db8::1");
        assert_eq!(failures.note(bad, began).told, Some(1));
        let soon = began + Duration::from_secs(1);
        assert_eq!(failures.note(address("2001:db8::2"), soon).told, None);
        assert_eq!(failures.note(bad, soon).told, None);
        assert_eq!(failures.upkeep(soon), []);
        let later = began + TOLD_EVERY;
        assert_eq!(failures.upkeep(later), [(address("2001:db8::"), 2)]);
        assert_eq!(failures.upkeep(later + TOLD_EVERY), []);
        failures.upkeep(later + WINDOW);
        assert!(failures.0.is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        for number in 0..2 * ADDRESSES_MAX as u32 {
            failures.note(Some(std::net::Ipv4Addr::from(number).into()), now);
        }
        assert_eq!(failures.0.len(), ADDRESSES_MAX);
    }
}
