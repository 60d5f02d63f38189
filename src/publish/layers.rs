//! [`Choice`]: which viewer is given which layer, by what their path carries.
//!
//! ## Design notes
//! - **Narrow is a relation.** A viewer whose path carries far less than the widest one's is given the
//!   low layer, and the full one keeps the bits of the others. Where all are narrow, the full layer
//!   with few bits is the better picture, so nobody leaves it.
//! - **Down by evidence.** A limit alone may only mean that nothing more was tried, by a page at rest
//!   above all: a viewer leaves the full layer when their path was found full.
//! - **Up by proof.** A small picture proves little, so a keyframe of the low layer is made now and
//!   then, whose packets leave faster than the estimate. Each that passes raises it; each that does
//!   not makes the next one rarer.
//! - **Back and forth costs**: who came up and had to go down again waits longer the next time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{FeedId, Takes};
use crate::media::Layer;
use crate::model::Size;
use crate::rtc::Carries;

/// Chooses layers. See the module's documentation.
#[derive(Debug)]
pub struct Choice {
    /// The most bits a second of the full layer.
    target: u64,
    /// Whether there is a low layer at all.
    has_low: bool,
    viewers: HashMap<FeedId, Viewer>,
    probe: Option<Probe>,
}

#[derive(Debug)]
struct Viewer {
    layer: Layer,
    carries: Carries,
    /// Since when the path speaks for the other layer, and when it changes if that stays so.
    since: Option<Instant>,
    due_at: Option<Instant>,
    /// When it may come up at the earliest, and how long that is from going down.
    up_at: Instant,
    up_after: Duration,
    came_up_at: Option<Instant>,
}

/// The next keyframe that tries the paths of those on the low layer.
#[derive(Debug)]
struct Probe {
    at: Instant,
    pause: Duration,
    /// What their paths carried at the last one, together.
    carried: u64,
}

impl Choice {
    /// For a full layer of at most `target` bits a second.
    pub fn new(target: u64, has_low: bool) -> Self {
        Self {
            target,
            has_low,
            viewers: HashMap::new(),
            probe: None,
        }
    }

    /// Takes in who watches and what their paths carry now. Gives those who change their layer.
    pub fn choose(
        &mut self,
        now: Instant,
        viewers: impl Iterator<Item = (FeedId, Carries)>,
    ) -> Vec<(FeedId, Layer)> {
        let mut before = std::mem::take(&mut self.viewers);
        for (feed, carries) in viewers {
            let mut viewer = before.remove(&feed).unwrap_or_else(|| Viewer::new(now));
            viewer.carries = carries;
            self.viewers.insert(feed, viewer);
        }
        // Who is gone, or sees something else, begins anew.
        let gone = before.into_iter().filter(|(_, v)| v.layer == Layer::Low);
        let mut changes: Vec<_> = gone.map(|(feed, _)| (feed, Layer::Full)).collect();
        if !self.has_low {
            return changes;
        }
        let (target, widest) = (self.target, self.widest());
        for (feed, viewer) in &mut self.viewers {
            if viewer.moves(now, viewer.limit(target) as f64 / widest as f64) {
                changes.push((*feed, viewer.layer));
            }
        }
        self.follow_probe(now);
        changes
    }

    /// The layer of a viewer.
    pub fn layer(&self, feed: FeedId) -> Layer {
        self.viewers.get(&feed).map_or(Layer::Full, |v| v.layer)
    }

    /// The bits a second of a layer: as much as the narrowest path of those on it carries; `None` when
    /// none is known to be narrow. Who is about to leave does not count.
    pub fn bits(&self, layer: Layer) -> Option<u64> {
        let widest = self.widest();
        let on_it = self.viewers.values().filter(|v| v.layer == layer);
        let counts = on_it.filter(|v| {
            let share = v.limit(self.target) as f64 / widest as f64;
            !self.has_low || layer == Layer::Low || share >= DOWN_SHARE
        });
        counts.filter_map(|v| v.carries.bits).min()
    }

    /// Whether a keyframe of the low layer shall try what its viewers' paths carry; asked once for each.
    pub fn probes(&mut self, now: Instant) -> bool {
        let carried = self.carried_low();
        let Some(probe) = self.probe.as_mut().filter(|probe| probe.at <= now) else {
            return false;
        };
        probe.pause = (probe.pause * 2).min(PROBE_PAUSE_MAX);
        probe.at = now + probe.pause;
        probe.carried = carried;
        true
    }

