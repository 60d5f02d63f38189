//! [`Pace`]: when the studio draws, asks for a still, refines and beats. A pure machine: the time is an argument.

use std::time::{Duration, Instant};

use crate::config;

/// A picture may come this share of an interval early, since captures do not tick exactly.
const EARLY_SHARE: f64 = 0.35;
/// A shot that had to wait brings the next due time this share of an interval forward. Capture
/// ticks at the same rate, so without it every later shot would wait as long.
const CATCH_UP_SHARE: f64 = 0.06;
/// After a still, this many more pictures let the encoder spend its bits on sharpness.
const REFINEMENTS: u32 = 3;
/// Time between two of them.
const REFINE_EVERY: Duration = Duration::from_millis(80);
/// A page rests when it has not painted for so long.
const REST_AFTER: Duration = Duration::from_millis(250);
/// A still that lived shorter than this was not worth taking.
const STILL_LIFE_MIN: Duration = Duration::from_millis(1_500);
/// After this many short-lived stills in a row a page is taken to change all the time, a clock
/// for instance, and has to rest for [`STILL_LIFE_MIN`] before the next one.
const SHORT_STILLS_MAX: u32 = 2;
/// A first viewer waits this long for a fresh shot before it is given the kept picture.
const FRESH_WAIT_MAX: Duration = Duration::from_millis(700);

/// When to draw next, and why.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    heartbeat: Duration,
    still_after: Duration,
    keyframe_pause: Duration,
    due_at: Instant,
    drawn_at: Instant,
    damaged_at: Instant,
    still_wanted: u64,
    still_asked: bool,
    still_at: Option<Instant>,
    short_stills: u32,
    refinements: u32,
    keyframe_at: Option<Instant>,
    watched_since: Option<Instant>,
    is_fresh: bool,
    /// Whether the waiting shot came before it was due.
    is_held: bool,
}

/// What there is to draw.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reasons {
    /// Whether a shot or a still waits.
    pub(super) is_new: bool,
    /// Whether somebody needs a keyframe.
    pub(super) keyframe: bool,
    /// When the cursor looks otherwise.
    pub(super) cursor: Option<Instant>,
    /// When what lies over the page changes.
    pub(super) over: Option<Instant>,
    /// Whether the page is shown coarsely.
    pub(super) is_coarse: bool,
    /// Whether there is a picture from before.
    pub(super) is_painted: bool,
}

impl Pace {
    /// For so many pictures a second at most. Stills are counted from this one on.
    pub(super) fn new(now: Instant, fps: u32, video: &config::Video, still_wanted: u64) -> Self {
        Self {
            interval: Duration::from_secs_f64(1.0 / f64::from(fps)),
            heartbeat: video.heartbeat(),
            still_after: video.still_after(),
            keyframe_pause: video.keyframe_interval_min(),
            due_at: now,
            drawn_at: now,
            damaged_at: now,
            still_wanted,
            still_asked: true,
            still_at: None,
            short_stills: 0,
            refinements: 0,
            keyframe_at: None,
            watched_since: None,
            is_fresh: false,
            is_held: false,
        }
    }

    /// The earliest of the reasons to draw, as soon as a picture may come again.
    pub(super) fn due(&self, now: Instant, reasons: Reasons) -> Option<Instant> {
        let fresh = reasons.is_new.then_some(now);
        let of_kept = match self.is_ready(now, reasons.is_painted) {
            true => self.kept_due(now, reasons),
            false => reasons.is_painted.then(|| self.fresh_by()).flatten(),
        };
        let due = fresh.into_iter().chain(of_kept).min();
        due.map(|due| due.max(self.not_before()))
    }

