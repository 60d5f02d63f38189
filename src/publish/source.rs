//! Makes a [`Feed`] a source for the media driver, which knows nothing of publishing.

use std::sync::Arc;

use super::Feed;
use crate::media::AccessUnit;
use crate::rtc::Source;

impl Source for Feed {
    async fn next(&mut self) -> Option<Arc<AccessUnit>> {
        Self::next(self).await
    }

    fn request_keyframe(&self) {
        Self::request_keyframe(self);
    }

    fn set_bandwidth(&self, bits_per_second: Option<u64>) {
        Self::set_bandwidth(self, bits_per_second);
    }

    fn set_watched(&self, watched: bool) {
        Self::set_watched(self, watched);
    }
}
