//! [`Easel`]: draws what Chromium would show in windows of its own, by letting Chromium draw it.
//!
//! There is no font library in here, and a browser has one, with all the scripts of the world. So a
//! page of our own, in a context of its own, draws a box on nothing, and is photographed. It is no
//! tab of the session, holds no markup of anybody's, reaches nothing, and is there from the first
//! drawing to the end of the session only.

use std::sync::{Arc, Weak};
use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::dom::Rgba;
use chromiumoxide_cdp::cdp::browser_protocol::emulation::{
    SetDefaultBackgroundColorOverrideParams, SetDeviceMetricsOverrideParams,
};
use chromiumoxide_cdp::cdp::browser_protocol::target::{AttachToTargetParams, CreateTargetParams};
use chromiumoxide_cdp::cdp::js_protocol::runtime::EvaluateParams;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::super::cdp::Session;
use super::super::error::Error;
use super::super::host::Lease;
use super::super::host::process::Process;
use super::super::target::Page;
use super::behind;
use super::screenshot::{Clip, Cut, Format, area, capture};
use crate::model::{Point, Size, Sketch};

const OPERATION: &str = "draw what a window shows";
/// A drawing that takes longer would come when all is over.
const DRAWN_WITHIN: Duration = Duration::from_secs(3);
const BRUSH: &str = include_str!("brush.js");

/// Draws for one session. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Easel {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    process: Weak<Process>,
    viewport: Size,
    tracker: TaskTracker,
    brush: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Nothing is to be drawn yet.
    Empty,
    Ready(Brush),
    /// The session ends.
    Closed,
}

/// A page of our own; closed when dropped.
#[derive(Debug)]
struct Brush {
    session: Session,
    context: String,
    process: Weak<Process>,
    tracker: TaskTracker,
}

/// What was drawn.
#[derive(Debug)]
pub struct Drawn {
    /// The picture, with transparency around the box.
    pub png: Vec<u8>,
    /// Its top left corner, CSS px of the page.
    pub at: Point,
}

impl Easel {
    /// An easel in the lease's process, for pages of this viewport.
    pub fn new(lease: &Lease, viewport: Size, tracker: &TaskTracker) -> Self {
        let inner = Inner {
            process: Arc::downgrade(&lease.process),
            viewport,
            tracker: tracker.clone(),
            brush: Mutex::new(State::Empty),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Draws a box by itself.
    pub async fn draw(&self, sketch: Sketch) -> Result<Drawn, Error> {
        let inner = Arc::clone(&self.inner);
        let drawing = async move { inner.draw(&sketch).await };
        self.seen_through(drawing).await
    }

    /// A screenshot of a page that a dialog has stopped, with the dialog. It shows what is in view:
    /// the page can say nothing of the rest.
    pub async fn screenshot(
        &self,
        page: &Page,
        sketch: Sketch,
        (format, quality): (Format, Option<u8>),
        clip: Clip,
    ) -> Result<Vec<u8>, Error> {
        let (inner, page) = (Arc::clone(&self.inner), page.clone());
        let drawing = async move {
            let behind = behind::dialog(&page).await?;
            let clip = match clip {
                Clip::Viewport | Clip::FullPage => None,
                Clip::Part(part) => Some(part),
            };
            inner
                .draw_over(&behind, &sketch, (format, quality), clip)
                .await
        };
        self.seen_through(drawing).await
    }

    /// Whoever asked may not want it any more; what Chromium has made by then is not to be left behind.
    async fn seen_through<T: Send + 'static>(
        &self,
        drawing: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let drawing = self.inner.tracker.spawn(drawing.in_current_span());
        drawing.await.map_err(|_| Error::Gone)?
    }

    /// Puts everything away, for good.
    pub async fn close(&self) {
        let state = std::mem::replace(&mut *self.inner.brush.lock().await, State::Closed);
        if let State::Ready(mut brush) = state {
            brush.close().await;
        }
    }
}

impl Inner {
    async fn draw(&self, sketch: &Sketch) -> Result<Drawn, Error> {
        self.with_brush(async |brush| {
            let place = brush.paint(sketch, self.viewport, None).await?;
            let png = capture(&brush.session, Format::Png, None, Some(cut(place))).await?;
            let at = Point::new(place[0], place[1]);
            Ok(Drawn { png, at })
        })
        .await
    }

    async fn draw_over(
        &self,
        picture: &str,
        sketch: &Sketch,
        (format, quality): (Format, Option<u8>),
        part: Option<[f64; 4]>,
    ) -> Result<Vec<u8>, Error> {
        self.with_brush(async |brush| {
            brush.paint(sketch, self.viewport, Some(picture)).await?;
            capture(&brush.session, format, quality, part.map(cut)).await
        })
        .await
    }

