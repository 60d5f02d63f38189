//! What Chromium tells of its pages, as a session's tabs see it.

use std::sync::{Arc, Weak};

use chromiumoxide::Browser as CdpBrowser;
use chromiumoxide::cdp::browser_protocol::target::{
    EventTargetCreated, EventTargetDestroyed, EventTargetInfoChanged, TargetInfo,
};
use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::super::error::Error;
use super::super::page::PageEvent;
use super::facts::Facts;
use super::{Arrival, Inner};

/// Pages that come, change and go, of the whole browser.
pub(super) struct Targets(SelectAll<BoxStream<'static, Told>>);

enum Told {
    Created(Arc<EventTargetCreated>),
    Changed(Arc<EventTargetInfoChanged>),
    Destroyed(Arc<EventTargetDestroyed>),
    Gone(String),
}

impl Targets {
    pub(super) async fn subscribe(browser: &CdpBrowser) -> Result<Self, Error> {
        const OPERATION: &str = "listen to the browser's pages";
        let created = browser.event_listener().await;
        let changed = browser.event_listener().await;
        let destroyed = browser.event_listener().await;
        let mut all = SelectAll::new();
        all.push(
            created
                .map_err(Error::command(OPERATION))?
                .map(Told::Created)
                .boxed(),
        );
        all.push(
            changed
                .map_err(Error::command(OPERATION))?
                .map(Told::Changed)
                .boxed(),
        );
        all.push(
            destroyed
                .map_err(Error::command(OPERATION))?
                .map(Told::Destroyed)
                .boxed(),
        );
        Ok(Self(all))
    }

    /// Keeps the tabs as they are, until they are dropped or stopped.
    ///
    /// chromiumoxide passes on what happens in the browser only while there is a page in it; that
    /// the last one is gone shows by its own events, which end.
    pub(super) async fn follow(
        mut self,
        tabs: Weak<Inner>,
        mut gone: mpsc::Receiver<String>,
        stop: CancellationToken,
    ) {
        loop {
            let told = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(target) = gone.recv() => Some(Told::Gone(target)),
                told = self.0.next() => told,
            };
            let (Some(told), Some(tabs)) = (told, tabs.upgrade()) else {
                return;
            };
            match told {
                Told::Created(event) => created(&tabs, &event.target_info),
                Told::Changed(event) => {
                    let info = &event.target_info;
                    let titled = tabs.note_facts(info.target_id.inner(), Facts::of(info));
                    if let Some((tab, title)) = titled {
                        tabs.tell(tab, PageEvent::Titled(title)).await;
                    }
                }
                // All pages fall silent with their browser, whose loss is told by itself.
                Told::Gone(target) if tabs.ground.answers().await => tabs.remove(&target).await,
                Told::Gone(_) => (),
                Told::Destroyed(event) => tabs.remove(event.target_id.inner()).await,
            }
        }
    }
}

/// A page of the session is taken over beside all else, since that takes a few round trips.
fn created(tabs: &Arc<Inner>, info: &TargetInfo) {
    let context = info.browser_context_id.as_ref().map(AsRef::as_ref);
    if info.r#type != "page" || context != Some(tabs.ground.context.as_str()) {
        return;
    }
    let arrival = Arrival::of(tabs);
    let (target, opener) = (info.target_id.clone(), info.opener_id.clone());
    let facts = Facts::of(info);
    let stop = tabs.ground.stop.clone();
    tabs.ground.tracker.spawn(
        async move {
            let adopting = arrival.0.adopt(target, opener, facts);
            tokio::select! { () = stop.cancelled() => (), () = adopting => () }
        }
        .in_current_span(),
    );
}
