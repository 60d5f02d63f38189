//! What Chromium tells of its pages, as a session's tabs see it.

use std::sync::{Arc, Weak};

use chromiumoxide_cdp::cdp::browser_protocol::browser::EventDownloadWillBegin;
use chromiumoxide_cdp::cdp::browser_protocol::target::{
    EventTargetCreated, EventTargetDestroyed, EventTargetInfoChanged, TargetInfo,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::super::cdp::{Event, Events, Told};
use super::super::host::process::Process;
use super::facts::Facts;
use super::{Arrival, Inner};
use crate::browser::target::PageEvent;

/// Pages that come, change and go, of the whole browser.
pub(super) struct Targets(Events);

impl Targets {
    pub(super) fn subscribe(process: &Process) -> Self {
        Self(process.cdp.events(&["Target.target", "Browser.download"]))
    }

    /// Keeps the tabs as they are, until they are dropped or stopped.
    pub(super) async fn follow(mut self, tabs: Weak<Inner>, stop: CancellationToken) {
        loop {
            let told = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                told = self.0.next() => told,
            };
            let (Some(told), Some(tabs)) = (told, tabs.upgrade()) else {
                return;
            };
            if let Told::Event(event) = told {
                hear(&tabs, &event).await;
            }
        }
    }
}

async fn hear(tabs: &Arc<Inner>, event: &Event) {
    match event.method.as_str() {
        "Target.targetCreated" => {
            if let Some(event) = event.parse::<EventTargetCreated>() {
                created(tabs, &event.target_info);
            }
        }
        "Target.targetInfoChanged" => {
            let Some(event) = event.parse::<EventTargetInfoChanged>() else {
                return;
            };
            let info = &event.target_info;
            let titled = tabs.note_facts(info.target_id.inner(), Facts::of(info));
            if let Some((tab, title)) = titled {
                tabs.tell(tab, PageEvent::Titled(title)).await;
            }
        }
        "Target.targetDestroyed" => {
            if let Some(event) = event.parse::<EventTargetDestroyed>() {
                tabs.state().windows.remove(event.target_id.inner());
                tabs.remove(event.target_id.inner()).await;
            }
        }
        _ => hear_download(tabs, event).await,
    }
}

async fn hear_download(tabs: &Arc<Inner>, event: &Event) {
    let Ok(process) = tabs.ground.process() else {
        return;
    };
    let is_ours = |frame: &str| {
        let state = tabs.state();
        // A window that was opened for a file may not be a tab yet.
        state.windows.contains(frame) || state.pages.iter().any(|page| page.has_frame(frame))
    };
    let told = tabs
        .ground
        .downloads
        .hear(event, &process.browser(), is_ours);
    if event.method == "Browser.downloadWillBegin"
        && let Some(begun) = event.parse::<EventDownloadWillBegin>()
    {
        tabs.close_empty(begun.frame_id.inner());
    }
    if let Some(told) = told {
        let tab = tabs.state().current.tab();
        tabs.tell(tab, PageEvent::Download(told)).await;
    }
}

/// A page of the session is taken over beside all else, since that takes a few round trips.
fn created(tabs: &Arc<Inner>, info: &TargetInfo) {
    let context = info.browser_context_id.as_ref().map(AsRef::as_ref);
    if info.r#type != "page" || context != Some(tabs.ground.context.as_str()) {
        return;
    }
    if info.opener_id.is_some() {
        tabs.state().windows.insert(info.target_id.inner().clone());
    }
    let arrival = Arrival::of(tabs);
    tabs.came.send_modify(|came| *came += 1);
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
