//! [`Shared`]: what is known of one page, by whoever asks.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chromiumoxide_cdp::cdp::browser_protocol::page::GetFrameTreeParams;

use super::super::cdp::Session;
use super::super::error::Error;
use super::super::text::shown;
use super::dialogs::Dialogs;
use super::frames::Frames;
use super::ground::Focus;
use super::offers::Offering;
use super::{Ground, Made};
use crate::display::Window;

/// What the listener keeps and everybody reads.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) target: String,
    focus: Focus,
    /// What it is drawn to, where it has a window of its own.
    window: Option<Arc<Window>>,
    frames: Mutex<Frames>,
    pub(super) dialogs: Dialogs,
    /// Windows that the page has asked for.
    pub(super) windows: AtomicU64,
    /// What tells a person its lists, and asks them for files.
    pub(super) offering: Mutex<Offering>,
    /// How much a person has enlarged the page, as bits; 0 where nobody ever has.
    pub(super) zoom: AtomicU64,
}

impl Shared {
    pub(super) fn new(made: &Made, frames: Frames, ground: &Ground) -> Self {
        Self {
            target: made.target.inner().clone(),
            focus: ground.focus(made),
            window: made.window.clone(),
            frames: Mutex::new(frames),
            dialogs: Dialogs::new(ground.dialogs),
            windows: AtomicU64::new(0),
            offering: Mutex::default(),
            zoom: AtomicU64::new(0),
        }
    }

    /// Learns what a frame shows that lives in a process of its own: it has gone there before it was listened to.
    pub(super) async fn welcome(&self, session: &Session) -> Result<(), Error> {
        self.focus.give_to_frame(session).await?;
        let tree = session.execute("read the frames of a page", GetFrameTreeParams::default());
        let frame = tree.await?.frame_tree.frame;
        let mut frames = self.frames();
        frames.note_first_url(&frame.id, &shown(&frame.url), session.id());
        Ok(())
    }

    /// What the page is drawn to, where it has a window of its own that is not lost.
    pub(super) fn window(&self) -> Option<&Arc<Window>> {
        self.window.as_ref().filter(|window| !window.is_lost())
    }

    /// Has it drawn at full rate for a moment, whoever watches: it is about to look otherwise.
    pub(super) fn hurry(&self) {
        if let Some(window) = self.window() {
            window.hurry();
        }
    }

    pub(super) fn frames(&self) -> MutexGuard<'_, Frames> {
        // Every change is whole when the lock is let go, whoever panicked.
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
