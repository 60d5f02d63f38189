//! From a host name to a connection: resolve, judge every address, connect to a judged one.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use url::{Host, Url};

use crate::model::allowlist::{Denial, DenialRule, canonical_host, is_localhost};

use super::Core;
use super::outcome::Outcome;

/// Addresses of one name that are tried; names with more have them for load balancing.
const ADDRESSES_MAX: usize = 8;

/// Head start of each attempt over the next one (RFC 8305, "connection attempt delay").
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// How long a lookup is reused. A page opens several connections to a host at once; beyond that
/// the system's resolver decides.
const LOOKUP_AGE_MAX: Duration = Duration::from_secs(10);

/// Lookups that are kept.
const LOOKUPS_MAX: usize = 128;

/// The host and port that a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    host: Host,
    /// The host as text, in the form under which everything about it is remembered.
    pub(super) name: String,
    pub(super) port: u16,
}

impl Target {
    /// Where a URL leads.
    pub(super) fn of(url: &Url) -> Option<Self> {
        Self::new(url.host_str()?, url.port_or_known_default()?)
    }

    pub(super) fn new(host: &str, port: u16) -> Option<Self> {
        let host = canonical_host(host)?;
        Some(Self {
            name: host.to_string(),
            host,
            port,
        })
    }
}

impl Core {
    /// Judges a request by the name it asks for, and remembers a denial.
    pub(super) fn judge(&self, target: &Target) -> Result<(), Outcome> {
        let verdict = self.allowlist.verdict(&target.name, target.port);
        verdict.map_err(|denial| self.failed(target, Outcome::Denied(denial)))
    }

    /// Connects to a target that [`Self::judge`] let pass.
    pub(super) async fn dial(&self, target: &Target) -> Result<TcpStream, Outcome> {
        match self.try_dial(target).await {
            Ok(stream) => {
                self.memory.forget(&target.name, target.port);
                Ok(stream)
            }
            Err(outcome) => Err(self.failed(target, outcome)),
        }
    }

    /// Remembers why a request did not reach its host.
    pub(super) fn failed(&self, target: &Target, outcome: Outcome) -> Outcome {
        let reason = outcome.as_str();
        tracing::debug!(
            host = target.name,
            port = target.port,
            reason,
            "not reached"
        );
        if matches!(outcome, Outcome::Denied(_)) {
            metrics::counter!("ghostcast_requests_blocked_total", "reason" => reason).increment(1);
        }
        self.memory
            .remember(&target.name, target.port, outcome.clone());
        outcome
    }

    async fn try_dial(&self, target: &Target) -> Result<TcpStream, Outcome> {
        let resolving = timeout(self.connect_timeout, self.resolver.resolve(target));
        let addresses = match resolving.await {
            Ok(Ok(addresses)) if !addresses.is_empty() => addresses,
            _ => return Err(Outcome::DnsFailed),
        };
        // One bad address denies the name: a name that mixes public and denied addresses is an
        // attempt at rebinding, and which of them answers first is no matter of luck.
        for address in &addresses {
            self.judge_address(target, *address)
                .map_err(Outcome::Denied)?;
        }
        let connecting = timeout(self.connect_timeout, connect_any(addresses));
        let stream = match connecting.await {
            Ok(connected) => connected.map_err(|error| Outcome::of_connect(&error))?,
            Err(_) => return Err(Outcome::TimedOut),
        };
        // Small writes are WebSocket messages and TLS records that somebody waits for.
        stream
            .set_nodelay(true)
            .map_err(|error| Outcome::of_connect(&error))?;
        Ok(stream)
    }

    pub(super) fn judge_address(&self, target: &Target, address: SocketAddr) -> Result<(), Denial> {
        let denied = |rule| match target.host {
            // The name alone would not explain itself: say what it leads to.
            Host::Domain(_) => Denial::new(rule, &format!("{} ({address})", target.name)),
            Host::Ipv4(_) | Host::Ipv6(_) => Denial::new(rule, &address.to_string()),
        };
        if let Err(denial) = self.allowlist.address_verdict(address.ip()) {
            return Err(denied(denial.rule));
        }
        let own = self.deny_addresses.any(|own| {
            let ip = own.ip().to_canonical();
            own.port() == address.port()
                && (ip == address.ip() || ip.is_unspecified() && is_this_machine(address))
        });
        if own {
            return Err(denied(DenialRule::ServiceAddress));
        }
        Ok(())
    }
}

/// Whether an address belongs to this machine. The system answers from its routing table:
/// connecting a datagram socket sends nothing, and picks the address itself as the source where
/// it is a local one.
fn is_this_machine(address: SocketAddr) -> bool {
    if address.ip().is_loopback() {
        return true;
    }
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(address)?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == address.ip())
}

/// Names to addresses: fixed ones, loopback, recent lookups, and the system's resolver.
#[derive(Debug)]
pub(super) struct Resolver {
    fixed: HashMap<String, Vec<IpAddr>>,
    /// Oldest first. The lock is held for a short scan and never across an await.
    recent: Mutex<VecDeque<Lookup>>,
}

