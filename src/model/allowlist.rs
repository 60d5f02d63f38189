//! Which hosts a session's browser may reach: the session's patterns and the default denials.
//!
//! Pure: it judges names, ports and addresses and never resolves anything. `browser::gate` asks
//! it for every request that leaves the browser; `navigate` asks it beforehand, so that a refused
//! URL is answered at once and with a reason.
//!
//! # Patterns
//!
//! | pattern | matches |
//! | --- | --- |
//! | `example.com` | that host and no subdomain of it |
//! | `*.example.com` | every subdomain at any depth, and not `example.com` itself |
//! | `192.0.2.7`, `[2001:db8::1]` | that address, however it is spelled |
//! | `*` | every host |
//!
//! Each may end in `:port`; without one, every port matches. A leading `https://` or `http://`
//! stands for that scheme's port (443 or 80) where none is given, and says nothing else: the host
//! is what is restricted. Names are compared in lower case, in their ASCII (IDNA) form, without
//! the trailing dot. A path, a user name, another scheme, or a `*` elsewhere is an error. An
//! empty list restricts nothing.
//!
//! The operator may have a list as well. A session's own can only narrow it: what holds is what
//! both permit ([`narrowed`]).

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

use super::networks::{is_metadata_address, is_private_address};
use super::patterns::{Hosts, Pattern};
use super::session::limits;
use crate::error::{Error, ErrorKind};

/// Characters of a refused URL that are repeated in the message; a `data:` URL may be megabytes.
const TARGET_CHARS_MAX: usize = 200;

/// Names under which cloud platforms serve credentials to whoever asks from inside. Their
/// addresses are refused anyway; refusing the names too saves a lookup and gives a clear reason.
const METADATA_NAMES: [&str; 3] = [
    "metadata.google.internal",
    "metadata.goog",
    "instance-data.ec2.internal",
];

/// Wildcards, of which at least one is in each URL that leads to such a name or address, whatever stands before
/// its host: for who can hold only what a pattern names, and judges what is held. Any address of IPv6 may have
/// one of IPv4 in it.
pub const METADATA_PATTERNS: [&str; 7] = [
    "*169.254.*",
    "*100.100.100.200*",
    "*168.63.129.16*",
    "*192.0.0.192*",
    "*metadata.*",
    "*instance-data.*",
    "*://*[*",
];

/// Words that are a scheme and no host name, even where digits follow the colon (`tel:112`).
const KNOWN_SCHEMES: [&str; 16] = [
    "about",
    "blob",
    "chrome",
    "data",
    "devtools",
    "file",
    "filesystem",
    "ftp",
    "http",
    "https",
    "javascript",
    "mailto",
    "sms",
    "tel",
    "view-source",
    "ws",
];

/// A parsed list of host patterns. The default restricts nothing but the default denials.
#[derive(Debug, Clone, Default)]
pub struct Allowlist {
    restricted: bool,
    anywhere: Ports,
    /// Patterns without a wildcard, by canonical host.
    exact: HashMap<String, Ports>,
    /// Wildcard patterns, by the canonical domain below which they match.
    below: HashMap<String, Ports>,
    metadata_permitted: bool,
    private_blocked: bool,
}

/// The ports one pattern's host may be reached on. The default is none.
#[derive(Debug, Clone, Default)]
struct Ports {
    any: bool,
    only: Vec<u16>,
}

impl Ports {
    fn add(&mut self, port: Option<u16>) {
        match port {
            None => self.any = true,
            Some(port) => self.only.push(port),
        }
    }

    fn contains(&self, port: u16) -> bool {
        self.any || self.only.contains(&port)
    }
}

/// Why something may not be reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Denial {
    /// The rule that refuses it.
    pub rule: DenialRule,
    /// What was refused: `host:port` or, when it names no host, the URL.
    pub target: String,
}

