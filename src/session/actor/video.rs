//! The actor's camera work: capture runs while somebody watches, and a still is taken when the
//! studio wants one.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, OptionFuture};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::Work;
use crate::browser::Error;
use crate::browser::capture::{self, Capture, Lost};
use crate::browser::target::Page;
use crate::config::Config;
use crate::error::Chain;
use crate::media::Shot;
use crate::model::EventBody;
use crate::model::event::Quality;
use crate::model::session::CaptureMode;
use crate::session::perform::Kit;
use crate::session::studio::View;

/// A capture that could not be started is tried again after this.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// A still is tried this often; a page that refuses them all is shown as its last JPEG has it.
const STILL_ATTEMPTS_MAX: u32 = 3;

/// A page that is left may take this long to end its capture before the next one begins.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// What is filmed at the moment.
pub(super) struct Filming {
    kit: Kit,
    page: Page,
    options: capture::Options,
    tracker: TaskTracker,
    view: watch::Receiver<View>,
    capture: Option<Capture>,
    starting: Option<BoxFuture<'static, Result<Capture, Error>>>,
    still: Option<BoxFuture<'static, (u64, Result<Shot, Error>)>>,
    /// Ends when the page that is filmed is no longer seen on a display.
    losing: Option<BoxFuture<'static, Lost>>,
    still_taken: u64,
    /// How often the newest still has been tried.
    still_attempts: u32,
    /// How often somebody has begun to watch.
    watches: u64,
    /// Whether it was told that a way is slow.
    is_slow: bool,
    is_stopped: bool,
}

/// What changed.
pub(super) enum Change {
    View,
    Started(Result<Capture, Error>),
    Still(u64, Result<Shot, Error>),
    /// The page is no longer seen on the display.
    Lost(Lost),
}

impl Filming {
    pub(super) fn new(kit: &Kit, config: &Arc<Config>, tracker: &TaskTracker) -> Self {
        let options = capture::Options {
            fps: kit.fps,
            jpeg_quality: config.video.jpeg_quality,
        };
        let page = kit.tabs.current();
        Self {
            kit: kit.clone(),
            losing: Some(capture::lost(page.clone()).boxed()),
            page,
            options,
            tracker: tracker.clone(),
            view: kit.studio.view(),
            capture: None,
            starting: None,
            still: None,
            still_taken: 0,
            still_attempts: 0,
            watches: 0,
            is_slow: false,
            is_stopped: false,
        }
    }

    /// What changes next. Safe to cancel.
    pub(super) async fn next(&mut self) -> Change {
        if self.is_stopped {
            return std::future::pending().await;
        }
        tokio::select! {
            Some(started) = OptionFuture::from(self.starting.as_mut()) => {
                self.starting = None;
                Change::Started(started)
            }
            Some((number, shot)) = OptionFuture::from(self.still.as_mut()) => {
                self.still = None;
                Change::Still(number, shot)
            }
            Some(lost) = OptionFuture::from(self.losing.as_mut()) => {
                self.losing = None;
                Change::Lost(lost)
            }
            Ok(()) = self.view.changed() => Change::View,
            else => std::future::pending().await,
        }
    }

    /// Ends all capture for good.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
        self.capture = None;
        self.starting = None;
        self.still = None;
        self.losing = None;
    }

    fn is_capturing(&self) -> bool {
        self.capture.is_some() || self.starting.is_some()
    }

    fn start(&mut self, delay: Duration) {
        let starting = self.start_of_page();
        self.starting = Some(
            async move {
                tokio::time::sleep(delay).await;
                starting.await
            }
            .boxed(),
        );
    }

    fn start_of_page(&self) -> BoxFuture<'static, Result<Capture, Error>> {
        let (page, sink) = (self.page.clone(), self.kit.studio.sink());
        let (options, tracker) = (self.options, self.tracker.clone());
        async move { Capture::start(&page, options, sink, &tracker).await }.boxed()
    }

    /// Films another page from now on. The page before is left first: it may soon be filmed again,
    /// and the end of this capture must not become the end of that one.
    pub(super) fn turn_to(&mut self, page: Page) {
        self.losing = Some(capture::lost(page.clone()).boxed());
        self.page = page;
        self.still = None;
        self.kit.studio.turn();
        self.begin_again();
    }

    /// Ends what is captured, and captures anew if somebody watches.
    fn begin_again(&mut self) {
        let (starting, capture) = (self.starting.take(), self.capture.take());
        let leaving = self.tracker.spawn(async move {
            if let Some(starting) = starting
                && let Ok(started) = starting.await
            {
                started.stop().await;
            }
            if let Some(capture) = capture {
                capture.stop().await;
            }
        });
        if self.is_stopped || !self.view.borrow().watched {
            return;
        }
        let starting = self.start_of_page();
        self.starting = Some(
            async move {
                // A page that does not answer is left all the same.
                let _ = tokio::time::timeout(LEAVE_WITHIN, leaving).await;
                starting.await
            }
            .boxed(),
        );
    }

    fn take_still(&mut self, number: u64, delay: Duration) {
        if number != self.still_taken {
            self.still_attempts = 0;
        }
        self.still_taken = number;
        self.still_attempts += 1;
        let page = self.page.clone();
        self.still = Some(
            async move {
                tokio::time::sleep(delay).await;
                (number, capture::still(&page).await)
            }
            .boxed(),
        );
    }
}

