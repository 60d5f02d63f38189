//! [`Network`]: whether the ways to those who watch carry the picture. A pure machine: the time is an argument.

use std::time::{Duration, Instant};

use crate::rtc::Carries;

/// Below this share of the bits that were set the picture is seen to suffer, if the way was found full...
const SLOW_SHARE: f64 = 0.4;
/// ...for so long.
const SLOW_AFTER: Duration = Duration::from_millis(1_500);
/// From this share on it is as good as whole, after so long.
const GOOD_SHARE: f64 = 0.7;
const GOOD_AFTER: Duration = Duration::from_secs(3);

/// Whether the narrowest way to those who watch the page carries its full picture.
#[derive(Debug)]
pub(super) struct Network {
    target: u64,
    is_slow: bool,
    /// Since when the ways speak for the opposite.
    since: Option<Instant>,
}

impl Network {
    /// For a picture of at most `target` bits a second.
    pub(super) const fn new(target: u64) -> Self {
        Self {
            target,
            is_slow: false,
            since: None,
        }
    }

    /// Takes in what the ways carry now. Answers the bits of the narrowest while that is too few.
    pub(super) fn follow(
        &mut self,
        now: Instant,
        ways: impl Iterator<Item = Carries>,
    ) -> Option<u64> {
        let share = |bits: u64| bits as f64 / self.target.max(1) as f64;
        let known = ways.filter_map(|way| Some((way.bits?, way.is_full)));
        let narrowest = known.min();
        let turns = match (self.is_slow, narrowest) {
            // What was never tried is not held against a way.
            (false, narrowest) => {
                narrowest.is_some_and(|(bits, is_full)| is_full && share(bits) < SLOW_SHARE)
            }
            (true, narrowest) => narrowest.is_none_or(|(bits, _)| share(bits) >= GOOD_SHARE),
        };
        self.since = turns.then(|| self.since.unwrap_or(now));
        if self.next_at().is_some_and(|at| at <= now) {
            self.is_slow = !self.is_slow;
            self.since = None;
        }
        self.is_slow
            .then(|| narrowest.map_or(self.target, |(bits, _)| bits))
    }

    /// When it wants to be asked again, though nothing changes.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let after = match self.is_slow {
            false => SLOW_AFTER,
            true => GOOD_AFTER,
        };
        self.since.map(|since| since + after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: u64 = 2_000_000;

    /// Follows ways that stay as they are for so long; gives the last answer.
    fn follow(
        network: &mut Network,
        now: &mut Instant,
        seconds: f64,
        ways: &[(u64, bool)],
    ) -> Option<u64> {
        let mut last = None;
        for _ in 0..(seconds * 10.0) as u32 {
            *now += Duration::from_millis(100);
            let carries = ways.iter().map(|(bits, is_full)| Carries {
                bits: Some(*bits),
                is_full: *is_full,
            });
            last = network.follow(*now, carries);
        }
        last
    }

    #[test]
    fn a_way_that_was_found_full_and_narrow_is_told_and_so_is_its_end() {
        let (mut network, mut now) = (Network::new(TARGET), Instant::now());
        assert_eq!(
            follow(&mut network, &mut now, 1.0, &[(300_000, true)]),
            None
        );
        assert_eq!(
            follow(&mut network, &mut now, 1.0, &[(300_000, true)]),
            Some(300_000)
        );
        // It is proven no wider by a page at rest.
        assert_eq!(
            follow(&mut network, &mut now, 60.0, &[(300_000, false)]),
            Some(300_000)
        );
        assert!(follow(&mut network, &mut now, 2.0, &[(1_500_000, false)]).is_some());
        assert_eq!(
            follow(&mut network, &mut now, 2.0, &[(1_500_000, false)]),
            None
        );
    }

    #[test]
    fn what_was_never_tried_and_what_passes_at_once_are_not_told() {
        let (mut network, mut now) = (Network::new(TARGET), Instant::now());
        assert_eq!(
            follow(&mut network, &mut now, 60.0, &[(300_000, false)]),
            None
        );
        for _ in 0..10 {
            assert_eq!(
                follow(&mut network, &mut now, 1.2, &[(300_000, true)]),
                None
            );
            assert_eq!(
                follow(&mut network, &mut now, 1.0, &[(1_900_000, false)]),
                None
            );
        }
    }

    #[test]
    fn the_narrowest_counts_and_who_leaves_does_not() {
        let (mut network, mut now) = (Network::new(TARGET), Instant::now());
        let ways = [(1_900_000, false), (200_000, true)];
        assert_eq!(follow(&mut network, &mut now, 3.0, &ways), Some(200_000));
        assert_eq!(follow(&mut network, &mut now, 4.0, &ways[..1]), None);
    }
}
