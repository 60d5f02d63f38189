//! What lies over the page in the video: an open dialog for as long as it is open, the list of a select
//! element and a file chooser for a moment. Drawn while somebody watches, and beside all else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, OptionFuture};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::Work;
use super::badge::Badge;
use crate::browser::capture::{Drawn, Easel};
use crate::browser::target::{Opened, Page};
use crate::error::Chain;
use crate::media::panel::{self, Panel};
use crate::model::{Secrets, Sketch};
use crate::session::masking;
use crate::session::perform::Kit;
use crate::session::studio::{Studio, View};

/// What is shown for a moment is read in it, and does not stand in the way.
const MOMENT: Duration = Duration::from_millis(800);
/// A page that takes longer to say what is to be drawn is busy with what comes after.
const ASKED_WITHIN: Duration = Duration::from_secs(1);

/// Asks the page what is to be drawn; nothing when it can no longer say.
pub(in crate::session) type Asking = BoxFuture<'static, Option<Sketch>>;

/// What is drawn at the moment.
pub(super) struct Drawing {
    easel: Easel,
    studio: Studio,
    secrets: Secrets,
    asked: mpsc::Receiver<Asking>,
    view: watch::Receiver<View>,
    dialog: watch::Receiver<Option<Opened>>,
    /// The dialog that is drawn, or about to be.
    of: Option<u64>,
    /// Its panel.
    hung: Option<u64>,
    under_way: Option<BoxFuture<'static, (Subject, Outcome)>>,
    /// Who drives, beside all of these.
    badge: Badge,
    is_stopped: bool,
}

/// What a drawing is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The dialog of this number.
    Dialog(u64),
    Moment,
}

/// What changed.
pub(super) enum Change {
    /// A dialog, or who watches.
    Seen,
    Asked(Asking),
    Drawn(Subject, Outcome),
}

/// A panel; nothing when the page no longer says what is to be drawn.
type Outcome = Result<Option<Panel>, Error>;

/// Why something is not drawn.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the browser could not draw it")]
    Browser(#[from] crate::browser::Error),
    #[error("what was drawn is no picture")]
    Picture(#[from] panel::Error),
}

impl Drawing {
    pub(super) fn new(kit: &Kit, asked: mpsc::Receiver<Asking>) -> Self {
        Self {
            easel: kit.easel.clone(),
            studio: kit.studio.clone(),
            secrets: kit.secrets.clone(),
            asked,
            view: kit.studio.view(),
            dialog: kit.tabs.current().watch_dialog(),
            of: None,
            hung: None,
            under_way: None,
            badge: Badge::new(kit),
            is_stopped: false,
        }
    }

    /// What changes next. Safe to cancel.
    pub(super) async fn next(&mut self) -> Change {
        if self.is_stopped {
            return std::future::pending().await;
        }
        tokio::select! {
            Ok(()) = self.dialog.changed() => Change::Seen,
            Ok(()) = self.view.changed() => Change::Seen,
            Some((subject, drawn)) = OptionFuture::from(self.under_way.as_mut()) => {
                self.under_way = None;
                Change::Drawn(subject, drawn)
            }
            Some(asking) = self.asked.recv() => Change::Asked(asking),
            () = self.badge.follow() => std::future::pending().await,
            else => std::future::pending().await,
        }
    }

    /// Draws nothing any more.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
        self.under_way = None;
        self.badge.stop();
        // The studio may live on, with another browser's page.
        if let Some(hung) = self.hung.take() {
            self.studio.take_off(hung);
        }
    }

    /// Follows another page from now on. What lay over the page before went with it.
    pub(super) fn turn_to(&mut self, page: &Page) {
        self.dialog = page.watch_dialog();
        (self.of, self.hung, self.under_way) = (None, None, None);
        self.see();
    }

    /// Draws the dialog that is open while somebody watches, and takes it off when it is not.
    fn see(&mut self) {
        let is_watched = self.view.borrow_and_update().watched;
        let open = self.dialog.borrow_and_update().clone();
        // One that is answered at once, by policy, is gone before it is drawn.
        let open = open.filter(|opened| is_watched && opened.is_open());
        let number = open.as_ref().map(|opened| opened.number);
        if number == self.of || self.is_stopped {
            return;
        }
        self.of = number;
        if let Some(hung) = self.hung.take() {
            self.studio.take_off(hung);
        }
        match open {
            Some(opened) => {
                let sketch = masking::sketch(&self.secrets, opened.clone());
                let asking = std::future::ready(Some(sketch)).boxed();
                self.begin(Subject::Dialog(opened.number), asking);
            }
            None => self.under_way = None,
        }
    }

    fn begin(&mut self, subject: Subject, asking: Asking) {
        let easel = self.easel.clone();
        let drawing = async move {
            let Ok(Some(sketch)) = timeout(ASKED_WITHIN, asking).await else {
                return Ok(None);
            };
            let Drawn { png, at } = easel.draw(sketch).await?;
            Ok(Some(Panel::decode(&png, at)?))
        };
        self.under_way = Some(async move { (subject, drawing.await) }.boxed());
    }

    fn ask(&mut self, asking: Asking) {
        // A dialog stops the page, and is what matters.
        if self.of.is_none() && self.view.borrow().watched {
            self.begin(Subject::Moment, asking);
        }
    }

    fn hang(&mut self, subject: Subject, panel: Panel) {
        let panel = Arc::new(panel);
        match subject {
            Subject::Moment => {
                self.studio.hang(panel, Some(Instant::now() + MOMENT));
            }
            Subject::Dialog(number) if self.of == Some(number) => {
                self.hung = Some(self.studio.hang(panel, None));
            }
            Subject::Dialog(_) => (),
        }
    }
}

impl Work {
    /// Takes in what changed of what lies over the page.
    pub(super) fn draw(&mut self, change: Change) {
        let drawing = &mut self.drawing;
        match change {
            Change::Seen => drawing.see(),
            Change::Asked(asking) => drawing.ask(asking),
            Change::Drawn(_, Ok(None)) => (),
            Change::Drawn(subject, Ok(Some(panel))) => drawing.hang(subject, panel),
            // Nobody waits for it, and the page is there all the same.
            Change::Drawn(subject, Err(error)) => {
                tracing::warn!(error = %Chain(&error), ?subject, "something is not drawn over the page");
            }
        }
    }
}
