//! [`Easel`]: draws what Chromium would show in windows of its own, by letting Chromium draw it.
//!
//! There is no font library in here, and a browser has one, with all the scripts of the world. So a
//! page of our own, in a context of its own, draws a box on nothing, and is photographed. It is no
//! tab of the session, holds no markup of anybody's, reaches nothing, and is there from the first
//! drawing to the end of the session only.

use std::sync::{Arc, Weak};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chromiumoxide_cdp::cdp::browser_protocol::dom::Rgba;
use chromiumoxide_cdp::cdp::browser_protocol::emulation::{
    SetDefaultBackgroundColorOverrideParams, SetDeviceMetricsOverrideParams,
};
use chromiumoxide_cdp::cdp::browser_protocol::page::{
    CaptureScreenshotFormat, CaptureScreenshotParams, Viewport,
};
use chromiumoxide_cdp::cdp::browser_protocol::target::{AttachToTargetParams, CreateTargetParams};
use chromiumoxide_cdp::cdp::js_protocol::runtime::EvaluateParams;
use serde_json::json;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::super::cdp::Session;
use super::super::error::Error;
use super::super::host::Lease;
use super::super::host::process::Process;
use super::super::target::Page;
use super::behind;
use super::screenshot::{Clip, Format};
use crate::model::{Point, Size, Sketch};

const OPERATION: &str = "draw what a window shows";
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
    pub async fn draw(&self, sketch: &Sketch) -> Result<Drawn, Error> {
        let mut state = self.inner.brush.lock().await;
        let drawing = async {
            let brush = self.inner.ready(&mut state).await?;
            let [x, y, width, height] = brush.paint(sketch, self.inner.viewport, None).await?;
            let clip = Viewport {
                x,
                y,
                width,
                height,
                scale: 1.0,
            };
            let png = brush.photograph(Format::Png, None, Some(clip)).await?;
            let at = Point::new(x, y);
            Ok(Drawn { png, at })
        };
        let drawn = drawing.await;
        reset_if_failed(&mut state, &drawn);
        drawn
    }

    /// A screenshot of a page that a dialog has stopped, with the dialog. It shows what is in view:
    /// the page can say nothing of the rest.
    pub async fn screenshot(
        &self,
        page: &Page,
        sketch: &Sketch,
        (format, quality): (Format, Option<u8>),
        clip: Clip,
    ) -> Result<Vec<u8>, Error> {
        let page = page.clone();
        // Whoever asked may hang up, and must not leave a session of Chromium's behind.
        let looking = async move { behind::dialog(&page).await };
        let looking = self.inner.tracker.spawn(looking.in_current_span());
        let picture = looking.await.map_err(|_| Error::Gone)??;
        let mut state = self.inner.brush.lock().await;
        let drawing = async {
            let brush = self.inner.ready(&mut state).await?;
            let viewport = self.inner.viewport;
            brush.paint(sketch, viewport, Some(&picture)).await?;
            let clip = match clip {
                Clip::Viewport | Clip::FullPage => None,
                Clip::Part([x, y, width, height]) => Some(Viewport {
                    x,
                    y,
                    width,
                    height,
                    scale: 1.0,
                }),
            };
            brush.photograph(format, quality, clip).await
        };
        let drawn = drawing.await;
        reset_if_failed(&mut state, &drawn);
        drawn
    }

    /// Puts everything away, for good.
    pub async fn close(&self) {
        let state = std::mem::replace(&mut *self.inner.brush.lock().await, State::Closed);
        if let State::Ready(mut brush) = state {
            brush.close().await;
        }
    }
}

/// A page that has failed once is not used again: it may have crashed.
fn reset_if_failed<T>(state: &mut State, drawn: &Result<T, Error>) {
    if drawn.is_err() && matches!(state, State::Ready(_)) {
        *state = State::Empty;
    }
}

impl Inner {
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
        let (red, green, blue, alpha) = (0, 0, 0, 0.0);
        let clear = SetDefaultBackgroundColorOverrideParams::builder()
            .color(Rgba {
                r: red,
                g: green,
                b: blue,
                a: Some(alpha),
            })
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

    async fn photograph(
        &self,
        format: Format,
        quality: Option<u8>,
        clip: Option<Viewport>,
    ) -> Result<Vec<u8>, Error> {
        let mut params = CaptureScreenshotParams::builder().format(match format {
            Format::Png => CaptureScreenshotFormat::Png,
            Format::Jpeg => CaptureScreenshotFormat::Jpeg,
            Format::Webp => CaptureScreenshotFormat::Webp,
        });
        if let Some(quality) = quality.filter(|_| format != Format::Png) {
            params = params.quality(i64::from(quality));
        }
        if let Some(clip) = clip {
            params = params.clip(clip);
        }
        let answer = self.session.execute(OPERATION, params.build()).await?;
        STANDARD
            .decode(answer.data.as_ref() as &[u8])
            .map_err(|error| Error::Command {
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