    /// One drawing at a time, each with a bound.
    async fn with_brush<T>(
        &self,
        drawing: impl AsyncFnOnce(&Brush) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut state = self.brush.lock().await;
        let drawn = match self.ready(&mut state).await {
            Ok(brush) => bounded(drawing(brush)).await,
            Err(error) => Err(error),
        };
        state.judge(&drawn);
        drawn
    }

    async fn ready<'a>(&self, state: &'a mut State) -> Result<&'a Brush, Error> {
        if let State::Empty = state {
            let process = self.process.upgrade().ok_or(Error::Gone)?;
            let brush = Brush::make(&process, self.viewport, &self.tracker).await?;
            *state = State::Ready(brush);
        }
        match state {
            State::Ready(brush) => Ok(brush),
            State::Empty | State::Closed => Err(Error::Gone),
        }
    }
}

impl State {
    /// A page that has failed once is not used again: it may have crashed.
    fn judge<T>(&mut self, drawn: &Result<T, Error>) {
        if drawn.is_err() && matches!(self, Self::Ready(_)) {
            *self = Self::Empty;
        }
    }
}

async fn bounded<T>(drawing: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(DRAWN_WITHIN, drawing)
        .await
        .map_err(|_| Error::Timeout {
            operation: OPERATION,
        })?
}

/// A part of what is in view; a page of ours never scrolls.
const fn cut(part: [f64; 4]) -> Cut {
    Cut {
        area: area(part),
        is_beyond: false,
    }
}

impl Brush {
    async fn make(
        process: &Arc<Process>,
        viewport: Size,
        tracker: &TaskTracker,
    ) -> Result<Self, Error> {
        let browser = process.browser();
        // From here on the context goes with this, however far the rest comes.
        let mut brush = Self {
            session: browser.clone(),
            context: process.create_closed_context().await?,
            process: Arc::downgrade(process),
            tracker: tracker.clone(),
        };
        let target = CreateTargetParams::builder()
            .url("about:blank")
            .browser_context_id(brush.context.clone())
            .width(i64::from(viewport.width))
            .height(i64::from(viewport.height))
            .build()
            .map_err(Error::builder(OPERATION))?;
        let target = browser.execute(OPERATION, target).await?.target_id;
        let attach = AttachToTargetParams::builder()
            .target_id(target)
            .flatten(true)
            .build()
            .map_err(Error::builder(OPERATION))?;
        let attached = browser.execute(OPERATION, attach).await?;
        brush.session = browser.beside(attached.session_id.inner());
        let metrics = SetDeviceMetricsOverrideParams::new(
            i64::from(viewport.width),
            i64::from(viewport.height),
            1.0,
            false,
        );
        let mut transparent = Rgba::new(0, 0, 0);
        transparent.a = Some(0.0);
        let clear = SetDefaultBackgroundColorOverrideParams::builder()
            .color(transparent)
            .build();
        tokio::try_join!(
            brush.session.execute(OPERATION, metrics),
            brush.session.execute(OPERATION, clear),
        )?;
        Ok(brush)
    }

    /// Draws a box, over a picture by wish. Answers its place: left, top, width and height.
    async fn paint(
        &self,
        sketch: &Sketch,
        viewport: Size,
        picture: Option<&str>,
    ) -> Result<[f64; 4], Error> {
        // JSON is an expression as well, in which no text ends anything.
        let sketch = json!(sketch);
        let screen = json!({ "width": viewport.width, "height": viewport.height });
        let picture = json!(picture);
        let params = EvaluateParams {
            return_by_value: Some(true),
            await_promise: Some(true),
            ..EvaluateParams::new(format!("({BRUSH})({sketch}, {screen}, {picture})"))
        };
        let answer = self.session.execute(OPERATION, params).await?;
        if let Some(thrown) = answer.exception_details {
            let thrown = thrown.exception.and_then(|thrown| thrown.description);
            return Err(Error::Script {
                message: thrown.unwrap_or_default(),
            });
        }
        let place = answer.result.value.unwrap_or_default();
        serde_json::from_value(place).map_err(|error| Error::Command {
            operation: OPERATION,
            source: error.into(),
        })
    }

    async fn close(&mut self) {
        let context = std::mem::take(&mut self.context);
        if let Some(process) = self.process.upgrade() {
            process.dispose_context(&context).await;
        }
    }
}

impl Drop for Brush {
    fn drop(&mut self) {
        let context = std::mem::take(&mut self.context);
        let Some(process) = self.process.upgrade().filter(|_| !context.is_empty()) else {
            return;
        };
        let closing = async move { process.dispose_context(&context).await };
        self.tracker.spawn(closing.in_current_span());
    }
}
