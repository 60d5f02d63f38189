//! The gate: one HTTP proxy per session, on loopback, through which its browser reaches the
//! network, and where the allowlist and the default denials are enforced.
//!
//! A session's BrowserContext is created with [`Gate::proxy_url`] as its only way out, so links,
//! scripts, redirects, popups, subframes, workers, WebSockets and prefetches all pass here, and a
//! blocked host sees no request at all. A request is judged twice: by the name it asks for, and
//! by the addresses that the name resolves to; the connection then goes to the very address that
//! was judged.
//!
//! In the way of a browser that is far away nothing of ours can stand; there a gate only judges (`Judge`).
//!
//! Chromium cannot say why a proxied request failed, so the gate remembers the true cause per
//! host and port ([`Gate::verdict`]).
//!
//! The session drives it: it starts the gate before the browser context and drops it after. All
//! tasks run on the session's tracker and end with the gate.
//!
//! # Design notes
//!
//! - Intercepting requests by CDP (`Fetch.enable`) costs a round trip for each request, and
//!   misses WebSockets, workers until they are attached, and preconnects. A proxy is beneath all
//!   of them.
//! - A request that is refused or cannot be delivered over plain HTTP gets no answer at all: the
//!   connection closes, and Chromium reports a failed navigation. Any answer, a 403 or 502
//!   included, would be rendered as a page that loaded. A CONNECT is answered with the status,
//!   which Chromium turns into a network error by itself.
//! - Only absolute-form requests and CONNECT are served. A page can therefore do nothing with
//!   another session's gate, should it find its port.

mod dial;
mod judge;
mod outcome;
mod proxy;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::model::allowlist::{Allowlist, Denial, canonical_host};
use crate::refusals::{self, Limit};

use dial::Resolver;
pub(in crate::browser) use judge::{Debugger, Judge};
use outcome::Memory;
pub use outcome::{DeniedRequest, Outcome};

/// What `Target.createBrowserContext` takes as `proxyBypassList`: it removes Chromium's own
/// exception for loopback hosts, which would pass by the gate.
pub const PROXY_BYPASS_LIST: &str = "<-loopback>";

/// The browser process's arguments, without dashes, that leave no way around the gate.
///
/// - WebRTC would otherwise send UDP, mDNS and its own DNS queries past any proxy. The policy has
///   one name in headless-shell and another in the full browser; each ignores the other's.
/// - The proxy of the process is a port where nobody listens: what does not belong to a session's
///   context (the default context, update checks, field trials) stays in the machine. Contexts
///   with a proxy of their own are not affected.
/// - QUIC does not go through HTTP proxies.
pub const BROWSER_ARGUMENTS: [&str; 5] = [
    "force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "webrtc-ip-handling-policy=disable_non_proxied_udp",
    "proxy-server=http://127.0.0.1:9",
    "proxy-bypass-list=<-loopback>",
    "disable-quic",
];

/// Connections that one session's browser may hold open through its gate. A page of many hosts
/// opens some hundreds; the bound keeps a hostile one from taking all file descriptors of the
/// process, two for each connection.
const CONNECTIONS_MAX: usize = 512;

/// How long a name may take to resolve, and then a host to accept.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause after a failed accept, which means that the process is out of file descriptors: without
/// it the loop would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one session's browser may reach, and how.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The session's patterns and the default denials.
    pub allowlist: Allowlist,
    /// Addresses of the service itself: its API, its metrics, the browsers' debugging ports. An
    /// unspecified address (`0.0.0.0:8080`) stands for every address of this machine.
    pub deny_addresses: OwnAddresses,
    /// Names with fixed addresses, instead of asking the system. Keys are host names.
    pub hosts: HashMap<String, Vec<IpAddr>>,
    /// Connections from the browser at one time; more are closed at once and counted.
    pub connections_max: usize,
    /// Bound on resolving a name, and again on connecting.
    pub connect_timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            allowlist: Allowlist::default(),
            deny_addresses: OwnAddresses::default(),
            hosts: HashMap::new(),
            connections_max: CONNECTIONS_MAX,
            connect_timeout: CONNECT_TIMEOUT,
        }
    }
}

/// Addresses of the service itself, which no page may reach: its API, the gates, the browsers'
/// debugging sockets. Shared by all gates, since a browser that starts later is as forbidden.
#[derive(Debug, Clone, Default)]
pub struct OwnAddresses(Arc<RwLock<Vec<SocketAddr>>>);

impl OwnAddresses {
    /// Adds an address. An unspecified one (`0.0.0.0:8080`) stands for all of this machine.
    pub fn add(&self, address: SocketAddr) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(address);
    }

    /// Removes an address whose listener is closed.
    pub fn remove(&self, address: SocketAddr) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|own| *own != address);
    }

    fn all(&self) -> Vec<SocketAddr> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn any(&self, matches: impl Fn(&SocketAddr) -> bool) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .any(matches)
    }
}