impl Work {
    /// Starts and stops the capture as viewers come and go, and hands in stills.
    pub(super) fn film(&mut self, change: Change) {
        let filming = &mut self.filming;
        match change {
            Change::View => {
                let view = *filming.view.borrow_and_update();
                let is_new = std::mem::replace(&mut filming.watches, view.watches) != view.watches;
                match (view.watched, filming.is_capturing()) {
                    (true, false) => filming.start(Duration::ZERO),
                    // Whoever watched left, and somebody came, before anybody looked here. What was
                    // captured in between is lost, and a page at rest gives nothing more.
                    (true, true) if is_new => filming.begin_again(),
                    // A start under way is seen through, or nobody would stop what it started.
                    (false, true) => filming.capture = None,
                    _ => (),
                }
                if view.watched && view.still_wanted > filming.still_taken {
                    filming.take_still(view.still_wanted, Duration::ZERO);
                }
            }
            Change::Started(Ok(capture)) => {
                let watched = filming.view.borrow().watched;
                filming.capture = watched.then_some(capture);
            }
            Change::Started(Err(error)) => {
                tracing::warn!(error = %Chain(&error), "the capture could not be started");
                if filming.view.borrow().watched {
                    filming.start(RETRY_AFTER);
                }
            }
            Change::Lost(lost) => {
                filming.begin_again();
                self.leave_display(lost);
            }
            Change::Still(number, Ok(shot)) => filming.kit.studio.put_still(number, shot),
            Change::Still(number, Err(error)) => {
                tracing::debug!(error = %Chain(&error), "no still could be taken");
                let view = *filming.view.borrow();
                let is_newest = view.watched && number == filming.still_taken;
                if is_newest && filming.still_attempts < STILL_ATTEMPTS_MAX {
                    filming.take_still(number, RETRY_AFTER);
                }
            }
        }
        self.update_video();
        self.follow_network();
    }

    /// Tells when the picture suffers from the network, and when it does no more.
    fn follow_network(&mut self) {
        let slow_bps = self.filming.view.borrow().slow_bps;
        if std::mem::replace(&mut self.filming.is_slow, slow_bps.is_some()) == slow_bps.is_some() {
            return;
        }
        let (quality, reason) = match slow_bps {
            Some(bits) => (
                Quality::Degraded,
                format!(
                    "the network to whoever watches is slow (about {} kb/s): the picture may be blurred and move less",
                    bits / 1_000
                ),
            ),
            None => (
                Quality::Recovered,
                "nobody watches the page over a slow network any more".to_owned(),
            ),
        };
        tracing::info!(reason, "video");
        self.tell(EventBody::StreamState {
            state: self.machine.state().as_str(),
            reason,
            quality: Some(quality),
        });
    }

    /// The page is captured by the screencast from now on.
    fn leave_display(&self, lost: Lost) {
        let why = match lost {
            Lost::Left => "the page's window has left the display",
            Lost::Failed => "the display has failed",
        };
        tracing::warn!(why, "the screencast takes over");
        if lost == Lost::Failed
            && let Some(lease) = &self.actor.lease
        {
            lease.distrust_display(why);
        }
        self.actor.record.send_modify(|record| {
            record.capture = CaptureMode::Screencast;
            record.capture_reason = Some(why.to_owned());
        });
        let reason = format!("{why}: the page is captured by the screencast from now on");
        self.announce(self.machine.state(), reason);
    }

    pub(super) fn update_viewers(&self) {
        let whep = self.actor.stage.outlets.viewer_count();
        self.actor
            .record
            .send_if_modified(|record| std::mem::replace(&mut record.viewers.whep, whep) != whep);
    }

    fn update_video(&self) {
        let view = *self.filming.view.borrow();
        let capturing = self.filming.is_capturing();
        let whep = self.actor.stage.outlets.viewer_count();
        let livekit = self.actor.stage.outlets.livekit_is_watched();
        if livekit {
            self.actor.logbook.livekit_viewer();
        }
        self.actor.record.send_modify(|record| {
            record.capturing = capturing;
            record.video = view.stats;
            record.viewers.whep = whep;
            record.viewers.livekit = livekit;
        });
    }
}
