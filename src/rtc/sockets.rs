//! Binds media sockets and finds the addresses to advertise for them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdUdpSocket};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::net::UdpSocket;

/// Where media sockets live.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The address to bind; `None` for all.
    pub bind: Option<IpAddr>,
    /// The UDP ports to choose from; `None` for any.
    pub ports: Option<RangeInclusive<u16>>,
    /// The addresses to advertise; empty to find the one that routes to the other side.
    pub advertise: Vec<IpAddr>,
    /// Counts the bytes that leave.
    pub sent: Arc<AtomicU64>,
}

/// What may go wrong with a socket.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No socket could be bound.
    #[error("no UDP port of {address} can be bound")]
    Bind {
        /// The address tried.
        address: IpAddr,
        /// Why the last port could not be bound.
        #[source]
        source: io::Error,
    },
    /// No address routes to the other side.
    #[error("no local address reaches {remote}")]
    Route {
        /// The other side.
        remote: IpAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// A bound socket and the addresses under which the other side can reach it.
#[derive(Debug)]
pub struct Bound {
    /// The socket.
    pub socket: UdpSocket,
    /// Addresses to advertise, all of them with the socket's port.
    pub local: Vec<SocketAddr>,
    /// Counts the bytes that leave.
    pub sent: Arc<AtomicU64>,
}

/// Binds a socket for a peer at `remote`; without one, for a peer somewhere on the network.
pub fn bind(config: &Config, remote: Option<IpAddr>) -> Result<Bound, Error> {
    let advertised = advertised(config, remote)?;
    let any = match advertised.first() {
        Some(IpAddr::V6(_)) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        Some(IpAddr::V4(_)) | None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    let address = config.bind.unwrap_or(any);
    let bound = bind_first(address, config.ports.clone())
        .and_then(|socket| {
            socket.set_nonblocking(true)?;
            UdpSocket::from_std(socket)
        })
        .and_then(|socket| Ok((socket.local_addr()?.port(), socket)));
    let (port, socket) = bound.map_err(|source| Error::Bind { address, source })?;
    let local = advertised
        .into_iter()
        .map(|ip| SocketAddr::new(ip, port))
        .collect();
    Ok(Bound {
        socket,
        local,
        sent: Arc::clone(&config.sent),
    })
}

fn advertised(config: &Config, remote: Option<IpAddr>) -> Result<Vec<IpAddr>, Error> {
    if !config.advertise.is_empty() {
        return Ok(config.advertise.clone());
    }
    if let Some(ip) = config.bind.filter(|ip| !ip.is_unspecified()) {
        return Ok(vec![ip]);
    }
    match remote {
        Some(remote) => Ok(vec![route_to(remote)?]),
        // A host without a network still has viewers of its own.
        None => Ok(vec![
            route_to(SOMEWHERE).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ]),
    }
}

/// The local address that packets to `remote` leave from. Connecting a UDP socket asks the
/// routing table and sends nothing.
fn route_to(remote: IpAddr) -> Result<IpAddr, Error> {
    let any: IpAddr = if remote.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    StdUdpSocket::bind((any, 0))
        .and_then(|socket| {
            socket.connect((remote, DISCARD_PORT))?;
            Ok(socket.local_addr()?.ip())
        })
        .map_err(|source| Error::Route { remote, source })
}

fn bind_first(address: IpAddr, ports: Option<RangeInclusive<u16>>) -> io::Result<StdUdpSocket> {
    let mut outcome = Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
    for port in ports.unwrap_or(0..=0) {
        outcome = StdUdpSocket::bind((address, port));
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// An address of the documentation range: never local, so that the default route answers.
const SOMEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// Any port does; nothing is sent.
const DISCARD_PORT: u16 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn loopback_is_advertised_to_loopback() {
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let bound = bind(&Config::default(), Some(localhost)).unwrap();
        let port = bound.socket.local_addr().unwrap().port();
        assert_eq!(bound.local, [SocketAddr::new(localhost, port)]);
    }

    #[tokio::test]
    async fn a_range_is_used_up_and_then_refused() {
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let any = Config {
            bind: Some(localhost),
            ..Config::default()
        };
        let first = bind(&any, None).unwrap();
        let port = first.local[0].port();
        let range = Config {
            ports: Some(port..=port),
            ..any
        };
        assert!(matches!(bind(&range, None), Err(Error::Bind { .. })));
        drop(first);
        assert_eq!(bind(&range, None).unwrap().local[0].port(), port);
    }

    #[tokio::test]
    async fn what_the_configuration_names_is_advertised() {
        let public: IpAddr = "203.0.113.7".parse().unwrap();
        let config = Config {
            advertise: vec![public],
            ..Config::default()
        };
        assert_eq!(bind(&config, None).unwrap().local[0].ip(), public);
    }
}
