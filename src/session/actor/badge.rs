//! The badge in the video: who drives, while a person does. Drawn when somebody else takes the wheel, and only while
//! somebody watches; not where they drive privately, since who drives is then alone with the page.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, OptionFuture};
use tokio::sync::watch;

use super::drawing::Error;
use crate::browser::capture::{Drawn, Easel};
use crate::error::Chain;
use crate::media::panel::Panel;
use crate::model::Sketch;
use crate::model::control::ControlOwner;
use crate::session::perform::Kit;
use crate::session::studio::{Studio, View};
use crate::session::wheel::Wheel;

/// What is shown of who drives.
pub(super) struct Badge {
    easel: Easel,
    studio: Studio,
    wheel: Wheel,
    changes: watch::Receiver<u64>,
    view: watch::Receiver<View>,
    /// Whether it is wanted at all.
    is_on: bool,
    /// Who it names that is there, or about to be.
    of: Option<String>,
    under_way: Option<BoxFuture<'static, Result<Panel, Error>>>,
}

impl Badge {
    pub(super) fn new(kit: &Kit) -> Self {
        // What was shown of another browser's driver is not known here.
        kit.studio.pin(None);
        Self {
            easel: kit.easel.clone(),
            studio: kit.studio.clone(),
            wheel: kit.wheel.clone(),
            changes: kit.wheel.changes(),
            view: kit.studio.view(),
            is_on: kit.has_driver_badge,
            of: None,
            under_way: None,
        }
    }

    /// Shows who drives as that changes. It never ends; safe to cancel.
    pub(super) async fn follow(&mut self) {
        loop {
            self.see();
            tokio::select! {
                Ok(()) = self.changes.changed() => {}
                Ok(()) = self.view.changed() => {}
                Some(drawn) = OptionFuture::from(self.under_way.as_mut()) => {
                    self.under_way = None;
                    self.pin(drawn);
                }
                else => std::future::pending().await,
            }
        }
    }

    /// Shows nobody any more.
    pub(super) fn stop(&mut self) {
        self.is_on = false;
        self.see();
    }

    fn see(&mut self) {
        self.changes.mark_unchanged();
        let is_watched = self.view.borrow_and_update().watched;
        let status = self.wheel.status();
        let is_shown =
            self.is_on && is_watched && !status.private && status.owner == ControlOwner::Human;
        let who = status.who.filter(|_| is_shown);
        if who == self.of {
            return;
        }
        self.of.clone_from(&who);
        self.under_way = None;
        self.studio.pin(None);
        if let Some(who) = who {
            let easel = self.easel.clone();
            let drawing = async move {
                let Drawn { png, at } = easel.draw(Sketch::Badge { who }).await?;
                Ok(Panel::decode(&png, at)?)
            };
            self.under_way = Some(drawing.boxed());
        }
    }

    fn pin(&self, drawn: Result<Panel, Error>) {
        match drawn {
            Ok(panel) => self.studio.pin(Some(Arc::new(panel))),
            // Nobody waits for it.
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the badge of who drives is not drawn");
            }
        }
    }
}
