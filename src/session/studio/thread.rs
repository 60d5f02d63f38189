//! The body of the studio's thread: wait, draw, encode, hand out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::canvas::{Canvas, stage};
use super::card::Card;
use super::inbox::{Hung, State, Wait};
use super::layer::Layers;
use super::meter::Meter;
use super::{Options, Shared, View, lock};
use crate::error::{BoxError, Chain};
use crate::media::encode::{self, Budget, Content, Encoded, Encoder, Ladder};
use crate::media::{AccessUnit, Layer, Shot};

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
/// What one step of sharpening should cost at most, s of the bits.
const REST_PICTURE_S: f64 = 0.2;
/// The most that a keyframe may take of the bits, s: on a narrow path a picture stands still meanwhile,
/// and receivers keep all later ones back for as long as the largest took...
const KEYFRAME_NARROW_S: f64 = 0.15;
/// ...and on no path does it take longer than this.
const KEYFRAME_S: f64 = 1.0;
/// A still that lived shorter than this was not worth taking.
const STILL_LIFE_MIN: Duration = Duration::from_millis(1_500);
/// After this many short-lived stills in a row a page is taken to change all the time, a clock
/// for instance, and has to rest for [`STILL_LIFE_MIN`] before the next one.
const SHORT_STILLS_MAX: u32 = 2;
/// A first viewer waits this long for a fresh shot before it is given the kept picture.
const FRESH_WAIT_MAX: Duration = Duration::from_millis(700);
/// The encoder is not asked for less, bits a second: below, not even text gets through.
const BITRATE_MIN: u64 = 100_000;

/// Why the thread draws.
#[derive(Debug, Default)]
struct Work {
    shot: Option<Shot>,
    still: Option<Shot>,
    panel: Option<Hung>,
    badge: Option<Hung>,
    keyframe: bool,
    /// Whether somebody is given the full layer.
    is_full: bool,
    bandwidth_min: Option<u64>,
}

/// What is to be made.
enum Task {
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

pub(super) struct Thread {
    pub(super) shared: Arc<Shared>,
    pub(super) options: Options,
    pub(super) view: watch::Sender<View>,
    /// Shown to whoever may not see the page.
    pub(super) card: Card,
    pub(super) layers: Layers,
    pub(super) canvas: Canvas,
    pub(super) pace: Pace,
    encoder: Option<Encoder>,
    pub(super) watcher: encode::Watcher,
    budget: Budget,
    ladder: Ladder,
    /// Pictures that sharpened a page at rest.
    sharpened: usize,
    bitrate_bps: u32,
    pub(super) meter: Meter,
}

/// When to draw next, and why.
pub(super) struct Pace {
    interval: Duration,
    due_at: Instant,
    drawn_at: Instant,
    pub(super) damaged_at: Instant,
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

impl Thread {
    pub(super) fn new(shared: Arc<Shared>, options: Options, view: watch::Sender<View>) -> Self {
        let now = Instant::now();
        let pace = Pace {
            interval: Duration::from_secs_f64(1.0 / f64::from(options.fps)),
            due_at: now,
            drawn_at: now,
            damaged_at: now,
            still_wanted: view.borrow().still_wanted,
            still_asked: true,
            still_at: None,
            short_stills: 0,
            refinements: 0,
            keyframe_at: None,
            watched_since: None,
            is_fresh: false,
            is_held: false,
        };
        Self {
            watcher: encode::Watcher::new(options.fps),
            budget: Budget::new(now, options.bitrate_bps, options.fps),
            ladder: Ladder::default(),
            sharpened: 0,
            layers: Layers::new(options.size, options.bitrate_bps, options.video.low_layer),
            bitrate_bps: options.bitrate_bps,
            shared,
            options,
            view,
            canvas: Canvas::new(),
            card: Card::default(),
            pace,
            encoder: None,
            meter: Meter::new(now),
        }
    }

    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        while let Some(task) = shared.inbox.wait(|state| self.look(state)) {
            let made = match task {
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

    /// Decides whether there is work now, and if not, when.
    fn look(&mut self, state: &mut State) -> Wait<Option<Task>> {
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
                let at = [card, low, self.layers.next_at(now), at];
                Wait::Until(at.into_iter().flatten().min())
            }
        }
    }

