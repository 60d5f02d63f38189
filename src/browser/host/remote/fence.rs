//! The fence in a browser that is far away: what its pages ask for is held by the browser itself, and judged
//! here.
//!
//! Every target of a session's context (pages, popups, frames of other processes, workers of all kinds) is
//! attached to before it runs, its requests are held from then on (`Fetch.enable`), and only then it is let run.
//! The browser asks again for each redirect. A shared worker has its way to the network before it can be held, as
//! was measured: behind a fence it is not let run. What the browser never asks for, and so passes: WebSockets and
//! WebTransport, WebRTC, prefetches by speculation rules, lookups and connections ahead of need. And a name is
//! judged by itself: what it leads to over there is not known here.
//!
//! A worker of several pages is attached to by each of them. Its requests are held by every session that it has:
//! the first may end with its page, and any of them lets it run.

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
use futures::FutureExt;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::super::super::cdp::{Connection, Event, Session, Stream, Told};
use super::super::super::error::Error;
use super::super::super::gate::{Debugger, Judge};
use super::attached::{Attached, Attachment, Gone};

const OPERATION: &str = "put up the fence in a remote browser";
const HEARD: [&str; 4] = [
    "Fetch.requestPaused",
    "Target.attachedToTarget",
    "Target.detachedFromTarget",
    "Target.targetDestroyed",
];
/// Targets that outlive the page that was first to attach to them.
const SHARED_KINDS: [&str; 2] = ["shared_worker", "service_worker"];
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
    /// Where the browser itself is spoken to, which no page may be.
    debugger: Debugger,
    state: Mutex<State>,
    /// Targets whose requests are held.
    fenced: watch::Sender<HashSet<String>>,
}

#[derive(Debug, Default)]
struct State {
    /// What holds of all contexts, in a browser that is one session's alone.
    all: Option<Bounds>,
    /// The contexts with a fence.
    contexts: HashMap<String, Bounds>,
    attached: Attached,
}

/// What is held in a context, and who judges it.
#[derive(Debug, Clone)]
struct Bounds {
    judge: Judge,
    patterns: Vec<RequestPattern>,
}

/// What becomes of a target that was attached to.
#[derive(Debug)]
enum Turn {
    /// Its requests are held, and then it is let run.
    Fence(Bounds),
    /// It is let run when the session before has its requests held.
    Follow,
    /// It is let run, and left alone.
    Free,
    /// It runs, and somebody here is at it.
    Leave,
}

impl Fence {
    /// Attaches to whatever comes in a browser. One connection does that for all sessions: what waits for two
    /// is let run by the first. `all` judges what is asked for in whichever context, from the first page on.
    pub(super) async fn put_up(
        cdp: &Connection,
        debugger: Debugger,
        all: Option<Judge>,
        tracker: &TaskTracker,
    ) -> Result<Self, Error> {
        let all = all.map(|judge| Bounds::of(judge, &debugger));
        let state = State {
            all,
            ..State::default()
        };
        let shared = Arc::new(Shared {
            cdp: cdp.browser(),
            debugger,
            state: Mutex::new(state),
            fenced: watch::Sender::new(HashSet::new()),
        });
        let watching = watch_over(Arc::clone(&shared), cdp.gather(&HEARD), tracker.clone());
        tracker.spawn(watching.in_current_span());
        cdp.browser().execute(OPERATION, attach()?).await?;
        Ok(Self { shared })
    }

    /// Has what is asked for in a context judged from now on, before there is a page in it.
    pub(in crate::browser) fn enclose(&self, context: &str, judge: Judge) {
        let bounds = Bounds::of(judge, &self.shared.debugger);
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
        let is_fenced = self.shared.state().bounds(Some(context)).is_some();
        match is_fenced {
            true => self.shared.held(target).await,
            false => Ok(()),
        }
    }
}

impl Bounds {
    fn of(judge: Judge, debugger: &Debugger) -> Self {
        let judge = judge.beside(debugger.clone());
        let pattern = |pattern: String| RequestPattern {
            url_pattern: Some(pattern),
            ..RequestPattern::default()
        };
        let patterns = judge.held().into_iter().map(pattern).collect();
        Self { judge, patterns }
    }
}

impl State {
    fn bounds(&self, context: Option<&str>) -> Option<&Bounds> {
        let own = context.and_then(|context| self.contexts.get(context));
        own.or(self.all.as_ref())
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
                let id = attached.session_id.inner();
                let doing = match shared.take(&event, &attached) {
                    Turn::Fence(bounds) => {
                        let session = stream.join(&shared.cdp, id);
                        Arc::clone(&shared).fence(session, attached, bounds).boxed()
                    }
                    Turn::Follow => {
                        let session = shared.cdp.beside(id);
                        Arc::clone(&shared).follow(session, attached).boxed()
                    }
                    Turn::Free => {
                        shared.let_go(&event, &attached);
                        continue;
                    }
                    Turn::Leave => continue,
                };
                tracker.spawn(doing.in_current_span());
            }
            "Target.targetDestroyed" => {
                if let Some(event) = event.parse::<EventTargetDestroyed>() {
                    let target = event.target_id.inner();
                    let gone = shared.state().attached.destroyed(target);
                    shared.forget(&gone);
                }
            }
            _ => {
                if let Some(event) = event.parse::<EventDetachedFromTarget>() {
                    let gone = shared.state().attached.detached(event.session_id.inner());
                    shared.forget(&gone);
                }
            }
        }
    }
}

