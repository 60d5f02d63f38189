//! The full layer: the canvas as it is, encoded for whoever is given all of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bare::Bare;
use super::canvas::stage;
use super::lock;
use super::rise;
use super::thread::Thread;
use crate::error::BoxError;
use crate::media::encode::{self, Budget, Content, Encoded, Encoder, Ladder};
use crate::media::{AccessUnit, Layer, Picture};

/// What one step of sharpening should cost at most, s of the bits.
const REST_PICTURE_S: f64 = 0.2;
/// The most that a keyframe may take of the bits, s: on a narrow path a picture stands still meanwhile,
/// and receivers keep all later ones back for as long as the largest took...
const KEYFRAME_NARROW_S: f64 = 0.15;
/// ...and on no path does it take longer than this.
const KEYFRAME_S: f64 = 1.0;
/// The encoder is not asked for less, bits a second: below, not even text gets through.
const BITRATE_MIN: u64 = 100_000;

/// What encodes the full layer.
pub(super) struct Full {
    fps: u32,
    /// The bits a second that were set, and those that the narrowest path leaves.
    set_bps: u32,
    path_bps: u32,
    /// Those that are taken: fewer while somebody comes up to this layer.
    bitrate_bps: u32,
    is_rising: bool,
    encoder: Option<Encoder>,
    pub(super) watcher: encode::Watcher,
    budget: Budget,
    ladder: Ladder,
    /// Pictures that sharpened a page at rest.
    sharpened: usize,
    bare: Bare,
}

/// When a picture is made, and of what.
struct Moment {
    now: Instant,
    media_ms: u64,
    keyframe: bool,
    /// How long ago the one before was drawn.
    since: Duration,
    is_resting: bool,
}

impl Full {
    pub(super) fn new(now: Instant, fps: u32, bitrate_bps: u32) -> Self {
        Self {
            fps,
            set_bps: bitrate_bps,
            path_bps: bitrate_bps,
            bitrate_bps,
            is_rising: false,
            encoder: None,
            watcher: encode::Watcher::new(fps),
            budget: Budget::new(now, bitrate_bps, fps),
            ladder: Ladder::default(),
            sharpened: 0,
            bare: Bare::default(),
        }
    }

    /// Whether a picture that is mostly new begins anew.
    fn begins(&mut self) -> bool {
        self.is_narrow() && self.bare.begins(self.keyframe_bytes_max())
    }

    /// Whether the last picture was coarse, so that a page at rest is to be sharpened.
    pub(super) const fn is_coarse(&self) -> bool {
        self.ladder.is_coarse()
    }

    /// When the bits allow the next picture. It counts what it holds back, so it is asked only when there is
    /// something to draw.
    pub(super) fn next_at(&mut self, now: Instant) -> Instant {
        self.budget.next_at(now)
    }

    /// The page is to be encoded otherwise from now on.
    pub(super) fn begin_anew(&mut self, now: Instant) {
        self.encoder = None;
        self.budget.forget_correction(now);
    }

    /// Forgets what it has made.
    pub(super) fn forget(&mut self) {
        self.encoder = None;
    }

    /// Nobody is given the full layer: it begins anew when somebody is.
    pub(super) fn rest(&mut self) {
        self.encoder = None;
        self.ladder = Ladder::default();
        self.bare = Bare::default();
    }

    /// Keeps to the bits of the narrowest path, and to fewer while somebody comes up to this layer.
    pub(super) fn follow_bandwidth(
        &mut self,
        now: Instant,
        bandwidth_min: Option<u64>,
        rise_bps: Option<u64>,
    ) {
        let set = u64::from(self.set_bps);
        let bound = |bits: Option<u64>| {
            let bits = bits.map_or(set, |few| few.clamp(BITRATE_MIN.min(set), set));
            u32::try_from(bits).unwrap_or(u32::MAX)
        };
        self.path_bps = bound(bandwidth_min);
        self.is_rising = rise_bps.is_some();
        let bits = self.path_bps.min(bound(rise_bps));
        if bits != self.bitrate_bps {
            self.bitrate_bps = bits;
            self.budget.set_bitrate(now, bits);
            if let Some(encoder) = &mut self.encoder {
                encoder.set_bitrate(self.budget.encoder_target());
            }
        }
    }

