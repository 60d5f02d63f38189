//! Capture by a display: what a window shows is looked at when it is drawn.

use std::sync::Arc;
use std::time::Instant;

use super::super::target::Page;
use super::{Options, ShotSink};
use crate::display::{Bell, Lost, Window};
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

/// Waits until a page has no window any more that it is seen in, while it lives itself; for ever where it has none now.
pub async fn lost(page: Page) -> Lost {
    let Some(window) = page.window().cloned() else {
        return std::future::pending().await;
    };
    let lost = window.lost().await;
    // A window goes with its page, and with its browser, which is told by other means.
    if lost == Lost::Left && page.is_going().await {
        return std::future::pending().await;
    }
    lost
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
