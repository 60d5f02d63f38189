//! The layers of the studio: who is given which, and the low one, encoded beside the page's picture
//! while somebody wants it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bare::Bare;
use super::canvas::{Canvas, stage};
use super::inbox::State;
use super::lock;
use super::network::Network;
use super::thread::Thread;
use crate::error::BoxError;
use crate::media::cursor::Overlay;
use crate::media::encode::{self, Budget, Content, Encoded, Encoder, Ladder};
use crate::media::layer::halve;
use crate::media::{AccessUnit, Layer, Picture};
use crate::model::Size;
use crate::publish::Takes;
use crate::publish::layers::{Choice, LOW_BITRATE_MAX, are_of_use};
use crate::rtc::Carries;

/// The most pictures a second of the low layer.
const FPS: u32 = 10;
const INTERVAL: Duration = Duration::from_millis(1_000 / FPS as u64);
/// Pictures of the full one come at their own times: one may be taken so much early.
const EARLY: Duration = Duration::from_millis(35);
/// So late, it goes before the full one, which a busy machine never has done with.
const LATE: Duration = Duration::from_millis(40);
/// Where both are given side by side, the low one begins so much later than the full one, for whoever comes last: a server
/// of rooms may have to settle things with a subscriber before it takes a keyframe for them...
const AFTER_FULL: Duration = Duration::from_millis(1_000);
/// ...and so much later than it was wanted at most.
const AFTER_FULL_MAX: Duration = Duration::from_millis(2_500);
/// The bits a second of the low layer, at least.
const BITRATE_MIN: u32 = 60_000;
/// The most that its keyframe may take of them, s.
const KEYFRAME_S: f64 = 0.5;
/// The library makes a keyframe as if the rate were so much higher: within its bound it is sharp, and large enough
/// to prove what a path carries. Of screens it makes nothing else by the rate.
const KEYFRAME_RATES: u32 = 8;
/// What one step of sharpening a page at rest should cost at most, s of the bits.
const REST_PICTURE_S: f64 = 0.2;
/// A page at rest is sharpened by a step this often.
const SHARPEN_EVERY: Duration = Duration::from_millis(100);
/// About the quantiser of a keyframe that fits as the library makes it.
const KEYFRAME_QUANTISER: u8 = 36;

/// Who is given which layer, and the low one.
pub(super) struct Layers {
    choice: Choice,
    network: Network,
    pub(super) low: Option<Low>,
    /// Since when somebody wants the low one.
    low_wanted_at: Option<Instant>,
}

/// The low layer, while somebody wants it.
pub(super) struct Low {
    picture: Picture,
    encoder: Option<Encoder>,
    watcher: encode::Watcher,
    budget: Budget,
    ladder: Ladder,
    bitrate_bps: u32,
    due_at: Instant,
    drawn_at: Instant,
    keyframe_at: Option<Instant>,
    /// Whether the full picture has changed since, and most of it at once.
    is_dirty: bool,
    is_mostly_new: bool,
    bare: Bare,
    /// Whether the last picture sharpened a page at rest, and how many have.
    is_sharpened: bool,
    sharpened: usize,
    /// What lies over the page in the picture that was drawn last.
    over: Over,
}

/// The numbers of the panel and the badge, and the cursor.
type Over = (Option<u64>, Option<u64>, Option<Overlay>);

impl Layers {
    pub(super) fn new(size: Size, bitrate_bps: u32, are_wanted: bool) -> Self {
        let target = u64::from(bitrate_bps);
        Self {
            choice: Choice::new(target, are_wanted && are_of_use(size, target)),
            network: Network::new(target),
            low: None,
            low_wanted_at: None,
        }
    }

    /// As much as the narrowest path of those on the full layer carries.
    pub(super) fn full_bits(&self) -> Option<u64> {
        self.choice.bits(Layer::Full)
    }

