//! The listener: how many may be connected, how long a connection may stay without a word, and how all
//! of them end.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::status;
use crate::refusals::{self, Limit};
use crate::{config, memory};

/// Pause after a failed accept, which means that the process is out of file descriptors: without it
/// the loop would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What every HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Pause before the first bytes are looked at again, when they do not tell yet.
const PEEK_PAUSE: Duration = Duration::from_millis(10);
/// An HTTP/2 connection, which may be silent for as long as its calls take, is pinged this often.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A ping that is not answered for this long ends it.
const PING_PATIENCE: Duration = Duration::from_secs(10);
/// Calls at one time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// What the kernel keeps of what is sent, bytes. Left to itself it takes megabytes of events for one
/// who reads slowly, who then hears of an outcome, and the answer to a ping, minutes later; what waits
/// in our queues is bounded, and its loss is counted.
const SEND_BUFFER: usize = 128 * 1024;
/// How often it is looked how many connections have ended.
const TEND_EVERY: Duration = Duration::from_secs(5);
/// So many that have ended leave memory that is worth giving back.
const ENDED_MIN: usize = 100;
/// How long answers under way may still take when the service ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Answers requests until `cancel`, and then lets the answers under way end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: config::Server,
    cancel: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(config.connections_max));
    let connections = TaskTracker::new();
    let cut_off = CancellationToken::new();
    let header_timeout = config.header_timeout();
    let most = Arc::new(AtomicUsize::new(0));
    let open = {
        let (places, all) = (Arc::clone(&places), config.connections_max);
        move || all.saturating_sub(places.available_permits())
    };
    let tending = tend(open.clone(), Arc::clone(&most));
    let _tending = AbortOnDropHandle::new(tokio::spawn(tending));
    while let Some(accepted) = cancel.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                note_want(&error);
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            metrics::counter!("ghostcast_connections_refused_total").increment(1);
            refusals::note(Limit::Connections, "too many connections are open");
            // Whoever cannot take it at once only sees the end.
            let _ = stream.try_write(status::full(config.connections_max).as_bytes());
            continue;
        };
        most.fetch_max(open(), Ordering::Relaxed);
        let serving = connection(
            Held {
                stream,
                _place: place,
            },
            peer,
            router.clone(),
            header_timeout,
            cancel.clone(),
        );
        let cut_off = cut_off.clone();
        connections.spawn(async move { cut_off.run_until_cancelled(serving).await });
    }
    drop(listener);
    connections.close();
    let _ = timeout(LAST_WORDS, connections.wait()).await;
    cut_off.cancel();
}

/// Gives back what many connections have held, once they have ended: the allocator keeps it for more of them.
/// `open` says how many there are; `most` is kept by whoever lets them in: many come and go between two looks.
async fn tend(open: impl Fn() -> usize, most: Arc<AtomicUsize>) {
    loop {
        sleep(TEND_EVERY).await;
        let open = open();
        if most.load(Ordering::Relaxed).saturating_sub(open) >= ENDED_MIN {
            most.store(open, Ordering::Relaxed);
            // It may take a while; a panic is impossible there, and would cost nothing but this.
            let _ = tokio::task::spawn_blocking(memory::give_back).await;
        }
    }
}

/// Nobody can be let in where the machine lacks what a connection takes. What else may go wrong is one
/// caller's, who has gone again.
fn note_want(error: &io::Error) {
    let errno = error.raw_os_error().map(Errno::from_raw);
    if let Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) = errno {
        refusals::note(
            Limit::Files,
            &format!("no connection can be taken: {error}"),
        );
    }
}

/// Serves one connection to its end.
async fn connection(
    held: Held,
    peer: SocketAddr,
    router: Router,
    header_timeout: Duration,
    cancel: CancellationToken,
) {
    // Events and video signalling are small writes that somebody waits for.
    let _ = held.stream.set_nodelay(true);
    let _ = setsockopt(&held.stream, sockopt::SndBuf, &SEND_BUFFER);
    let beginning = timeout(header_timeout, speaks_http2(&held.stream));
    let Some(Ok(Ok(is_http2))) = cancel.run_until_cancelled(beginning).await else {
        return;
    };
    let builder = Builder::new(TokioExecutor::new());
    let mut builder = match is_http2 {
        true => builder.http2_only(),
        false => builder.http1_only(),
    };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_PATIENCE)
        .max_concurrent_streams(STREAMS_MAX)
        .enable_connect_protocol();
    let router = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(held), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = cancel.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended");
    }
}

/// Whether the connection begins as HTTP/2 without TLS does. Nothing is taken from it.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut beginning = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut beginning).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !PREFACE.starts_with(&beginning[..length]) {
            return Ok(false);
        }
        if length == PREFACE.len() {
            return Ok(true);
        }
        sleep(PEEK_PAUSE).await;
    }
}

/// A connection with its place among those that may be open, which it keeps as a WebSocket too.
struct Held {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Held {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
