//! Makes a [`Feed`] a source for the media driver, which knows nothing of publishing.

use std::sync::Arc;

use super::{Feed, Wants};
use crate::media::{AccessUnit, Layer};
use crate::rtc::{Carries, Source, Watched};

impl Source for Feed {
    async fn next(&mut self) -> Option<Arc<AccessUnit>> {
        Self::next(self).await
    }

    fn request_keyframe(&self, layer: Option<Layer>) {
        Self::request_keyframe(self, layer);
    }

    fn set_bandwidth(&self, carries: Carries) {
        Self::set_bandwidth(self, carries);
    }

    fn set_watched(&self, watched: Watched) {
        self.set_wants(match watched {
            Watched::No => Wants::Nothing,
            Watched::Yes => Wants::Either,
            Watched::Layers { full, low } => Wants::Each { full, low },
            Watched::Unsaid => Wants::Unsaid,
        });
    }
}
