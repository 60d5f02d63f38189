//! The card in the studio: encoded beside the page's picture, for whoever may not see that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::inbox::State;
use super::lock;
use super::thread::Thread;
use crate::error::BoxError;
use crate::media::encode::{self, Encoder};
use crate::media::{AccessUnit, Layer, Picture, card};

/// It is not shown again within this but by a keyframe that is asked for, however fast hearts shall beat.
const HEARTBEAT_MIN: Duration = Duration::from_millis(200);

/// The card, while it is needed.
#[derive(Default)]
pub(super) struct Card {
    made: Option<Made>,
    /// When it was shown last, or could not be.
    shown_at: Option<Instant>,
    keyframe_at: Option<Instant>,
}

struct Made {
    picture: Picture,
    encoder: Encoder,
    began_at: Instant,
}

impl Thread {
    /// When the card is to be shown again; it is forgotten when nobody may see nothing but it.
    pub(super) fn card_due(&mut self, now: Instant, state: &State) -> Option<Instant> {
        if !state.is_veiled() {
            self.card = Card::default();
        }
        if !state.is_card_watched() {
            return None;
        }
        let Some(shown_at) = self.card.shown_at else {
            return Some(now);
        };
        let heartbeat = shown_at + self.options.video.heartbeat().max(HEARTBEAT_MIN);
        let pause = self.options.video.keyframe_interval_min();
        let allowed_at = self.card.keyframe_at.map(|at| at + pause);
        let keyframe = allowed_at.filter(|_| state.card_keyframe);
        keyframe.into_iter().chain([heartbeat]).min()
    }

    /// Encodes the card, and hands it to whoever may not see the page.
    pub(super) fn show_card(&mut self, keyframe: bool) -> Result<(), BoxError> {
        let now = Instant::now();
        self.card.shown_at = Some(now);
        let made = match &mut self.card.made {
            Some(made) => made,
            none => none.insert(Made {
                picture: card::card(self.options.size),
                // As the page is encoded: a film has one description for all of its pictures.
                encoder: Encoder::new(encode::Config {
                    fps: self.options.fps,
                    bitrate_bps: self.options.bitrate_bps,
                    content: self.full.watcher.content(),
                })?,
                began_at: now,
            }),
        };
        let media_ms = now.saturating_duration_since(made.began_at) + Duration::from_millis(1);
        let media_ms = media_ms.as_millis() as u64;
        let encoded = made.encoder.encode(&made.picture, media_ms, keyframe)?;
        let is_keyframe = encoded.as_ref().map(|unit| unit.keyframe);
        if keyframe || is_keyframe == Some(true) {
            self.card.keyframe_at = Some(now);
        }
        if keyframe && is_keyframe != Some(true) {
            self.shared.inbox.leave(|state| state.card_keyframe = true);
        }
        let Some(encoded) = encoded else {
            return Ok(());
        };
        let unit = AccessUnit {
            data: encoded.data.into(),
            keyframe: encoded.keyframe,
            layer: Layer::Full,
            made_at: Instant::now(),
        };
        let delivery = lock(&self.shared.fanout).send_card(&Arc::new(unit));
        if delivery.keyframe_needed {
            self.shared.inbox.leave(|state| state.card_keyframe = true);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::config::Video;
    use crate::media::cursor::{Config, Cursor};
    use crate::model::Size;
    use crate::publish::{Fanout, Feedback, Wants};
    use crate::session::studio::inbox::Inbox;
    use crate::session::studio::{Options, Shared, View};

    #[test]
    fn it_is_shown_when_asked_for_and_by_and_by() {
        let options = Options {
            fps: 30,
            size: Size::new(320, 240),
            bitrate_bps: 1_000_000,
            video: Video {
                heartbeat_ms: 0,
                ..Video::default()
            },
            cursor: Config::default(),
        };
        let shared = Arc::new(Shared {
            inbox: Inbox::default(),
            fanout: std::sync::Mutex::new(Fanout::default()),
            cursor: std::sync::Mutex::new(Cursor::new(Config::default())),
        });
        let feedback = Arc::clone(&shared) as Arc<dyn Feedback>;
        let mut feed = lock(&shared.fanout).subscribe(feedback);
        let view = watch::channel(View::default()).0;
        let mut thread = Thread::new(Arc::clone(&shared), options, view);
        let due =
            |thread: &mut Thread, now| shared.inbox.leave(|state| thread.card_due(now, state));
        let now = Instant::now();
        assert_eq!(due(&mut thread, now), None, "nobody watches");
        shared.set_wants(feed.id(), Wants::Either);
        assert_eq!(due(&mut thread, now), None, "all see the page");
        lock(&shared.fanout).veil(Some([].into()));
        shared.inbox.leave(|state| state.veil([].into()));
        assert_eq!(due(&mut thread, now), Some(now));
        thread.show_card(true).unwrap();
        shared.inbox.leave(|state| state.card_keyframe = false);
        assert!(feed.try_next().unwrap().keyframe);
        let shown_at = thread.card.shown_at.unwrap();
        assert_eq!(due(&mut thread, shown_at), Some(shown_at + HEARTBEAT_MIN));
        // Who asks again and again is given one as often as by the page.
        shared.request_keyframe(feed.id(), None);
        let due_at = due(&mut thread, shown_at).unwrap();
        assert!(due_at >= shown_at + HEARTBEAT_MIN, "{due_at:?}");
        shared.inbox.leave(State::lift_veil);
        assert_eq!(due(&mut thread, due_at), None);
        assert!(thread.card.made.is_none());
    }
}
