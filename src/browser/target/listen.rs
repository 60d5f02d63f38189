//! The listener of one page: CDP events in, [`Loading`] and [`PageEvent`]s out.

use std::sync::Arc;
use std::time::Instant;

use chromiumoxide::Page as CdpPage;
use chromiumoxide::cdp::browser_protocol::inspector::EventTargetCrashed;
use chromiumoxide::cdp::browser_protocol::network::{
    EventLoadingFailed, EventLoadingFinished, EventRequestWillBeSent, EventResponseReceived,
    ResourceType,
};
use chromiumoxide::cdp::browser_protocol::page::{
    EventFrameNavigated, EventFrameStartedLoading, EventFrameStoppedLoading,
    EventJavascriptDialogOpening, EventLoadEventFired, EventNavigatedWithinDocument, FrameId,
    HandleJavaScriptDialogParams,
};
use chromiumoxide::cdp::browser_protocol::target::GetTargetInfoParams;
use chromiumoxide::cdp::js_protocol::runtime::{EventBindingCalled, EventConsoleApiCalled};
use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::super::error::Error;
use super::super::loading::{Loading, Signal, Tracker};
use super::super::world::BINDING;
use super::first::First;
use super::{COMMAND_TIMEOUT, Ground, PageEvent, TabEvent};
use crate::model::event::DomChange;

/// Longest console text passed on, characters.
const TEXT_CHARS_MAX: usize = 4_096;

