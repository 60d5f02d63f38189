//! Capture by a display: what a window shows is looked at when it is drawn.

use std::sync::Arc;
use std::time::Instant;

use super::{Options, ShotSink};
use crate::display::{Bell, Window};
use crate::media::{Pixels, Shot};
use crate::model::Size;

/// A window that somebody watches, until this is dropped.
#[derive(Debug)]
pub(super) struct Watching(Arc<Window>);

/// Tells the sink of what changes.
#[derive(Debug)]
struct Teller {
    window: std::sync::Weak<Window>,
    viewport: Size,
    sink: Arc<dyn ShotSink>,
}

impl Watching {
    pub(super) fn start(
        window: &Arc<Window>,
        viewport: Size,
        options: Options,
        sink: Arc<dyn ShotSink>,
    ) -> Self {
        let teller = Teller {
            window: Arc::downgrade(window),
            viewport,
            sink,
        };
        window.watch(options.fps, Arc::new(teller));
        Self(Arc::clone(window))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.rest();
    }
}

impl Bell for Teller {
    fn damaged(&self, at: Instant) {
        let Some(window) = self.window.upgrade() else {
            return;
        };
        metrics::counter!("ghostcast_frames_captured_total").increment(1);
        self.sink.put(Shot {
            pixels: Pixels::Screen(window),
            viewport: self.viewport,
            captured_at: at,
        });
    }
}
