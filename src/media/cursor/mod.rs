//! The ghost cursor: [`Cursor`] says where it is and what it does at any instant, and
//! [`sprite::Sheet`] how that looks.
//!
//! The session cues it when automation acts; the studio asks for the [`Overlay`] of the instant
//! it draws and hands it to `media::compose`. It is never put into the page. Nothing here reads a
//! clock: the same cues at the same instants give the same pictures.
//!
//! ## Design notes
//! - A motion is bounded by `lead`, not stretched to it: a short way takes a short time, and an
//!   action that waits for the arrival waits for no more than that.
//! - A cursor that nobody has seen for a while comes in beside its target. Flying in from where
//!   it vanished, or from a corner, draws the eye to a way that means nothing.

mod config;
mod motion;
mod overlay;
pub mod sprite;
mod vector;

use std::{
    f32::consts::PI,
    time::{Duration, Instant},
};

use self::motion::Leg;
pub use self::{
    config::{
        Color, Config, IDLE_MS_MAX, LEAD_MS_MAX, Look, ParseColorError, SIZE_RANGE_PX, Shape,
    },
    overlay::{Mark, MarkKind, Overlay, RIPPLES_MAX, Ripple},
};
use crate::model::{Point, command::Direction};

/// From nothing to full when the cursor comes: short, so that it is there when it arrives.
const ENTER: Duration = Duration::from_millis(120);

/// From full to nothing when it goes: long enough not to blink out, too short to linger.
const FADE: Duration = Duration::from_millis(250);

/// From where, relative to its target and in heights of itself, a cursor comes in: along its own
/// axis, tip first.
const ENTER_OFFSET: Point = Point::new(0.8, 1.1);

/// How long a ripple spreads: outlives the press itself, is over before the next action.
const RIPPLE: Duration = Duration::from_millis(450);

/// From one ripple of a double click to the next: apart for the eye, one gesture still.
const RIPPLE_GAP: Duration = Duration::from_millis(110);

/// Ripples of one press: nobody clicks more than three times in one gesture.
const CLICKS_MAX: u8 = 3;

/// How long a press pushes the pointer in and lets it out again.
const PRESS: Duration = Duration::from_millis(220);

/// How long a mark outlives its last cue: bridges the gaps between keys and wheel steps.
const TYPING_HOLD: Duration = Duration::from_millis(900);
const SCROLLING_HOLD: Duration = Duration::from_millis(700);

/// One loop of a mark.
const TYPING_LOOP: Duration = Duration::from_millis(1_050);
const SCROLLING_LOOP: Duration = Duration::from_millis(560);

/// A mark fades in and out this fast.
const MARK_FADE: Duration = Duration::from_millis(140);

/// What the automation does, for the cursor to show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cue {
    /// Go there.
    MoveTo {
        /// The target, CSS px.
        at: Point,
    },
    /// Click there.
    Press {
        /// The target, CSS px.
        at: Point,
        /// How many clicks the gesture has.
        count: u8,
    },
    /// Type there.
    Typing {
        /// The field, CSS px.
        at: Point,
    },
    /// Scroll what is there.
    Scrolling {
        /// A point over the scroller, CSS px.
        at: Point,
        /// Which way the view moves.
        direction: Direction,
    },
    /// Go away.
    Hide,
}

impl Cue {
    /// What it points at, CSS px.
    pub fn at(self) -> Option<Point> {
        match self {
            Self::MoveTo { at }
            | Self::Press { at, .. }
            | Self::Typing { at }
            | Self::Scrolling { at, .. } => Some(at),
            Self::Hide => None,
        }
    }
}

/// What the page asks a cursor to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Worn {
    /// As it is set.
    #[default]
    Usual,
    /// A pointing hand, over what can be pressed.
    Hand,
    /// A beam, over text.
    Beam,
}

/// The ghost cursor of one page.
#[derive(Debug, Clone)]
pub struct Cursor {
    config: Config,
    /// None until the first cue.
    leg: Option<Leg>,
    /// None until the first cue, and for ever when disabled.
    presence: Option<Presence>,
    ripples: [Option<Spread>; RIPPLES_MAX],
    mark: Option<Show>,
    worn: Worn,
    /// What it looks like from then on.
    next_worn: Option<(Instant, Worn)>,
}

/// When the cursor comes and goes.
#[derive(Debug, Clone, Copy)]
struct Presence {
    entered: Instant,
    /// Opacity at `entered`: above 0 if it was called back while it faded.
    opacity: f32,
    /// The last cue has been shown in full by then; `idle` counts from here.
    done: Instant,
    leaves: Instant,
    gone: Instant,
}

/// A ripple that spreads, or shall.
#[derive(Debug, Clone, Copy)]
struct Spread {
    at: Point,
    start: Instant,
}

