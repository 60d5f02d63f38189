//! Capture by CDP `Page.startScreencast`.
//!
//! Chromium sends a frame when the page repaints, unless a few frames are unacknowledged. The
//! acknowledgement is therefore the valve: it is sent in one place, here, no more often than shots
//! are wanted, so Chromium compresses no frame that nobody would draw.
//!
//! What Chromium does not send it never makes up for, be it the last frame of a movement. So when
//! frames stop coming after the valve was closed, the screencast is started anew, which brings the
//! page as it is.
//!
//! The valve spares the compression, but Chromium still copies every frame that a page repaints,
//! 60 times a second. Where few shots are wanted of such a page, the screencast is therefore
//! stopped between them: see [`Flow`].

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chromiumoxide_cdp::cdp::browser_protocol::page::{
    EventScreencastFrame, ScreencastFrameAckParams, StartScreencastFormat, StartScreencastParams,
    StopScreencastParams,
};
use futures::FutureExt;
use futures::future::{BoxFuture, OptionFuture};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::super::cdp::{Events, Told};
use super::super::error::Error;
use super::super::target::Page;
use super::{Options, ShotSink};
use crate::media::{Pixels, Shot};
use crate::model::Size;

/// Unacknowledged frames from which Chromium may be leaving some out.
const VALVE_CLOSED: usize = 2;
/// After the valve was closed, a last frame that is this late was left out.
const LAST_FRAME_WITHIN: Duration = Duration::from_millis(80);
/// Shots this far apart are sampled: a start costs as much as copying four frames.
const SAMPLED_FROM: Duration = Duration::from_millis(95);
/// A page that repaints all the time brings a frame this soon after the last one, or after the
/// acknowledgement that let it through, and so many times in a row.
const QUICK_WITHIN: Duration = Duration::from_millis(50);
const QUICK_FRAMES: u8 = 3;
/// A page that brings no sample for so long is at rest.
const SAMPLE_WITHIN: Duration = Duration::from_millis(150);
/// For how long samples are not tried again after one that did not come in time: the page rests now
/// and then, or the machine is too busy to start a screencast for each shot.
const SAMPLE_PAUSE: Duration = Duration::from_secs(2);
/// Every frame, and so also the one that a start brings of a page at rest.
const EVERY_FRAME: i64 = 1;
/// The frame that a start brings is left out and the next one sent; then `stop` usually arrives
/// before another one is compressed.
const SECOND_FRAME: i64 = 2;
/// A swap time further in the past than this is a wrong clock and not a late frame.
const AGE_MAX: Duration = Duration::from_millis(500);

/// How the pace is kept.
#[derive(Debug, Clone, Copy)]
enum Flow {
    /// The screencast runs, and acknowledgements pace it.
    Acknowledged,
    /// A sample was taken, and the screencast shall be stopped.
    Stopping { next_at: Instant },
    /// The screencast is stopped until the next sample is due.
    Stopped { next_at: Instant },
    /// The screencast was started for one frame.
    Sampling { since: Instant },
}

