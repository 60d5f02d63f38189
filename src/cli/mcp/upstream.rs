//! The service behind the conversation: one that runs already, or one of our own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf, duplex,
    split,
};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::task::AbortOnDropHandle;

use super::super::daemon;
use crate::app::{App, Journal};
use crate::config::Config;
use crate::error::Error;
use crate::model::Secret;

/// Bytes under way each way.
const PIPE_BYTES: usize = 64 * 1024;
/// How often it is looked whether a service is back.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A service lets somebody in within this time.
const ATTACH_WITHIN: Duration = Duration::from_secs(5);
/// Where a service says how long a message may be.
const BYTES_MAX: &str = "x-message-bytes-max";

/// Where lines go and come from.
pub(super) struct Upstream {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writing: WriteHalf<DuplexStream>,
}

/// The service of this conversation, for as long as that lasts.
pub(super) enum Service {
    /// One that ran already.
    Attached(Attached),
    /// None ran: it is carried in this very program.
    Own {
        app: Box<App>,
        extended: bool,
        line_bytes_max: usize,
    },
}

/// How to reach a service.
#[derive(Clone)]
pub(super) struct Attached {
    listen: SocketAddr,
    token: Secret,
    extended: bool,
    /// As the service says, bytes.
    line_bytes_max: Arc<AtomicUsize>,
}

/// A service that does not run, and is waited for.
pub(super) struct Away {
    waiting: AbortOnDropHandle<Upstream>,
    why: watch::Receiver<String>,
}

impl Upstream {
    fn new(stream: DuplexStream) -> Self {
        let (reading, writing) = split(stream);
        Self {
            lines: BufReader::new(reading).lines(),
            writing,
        }
    }

    /// The next line; `None` when the service has hung up. Safe to cancel.
    pub(super) async fn receive(&mut self) -> Option<String> {
        self.lines.next_line().await.ok().flatten()
    }

    pub(super) async fn send(&mut self, line: &str) -> io::Result<()> {
        self.writing.write_all(line.as_bytes()).await?;
        self.writing.write_all(b"\n").await
    }
}

impl Service {
    /// Looks for the service, and carries one where none runs.
    pub(super) async fn find(config: Config, extended: bool) -> Result<Self, Error> {
        let listen = config.server.listen;
        let line_bytes_max = config.server.body_bytes_max;
        if daemon::answers(listen).await {
            tracing::info!("attached to the service at {listen}");
            return Ok(Self::Attached(Attached {
                listen,
                token: config.server.own_token(),
                extended,
                line_bytes_max: Arc::new(AtomicUsize::new(line_bytes_max)),
            }));
        }
        let app = Box::new(carry_own(config).await?);
        tracing::info!(
            "no service runs at {listen}: this program carries one of its own, which ends with it; \
             dashboard at http://{}/",
            app.address()
        );
        Ok(Self::Own {
            app,
            extended,
            line_bytes_max,
        })
    }

    /// Longest message that it takes, bytes.
    pub(super) fn line_bytes_max(&self) -> usize {
        match self {
            Self::Attached(attached) => attached.line_bytes_max.load(Ordering::Relaxed),
            Self::Own { line_bytes_max, .. } => *line_bytes_max,
        }
    }

    /// Begins a conversation.
    pub(super) async fn connect(&self) -> Result<Upstream, Error> {
        match self {
            Self::Attached(attached) => attached.connect().await,
            Self::Own { app, extended, .. } => {
                let (ours, theirs) = duplex(PIPE_BYTES);
                tokio::spawn(app.doors().clone().serve_mcp(theirs, *extended));
                Ok(Upstream::new(ours))
            }
        }
    }

    /// Waits for the service to come back.
    pub(super) fn wait(&self) -> Result<Away, Error> {
        match self {
            Self::Attached(attached) => Ok(Away::new(attached.clone())),
            Self::Own { .. } => Err(Error::internal("the service in this program is gone")),
        }
    }

    /// Ends our own service, if there is one.
    pub(super) async fn end(self) {
        match self {
            Self::Own { app, .. } => app.shut_down().await,
            Self::Attached(_) => (),
        }
    }
}

impl Attached {
    async fn connect(&self) -> Result<Upstream, Error> {
        let listen = self.listen;
        let late = |error| {
            Error::timeout(format!("the service at {listen} does not answer")).source(error)
        };
        let attaching = timeout(ATTACH_WITHIN, self.attach()).await;
        let socket = attaching.map_err(late)??;
        let (ours, theirs) = duplex(PIPE_BYTES);
        tokio::spawn(carry(socket, theirs));
        Ok(Upstream::new(ours))
    }