/// A mark that is shown.
#[derive(Debug, Clone, Copy)]
struct Show {
    kind: MarkKind,
    start: Instant,
    end: Instant,
}

impl Cursor {
    /// A cursor that nobody has cued yet.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            leg: None,
            presence: None,
            ripples: [None; RIPPLES_MAX],
            mark: None,
            worn: Worn::Usual,
            next_worn: None,
        }
    }

    /// Looks as the page asks for, from then on. A shape other than the arrow was chosen, and is kept.
    pub fn wear(&mut self, from: Instant, worn: Worn) {
        self.worn = self.worn_at(from);
        self.next_worn = (worn != self.worn).then_some((from, worn));
    }

    /// Shows `cue`. Returns when the cursor is where the cue wants it: `now` plus the lead at
    /// the latest, and `now` itself when it is there or nothing is drawn.
    ///
    /// A ripple starts on arrival, so that a click that did not wait still looks like one.
    /// A point that is not finite is no place to go: that cue does nothing.
    pub fn cue(&mut self, now: Instant, cue: Cue) -> Instant {
        let Some(at) = cue.at() else {
            self.hide(now);
            return now;
        };
        if !(at.x.is_finite() && at.y.is_finite()) {
            return now;
        }
        if !self.config.enabled {
            self.leg = Some(Leg::resting(now, at));
            return now;
        }
        let arrival = self.go(now, at);
        let done = match cue {
            Cue::Press { count, .. } => self.ripple(now, arrival, at, count),
            Cue::Typing { .. } => self.show(now, MarkKind::Typing, TYPING_HOLD),
            Cue::Scrolling { direction, .. } => {
                self.show(now, MarkKind::Scrolling(direction), SCROLLING_HOLD)
            }
            Cue::MoveTo { .. } | Cue::Hide => arrival,
        };
        self.stay(now, done.max(arrival));
        arrival
    }

    /// Where the cursor is at `now`, or was when it was last seen; None before the first cue.
    /// Known even when the cursor is disabled.
    pub fn position(&self, now: Instant) -> Option<Point> {
        self.leg.map(|leg| leg.position(now))
    }

    /// Where the cursor rests, or will when it has arrived; None before the first cue. What the
    /// automation last aimed at, whether anybody saw the way there or not.
    pub fn target(&self) -> Option<Point> {
        self.leg.map(|leg| leg.target())
    }

    /// What to draw at `now`; None when there is nothing to see.
    pub fn frame(&self, now: Instant) -> Option<Overlay> {
        let presence = self.presence.filter(|presence| now < presence.gone)?;
        Some(Overlay {
            look: self.look(now),
            tip: self.position(now)?,
            opacity: presence.opacity(now, self.enter()),
            press: self.press(now),
            ripples: self.ripples.map(|spread| spread?.frame(now)),
            mark: self.mark.and_then(|show| show.frame(now)),
        })
    }

    /// When the picture first differs from the one drawn at `drawn`: `drawn` itself while
    /// anything moves, the start of the fade when the cursor rests, None when it is gone.
    ///
    /// `drawn` is the instant last given to [`Self::frame`], not the present: else the last
    /// frame of a motion would never be asked for.
    pub fn next_change(&self, drawn: Instant) -> Option<Instant> {
        let presence = self.presence.filter(|presence| drawn < presence.gone)?;
        let moving = self.leg.is_some_and(|leg| drawn < leg.arrival())
            || presence.opacity(drawn, self.enter()) < 1.0
            || drawn >= presence.leaves
            || self.mark.is_some_and(|show| drawn < show.end)
            || self.spreads().any(|spread| spread.frame(drawn).is_some());
        if moving {
            return Some(drawn);
        }
        self.spreads()
            .map(|spread| spread.start)
            .chain(self.next_worn.map(|(from, _)| from))
            .filter(|start| *start > drawn)
            .chain([presence.leaves])
            .min()
    }

    fn worn_at(&self, now: Instant) -> Worn {
        let next = self.next_worn.filter(|(from, _)| *from <= now);
        next.map_or(self.worn, |(_, worn)| worn)
    }

    fn look(&self, now: Instant) -> Look {
        let look = self.config.look();
        let shape = match (look.shape, self.worn_at(now)) {
            (Shape::Arrow, Worn::Hand) => Shape::Hand,
            (Shape::Arrow, Worn::Beam) => Shape::Beam,
            (shape, _) => shape,
        };
        Look { shape, ..look }
    }

    fn go(&mut self, now: Instant, at: Point) -> Instant {
        let lead = self.config.lead;
        let leg = match self.leg {
            Some(leg) if self.is_seen(now) && leg.target() == at => leg,
            Some(leg) if self.is_seen(now) => leg.onward(now, at, lead),
            Some(_) | None => {
                // What the last appearance left must not come back with this one.
                self.ripples = [None; RIPPLES_MAX];
                self.mark = None;
                let height = f64::from(self.config.size_px);
                let from = Point::new(
                    at.x + ENTER_OFFSET.x * height,
                    at.y + ENTER_OFFSET.y * height,
                );
                Leg::between(now, from, at, lead)
            }
        };
        self.leg = Some(leg);
        leg.arrival().max(now)
    }

    fn is_seen(&self, now: Instant) -> bool {
        self.presence.is_some_and(|presence| now < presence.gone)
    }

    /// The fade in, never longer than the way in.
    fn enter(&self) -> Duration {
        ENTER.min(self.config.lead)
    }

    /// Keeps the cursor until `done` and the idle time after it.
    fn stay(&mut self, now: Instant, done: Instant) {
        let seen = self.presence.filter(|presence| now < presence.gone);
        let done = seen.map_or(done, |presence| done.max(presence.done));
        let (entered, opacity) = match seen {
            Some(presence) if now < presence.leaves => (presence.entered, presence.opacity),
            Some(presence) => (now, presence.opacity(now, self.enter())),
            None => (now, 0.0),
        };
        let gone = done + self.config.idle;
        self.presence = Some(Presence {
            entered,
            opacity,
            done,
            leaves: done + self.config.idle.saturating_sub(FADE),
            gone,
        });
    }

    fn hide(&mut self, now: Instant) {
        if let Some(presence) = &mut self.presence
            && now < presence.leaves
        {
            presence.done = now;
            presence.leaves = now;
            presence.gone = now + FADE;
        }
    }

    /// Starts the ripples of a press at `start` and returns when the last is over.
    fn ripple(&mut self, now: Instant, start: Instant, at: Point, count: u8) -> Instant {
        let mut end = start;
        for click in 0..count.clamp(1, CLICKS_MAX) {
            let start = start + RIPPLE_GAP * u32::from(click);
            // A free slot sorts before any that is taken, and the oldest before the others.
            let slot = self.ripples.iter_mut().min_by_key(|slot| {
                slot.filter(|spread| now < spread.start + RIPPLE)
                    .map(|spread| spread.start)
            });
            if let Some(slot) = slot {
                *slot = Some(Spread { at, start });
            }
            end = start + RIPPLE;
        }
        end
    }

    /// Shows a mark, or goes on with the one that is shown, and returns when it is over.
    fn show(&mut self, now: Instant, kind: MarkKind, hold: Duration) -> Instant {
        let shown = self
            .mark
            .filter(|show| show.kind == kind && now + MARK_FADE < show.end);
        let start = shown.map_or(now, |show| show.start);
        let end = now + hold;
        self.mark = Some(Show { kind, start, end });
        end
    }

    fn spreads(&self) -> impl Iterator<Item = Spread> {
        self.ripples.iter().flatten().copied()
    }

    fn press(&self, now: Instant) -> f32 {
        self.spreads()
            .filter(|spread| now >= spread.start)
            .map(|spread| share(now, spread.start, PRESS))
            .map(|share| (share * PI).sin().max(0.0))
            .fold(0.0, f32::max)
    }
}

