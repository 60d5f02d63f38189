//! The listener of one page: Chromium's events in, [`Loading`], frames, dialogs and [`PageEvent`]s
//! out. One task owns the page's stream, in which the page and its frames tell in order.

use std::sync::Arc;

use chromiumoxide_cdp::cdp::browser_protocol::network::{
    EventLoadingFailed, EventLoadingFinished, EventRequestWillBeSent, EventResponseReceived,
    ResourceType,
};
use chromiumoxide_cdp::cdp::browser_protocol::page::{
    EventFrameAttached, EventFrameDetached, EventFrameNavigated, EventFrameStartedLoading,
    EventFrameStoppedLoading, EventJavascriptDialogOpening, EventNavigatedWithinDocument,
    FrameDetachedReason, FrameId,
};
use chromiumoxide_cdp::cdp::browser_protocol::target::{
    EventAttachedToTarget, EventDetachedFromTarget, GetTargetInfoParams,
};
use chromiumoxide_cdp::cdp::js_protocol::runtime::{
    EventBindingCalled, EventConsoleApiCalled, EventExecutionContextCreated,
    EventExecutionContextDestroyed,
};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::super::cdp::{Event, Session, Stream, Told};
use super::super::text::{TEXT_CHARS_MAX, cut, shown};
use super::clipboard::Clipboard;
use super::dialogs::{self, Dialogs};
use super::first::First;
use super::frames::World;
use super::loading::{Loading, Signal, Tracker};
use super::offers::Offers;
use super::world::{BINDING, WORLD};
use super::{Ground, PageEvent, Shared, TabEvent, join};
use crate::error::Chain;
use crate::model::event::DomChange;
use crate::model::outcome::HandledBy;

/// Asks whether all is dealt with that was heard before.
pub(super) type Mark = oneshot::Sender<()>;

/// The task that listens to one page.
pub(super) struct Listener {
    tab: u32,
    session: Session,
    main_frame: FrameId,
    shared: Arc<Shared>,
    tracker: Tracker,
    loading: watch::Sender<Loading>,
    events: mpsc::Sender<TabEvent>,
    marks: mpsc::Receiver<Mark>,
    /// What the page was when it was taken over, until it is something else.
    first: Option<First>,
    on_error_page: bool,
    /// Whether Chromium's page stands for a document whose failure is not told yet.
    owes_failure: bool,
    /// The failure that was told last.
    failure_told: u64,
    tasks: TaskTracker,
    documents: Arc<std::sync::atomic::AtomicU64>,
    clipboard: Arc<Clipboard>,
    offers: Arc<Offers>,
}

/// What our scripts report.
#[derive(Debug, Deserialize)]
struct Notification {
    kind: String,
    change_type: Option<DomChange>,
    text: Option<String>,
}

/// What Chromium says of a context of its own making.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuxData {
    frame_id: String,
}

impl Listener {
    pub(super) fn new(
        ground: &Ground,
        tab: u32,
        session: Session,
        shared: Arc<Shared>,
        first: First,
        loading: watch::Sender<Loading>,
        marks: mpsc::Receiver<Mark>,
    ) -> Self {
        Self {
            tab,
            session,
            main_frame: FrameId::new(shared.target.clone()),
            shared,
            tracker: Tracker::from(first.loading()),
            loading,
            events: ground.events.clone(),
            marks,
            on_error_page: first.is_error(),
            owes_failure: false,
            failure_told: 0,
            first: Some(first),
            tasks: ground.tracker.clone(),
            documents: Arc::clone(&ground.documents),
            clipboard: Arc::clone(&ground.clipboard),
            offers: Arc::clone(&ground.offers),
        }
    }