/// The rules that refuse a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DenialRule {
    /// No pattern of the session's `allowed_domains` matches.
    NotListed,
    /// A cloud metadata service, or a link-local address where such services live.
    Metadata,
    /// An address of this machine or of a private network, while those are blocked.
    PrivateNetwork,
    /// A scheme that reads local files, runs script or reaches into the browser itself.
    Scheme,
    /// An address of the service itself.
    ServiceAddress,
    /// The text is not a URL.
    NotAUrl,
}

impl DenialRule {
    /// A stable name, for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotListed => "not_listed",
            Self::Metadata => "metadata",
            Self::PrivateNetwork => "private_network",
            Self::Scheme => "scheme",
            Self::ServiceAddress => "service_address",
            Self::NotAUrl => "not_a_url",
        }
    }
}

impl Denial {
    /// A denial of `target` by `rule`.
    pub fn new(rule: DenialRule, target: &str) -> Self {
        Self {
            rule,
            target: shorten(target),
        }
    }

    /// One sentence: what the caller can do next.
    pub fn hint(&self) -> String {
        match self.rule {
            DenialRule::NotListed => format!(
                "Go to a host that allowed_domains lists, or start the session with a pattern \
                 that matches {}.",
                self.target
            ),
            DenialRule::Metadata => {
                "Use another address; only the operator of the service can permit this one."
                    .to_owned()
            }
            DenialRule::PrivateNetwork => {
                "Go to a public address; block_private_networks holds for this session.".to_owned()
            }
            DenialRule::Scheme => "Use an http:// or https:// URL.".to_owned(),
            DenialRule::ServiceAddress => {
                "Call the service's API directly; pages do not reach it.".to_owned()
            }
            DenialRule::NotAUrl => "Give an absolute URL such as https://example.com/.".to_owned(),
        }
    }
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let target = &self.target;
        match self.rule {
            DenialRule::NotListed => write!(f, "{target} is not in the session's allowed_domains"),
            DenialRule::Metadata => write!(
                f,
                "{target} is a cloud metadata or link-local address, which is refused"
            ),
            DenialRule::PrivateNetwork => write!(
                f,
                "{target} is an address of this machine or of a private network, which is refused"
            ),
            DenialRule::Scheme => write!(f, "{target} has a scheme that is refused"),
            DenialRule::ServiceAddress => {
                write!(
                    f,
                    "{target} is the service itself, which pages may not reach"
                )
            }
            DenialRule::NotAUrl => write!(f, "{target:?} is not a URL"),
        }
    }
}

impl From<Denial> for Error {
    fn from(denial: Denial) -> Self {
        let kind = match denial.rule {
            DenialRule::NotAUrl => ErrorKind::InvalidInput,
            DenialRule::NotListed
            | DenialRule::Metadata
            | DenialRule::PrivateNetwork
            | DenialRule::Scheme
            | DenialRule::ServiceAddress => ErrorKind::Forbidden,
        };
        Self::new(kind, denial.to_string()).hint(denial.hint())
    }
}

impl Allowlist {
    /// Parses the patterns of one session; the error names the first bad one.
    pub fn parse(patterns: &[String]) -> Result<Self, Error> {
        let mut list = Self {
            restricted: !patterns.is_empty(),
            ..Self::default()
        };
        for pattern in parsed(patterns)? {
            list.add(pattern);
        }
        Ok(list)
    }

    /// The same list, with every address refused that is not public: this machine, private and
    /// link-local networks. No pattern lifts that.
    #[must_use]
    pub fn block_private_networks(mut self) -> Self {
        self.private_blocked = true;
        self
    }

    /// The same list without the default denial of metadata and link-local addresses: for
    /// operators whose own services live there, never for callers.
    #[must_use]
    pub fn permit_metadata(mut self) -> Self {
        self.metadata_permitted = true;
        self
    }

    /// Whether there is any pattern at all.
    pub fn is_restricted(&self) -> bool {
        self.restricted
    }

    /// Whether more is refused than by default.
    pub fn is_fence(&self) -> bool {
        self.restricted || self.private_blocked
    }

    /// Whether metadata and link-local addresses are refused.
    pub fn denies_metadata(&self) -> bool {
        !self.metadata_permitted
    }