pub(super) struct Screencast {
    page: Page,
    frames: Events,
    interval: Duration,
    sink: Arc<dyn ShotSink>,
    params: StartScreencastParams,
    flow: Flow,
    sample_from: Instant,
    /// When a frame last came, or was let through.
    open_at: Option<Instant>,
    /// How many frames in a row came quickly.
    quick_frames: u8,
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
        let frames = page.session().tap(&["Page.screencastFrame"]);
        let viewport = page.viewport();
        let params = StartScreencastParams::builder()
            .format(StartScreencastFormat::Jpeg)
            .quality(i64::from(options.jpeg_quality))
            .max_width(i64::from(viewport.width))
            .max_height(i64::from(viewport.height))
            .every_nth_frame(EVERY_FRAME)
            .build();
        page.session().execute(OPERATION, params.clone()).await?;
        Ok(Self {
            page,
            frames,
            params,
            missed_at: None,
            interval: options.interval(),
            sink,
            unacknowledged: std::collections::VecDeque::new(),
            flow: Flow::Acknowledged,
            sample_from: Instant::now(),
            open_at: None,
            quick_frames: 0,
            next_ack_at: Instant::now(),
        })
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let page = self.page.clone();
        let mut sending: Option<BoxFuture<'_, ()>> = None;
        loop {
            let due = if sending.is_some() {
                None
            } else {
                self.due_at()
            };
            let wake = OptionFuture::from(due.map(|at| sleep_until(at.into())));
            let sent = OptionFuture::from(sending.as_mut());
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                told = self.frames.next() => match told {
                    Some(Told::Event(event)) => {
                        if let Some(frame) = event.parse() {
                            self.take(frame);
                        }
                    }
                    Some(Told::Lost(_)) => (),
                    None => break,
                },
                Some(()) = sent => sending = None,
                Some(()) = wake => sending = self.advance(&page),
            }
        }
        // The page may be gone, and then so is its screencast.
        send_stop(&page).await;
    }

    /// When to [`Self::advance`].
    fn due_at(&self) -> Option<Instant> {
        match self.flow {
            Flow::Acknowledged if self.unacknowledged.is_empty() => self.missed_at,
            Flow::Acknowledged => Some(self.next_ack_at),
            Flow::Stopping { .. } => Some(Instant::now()),
            Flow::Stopped { next_at } => Some(next_at),
            Flow::Sampling { since } => Some(since + SAMPLE_WITHIN),
        }
    }

    /// The next command to Chromium.
    fn advance<'a>(&mut self, page: &'a Page) -> Option<BoxFuture<'a, ()>> {
        let now = Instant::now();
        match self.flow {
            Flow::Acknowledged if self.unacknowledged.is_empty() => {
                self.missed_at.take()?;
                Some(self.restart(page))
            }
            Flow::Acknowledged if self.is_sampled(now) => {
                self.unacknowledged.clear();
                self.missed_at = None;
                self.flow = Flow::Stopped { next_at: now };
                Some(send_stop(page))
            }
            Flow::Acknowledged => self.acknowledge(page),
            Flow::Stopping { next_at } => {
                self.flow = Flow::Stopped { next_at };
                Some(send_stop(page))
            }
            Flow::Stopped { .. } if self.sample_from > now => {
                self.flow = Flow::Acknowledged;
                Some(self.start_again(page, EVERY_FRAME))
            }
            Flow::Stopped { next_at } => {
                // On a grid, unless the pace was lost.
                let is_late = now > next_at + self.interval / 4;
                self.flow = Flow::Sampling {
                    since: if is_late { now } else { next_at },
                };
                Some(self.start_again(page, SECOND_FRAME))
            }
            Flow::Sampling { .. } => {
                self.sample_from = now + SAMPLE_PAUSE;
                self.flow = Flow::Acknowledged;
                Some(self.restart(page))
            }
        }
    }

    /// Whether the page repaints so much faster than shots are wanted that samples are cheaper.
    fn is_sampled(&self, now: Instant) -> bool {
        self.interval >= SAMPLED_FROM
            && self.quick_frames >= QUICK_FRAMES
            && self.unacknowledged.len() >= VALVE_CLOSED
            && self.sample_from <= now
    }

    /// Books a frame.
    fn book(&mut self, now: Instant, session: i64) {
        let open_at = self.open_at.replace(now);
        let is_quick = open_at.is_some_and(|at| now.duration_since(at) < QUICK_WITHIN);
        self.quick_frames = if is_quick {
            self.quick_frames.saturating_add(1)
        } else {
            0
        };
        match self.flow {
            Flow::Acknowledged => {
                self.unacknowledged.push_back(session);
                let is_closed = self.unacknowledged.len() >= VALVE_CLOSED;
                self.missed_at = (is_closed || self.missed_at.is_some())
                    .then(|| now + self.interval * 2 + LAST_FRAME_WITHIN);
            }
            Flow::Sampling { since } => {
                let next_at = since + self.interval;
                self.flow = Flow::Stopping { next_at };
                if next_at < now {
                    self.sample_from = now + SAMPLE_PAUSE;
                }
            }
            // It came before the stop did, and is welcome.
            Flow::Stopping { .. } | Flow::Stopped { .. } => (),
        }
    }

    fn take(&mut self, frame: EventScreencastFrame) {
        let now = Instant::now();
        self.book(now, frame.session_id);
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
        metrics::counter!("ghostcast_frames_captured_total").increment(1);
        self.sink.put(Shot {
            pixels: Pixels::JpegBase64(String::from(frame.data)),
            viewport,
            captured_at,
        });
    }

    /// Brings the page as it is, and then every frame.
    fn restart<'a>(&self, page: &'a Page) -> BoxFuture<'a, ()> {
        let started = self.start_again(page, EVERY_FRAME);
        async move {
            send_stop(page).await;
            started.await;
        }
        .boxed()
    }

    fn start_again<'a>(&self, page: &'a Page, every_nth_frame: i64) -> BoxFuture<'a, ()> {
        let mut params = self.params.clone();
        params.every_nth_frame = Some(every_nth_frame);
        async move {
            // An unanswered command ends with the page.
            let _ = page.session().execute("start the screencast", params).await;
        }
        .boxed()
    }

    fn acknowledge<'a>(&mut self, page: &'a Page) -> Option<BoxFuture<'a, ()>> {
        let session = self.unacknowledged.pop_front()?;
        let now = Instant::now();
        self.open_at = Some(now);
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
                let params = ScreencastFrameAckParams::new(session);
                let _ = page.session().execute("acknowledge a frame", params).await;
            }
            .boxed(),
        )
    }
}

fn send_stop(page: &Page) -> BoxFuture<'_, ()> {
    async move {
        // An unanswered command ends with the page.
        let stop = StopScreencastParams::default();
        let _ = page.session().execute("stop the screencast", stop).await;
    }
    .boxed()
}

/// How long ago Chromium swapped a frame, by the wall clock that both share.
fn age(swapped_s: f64) -> Duration {
    let now_s = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64());
    Duration::try_from_secs_f64(now_s - swapped_s).map_or(Duration::ZERO, |age| age.min(AGE_MAX))
}