    /// Listens until the connection is gone, or nobody hears what is told.
    pub(super) async fn run(mut self, mut stream: Stream) {
        let missed = self.first.as_ref().and_then(First::missed);
        if let Some(event) = missed
            && !self.tell(event).await
        {
            return;
        }
        loop {
            let told = tokio::select! {
                biased;
                told = stream.events.next() => told,
                Some(mark) = self.marks.recv() => {
                    // Whoever asked may have gone.
                    let _ = mark.send(());
                    continue;
                }
            };
            let goes_on = match told {
                None => false,
                Some(Told::Lost(_)) => {
                    self.signal(&Signal::Forgotten);
                    true
                }
                Some(Told::Event(event)) => self.hear(&event, &stream).await,
            };
            if !goes_on || !self.tell_failure().await {
                return;
            }
            let loading = self.tracker.loading();
            self.loading.send_if_modified(|current| {
                let changed = current != loading;
                if changed {
                    current.clone_from(loading);
                }
                changed
            });
        }
    }

    /// What our scripts report. A page cannot reach the binding, but a compromised renderer can: what
    /// does not parse is dropped.
    fn notified(&self, session: Option<&str>, event: &EventBindingCalled) -> Option<PageEvent> {
        if event.name != BINDING {
            return None;
        }
        let notification: Notification = serde_json::from_str(&event.payload).ok()?;
        match (notification.kind.as_str(), notification.text) {
            // What changes on Chromium's own page is our doing.
            ("dom", _) if self.on_error_page => None,
            ("dom", _) => notification.change_type.map(PageEvent::Dom),
            ("title", _) if self.on_error_page => None,
            ("title", Some(title)) if !title.is_empty() => Some(PageEvent::Titled(cut(&title))),
            // A page without one is called by its address.
            ("title", _) => {
                self.ask_title();
                None
            }
            ("list", _) => {
                let frames = self.shared.frames().all(&self.main_frame);
                self.offers
                    .hear_list((self.tab, &self.shared), frames, session, event);
                None
            }
            ("permission", _) => {
                let frames = self.shared.frames().all(&self.main_frame);
                let page = (self.tab, &self.shared);
                let news = self.events.clone();
                let asking = self
                    .offers
                    .hear_permission(page, frames, session, event, news);
                if let Some(asking) = asking {
                    self.tasks.spawn(asking);
                }
                None
            }
            ("copied", Some(text)) => {
                self.clipboard.set(text);
                None
            }
            _ => None,
        }
    }

    /// Takes in one event. False when nobody hears what is told.
    async fn hear(&mut self, event: &Event, stream: &Stream) -> bool {
        let news = match event.method.as_str() {
            "Page.frameNavigated" => event.parse().and_then(|it| self.navigated(&it, event)),
            "Page.navigatedWithinDocument" => event.parse().and_then(|it| self.moved(&it, event)),
            "Page.domContentEventFired" if self.is_page(event) => {
                self.signal(&Signal::Parsed);
                None
            }
            "Page.loadEventFired" if self.is_page(event) => self.loaded(),
            "Page.javascriptDialogOpening" => event.parse().map(|event| self.dialog_opened(&event)),
            "Page.javascriptDialogClosed" => {
                self.shared.dialogs.note_closed().map(PageEvent::Dialog)
            }
            "Runtime.bindingCalled" => {
                let session = event.session.as_deref();
                let called = event.parse();
                called.and_then(|called| self.notified(session, &called))
            }
            "Runtime.consoleAPICalled" => event.parse().map(|event| console(&event)),
            "Inspector.targetCrashed" if self.is_page(event) => {
                self.signal(&Signal::Crashed);
                Some(PageEvent::Crashed)
            }
            _ => {
                self.take(event, stream);
                None
            }
        };
        match news {
            None => true,
            // What a page can make any number of waits for nobody, and takes nobody's place.
            Some(news @ PageEvent::Console { .. }) => self.tell_if_possible(news),
            // Subscribers hear of a navigation before the action that waits for it can complete.
            Some(news) => self.tell(news).await,
        }
    }

