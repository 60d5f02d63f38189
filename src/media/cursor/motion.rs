//! [`Leg`]: one eased motion of the cursor from where it is to where it shall be.

use std::time::{Duration, Instant};

use crate::model::Point;

/// Nearer than this, CSS px, the cursor is there already: less than a pixel is not seen to move.
const NEAR_PX: f64 = 0.5;

/// The time of the shortest motion, ms: a hand needs that much to move anything at all.
const TIME_MS_MIN: f64 = 70.0;

/// What each doubling of the distance adds, ms (the shape of Fitts's law).
const TIME_MS_PER_DOUBLING: f64 = 90.0;

/// The distance that takes one doubling, CSS px: about the reach of the fingers alone.
const REACH_PX: f64 = 100.0;

/// How far the path bows out, as a share of its length, and at most, CSS px: enough to look like
/// a wrist, too little to look like a detour.
const BOW_SHARE: f64 = 0.04;
const BOW_PX_MAX: f64 = 22.0;

/// A motion between two points: at rest at its end, and at its start as fast as the cursor was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Leg {
    from: Point,
    to: Point,
    /// Velocity at the start, CSS px per leg.
    launch: Point,
    /// How far the middle of the path is off the straight line, CSS px.
    bow: Point,
    start: Instant,
    time: Duration,
}

impl Leg {
    /// At `at` without having moved.
    pub(super) fn resting(now: Instant, at: Point) -> Self {
        Self {
            from: at,
            to: at,
            launch: Point::default(),
            bow: Point::default(),
            start: now,
            time: Duration::ZERO,
        }
    }

    /// From `from` to `to` in a natural time, never longer than `lead`.
    pub(super) fn between(now: Instant, from: Point, to: Point, lead: Duration) -> Self {
        Self::launched(now, from, Point::default(), to, lead)
    }

    /// From wherever this leg is at `now` on to `to`, keeping its speed: a cursor that is sent
    /// elsewhere on its way turns, it does not stop dead.
    pub(super) fn onward(&self, now: Instant, to: Point, lead: Duration) -> Self {
        Self::launched(now, self.position(now), self.velocity(now), to, lead)
    }

    fn launched(now: Instant, from: Point, velocity: Point, to: Point, lead: Duration) -> Self {
        let time = natural_time(from.distance(to)).min(lead);
        if time.is_zero() {
            return Self::resting(now, to);
        }
        let seconds = time.as_secs_f64();
        Self {
            from,
            to,
            launch: Point::new(velocity.x * seconds, velocity.y * seconds),
            bow: bow(from, to),
            start: now,
            time,
        }
    }

    /// Where it ends.
    pub(super) fn target(&self) -> Point {
        self.to
    }

    /// When it ends.
    pub(super) fn arrival(&self) -> Instant {
        self.start + self.time
    }

    /// Where the cursor is at `now`.
    pub(super) fn position(&self, now: Instant) -> Point {
        if now >= self.arrival() {
            return self.to;
        }
        self.at(self.progress(now))
    }

    /// How fast the cursor is at `now`, CSS px/s.
    fn velocity(&self, now: Instant) -> Point {
        /// Share of the leg that the slope is taken over.
        const STEP: f64 = 1e-3;
        if now >= self.arrival() {
            return Point::default();
        }
        let progress = self.progress(now).min(1.0 - STEP);
        let (a, b) = (self.at(progress), self.at(progress + STEP));
        let seconds = self.time.as_secs_f64() * STEP;
        Point::new((b.x - a.x) / seconds, (b.y - a.y) / seconds)
    }

    fn progress(&self, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(self.start);
        (elapsed.as_secs_f64() / self.time.as_secs_f64()).clamp(0.0, 1.0)
    }

