//! The card in the studio: encoded beside the page's picture, for whoever may not see that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::inbox::State;
use super::lock;
use super::thread::Thread;
use crate::error::BoxError;
use crate::media::encode::{self, Encoder};
use crate::media::{AccessUnit, Picture, card};

/// The card, while it is needed.
#[derive(Default)]
pub(super) struct Card(Option<Made>);

struct Made {
    picture: Picture,
    encoder: Encoder,
    began_at: Instant,
    shown_at: Instant,
    keyframe_at: Instant,
}

impl Thread {
    /// When the card is to be shown again; it is forgotten when nobody may see nothing but it.
    pub(super) fn card_due(&mut self, now: Instant, state: &State) -> Option<Instant> {
        if !state.is_veiled() {
            self.card.0 = None;
        }
        if !state.is_card_watched() {
            return None;
        }
        let Some(made) = &self.card.0 else {
            return Some(now);
        };
        let heartbeat = made.shown_at + self.options.video.heartbeat();
        let pause = self.options.video.keyframe_interval_min();
        let keyframe = state.card_keyframe.then(|| made.keyframe_at + pause);
        keyframe.into_iter().chain([heartbeat]).min()
    }

    /// Encodes the card, and hands it to whoever may not see the page.
    pub(super) fn show_card(&mut self, keyframe: bool) -> Result<(), BoxError> {
        let now = Instant::now();
        let made = match &mut self.card.0 {
            Some(made) => made,
            none => none.insert(Made {
                picture: card::card(self.options.size),
                // As the page is encoded: a film has one description for all of its pictures.
                encoder: Encoder::new(encode::Config {
                    fps: self.options.fps,
                    bitrate_bps: self.options.bitrate_bps,
                    content: self.watcher.content(),
                })?,
                began_at: now,
                shown_at: now,
                keyframe_at: now,
            }),
        };
        made.shown_at = now;
        let media_ms = now.saturating_duration_since(made.began_at) + Duration::from_millis(1);
        let media_ms = media_ms.as_millis() as u64;
        let encoded = made.encoder.encode(&made.picture, media_ms, keyframe)?;
        let Some(encoded) = encoded else {
            return Ok(());
        };
        if encoded.keyframe {
            made.keyframe_at = now;
        }
        let unit = AccessUnit {
            data: encoded.data.into(),
            keyframe: encoded.keyframe,
            made_at: Instant::now(),
        };
        let delivery = lock(&self.shared.fanout).send_card(&Arc::new(unit));
        if delivery.keyframe_needed {
            self.shared.inbox.leave(|state| state.card_keyframe = true);
        }
        Ok(())
    }
}