    /// The veil was lifted: nobody else sees what is on the canvas from before.
    fn follow_veil(&mut self, state: &mut State) {
        if std::mem::take(&mut state.lifted) {
            self.canvas.clear();
            (self.encoder, self.layers.low) = (None, None);
            if !state.is_veiled() {
                lock(&self.shared.fanout).veil(None);
            }
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
            return Wait::Until(self.meter.next_at());
        }
        if state
            .shot
            .as_ref()
            .is_some_and(|shot| self.canvas.shows(shot))
        {
            // Chromium sends a frame for every swap, changed or not.
            state.shot = None;
            self.pace.is_fresh = true;
            metrics::counter!("ghostcast_frames_dropped_total", "reason" => "unchanged")
                .increment(1);
        }
        let wanted = self.pace.still_wanted;
        if state
            .still
            .as_ref()
            .is_some_and(|(number, _)| *number != wanted)
        {
            state.still = None;
        }
        self.refine_at_rest(now);
        let due = self.due_at(now, state);
        // The budget is asked only when there is something to draw: it counts what it held back.
        let held_back = due
            .filter(|due| *due <= now)
            .map(|_| self.budget.next_at(now));
        let not_before = self.pace.not_before().max(held_back.unwrap_or(now));
        match due.map(|due| due.max(not_before)) {
            Some(at) if at <= now => Wait::Done(self.take(now, state)),
            at => {
                self.pace.is_held |= state.shot.is_some();
                self.ask_for_still(now);
                Wait::Until(
                    [at, self.still_at(), self.meter.next_at()]
                        .into_iter()
                        .flatten()
                        .min(),
                )
            }
        }
    }

