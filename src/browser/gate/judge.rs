//! What a browser asks for that is far away, judged by its URL: no connection of it passes here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use url::{Host, Url};

use super::Core;
use super::dial::Target;
use super::outcome::Outcome;
use crate::model::allowlist::{Denial, is_localhost};

/// Which requests of a browser are held, to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::browser) enum Held {
    /// All of them.
    All,
    /// Those to addresses that are refused by default.
    Metadata,
    /// None: nothing is refused.
    None,
}

/// Judges requests by their URLs, and remembers what it refuses, as a gate does.
#[derive(Debug, Clone)]
pub(in crate::browser) struct Judge(pub(super) Arc<Core>);

impl Judge {
    /// Which requests there is anything to judge of.
    pub(in crate::browser) fn held(&self) -> Held {
        let allowlist = &self.0.allowlist;
        match (allowlist.is_fence(), allowlist.denies_metadata()) {
            (true, _) => Held::All,
            (false, true) => Held::Metadata,
            (false, false) => Held::None,
        }
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
        let target = url.host_str().zip(url.port_or_known_default());
        let Some(target) = target.and_then(|(host, port)| Target::new(host, port)) else {
            return false;
        };
        if self.0.judge(&target).is_err() {
            return false;
        }
        let address: Option<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(IpAddr::from(address).to_canonical()),
            // The far machine's own, which has this service only where both are one.
            Some(Host::Domain(name)) if is_localhost(name) => Some(Ipv4Addr::LOCALHOST.into()),
            // Where a name leads there is not known here.
            Some(Host::Domain(_)) | None => None,
        };
        let Some(address) = address else { return true };
        let judged = self
            .0
            .judge_address(&target, SocketAddr::new(address, target.port));
        let refused = |denial: Denial| self.0.failed(&target, Outcome::Denied(denial));
        judged.map_err(refused).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::super::{Gate, OwnAddresses, Policy};
    use super::*;
    use crate::model::Allowlist;

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
        assert_eq!(judge.held(), Held::All);
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
        assert_eq!(judge.held(), Held::All);
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
        assert_eq!(gate.judge().held(), Held::Metadata);
        assert!(!gate.judge().permits("http://metadata.google.internal/"));
        assert!(gate.judge().permits("http://10.1.2.3/"));
    }
}