    /// When it wants to be asked again, though nothing changes.
    pub fn next_at(&self) -> Option<Instant> {
        let viewers = self.viewers.values().filter_map(|v| v.due_at);
        viewers.chain(self.probe.as_ref().map(|p| p.at)).min()
    }

    /// How many are on the low layer.
    pub fn low_count(&self) -> usize {
        let low = |v: &&Viewer| v.layer == Layer::Low;
        self.viewers.values().filter(low).count()
    }

    /// What the widest path carries, of what is wanted.
    fn widest(&self) -> u64 {
        let limits = self.viewers.values().map(|v| v.limit(self.target));
        limits.max().unwrap_or(self.target).max(1)
    }

    fn carried_low(&self) -> u64 {
        let low = self.viewers.values().filter(|v| v.layer == Layer::Low);
        low.map(|v| v.limit(self.target)).sum()
    }

    fn follow_probe(&mut self, now: Instant) {
        if self.low_count() == 0 {
            self.probe = None;
            return;
        }
        let carried = self.carried_low();
        let probe = self.probe.get_or_insert(Probe {
            at: now + PROBE_PAUSE,
            pause: PROBE_PAUSE,
            carried,
        });
        // It has led somewhere.
        if carried as f64 > probe.carried as f64 * PROBE_GAIN {
            probe.carried = carried;
            probe.pause = PROBE_PAUSE;
            probe.at = probe.at.min(now + PROBE_PAUSE);
        }
    }
}

impl Viewer {
    fn new(now: Instant) -> Self {
        Self {
            layer: Layer::Full,
            carries: Carries::default(),
            since: None,
            due_at: None,
            up_at: now,
            up_after: UP_PAUSE,
            came_up_at: None,
        }
    }

    fn limit(&self, target: u64) -> u64 {
        self.carries.bits.map_or(target, |bits| bits.min(target))
    }

    /// Whether it changes its layer now, when its path carries this share of the widest one.
    fn moves(&mut self, now: Instant, share: f64) -> bool {
        let speaks = match self.layer {
            Layer::Full => share < DOWN_SHARE && self.carries.is_full,
            Layer::Low => share >= UP_SHARE && !self.carries.is_full,
        };
        self.due_at = None;
        if !speaks {
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let due_at = match self.layer {
            Layer::Full if share < FAR_SHARE => since + DOWN_AFTER_FAR,
            Layer::Full => since + DOWN_AFTER,
            Layer::Low => (since + UP_AFTER).max(self.up_at),
        };
        if now < due_at {
            self.due_at = Some(due_at);
            return false;
        }
        self.since = None;
        match self.layer {
            Layer::Full => {
                let was_vain = self.came_up_at.is_some_and(|at| now < at + VAIN_WITHIN);
                self.up_after = if was_vain {
                    (self.up_after * 2).min(UP_PAUSE_MAX)
                } else {
                    UP_PAUSE
                };
                self.up_at = now + self.up_after;
                self.layer = Layer::Low;
            }
            Layer::Low => {
                self.came_up_at = Some(now);
                self.layer = Layer::Full;
            }
        }
        true
    }
}

/// The most bits a second of the low layer.
pub const LOW_BITRATE_MAX: u32 = 150_000;
/// A full layer of fewer bits has no use for another, and half of a smaller picture shows nothing.
const TARGET_MIN: u64 = 400_000;
const SIDE_MIN: u32 = 320;

/// Whether a low layer is of use beside a full one of this size and so many bits a second.
pub fn are_of_use(full: Size, target: u64) -> bool {
    full.width.min(full.height) >= SIDE_MIN && target >= TARGET_MIN
}

/// Both layers, side by side.
const BOTH: Takes = Takes::Each {
    full: true,
    low: true,
};

/// What a feed is given whose path carries so many bits a second: not both layers where the full one needs all of
/// them. `before` is what it is given now.
pub fn spare(takes: Takes, before: Option<Takes>, bits: Option<u64>) -> Takes {
    let least = match before == Some(BOTH) {
        true => BOTH_BITS_MIN,
        false => BOTH_BITS_AGAIN,
    };
    let is_narrow = bits.is_some_and(|bits| bits < least);
    match takes == BOTH && is_narrow {
        true => Takes::Each {
            full: true,
            low: false,
        },
        false => takes,
    }
}

/// The bits a second that are left for the full layer, of those that the path of a feed carries.
pub fn left_for_full(given: Takes, bits: u64) -> u64 {
    match given == BOTH {
        true => bits.saturating_sub(u64::from(LOW_BITRATE_MAX)),
        false => bits,
    }
}

/// A path of fewer bits a second carries the full layer alone, until it carries so many.
const BOTH_BITS_MIN: u64 = 600_000;
const BOTH_BITS_AGAIN: u64 = 800_000;

/// Below this share of the widest path a viewer leaves the full layer, and costs the others nothing...
const DOWN_SHARE: f64 = 0.5;
/// ...and above this one they come back.
const UP_SHARE: f64 = 0.7;
/// How long a path has to be narrow; and where it is narrow by far, which freezes the picture.
const DOWN_AFTER: Duration = Duration::from_millis(1_000);
const DOWN_AFTER_FAR: Duration = Duration::from_millis(250);
const FAR_SHARE: f64 = 0.33;
/// How long a path has to be wide.
const UP_AFTER: Duration = Duration::from_millis(600);
/// The first wait on the low layer, and the longest of who came up in vain.
const UP_PAUSE: Duration = Duration::from_secs(3);
const UP_PAUSE_MAX: Duration = Duration::from_secs(60);
/// Who has to go down again within this came up in vain.
const VAIN_WITHIN: Duration = Duration::from_secs(15);
/// Between keyframes that try paths, and the longest pause after those that did not pass.
const PROBE_PAUSE: Duration = Duration::from_millis(1_500);
const PROBE_PAUSE_MAX: Duration = Duration::from_secs(60);
/// One that passes raises the estimate by more than this.
const PROBE_GAIN: f64 = 1.2;

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: u64 = 2_000_000;

