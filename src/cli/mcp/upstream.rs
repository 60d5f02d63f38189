//! The service behind the conversation: one that runs already, or one of our own.

use std::io;
use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf, duplex,
    split,
};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::super::daemon;
use crate::app::App;
use crate::config::Config;
use crate::error::Error;

/// Bytes under way each way.
const PIPE_BYTES: usize = 64 * 1024;

/// Where lines go and come from.
pub(super) struct Upstream {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writing: WriteHalf<DuplexStream>,
}

/// Finds the service, or carries it.
pub(super) struct Service {
    config: Config,
    extended: bool,
    own: Option<App>,
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
    pub(super) fn new(config: Config, extended: bool) -> Self {
        Self {
            config,
            extended,
            own: None,
        }
    }

    /// Whether it is our own service that hung up: it does so only to a client that made no
    /// sense.
    pub(super) fn was_refused(&self) -> bool {
        self.own.is_some()
    }

    /// Begins a conversation: with our own service, with the one that runs, or with a new one.
    pub(super) async fn connect(&mut self) -> Result<Upstream, Error> {
        let (ours, theirs) = duplex(PIPE_BYTES);
        let listen = self.config.server.listen;
        if self.own.is_none() && daemon::answers(listen).await {
            tracing::info!("attached to the service at {listen}");
            let socket = self.attach(listen).await?;
            tokio::spawn(carry(socket, theirs));
        } else {
            let app = match self.own.take() {
                Some(app) => app,
                None => self.carry_own().await?,
            };
            tokio::spawn(app.doors().clone().serve_mcp(theirs, self.extended));
            self.own = Some(app);
        }
        Ok(Upstream::new(ours))
    }

    async fn attach(&self, listen: SocketAddr) -> Result<WebSocketStream<TcpStream>, Error> {
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
        let token = &self.config.server.token;
        if !token.is_empty() {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
            let bearer = bearer.map_err(|error| {
                Error::invalid_input("server.token cannot be sent in a header").source(error)
            })?;
            headers.insert("authorization", bearer);
        }
        let stream = TcpStream::connect(address).await.map_err(|error| {
            Error::unavailable(format!("cannot reach the service at {listen}")).source(error)
        })?;
        // A conversation is small messages that somebody waits for.
        let _ = stream.set_nodelay(true);
        let (socket, _) = client_async(request, stream).await.map_err(refused)?;
        Ok(socket)
    }

    async fn carry_own(&self) -> Result<App, Error> {
        let mut config = self.config.clone();
        let taken = tokio::net::TcpListener::bind(config.server.listen)
            .await
            .is_err();
        if taken {
            tracing::warn!(
                "{} is taken by another program; the dashboard and the events are elsewhere",
                config.server.listen
            );
            config.server.listen.set_port(0);
        }
        let app = App::start(config).await?;
        tracing::info!("dashboard at http://{}/", app.address());
        Ok(app)
    }

    /// Ends our own service, if there is one.
    pub(super) async fn end(self) {
        if let Some(app) = self.own {
            app.shut_down().await;
        }
    }
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