    fn take(&self, now: Instant, state: &mut State) -> Work {
        let is_full = state.is_taken(Layer::Full);
        let keyframe = state.keyframe && self.keyframe_allowed_at(now) <= now;
        state.keyframe &= !keyframe && is_full;
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

    /// The earliest of the reasons to draw.
    fn due_at(&self, now: Instant, state: &State) -> Option<Instant> {
        let canvas_ready = self.is_canvas_ready(now);
        let fresh = (state.shot.is_some() || state.still.is_some()).then_some(now);
        let keyframe = state.keyframe.then(|| self.keyframe_allowed_at(now));
        let cursor = lock(&self.shared.cursor).next_change(self.pace.drawn_at);
        let hung = state.panel.as_ref();
        let panel = match hung.map(|hung| hung.number) == self.canvas.board.number() {
            true => hung.and_then(|hung| hung.until),
            false => Some(now),
        };
        let pinned = state.badge.as_ref().map(|hung| hung.number);
        let badge = (pinned != self.canvas.badge.number()).then_some(now);
        let refine = (self.pace.refinements > 0).then(|| self.pace.drawn_at + REFINE_EVERY);
        let sharpen = self.ladder.is_coarse().then(|| self.sharpen_at());
        let heartbeat = Some(self.pace.drawn_at + self.options.video.heartbeat());
        let of_kept = [keyframe, cursor, panel, badge, refine, sharpen, heartbeat]
            .into_iter()
            .flatten()
            .min();
        let of_kept = if canvas_ready {
            of_kept
        } else {
            self.canvas.is_painted.then(|| self.fresh_by()).flatten()
        };
        [fresh, of_kept].into_iter().flatten().min()
    }

    /// When a page that is shown coarsely counts as resting, and is sharpened by a step.
    fn sharpen_at(&self) -> Instant {
        let rests_at = self.pace.damaged_at + REST_AFTER;
        rests_at.max(self.pace.drawn_at + REFINE_EVERY)
    }

    /// Whether the kept picture may be shown.
    pub(super) fn is_canvas_ready(&self, now: Instant) -> bool {
        self.canvas.is_painted && (self.pace.is_fresh || self.waited(now))
    }

    fn keyframe_allowed_at(&self, now: Instant) -> Instant {
        let pause = self.options.video.keyframe_interval_min();
        self.pace.keyframe_at.map_or(now, |at| at + pause)
    }

    /// Until when a new viewer waits for a fresh shot.
    fn fresh_by(&self) -> Option<Instant> {
        self.pace.watched_since.map(|since| since + FRESH_WAIT_MAX)
    }

    fn waited(&self, now: Instant) -> bool {
        self.fresh_by().is_some_and(|at| at <= now)
    }

    /// Tells the session when viewers come and go.
    fn follow_viewers(&mut self, now: Instant, watched: bool) {
        if watched == self.pace.watched_since.is_some() {
            return;
        }
        self.pace.watched_since = watched.then_some(now);
        self.pace.is_fresh = false;
        self.pace.refinements = 0;
        // A page that rested while its last viewer left may still lack its still.
        self.pace.still_asked = !watched || self.pace.still_at.is_some();
        self.pace.damaged_at = now;
        self.view.send_modify(|view| {
            view.watched = watched;
            view.watches += u64::from(watched);
        });
    }

    /// When a page at rest is due for its lossless still.
    fn still_at(&self) -> Option<Instant> {
        let mut after = self.options.video.still_after();
        if self.pace.short_stills >= SHORT_STILLS_MAX && !after.is_zero() {
            after = after.max(STILL_LIFE_MIN);
        }
        (!self.pace.still_asked && !after.is_zero()).then(|| self.pace.damaged_at + after)
    }

    /// A page that is shown without loss needs no still when it comes to rest: only bits.
    fn refine_at_rest(&mut self, now: Instant) {
        if self.canvas.screen.is_some() && self.still_at().is_some_and(|at| at <= now) {
            self.pace.still_asked = true;
            self.pace.repainted(now, false, true);
        }
    }

    fn ask_for_still(&mut self, now: Instant) {
        if self.still_at().is_some_and(|at| at <= now) {
            self.pace.still_asked = true;
            let wanted = self.pace.still_wanted;
            self.view.send_modify(|view| view.still_wanted = wanted);
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
        if (is_still && self.watcher.rested()) || self.watcher.picture(now, has_shot) {
            tracing::debug!("the page is encoded as a screen");
            self.encoder = None;
            self.budget.forget_correction(now);
        }
        let (overlay, cursor_moves) = {
            let cursor = lock(&self.shared.cursor);
            let overlay = cursor.frame(now);
            (overlay, cursor.next_change(now).is_some())
        };
        if self.canvas.hang(work.panel.as_ref(), work.badge.as_ref()) {
            // Its text is read as well as the page's.
            self.pace.refinements = REFINEMENTS;
            if work.panel.is_none() {
                // A delta leaves traces of so much that goes at once.
                self.shared.inbox.leave(|state| state.keyframe = true);
            }
        }
        self.canvas.compose(overlay.as_ref());
        metrics::counter!("ghostcast_frames_drawn_total").increment(1);
        self.layers
            .drawn(has_shot || is_still, &self.canvas, overlay.as_ref());
        self.follow_bandwidth(now, work.bandwidth_min);
        let result = if work.is_full {
            self.encode(now, work.keyframe)
        } else {
            self.rest_encoder();
            Ok(())
        };
        // A moving cursor keeps the ticks busy by itself: then they are never brought forward.
        let catches_up = has_shot && self.pace.is_held && !cursor_moves;
        self.pace.drawn(now, catches_up);
        if let Some(screen) = self.canvas.screen.as_ref().filter(|_| has_shot) {
            screen.taken(now, self.pace.due_at);
        }
        result
    }

    /// Nobody is given the full layer: it begins anew when somebody is.
    fn rest_encoder(&mut self) {
        self.encoder = None;
        self.ladder = Ladder::default();
        self.pace.refinements = 0;
    }

    fn encode(&mut self, now: Instant, keyframe: bool) -> Result<(), BoxError> {
        let is_new = self.encoder.is_none();
        let made = self.make(now, keyframe)?;
        if keyframe && !made.as_ref().is_some_and(|made| made.keyframe) {
            self.shared.inbox.leave(|state| state.keyframe = true);
        }
        let Some(encoded) = made else {
            metrics::counter!("ghostcast_frames_dropped_total", "reason" => "encoder_skip")
                .increment(1);
            return Ok(());
        };
        tracing::trace!(
            bytes = encoded.data.len(),
            keyframe = encoded.keyframe,
            quantiser = encoded.quantiser,
            target = self.budget.encoder_target(),
            "encoded"
        );
        if let (Some(target), Some(encoder)) = (
            self.budget.spend(now, encoded.data.len()),
            &mut self.encoder,
        ) {
            encoder.set_bitrate(target);
        }
        if encoded.keyframe {
            self.pace.keyframe_at = Some(now);
            let is_asked = is_new || keyframe;
            if !is_asked && self.watcher.new_scene(now) {
                tracing::debug!("the page is encoded as video");
                self.encoder = None;
                self.budget.forget_correction(now);
            }
        }
        self.meter.count(encoded.data.len(), encoded.keyframe);
        let unit = AccessUnit {
            data: encoded.data.into(),
            keyframe: encoded.keyframe,
            layer: Layer::Full,
            made_at: Instant::now(),
        };
        let delivery = lock(&self.shared.fanout).send(&Arc::new(unit));
        if delivery.dropped > 0 {
            metrics::counter!("ghostcast_frames_dropped_total", "reason" => "slow_publisher")
                .increment(delivery.dropped as u64);
        }
        if delivery.keyframe_needed {
            self.shared.inbox.leave(|state| state.keyframe = true);
        }
        Ok(())
    }

    /// One access unit of what the canvas shows, as coarse as it has to be.
    fn make(&mut self, now: Instant, keyframe: bool) -> Result<Option<Encoded>, encode::Error> {
        let (quantiser, is_resting) = self.choose_quantiser(now);
        let keyframe_bytes_max = self.keyframe_bytes_max();
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::new(encode::Config {
                fps: self.options.fps,
                bitrate_bps: self.budget.encoder_target(),
                content: self.watcher.content(),
            })?),
        };
        encoder.set_quantiser(quantiser);
        encoder.set_keyframe_bytes_max(keyframe_bytes_max);
        let media_ms = self.meter.media_ms(now);
        let started = Instant::now();
        let made = if is_resting && !keyframe {
            self.sharpened += 1;
            let stirred = self.canvas.picture.stirred(self.sharpened);
            encoder.encode(&stirred, media_ms, false)?
        } else {
            encoder.encode(&self.canvas.picture, media_ms, keyframe)?
        };
        stage("encode", started);
        match &made {
            Some(made) if made.keyframe => self.ladder.made_keyframe(made.quantiser),
            Some(made) if made.quantiser.is_some() => {
                self.ladder.made(made.data.len() as f64 * 8.0, is_resting);
                // What was chosen here says nothing of how the library keeps to a rate.
                self.budget.forget_correction(now);
            }
            Some(_) | None => {}
        }
        Ok(made)
    }