    /// Whether the patterns match `host` on `port`. Default denials are not part of this; see
    /// [`Self::verdict`].
    pub fn allows(&self, host: &str, port: u16) -> bool {
        !self.restricted || canonical_host(host).is_some_and(|host| self.matches(&host, port))
    }

    /// The verdict on a request to `host` on `port`, before the name is resolved.
    pub fn verdict(&self, host: &str, port: u16) -> Result<(), Denial> {
        let target = || format!("{host}:{port}");
        let Some(canonical) = canonical_host(host) else {
            return Err(Denial::new(DenialRule::NotAUrl, &target()));
        };
        if !self.metadata_permitted && is_metadata_host(&canonical) {
            return Err(Denial::new(DenialRule::Metadata, &target()));
        }
        if self.restricted && !self.matches(&canonical, port) {
            return Err(Denial::new(DenialRule::NotListed, &target()));
        }
        if self.private_blocked && is_private_host(&canonical) {
            return Err(Denial::new(DenialRule::PrivateNetwork, &target()));
        }
        Ok(())
    }

    /// The verdict on an address that a name resolved to: the default denials only, since the
    /// patterns speak of names.
    pub fn address_verdict(&self, address: IpAddr) -> Result<(), Denial> {
        if !self.metadata_permitted && is_metadata_address(address) {
            return Err(Denial::new(DenialRule::Metadata, &address.to_string()));
        }
        if self.private_blocked && is_private_address(address) {
            let target = address.to_string();
            return Err(Denial::new(DenialRule::PrivateNetwork, &target));
        }
        Ok(())
    }

    /// Reads what a caller wants to navigate to and judges it.
    ///
    /// A bare host gets `https://`; localhost, an IP address or a `host:port` gets `http://`.
    /// Of the schemes without a host only `about:blank` and `data:` pass. Navigate to the URL
    /// that is returned and not to `text`: it is the one that was judged.
    pub fn url_verdict(&self, text: &str) -> Result<Url, Denial> {
        let Some(url) = read_url(text) else {
            return Err(Denial::new(DenialRule::NotAUrl, text.trim()));
        };
        match (url.scheme(), url.host_str(), url.port_or_known_default()) {
            ("http" | "https", Some(host), Some(port)) => {
                self.verdict(host, port)?;
                Ok(url)
            }
            ("about", None, _) if url.path() == "blank" => Ok(url),
            ("data", None, _) => Ok(url),
            _ => Err(Denial::new(DenialRule::Scheme, url.as_str())),
        }
    }

    fn matches(&self, host: &Host, port: u16) -> bool {
        let name = host.to_string();
        if self.anywhere.contains(port) || has(&self.exact, &name, port) {
            return true;
        }
        matches!(host, Host::Domain(_))
            && name
                .match_indices('.')
                .any(|(dot, _)| has(&self.below, &name[dot + 1..], port))
    }

    fn add(&mut self, pattern: Pattern) {
        let Pattern { hosts, port } = pattern;
        match hosts {
            Hosts::All => self.anywhere.add(port),
            Hosts::Below(name) => self.below.entry(name).or_default().add(port),
            Hosts::One(name) => self.exact.entry(name).or_default().add(port),
        }
    }
}

/// The patterns of what both lists permit: a caller's own and the operator's. An empty list restricts
/// nothing, so two lists that have nothing in common are an error and no empty list.
pub fn narrowed(own: &[String], outer: &[String]) -> Result<Vec<String>, Error> {
    let (own_parsed, outer_parsed) = (parsed(own)?, parsed(outer)?);
    if outer.is_empty() || own.is_empty() {
        return Ok([own, outer].concat());
    }
    let mut seen = HashSet::new();
    let mut common = Vec::new();
    for (pattern, text) in own_parsed.iter().zip(own) {
        let shared = outer_parsed
            .iter()
            .filter_map(|outer| pattern.common(outer));
        let shared: Vec<Pattern> = shared.collect();
        if shared.contains(pattern) {
            // All of it is permitted, so it is told as it was written.
            if seen.insert(pattern.clone()) {
                common.push(text.clone());
            }
            continue;
        }
        for pattern in shared {
            if !seen.contains(&pattern) {
                common.push(pattern.to_string());
                seen.insert(pattern);
            }
        }
        if common.len() > limits::ALLOWED_DOMAINS {
            return Err(Error::invalid_input(
                "allowed_domains, narrowed by the service's own list, has too many patterns",
            )
            .hint("Name fewer hosts."));
        }
    }
    if common.is_empty() {
        let shown: Vec<&str> = outer.iter().take(8).map(String::as_str).collect();
        return Err(Error::forbidden(
            "allowed_domains has nothing that the service itself permits",
        )
        .hint(format!("The service permits {}.", shown.join(", "))));
    }
    Ok(common)
}

