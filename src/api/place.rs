//! Where callers find the service, and where they call from: as the operator says (`server.public_url`),
//! as a proxy says that the operator trusts (`server.trusted_proxies`), or as the connection has it.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, HeaderName, header};
use url::Url;

use crate::config;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What is known of a request's way here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The service's address outside, where it has another one than it listens on; its path ends in a
    /// slash.
    public: Option<Url>,
    /// The caller's own address.
    pub(super) client: Option<IpAddr>,
}

impl Place {
    /// The place of a request with these headers, come over a connection that `extensions` tell of.
    pub(super) fn of(
        server: &config::Server,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Self {
        let peer = extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(peer)| peer.ip().to_canonical());
        Self::read(server, headers, peer)
    }

    /// The place of a caller who came by none of the service's sockets.
    pub(super) fn unasked(server: &config::Server) -> Self {
        Self::read(server, &HeaderMap::new(), None)
    }

    fn read(server: &config::Server, headers: &HeaderMap, peer: Option<IpAddr>) -> Self {
        let trusted = &server.trusted_proxies;
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        let told = match peer {
            Some(peer) if is_trusted(peer) => forwarded(headers, &is_trusted),
            _ => Told::default(),
        };
        let public = match server.public_url.is_empty() {
            false => Url::parse(&server.public_url).ok().map(as_folder),
            true => told.base(headers),
        };
        Self {
            public,
            client: told.client.or(peer),
        }
    }

    /// The origin of the service's own pages, where it is known to be another than the Host says.
    pub(super) fn origin(&self) -> Option<String> {
        Some(self.public.as_ref()?.origin().ascii_serialization())
    }

    /// The host outside, without its port.
    pub(super) fn host(&self) -> Option<&str> {
        self.public.as_ref()?.host_str()
    }

    /// Where a path of the service is found, for a `Location`: whole where the address outside is
    /// known, and else the path itself.
    pub(super) fn location(&self, path: &[&str]) -> String {
        let relative = match &self.public {
            Some(public) => public.clone(),
            None => match Url::parse("http://service/") {
                Ok(url) => url,
                Err(_) => return String::new(),
            },
        };
        let url = join(relative, path);
        match self.public.is_some() {
            true => url.to_string(),
            false => url.path().to_owned(),
        }
    }

    /// The service's address, with a slash at the end; `fallback` is the authority where the address
    /// outside is not known.
    pub(super) fn base(&self, fallback: &str) -> Option<String> {
        match &self.public {
            Some(public) => Some(public.to_string()),
            None => Some(Url::parse(&format!("http://{fallback}/")).ok()?.into()),
        }
    }

    /// The WebSocket of a path; `fallback` is the authority where the address outside is not known.
    pub(super) fn socket(&self, fallback: &str, path: &[&str]) -> Option<String> {
        let base = match &self.public {
            Some(public) => public.clone(),
            None => Url::parse(&format!("http://{fallback}/")).ok()?,
        };
        let mut url = join(base, path);
        let scheme = match url.scheme() {
            "https" => "wss",
            _ => "ws",
        };
        url.set_scheme(scheme).ok()?;
        Some(url.to_string())
    }
}

/// The URL with a path that ends in a slash.
fn as_folder(mut url: Url) -> Url {
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push("");
    }
    url
}

fn join(mut base: Url, path: &[&str]) -> Url {
    if let Ok(mut segments) = base.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    base
}

/// What a proxy tells of the request that it passes on.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    client: Option<IpAddr>,
    proto: Option<String>,
    host: Option<String>,
}

impl Told {
    /// The service's address as the caller wrote it.
    fn base(&self, headers: &HeaderMap) -> Option<Url> {
        if self.proto.is_none() && self.host.is_none() {
            return None;
        }
        let scheme = match self
            .proto
            .as_deref()
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            Some("https" | "wss") => "https",
            Some("http" | "ws") | None => "http",
            Some(_) => return None,
        };
        let own = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let host = self.host.as_deref().or(own)?;
        let url = Url::parse(&format!("{scheme}://{host}/")).ok()?;
        // A host is a host and a port, and nothing else.
        let is_plain = url.path() == "/"
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        is_plain.then_some(url)
    }
}

/// Reads what the nearest proxies tell. Each adds to the right of what came, and only what was added by
/// a trusted one counts: so the lists are read from the right, as far as trusted proxies reach.
fn forwarded(headers: &HeaderMap, is_trusted: &dyn Fn(IpAddr) -> bool) -> Told {
    let is_proxy = |address: Option<IpAddr>| address.is_some_and(is_trusted);
    let elements = list(headers, &header::FORWARDED);
    if !elements.is_empty() {
        let mut chosen = Told::default();
        for element in elements.iter().rev() {
            chosen = element_of(element);
            if !is_proxy(chosen.client) {
                break;
            }
        }
        return chosen;
    }
    let clients: Vec<Option<IpAddr>> = list(headers, &FORWARDED_FOR)
        .iter()
        .map(|text| address_of(text))
        .collect();
    let passed = clients.iter().rev().take_while(|client| is_proxy(**client));
    let skip = passed.count().min(clients.len().saturating_sub(1));
    let nth = |name: &HeaderName| {
        let mut values = list(headers, name);
        let at = values.len().checked_sub(1)?.saturating_sub(skip);
        Some(values.swap_remove(at)).filter(|value| !value.is_empty())
    };
    let mut host = nth(&FORWARDED_HOST);
    if let (Some(host), Some(port)) = (&mut host, nth(&FORWARDED_PORT))
        && !host
            .trim_end_matches(|c: char| c.is_ascii_digit())
            .ends_with(':')
        && port.parse::<u16>().is_ok()
    {
        host.push(':');
        host.push_str(&port);
    }
    let at = clients.len().checked_sub(1 + skip);
    Told {
        client: at.and_then(|at| clients[at]),
        proto: nth(&FORWARDED_PROTO),
        host,
    }
}