    /// Asks ten times a second for so long; gives the changes and when they came, ms.
    fn play(
        choice: &mut Choice,
        from: Instant,
        seconds: u64,
        paths: &[(u64, Option<u64>, bool)],
    ) -> Vec<(u64, u64, Layer)> {
        let mut seen = Vec::new();
        for tick in 0..seconds * 10 {
            let now = from + Duration::from_millis(tick * 100);
            let viewers = paths.iter().map(|(feed, bits, is_full)| {
                let carries = Carries {
                    bits: *bits,
                    is_full: *is_full,
                };
                (FeedId::of(*feed), carries)
            });
            for (feed, layer) in choice.choose(now, viewers) {
                seen.push((tick * 100, feed.number(), layer));
            }
        }
        seen
    }

    #[test]
    fn a_narrow_viewer_leaves_and_the_others_keep_their_bits() {
        let mut choice = Choice::new(TARGET, true);
        let start = Instant::now();
        let paths = [(1, None, false), (2, None, false), (3, Some(500_000), true)];
        assert_eq!(play(&mut choice, start, 1, &paths), [(300, 3, Layer::Low)]);
        assert_eq!(choice.bits(Layer::Full), None);
        assert_eq!(choice.bits(Layer::Low), Some(500_000));
        let still_narrow = [
            (1, None, false),
            (2, None, false),
            (3, Some(700_000), false),
        ];
        let later = start + Duration::from_secs(1);
        assert_eq!(play(&mut choice, later, 60, &still_narrow), []);
        let wide = [
            (1, None, false),
            (2, None, false),
            (3, Some(1_600_000), false),
        ];
        let later = start + Duration::from_secs(61);
        assert_eq!(play(&mut choice, later, 2, &wide), [(600, 3, Layer::Full)]);
        assert_eq!(choice.bits(Layer::Full), Some(1_600_000));
    }

    #[test]
    fn who_is_about_as_wide_as_the_others_stays() {
        let mut choice = Choice::new(TARGET, true);
        let paths = [(1, None, false), (2, Some(1_300_000), true)];
        assert_eq!(play(&mut choice, Instant::now(), 20, &paths), []);
        assert_eq!(choice.bits(Layer::Full), Some(1_300_000));
    }

    #[test]
    fn where_all_are_narrow_all_stay() {
        let mut choice = Choice::new(TARGET, true);
        let start = Instant::now();
        assert_eq!(
            play(&mut choice, start, 20, &[(1, Some(300_000), true)]),
            []
        );
        assert_eq!(choice.bits(Layer::Full), Some(300_000));
        let both = [(1, Some(300_000), true), (2, Some(250_000), true)];
        assert_eq!(play(&mut choice, start, 20, &both), []);
        // The wide one comes, and goes.
        let three = [both[0], both[1], (3, None, false)];
        let went = play(&mut choice, start, 2, &three);
        assert_eq!(went.len(), 2);
        assert_eq!(choice.bits(Layer::Full), None);
        let calm = both.map(|(feed, bits, _)| (feed, bits, false));
        let back = play(&mut choice, start + Duration::from_secs(9), 5, &calm);
        assert_eq!(back.len(), 2);
    }

