//! The socket, its two tasks, and the sessions on it. The browser is on this machine, or far away and then
//! mostly behind TLS.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chromiumoxide_types::Command;
use futures::future::try_join_all;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

use super::super::error::Error;
use super::COMMAND_TIMEOUT;
use super::stream::{self, Event, Events, Sink};
use crate::error::BoxError;
use crate::model::SPANS;

/// Commands that wait to be written.
const OUTGOING_MAX: usize = 4_096;
/// A lossless screenshot of a long page is the largest answer there is.
const MESSAGE_BYTES_MAX: usize = 512 * 1024 * 1024;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Answer = Result<Box<RawValue>, Refusal>;

/// A connection to one browser process. Cheap to clone; ends with its last clone.
#[derive(Debug, Clone)]
pub(in crate::browser) struct Connection {
    line: Arc<Line>,
    _end: Arc<DropGuard>,
}

/// One flat session: the browser itself, a page, or an out-of-process frame. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::browser) struct Session {
    line: Arc<Line>,
    id: Option<Arc<str>>,
}

#[derive(Debug)]
struct Line {
    outgoing: mpsc::Sender<Message>,
    pending: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    sinks: Mutex<Sinks>,
    last: AtomicU64,
    /// Longest wait for an answer.
    patience: Duration,
    gone: CancellationToken,
}

/// Who reads which session's events.
#[derive(Debug, Default)]
struct Sinks {
    /// Of the browser itself.
    browser: Vec<Sink>,
    sessions: HashMap<Arc<str>, Vec<Sink>>,
}

#[derive(Debug, Serialize)]
struct Call<'a, P> {
    id: u64,
    method: &'a str,
    #[serde(rename = "sessionId", skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    params: P,
}

#[derive(Debug, Deserialize)]
struct Incoming<'a> {
    id: Option<u64>,
    method: Option<String>,
    #[serde(rename = "sessionId")]
    session: Option<String>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<Refusal>,
}

/// Chromium's refusal of a command.
#[derive(Debug, Clone, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub(in crate::browser) struct Refusal {
    code: i64,
    message: String,
}

impl Refusal {
    /// Whether the document that was asked is no more.
    pub(in crate::browser) fn is_replaced(&self) -> bool {
        [
            "context was destroyed",
            "Cannot find context",
            "uniqueContextId not found",
            "navigated or closed",
            "Cannot find default execution context",
            "Execution context is not available",
        ]
        .iter()
        .any(|words| self.message.contains(words))
    }

    /// Whether the session that was asked is no more.
    fn is_detached(&self) -> bool {
        self.code == -32_001
    }
}

impl Connection {
    /// Connects to the debugging socket at `url` on this machine.
    pub(in crate::browser) async fn open(
        url: &str,
        address: SocketAddr,
        tracker: &TaskTracker,
    ) -> Result<Self, BoxError> {
        let stream = TcpStream::connect(address).await?;
        Self::over(stream, url, COMMAND_TIMEOUT, tracker).await
    }

    /// Connects to a debugging socket anywhere, by `ws` or `wss`; an answer is waited for so long.
    pub(in crate::browser) async fn open_far(
        url: &url::Url,
        patience: Duration,
        tracker: &TaskTracker,
    ) -> Result<Self, BoxError> {
        let (host, port) = (url.host_str(), url.port_or_known_default());
        let (Some(host), Some(port)) = (host, port) else {
            return Err("the address names no host".into());
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, port)).await?;
        Self::over(stream, url.as_str(), patience, tracker).await
    }

    async fn over(
        stream: TcpStream,
        url: &str,
        patience: Duration,
        tracker: &TaskTracker,
    ) -> Result<Self, BoxError> {
        // The events of a gesture are many small messages; by Nagle's algorithm (RFC 896) each would
        // wait for the answer to the one before it.
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let (socket, _) = client_async_tls_with_config(url, stream, Some(config), None).await?;
        let (writer, reader) = socket.split();
        let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
        let gone = CancellationToken::new();
        let line = Arc::new(Line {
            outgoing,
            pending: Mutex::default(),
            sinks: Mutex::default(),
            last: AtomicU64::new(0),
            patience,
            gone: gone.clone(),
        });
        tracker.spawn(write(writer, queue, gone.clone()).in_current_span());
        tracker.spawn(read(reader, Arc::clone(&line)).in_current_span());
        Ok(Self {
            line,
            _end: Arc::new(gone.drop_guard()),
        })
    }

    /// Returns when the connection has ended.
    pub(in crate::browser) async fn ended(&self) {
        self.line.gone.cancelled().await;
    }

    /// Ends the connection.
    pub(in crate::browser) fn end(&self) {
        self.line.gone.cancel();
    }

    /// The browser itself.
    pub(in crate::browser) fn browser(&self) -> Session {
        Session {
            line: Arc::clone(&self.line),
            id: None,
        }
    }

    /// The events of the browser itself whose names begin so.
    pub(in crate::browser) fn events(&self, only: &'static [&'static str]) -> Events {
        let (sink, events) = stream::stream(Some(only));
        let mut sinks = self.line.sinks();
        sinks.browser.retain(Sink::is_read);
        sinks.browser.push(sink);
        events
    }

    /// The events of the browser itself, and of the sessions that join, whose names begin so; one stream,
    /// in order.
    pub(in crate::browser) fn gather(&self, only: &'static [&'static str]) -> Stream {
        let (sink, events) = stream::stream(Some(only));
        let mut sinks = self.line.sinks();
        sinks.browser.retain(Sink::is_read);
        sinks.browser.push(sink.clone());
        Stream { sink, events }
    }

    /// A session that Chromium has just named, with all its events from the first on, as far as it
    /// is spoken to only after this.
    pub(in crate::browser) fn session(&self, id: &str) -> (Session, Stream) {
        let (sink, events) = stream::stream(None);
        let session = self.browser().beside(id);
        session.follow(sink.clone());
        (session, Stream { sink, events })
    }
}