    async fn attach(&self) -> Result<WebSocketStream<TcpStream>, Error> {
        let listen = self.listen;
        let address = daemon::reachable(listen);
        let url = format!("ws://{address}/mcp/socket?extended={}", self.extended);
        let refused = |error: tungstenite::Error| {
            let hint = match &error {
                tungstenite::Error::Http(response) if response.status() == 401 => {
                    "Give it the same token: GHOSTCAST_SERVER__TOKEN, or --config with the \
                     service's file."
                }
                _ => "Is it a Ghostcast of the same version? Restart it, or use another --listen.",
            };
            Error::unavailable(format!("the service at {listen} does not let us in"))
                .hint(hint)
                .source(error)
        };
        let mut request = url.into_client_request().map_err(refused)?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", HeaderValue::from_static("mcp"));
        if !self.token.is_empty() {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", self.token.reveal()));
            let bearer = bearer.map_err(|error| {
                Error::invalid_input("server.token cannot be sent in a header").source(error)
            })?;
            headers.insert("authorization", bearer);
        }
        let stream = TcpStream::connect(address).await.map_err(|error| {
            Error::unavailable(format!("no Ghostcast service runs at {listen}"))
                .hint("Start it with `ghostcast start`.")
                .source(error)
        })?;
        // A conversation is small messages that somebody waits for.
        let _ = stream.set_nodelay(true);
        let (socket, answer) = client_async(request, stream).await.map_err(refused)?;
        let told = answer.headers().get(BYTES_MAX);
        if let Some(bytes) = told.and_then(|value| value.to_str().ok()?.parse().ok()) {
            self.line_bytes_max.store(bytes, Ordering::Relaxed);
        }
        Ok(socket)
    }

    /// Tries until it is back.
    async fn until_back(self, why: watch::Sender<String>) -> Upstream {
        let listen = self.listen;
        loop {
            match self.connect().await {
                Ok(upstream) => {
                    tracing::info!("the service at {listen} is back");
                    return upstream;
                }
                Err(error) => {
                    let told = sentence(&error);
                    if why.send_replace(told.clone()) != told {
                        tracing::warn!("the service is gone and waited for: {told}");
                    }
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// What a model is told that asks for a service that is not there.
fn sentence(error: &Error) -> String {
    format!(
        "{} Nothing was done. Ask again then: this conversation goes on by itself, and sessions \
         without a name have to be started anew.",
        error.in_full()
    )
}

impl Away {
    fn new(attached: Attached) -> Self {
        let at_first = format!("no Ghostcast service runs at {}", attached.listen);
        let (told, why) = watch::channel(sentence(
            &Error::unavailable(at_first).hint("Start it with `ghostcast start`."),
        ));
        tracing::warn!(
            "the service at {} is gone, and is waited for",
            attached.listen
        );
        Self {
            waiting: AbortOnDropHandle::new(tokio::spawn(attached.until_back(told))),
            why,
        }
    }

    /// What to tell whoever asks meanwhile.
    pub(super) fn told(&self) -> String {
        self.why.borrow().clone()
    }

    /// Returns when it is back. Safe to cancel.
    pub(super) async fn back(&mut self) -> Result<Upstream, Error> {
        let back = (&mut self.waiting).await;
        back.map_err(|error| Error::internal("waiting for the service broke").source(error))
    }
}

async fn carry_own(mut config: Config) -> Result<App, Error> {
    let listen = config.server.listen;
    let taken = tokio::net::TcpListener::bind(listen).await.is_err();
    if taken {
        tracing::warn!(
            "{listen} is taken by another program; the dashboard and the events are elsewhere"
        );
        config.server.listen.set_port(0);
    }
    App::start(config, Journal::default()).await
}

/// Carries lines to frames and frames to lines until either side hangs up.
async fn carry(socket: WebSocketStream<TcpStream>, stream: DuplexStream) {
    let (reading, mut writing) = split(stream);
    let (mut sink, mut frames) = socket.split();
    let outwards = async {
        let mut lines = BufReader::new(reading).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if sink.send(Message::text(line)).await.is_err() {
                return;
            }
        }
    };
    let inwards = async {
        while let Some(Ok(message)) = frames.next().await {
            if let Message::Text(text) = message {
                let sent = async {
                    writing.write_all(text.as_bytes()).await?;
                    writing.write_all(b"\n").await
                };
                if sent.await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = outwards => (),
        () = inwards => (),
    }
}
