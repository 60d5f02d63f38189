//! One pattern of an allowlist: which hosts it names, and on which port. The table of forms is in
//! [`super::allowlist`].

use std::net::Ipv6Addr;

use url::Host;

use super::allowlist::canonical_host;

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Pattern {
    pub(super) hosts: Hosts,
    /// `None` for every port.
    pub(super) port: Option<u16>,
}

/// The hosts that a pattern names, in their canonical spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Hosts {
    /// `*`.
    All,
    /// `*.name`: everything below a domain.
    Below(String),
    /// A name or an address.
    One(String),
}

/// What is wrong with one pattern.
#[derive(Debug, thiserror::Error)]
pub(super) enum PatternError {
    #[error("it is empty")]
    Empty,
    #[error("only http:// and https:// may stand before the host")]
    Scheme,
    #[error("it has a path, a query or a user name, and only hosts and ports are restricted")]
    MoreThanAHost,
    #[error("\"*\" stands alone or as the whole first label, as in *.example.com")]
    Wildcard,
    #[error("the port is not a number from 1 to 65535")]
    Port,
    #[error("it has no valid host name or address")]
    Host,
}

impl Pattern {
    pub(super) fn parse(pattern: &str) -> Result<Self, PatternError> {
        let (host, port) = split_pattern(pattern)?;
        if host == "*" {
            return Ok(Self {
                hosts: Hosts::All,
                port,
            });
        }
        let (wildcard, name) = match host.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, host),
        };
        if name.contains('*') {
            return Err(PatternError::Wildcard);
        }
        let hosts = match (canonical_host(name).ok_or(PatternError::Host)?, wildcard) {
            (Host::Domain(name), true) => Hosts::Below(name),
            (Host::Ipv4(_) | Host::Ipv6(_), true) => return Err(PatternError::Wildcard),
            (host, false) => Hosts::One(host.to_string()),
        };
        Ok(Self { hosts, port })
    }

    /// What both patterns name; `None` for nothing.
    pub(super) fn common(&self, other: &Self) -> Option<Self> {
        let port = match (self.port, other.port) {
            (None, port) | (port, None) => port,
            (Some(one), Some(two)) => (one == two).then_some(Some(one))?,
        };
        let hosts = self.hosts.common(&other.hosts)?;
        Some(Self { hosts, port })
    }
}

impl Hosts {
    /// Whether a host in its canonical spelling is among them.
    pub(super) fn has(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Below(domain) => is_below(host, domain),
            Self::One(name) => host == name,
        }
    }

    fn common(&self, other: &Self) -> Option<Self> {
        let narrower = match (self, other) {
            (Self::All, narrower) | (narrower, Self::All) => narrower,
            (Self::One(one), Self::One(two)) => (one == two).then_some(self)?,
            (Self::One(name), Self::Below(domain)) => is_below(name, domain).then_some(self)?,
            (Self::Below(domain), Self::One(name)) => is_below(name, domain).then_some(other)?,
            (Self::Below(one), Self::Below(two)) if one == two || is_below(one, two) => self,
            (Self::Below(one), Self::Below(two)) => is_below(two, one).then_some(other)?,
        };
        Some(narrower.clone())
    }
}

/// Whether a host is a name below a domain. An address is below none: domains that end like one are
/// no names.
fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain)
        .is_some_and(|rest| rest.ends_with('.'))
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.hosts {
            Hosts::All => f.write_str("*")?,
            Hosts::Below(name) => write!(f, "*.{name}")?,
            Hosts::One(name) => f.write_str(name)?,
        }
        match self.port {
            None => Ok(()),
            Some(port) => write!(f, ":{port}"),
        }
    }
}

/// Splits a pattern into its host and its port, and refuses whatever else is in it.
fn split_pattern(pattern: &str) -> Result<(&str, Option<u16>), PatternError> {
    let (rest, default_port) = match pattern.split_once("://") {
        None => (pattern, None),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (rest, Some(443)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (rest, Some(80)),
        Some(_) => return Err(PatternError::Scheme),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() {
        return Err(PatternError::Empty);
    }
    if rest.contains(['/', '\\', '?', '#', '@']) {
        return Err(PatternError::MoreThanAHost);
    }
    if rest.parse::<Ipv6Addr>().is_ok() || rest.ends_with(']') {
        return Ok((rest, default_port));
    }
    let Some((host, digits)) = rest.rsplit_once(':') else {
        return Ok((rest, default_port));
    };
    match digits.parse::<u16>() {
        Ok(port) if port > 0 && !digits.starts_with('+') => Ok((host, Some(port))),
        _ => Err(PatternError::Port),
    }
}
