//! What a browser asks for that is far away, judged by its URL: no connection of it passes here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use url::{Host, Url};

use super::Core;
use super::dial::{Target, reachable_form};
use super::outcome::Outcome;
use crate::model::allowlist::{Denial, DenialRule, METADATA_PATTERNS, is_localhost};

/// Wildcards, of which at least one is in each URL that leads to the browser's own machine by an address.
const LOOPBACK_PATTERNS: [&str; 4] = ["*localhost*", "*127.*", "*0.0.0.0*", "*://*[*"];
/// Ports that a URL does not name.
const DEFAULT_PORTS: [u16; 2] = [80, 443];

/// Judges requests by their URLs, and remembers what it refuses, as a gate does.
#[derive(Debug, Clone)]
pub(in crate::browser) struct Judge {
    core: Arc<Core>,
    debugger: Debugger,
}

/// Where a browser that is far away is spoken to: a page that reached it would hold every page there.
#[derive(Debug, Clone, Default)]
pub(in crate::browser) struct Debugger(Option<Target>);

impl Debugger {
    /// The one of that URL.
    pub(in crate::browser) fn of(url: &Url) -> Self {
        Self(Target::of(url))
    }

    /// Whether a request is for it; on its own machine it may be at the same port.
    fn is(&self, target: &Target, addresses: &[IpAddr]) -> bool {
        self.0.as_ref().is_some_and(|own| {
            own.port == target.port
                && (own.name == target.name || addresses.iter().any(IpAddr::is_loopback))
        })
    }
}

