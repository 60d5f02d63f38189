//! The fence in a browser that is far away: what its pages ask for is held by the browser itself, and judged
//! here.
//!
//! Every target of a session's context (pages, popups, frames of other processes, workers of all kinds) is
//! attached to before it runs, its requests are held from then on (`Fetch.enable`), and only then it is let run.
//! The browser asks again for each redirect. A shared worker has its way to the network before it can be held, as
//! was measured: behind a fence it is not let run. What the browser never asks for, and so passes: WebSockets and WebTransport,
//! WebRTC, prefetches by speculation rules, lookups and connections ahead of need. And a name is judged by
//! itself: what it leads to over there is not known here.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chromiumoxide_cdp::cdp::browser_protocol::fetch::{
    ContinueRequestParams, EnableParams, EventRequestPaused, FailRequestParams, RequestPattern,
};
use chromiumoxide_cdp::cdp::browser_protocol::network::ErrorReason;
use chromiumoxide_cdp::cdp::browser_protocol::target::{
    CloseTargetParams, DetachFromTargetParams, EventAttachedToTarget, EventDetachedFromTarget,
    EventTargetDestroyed, FilterEntry, SetAutoAttachParams, TargetFilter,
};
use chromiumoxide_cdp::cdp::js_protocol::runtime::RunIfWaitingForDebuggerParams;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::super::super::cdp::{Connection, Event, Session, Stream, Told};
use super::super::super::error::Error;
use super::super::super::gate::{Held, Judge};
use crate::model::allowlist::METADATA_PATTERNS;

const OPERATION: &str = "put up the fence in a remote browser";
const HEARD: [&str; 4] = [
    "Fetch.requestPaused",
    "Target.attachedToTarget",
    "Target.detachedFromTarget",
    "Target.targetDestroyed",
];
/// Targets whose own requests go nowhere but by their own session.
const FENCED_KINDS: [&str; 5] = [
    "page",
    "iframe",
    "webview",
    "shared_worker",
    "service_worker",
];
/// The fences in one browser. They end with its connection.
#[derive(Debug)]
pub(in crate::browser) struct Fence {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    cdp: Session,
    state: Mutex<State>,
    /// Targets whose requests are held.
    fenced: watch::Sender<HashSet<String>>,
}

#[derive(Debug, Default)]
struct State {
    /// The contexts with a fence.
    contexts: HashMap<String, Bounds>,
    /// Targets that were attached to.
    seen: HashSet<String>,
    /// Who judges what comes by which session.
    judges: HashMap<String, Judge>,
}

/// What is held in a context, and who judges it.
#[derive(Debug, Clone)]
struct Bounds {
    judge: Judge,
    patterns: Vec<RequestPattern>,
}

impl Fence {
    /// Attaches to whatever comes in a browser. One connection does that for all sessions: what waits for two
    /// is let run by the first.
    pub(super) async fn put_up(cdp: &Connection, tracker: &TaskTracker) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            cdp: cdp.browser(),
            state: Mutex::default(),
            fenced: watch::Sender::new(HashSet::new()),
        });
        let watching = watch_over(Arc::clone(&shared), cdp.gather(&HEARD), tracker.clone());
        tracker.spawn(watching.in_current_span());
        cdp.browser().execute(OPERATION, attach()?).await?;
        Ok(Self { shared })
    }

    /// Has what is asked for in a context judged from now on, before there is a page in it.
    pub(in crate::browser) fn enclose(&self, context: &str, judge: Judge) {
        let pattern = |pattern: &str| RequestPattern {
            url_pattern: Some(pattern.to_owned()),
            ..RequestPattern::default()
        };
        let patterns = match judge.held() {
            Held::None => return,
            Held::All => vec![pattern("*")],
            Held::Metadata => METADATA_PATTERNS.map(pattern).into(),
        };
        let bounds = Bounds { judge, patterns };
        self.shared
            .state()
            .contexts
            .insert(context.to_owned(), bounds);
    }

    /// Forgets a context that is no more.
    pub(in crate::browser) fn open(&self, context: &str) {
        self.shared.state().contexts.remove(context);
    }

    /// Returns when the requests of a target are held, if those of its context are.
    pub(in crate::browser) async fn around(
        &self,
        context: &str,
        target: &str,
    ) -> Result<(), Error> {
        if !self.shared.state().contexts.contains_key(context) {
            return Ok(());
        }
        let mut fenced = self.shared.fenced.subscribe();
        let is_there = fenced.wait_for(|fenced| fenced.contains(target));
        match timeout(self.shared.cdp.patience(), is_there).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Error::Timeout {
                operation: OPERATION,
            }),
        }
    }
}

/// Targets are attached to, and wait until they are let run.
fn attach() -> Result<SetAutoAttachParams, Error> {
    let all_but_browsers_and_tabs = TargetFilter::new(vec![
        FilterEntry::builder()
            .r#type("browser")
            .exclude(true)
            .build(),
        FilterEntry::builder().r#type("tab").exclude(true).build(),
        FilterEntry::builder().build(),
    ]);
    SetAutoAttachParams::builder()
        .auto_attach(true)
        .wait_for_debugger_on_start(true)
        .flatten(true)
        .filter(all_but_browsers_and_tabs)
        .build()
        .map_err(Error::builder(OPERATION))
}