/// Everything a page listens to, as one stream.
pub(super) struct Streams(SelectAll<BoxStream<'static, Heard>>);

/// One CDP event, by its type.
enum Heard {
    Navigated(Arc<EventFrameNavigated>),
    WithinDocument(Arc<EventNavigatedWithinDocument>),
    Started(Arc<EventFrameStartedLoading>),
    Stopped(Arc<EventFrameStoppedLoading>),
    Loaded,
    Request(Arc<EventRequestWillBeSent>),
    Response(Arc<EventResponseReceived>),
    RequestDone(Arc<EventLoadingFinished>),
    RequestFailed(Arc<EventLoadingFailed>),
    Notified(Arc<EventBindingCalled>),
    Console(Arc<EventConsoleApiCalled>),
    Dialog(Arc<EventJavascriptDialogOpening>),
    Crashed,
}

macro_rules! streams {
    ($operation:expr, $($source:ident : $event:ty => $map:expr;)*) => {{
        let mut all: SelectAll<BoxStream<'static, Heard>> = SelectAll::new();
        $(
            let stream = $source.event_listener::<$event>().await.map_err(Error::command($operation))?;
            all.push(stream.map($map).boxed());
        )*
        all
    }};
}

impl Streams {
    pub(super) async fn subscribe(page: &CdpPage) -> Result<Self, Error> {
        Ok(Self(streams! { "listen to the page",
            page: EventFrameNavigated => Heard::Navigated;
            page: EventNavigatedWithinDocument => Heard::WithinDocument;
            page: EventFrameStartedLoading => Heard::Started;
            page: EventFrameStoppedLoading => Heard::Stopped;
            page: EventLoadEventFired => |_| Heard::Loaded;
            page: EventRequestWillBeSent => Heard::Request;
            page: EventResponseReceived => Heard::Response;
            page: EventLoadingFinished => Heard::RequestDone;
            page: EventLoadingFailed => Heard::RequestFailed;
            page: EventBindingCalled => Heard::Notified;
            page: EventConsoleApiCalled => Heard::Console;
            page: EventJavascriptDialogOpening => Heard::Dialog;
            page: EventTargetCrashed => |_| Heard::Crashed;
        }))
    }
}

/// Asks whether all is dealt with that was heard before.
pub(super) type Mark = oneshot::Sender<()>;

/// The task that listens to one page.
pub(super) struct Listener {
    tab: u32,
    page: CdpPage,
    main_frame: FrameId,
    tracker: Tracker,
    loading: watch::Sender<Loading>,
    events: mpsc::Sender<TabEvent>,
    marks: mpsc::Receiver<Mark>,
    /// What the page was when it was taken over, until it is something else.
    first: Option<First>,
    on_error_page: bool,
    tasks: TaskTracker,
}

#[derive(Debug, Deserialize)]
struct Notification {
    kind: String,
    change_type: Option<DomChange>,
}

impl Listener {
    pub(super) fn new(
        ground: &Ground,
        tab: u32,
        page: CdpPage,
        first: First,
        loading: watch::Sender<Loading>,
        marks: mpsc::Receiver<Mark>,
    ) -> Self {
        Self {
            tab,
            main_frame: FrameId::new(page.target_id().inner().clone()),
            page,
            tracker: Tracker::from(first.loading()),
            loading,
            events: ground.events.clone(),
            marks,
            on_error_page: first.is_error(),
            first: Some(first),
            tasks: ground.tracker.clone(),
        }
    }

    pub(super) async fn run(mut self, mut streams: Streams) {
        let missed = self.first.as_ref().and_then(First::missed);
        if let Some(event) = missed
            && self.tell(event).await.is_err()
        {
            return;
        }
        loop {
            let heard = tokio::select! {
                biased;
                heard = streams.0.next() => heard,
                Some(mark) = self.marks.recv() => {
                    // Whoever asked may have gone.
                    let _ = mark.send(());
                    continue;
                }
            };
            let Some(heard) = heard else { return };
            if let Some(signal) = self.signal(&heard) {
                self.tracker.apply(&signal, Instant::now());
            }
            // Subscribers hear of a navigation before the action that waits for it can complete.
            if let Some(event) = self.event(&heard)
                && self.tell(event).await.is_err()
            {
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

    async fn tell(&self, event: PageEvent) -> Result<(), mpsc::error::SendError<TabEvent>> {
        let tab = self.tab;
        self.events.send(TabEvent { tab, event }).await
    }

    fn is_main(&self, frame: &FrameId) -> bool {
        *frame == self.main_frame
    }

    /// What an event says about loading.
    fn signal(&self, heard: &Heard) -> Option<Signal> {
        match heard {
            Heard::Navigated(event) if event.frame.parent_id.is_none() => {
                let loader = event.frame.loader_id.inner();
                let is_known = self.first.as_ref().is_some_and(|first| first.is(loader));
                (!is_known).then(|| Signal::Committed {
                    url: document_url(event),
                    is_error_page: event.frame.unreachable_url.is_some(),
                })
            }
            Heard::WithinDocument(event) if self.is_main(&event.frame_id) => {
                Some(Signal::WithinDocument {
                    url: cut(&event.url),
                })
            }
            Heard::Started(event) if self.is_main(&event.frame_id) => Some(Signal::LoadingStarted),
            Heard::Stopped(event) if self.is_main(&event.frame_id) => Some(Signal::LoadingStopped),
            Heard::Loaded => Some(Signal::Loaded),
            Heard::Request(event) => self.request(event),
            Heard::Response(event) => {
                let in_main = event
                    .frame_id
                    .as_ref()
                    .is_some_and(|frame| self.is_main(frame));
                let status = u16::try_from(event.response.status).ok()?;
                (in_main && event.r#type == ResourceType::Document)
                    .then_some(Signal::Response { status })
            }
            Heard::RequestDone(event) => Some(Signal::RequestDone {
                id: event.request_id.inner().clone(),
            }),
            Heard::RequestFailed(event) => Some(Signal::RequestFailed {
                id: event.request_id.inner().clone(),
                error: event.error_text.clone(),
                cancelled: event.canceled.unwrap_or(false),
            }),
            Heard::Crashed => Some(Signal::Crashed),
            _ => None,
        }
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
            true => cut(&event.request.url),
            false => String::new(),
        };
        Some(Signal::RequestStarted {
            id: event.request_id.inner().clone(),
            is_document,
            url,
        })
    }

    /// What subscribers shall hear of an event.
    fn event(&mut self, heard: &Heard) -> Option<PageEvent> {
        match heard {
            Heard::Navigated(event) if event.frame.parent_id.is_none() => {
                // Chromium's own error page is told by the action or load that led there.
                self.on_error_page = event.frame.unreachable_url.is_some();
                let loader = event.frame.loader_id.inner();
                let is_known = self.first.as_ref().is_some_and(|first| first.is(loader));
                if is_known {
                    return None;
                }
                self.first = None;
                let url = document_url(event);
                (!self.on_error_page).then_some(PageEvent::Navigated { url })
            }
            Heard::WithinDocument(event) if self.is_main(&event.frame_id) => {
                Some(PageEvent::Navigated {
                    url: cut(&event.url),
                })
            }
            Heard::Loaded if !self.on_error_page && !self.is_told_loaded() => {
                self.ask_title();
                Some(PageEvent::Loaded {
                    url: self.tracker.loading().url.clone(),
                })
            }
            Heard::Notified(event) => notification(event),
            Heard::Console(event) => Some(console(event)),
            Heard::Dialog(event) => Some(self.answer_dialog(event)),
            Heard::Crashed => Some(PageEvent::Crashed),
            _ => None,
        }
    }

    /// Asks for the title of a page that has loaded: Chromium tells it at the commit, while the
    /// page is still called by its URL, and may not tell it again.
    fn ask_title(&self) {
        let (tab, page, events) = (self.tab, self.page.clone(), self.events.clone());
        self.tasks.spawn(async move {
            let params = GetTargetInfoParams::builder()
                .target_id(page.target_id().clone())
                .build();
            // A page that is gone or hangs has no title to tell.
            if let Ok(Ok(answer)) = timeout(COMMAND_TIMEOUT, page.execute(params)).await {
                let event = PageEvent::Titled(cut(&answer.result.target_info.title));
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

    /// Answers a dialog at once, since it blocks the page and no screencast shows it: an alert or
    /// a leave question with yes, a question with no.
    fn answer_dialog(&self, event: &EventJavascriptDialogOpening) -> PageEvent {
        let kind = event.r#type.as_ref().to_owned();
        let accept = matches!(kind.as_str(), "alert" | "beforeunload");
        let page = self.page.clone();
        self.tasks.spawn(async move {
            // A dialog that is gone already needs no answer.
            let _ = page
                .execute(HandleJavaScriptDialogParams::new(accept))
                .await;
        });
        PageEvent::Dialog {
            kind,
            message: cut(&event.message),
        }
    }
}

/// The URL that the document stands for: of Chromium's error page, the one that failed.
fn document_url(event: &EventFrameNavigated) -> String {
    let frame = &event.frame;
    let url = frame.unreachable_url.as_ref().unwrap_or(&frame.url);
    let fragment = frame.url_fragment.as_deref().unwrap_or_default();
    cut(&format!("{url}{fragment}"))
}

fn notification(event: &EventBindingCalled) -> Option<PageEvent> {
    if event.name != BINDING {
        return None;
    }
    // A page cannot reach the binding, but a compromised renderer can: what does not parse is
    // dropped.
    let notification: Notification = serde_json::from_str(&event.payload).ok()?;
    (notification.kind == "dom").then_some(())?;
    notification.change_type.map(PageEvent::Dom)
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

/// Bounds a text of the page's making: events are kept, and go to every subscriber.
pub(in crate::browser) fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
