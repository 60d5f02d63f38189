//! [`Ways`]: our addresses, and how what leaves by them or comes to them travels: by UDP, in TCP connections that we make,
//! or by relays.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::net::{Protocol, TcpType};
use str0m::{Candidate, Rtc};
use tracing::debug;

use super::error::Error;
use super::output::Transport;

/// The ways of one peer.
#[derive(Debug)]
pub(super) struct Ways {
    local: Vec<SocketAddr>,
    /// Our addresses on servers that relay.
    relays: Vec<SocketAddr>,
    /// When TCP is tried as well; `None` for never.
    tcp_at: Option<Instant>,
}

impl Ways {
    /// By UDP, from these addresses.
    pub(super) fn new(rtc: &mut Rtc, local: &[SocketAddr]) -> Result<Self, Error> {
        for &address in local {
            let candidate = Candidate::host(address, Protocol::Udp)
                .map_err(|source| Error::LocalCandidate { address, source })?;
            rtc.add_local_candidate(candidate);
        }
        Ok(Self {
            local: local.to_vec(),
            relays: Vec::new(),
            tcp_at: None,
        })
    }

    /// A path is looked for, by TCP as well if UDP finds none in a while.
    pub(super) fn look(&mut self, now: Instant) {
        self.tcp_at = Some(now + TCP_AFTER);
    }

    /// A path is found.
    pub(super) const fn found(&mut self) {
        self.tcp_at = None;
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(super) const fn next_at(&self) -> Option<Instant> {
        self.tcp_at
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, rtc: &mut Rtc) {
        if self.tcp_at.take_if(|at| now >= *at).is_some() {
            self.try_tcp(rtc);
        }
    }

    /// Which of our addresses a datagram has come to.
    pub(super) fn arrives(
        &self,
        transport: Transport,
        source: SocketAddr,
    ) -> Option<(Protocol, SocketAddr)> {
        Some(match transport {
            Transport::Udp => (Protocol::Udp, self.like(source)?),
            Transport::Tcp => (Protocol::Tcp, active(self.like(source)?)),
            Transport::Relay(address) => (Protocol::Udp, address),
        })
    }

    /// How what leaves by one of our addresses travels.
    pub(super) fn leaves(&self, protocol: Protocol, source: SocketAddr) -> Transport {
        match protocol {
            Protocol::Tcp => Transport::Tcp,
            _ if self.relays.contains(&source) => Transport::Relay(source),
            _ => Transport::Udp,
        }
    }

    /// Another address, on a server that relays what is sent there.
    pub(super) fn add_relay(&mut self, rtc: &mut Rtc, address: SocketAddr) {
        let Some(local) = self.like(address).or(self.local.first().copied()) else {
            return;
        };
        match Candidate::relayed(address, local, Protocol::Udp) {
            Ok(candidate) => {
                if !self.relays.contains(&address) {
                    self.relays.push(address);
                }
                rtc.add_local_candidate(candidate);
            }
            Err(error) => debug!(%error, %address, "a relay of no use"),
        }
    }

    /// Lets the engine pair the other side's TCP candidates with us.
    pub(super) fn try_tcp(&self, rtc: &mut Rtc) {
        for &address in &self.local {
            let candidate = Candidate::builder().tcp().host(active(address));
            // A host without such an address has no TCP there either.
            if let Ok(candidate) = candidate.tcptype(TcpType::Active).build() {
                rtc.add_local_candidate(candidate);
            }
        }
    }

    fn like(&self, address: SocketAddr) -> Option<SocketAddr> {
        let mut local = self.local.iter().copied();
        local.find(|local| local.is_ipv4() == address.is_ipv4())
    }
}

/// The address under which the engine knows our end of TCP connections.
fn active(local: SocketAddr) -> SocketAddr {
    SocketAddr::new(local.ip(), ACTIVE_PORT)
}

/// How long UDP alone may look for a path; where it passes, it takes a tenth of that.
pub(super) const TCP_AFTER: Duration = Duration::from_millis(1500);
/// The port that stands for "none" in the candidate of a side that only connects (RFC 6544).
const ACTIVE_PORT: u16 = 9;
