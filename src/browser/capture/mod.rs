//! Capture: a page's pixels, as [`crate::media::Shot`]s, at the pace that is wanted.
//!
//! One seam: whatever the way, [`Capture::start`] hands shots to a [`ShotSink`] until it is
//! dropped, and nothing after the seam knows which way it was.

mod behind;
mod brush;
mod display;
mod screencast;
pub mod screenshot;
mod still;

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::error::Error;
use super::target::Page;
use crate::media::Shot;

pub use crate::display::Lost;
pub use brush::{Drawn, Easel};
pub use display::lost;
pub use still::still;

/// Where shots go. Must not block.
pub trait ShotSink: Send + Sync + std::fmt::Debug + 'static {
    /// Replaces the latest shot.
    fn put(&self, shot: Shot);
}

/// How to capture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Most shots a second.
    pub fps: u32,
    /// JPEG quality, 1 to 100.
    pub jpeg_quality: u8,
}

impl Options {
    /// The time between two shots.
    fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / f64::from(self.fps.max(1)))
    }
}

/// A running capture; ends when dropped.
#[derive(Debug)]
pub struct Capture {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Screencast {
        stop: DropGuard,
        running: JoinHandle<()>,
    },
    Display(#[expect(dead_code, reason = "ends the capture when it is dropped")] display::Watching),
}

impl Capture {
    /// Starts to capture `page` into `sink`.
    pub async fn start(
        page: &Page,
        options: Options,
        sink: std::sync::Arc<dyn ShotSink>,
        tracker: &TaskTracker,
    ) -> Result<Self, Error> {
        if let Some(window) = page.window() {
            let watching = display::Watching::start(window, page.viewport(), options, sink);
            return Ok(Self {
                way: Way::Display(watching),
            });
        }
        let cast = screencast::Screencast::start(page.clone(), options, sink).await?;
        let stop = CancellationToken::new();
        let running = tracker.spawn(cast.run(stop.clone()).in_current_span());
        Ok(Self {
            way: Way::Screencast {
                stop: stop.drop_guard(),
                running,
            },
        })
    }

    /// Ends the capture, and returns when Chromium has ended it too: from then on another one of
    /// the same page is not ended in its place.
    pub async fn stop(self) {
        if let Way::Screencast { stop, running } = self.way {
            drop(stop);
            // A task that broke has ended as well.
            let _ = running.await;
        }
    }
}