    #[test]
    fn what_was_never_tried_is_not_held_against_a_viewer() {
        let mut choice = Choice::new(TARGET, true);
        let paths = [(1, None, false), (2, Some(900_000), false)];
        assert_eq!(play(&mut choice, Instant::now(), 30, &paths), []);
        assert_eq!(choice.bits(Layer::Full), None, "nor against the others");
    }

    #[test]
    fn who_comes_up_in_vain_waits_longer_each_time() {
        let mut choice = Choice::new(TARGET, true);
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..4 {
            let narrow = [(1, None, false), (2, Some(500_000), true)];
            assert_eq!(play(&mut choice, now, 1, &narrow).len(), 1);
            now += Duration::from_secs(1);
            let wide = [(1, None, false), (2, None, false)];
            let up = play(&mut choice, now, 70, &wide);
            assert_eq!(up.len(), 1);
            waits.push(up[0].0 / 1_000);
            // It is narrow again as soon as it came up.
            now += Duration::from_millis(up[0].0 + 100);
        }
        assert!(
            waits.is_sorted() && waits[3] >= 4 * waits[0].max(2),
            "{waits:?}"
        );
    }

    #[test]
    fn paths_are_tried_less_and_less_and_anew_when_one_has_widened() {
        let mut choice = Choice::new(TARGET, true);
        let start = Instant::now();
        let narrow = [(1, None, false), (2, Some(300_000), true)];
        play(&mut choice, start, 1, &narrow);
        let mut probes = |from: u64, seconds: u64, bits: u64| {
            let at = |ms| start + Duration::from_millis(ms);
            let paths = [(1, None, false), (2, Some(bits), false)];
            let mut seen = 0;
            for tick in from * 10..(from + seconds) * 10 {
                let mut ask = Choice::new(TARGET, true);
                std::mem::swap(&mut ask, &mut choice);
                let viewers = paths.iter().map(|(feed, bits, is_full)| {
                    let (bits, is_full) = (*bits, *is_full);
                    (FeedId::of(*feed), Carries { bits, is_full })
                });
                ask.choose(at(tick * 100), viewers);
                seen += usize::from(ask.probes(at(tick * 100)));
                std::mem::swap(&mut ask, &mut choice);
            }
            seen
        };
        let first = probes(1, 60, 300_000);
        assert!((4..=6).contains(&first), "{first}");
        assert!(probes(61, 120, 300_000) <= 3);
        assert!(probes(181, 4, 450_000) >= 1, "it has widened");
        let alone = [(2, Some(300_000), false)];
        play(&mut choice, start + Duration::from_secs(300), 5, &alone);
        assert_eq!(choice.next_at(), None, "nobody is on the low layer");
    }

    #[test]
    fn a_session_of_few_bits_has_one_layer() {
        let paths = [(1, None, false), (2, Some(100_000), true)];
        let mut choice = Choice::new(TARGET, false);
        assert_eq!(play(&mut choice, Instant::now(), 20, &paths), []);
        assert_eq!(choice.bits(Layer::Full), Some(100_000));
        assert!(are_of_use(Size::new(1280, 720), TARGET));
        assert!(!are_of_use(Size::new(1280, 720), 300_000));
        assert!(!are_of_use(Size::new(480, 270), TARGET));
    }

    #[test]
    fn a_path_that_is_too_narrow_for_both_carries_the_full_layer_alone() {
        let full_alone = Takes::Each {
            full: true,
            low: false,
        };
        for (before, bits, expected) in [
            (None, None, BOTH),
            (None, Some(700_000), full_alone),
            (Some(BOTH), Some(700_000), BOTH),
            (Some(BOTH), Some(500_000), full_alone),
            (Some(full_alone), Some(700_000), full_alone),
            (Some(full_alone), Some(900_000), BOTH),
        ] {
            assert_eq!(spare(BOTH, before, bits), expected, "{before:?} {bits:?}");
        }
        let low = Takes::One(Layer::Low);
        assert_eq!(spare(low, Some(low), Some(50_000)), low);
        assert_eq!(left_for_full(BOTH, 900_000), 750_000);
        assert_eq!(left_for_full(full_alone, 900_000), 900_000);
    }
}
