//! One connection from the browser: plain requests are forwarded one by one, a CONNECT turns it
//! into a tunnel.
//!
//! Bodies stream through. An upstream connection belongs to one connection of the browser and is
//! reused while the requests on it go to the same host, so that closing means the same on both
//! sides: where a reused upstream connection turns out dead, the browser sees its own reused
//! connection die, and repeats the request itself if that is safe.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, copy_buf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Core;
use super::dial::Target;
use super::outcome::Outcome;

/// Headers in one message. Some sites send more than hyper's usual hundred.
const HEADERS_MAX: usize = 256;

/// Buffer from the host to the browser: two TLS records of the largest size.
const DOWN_BUFFER_BYTES: usize = 32 * 1024;

/// Buffer from the browser to the host: requests are small, and uploads are bound by the network.
const UP_BUFFER_BYTES: usize = 8 * 1024;

/// How long the other direction of a tunnel may go on once one has ended. Browsers close both
/// at once; without a bound a host that never closes would hold a place for the whole session.
const HALF_OPEN_MAX: Duration = Duration::from_secs(30);

/// Headers that speak of one connection only (RFC 9110, 7.6.1), and those meant for the proxy.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

type Answer = Response<Either<Incoming, Empty<Bytes>>>;

/// The request gets no answer: the connection to the browser closes instead.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("the request is neither CONNECT nor for an absolute http:// URL")]
    NotForAProxy,
    #[error("the host was not reached: {}", .0.as_str())]
    NotReached(Outcome),
    #[error("the host gave no answer")]
    NoResponse(#[source] hyper::Error),
}

/// Serves one connection from the browser to its end.
pub(super) async fn serve(
    client: TcpStream,
    core: &Core,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) -> Result<(), hyper::Error> {
    // A failure to set this costs latency only.
    let _ = client.set_nodelay(true);
    let connection = Connection {
        core,
        tracker,
        cancel,
        upstream: Mutex::default(),
        tunnel: Mutex::default(),
    };
    hyper::server::conn::http1::Builder::new()
        .preserve_header_case(true)
        .max_headers(HEADERS_MAX)
        .auto_date_header(false)
        .serve_connection(
            TokioIo::new(client),
            service_fn(|request| connection.handle(request)),
        )
        .with_upgrades()
        .await?;
    let tunnel = take(&connection.tunnel);
    if let Some(tunnel) = tunnel
        && let Err(error) = tunnel.run().await
    {
        tracing::debug!(%error, "a tunnel ended");
    }
    Ok(())
}

/// The state of one connection from the browser. hyper hands over its requests one at a time,
/// so the locks are never contended; they are there because the service is shared by reference.
struct Connection<'a> {
    core: &'a Core,
    tracker: &'a TaskTracker,
    cancel: &'a CancellationToken,
    upstream: Mutex<Option<Upstream>>,
    tunnel: Mutex<Option<Tunnel>>,
}

/// A connection to a host that plain requests go over.
struct Upstream {
    target: Target,
    sender: SendRequest<Incoming>,
}