async fn watch_over(shared: Arc<Shared>, mut stream: Stream, tracker: TaskTracker) {
    while let Some(told) = stream.events.next().await {
        let Told::Event(event) = told else {
            tracing::warn!(
                "a remote browser asks for more than can be judged; what was left out hangs"
            );
            continue;
        };
        match event.method.as_str() {
            "Fetch.requestPaused" => shared.judge(&event),
            "Target.attachedToTarget" => {
                let Some(attached) = event.parse::<EventAttachedToTarget>() else {
                    continue;
                };
                let Some(bounds) = shared.take(&event, &attached) else {
                    continue;
                };
                let session = stream.join(&shared.cdp, attached.session_id.inner());
                let fencing = Arc::clone(&shared).fence(session, attached, bounds);
                tracker.spawn(fencing.in_current_span());
            }
            "Target.targetDestroyed" => {
                if let Some(event) = event.parse::<EventTargetDestroyed>() {
                    shared.forget(event.target_id.inner());
                }
            }
            _ => {
                if let Some(event) = event.parse::<EventDetachedFromTarget>() {
                    let gone = event.session_id.inner();
                    shared.state().judges.remove(gone);
                    shared.cdp.forget(gone);
                }
            }
        }
    }
}

impl Shared {
    /// What a target is to be fenced with. One of a context without a fence is let run and left alone; one that
    /// is attached to once more, by whomever, is let run.
    fn take(&self, event: &Event, attached: &EventAttachedToTarget) -> Option<Bounds> {
        let (info, is_waiting) = (&attached.target_info, attached.waiting_for_debugger);
        let id = attached.session_id.inner();
        let mut state = self.state();
        let context = info.browser_context_id.as_ref().map(AsRef::as_ref);
        let bounds = context
            .and_then(|context: &str| state.contexts.get(context))
            .cloned();
        let is_first = bounds.is_some() && state.seen.insert(info.target_id.inner().clone());
        if let Some(bounds) = bounds.as_ref().filter(|_| is_first) {
            state.judges.insert(id.clone(), bounds.judge.clone());
        }
        drop(state);
        if is_first {
            return bounds;
        }
        if is_waiting {
            let run = RunIfWaitingForDebuggerParams::default();
            self.cdp.beside(id).tell(OPERATION, &run);
        }
        // One that does not wait was attached to by ourselves, and is needed.
        if is_waiting && bounds.is_none() && event.session.is_none() {
            let leave = DetachFromTargetParams {
                session_id: Some(attached.session_id.clone()),
            };
            self.cdp.tell(OPERATION, &leave);
        }
        None
    }

    /// Has a target's requests held, and then lets it run.
    async fn fence(
        self: Arc<Self>,
        session: Session,
        attached: EventAttachedToTarget,
        bounds: Bounds,
    ) {
        let info = attached.target_info;
        let held = EnableParams {
            patterns: Some(bounds.patterns),
            handle_auth_requests: None,
        };
        let held = session.execute(OPERATION, held).await;
        if let Err(error) = held
            && FENCED_KINDS.contains(&info.r#type.as_str())
        {
            if !matches!(error, Error::Detached | Error::Gone) {
                tracing::warn!(%error, kind = info.r#type, "no fence can be put up; it is closed");
                self.cdp
                    .tell(OPERATION, &CloseTargetParams::new(info.target_id));
            }
            return;
        }
        if info.r#type == "shared_worker" && bounds.judge.held() == Held::All {
            tracing::debug!("a shared worker behind a fence is not let run");
            return;
        }
        // What it opens in its turn waits as well, from before it runs.
        if let Ok(attach) = attach() {
            // One without targets below it knows of no such command.
            let _ = session.execute(OPERATION, attach).await;
        }
        self.fenced
            .send_if_modified(|fenced| fenced.insert(info.target_id.inner().clone()));
        session.tell(OPERATION, &RunIfWaitingForDebuggerParams::default());
    }

    fn judge(&self, event: &Event) {
        let (Some(paused), Some(id)) = (event.parse::<EventRequestPaused>(), &event.session) else {
            return;
        };
        let session = self.cdp.beside(id);
        let judge = self.state().judges.get(&**id).cloned();
        match judge.is_some_and(|judge| judge.permits(&paused.request.url)) {
            true => session.tell(OPERATION, &ContinueRequestParams::new(paused.request_id)),
            false => {
                let fail = FailRequestParams::new(paused.request_id, ErrorReason::BlockedByClient);
                session.tell(OPERATION, &fail);
            }
        }
    }

    fn forget(&self, target: &str) {
        self.state().seen.remove(target);
        self.fenced.send_if_modified(|fenced| fenced.remove(target));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is whole when the lock is let go, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