impl Shared {
    /// What becomes of a target that was attached to, by ourselves or by the browser.
    fn take(&self, event: &Event, attached: &EventAttachedToTarget) -> Turn {
        let (info, is_waiting) = (&attached.target_info, attached.waiting_for_debugger);
        // One that does not wait and was not come upon was attached to by ourselves, and is needed.
        let is_ours = !is_waiting && event.session.is_none();
        let mut state = self.state();
        let context = info.browser_context_id.as_ref().map(AsRef::as_ref);
        let Some(bounds) = state.bounds(context).cloned() else {
            return match is_waiting {
                true => Turn::Free,
                false => Turn::Leave,
            };
        };
        let target = info.target_id.inner();
        let is_further = state.attached.has(target);
        let is_shared = SHARED_KINDS.contains(&info.r#type.as_str());
        match (is_further, is_ours, is_shared) {
            (false, ..) | (true, false, true) => {
                let held = Attachment {
                    target: target.clone(),
                    parent: event.session.as_deref().map(str::to_owned),
                    judge: bounds.judge.clone(),
                };
                state
                    .attached
                    .add(attached.session_id.inner().clone(), held);
                Turn::Fence(bounds)
            }
            (true, false, false) if is_waiting => Turn::Follow,
            (true, ..) => Turn::Leave,
        }
    }

    /// Lets a target of a context without a fence run. Nobody here needs one that the browser came upon.
    fn let_go(&self, event: &Event, attached: &EventAttachedToTarget) {
        let run = RunIfWaitingForDebuggerParams::default();
        self.cdp
            .beside(attached.session_id.inner())
            .tell(OPERATION, &run);
        if event.session.is_none() {
            let leave = DetachFromTargetParams {
                session_id: Some(attached.session_id.clone()),
            };
            self.cdp.tell(OPERATION, &leave);
        }
    }

    /// Lets a target run that waits for one more session, once its requests are held: one whose requests never
    /// are, never runs.
    async fn follow(self: Arc<Self>, session: Session, attached: EventAttachedToTarget) {
        if self
            .held(attached.target_info.target_id.inner())
            .await
            .is_ok()
        {
            session.tell(OPERATION, &RunIfWaitingForDebuggerParams::default());
        }
    }

    /// Returns when the requests of a target are held.
    async fn held(&self, target: &str) -> Result<(), Error> {
        let mut fenced = self.fenced.subscribe();
        let is_there = fenced.wait_for(|fenced| fenced.contains(target));
        match timeout(self.cdp.patience(), is_there).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Error::Timeout {
                operation: OPERATION,
            }),
        }
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
        if info.r#type == "shared_worker" && bounds.judge.is_fence() {
            tracing::debug!("a shared worker behind a fence is not let run");
            return;
        }
        // What it opens in its turn waits as well, from before it runs.
        if let Ok(attach) = attach() {
            // One without targets below it knows of no such command.
            let _ = session.execute(OPERATION, attach).await;
        }
        // One that is gone by now is not noted: nobody would forget it.
        if self.state().attached.has(info.target_id.inner()) {
            self.fenced
                .send_if_modified(|fenced| fenced.insert(info.target_id.inner().clone()));
        }
        session.tell(OPERATION, &RunIfWaitingForDebuggerParams::default());
    }

    fn judge(&self, event: &Event) {
        let (Some(paused), Some(id)) = (event.parse::<EventRequestPaused>(), &event.session) else {
            return;
        };
        let session = self.cdp.beside(id);
        let judge = self.state().attached.judge(id);
        match judge.is_some_and(|judge| judge.permits(&paused.request.url)) {
            true => session.tell(OPERATION, &ContinueRequestParams::new(paused.request_id)),
            false => {
                let fail = FailRequestParams::new(paused.request_id, ErrorReason::BlockedByClient);
                session.tell(OPERATION, &fail);
            }
        }
    }

    /// Forgets sessions and targets that are no more.
    fn forget(&self, gone: &Gone) {
        for session in &gone.sessions {
            self.cdp.forget(session);
        }
        self.fenced.send_if_modified(|fenced| {
            let before = fenced.len();
            fenced.retain(|target| !gone.targets.contains(target));
            fenced.len() != before
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is whole when the lock is let go, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
