//! Where events go: bounded streams, and what is left out of them first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

/// Events that wait for one reader.
const EVENTS_MAX: usize = 8_192;
/// From so few free places on, floods are left out, so that what a page's state hangs on finds one.
const RESERVED: usize = EVENTS_MAX / 2;
/// What a page can make any number of, and whose loss can be made good.
const FLOODS: [&str; 3] = [
    "Network.",
    "Runtime.consoleAPICalled",
    "Runtime.exceptionThrown",
];

/// One event, not parsed yet.
#[derive(Debug)]
pub(in crate::browser) struct Event {
    /// The session that it comes from; none for the browser itself.
    pub(in crate::browser) session: Option<Arc<str>>,
    /// Its name, such as `Page.frameNavigated`.
    pub(in crate::browser) method: String,
    params: Box<RawValue>,
}

impl Event {
    pub(super) fn new(session: Option<Arc<str>>, method: String, params: Box<RawValue>) -> Self {
        Self {
            session,
            method,
            params,
        }
    }

    /// Its parameters; nothing when they are not of this form, as a newer Chromium's may be.
    pub(in crate::browser) fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.params.get())
            .inspect_err(
                |error| tracing::debug!(%error, method = self.method, "an event is not understood"),
            )
            .ok()
    }
}

/// What a stream brings.
#[derive(Debug)]
pub(in crate::browser) enum Told {
    /// An event.
    Event(Event),
    /// So many events of the page's floods were left out here.
    Lost(#[cfg_attr(not(test), expect(dead_code, reason = "for the log, by Debug"))] u64),
}

/// The reading end of one ordered, bounded stream of events. Ends with the connection.
#[derive(Debug)]
pub(in crate::browser) struct Events {
    queue: mpsc::Receiver<Event>,
    lost: Arc<AtomicU64>,
}

impl Events {
    /// The next event, or word of a loss; none when the connection is gone.
    pub(in crate::browser) async fn next(&mut self) -> Option<Told> {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            return Some(Told::Lost(lost));
        }
        self.queue.recv().await.map(Told::Event)
    }
}

/// The writing end of a stream.
#[derive(Debug, Clone)]
pub(super) struct Sink {
    queue: mpsc::Sender<Event>,
    lost: Arc<AtomicU64>,
    /// Only events of these names, or all.
    only: Option<&'static [&'static str]>,
}

/// A stream of all events, or of those whose names begin so.
pub(super) fn stream(only: Option<&'static [&'static str]>) -> (Sink, Events) {
    let (sender, queue) = mpsc::channel(EVENTS_MAX);
    let lost = Arc::new(AtomicU64::new(0));
    let sink = Sink {
        queue: sender,
        lost: Arc::clone(&lost),
        only,
    };
    (sink, Events { queue, lost })
}

impl Sink {
    /// Whether this stream wants an event of this name.
    pub(super) fn wants(&self, method: &str) -> bool {
        self.only
            .is_none_or(|names| names.iter().any(|name| method.starts_with(name)))
    }

    /// Whether somebody still reads.
    pub(super) fn is_read(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Hands an event on, or leaves it out and counts it.
    pub(super) fn put(&self, event: Event) {
        let is_flood = FLOODS.iter().any(|name| event.method.starts_with(name));
        let is_tight = is_flood && self.queue.capacity() < RESERVED;
        let is_lost = is_tight
            || matches!(
                self.queue.try_send(event),
                Err(mpsc::error::TrySendError::Full(_))
            );
        if is_lost {
            self.lost.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("ghostcast_cdp_events_lost_total").increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(method: &str) -> Event {
        Event::new(
            None,
            method.to_owned(),
            RawValue::from_string("{}".to_owned()).unwrap(),
        )
    }

    #[tokio::test]
    async fn a_flood_takes_no_place_from_what_matters_and_its_loss_is_told() {
        let (sink, mut events) = stream(None);
        for _ in 0..EVENTS_MAX * 2 {
            sink.put(event("Runtime.consoleAPICalled"));
        }
        sink.put(event("Page.frameNavigated"));
        let Some(Told::Lost(lost)) = events.next().await else {
            panic!("the loss is told first");
        };
        let mut kept = 0;
        loop {
            match events.next().await {
                Some(Told::Event(event)) if event.method == "Page.frameNavigated" => break,
                Some(Told::Event(_)) => kept += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(lost + kept, EVENTS_MAX as u64 * 2);
    }

    #[test]
    fn a_stream_may_want_a_few_events_only() {
        let (sink, _events) = stream(Some(&["Target.", "Browser.download"]));
        assert!(sink.wants("Target.targetCreated") && sink.wants("Browser.downloadProgress"));
        assert!(!sink.wants("Page.frameNavigated"));
    }
}
