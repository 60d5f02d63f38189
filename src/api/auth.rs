//! From where one may call: the Origin, and the Host.

use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Version, header};

use super::Doors;
use super::place::Place;
use crate::error::Error;

/// Whether a request may have been made from where it comes, and is meant for the service.
pub(super) fn check(doors: &Doors, request: &Request) -> Result<(), Error> {
    let server = &doors.config.server;
    let headers = request.headers();
    let place = Place::of(server, headers, request.extensions());
    let public = place.origin();
    let called = authority(request)?;
    origin(headers, called, &server.allowed_origins, public.as_deref())?;
    let is_open = server.listen.ip().is_loopback() && doors.access.is_open();
    host(request, is_open, place.host())
}

/// The name that the service was called by, as [`authority`] has found it.
pub(super) fn host_of(parts: &Parts) -> Option<&str> {
    let host = parts.headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    host.or(parts.uri.authority().map(Authority::as_str))
}

/// The one name that the service is called by: HTTP/2 says it in the request's own URI, HTTP/1.1 must say
/// it, once (RFC 9112, 3.2).
fn authority(request: &Request) -> Result<&str, Error> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    let said = host.and_then(|host| host.to_str().ok());
    let said = said.or(request.uri().authority().map(Authority::as_str));
    match (said.filter(|host| !host.is_empty()), second) {
        (Some(host), None) => Ok(host),
        (None, None) if request.version() < Version::HTTP_11 => Ok(""),
        _ => Err(
            Error::invalid_input("the request names no host, or several")
                .hint("Send one Host header."),
        ),
    }
}

/// A browser's request must come from our own pages or from an allowed origin: else any web page
/// could drive the browsers of whoever visits it. `public` is the origin of our own pages outside.
fn origin(
    headers: &HeaderMap,
    host: &str,
    allowed: &[String],
    public: Option<&str>,
) -> Result<(), Error> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return not_from_elsewhere(headers);
    };
    let origin = origin.to_str().unwrap_or_default();
    let own = origin
        .split_once("://")
        .is_some_and(|(_, authority)| authority == host);
    if own || public == Some(origin) || allowed.iter().any(|other| other == origin) {
        return Ok(());
    }
    Err(Error::forbidden("this origin may not call the service")
        .hint("Add it to server.allowed_origins."))
}

/// A page of another site can send GETs without an Origin, by an image for instance; browsers say
/// so in Sec-Fetch-Site (W3C Fetch Metadata). Following a link to us is no such request.
fn not_from_elsewhere(headers: &HeaderMap) -> Result<(), Error> {
    let is = |name: &str, values: &[&str]| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| values.contains(&value))
    };
    if is("sec-fetch-site", &["cross-site", "same-site"]) && !is("sec-fetch-mode", &["navigate"]) {
        return Err(
            Error::forbidden("a page of another site may not call the service")
                .hint("Call it from its own pages, or add the origin to server.allowed_origins."),
        );
    }
    Ok(())
}

/// On loopback without a token, the Host must be loopback too: else a name that a web page
/// controls could be pointed here. `public` is the operator's own name for it.
fn host(request: &Request, is_open: bool, public: Option<&str>) -> Result<(), Error> {
    let headers = request.headers().get(header::HOST);
    // HTTP/2 says it in the request's own URI.
    let authority = request.uri().authority().map(Authority::as_str);
    let host = headers
        .and_then(|host| host.to_str().ok())
        .or(authority)
        .unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = name == "localhost"
        || name.ends_with(".localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback());
    let is_public =
        public.is_some_and(|public| public.trim_matches(['[', ']']).eq_ignore_ascii_case(name));
    if !is_open || host.is_empty() || is_loopback || is_public {
        return Ok(());
    }
    Err(
        Error::forbidden("this host name does not belong to the service")
            .hint("Use 127.0.0.1 or localhost, or set server.token."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_our_own_pages_call() {
        let from = |origin: &str| {
            let headers = headers(&[(header::ORIGIN, origin)]);
            super::origin(
                &headers,
                "127.0.0.1:8765",
                &["https://app.example.com".to_owned()],
                Some("https://b.test"),
            )
            .is_ok()
        };
        assert!(from("http://127.0.0.1:8765") && from("https://app.example.com"));
        assert!(from("https://b.test") && !from("http://b.test"));
        assert!(!from("http://127.0.0.1:1") && !from("https://evil.test") && !from("null"));
    }

    #[test]
    fn other_sites_cannot_hide_behind_a_missing_origin() {
        let fetch = |site: &str, mode: &str| {
            let name = |name| header::HeaderName::from_static(name);
            let headers = headers(&[
                (name("sec-fetch-site"), site),
                (name("sec-fetch-mode"), mode),
            ]);
            super::origin(&headers, "h", &[], None).is_ok()
        };
        assert!(fetch("same-origin", "cors") && fetch("none", "navigate"));
        assert!(fetch("cross-site", "navigate") && !fetch("cross-site", "no-cors"));
        assert!(super::origin(&HeaderMap::new(), "h", &[], None).is_ok());
    }

    #[test]
    fn a_request_has_one_host() {
        let named = |hosts: &[&str], version| {
            let mut request = Request::builder().version(version).uri("/");
            for host in hosts {
                request = request.header(header::HOST, *host);
            }
            let request = request.body(axum::body::Body::empty()).unwrap();
            super::authority(&request).map(str::to_owned).ok()
        };
        assert_eq!(named(&["a"], Version::HTTP_11).as_deref(), Some("a"));
        assert_eq!(named(&[], Version::HTTP_11), None);
        assert_eq!(named(&["a", "b"], Version::HTTP_11), None);
        assert_eq!(named(&[], Version::HTTP_10).as_deref(), Some(""));
        let by_uri = Request::builder()
            .version(Version::HTTP_2)
            .uri("http://a:1/");
        let by_uri = by_uri.body(axum::body::Body::empty()).unwrap();
        assert_eq!(super::authority(&by_uri).ok(), Some("a:1"));
    }

    #[test]
    fn rebound_names_are_refused() {
        let ask = |request: Request| super::host(&request, true, Some("b.test")).is_ok();
        let to = |host: &str| {
            let request = Request::builder().header(header::HOST, host);
            ask(request.body(axum::body::Body::empty()).unwrap())
        };
        assert!(to("127.0.0.1:8765") && to("localhost") && to("[::1]:8765"));
        assert!(to("b.test") && to("B.test:443"));
        assert!(!to("evil.test:8765") && !to("192.168.1.5"));
        let by_uri = |uri: &str| {
            let request = Request::builder().uri(uri);
            ask(request.body(axum::body::Body::empty()).unwrap())
        };
        assert!(by_uri("http://127.0.0.1:8765/") && !by_uri("http://evil.test:8765/"));
    }
}
