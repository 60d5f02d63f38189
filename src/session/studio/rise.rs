//! [`Rise`]: who comes up to the full layer begins with few bits. A pure machine: the time is an argument.
//!
//! What the way from a server of rooms to a subscriber carries only the server knows. It tries the full layer where that
//! takes less on average, and goes back to the low one when packets are lost: a keyframe of a page takes more than a
//! narrow way holds, even where the page in motion takes a third of it. So each try would be in vain. The server asks for
//! a keyframe then, as it does for whoever has lost something: where that is somebody alone, the full layer begins coarse,
//! and takes more bit by bit. Whoever has just come, or has just asked for the full layer, is shown it as good as it is.

use std::time::{Duration, Instant};

/// The bits a second at first, for so long...
const FIRST_BPS: f64 = 400_000.0;
const FIRST: Duration = Duration::from_secs(4);
/// ...and so many times as many with each second after it.
const GROWTH: f64 = 1.2;
/// The most that a keyframe takes, bytes: half a second at first.
pub(super) const KEYFRAME_BYTES_MAX: usize = 24_000;
/// Whoever has come within this time is who asks.
const CAME_WITHIN: Duration = Duration::from_secs(3);

/// Whether somebody comes up to the full layer. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Rise {
    began_at: Option<Instant>,
    came_at: Option<Instant>,
}

impl Rise {
    /// Somebody has come, or has asked for the full layer.
    pub(super) fn somebody_came(&mut self, now: Instant) {
        (self.came_at, self.began_at) = (Some(now), None);
    }

    /// Somebody who alone is shown the page is to have a keyframe of the full layer.
    pub(super) fn asked(&mut self, now: Instant) {
        if self.came_at.is_none_or(|at| now >= at + CAME_WITHIN) {
            self.began_at = Some(now);
        }
    }

    /// The most bits a second that the full layer takes, of `target`; `None` for as many as there are. It goes on until
    /// the page `rests`, when all of them may be taken: a page in motion would take a burst of them at once.
    pub(super) fn bits(&mut self, now: Instant, target: u64, rests: bool) -> Option<u64> {
        let since = now.saturating_duration_since(self.began_at?);
        let growing = since.saturating_sub(FIRST).as_secs_f64();
        let bits = (FIRST_BPS * GROWTH.powf(growing)).min(target as f64) as u64;
        if rests && bits >= target {
            self.began_at = None;
        }
        self.began_at.map(|_| bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: u64 = 3_000_000;

    #[test]
    fn whoever_asks_later_begins_with_few_bits_and_takes_more_until_the_page_rests() {
        let (start, mut rise) = (Instant::now(), Rise::default());
        let at = |second: f64| start + Duration::from_secs_f64(second);
        rise.somebody_came(start);
        rise.asked(at(0.2));
        assert_eq!(rise.bits(at(0.2), TARGET, false), None);
        rise.asked(at(4.0));
        assert_eq!(rise.bits(at(8.0), TARGET, true), Some(400_000));
        let later = rise.bits(at(10.0), TARGET, false).unwrap();
        assert!((570_000..580_000).contains(&later), "{later}");
        assert_eq!(rise.bits(at(40.0), TARGET, false), Some(TARGET));
        rise.asked(at(41.0));
        assert_eq!(rise.bits(at(41.0), TARGET, false), Some(400_000), "again");
        assert_eq!(rise.bits(at(80.0), TARGET, true), None);
        assert_eq!(rise.bits(at(81.0), TARGET, false), None);
    }

    #[test]
    fn whoever_comes_meanwhile_is_shown_the_page_as_it_is() {
        let (start, mut rise) = (Instant::now(), Rise::default());
        rise.asked(start);
        assert!(rise.bits(start, TARGET, false).is_some());
        rise.somebody_came(start + Duration::from_secs(1));
        rise.asked(start + Duration::from_secs(2));
        assert_eq!(
            rise.bits(start + Duration::from_secs(2), TARGET, false),
            None
        );
    }
}