impl Presence {
    fn opacity(&self, now: Instant, enter: Duration) -> f32 {
        let come = share(now, self.entered, enter);
        let gone = share(
            now,
            self.leaves,
            self.gone.saturating_duration_since(self.leaves),
        );
        let left = if now < self.leaves { 1.0 } else { 1.0 - gone };
        (self.opacity + (1.0 - self.opacity) * come) * left
    }
}

impl Spread {
    fn frame(self, now: Instant) -> Option<Ripple> {
        (self.start <= now && now < self.start + RIPPLE).then(|| Ripple {
            at: self.at,
            phase: share(now, self.start, RIPPLE),
        })
    }
}

impl Show {
    fn frame(self, now: Instant) -> Option<Mark> {
        if now >= self.end {
            return None;
        }
        let turn = match self.kind {
            MarkKind::Typing => TYPING_LOOP,
            MarkKind::Scrolling(_) => SCROLLING_LOOP,
        };
        let elapsed = now.saturating_duration_since(self.start);
        let left = self.end.saturating_duration_since(now);
        Some(Mark {
            kind: self.kind,
            phase: (elapsed.as_secs_f64() / turn.as_secs_f64()).fract() as f32,
            opacity: share(now, self.start, MARK_FADE)
                .min(left.as_secs_f32() / MARK_FADE.as_secs_f32()),
        })
    }
}

/// How much of `time` has passed since `start`, 0 to 1; all of it when there is none to pass.
fn share(now: Instant, start: Instant, time: Duration) -> f32 {
    if time.is_zero() {
        return 1.0;
    }
    let elapsed = now.saturating_duration_since(start);
    (elapsed.as_secs_f32() / time.as_secs_f32()).min(1.0)
}

#[cfg(test)]
mod tests;