fn parsed(patterns: &[String]) -> Result<Vec<Pattern>, Error> {
    let parse = |text: &String| {
        Pattern::parse(text.trim()).map_err(|problem| {
            let shown = shorten(text);
            Error::invalid_input(format!(
                "allowed_domains has a bad pattern, {shown:?}: {problem}"
            ))
            .hint(
                "Use a host (example.com), a wildcard (*.example.com), an IP address or *, each \
                 with an optional :port.",
            )
            .source(problem)
        })
    };
    patterns.iter().map(parse).collect()
}

/// The one spelling of a host under which it is compared: lower case, IDNA, no trailing dot;
/// numbers in any base as an IPv4 address; IPv4 out of its IPv6 mapping. `None` for what is no
/// host at all.
pub fn canonical_host(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(host_of_address(address.into()));
    }
    match Host::parse(text).ok()? {
        Host::Domain(mut name) => {
            if name.ends_with('.') {
                name.pop();
            }
            let whole = name.split('.').all(|label| !label.is_empty());
            whole.then_some(Host::Domain(name))
        }
        Host::Ipv4(address) => Some(Host::Ipv4(address)),
        Host::Ipv6(address) => Some(host_of_address(address.into())),
    }
}

fn host_of_address(address: IpAddr) -> Host {
    match address.to_canonical() {
        IpAddr::V4(address) => Host::Ipv4(address),
        IpAddr::V6(address) => Host::Ipv6(address),
    }
}

fn has(patterns: &HashMap<String, Ports>, name: &str, port: u16) -> bool {
    patterns.get(name).is_some_and(|ports| ports.contains(port))
}

fn is_metadata_host(host: &Host) -> bool {
    match host {
        Host::Domain(name) => METADATA_NAMES.contains(&name.as_str()),
        Host::Ipv4(address) => is_metadata_address((*address).into()),
        Host::Ipv6(address) => is_metadata_address((*address).into()),
    }
}

fn is_private_host(host: &Host) -> bool {
    match host {
        Host::Domain(name) => is_localhost(name),
        Host::Ipv4(address) => is_private_address((*address).into()),
        Host::Ipv6(address) => is_private_address((*address).into()),
    }
}

/// Reads a URL as people write it. `None` when it cannot be read as one.
fn read_url(text: &str) -> Option<Url> {
    // A URL parser drops these wherever they stand; dropping them first keeps this reading and
    // the parser's the same one.
    let text = text.trim().replace(['\t', '\n', '\r'], "");
    if let Some((before, after)) = text.split_once(':')
        && is_scheme(before)
        && (!is_port(after) || is_known_scheme(before))
    {
        return Url::parse(&text).ok();
    }
    let rest = text.strip_prefix("//").unwrap_or(&text);
    if rest.is_empty() || rest.starts_with(['/', '\\', '?', '#', '.']) {
        return None;
    }
    let secure = Url::parse(&format!("https://{rest}")).ok()?;
    let plain = Url::parse(&format!("http://{rest}")).ok()?;
    let local = match secure.host()? {
        Host::Domain(name) => is_localhost(name),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    };
    // Without an explicit port both URLs have none; with one, at least one of them keeps it.
    match (secure.port(), plain.port()) {
        (_, Some(443)) => Some(secure),
        (None, None) if !local => Some(secure),
        _ => Some(plain),
    }
}