/// The events of a page and of the frames that join it.
#[derive(Debug)]
pub(in crate::browser) struct Stream {
    sink: Sink,
    pub(in crate::browser) events: Events,
}

impl Stream {
    /// Takes in the events of an out-of-process frame as well.
    pub(in crate::browser) fn join(&self, page: &Session, id: &str) -> Session {
        let session = page.beside(id);
        session.follow(self.sink.clone());
        session
    }
}

impl Session {
    /// Chromium's name of it; none for the browser itself.
    pub(in crate::browser) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The browser itself.
    pub(in crate::browser) fn browser(&self) -> Self {
        Self {
            line: Arc::clone(&self.line),
            id: None,
        }
    }

    /// Another session of the same browser.
    pub(in crate::browser) fn beside(&self, id: &str) -> Self {
        Self {
            line: Arc::clone(&self.line),
            id: Some(Arc::from(id)),
        }
    }

    /// The events of this session whose names begin so, beside its stream.
    pub(in crate::browser) fn tap(&self, only: &'static [&'static str]) -> Events {
        let (sink, events) = stream::stream(Some(only));
        self.follow(sink);
        events
    }

    fn follow(&self, sink: Sink) {
        let Some(id) = &self.id else { return };
        let mut sinks = self.line.sinks();
        let all = sinks.sessions.entry(Arc::clone(id)).or_default();
        all.retain(Sink::is_read);
        all.push(sink);
    }

    /// Forgets who reads the events of a session that is no more.
    pub(in crate::browser) fn forget(&self, id: &str) {
        self.line.sinks().sessions.remove(id);
    }

    /// Longest wait for an answer: a browser that is far away has more time.
    pub(in crate::browser) fn patience(&self) -> Duration {
        self.line.patience
    }

    /// Sends a command and waits for its answer, at most for its [`Self::patience`]. `operation` says
    /// what is tried, as in "press a key".
    pub(in crate::browser) async fn execute<C: Command>(
        &self,
        operation: &'static str,
        command: C,
    ) -> Result<C::Response, Error> {
        timeout(
            self.line.patience,
            self.execute_unbounded(operation, command),
        )
        .await
        .map_err(|_| Error::Timeout { operation })?
    }

    /// As [`Self::execute`], for what may take any time; the caller bounds it.
    pub(in crate::browser) async fn execute_unbounded<C: Command>(
        &self,
        operation: &'static str,
        command: C,
    ) -> Result<C::Response, Error> {
        let result = self.send(operation, &command)?.answer(operation).await?;
        serde_json::from_str(result.get()).map_err(|error| Error::Command {
            operation,
            source: error.into(),
        })
    }

    /// Sends several commands at once, in order, and waits for all answers. A gesture is sent so:
    /// Chromium keeps the order, and a mouse move is answered only with the next frame.
    pub(in crate::browser) async fn execute_all<C: Command>(
        &self,
        operation: &'static str,
        commands: Vec<C>,
    ) -> Result<(), Error> {
        let sent = commands.iter().map(|command| self.send(operation, command));
        let sent = sent.collect::<Result<Vec<_>, _>>()?;
        let answers = try_join_all(sent.into_iter().map(|asked| asked.answer(operation)));
        timeout(self.line.patience, answers)
            .await
            .map_err(|_| Error::Timeout { operation })??;
        Ok(())
    }

    /// Sends a command whose answer nobody waits for.
    pub(in crate::browser) fn tell<C: Command>(&self, operation: &'static str, command: &C) {
        if let Err(error) = self.send(operation, command) {
            tracing::debug!(%error, "Chromium is not told");
        }
    }

    fn send<C: Command>(&self, operation: &'static str, command: &C) -> Result<Asked, Error> {
        let line = &self.line;
        if line.gone.is_cancelled() {
            return Err(Error::Gone);
        }
        let id = line.last.fetch_add(1, Ordering::Relaxed) + 1;
        let call = Call {
            id,
            method: &command.identifier(),
            session: self.id.as_deref(),
            params: command,
        };
        let text = serde_json::to_string(&call).map_err(|error| Error::Command {
            operation,
            source: error.into(),
        })?;
        let (sender, answer) = oneshot::channel();
        line.pending().insert(id, sender);
        let asked = Asked {
            line: Arc::clone(line),
            id,
            answer,
            _span: span(call.method, operation),
        };
        // More than this is not waiting for Chromium but lost.
        line.outgoing
            .try_send(Message::text(text))
            .map_err(|_| Error::Timeout { operation })?;
        Ok(asked)
    }
}

