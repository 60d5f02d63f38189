//! A Ghostcast that runs already, as other verbs find it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Where to reach what listens there: nobody can connect to "any address".
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Whether what listens there answers `/health` as Ghostcast does.
pub(super) async fn answers(listen: SocketAddr) -> bool {
    let ask = async {
        let mut socket = TcpStream::connect(reachable(listen)).await?;
        let request = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.take(16 * 1024).read_to_string(&mut answer).await?;
        Ok::<String, std::io::Error>(answer)
    };
    matches!(timeout(ANSWER_WITHIN, ask).await, Ok(Ok(answer)) if answer.contains("\"version\""))
}