    /// Takes in an event of which subscribers hear nothing.
    fn take(&mut self, event: &Event, stream: &Stream) {
        match event.method.as_str() {
            "Page.fileChooserOpened" => {
                let asks = event.parse();
                let asks = asks.and_then(|it| self.offers.hear_files((self.tab, &self.shared), it));
                if let Some(asking) = asks {
                    self.tasks.spawn(asking);
                }
            }
            "Page.windowOpen" => {
                let windows = &self.shared.windows;
                windows.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            "Page.frameStartedLoading" => {
                let started = event.parse::<EventFrameStartedLoading>();
                if started.is_some_and(|event| self.is_main(&event.frame_id)) {
                    self.signal(&Signal::LoadingStarted);
                }
            }
            "Page.frameStoppedLoading" => {
                let stopped = event.parse::<EventFrameStoppedLoading>();
                if stopped.is_some_and(|event| self.is_main(&event.frame_id)) {
                    self.signal(&Signal::LoadingStopped);
                }
            }
            "Network.requestWillBeSent" => {
                if let Some(signal) = event.parse().and_then(|event| self.request(&event)) {
                    self.signal(&signal);
                }
            }
            "Network.responseReceived" => {
                if let Some(signal) = event.parse().and_then(|event| self.response(&event)) {
                    self.signal(&signal);
                }
            }
            "Network.loadingFinished" => {
                if let Some(event) = event.parse::<EventLoadingFinished>() {
                    let id = event.request_id.inner().clone();
                    self.signal(&Signal::RequestDone { id });
                }
            }
            "Network.loadingFailed" => {
                if let Some(event) = event.parse::<EventLoadingFailed>() {
                    self.signal(&Signal::RequestFailed {
                        id: event.request_id.inner().clone(),
                        cancelled: event.canceled.unwrap_or(false),
                        error: event.error_text,
                    });
                }
            }
            _ => self.frame(event, stream),
        }
    }

    /// Takes in what becomes of frames, their worlds and their sessions.
    fn frame(&self, event: &Event, stream: &Stream) {
        let id = event.session.as_deref();
        match event.method.as_str() {
            "Page.frameAttached" => {
                if let Some(event) = event.parse::<EventFrameAttached>() {
                    let parent = Some(&event.parent_frame_id);
                    self.shared.frames().attach(&event.frame_id, parent);
                }
            }
            "Page.frameDetached" => {
                if let Some(event) = event.parse::<EventFrameDetached>() {
                    let is_swapped = event.reason == FrameDetachedReason::Swap;
                    self.shared.frames().detach(&event.frame_id, id, is_swapped);
                }
            }
            "Runtime.executionContextCreated" => {
                if let Some(event) = event.parse() {
                    self.enter(id, event);
                }
            }
            "Runtime.executionContextDestroyed" => {
                if let Some(event) = event.parse::<EventExecutionContextDestroyed>() {
                    let unique = event.execution_context_unique_id;
                    self.shared.frames().leave(&unique);
                }
            }
            "Runtime.executionContextsCleared" => self.shared.frames().leave_all(id),
            "Target.attachedToTarget" => {
                if let Some(event) = event.parse() {
                    self.join(&event, stream);
                }
            }
            "Target.detachedFromTarget" => {
                if let Some(event) = event.parse::<EventDetachedFromTarget>() {
                    let gone = event.session_id.inner();
                    self.shared.frames().leave_all(Some(gone));
                    self.session.forget(gone);
                }
            }
            _ => (),
        }
    }

    fn signal(&mut self, signal: &Signal) {
        if matches!(signal, Signal::RequestStarted { is_document, .. } if *is_document) {
            self.owes_failure = false;
        }
        self.tracker.apply(signal);
        // What it shows from now on is there for whoever comes to watch.
        if matches!(signal, Signal::Committed { .. } | Signal::Loaded) {
            self.shared.hurry();
        }
    }

    /// Tells of a document that could not be loaded, once Chromium has said that its own page stands
    /// in its place and why, in whatever order.
    async fn tell_failure(&mut self) -> bool {
        let failure = self.tracker.loading().failure.as_ref();
        let news = failure.filter(|failure| failure.number > self.failure_told);
        let Some(news) = news.filter(|_| self.owes_failure).cloned() else {
            return true;
        };
        self.failure_told = news.number;
        self.owes_failure = false;
        self.tell(PageEvent::Failed(news)).await
    }

    async fn tell(&self, event: PageEvent) -> bool {
        let tab = self.tab;
        self.events.send(TabEvent { tab, event }).await.is_ok()
    }

    fn tell_if_possible(&self, event: PageEvent) -> bool {
        let tab = self.tab;
        match self.events.try_send(TabEvent { tab, event }) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                metrics::counter!("ghostcast_console_lost_total").increment(1);
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    /// Whether an event is the page's own, and not that of a frame in another process.
    fn is_page(&self, event: &Event) -> bool {
        event.session.as_deref() == self.session.id()
    }

    fn is_main(&self, frame: &FrameId) -> bool {
        *frame == self.main_frame
    }

    /// A frame shows another document.
    fn navigated(&mut self, event: &EventFrameNavigated, by: &Event) -> Option<PageEvent> {
        let frame = &event.frame;
        let mut frames = self.shared.frames();
        frames.attach(&frame.id, frame.parent_id.as_ref());
        frames.note_url(&frame.id, &shown(&frame.url), by.session.as_deref());
        drop(frames);
        if !self.is_main(&frame.id) {
            return None;
        }
        // Chromium's own error page is told by the action or load that led there.
        self.on_error_page = frame.unreachable_url.is_some();
        self.owes_failure = self.on_error_page;
        let loader = frame.loader_id.inner();
        if self.first.as_ref().is_some_and(|first| first.is(loader)) {
            return None;
        }
        self.first = None;
        self.offers.leave(self.tab);
        let url = document_url(event);
        self.signal(&Signal::Committed {
            url: url.clone(),
            is_error_page: self.on_error_page,
        });
        (!self.on_error_page).then_some(PageEvent::Navigated { url })
    }

    /// A frame moved inside its document.
    fn moved(&mut self, event: &EventNavigatedWithinDocument, by: &Event) -> Option<PageEvent> {
        let session = by.session.as_deref();
        let mut frames = self.shared.frames();
        frames.note_url(&event.frame_id, &shown(&event.url), session);
        drop(frames);
        if !self.is_main(&event.frame_id) {
            return None;
        }
        let url = shown(&event.url);
        self.signal(&Signal::WithinDocument { url: url.clone() });
        Some(PageEvent::Navigated { url })
    }

    fn loaded(&mut self) -> Option<PageEvent> {
        self.signal(&Signal::Loaded);
        if self.on_error_page || self.is_told_loaded() {
            return None;
        }
        self.ask_title();
        Some(PageEvent::Loaded {
            url: self.tracker.loading().url.clone(),
        })
    }

    fn request(&self, event: &EventRequestWillBeSent) -> Option<Signal> {
        // A settling page does not wait for streams that never end.
        let endless = [
            ResourceType::EventSource,
            ResourceType::WebSocket,
            ResourceType::Media,
        ];
        if event
            .r#type
            .as_ref()
            .is_some_and(|kind| endless.contains(kind))
        {
            return None;
        }
        let in_main = event
            .frame_id
            .as_ref()
            .is_some_and(|frame| self.is_main(frame));
        let is_document = in_main && event.r#type == Some(ResourceType::Document);
        // Those of others are not asked for, and may be whole pictures.
        let url = match is_document {
            true => shown(&event.request.url),
            false => String::new(),
        };
        Some(Signal::RequestStarted {
            id: event.request_id.inner().clone(),
            is_document,
            url,
        })
    }

    fn response(&self, event: &EventResponseReceived) -> Option<Signal> {
        let in_main = event
            .frame_id
            .as_ref()
            .is_some_and(|frame| self.is_main(frame));
        let status = u16::try_from(event.response.status).ok()?;
        (in_main && event.r#type == ResourceType::Document).then_some(Signal::Response { status })
    }

    /// A document has our world.
    fn enter(&self, session: Option<&str>, event: EventExecutionContextCreated) {
        let context = event.context;
        let aux = context.aux_data.map(serde_json::from_value::<AuxData>);
        let (WORLD, Some(Ok(aux)), Some(id)) = (context.name.as_str(), aux, session) else {
            return;
        };
        let world = World {
            session: self.session.beside(id),
            context: context.id,
            unique: context.unique_id,
            document: self
                .documents
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
                + 1,
            node: Arc::default(),
            is_mute: Arc::default(),
        };
        let frame = FrameId::new(aux.frame_id);
        self.shared.frames().enter(&frame, world);
    }

    /// A frame of the page lives in a process of its own from now on; if it waits for us, then until it is
    /// prepared. One that waits for the fence of a remote browser is let run by that alone.
    fn join(&self, event: &EventAttachedToTarget, stream: &Stream) {
        let session = stream.join(&self.session, event.session_id.inner());
        let is_waiting = event.waiting_for_debugger;
        let shared = Arc::clone(&self.shared);
        self.tasks.spawn(
            async move {
                if let Err(error) = join(&session, &shared, is_waiting).await {
                    tracing::debug!(error = %Chain(&error), "a frame is gone before it was prepared");
                }
            }
            .in_current_span(),
        );
    }

    /// Asks for the title of a page that has loaded, or has another one now: Chromium tells it at the
    /// commit, while the page is still called by its URL, and may not tell it again.
    fn ask_title(&self) {
        let (tab, session, events) = (self.tab, self.session.clone(), self.events.clone());
        let target = self.shared.target.clone();
        self.tasks.spawn(async move {
            let params = GetTargetInfoParams::builder().target_id(target).build();
            // A page that is gone or hangs has no title to tell.
            if let Ok(answer) = session.execute("ask for a title", params).await {
                let event = PageEvent::Titled(cut(&answer.target_info.title));
                let _ = events.send(TabEvent { tab, event }).await;
            }
        });
    }

    /// Whether the load of the document that the page was taken over with is told already.
    fn is_told_loaded(&self) -> bool {
        self.first
            .as_ref()
            .is_some_and(|first| first.missed().is_some())
    }

    /// A dialog has opened: it is answered by the session's policy, or left for somebody to answer,
    /// within bounds.
    fn dialog_opened(&self, event: &EventJavascriptDialogOpening) -> PageEvent {
        let (opened, answer) = self.shared.dialogs.note_opened(event);
        let (session, shared) = (self.session.clone(), Arc::clone(&self.shared));
        let (tab, events) = (self.tab, self.events.clone());
        let told = opened.info.clone();
        self.tasks.spawn(async move {
            let Some(accept) = answer else {
                if is_left(&shared.dialogs, opened.number).await {
                    shared
                        .dialogs
                        .note_answer(opened.number, false, HandledBy::Timeout);
                    // One that is gone meanwhile needs no answer.
                    let _ = dialogs::answer(&session, false, None).await;
                    let event = PageEvent::DialogLeft(opened.info);
                    let _ = events.send(TabEvent { tab, event }).await;
                }
                return;
            };
            // As above.
            let _ = dialogs::answer(&session, accept, None).await;
        });
        PageEvent::Dialog(told)
    }
}

/// Whether a dialog is still open, and nobody has answered it, when it has been so for long enough.
async fn is_left(dialogs: &Dialogs, number: u64) -> bool {
    let mut open = dialogs.watch();
    let is_gone = open.wait_for(|open| open.as_ref().is_none_or(|open| open.number != number));
    tokio::select! {
        _ = is_gone => false,
        () = sleep(dialogs::PATIENCE) => true,
    }
}

/// The URL that the document stands for: of Chromium's error page, the one that failed.
fn document_url(event: &EventFrameNavigated) -> String {
    let frame = &event.frame;
    let url = frame.unreachable_url.as_ref().unwrap_or(&frame.url);
    let fragment = frame.url_fragment.as_deref().unwrap_or_default();
    shown(&format!("{url}{fragment}"))
}

fn console(event: &EventConsoleApiCalled) -> PageEvent {
    let words = event
        .args
        .iter()
        .map(|argument| match (&argument.value, &argument.description) {
            (Some(serde_json::Value::String(text)), _) => cut(text),
            (Some(value), _) => cut(&value.to_string()),
            (None, description) => cut(description.as_deref().unwrap_or_default()),
        });
    let text = words.take(TEXT_CHARS_MAX).collect::<Vec<_>>().join(" ");
    PageEvent::Console {
        level: event.r#type.as_ref().to_owned(),
        text: cut(&text),
    }
}