/// Whether a canonical name is `localhost` or below it, which is this machine by RFC 6761.
pub fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn is_known_scheme(text: &str) -> bool {
    KNOWN_SCHEMES
        .iter()
        .any(|scheme| scheme.eq_ignore_ascii_case(text))
}

/// Whether what follows a colon starts with a port.
fn is_port(text: &str) -> bool {
    let port = text.split(['/', '?', '#']).next().unwrap_or_default();
    !port.is_empty() && port.len() <= 5 && port.chars().all(|c| c.is_ascii_digit())
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(TARGET_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Whether a text is what a wildcard stands for.
#[cfg(test)]
pub(crate) fn is_like(wildcard: &str, text: &str) -> bool {
    let mut rest = text;
    wildcard
        .split('*')
        .filter(|part| !part.is_empty())
        .all(|part| {
            let found = rest.find(part);
            rest = found.map_or("", |at| &rest[at + part.len()..]);
            found.is_some()
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(patterns: &[&str]) -> Allowlist {
        let patterns: Vec<String> = patterns.iter().map(|&p| p.to_owned()).collect();
        Allowlist::parse(&patterns).unwrap()
    }

    #[test]
    fn patterns_match_the_hosts_they_name_and_no_more() {
        let cases: &[(&str, &str, u16, bool)] = &[
            ("example.com", "example.com", 443, true),
            ("example.com", "example.com", 8080, true),
            ("example.com", "EXAMPLE.com.", 443, true),
            ("Example.COM.", "example.com", 443, true),
            ("example.com", "www.example.com", 443, false),
            ("example.com", "badexample.com", 443, false),
            ("example.com", "example.com.evil", 443, false),
            ("example.com", "example.com@evil", 443, false),
            ("*.example.com", "a.example.com", 443, true),
            ("*.example.com", "a.b.c.example.com", 443, true),
            ("*.example.com", "A.Example.com.", 443, true),
            ("*.example.com", "example.com", 443, false),
            ("*.example.com", ".example.com", 443, false),
            ("*.example.com", "badexample.com", 443, false),
            ("*.example.com", "a.badexample.com", 443, false),
            ("*.example.com", "a.example.com.evil", 443, false),
            ("*.example.com", "example.community", 443, false),
            ("example.com:8443", "example.com", 8443, true),
            ("example.com:8443", "example.com", 443, false),
            ("*.example.com:8443", "a.example.com", 8443, true),
            ("*.example.com:8443", "a.example.com", 443, false),
            ("https://example.com", "example.com", 443, true),
            ("https://example.com/", "example.com", 80, false),
            ("HTTP://example.com", "example.com", 80, true),
            ("http://example.com", "example.com", 443, false),
            ("http://localhost:3000", "localhost", 3000, true),
            ("http://localhost:3000", "localhost", 80, false),
            ("bücher.example", "xn--bcher-kva.example", 443, true),
            ("*.xn--bcher-kva.example", "a.BÜCHER.example", 443, true),
            ("192.0.2.7", "192.0.2.7", 80, true),
            ("192.0.2.7", "3221225991", 80, true),
            ("192.0.2.7", "0xc0000207", 80, true),
            ("192.0.2.7", "[::ffff:192.0.2.7]", 80, true),
            ("192.0.2.7", "192.0.2.70", 80, false),
            ("192.0.2.7", "192.0.2.7.evil.test", 80, false),
            ("[2001:db8::1]", "[2001:DB8:0::1]", 80, true),
            ("2001:db8::1", "[2001:db8::1]", 80, true),
            ("[2001:db8::1]:8080", "2001:db8::1", 8080, true),
            ("[2001:db8::1]:8080", "2001:db8::1", 80, false),
            ("*", "anything.test", 1, true),
            ("*", "192.0.2.7", 1, true),
            ("*:443", "anything.test", 443, true),
            ("*:443", "anything.test", 80, false),
            ("*.com", "example.com", 443, true),
        ];
        for &(pattern, host, port, expected) in cases {
            let allowed = list(&[pattern]).allows(host, port);
            assert_eq!(allowed, expected, "{pattern} against {host}:{port}");
        }
    }

    #[test]
    fn an_empty_list_restricts_nothing_and_several_patterns_add_up() {
        assert!(list(&[]).allows("anything.test", 1));
        assert!(!list(&[]).is_restricted());
        let both = list(&["a.test:80", "a.test:443", "*.b.test"]);
        assert!(both.is_restricted());
        for (host, port, expected) in [
            ("a.test", 80, true),
            ("a.test", 443, true),
            ("a.test", 8080, false),
            ("x.b.test", 8080, true),
        ] {
            assert_eq!(both.allows(host, port), expected, "{host}:{port}");
        }
    }

    fn texts(patterns: &[&str]) -> Vec<String> {
        patterns.iter().map(|&pattern| pattern.to_owned()).collect()
    }

    #[test]
    fn a_callers_list_only_narrows_the_operators() {
        for (own, outer, common) in [
            (&[][..], &["*.a.test"][..], &["*.a.test"][..]),
            (&["b.test"], &[], &["b.test"]),
            (&["X.a.test"], &["*.a.test"], &["X.a.test"]),
            (
                &["*"],
                &["*.a.test", "b.test:443"],
                &["*.a.test", "b.test:443"],
            ),
            (&["*:443"], &["*.a.test"], &["*.a.test:443"]),
            (
                &["*.x.a.test", "*.test"],
                &["*.a.test"],
                &["*.x.a.test", "*.a.test"],
            ),
            (
                &["https://a.test", "c.test"],
                &["a.test"],
                &["https://a.test"],
            ),
            (
                &["a.test"],
                &["a.test:80", "a.test:81"],
                &["a.test:80", "a.test:81"],
            ),
            (&["*.a.test", "*"], &["*.a.test"], &["*.a.test"]),
        ] {
            let found = narrowed(&texts(own), &texts(outer)).unwrap();
            assert_eq!(found, texts(common), "{own:?} in {outer:?}");
        }
        for (own, outer) in [
            ("b.test", "a.test"),
            ("a.test", "*.a.test"),
            ("*.a.test", "a.test"),
            ("a.test:80", "a.test:443"),
            ("bada.test", "*.a.test"),
            ("10.0.0.1", "*.0.0.1.test"),
        ] {
            let error = narrowed(&texts(&[own]), &texts(&[outer])).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Forbidden, "{own} in {outer}");
            assert!(error.hint.unwrap().contains(outer));
        }
    }

    #[test]
    fn private_networks_are_blocked_by_name_and_by_address() {
        let blocking = list(&["*"]).block_private_networks();
        for host in [
            "localhost",
            "app.localhost",
            "127.0.0.1",
            "[::1]",
            "10.1.2.3",
            "0",
        ] {
            let denial = blocking.verdict(host, 80).expect_err(host);
            assert_eq!(denial.rule, DenialRule::PrivateNetwork, "{host}");
            assert_eq!(list(&["*"]).verdict(host, 80), Ok(()), "{host}");
        }
        let inside = "192.168.1.1".parse().unwrap();
        assert!(blocking.address_verdict(inside).is_err());
        assert!(list(&["*"]).address_verdict(inside).is_ok());
        assert!(
            blocking
                .address_verdict("192.0.2.1".parse().unwrap())
                .is_ok()
        );
    }

    #[test]
    fn a_bad_pattern_is_named() {
        for pattern in [
            "",
            " ",
            "https://",
            "ftp://example.com",
            "example.com/path",
            "user@example.com",
            "example.com?x",
            "exam*ple.com",
            "*example.com",
            "a.*.example.com",
            "**.example.com",
            "*.*.example.com",
            "*.",
            "*.192.0.2.7",
            "example.com:0",
            "example.com:99999",
            "example.com:+80",
            "example.com:",
            ":80",
            ".example.com",
            "a..example.com",
            "exa mple.com",
            "[::1",
            "[::1]x",
        ] {
            let patterns = ["fine.test".to_owned(), pattern.to_owned()];
            let error = Allowlist::parse(&patterns).expect_err(pattern);
            assert_eq!(error.kind, ErrorKind::InvalidInput, "{pattern}");
            assert!(error.message.contains(&format!("{pattern:?}")), "{error}");
        }
    }

    #[test]
    fn metadata_is_refused_in_every_spelling_even_when_listed() {
        for list in [list(&[]), list(&["*", "169.254.169.254"])] {
            for host in [
                "169.254.169.254",
                "169.254.169.254.",
                "2852039166",
                "0xa9fea9fe",
                "0251.0376.0251.0376",
                "169.254.43518",
                "169.254.1.1",
                "[::ffff:169.254.169.254]",
                "[::ffff:a9fe:a9fe]",
                "[64:ff9b::a9fe:a9fe]",
                "[2002:a9fe:a9fe::1]",
                "[::a9fe:a9fe]",
                "[fd00:ec2::254]",
                "[fd20:ce::254]",
                "[fe80::a9fe:a9fe]",
                "100.100.100.200",
                "168.63.129.16",
                "metadata.google.internal",
                "Metadata.Google.Internal.",
                "１６９.254.169.254",
            ] {
                let denial = list.verdict(host, 80).expect_err(host);
                assert_eq!(denial.rule, DenialRule::Metadata, "{host}");
                assert!(list.url_verdict(&format!("http://{host}/")).is_err());
            }
            for host in ["169.253.0.1", "[::1]", "127.0.0.1", "[2001:db8::1]"] {
                assert_eq!(list.verdict(host, 80), Ok(()), "{host}");
            }
        }
        let permitted = list(&[]).permit_metadata();
        assert_eq!(permitted.verdict("169.254.169.254", 80), Ok(()));
    }

    #[test]
    fn each_refused_address_is_what_a_pattern_names() {
        let hosts = METADATA_NAMES.iter().copied().chain([
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "169.254.1.1",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::a9fe:a9fe]",
            "[2002:a9fe:a9fe::1]",
            "[::a9fe:a9fe]",
            "[::ffff:0:a9fe:a9fe]",
            "[fd00:ec2::254]",
            "[fd20:ce::254]",
            "[fe80::1]",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "Metadata.Google.Internal.",
        ]);
        for host in hosts {
            assert!(list(&[]).verdict(host, 80).is_err(), "{host}");
            for before in ["http://", "https://", "http://x@", "http://x:y@"] {
                // As a browser writes it, which is what patterns are held against.
                let url = Url::parse(&format!("{before}{host}:8080/latest")).unwrap();
                let is_held = METADATA_PATTERNS.iter().any(|it| is_like(it, url.as_str()));
                assert!(is_held, "{url}");
            }
        }
        assert!(
            !METADATA_PATTERNS
                .iter()
                .any(|it| is_like(it, "https://example.com/x"))
        );
    }

    #[test]
    fn urls_are_read_as_people_write_them() {
        for (text, expected) in [
            ("https://example.com/x?y#z", "https://example.com/x?y#z"),
            (" HTTP://Example.com ", "http://example.com/"),
            ("example.com", "https://example.com/"),
            ("example.com/x", "https://example.com/x"),
            ("//example.com/x", "https://example.com/x"),
            ("example.com/a:b", "https://example.com/a:b"),
            (
                "example.com?u=https://x.test",
                "https://example.com/?u=https://x.test",
            ),
            ("localhost", "http://localhost/"),
            ("app.localhost/x", "http://app.localhost/x"),
            ("localhost:3000/x", "http://localhost:3000/x"),
            ("example.com:8080", "http://example.com:8080/"),
            ("example.com:80", "http://example.com/"),
            ("example.com:443", "https://example.com/"),
            ("127.0.0.1", "http://127.0.0.1/"),
            ("127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
            ("[::1]:8080", "http://[::1]:8080/"),
            ("bücher.example", "https://xn--bcher-kva.example/"),
            ("about:blank", "about:blank"),
            ("data:text/html,hi", "data:text/html,hi"),
        ] {
            let url = list(&[]).url_verdict(text).expect(text);
            assert_eq!(url.as_str(), expected, "{text}");
        }
    }

    #[test]
    fn urls_that_may_not_be_opened_say_why() {
        use DenialRule::{Metadata, NotAUrl, NotListed, Scheme};
        for (text, rule) in [
            ("file:///etc/passwd", Scheme),
            ("FILE:/etc/passwd", Scheme),
            ("fi\nle:///etc/passwd", Scheme),
            ("chrome://version", Scheme),
            ("chrome-untrusted://x", Scheme),
            ("chrome-extension://abc/x", Scheme),
            ("devtools://devtools/x", Scheme),
            ("view-source:https://a.test", Scheme),
            ("javascript:alert(1)", Scheme),
            ("java\tscript:alert(1)", Scheme),
            ("javascript:1", Scheme),
            ("filesystem:https://a.test/x", Scheme),
            ("ftp://a.test", Scheme),
            ("blob:https://a.test/x", Scheme),
            ("ws://a.test", Scheme),
            ("about:settings", Scheme),
            ("user:secret@a.test", Scheme),
            ("http://b.test", NotListed),
            ("a.test.evil", NotListed),
            ("https://a.test@evil.test/", NotListed),
            ("https://evil.test\\@a.test/", NotListed),
            ("http://169.254.169.254/latest", Metadata),
            ("2852039166", Metadata),
            ("", NotAUrl),
            ("hello world", NotAUrl),
            ("/path", NotAUrl),
            ("https://", NotAUrl),
        ] {
            let denial = list(&["a.test"]).url_verdict(text).expect_err(text);
            assert_eq!(denial.rule, rule, "{text}");
            let error = Error::from(denial);
            assert!(error.hint.is_some_and(|hint| hint.ends_with('.')));
        }
    }

    fn some_pattern() -> impl Strategy<Value = String> {
        "(\\*|(\\*\\.)?(a\\.|b\\.){0,2}(test|a))(:1|:2)?"
    }

    proptest! {
        #[test]
        fn a_wildcard_matches_exactly_what_ends_in_it(
            host in "([a-z0-9-]{1,4}\\.){0,3}(\\.|x|ax|xx|b\\.x|-x)?\\.?(test|test\\.evil|testx)\\.?"
        ) {
            let allowed = list(&["*.x.test"]).allows(&host, 443);
            let name = host.strip_suffix('.').unwrap_or(&host);
            prop_assert!(!allowed || name.ends_with(".x.test"), "{host}");
            if let Some(Host::Domain(name)) = canonical_host(&host) {
                prop_assert_eq!(allowed, name.ends_with(".x.test"));
            }
        }

        #[test]
        fn what_is_narrowed_permits_what_both_permit_and_no_more(
            own in prop::collection::vec(some_pattern(), 1..4),
            outer in prop::collection::vec(some_pattern(), 1..4),
            host in "(a\\.|b\\.){0,2}(test|a)",
            port in 1u16..3,
        ) {
            let both = Allowlist::parse(&own).unwrap().allows(&host, port)
                && Allowlist::parse(&outer).unwrap().allows(&host, port);
            match narrowed(&own, &outer) {
                Ok(common) => {
                    let list = Allowlist::parse(&common).unwrap();
                    prop_assert!(list.is_restricted());
                    prop_assert_eq!(list.allows(&host, port), both);
                }
                Err(_) => prop_assert!(!both),
            }
        }

        #[test]
        fn nothing_that_is_typed_panics_or_slips_through(text in "\\PC{0,40}") {
            let list = list(&["*.x.test"]);
            list.allows(&text, 80);
            if let Ok(url) = list.url_verdict(&text) {
                prop_assert!(
                    ["about", "data"].contains(&url.scheme())
                        || url.host_str().is_some_and(|host| host.trim_end_matches('.').ends_with(".x.test"))
                );
            }
        }
    }
}