    /// When it has to be looked at, though nothing changes.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        let next = self
            .choice
            .next_at()
            .into_iter()
            .chain(self.network.next_at());
        next.filter(|at| *at > now).min()
    }

    /// The canvas was drawn, with what was captured anew or without.
    pub(super) fn drawn(&mut self, is_new: bool, canvas: &Canvas, overlay: Option<&Overlay>) {
        if let Some(low) = &mut self.low {
            let over = (
                canvas.board.number(),
                canvas.badge.number(),
                overlay.copied(),
            );
            low.is_dirty |= is_new || low.over != over;
            low.is_mostly_new |= is_new && canvas.is_mostly_new();
            low.over = over;
        }
    }
}

impl Thread {
    /// Gives each feed the layers that it asks for and its path carries.
    pub(super) fn follow_layers(&mut self, now: Instant, state: &mut State) {
        let Layers {
            choice, network, ..
        } = &mut self.layers;
        // Whoever was given the low layer had a path that was found full.
        let ways = state.ways().map(|(feed, carries)| Carries {
            is_full: carries.is_full || choice.layer(feed) == Layer::Low,
            ..carries
        });
        let slow_bps = network.follow(now, ways);
        for (feed, layer) in choice.choose(now, state.paths()) {
            tracing::debug!(?feed, layer = layer.name(), "a viewer changes the layer");
            metrics::counter!("ghostcast_layer_changes_total", "layer" => layer.name())
                .increment(1);
        }
        let low_viewers = u32::try_from(choice.low_count()).unwrap_or(u32::MAX);
        self.view.send_if_modified(|view| {
            let slow = std::mem::replace(&mut view.slow_bps, slow_bps);
            let low = std::mem::replace(&mut view.stats.low_viewers, low_viewers);
            low != low_viewers || slow.is_some() != slow_bps.is_some()
        });
        for (feed, takes) in state.give(|feed, wants| Takes::of(wants, choice.layer(feed))) {
            for layer in lock(&self.shared.fanout).give(feed, takes) {
                state.wish_keyframe(layer);
            }
        }
    }

    /// When the low layer is due; it is forgotten when nobody wants it.
    pub(super) fn low_due(&mut self, now: Instant, state: &mut State) -> Option<Instant> {
        if !state.is_watched() || !state.is_taken(Layer::Low) {
            self.layers.low = None;
            self.layers.low_wanted_at = None;
            state.low_keyframe = false;
            return None;
        }
        let wanted_at = *self.layers.low_wanted_at.get_or_insert(now);
        if !self.pace.is_ready(now, self.canvas.is_painted) {
            return None;
        }
        state.low_keyframe |= self.layers.choice.probes(now);
        let pause = self.options.video.keyframe_interval_min();
        let heartbeat = self.options.video.heartbeat().max(INTERVAL);
        let rests_at = self.pace.rests_at();
        let Some(low) = &mut self.layers.low else {
            // A server of rooms shows its subscribers at first what comes first.
            return match state.is_low_all() {
                true => Some(now.checked_sub(LATE).unwrap_or(now)),
                false => Some(self.low_begins_at(now, wanted_at, state.keyframe)),
            };
        };
        let keyframe = low.keyframe_at.map_or(now, |at| at + pause);
        let keyframe = state.low_keyframe.then_some(keyframe);
        let heartbeat = low.drawn_at + heartbeat;
        let sharpen = low.ladder.is_coarse();
        let sharpen = sharpen.then(|| rests_at.max(low.drawn_at + SHARPEN_EVERY));
        // Long since: how late it is counts from when it was its turn.
        let fresh = low.is_dirty.then_some(low.drawn_at);
        let due = [keyframe, sharpen, fresh].into_iter().flatten();
        let due = due.min().map_or(heartbeat, |due| due.min(heartbeat));
        let due = due.max(low.due_at.checked_sub(EARLY).unwrap_or(low.due_at));
        // It counts what it held back, so it is asked only when there is something to draw.
        let held_back = (due <= now).then(|| low.budget.next_at(now));
        Some(held_back.filter(|at| *at > now).unwrap_or(due))
    }

