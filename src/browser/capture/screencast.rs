//! Capture by CDP `Page.startScreencast`.
//!
//! Chromium sends a frame when the page repaints, unless a few frames are unacknowledged. The
//! acknowledgement is therefore the valve: it is sent in one place, here, no more often than shots
//! are wanted, so Chromium compresses no frame that nobody would draw.
//!
//! What Chromium does not send it never makes up for, be it the last frame of a movement. So when
//! frames stop coming after the valve was closed, the screencast is started anew, which brings the
//! page as it is.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chromiumoxide::cdp::browser_protocol::page::{
    EventScreencastFrame, ScreencastFrameAckParams, StartScreencastFormat, StartScreencastParams,
    StopScreencastParams,
};
use chromiumoxide::listeners::EventStream;
use futures::future::{BoxFuture, OptionFuture};
use futures::{FutureExt, StreamExt};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::super::error::Error;
use super::super::page::{COMMAND_TIMEOUT, Page};
use super::{Options, ShotSink};
use crate::media::{Pixels, Shot};
use crate::model::Size;

/// Unacknowledged frames from which Chromium may be leaving some out.
const VALVE_CLOSED: usize = 2;
/// After the valve was closed, a last frame that is this late was left out.
const LAST_FRAME_WITHIN: Duration = Duration::from_millis(80);
/// A swap time further in the past than this is a wrong clock and not a late frame.
const AGE_MAX: Duration = Duration::from_millis(500);

pub(super) struct Screencast {
    page: Page,
    frames: EventStream<EventScreencastFrame>,
    interval: Duration,
    sink: Arc<dyn ShotSink>,
    params: StartScreencastParams,
    /// When to ask for the frame that may have been left out.
    missed_at: Option<Instant>,
    /// Frames received and not acknowledged yet, oldest first; a few at most.
    unacknowledged: std::collections::VecDeque<i64>,
    next_ack_at: Instant,
}

impl Screencast {
    pub(super) async fn start(
        page: Page,
        options: Options,
        sink: Arc<dyn ShotSink>,
    ) -> Result<Self, Error> {
        const OPERATION: &str = "start the screencast";
        let frames = page
            .cdp()
            .event_listener()
            .await
            .map_err(Error::command(OPERATION))?;
        let viewport = page.viewport();
        let params = StartScreencastParams::builder()
            .format(StartScreencastFormat::Jpeg)
            .quality(i64::from(options.jpeg_quality))
            .max_width(i64::from(viewport.width))
            .max_height(i64::from(viewport.height))
            .every_nth_frame(1)
            .build();
        timeout(COMMAND_TIMEOUT, page.cdp().execute(params.clone()))
            .await
            .map_err(|_| Error::Timeout {
                operation: OPERATION,
            })?
            .map_err(Error::command(OPERATION))?;
        Ok(Self {
            page,
            frames,
            params,
            missed_at: None,
            interval: options.interval(),
            sink,
            unacknowledged: std::collections::VecDeque::new(),

            next_ack_at: Instant::now(),
        })
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let page = self.page.clone();
        let mut sending: Option<BoxFuture<'_, ()>> = None;
        loop {
            let due = if sending.is_some() {
                None
            } else if self.unacknowledged.is_empty() {
                self.missed_at
            } else {
                Some(self.next_ack_at)
            };
            let wake = OptionFuture::from(due.map(|at| sleep_until(at.into())));
            let sent = OptionFuture::from(sending.as_mut());
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                frame = self.frames.next() => match frame {
                    Some(frame) => self.take(frame),
                    None => break,
                },
                Some(()) = sent => sending = None,
                Some(()) = wake => sending = self.acknowledge(&page).or_else(|| self.restart(&page)),
            }
        }
        // The page may be gone, and then so is its screencast.
        let _ = timeout(
            COMMAND_TIMEOUT,
            page.cdp().execute(StopScreencastParams::default()),
        )
        .await;
    }

    fn take(&mut self, frame: Arc<EventScreencastFrame>) {
        let now = Instant::now();
        self.unacknowledged.push_back(frame.session_id);
        let is_closed = self.unacknowledged.len() >= VALVE_CLOSED;
        self.missed_at = (is_closed || self.missed_at.is_some())
            .then(|| now + self.interval * 2 + LAST_FRAME_WITHIN);
        let metadata = &frame.metadata;
        let viewport = Size::new(
            metadata.device_width.max(1.0) as u32,
            metadata.device_height.max(1.0) as u32,
        );
        if viewport != self.page.viewport() {
            // While a screenshot of the full page is taken, the page is as large as all of it.
            return;
        }
        let captured_at = metadata.timestamp.as_ref().map_or(now, |swapped| {
            now.checked_sub(age(*swapped.inner())).unwrap_or(now)
        });
        // Usually nobody else holds the event, and then its text is moved and not copied.
        let data = match Arc::try_unwrap(frame) {
            Ok(frame) => String::from(frame.data),
            Err(shared) => String::from(shared.data.clone()),
        };
        metrics::counter!("ghostcast_frames_captured_total").increment(1);
        self.sink.put(Shot {
            pixels: Pixels::JpegBase64(data),
            viewport,
            captured_at,
        });
    }

    /// Brings the frame that may have been left out.
    fn restart<'a>(&mut self, page: &'a Page) -> Option<BoxFuture<'a, ()>> {
        self.missed_at.take()?;
        let params = self.params.clone();
        let cdp = page.cdp();
        Some(
            async move {
                // Unanswered commands end with the page.
                let _ = cdp.execute(StopScreencastParams::default()).await;
                let _ = cdp.execute(params).await;
            }
            .boxed(),
        )
    }

    fn acknowledge<'a>(&mut self, page: &'a Page) -> Option<BoxFuture<'a, ()>> {
        let session = self.unacknowledged.pop_front()?;
        let now = Instant::now();
        // On a grid while the page keeps up, so that the pace does not drift; from now on after
        // a rest.
        let on_grid = self.next_ack_at + self.interval;
        self.next_ack_at = if on_grid > now {
            on_grid
        } else {
            now + self.interval
        };
        Some(
            async move {
                // An unanswered acknowledgement ends with the page.
                let _ = page
                    .cdp()
                    .execute(ScreencastFrameAckParams::new(session))
                    .await;
            }
            .boxed(),
        )
    }
}

/// How long ago Chromium swapped a frame, by the wall clock that both share.
fn age(swapped_s: f64) -> Duration {
    let now_s = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64());
    Duration::try_from_secs_f64(now_s - swapped_s).map_or(Duration::ZERO, |age| age.min(AGE_MAX))
}
