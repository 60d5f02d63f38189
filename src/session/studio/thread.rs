//! The body of the studio's thread: wait, draw, encode, hand out.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::canvas::Canvas;
use super::card::Card;
use super::full::Full;
use super::layer::Layers;
use super::meter::Meter;
use super::next::{Task, Work};
use super::pace::Pace;
use super::rise::Rise;
use super::{Options, Shared, View, lock};
use crate::error::{BoxError, Chain};

pub(super) struct Thread {
    pub(super) shared: Arc<Shared>,
    pub(super) options: Options,
    pub(super) view: watch::Sender<View>,
    /// Shown to whoever may not see the page.
    pub(super) card: Card,
    pub(super) full: Full,
    pub(super) layers: Layers,
    pub(super) canvas: Canvas,
    pub(super) pace: Pace,
    pub(super) rise: Rise,
    pub(super) meter: Meter,
    /// Whether an empty window was shown.
    pub(super) has_opened: bool,
}

impl Thread {
    pub(super) fn new(shared: Arc<Shared>, options: Options, view: watch::Sender<View>) -> Self {
        let now = Instant::now();
        let still_wanted = view.borrow().still_wanted;
        Self {
            full: Full::new(now, options.fps, options.bitrate_bps),
            layers: Layers::new(options.size, options.bitrate_bps, options.video.low_layer),
            pace: Pace::new(now, options.fps, &options.video, still_wanted),
            shared,
            options,
            view,
            canvas: Canvas::new(),
            rise: Rise::default(),
            card: Card::default(),
            meter: Meter::new(now),
            has_opened: false,
        }
    }

    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        while let Some(task) = shared.inbox.wait(|state| self.look(state)) {
            let made = match task {
                Task::Opening { has_low } => self.show_opening(has_low),
                Task::Page(work) => self.draw(work),
                Task::Card { keyframe } => self.show_card(keyframe),
                Task::Low { keyframe } => self.show_low(keyframe),
            };
            if let Err(error) = made {
                metrics::counter!("ghostcast_frames_dropped_total", "reason" => "broken")
                    .increment(1);
                tracing::warn!(error = %Chain(error.as_ref()), "a picture could not be made");
            }
        }
    }

    fn show_opening(&mut self, has_low: bool) -> Result<(), BoxError> {
        let was_opened = std::mem::replace(&mut self.has_opened, true);
        self.canvas.open(self.options.size);
        self.show_full(Instant::now(), false, true)?;
        // A server of rooms that learns of a layer shows it for a moment to whoever is there: now nobody misses anything.
        match has_low && !was_opened {
            true => self.show_low(true),
            false => Ok(()),
        }
    }

    fn draw(&mut self, work: Work) -> Result<(), BoxError> {
        let now = Instant::now();
        let has_shot = work.shot.is_some();
        let is_still = work.still.is_some() && !has_shot;
        // A shot that came while a still was waiting is the newer of the two.
        if let Some(shot) = work.shot.or(work.still) {
            self.canvas.paint(shot, now)?;
            self.pace.repainted(now, has_shot, is_still);
        }
        let watcher = &mut self.full.watcher;
        if (is_still && watcher.rested()) || watcher.picture(now, has_shot) {
            tracing::debug!("the page is encoded as a screen");
            self.full.begin_anew(now);
        }
        let (overlay, cursor_moves) = {
            let cursor = lock(&self.shared.cursor);
            let overlay = cursor.frame(now);
            (overlay, cursor.next_change(now).is_some())
        };
        if self.canvas.hang(work.panel.as_ref(), work.badge.as_ref()) {
            // Its text is read as well as the page's.
            self.pace.refine();
            if work.panel.is_none() {
                // A delta leaves traces of so much that goes at once.
                self.shared.inbox.leave(|state| state.keyframe = true);
            }
        }
        self.canvas.compose(overlay.as_ref());
        metrics::counter!("ghostcast_frames_drawn_total").increment(1);
        self.layers
            .drawn(has_shot || is_still, &self.canvas, overlay.as_ref());
        let (target, rests) = (self.options.bitrate_bps, now >= self.pace.rests_at());
        let rise_bps = self.rise.bits(now, target.into(), rests);
        self.full
            .follow_bandwidth(now, work.bandwidth_min, rise_bps);
        let result = if work.is_full {
            self.show_full(now, has_shot, work.keyframe)
        } else {
            self.full.rest();
            self.pace.rest();
            Ok(())
        };
        // A moving cursor keeps the ticks busy by itself: then they are never brought forward.
        let catches_up = has_shot && self.pace.has_held() && !cursor_moves;
        self.pace.drawn(now, catches_up);
        if let Some(screen) = self.canvas.screen.as_ref().filter(|_| has_shot) {
            screen.taken(now, self.pace.wanted_at());
        }
        result
    }
}