#[derive(Debug)]
struct Lookup {
    name: String,
    addresses: Vec<IpAddr>,
    at: Instant,
}

impl Resolver {
    pub(super) fn new(hosts: HashMap<String, Vec<IpAddr>>) -> Self {
        let canonical = |(name, addresses): (String, _)| {
            let name = canonical_host(&name).map_or(name, |host| host.to_string());
            (name, addresses)
        };
        Self {
            fixed: hosts.into_iter().map(canonical).collect(),
            recent: Mutex::default(),
        }
    }

    async fn resolve(&self, target: &Target) -> io::Result<Vec<SocketAddr>> {
        let addresses = match &target.host {
            Host::Ipv4(address) => vec![(*address).into()],
            Host::Ipv6(address) => vec![(*address).into()],
            Host::Domain(name) => self.resolve_name(name).await?,
        };
        let mut unique = Vec::with_capacity(addresses.len().min(ADDRESSES_MAX));
        for address in alternate(addresses) {
            let address = SocketAddr::new(reachable_form(address), target.port);
            if !unique.contains(&address) && unique.len() < ADDRESSES_MAX {
                unique.push(address);
            }
        }
        Ok(unique)
    }

    async fn resolve_name(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if let Some(addresses) = self.fixed.get(name) {
            return Ok(addresses.clone());
        }
        if is_localhost(name) {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        if let Some(addresses) = self.recent(name) {
            return Ok(addresses);
        }
        let found = tokio::net::lookup_host((name, 0)).await?;
        let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        self.keep(name, &addresses);
        Ok(addresses)
    }

    fn recent(&self, name: &str) -> Option<Vec<IpAddr>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let lookup = recent.iter().rev().find(|lookup| lookup.name == name)?;
        (lookup.at.elapsed() < LOOKUP_AGE_MAX).then(|| lookup.addresses.clone())
    }

    fn keep(&self, name: &str, addresses: &[IpAddr]) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|lookup| lookup.name != name && lookup.at.elapsed() < LOOKUP_AGE_MAX);
        if recent.len() == LOOKUPS_MAX {
            recent.pop_front();
        }
        recent.push_back(Lookup {
            name: name.to_owned(),
            addresses: addresses.to_vec(),
            at: Instant::now(),
        });
    }
}

/// The address that the system really connects to: IPv4 out of its mapping, and loopback for the
/// unspecified address.
pub(super) fn reachable_form(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

/// Alternates between the two families, beginning with the one the resolver prefers, so that a
/// broken family costs one attempt's delay and not all of them.
fn alternate(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let Some(first) = addresses.first().map(IpAddr::is_ipv6) else {
        return addresses;
    };
    let (preferred, other): (Vec<IpAddr>, Vec<IpAddr>) =
        addresses.into_iter().partition(|a| a.is_ipv6() == first);
    let mut other = other.into_iter();
    let mut mixed = Vec::with_capacity(preferred.len() + other.len());
    for address in preferred {
        mixed.push(address);
        mixed.extend(other.next());
    }
    mixed.extend(other);
    mixed
}

/// Connects to the first of the addresses that answers. Each attempt has a head start over the
/// next one; a failed one gives way at once.
async fn connect_any(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    loop {
        match waiting.next() {
            Some(address) => attempts.push(TcpStream::connect(address)),
            None if attempts.is_empty() => return Err(failure),
            None => {}
        }
        let head_start = sleep(ATTEMPT_DELAY);
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            },
            () = head_start, if waiting.len() > 0 => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_alternate() {
        let mixed = alternate(ips(&["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"]));
        assert_eq!(mixed, ips(&["::1", "1.1.1.1", "::2", "2.2.2.2", "::3"]));
        let mixed = alternate(ips(&["1.1.1.1", "::1", "::2"]));
        assert_eq!(mixed, ips(&["1.1.1.1", "::1", "::2"]));
        assert!(alternate(Vec::new()).is_empty());
    }

    #[test]
    fn this_machine_is_told_from_others() {
        for (address, expected) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("192.0.2.1:1", false),
            ("[2001:db8::1]:1", false),
        ] {
            assert_eq!(
                is_this_machine(address.parse().unwrap()),
                expected,
                "{address}"
            );
        }
    }

    #[tokio::test]
    async fn odd_spellings_resolve_to_the_address_that_is_connected_to() {
        let resolver = Resolver::new(HashMap::from([(
            "Mapped.Test".to_owned(),
            ips(&["::ffff:169.254.169.254", "169.254.169.254"]),
        )]));
        for (host, expected) in [
            ("0", "127.0.0.1:80"),
            ("[::]", "[::1]:80"),
            ("2130706433", "127.0.0.1:80"),
            ("[::ffff:10.0.0.1]", "10.0.0.1:80"),
            ("mapped.test.", "169.254.169.254:80"),
        ] {
            let target = Target::new(host, 80).unwrap();
            let addresses = resolver.resolve(&target).await.unwrap();
            assert_eq!(addresses, [expected.parse().unwrap()], "{host}");
        }
        let target = Target::new("x.localhost", 80).unwrap();
        assert_eq!(resolver.resolve(&target).await.unwrap().len(), 2);
    }
}
