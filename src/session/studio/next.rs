//! What the studio's thread does next: the page, a card, the low layer or an empty window, and when.

use std::time::Instant;

use super::inbox::{Hung, State, Wait};
use super::lock;
use super::pace::Reasons;
use super::thread::Thread;
use crate::media::{Layer, Shot};

/// Why the thread draws.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) shot: Option<Shot>,
    pub(super) still: Option<Shot>,
    pub(super) panel: Option<Hung>,
    pub(super) badge: Option<Hung>,
    pub(super) keyframe: bool,
    /// Whether somebody is given the full layer.
    pub(super) is_full: bool,
    pub(super) bandwidth_min: Option<u64>,
}

/// What is to be made.
pub(super) enum Task {
    /// An empty window, before there is anything of the page; whether somebody is given the low layer of it.
    Opening {
        has_low: bool,
    },
    Page(Work),
    /// The card that stands for it; whether as a keyframe.
    Card {
        keyframe: bool,
    },
    /// The low layer; whether as a keyframe.
    Low {
        keyframe: bool,
    },
}

impl Thread {
    /// Decides whether there is work now, and if not, when.
    pub(super) fn look(&mut self, state: &mut State) -> Wait<Option<Task>> {
        if state.stop {
            return Wait::Done(None);
        }
        let now = Instant::now();
        self.meter.publish(now, &self.view);
        self.follow_veil(state);
        let card = self.card_due(now, state);
        if card.is_some_and(|at| at <= now) {
            let keyframe = std::mem::take(&mut state.card_keyframe);
            return Wait::Done(Some(Task::Card { keyframe }));
        }
        self.follow_layers(now, state);
        if std::mem::take(&mut state.somebody_came) {
            self.rise.somebody_came(now);
        }
        let opening = self.opening_due(now, state);
        if opening.is_some_and(|at| at <= now) {
            (state.keyframe, state.asked_alone) = (false, false);
            let has_low = state.is_taken(Layer::Low);
            return Wait::Done(Some(Task::Opening { has_low }));
        }
        let low = self.low_due(now, state);
        let page = if Self::is_late(now, low) {
            Wait::Until(None)
        } else {
            self.look_at_page(now, state)
        };
        match page {
            Wait::Done(work) => Wait::Done(Some(Task::Page(work))),
            Wait::Until(_) if low.is_some_and(|at| at <= now) => {
                let keyframe = self.take_low_keyframe(now, state);
                Wait::Done(Some(Task::Low { keyframe }))
            }
            Wait::Until(at) => {
                let at = [card, opening, low, self.layers.next_at(now), at];
                Wait::Until(at.into_iter().flatten().min())
            }
        }
    }

    /// The veil was lifted: nobody else sees what is on the canvas from before.
    fn follow_veil(&mut self, state: &mut State) {
        if std::mem::take(&mut state.lifted) {
            self.canvas.clear();
            self.full.forget();
            self.layers.low = None;
            if !state.is_veiled() {
                lock(&self.shared.fanout).veil(None);
            }
        }
    }

    /// When a room is to be shown an empty window, and whoever comes there while it is all that there is: its server, and
    /// those who are in it, have the track ready then when the page's first picture comes. A film begins with the page.
    fn opening_due(&self, now: Instant, state: &State) -> Option<Instant> {
        let is_empty = !self.canvas.is_painted && state.shot.is_none();
        if !is_empty || !state.is_for_room() || !state.is_taken(Layer::Full) {
            return None;
        }
        match self.has_opened {
            false => Some(now),
            true => state.keyframe.then(|| self.pace.keyframe_allowed_at(now)),
        }
    }

    fn look_at_page(&mut self, now: Instant, state: &mut State) -> Wait<Work> {
        self.follow_viewers(now, state.is_watched());
        state.expire(now);
        if std::mem::take(&mut state.turned) && state.is_watched() {
            self.pace.turned(now);
        }
        if !state.is_watched() {
            state.shot = None;
            state.still = None;
            state.asked_alone = false;
            return Wait::Until(self.meter.next_at());
        }
        self.sort_out(state);
        if self.canvas.screen.is_some() && self.pace.asks_for_still(now) {
            // A page that is shown without loss needs no still when it comes to rest: only bits.
            self.pace.repainted(now, false, true);
        }
        let due = self.pace.due(now, self.reasons(now, state));
        let due = due.map(|due| match due <= now {
            true => due.max(self.full.next_at(now)),
            false => due,
        });
        match due {
            Some(at) if at <= now => Wait::Done(self.take(now, state)),
            at => {
                self.pace.hold(state.shot.is_some());
                if self.pace.asks_for_still(now) {
                    let wanted = self.pace.still_wanted();
                    self.view.send_modify(|view| view.still_wanted = wanted);
                }
                let at = [at, self.pace.still_due(), self.meter.next_at()];
                Wait::Until(at.into_iter().flatten().min())
            }
        }
    }

    /// Leaves out what brings nothing.
    fn sort_out(&mut self, state: &mut State) {
        let canvas = &self.canvas;
        if state.shot.take_if(|shot| canvas.shows(shot)).is_some() {
            // Chromium sends a frame for every swap, changed or not.
            self.pace.unchanged();
            metrics::counter!("ghostcast_frames_dropped_total", "reason" => "unchanged")
                .increment(1);
        }
        let wanted = self.pace.still_wanted();
        state.still.take_if(|(number, _)| *number != wanted);
    }

    fn reasons(&self, now: Instant, state: &State) -> Reasons {
        let hung = state.panel.as_ref();
        let panel = match hung.map(|hung| hung.number) == self.canvas.board.number() {
            true => hung.and_then(|hung| hung.until),
            false => Some(now),
        };
        let pinned = state.badge.as_ref().map(|hung| hung.number);
        let badge = (pinned != self.canvas.badge.number()).then_some(now);
        Reasons {
            is_new: state.shot.is_some() || state.still.is_some(),
            keyframe: state.keyframe,
            cursor: lock(&self.shared.cursor).next_change(self.pace.drawn_at()),
            over: panel.into_iter().chain(badge).min(),
            is_coarse: self.full.is_coarse(),
            is_painted: self.canvas.is_painted,
        }
    }

    fn take(&mut self, now: Instant, state: &mut State) -> Work {
        let is_full = state.is_taken(Layer::Full);
        let keyframe = state.keyframe && self.pace.keyframe_allowed_at(now) <= now;
        state.keyframe &= !keyframe && is_full;
        if keyframe && std::mem::take(&mut state.asked_alone) {
            self.rise.asked(now);
        }
        Work {
            shot: state.shot.take(),
            still: state.still.take().map(|(_, shot)| shot),
            panel: state.panel.clone(),
            badge: state.badge.clone(),
            keyframe,
            is_full,
            bandwidth_min: self.layers.full_bits(),
        }
    }

    /// Tells the session when viewers come and go.
    fn follow_viewers(&mut self, now: Instant, watched: bool) {
        if self.pace.watch(now, watched) {
            self.view.send_modify(|view| {
                view.watched = watched;
                view.watches += u64::from(watched);
            });
        }
    }
}