    /// One access unit of a picture, as coarse as it has to be.
    fn make(
        &mut self,
        picture: &Picture,
        moment: &Moment,
    ) -> Result<Option<Encoded>, encode::Error> {
        let (quantiser, is_resting) = self.choose_quantiser(moment);
        let keyframe_bytes_max = self.keyframe_bytes_max();
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::new(encode::Config {
                fps: self.fps,
                bitrate_bps: self.budget.encoder_target(),
                content: self.watcher.content(),
            })?),
        };
        encoder.set_quantiser(quantiser);
        encoder.set_keyframe_bytes_max(keyframe_bytes_max);
        let started = Instant::now();
        let made = if is_resting && !moment.keyframe {
            self.sharpened += 1;
            let stirred = picture.stirred(self.sharpened);
            encoder.encode(&stirred, moment.media_ms, false)?
        } else {
            encoder.encode(picture, moment.media_ms, moment.keyframe)?
        };
        stage("encode", started);
        if let Some(made) = &made {
            self.bare.made(made.data.len(), made.keyframe);
        }
        match &made {
            Some(made) if made.keyframe => self.ladder.made_keyframe(made.quantiser),
            Some(made) if made.quantiser.is_some() => {
                self.ladder.made(made.data.len() as f64 * 8.0, is_resting);
                // What was chosen here says nothing of how the library keeps to a rate.
                self.budget.forget_correction(moment.now);
            }
            Some(_) | None => {}
        }
        Ok(made)
    }

    /// The quantiser of the next picture, `None` where the library shall choose, and whether the page
    /// rests. It chooses well where bits suffice, and video it handles better than screens.
    fn choose_quantiser(&mut self, moment: &Moment) -> (Option<u8>, bool) {
        let is_resting = self.ladder.is_coarse() && moment.is_resting;
        let is_chosen = match self.watcher.content() {
            Content::Screen => self.is_narrow() || self.is_rising || is_resting,
            Content::Video => self.is_rising,
        };
        if !is_chosen {
            return (None, false);
        }
        let quantiser = if is_resting {
            self.ladder
                .resting(f64::from(self.bitrate_bps) * REST_PICTURE_S)
        } else {
            self.ladder.moving(self.budget.allowance(moment.since))
        };
        (Some(quantiser), is_resting)
    }

    /// Whether a path does not carry all of the bits that were set.
    const fn is_narrow(&self) -> bool {
        self.path_bps < self.set_bps
    }

    fn keyframe_bytes_max(&self) -> usize {
        let seconds = match self.is_narrow() {
            true => KEYFRAME_NARROW_S,
            false => KEYFRAME_S,
        };
        let carried = (f64::from(self.path_bps) * seconds / 8.0) as usize;
        match self.is_rising {
            true => carried.min(rise::KEYFRAME_BYTES_MAX),
            false => carried,
        }
    }

    /// Counts what was made against the bits.
    fn spend(&mut self, now: Instant, bytes: usize) {
        if let (Some(target), Some(encoder)) = (self.budget.spend(now, bytes), &mut self.encoder) {
            encoder.set_bitrate(target);
        }
    }
}

impl Thread {
    /// Encodes what the canvas shows, and hands it out.
    pub(super) fn show_full(
        &mut self,
        now: Instant,
        has_shot: bool,
        keyframe: bool,
    ) -> Result<(), BoxError> {
        let is_new = self.full.encoder.is_none();
        let begins = has_shot && self.canvas.is_mostly_new() && self.full.begins();
        let keyframe = keyframe || begins;
        let moment = Moment {
            now,
            media_ms: self.meter.media_ms(now),
            keyframe,
            since: now.saturating_duration_since(self.pace.drawn_at()),
            is_resting: now >= self.pace.rests_at(),
        };
        let made = self.full.make(&self.canvas.picture, &moment)?;
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
            target = self.full.budget.encoder_target(),
            "encoded"
        );
        self.full.spend(now, encoded.data.len());
        if encoded.keyframe {
            self.pace.made_keyframe(now);
            let is_asked = is_new || keyframe;
            if !is_asked && self.full.watcher.new_scene(now) {
                tracing::debug!("the page is encoded as video");
                self.full.begin_anew(now);
            }
        }
        self.meter.count(encoded.data.len(), encoded.keyframe);
        self.hand_out_full(encoded);
        Ok(())
    }

    fn hand_out_full(&self, encoded: Encoded) {
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
    }
}