/// One element of `Forwarded` (RFC 7239).
fn element_of(element: &str) -> Told {
    let mut told = Told::default();
    for pair in split(element, ';') {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        let value = unquoted(value.trim());
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => told.client = address_of(&value),
            "proto" => told.proto = Some(value),
            "host" => told.host = Some(value),
            _ => (),
        }
    }
    told
}

/// An address, with or without brackets and port; `None` for a name that a proxy made up.
fn address_of(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None if text.matches(':').count() == 1 => text.split(':').next().unwrap_or_default(),
        None => text,
    };
    bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// All members of a header that is a list, in one line or in several.
fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    texts
        .flat_map(|text| split(text, ','))
        .map(|member| member.trim().to_owned())
        .collect()
}

/// Splits at a sign that stands outside quotes.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(|c| {
        if is_escaped {
            is_escaped = false;
        } else if is_quoted && c == '\\' {
            is_escaped = true;
        } else if c == '"' {
            is_quoted = !is_quoted;
        }
        c == at && !is_quoted
    })
    .collect()
}

fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    inner.map_or_else(|| value.to_owned(), |inner| inner.replace('\\', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        map
    }

    fn behind(proxies: &[&str], public_url: &str) -> config::Server {
        config::Server {
            trusted_proxies: proxies.iter().map(|text| text.parse().unwrap()).collect(),
            public_url: public_url.to_owned(),
            ..config::Server::default()
        }
    }

    fn events(server: &config::Server, peer: &str, pairs: &[(&str, &str)]) -> String {
        let peer = peer.parse().ok();
        let place = Place::read(server, &headers(pairs), peer);
        place
            .socket("own:8765", &["mcp", "events", "a room"])
            .unwrap()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let server = behind(&["127.0.0.1", "10.0.0.0/8"], "");
        let right = "wss://b.test/mcp/events/a%20room";
        let own = "ws://own:8765/mcp/events/a%20room";
        let https = ("x-forwarded-proto", "https");
        for (peer, told, expected) in [
            (
                "127.0.0.1",
                &[("forwarded", "for=1.2.3.4;proto=https;host=b.test")][..],
                right,
            ),
            ("127.0.0.1", &[https, ("x-forwarded-host", "b.test")], right),
            (
                "::ffff:127.0.0.1",
                &[https, ("x-forwarded-host", "b.test")],
                right,
            ),
            ("127.0.0.1", &[https, ("host", "b.test")], right),
            ("192.0.2.1", &[https, ("x-forwarded-host", "b.test")], own),
            ("", &[https, ("x-forwarded-host", "b.test")], own),
            ("127.0.0.1", &[], own),
            ("127.0.0.1", &[https, ("x-forwarded-host", "u@b.test")], own),
            ("127.0.0.1", &[https, ("x-forwarded-host", "b.test/x")], own),
            (
                "127.0.0.1",
                &[("x-forwarded-proto", "gopher"), ("host", "b.test")],
                own,
            ),
            // What the caller itself wrote stands to the left.
            (
                "127.0.0.1",
                &[(
                    "forwarded",
                    "proto=http;host=evil.test, for=1.2.3.4;proto=https;host=b.test",
                )],
                right,
            ),
            // A second trusted proxy, nearer to us, has added its own.
            (
                "127.0.0.1",
                &[
                    ("forwarded", "for=1.2.3.4;proto=https;host=b.test"),
                    ("forwarded", "for=\"10.1.1.1:5\";proto=http;host=inner"),
                ],
                right,
            ),
            (
                "127.0.0.1",
                &[
                    ("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.1.1.1"),
                    ("x-forwarded-proto", "gopher, https, http"),
                    ("x-forwarded-host", "evil.test, b.test, inner"),
                ],
                right,
            ),
        ] {
            assert_eq!(events(&server, peer, told), expected, "{peer} {told:?}");
        }
        let port = [
            https,
            ("x-forwarded-host", "b.test"),
            ("x-forwarded-port", "8443"),
        ];
        let found = events(&server, "127.0.0.1", &port);
        assert_eq!(found, "wss://b.test:8443/mcp/events/a%20room");
    }

    #[test]
    fn the_operators_word_comes_first() {
        let server = behind(&["127.0.0.1"], "https://b.test/ghost");
        let told = [
            ("x-forwarded-host", "c.test"),
            ("x-forwarded-for", "1.2.3.4"),
        ];
        let peer = "127.0.0.1".parse().ok();
        let place = Place::read(&server, &headers(&told), peer);
        assert_eq!(place.origin().as_deref(), Some("https://b.test"));
        assert_eq!(
            place.location(&["whep", "x", "1"]),
            "https://b.test/ghost/whep/x/1"
        );
        assert_eq!(place.client, "1.2.3.4".parse().ok());
        let unknown = Place::read(&behind(&[], ""), &headers(&told), peer);
        assert_eq!(unknown.location(&["whep", "x", "1"]), "/whep/x/1");
        assert_eq!((unknown.origin(), unknown.client), (None, peer));
    }

    #[test]
    fn elements_are_read_with_their_quotes() {
        let told = element_of(r#"For="[2001:db8::1]:47";proto=https;by=x;host="a\.test:8443""#);
        assert_eq!(told.client, "2001:db8::1".parse().ok());
        assert_eq!(told.host.as_deref(), Some("a.test:8443"));
        assert_eq!(split(r#"a="x,y";b, c"#, ','), [r#"a="x,y";b"#, " c"]);
        assert_eq!(element_of("for=_hidden, x").client, None);
    }
}