/// A running gate. Dropping it closes its listener and all its connections.
#[derive(Debug)]
pub struct Gate {
    core: Arc<Core>,
    cancel: CancellationToken,
}

/// What the tasks of one gate share.
#[derive(Debug)]
struct Core {
    address: SocketAddr,
    allowlist: Allowlist,
    deny_addresses: OwnAddresses,
    connect_timeout: Duration,
    resolver: Resolver,
    memory: Memory,
    places: Arc<Semaphore>,
    refused: AtomicU64,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.end();
    }
}

impl Gate {
    /// Binds a free loopback port and serves on it until `cancel` or drop.
    pub async fn start(
        policy: Policy,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let cancel = cancel.child_token();
        let deny_addresses = policy.deny_addresses;
        // A request to the gate itself would go round in circles.
        deny_addresses.add(address);
        let core = Arc::new(Core {
            address,
            allowlist: policy.allowlist,
            deny_addresses,
            connect_timeout: policy.connect_timeout,
            resolver: Resolver::new(policy.hosts),
            memory: Memory::default(),
            places: Arc::new(Semaphore::new(policy.connections_max)),
            refused: AtomicU64::new(0),
        });
        let accepting = accept(listener, Arc::clone(&core), tracker.clone(), cancel.clone());
        let ending = cancel.clone();
        tracker.spawn(async move { ending.run_until_cancelled_owned(accepting).await });
        Ok(Self { core, cancel })
    }

    /// A gate that stands in no browser's way: it judges what a browser asks for that is far away.
    pub fn far(policy: Policy, cancel: &CancellationToken) -> Self {
        let core = Core {
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            allowlist: policy.allowlist,
            deny_addresses: policy.deny_addresses,
            connect_timeout: policy.connect_timeout,
            resolver: Resolver::new(policy.hosts),
            memory: Memory::default(),
            places: Arc::new(Semaphore::new(policy.connections_max)),
            refused: AtomicU64::new(0),
        };
        Self {
            core: Arc::new(core),
            cancel: cancel.child_token(),
        }
    }

    /// Judges, for as long as it is asked, what a browser that is far away asks for.
    pub(in crate::browser) fn judge(&self) -> Judge {
        Judge::new(Arc::clone(&self.core))
    }

    /// Closes the listener and all connections.
    pub fn end(&self) {
        // Once only: another gate may be given the same port afterwards.
        if !self.cancel.is_cancelled() {
            self.cancel.cancel();
            self.core.deny_addresses.remove(self.core.address);
        }
    }

    /// The URL for `Target.createBrowserContext`'s `proxyServer`. Its `proxyBypassList` must be
    /// [`PROXY_BYPASS_LIST`], or loopback hosts bypass the gate.
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.core.address)
    }

    /// Judges a URL that shall be navigated to, before the browser sees it.
    pub fn url_verdict(&self, url: &str) -> Result<url::Url, Denial> {
        self.core.allowlist.url_verdict(url)
    }

    /// The cause of the last failed request to `host` on `port`; `None` when there was none, or
    /// when a later one reached the host.
    pub fn verdict(&self, host: &str, port: u16) -> Option<Outcome> {
        let host = canonical_host(host)?.to_string();
        self.core.memory.outcome(&host, port)
    }

    /// Requests denied so far. Also a mark for [`Self::denied_since`].
    pub fn denials(&self) -> u64 {
        self.core.memory.denials()
    }

    /// The requests denied since `mark`, a former value of [`Self::denials`]; the newest 64.
    pub fn denied_since(&self, mark: u64) -> Vec<DeniedRequest> {
        self.core.memory.denied_since(mark)
    }

    /// Connections that were closed at once because the gate was full.
    pub fn refused_connections(&self) -> u64 {
        self.core.refused.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    core: Arc<Core>,
    tracker: TaskTracker,
    cancel: CancellationToken,
) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some(place) = core.admit() else {
            continue;
        };
        let serving = serve(client, Arc::clone(&core), tracker.clone(), cancel.clone());
        let ending = cancel.clone();
        tracker.spawn(async move {
            ending.run_until_cancelled_owned(serving).await;
            drop(place);
        });
    }
}

async fn serve(
    client: TcpStream,
    core: Arc<Core>,
    tracker: TaskTracker,
    cancel: CancellationToken,
) {
    if let Err(error) = proxy::serve(client, &core, &tracker, &cancel).await {
        tracing::debug!(%error, "a connection from the browser ended");
    }
}

impl Core {
    fn admit(&self) -> Option<Place> {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(permit) => {
                metrics::gauge!("ghostcast_proxy_connections").increment(1);
                Some(Place { _permit: permit })
            }
            Err(_) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                metrics::counter!("ghostcast_proxy_connections_refused_total").increment(1);
                let why = "a session's pages have too many connections";
                refusals::note(Limit::PageConnections, why);
                None
            }
        }
    }
}

/// One connection's place among those that the gate holds.
struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("ghostcast_proxy_connections").decrement(1);
    }
}