    /// The quantiser of the next picture, `None` where the library shall choose, and whether the page
    /// rests. It chooses well where bits suffice, and video it handles better than screens.
    fn choose_quantiser(&mut self, now: Instant) -> (Option<u8>, bool) {
        let is_narrow = self.bitrate_bps < self.options.bitrate_bps;
        let is_resting = self.ladder.is_coarse() && now >= self.pace.damaged_at + REST_AFTER;
        if self.watcher.content() == Content::Video || !(is_narrow || is_resting) {
            return (None, false);
        }
        let quantiser = if is_resting {
            self.ladder
                .resting(f64::from(self.bitrate_bps) * REST_PICTURE_S)
        } else {
            let since = now.saturating_duration_since(self.pace.drawn_at);
            self.ladder.moving(self.budget.allowance(since))
        };
        (Some(quantiser), is_resting)
    }

    fn keyframe_bytes_max(&self) -> usize {
        let is_narrow = self.bitrate_bps < self.options.bitrate_bps;
        let seconds = if is_narrow {
            KEYFRAME_NARROW_S
        } else {
            KEYFRAME_S
        };
        (f64::from(self.bitrate_bps) * seconds / 8.0) as usize
    }

    fn follow_bandwidth(&mut self, now: Instant, bandwidth_min: Option<u64>) {
        let set = u64::from(self.options.bitrate_bps);
        let bits = bandwidth_min.map_or(set, |narrow| narrow.clamp(BITRATE_MIN.min(set), set));
        let bits = u32::try_from(bits).unwrap_or(u32::MAX);
        if bits != self.bitrate_bps {
            self.bitrate_bps = bits;
            self.budget.set_bitrate(now, bits);
            if let Some(encoder) = &mut self.encoder {
                encoder.set_bitrate(self.budget.encoder_target());
            }
        }
    }
}

impl Pace {
    fn not_before(&self) -> Instant {
        let early = self.interval.mul_f64(EARLY_SHARE);
        self.due_at.checked_sub(early).unwrap_or(self.due_at)
    }

    fn repainted(&mut self, now: Instant, has_shot: bool, is_still: bool) {
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
    fn turned(&mut self, now: Instant) {
        self.watched_since = Some(now);
        self.is_fresh = false;
        self.refinements = 0;
        self.still_asked = true;
        self.still_at = None;
        self.still_wanted += 1;
        self.damaged_at = now;
    }

    fn drawn(&mut self, now: Instant, catches_up: bool) {
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
