//! [`Line`]: what carries bytes to one TURN server and back, by datagrams or by a connection.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::{sleep, timeout};

use super::server::{Server, Way};
use crate::tls::Tls;

/// The way to a server.
pub(super) struct Line {
    /// Our end of it and the server's.
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) reader: Reader,
    pub(super) writer: Writer,
}

/// What comes.
pub(super) enum Reader {
    Udp(Arc<UdpSocket>),
    Stream(ReadHalf<Stream>),
}

/// What goes.
pub(super) enum Writer {
    Udp(Arc<UdpSocket>),
    Stream {
        stream: WriteHalf<Stream>,
        waiting: Vec<u8>,
        is_flushed: bool,
    },
}

pub(super) type Stream = Box<dyn Duplex>;

/// A connection, as it is or secret.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

impl Line {
    /// The way to this server, which is there within a bound or not at all.
    pub(super) async fn open(server: &Server) -> io::Result<Self> {
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        timeout(OPEN_WITHIN, Self::connect(server))
            .await
            .map_err(late)?
    }

    async fn connect(server: &Server) -> io::Result<Self> {
        let found = lookup_host((server.host.as_str(), server.port)).await?;
        let mut found: Vec<SocketAddr> = found.collect();
        // Of relays those over IPv4 are asked for, which are reached best by the same.
        found.sort_by_key(|address| !address.is_ipv4());
        if server.way == Way::Udp {
            let remote = *found.first().ok_or(io::ErrorKind::NotFound)?;
            let any = match remote.is_ipv4() {
                true => "0.0.0.0:0",
                false => "[::]:0",
            };
            let socket = Arc::new(UdpSocket::bind(any).await?);
            socket.connect(remote).await?;
            // Before that nothing is sent without waiting.
            socket.writable().await?;
            return Ok(Self {
                local: socket.local_addr()?,
                remote,
                reader: Reader::Udp(Arc::clone(&socket)),
                writer: Writer::Udp(socket),
            });
        }
        let (remote, stream) = Self::reach(&found).await?;
        // A picture must not wait for the acknowledgement of the one before.
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let stream: Stream = match server.way {
            Way::Tls => Box::new(secret()?.connect(&server.host, stream).await?),
            Way::Tcp | Way::Udp => Box::new(stream),
        };
        let (reader, stream) = split(stream);
        Ok(Self {
            local,
            remote,
            reader: Reader::Stream(reader),
            writer: Writer::Stream {
                stream,
                waiting: Vec::new(),
                is_flushed: true,
            },
        })
    }
}

impl Line {
    /// A connection to the first of these addresses that takes one.
    async fn reach(found: &[SocketAddr]) -> io::Result<(SocketAddr, TcpStream)> {
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for &remote in found {
            match timeout(REACH_WITHIN, TcpStream::connect(remote)).await {
                Ok(Ok(stream)) => return Ok((remote, stream)),
                Ok(Err(error)) => failed = error,
                Err(_) => failed = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failed)
    }
}

impl Reader {
    /// Waits for bytes; a connection that the server has closed is an error. Safe to cancel.
    pub(super) async fn receive(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => loop {
                match socket.recv(bytes).await {
                    // Nobody listens there now, or no way leads there: the answers that do not come tell.
                    Err(_) => sleep(PAUSE).await,
                    received => return received,
                }
            },
            Self::Stream(stream) => match stream.read(bytes).await? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                length => Ok(length),
            },
        }
    }
}

impl Writer {
    /// Sends bytes as soon as the connection takes them. A datagram that the network does not take now is lost.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        match self {
            Self::Udp(socket) => {
                let _ = socket.try_send(bytes);
            }
            Self::Stream { waiting, .. } => waiting.extend_from_slice(bytes),
        }
    }

    /// Whether more should be sent now: a connection that holds back is not filled without end.
    pub(super) const fn has_room(&self) -> bool {
        match self {
            Self::Udp(_) => true,
            Self::Stream { waiting, .. } => waiting.len() < WAITING_MAX,
        }
    }

    /// Passes on some of what waits; pending while nothing does. Safe to cancel.
    pub(super) async fn pass_on(&mut self) -> io::Result<()> {
        match self {
            Self::Stream {
                stream,
                waiting,
                is_flushed,
            } if !waiting.is_empty() => {
                let written = stream.write(waiting).await?;
                waiting.drain(..written);
                *is_flushed = false;
                Ok(())
            }
            Self::Stream {
                stream, is_flushed, ..
            } if !*is_flushed => {
                stream.flush().await?;
                *is_flushed = true;
                Ok(())
            }
            Self::Stream { .. } | Self::Udp(_) => std::future::pending().await,
        }
    }
}

/// TLS that believes those of the file that `SSL_CERT_FILE` names as well.
fn secret() -> io::Result<Tls> {
    let more = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    Tls::new(more.as_deref())
}

/// Bounds the way to a server: name, connection and TLS.
const OPEN_WITHIN: Duration = Duration::from_secs(4);
/// ...and one of its addresses.
const REACH_WITHIN: Duration = Duration::from_millis(1_500);
/// After what the network says of a datagram that was not delivered.
const PAUSE: Duration = Duration::from_millis(10);
/// Bytes that wait for a connection: a tenth of a second at 4 Mb/s.
const WAITING_MAX: usize = 50_000;