    /// When the low layer begins beside the full one: a server of rooms shows a subscriber the layer of which a
    /// keyframe comes first, and who has room for all of it shall have the full one.
    fn low_begins_at(&self, now: Instant, wanted_at: Instant, is_keyframe_asked: bool) -> Instant {
        let full_at = match is_keyframe_asked {
            true => Some(now),
            false => self.pace.keyframe_at(),
        };
        let begins_at = full_at.map_or(wanted_at, |at| at.max(wanted_at)) + AFTER_FULL;
        now.max(begins_at.min(wanted_at + AFTER_FULL_MAX))
    }

    /// Takes the wish for a keyframe of the low layer, if one may be made now.
    pub(super) fn take_low_keyframe(&self, now: Instant, state: &mut State) -> bool {
        let pause = self.options.video.keyframe_interval_min();
        let made_at = self.layers.low.as_ref().and_then(|low| low.keyframe_at);
        let may = made_at.is_none_or(|at| now >= at + pause);
        may && std::mem::take(&mut state.low_keyframe)
    }

    /// Whether the low layer has waited for so long that the full one waits for it.
    pub(super) fn is_late(now: Instant, due: Option<Instant>) -> bool {
        due.is_some_and(|at| at + LATE <= now)
    }

    /// Encodes the low layer of what the canvas shows, and hands it out.
    pub(super) fn show_low(&mut self, keyframe: bool) -> Result<(), BoxError> {
        let now = Instant::now();
        let is_resting = now >= self.pace.rests_at();
        let bitrate_bps = self.layers.choice.bits(Layer::Low);
        let low = self.layers.low.get_or_insert_with(|| Low::new(now));
        low.follow_bandwidth(now, bitrate_bps);
        let started = Instant::now();
        if low.is_dirty {
            halve(&self.canvas.picture, &mut low.picture);
        }
        let media_ms = self.meter.media_ms(now);
        let keyframe = keyframe || low.begins();
        let made = low.make(now, media_ms, keyframe, is_resting)?;
        stage("encode_low", started);
        low.drawn(now);
        if keyframe && !made.as_ref().is_some_and(|made| made.keyframe) {
            self.shared.inbox.leave(|state| state.low_keyframe = true);
        }
        let Some(encoded) = made else {
            return Ok(());
        };
        low.count(now, &encoded, keyframe);
        tracing::trace!(
            bytes = encoded.data.len(),
            keyframe = encoded.keyframe,
            quantiser = encoded.quantiser,
            "encoded the low layer"
        );
        let unit = AccessUnit {
            data: encoded.data.into(),
            keyframe: encoded.keyframe,
            layer: Layer::Low,
            made_at: Instant::now(),
        };
        let delivery = lock(&self.shared.fanout).send(&Arc::new(unit));
        if delivery.keyframe_needed {
            self.shared.inbox.leave(|state| state.low_keyframe = true);
        }
        Ok(())
    }
}

impl Low {
    fn new(now: Instant) -> Self {
        Self {
            picture: Picture::new(Size::new(2, 2)),
            encoder: None,
            watcher: encode::Watcher::new(FPS),
            budget: Budget::new(now, LOW_BITRATE_MAX, FPS),
            ladder: Ladder::default(),
            bitrate_bps: LOW_BITRATE_MAX,
            due_at: now,
            drawn_at: now,
            keyframe_at: None,
            is_dirty: true,
            is_mostly_new: false,
            bare: Bare::default(),
            is_sharpened: false,
            sharpened: 0,
            over: Over::default(),
        }
    }

