//! [`Window`]: one window of the display, as the rest of the service holds it.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::media::screen::{Bgra, Damage, Screen};
use crate::model::Size;

use super::Shared;
use super::canvas::Canvas;

/// Pictures a second are kept within these bounds.
const FPS_MAX: u32 = 60;

/// Is rung on the display's thread, and must not block it.
pub trait Bell: Debug + Send + Sync {
    /// Pixels of the window have changed, at that time.
    fn damaged(&self, at: Instant);
}

/// How a window was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// It was closed, or its client has left.
    Left,
    /// The display has failed. The client draws on, and nobody sees it.
    Failed,
}

/// A window: its pixels, and how often they are drawn.
#[derive(Debug)]
pub struct Window {
    shared: Arc<Shared>,
    canvas: Mutex<Canvas>,
    wishes: Mutex<Wishes>,
    has_wishes: AtomicBool,
    lost: OnceLock<Lost>,
    /// Cancelled when it is.
    gone: CancellationToken,
}

/// What is asked of a window; the newest counts. Taken by the display's thread.
#[derive(Debug, Clone)]
pub(super) struct Wishes {
    pub(super) watch: Option<Watch>,
    pub(super) hurried: Option<Instant>,
    pub(super) due: Option<Instant>,
    pub(super) size: Size,
}

/// Somebody watches.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) interval: Duration,
    pub(super) bell: Arc<dyn Bell>,
}

impl Window {
    pub(super) fn new(shared: Arc<Shared>, size: Size, device: Size) -> Self {
        Self {
            shared,
            canvas: Mutex::new(Canvas::new(device)),
            wishes: Mutex::new(Wishes {
                watch: None,
                hurried: None,
                due: None,
                size,
            }),
            has_wishes: AtomicBool::new(false),
            lost: OnceLock::new(),
            gone: CancellationToken::new(),
        }
    }

    /// Has the window drawn up to `fps` times a second, and rings the bell for all that changes: at
    /// once for what there is already.
    pub fn watch(&self, fps: u32, bell: Arc<dyn Bell>) {
        let interval = Duration::from_secs(1) / fps.clamp(1, FPS_MAX);
        self.canvas().renew();
        self.wish(|wishes| {
            wishes.watch = Some(Watch { interval, bell });
            wishes.due = None;
        });
    }

    /// Has the window drawn hardly at all: nobody watches.
    pub fn rest(&self) {
        self.wish(|wishes| {
            wishes.watch = None;
            wishes.due = None;
        });
    }

    /// Has the window drawn at full rate for a moment, whoever watches: what has just been done to it
    /// shows at once.
    pub fn hurry(&self) {
        self.wish(|wishes| wishes.hurried = Some(Instant::now()));
    }

    /// Makes the window another size, CSS px.
    pub fn resize(&self, size: Size) {
        self.wish(|wishes| wishes.size = size);
    }

    /// The size that the window was last asked to have, CSS px.
    pub fn size(&self) -> Size {
        self.wishes().size
    }

    /// Whether the window is lost.
    pub fn is_lost(&self) -> bool {
        self.lost.get().is_some()
    }

    /// Returns when the window is lost.
    pub async fn lost(&self) -> Lost {
        self.gone.cancelled().await;
        self.lost.get().copied().unwrap_or(Lost::Left)
    }

    /// The lock is held while pixels are read or written, and never while another is waited for.
    pub(super) fn canvas(&self) -> MutexGuard<'_, Canvas> {
        self.canvas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is asked for, if that is new.
    pub(super) fn take_wishes(&self) -> Option<Wishes> {
        let is_new = self.has_wishes.swap(false, Ordering::AcqRel);
        is_new.then(|| self.wishes().clone())
    }

    pub(super) fn set_size(&self, size: Size) {
        self.wishes().size = size;
    }

    pub(super) fn lose(&self, how: Lost) {
        // It is lost once.
        let _ = self.lost.set(how);
        self.gone.cancel();
    }

    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wish(&self, change: impl FnOnce(&mut Wishes)) {
        change(&mut self.wishes());
        self.has_wishes.store(true, Ordering::Release);
        self.shared.wake();
    }
}

impl Screen for Window {
    fn look(&self, see: &mut dyn FnMut(Bgra<'_>, &Damage)) {
        self.canvas().look(see);
    }

    fn taken(&self, _now: Instant, due: Instant) {
        self.wish(|wishes| wishes.due = Some(due));
    }
}