impl Judge {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            debugger: Debugger::default(),
        }
    }

    /// The same for a browser that is spoken to there.
    pub(in crate::browser) fn beside(self, debugger: Debugger) -> Self {
        Self { debugger, ..self }
    }

    /// Whether any request may be refused.
    pub(in crate::browser) fn is_fence(&self) -> bool {
        self.core.allowlist.is_fence()
    }

    /// Wildcards of the requests that there is anything to judge of: all of them behind a fence, or else those
    /// that may lead to what is refused by default.
    pub(in crate::browser) fn held(&self) -> Vec<String> {
        let all = || vec!["*".to_owned()];
        if self.is_fence() {
            return all();
        }
        let mut patterns: Vec<String> = LOOPBACK_PATTERNS.map(str::to_owned).into();
        if self.core.allowlist.denies_metadata() {
            patterns.extend(METADATA_PATTERNS.map(str::to_owned));
        }
        if let Some(debugger) = &self.debugger.0 {
            patterns.push(format!("*{}*", debugger.name));
        }
        for own in self.core.deny_addresses.all() {
            // What listens on loopback later is held already.
            match (own.ip().to_canonical(), own.port()) {
                (ip, port) if ip.is_unspecified() && DEFAULT_PORTS.contains(&port) => return all(),
                (ip, port) if ip.is_unspecified() => patterns.push(format!("*:{port}*")),
                (ip, _) if !ip.is_loopback() => patterns.push(format!("*{ip}*")),
                _ => (),
            }
        }
        patterns.sort();
        patterns.dedup();
        patterns
    }

    /// Whether a request may go out. What no network is asked for always may.
    pub(in crate::browser) fn permits(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else {
            return false;
        };
        match url.scheme() {
            "http" | "https" | "ws" | "wss" => self.permits_host(&url),
            "file" | "filesystem" | "ftp" => false,
            _ => true,
        }
    }

    fn permits_host(&self, url: &Url) -> bool {
        let Some(target) = Target::of(url) else {
            return false;
        };
        if self.core.judge(&target).is_err() {
            return false;
        }
        let addresses: Vec<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            // The far machine's own, which has this service only where both are one.
            Some(Host::Domain(name)) if is_localhost(name) => {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
            // Where a name leads there is not known here.
            Some(Host::Domain(_)) | None => Vec::new(),
        };
        let addresses: Vec<IpAddr> = addresses.into_iter().map(reachable_form).collect();
        let judged = addresses.iter().try_for_each(|&ip| {
            self.core
                .judge_address(&target, SocketAddr::new(ip, target.port))
        });
        let judged = match self.debugger.is(&target, &addresses) {
            true => {
                let own = format!("{}:{}", target.name, target.port);
                Err(Denial::new(DenialRule::ServiceAddress, &own))
            }
            false => judged,
        };
        let refused = |denial: Denial| self.core.failed(&target, Outcome::Denied(denial));
        judged.map_err(refused).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::super::{Gate, OwnAddresses, Policy};
    use super::*;
    use crate::model::Allowlist;
    use crate::model::allowlist::is_like;

    fn gate(patterns: &[&str], is_private_blocked: bool) -> Gate {
        let patterns: Vec<String> = patterns.iter().map(|&it| it.to_owned()).collect();
        let mut allowlist = Allowlist::parse(&patterns).unwrap();
        if is_private_blocked {
            allowlist = allowlist.block_private_networks();
        }
        let deny_addresses = OwnAddresses::default();
        deny_addresses.add("127.0.0.1:8765".parse().unwrap());
        let policy = Policy {
            allowlist,
            deny_addresses,
            ..Policy::default()
        };
        Gate::far(policy, &CancellationToken::new())
    }

    #[test]
    fn requests_are_judged_by_their_urls_and_refusals_are_remembered() {
        let gate = gate(&["*.shop.test", "127.0.0.1"], false);
        let judge = gate.judge();
        assert_eq!(judge.held(), ["*"]);
        for url in [
            "https://a.shop.test/x",
            "wss://a.shop.test/",
            "http://127.0.0.1:1/",
            "data:text/html,x",
            "blob:https://other.test/1",
            "about:blank",
        ] {
            assert!(judge.permits(url), "{url}");
        }
        assert_eq!(gate.denials(), 0);
        for url in [
            "https://shop.test/",
            "https://other.test/",
            "ws://other.test/",
            "http://169.254.169.254/latest",
            "http://127.0.0.1:8765/health",
            "file:///etc/passwd",
            "nonsense",
        ] {
            assert!(!judge.permits(url), "{url}");
        }
        assert_eq!(gate.denials(), 5);
        assert!(matches!(
            gate.verdict("other.test", 443),
            Some(Outcome::Denied(_))
        ));
    }

    #[test]
    fn private_addresses_are_refused_by_their_numbers() {
        let gate = gate(&[], true);
        let judge = gate.judge();
        assert_eq!(judge.held(), ["*"]);
        for url in [
            "http://10.1.2.3/",
            "http://localhost/",
            "http://[::1]/",
            "http://0x7f.1/",
        ] {
            assert!(!judge.permits(url), "{url}");
        }
        assert!(judge.permits("https://example.com/"));
    }

    #[test]
    fn without_a_fence_only_what_is_refused_by_default_is_held() {
        let gate = gate(&[], false);
        let judge = gate.judge();
        assert!(!judge.is_fence() && !judge.held().contains(&"*".to_owned()));
        assert!(!judge.permits("http://metadata.google.internal/"));
        assert!(judge.permits("http://10.1.2.3/"));
    }

    /// As in a browser of this machine, whatever the fence: its own addresses, in every spelling.
    #[test]
    fn the_services_own_addresses_and_the_debugging_one_are_refused() {
        let gate = gate(&[], false);
        let socket = Url::parse("wss://far.test:9222/devtools/browser/x?token=4711").unwrap();
        let judge = gate.judge().beside(Debugger::of(&socket));
        let held = judge.held();
        for (url, is_permitted) in [
            ("http://127.0.0.1:8765/health", false),
            ("http://localhost:8765/", false),
            ("http://a.localhost:8765/", false),
            ("http://0.0.0.0:8765/", false),
            ("http://0x7f.1:8765/", false),
            ("http://[::ffff:127.0.0.1]:8765/", false),
            ("http://x:y@127.0.0.1:8765/", false),
            ("http://far.test:9222/json/version", false),
            ("http://FAR.test.:9222/json/version", false),
            ("http://localhost:9222/json/version", false),
            ("http://[::1]:9222/json/version", false),
            ("http://127.0.0.1:8766/", true),
            ("http://far.test/", true),
            ("https://other.test:9222/", true),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(judge.permits(url.as_str()), is_permitted, "{url}");
            let is_held = held.iter().any(|it| is_like(it, url.as_str()));
            assert!(is_held || is_permitted, "{url} is not held");
        }
        assert!(!held.iter().any(|it| is_like(it, "https://example.com/")));
        assert!(matches!(
            gate.verdict("far.test", 9222),
            Some(Outcome::Denied(_))
        ));
    }

    #[test]
    fn a_service_that_listens_everywhere_is_held_by_its_port() {
        let held = |own: &str| {
            let policy = Policy::default();
            policy.deny_addresses.add(own.parse().unwrap());
            Gate::far(policy, &CancellationToken::new()).judge().held()
        };
        assert!(held("0.0.0.0:8765").contains(&"*:8765*".to_owned()));
        assert!(held("10.1.2.3:8765").contains(&"*10.1.2.3*".to_owned()));
        // A URL does not name such a port.
        assert_eq!(held("[::]:443"), ["*"]);
    }
}
