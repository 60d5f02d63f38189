//! [`Server`]: where a TURN server is and how it is spoken to, by its address (RFC 7065).

use crate::model::Secret;

/// How a TURN server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By datagrams.
    Udp,
    /// By a connection.
    Tcp,
    /// By a connection that nobody reads.
    Tls,
}

/// A server that relays media, and what it lets us through for.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    pub(super) way: Way,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) username: String,
    pub(super) credential: Secret,
}

impl Server {
    /// The server of an address such as `turns:relay.example.org:443?transport=tcp`; `None` for what relays nothing, such as
    /// `stun:`, or is spoken to in a way that we do not know.
    pub fn parse(url: &str, username: &str, credential: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once(':')?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let transport = query.strip_prefix("transport=");
        let (way, usual_port) = match (scheme, transport) {
            ("turn", None | Some("udp")) => (Way::Udp, PORT),
            ("turn", Some("tcp")) => (Way::Tcp, PORT),
            ("turns", None | Some("tcp")) => (Way::Tls, PORT_TLS),
            _ => return None,
        };
        let (host, port) = match place
            .strip_prefix('[')
            .and_then(|in_it| in_it.split_once(']'))
        {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => match place.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let port = port.map_or(Some(usual_port), |port| port.parse().ok())?;
        (!host.is_empty()).then(|| Self {
            way,
            host: host.to_owned(),
            port,
            username: username.to_owned(),
            credential: Secret::from(credential.to_owned()),
        })
    }
}

/// The ports of RFC 8656 §17, without TLS and with it.
const PORT: u16 = 3478;
const PORT_TLS: u16 = 5349;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let parsed = |url| {
            let server = Server::parse(url, "me", "open")?;
            Some((server.way, server.host, server.port))
        };
        let is = |way, host: &str, port| Some((way, host.to_owned(), port));
        assert_eq!(parsed("turn:a.example"), is(Way::Udp, "a.example", 3478));
        assert_eq!(
            parsed("turn:a.example:99?transport=udp"),
            is(Way::Udp, "a.example", 99)
        );
        assert_eq!(
            parsed("turn:[2001:db8::1]:99?transport=tcp"),
            is(Way::Tcp, "2001:db8::1", 99)
        );
        assert_eq!(parsed("turns:a.example"), is(Way::Tls, "a.example", 5349));
        assert_eq!(
            parsed("turns:[::1]?transport=tcp"),
            is(Way::Tls, "::1", 5349)
        );
        for other in [
            "stun:a.example",
            "turn:",
            "turn:a.example:many",
            "turn:a.example?transport=sctp",
            "turns:a.example?transport=udp",
            "http://a.example",
            "",
        ] {
            assert_eq!(parsed(other), None, "{other}");
        }
    }
}
