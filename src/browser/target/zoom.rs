//! A page that a person has enlarged by two fingers, as on a phone: what is on it is not where the picture has it.

use std::sync::atomic::Ordering;

use chromiumoxide_cdp::cdp::browser_protocol::emulation::SetPageScaleFactorParams;
use chromiumoxide_cdp::cdp::browser_protocol::input::SynthesizePinchGestureParams;
use chromiumoxide_cdp::cdp::browser_protocol::page::GetLayoutMetricsParams;

use super::super::error::Error;
use super::Page;
use crate::model::Point;

const OPERATION: &str = "enlarge the page by two fingers";
/// How fast the fingers go, px a second: one step of theirs is over at once.
const SPEED: i64 = 5_000;

impl Page {
    /// How many px of the picture one of the browser's is, for input; as it was when it was looked at last.
    pub(in crate::browser) fn zoom(&self) -> f64 {
        f64::from_bits(self.inner.shared.zoom.load(Ordering::Relaxed)).max(1.0)
    }

    /// The same, looked at now if anybody has ever enlarged the page: another document may be there.
    pub(in crate::browser) async fn present_zoom(&self) -> f64 {
        if self.inner.shared.zoom.load(Ordering::Relaxed) != 0 {
            self.note_zoom().await;
        }
        self.zoom()
    }

    /// Two fingers go apart by this factor, or together, around this place of the picture.
    pub(in crate::browser) async fn pinch(&self, at: Point, by: f64) -> Result<(), Error> {
        self.note_zoom().await;
        let zoom = self.zoom();
        let mut pinch = SynthesizePinchGestureParams::new(at.x / zoom, at.y / zoom, by);
        pinch.relative_speed = Some(SPEED);
        self.session().execute(OPERATION, pinch).await?;
        self.note_zoom().await;
        Ok(())
    }

    /// Shows the page as it is again: an agent knows of no other.
    pub(in crate::browser) fn zoom_out(&self) {
        if self.inner.shared.zoom.swap(0, Ordering::Relaxed) != 0 {
            let whole = SetPageScaleFactorParams::new(1.0);
            self.session().tell("show the page as it is", &whole);
        }
    }

    async fn note_zoom(&self) {
        let looked = GetLayoutMetricsParams::default();
        // A page that hangs is as it was.
        if let Ok(seen) = self.session().execute(OPERATION, looked).await {
            let scale = seen.css_visual_viewport.scale;
            self.inner
                .shared
                .zoom
                .store(scale.to_bits(), Ordering::Relaxed);
        }
    }
}