    fn follow_bandwidth(&mut self, now: Instant, bits: Option<u64>) {
        let bits = bits.map_or(LOW_BITRATE_MAX, |bits| {
            u32::try_from(bits).unwrap_or(LOW_BITRATE_MAX)
        });
        let bits = bits.clamp(BITRATE_MIN, LOW_BITRATE_MAX);
        if bits != self.bitrate_bps {
            self.bitrate_bps = bits;
            self.budget.set_bitrate(now, bits);
            let target = self.target();
            if let Some(encoder) = &mut self.encoder {
                encoder.set_bitrate(target);
            }
        }
    }

    /// Whether a picture that is mostly new begins anew.
    fn begins(&mut self) -> bool {
        std::mem::take(&mut self.is_mostly_new) && self.bare.begins(self.keyframe_bytes_max())
    }

    fn keyframe_bytes_max(&self) -> usize {
        (f64::from(self.bitrate_bps) * KEYFRAME_S / 8.0) as usize
    }

    /// What the library shall aim at.
    fn target(&self) -> u32 {
        let rates = match self.watcher.content() {
            Content::Screen => KEYFRAME_RATES,
            Content::Video => 1,
        };
        self.budget.encoder_target() * rates
    }

    /// One access unit, as coarse as it has to be.
    fn make(
        &mut self,
        now: Instant,
        media_ms: u64,
        keyframe: bool,
        is_resting: bool,
    ) -> Result<Option<Encoded>, encode::Error> {
        let is_new = std::mem::take(&mut self.is_dirty);
        if self.watcher.picture(now, is_new) {
            self.encoder = None;
        }
        let bits = f64::from(self.bitrate_bps);
        self.is_sharpened = is_resting && !is_new && !keyframe && self.ladder.is_coarse();
        // Of so few bits the library makes pictures that are many times too large, of video as well.
        let quantiser = if self.is_sharpened {
            self.ladder.resting(bits * REST_PICTURE_S)
        } else {
            let since = now.saturating_duration_since(self.drawn_at);
            self.ladder.moving(self.budget.allowance(since))
        };
        let (target, keyframe_bytes_max) = (self.target(), self.keyframe_bytes_max());
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::new(encode::Config {
                fps: FPS,
                bitrate_bps: target,
                content: self.watcher.content(),
            })?),
        };
        encoder.set_quantiser(Some(quantiser));
        encoder.set_keyframe_bytes_max(keyframe_bytes_max);
        if !self.is_sharpened {
            return encoder.encode(&self.picture, media_ms, keyframe);
        }
        self.sharpened += 1;
        encoder.encode(&self.picture.stirred(self.sharpened), media_ms, false)
    }

    /// Books what was made.
    fn count(&mut self, now: Instant, made: &Encoded, was_asked: bool) {
        metrics::counter!("ghostcast_low_frames_encoded_total").increment(1);
        metrics::counter!("ghostcast_low_encoded_bytes_total").increment(made.data.len() as u64);
        let is_corrected = self.budget.spend(now, made.data.len()).is_some();
        let target = self.target();
        if let Some(encoder) = self.encoder.as_mut().filter(|_| is_corrected) {
            encoder.set_bitrate(target);
        }
        self.bare.made(made.data.len(), made.keyframe);
        if !made.keyframe {
            if made.quantiser.is_some() {
                let bits = made.data.len() as f64 * 8.0;
                self.ladder.made(bits, self.is_sharpened);
                self.budget.forget_correction(now);
            }
            return;
        }
        let is_first = self.keyframe_at.is_none();
        self.keyframe_at = Some(now);
        let quantiser = made.quantiser.unwrap_or(KEYFRAME_QUANTISER);
        self.ladder.made_keyframe(Some(quantiser));
        if !was_asked && !is_first && self.watcher.new_scene(now) {
            self.encoder = None;
        }
    }

    fn drawn(&mut self, now: Instant) {
        self.drawn_at = now;
        let on_grid = self.due_at + INTERVAL;
        self.due_at = if now > on_grid {
            now + INTERVAL
        } else {
            on_grid
        };
    }
}