/// A command under way. Dropping it forgets the answer.
struct Asked {
    line: Arc<Line>,
    id: u64,
    answer: oneshot::Receiver<Answer>,
    /// Ends with the answer.
    _span: Span,
}

impl Asked {
    async fn answer(mut self, operation: &'static str) -> Result<Box<RawValue>, Error> {
        match (&mut self.answer).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(refusal)) if refusal.is_replaced() => Err(Error::Replaced),
            Ok(Err(refusal)) if refusal.is_detached() => Err(Error::Detached),
            Ok(Err(refusal)) => Err(Error::Command {
                operation,
                source: refusal.into(),
            }),
            Err(_) => Err(Error::Gone),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.line.pending().remove(&self.id);
    }
}

impl Line {
    fn pending(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Answer>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sinks(&self) -> MutexGuard<'_, Sinks> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, text: &str) {
        let incoming = match serde_json::from_str::<Incoming<'_>>(text) {
            Ok(incoming) => incoming,
            Err(error) => {
                tracing::debug!(%error, "Chromium says something that is not understood");
                return;
            }
        };
        if let Some(id) = incoming.id {
            let Some(asked) = self.pending().remove(&id) else {
                return;
            };
            let answer = match (incoming.error, incoming.result) {
                (Some(refusal), _) => Err(refusal),
                (None, result) => Ok(result.map(ToOwned::to_owned).unwrap_or_default()),
            };
            // Whoever asked may have given up.
            let _ = asked.send(answer);
        } else if let (Some(method), Some(params)) = (incoming.method, incoming.params) {
            self.hand_on(incoming.session.as_deref(), method, params);
        }
    }

    fn hand_on(&self, session: Option<&str>, method: String, params: &RawValue) {
        let sinks = self.sinks();
        let (id, all) = match session {
            None => (None, sinks.browser.as_slice()),
            Some(session) => match sinks.sessions.get_key_value(session) {
                Some((id, all)) => (Some(id), all.as_slice()),
                None => return,
            },
        };
        for sink in all.iter().filter(|sink| sink.wants(&method)) {
            let event = Event::new(id.cloned(), method.clone(), params.to_owned());
            sink.put(event);
        }
    }
}

async fn write(
    mut socket: SplitSink<Socket, Message>,
    mut queue: mpsc::Receiver<Message>,
    gone: CancellationToken,
) {
    loop {
        let next = tokio::select! {
            () = gone.cancelled() => None,
            next = queue.recv() => next,
        };
        let Some(mut message) = next else { break };
        // Everything that waits goes in one go.
        let sent = async {
            loop {
                socket.feed(message).await?;
                match queue.try_recv() {
                    Ok(next) => message = next,
                    Err(_) => return socket.flush().await,
                }
            }
        };
        if sent.await.is_err() {
            break;
        }
    }
    gone.cancel();
    // A browser that is gone hears no goodbye.
    let _ = socket.close().await;
}

async fn read(mut socket: SplitStream<Socket>, line: Arc<Line>) {
    loop {
        let message = tokio::select! {
            () = line.gone.cancelled() => None,
            message = socket.next() => message,
        };
        match message {
            Some(Ok(Message::Text(text))) => line.take(&text),
            Some(Ok(_)) => (),
            Some(Err(error)) => {
                tracing::debug!(%error, "the connection to Chromium broke");
                break;
            }
            None => break,
        }
    }
    line.gone.cancel();
    // Whoever waits for an answer or an event hears that there will be none.
    line.pending().clear();
    let mut sinks = line.sinks();
    sinks.browser.clear();
    sinks.sessions.clear();
}

/// The span of a command in the trace of whoever sends it; what the service does by itself has none.
fn span(method: &str, operation: &'static str) -> Span {
    let parent = Span::current();
    let is_traced = |metadata: &tracing::Metadata<'_>| metadata.target() == SPANS;
    if !parent.metadata().is_some_and(is_traced) {
        return Span::none();
    }
    tracing::info_span!(
        target: SPANS,
        "cdp",
        "otel.name" = format!("cdp {method}"),
        "otel.kind" = "client",
        "cdp.operation" = operation,
    )
}