impl Connection<'_> {
    async fn handle(&self, request: Request<Incoming>) -> Result<Answer, NoAnswer> {
        if request.method() == Method::CONNECT {
            Ok(self.connect(request).await)
        } else {
            self.forward(request).await
        }
    }

    /// Opens a tunnel. It runs once the answer is on its way, in [`serve`].
    async fn connect(&self, request: Request<Incoming>) -> Answer {
        let authority = request.uri().authority();
        let Some(target) =
            authority.and_then(|authority| Target::new(authority.host(), authority.port_u16()?))
        else {
            return no_tunnel(StatusCode::BAD_REQUEST);
        };
        let dialled = match self.core.judge(&target) {
            Ok(()) => self.core.dial(&target).await,
            Err(outcome) => Err(outcome),
        };
        match dialled {
            Ok(upstream) => {
                let upgrade = hyper::upgrade::on(request);
                put(&self.tunnel, Tunnel { upgrade, upstream });
                Response::new(Either::Right(Empty::new()))
            }
            Err(Outcome::Denied(_)) => no_tunnel(StatusCode::FORBIDDEN),
            Err(Outcome::TimedOut) => no_tunnel(StatusCode::GATEWAY_TIMEOUT),
            Err(Outcome::DnsFailed | Outcome::Refused | Outcome::Unreachable | Outcome::Reset) => {
                no_tunnel(StatusCode::BAD_GATEWAY)
            }
        }
    }

    /// Passes one plain request on, and its response back.
    async fn forward(&self, request: Request<Incoming>) -> Result<Answer, NoAnswer> {
        let (mut parts, body) = request.into_parts();
        let target = rewrite(&mut parts).ok_or(NoAnswer::NotForAProxy)?;
        self.core.judge(&target).map_err(NoAnswer::NotReached)?;
        let mut request = Request::from_parts(parts, body);
        if let Some(mut upstream) = self.reuse(&target).await {
            match upstream.sender.try_send_request(request).await {
                Ok(response) => return Ok(self.pass_back(upstream, response)),
                Err(mut failure) => match failure.take_message() {
                    // The host closed it before anything was sent: a new one serves as well.
                    Some(unsent) => request = unsent,
                    None => return Err(self.no_response(&target, failure.into_error())),
                },
            }
        }
        let mut upstream = self.open(target).await?;
        match upstream.sender.send_request(request).await {
            Ok(response) => Ok(self.pass_back(upstream, response)),
            Err(error) => Err(self.no_response(&upstream.target, error)),
        }
    }

    fn pass_back(&self, upstream: Upstream, mut response: Response<Incoming>) -> Answer {
        self.core
            .memory
            .forget(&upstream.target.name, upstream.target.port);
        put(&self.upstream, upstream);
        strip_hop_by_hop(response.headers_mut());
        // The host's version is its own; the browser's connection is kept open by ours.
        *response.version_mut() = Version::HTTP_11;
        response.map(Either::Left)
    }

    fn no_response(&self, target: &Target, error: hyper::Error) -> NoAnswer {
        self.core.failed(target, Outcome::Reset);
        NoAnswer::NoResponse(error)
    }

    /// The connection of the request before, if it goes to the same host and is still usable.
    async fn reuse(&self, target: &Target) -> Option<Upstream> {
        let mut upstream = take(&self.upstream).filter(|upstream| upstream.target == *target)?;
        upstream.sender.ready().await.ok()?;
        Some(upstream)
    }

    async fn open(&self, target: Target) -> Result<Upstream, NoAnswer> {
        let dialled = self.core.dial(&target).await;
        let stream = dialled.map_err(NoAnswer::NotReached)?;
        let handshake = hyper::client::conn::http1::Builder::new()
            .preserve_header_case(true)
            .max_headers(HEADERS_MAX)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = handshake.map_err(|error| self.no_response(&target, error))?;
        let ending = self.cancel.clone();
        self.tracker
            .spawn(async move { ending.run_until_cancelled_owned(connection).await });
        Ok(Upstream { target, sender })
    }
}

/// A tunnel that waits for the browser's side of it.
struct Tunnel {
    upgrade: OnUpgrade,
    upstream: TcpStream,
}

impl Tunnel {
    async fn run(mut self) -> io::Result<()> {
        let upgraded = self.upgrade.await.map_err(io::Error::other)?;
        let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
            return Err(io::Error::other(
                "the connection is not the one that was served",
            ));
        };
        self.upstream.write_all(&parts.read_buf).await?;
        let mut client = parts.io.into_inner();
        let (client_read, client_write) = client.split();
        let (upstream_read, upstream_write) = self.upstream.split();
        let up = pump(client_read, upstream_write, UP_BUFFER_BYTES);
        let down = pump(upstream_read, client_write, DOWN_BUFFER_BYTES);
        tokio::pin!(up, down);
        // An error on either side ends both; a regular end leaves the other a while.
        let rest = tokio::select! {
            ended = &mut up => { ended?; timeout(HALF_OPEN_MAX, down).await }
            ended = &mut down => { ended?; timeout(HALF_OPEN_MAX, up).await }
        };
        rest.unwrap_or(Ok(()))
    }
}

/// Copies until the reader ends, and passes the end on.
async fn pump(
    reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    buffer_bytes: usize,
) -> io::Result<()> {
    copy_buf(
        &mut BufReader::with_capacity(buffer_bytes, reader),
        &mut writer,
    )
    .await?;
    writer.shutdown().await
}

/// Makes a proxy's request one for the host itself, and says which host that is. `None` when it
/// is not a proxy's request.
fn rewrite(parts: &mut request::Parts) -> Option<Target> {
    if parts.uri.scheme_str() != Some("http") {
        return None;
    }
    let authority = parts.uri.authority()?;
    let target = Target::new(authority.host(), authority.port_u16().unwrap_or(80))?;
    // The URL decides and not the Host header, or one could be judged and the other served.
    let (_, host_and_port) = authority
        .as_str()
        .rsplit_once('@')
        .unwrap_or(("", authority.as_str()));
    let host = HeaderValue::from_str(host_and_port).ok()?;
    let path = parts.uri.path_and_query()?.clone();
    strip_hop_by_hop(&mut parts.headers);
    parts.headers.insert(header::HOST, host);
    parts.uri = Uri::from(path);
    parts.version = Version::HTTP_11;
    Some(target)
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // Of two framings the transfer encoding counts (RFC 9112, 6.3); passing the other one on
    // would let the two sides disagree on where a message ends.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn no_tunnel(status: StatusCode) -> Answer {
    let mut response = Response::new(Either::Right(Empty::new()));
    *response.status_mut() = status;
    // Nothing else can come on this connection: it was opened for the tunnel.
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn put<T>(slot: &Mutex<Option<T>>, value: T) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}