    /// The point after the share `t` of the time: the quintic of least jerk that leaves with the
    /// launch velocity and ends at rest, bowed sideways.
    fn at(&self, t: f64) -> Point {
        let eased = t * t * t * (10.0 + t * (6.0 * t - 15.0));
        let launch = t + t * t * t * (-6.0 + t * (8.0 - 3.0 * t));
        let bow = 4.0 * eased * (1.0 - eased);
        let along = |from: f64, to: f64, launched: f64, bowed: f64| {
            from + (to - from) * eased + launched * launch + bowed * bow
        };
        Point::new(
            along(self.from.x, self.to.x, self.launch.x, self.bow.x),
            along(self.from.y, self.to.y, self.launch.y, self.bow.y),
        )
    }
}

/// The time a hand takes over `distance` CSS px.
fn natural_time(distance: f64) -> Duration {
    if distance < NEAR_PX {
        return Duration::ZERO;
    }
    let millis = TIME_MS_MIN + TIME_MS_PER_DOUBLING * (1.0 + distance / REACH_PX).log2();
    // A distance that is no number gives no time rather than a panic.
    Duration::try_from_secs_f64(millis / 1e3).unwrap_or_default()
}

/// The bow of a path: across it, and upwards, as a forearm swings round its elbow.
fn bow(from: Point, to: Point) -> Point {
    let length = from.distance(to);
    if length < NEAR_PX {
        return Point::default();
    }
    let bow = (length * BOW_SHARE).min(BOW_PX_MAX) * -(to.x - from.x).signum();
    Point::new(
        -(to.y - from.y) / length * bow,
        (to.x - from.x) / length * bow,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAD: Duration = Duration::from_millis(600);

    #[test]
    fn time_grows_with_distance_up_to_the_lead() {
        let now = Instant::now();
        let times: Vec<_> = [0.0, 0.4, 5.0, 50.0, 500.0, 1500.0, 1e6]
            .map(|x| Leg::between(now, Point::default(), Point::new(x, 0.0), LEAD).time)
            .into();
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!(times[1], Duration::ZERO);
        assert!(times[2] > Duration::from_millis(60), "{times:?}");
        assert!(times[4] < Duration::from_millis(400), "{times:?}");
        assert_eq!(times[6], LEAD);
    }

    #[test]
    fn a_leg_starts_and_ends_gently_where_it_should() {
        let now = Instant::now();
        let (from, to) = (Point::new(900.0, 40.0), Point::new(100.0, 640.0));
        let leg = Leg::between(now, from, to, LEAD);
        assert_eq!(leg.position(now), from);
        assert_eq!(leg.position(leg.arrival()), to);
        let steps: Vec<_> = (0..=100)
            .map(|i| leg.position(now + leg.time * i / 100))
            .collect();
        let speeds: Vec<_> = steps.windows(2).map(|w| w[0].distance(w[1])).collect();
        assert!(speeds[0] < 0.1 && speeds[99] < 0.1, "{speeds:?}");
        assert!(speeds[50] > 15.0, "{speeds:?}");
        let remaining: Vec<_> = steps.iter().map(|p| -p.distance(to)).collect();
        assert!(remaining.is_sorted(), "never backwards");
    }

    #[test]
    fn a_turn_keeps_the_speed() {
        let now = Instant::now();
        let leg = Leg::between(now, Point::default(), Point::new(800.0, 0.0), LEAD);
        let turn = now + leg.time / 2;
        let next = leg.onward(turn, Point::new(800.0, 400.0), LEAD);
        let (before, after) = (leg.velocity(turn), next.velocity(turn));
        assert!(
            (before.x - after.x).abs() < before.x * 0.02,
            "{before:?} {after:?}"
        );
        assert_eq!(next.position(turn), leg.position(turn));
        assert_eq!(next.position(next.arrival()), next.target());
    }

    #[test]
    fn nonsense_is_there_at_once() {
        let now = Instant::now();
        let leg = Leg::between(now, Point::default(), Point::new(f64::NAN, 0.0), LEAD);
        assert_eq!(leg.arrival(), now);
    }
}