    /// When the picture that there is already is to be drawn again.
    fn kept_due(&self, now: Instant, reasons: Reasons) -> Option<Instant> {
        let keyframe = reasons.keyframe.then(|| self.keyframe_allowed_at(now));
        let refine = (self.refinements > 0).then(|| self.drawn_at + REFINE_EVERY);
        let sharpen = reasons.is_coarse.then(|| {
            let rests_at = self.damaged_at + REST_AFTER;
            rests_at.max(self.drawn_at + REFINE_EVERY)
        });
        let heartbeat = Some(self.drawn_at + self.heartbeat);
        [
            keyframe,
            reasons.cursor,
            reasons.over,
            refine,
            sharpen,
            heartbeat,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn not_before(&self) -> Instant {
        let early = self.interval.mul_f64(EARLY_SHARE);
        self.due_at.checked_sub(early).unwrap_or(self.due_at)
    }

    /// When the next picture is wanted.
    pub(super) const fn wanted_at(&self) -> Instant {
        self.due_at
    }

    /// When a picture was drawn last.
    pub(super) const fn drawn_at(&self) -> Instant {
        self.drawn_at
    }

    /// When the page has rested for long enough to be sharpened.
    pub(super) fn rests_at(&self) -> Instant {
        self.damaged_at + REST_AFTER
    }

    /// Whether the kept picture may be shown.
    pub(super) fn is_ready(&self, now: Instant, is_painted: bool) -> bool {
        let waited = || self.fresh_by().is_some_and(|at| at <= now);
        is_painted && (self.is_fresh || waited())
    }

    /// Until when a new viewer waits for a fresh shot.
    fn fresh_by(&self) -> Option<Instant> {
        self.watched_since.map(|since| since + FRESH_WAIT_MAX)
    }

    /// Whether a keyframe that was asked for may be made.
    pub(super) fn keyframe_allowed_at(&self, now: Instant) -> Instant {
        self.keyframe_at.map_or(now, |at| at + self.keyframe_pause)
    }

    /// When the last keyframe was made.
    pub(super) const fn keyframe_at(&self) -> Option<Instant> {
        self.keyframe_at
    }

    /// A keyframe was made.
    pub(super) const fn made_keyframe(&mut self, now: Instant) {
        self.keyframe_at = Some(now);
    }

    /// Somebody watches, or nobody; answers whether that is news.
    pub(super) fn watch(&mut self, now: Instant, is_watched: bool) -> bool {
        if is_watched == self.watched_since.is_some() {
            return false;
        }
        self.watched_since = is_watched.then_some(now);
        self.is_fresh = false;
        self.refinements = 0;
        // A page that rested while its last viewer left may still lack its still.
        self.still_asked = !is_watched || self.still_at.is_some();
        self.damaged_at = now;
        true
    }

    /// A shot that came shows what is shown already.
    pub(super) const fn unchanged(&mut self) {
        self.is_fresh = true;
    }

    /// A shot may have to wait.
    pub(super) const fn hold(&mut self, has_shot: bool) {
        self.is_held |= has_shot;
    }

    /// Whether the shot that is drawn had to wait.
    pub(super) const fn has_held(&self) -> bool {
        self.is_held
    }

    /// The number of the still that is wanted.
    pub(super) const fn still_wanted(&self) -> u64 {
        self.still_wanted
    }

    /// When a page at rest is due for its lossless still.
    pub(super) fn still_due(&self) -> Option<Instant> {
        let mut after = self.still_after;
        if self.short_stills >= SHORT_STILLS_MAX && !after.is_zero() {
            after = after.max(STILL_LIFE_MIN);
        }
        (!self.still_asked && !after.is_zero()).then(|| self.damaged_at + after)
    }

    /// Whether a still is to be asked for now; said once.
    pub(super) fn asks_for_still(&mut self, now: Instant) -> bool {
        let asks = self.still_due().is_some_and(|at| at <= now);
        self.still_asked |= asks;
        asks
    }

    /// What is over the page is read as well: pictures are refined as after a still.
    pub(super) const fn refine(&mut self) {
        self.refinements = REFINEMENTS;
    }

    /// Nobody is given the full picture.
    pub(super) const fn rest(&mut self) {
        self.refinements = 0;
    }

    /// A shot, or a still, was brought into the picture.
    pub(super) fn repainted(&mut self, now: Instant, has_shot: bool, is_still: bool) {
        self.is_fresh = true;
        if is_still {
            self.refinements = REFINEMENTS;
            self.still_at = Some(now);
        } else if has_shot {
            if let Some(at) = self.still_at.take() {
                let was_short = now.saturating_duration_since(at) < STILL_LIFE_MIN;
                self.short_stills = if was_short { self.short_stills + 1 } else { 0 };
            }
            self.damaged_at = now;
            self.refinements = 0;
            self.still_asked = false;
            // Withdraws a still that is under way: it shows an older page.
            self.still_wanted += 1;
        }
    }

    /// Another page is shown: the kept picture waits for its first shot, as for a first viewer, and
    /// a still of the page before comes too late.
    pub(super) const fn turned(&mut self, now: Instant) {
        self.watched_since = Some(now);
        self.is_fresh = false;
        self.refinements = 0;
        self.still_asked = true;
        self.still_at = None;
        self.still_wanted += 1;
        self.damaged_at = now;
    }

    /// A picture was drawn.
    pub(super) fn drawn(&mut self, now: Instant, catches_up: bool) {
        self.is_held = false;
        self.refinements = self.refinements.saturating_sub(1);
        self.drawn_at = now;
        let catch_up = if catches_up { CATCH_UP_SHARE } else { 0.0 };
        let on_grid = self.due_at + self.interval.mul_f64(1.0 - catch_up);
        // After a rest the grid starts anew.
        let grid_is_old = now > on_grid;
        self.due_at = if grid_is_old {
            now + self.interval
        } else {
            on_grid
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FPS: u32 = 20;
    const MS: Duration = Duration::from_millis(1);

    fn pace(now: Instant) -> Pace {
        Pace::new(now, FPS, &config::Video::default(), 0)
    }

    /// What happens to a session at some time.
    #[derive(Debug, Clone, Copy)]
    enum Happening {
        Shot,
        Keyframe,
        Watch(bool),
        Turn,
    }

    fn happening() -> impl Strategy<Value = (u64, Happening)> {
        let what = prop_oneof![
            6 => Just(Happening::Shot),
            2 => Just(Happening::Keyframe),
            1 => any::<bool>().prop_map(Happening::Watch),
            1 => Just(Happening::Turn),
        ];
        (0_u64..120, what)
    }

    proptest! {
        /// Whatever happens: no more pictures than were asked for, each shot and keyframe within its bound, a
        /// heartbeat of what rests, and nothing for nobody.
        #[test]
        fn pictures_keep_to_their_bounds(happenings in proptest::collection::vec(happening(), 1..200)) {
            let start = Instant::now();
            let (mut now, mut pace) = (start, pace(start));
            let (mut shot, mut keyframe) = (None, None);
            let (mut is_watched, mut is_painted, mut turned_at) = (false, false, start);
            let mut drawn: Vec<Instant> = Vec::new();
            for (after, happening) in happenings {
                for _ in 0..after {
                    now += MS;
                    if !is_watched {
                        continue;
                    }
                    let reasons = Reasons {
                        is_new: shot.is_some(),
                        keyframe: keyframe.is_some(),
                        is_painted,
                        ..Reasons::default()
                    };
                    let Some(due) = pace.due(now, reasons) else {
                        prop_assert!(shot.is_none() && !is_painted, "nothing is due though there is something");
                        continue;
                    };
                    if due > now {
                        pace.hold(shot.is_some());
                        continue;
                    }
                    if shot.take().is_some_and(|at| now > at + pace.interval + MS) {
                        prop_assert!(false, "a shot has waited for longer than an interval");
                    }
                    let has_shot = reasons.is_new;
                    if has_shot {
                        is_painted = true;
                        pace.repainted(now, true, false);
                    }
                    if pace.keyframe_allowed_at(now) <= now && keyframe.take().is_some() {
                        pace.made_keyframe(now);
                    }
                    pace.drawn(now, has_shot && pace.has_held());
                    drawn.push(now);
                }
                match happening {
                    Happening::Shot if is_watched => {
                        shot.get_or_insert(now);
                    }
                    Happening::Shot => {}
                    Happening::Keyframe => {
                        keyframe.get_or_insert(now);
                    }
                    Happening::Watch(watched) => {
                        is_watched = watched;
                        if pace.watch(now, watched) {
                            turned_at = now;
                        }
                        if !watched {
                            shot = None;
                        }
                    }
                    Happening::Turn if is_watched => {
                        pace.turned(now);
                        turned_at = now;
                    }
                    Happening::Turn => {}
                }
                if is_watched && let Some(at) = keyframe.filter(|_| is_painted) {
                    let bound = FRESH_WAIT_MAX + pace.keyframe_pause + pace.interval;
                    prop_assert!(now <= at.max(turned_at) + bound, "a keyframe has waited");
                }
            }
            for second in drawn.windows(FPS as usize + 4) {
                let span = second[second.len() - 1].saturating_duration_since(second[0]);
                prop_assert!(span >= Duration::from_millis(1_000), "too many in {span:?}");
            }
        }
    }

    #[test]
    fn a_page_at_rest_beats_and_no_more() {
        let mut now = Instant::now();
        let mut pace = pace(now);
        assert!(pace.watch(now, true));
        pace.repainted(now, true, false);
        pace.drawn(now, false);
        let reasons = Reasons {
            is_painted: true,
            ..Reasons::default()
        };
        let heartbeat = config::Video::default().heartbeat();
        for _ in 0..5 {
            let due = pace.due(now, reasons);
            assert_eq!(due, Some(now + heartbeat));
            now += heartbeat;
            pace.drawn(now, false);
        }
    }

    #[test]
    fn a_first_viewer_waits_for_a_fresh_picture_and_not_for_ever() {
        let start = Instant::now();
        let mut pace = pace(start);
        let kept = Reasons {
            is_painted: true,
            keyframe: true,
            ..Reasons::default()
        };
        pace.watch(start, true);
        assert_eq!(pace.due(start, kept), Some(start + FRESH_WAIT_MAX));
        let later = start + FRESH_WAIT_MAX;
        assert_eq!(pace.due(later, kept), Some(later));
        let none = Reasons::default();
        assert_eq!(pace.due(later, none), None, "there is no picture at all");
    }

    #[test]
    fn stills_are_asked_for_once_and_seldom_of_a_page_that_changes_all_the_time() {
        let mut now = Instant::now();
        let mut pace = pace(now);
        pace.watch(now, true);
        let mut lived = Vec::new();
        for _ in 0..5 {
            pace.repainted(now, true, false);
            let due = pace.still_due().expect("a still is due");
            lived.push(due - now);
            now = due;
            assert!(pace.asks_for_still(now) && !pace.asks_for_still(now));
            pace.repainted(now, false, true);
            now += Duration::from_millis(200);
        }
        let first = config::Video::default().still_after();
        assert_eq!(lived[..2], [first; 2]);
        assert_eq!(lived[2..], [STILL_LIFE_MIN; 3]);
    }
}
