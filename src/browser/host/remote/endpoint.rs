//! Where a remote browser's debugging socket is: an address that is one, or that tells one.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::super::super::error::{Error, Far};

/// Longest answer read, bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// What a DevTools address is asked for.
const VERSION: &str = "json/version";

/// What a DevTools address says of its browser.
#[derive(Debug, Deserialize)]
struct Version {
    #[serde(rename = "webSocketDebuggerUrl")]
    socket: String,
}

/// A client that follows nobody elsewhere: what it sends may hold a key.
pub(super) fn client(connect_within: Duration, within: Duration) -> Option<Client> {
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(connect_within)
        .timeout(within)
        .build();
    client
        .inspect_err(|error| tracing::warn!(%error, "no client for the remote browser"))
        .ok()
}

/// The debugging socket that an address is, or tells of.
pub(super) async fn socket(http: &Client, address: &str) -> Result<Url, Error> {
    let url =
        Url::parse(address).map_err(|_| Error::far(Far::Senseless, "the address of a browser"))?;
    if let Some(socket) = in_query(&url) {
        return Ok(socket);
    }
    match url.scheme() {
        "ws" | "wss" => Ok(url),
        _ => {
            let version: Version =
                answer(http.get(version(&url)), "ask where its socket is").await?;
            told(&url, &version.socket)
                .ok_or_else(|| Error::far(Far::Senseless, "ask where its socket is"))
        }
    }
}

/// The socket that a page of developer tools names in its own address.
fn in_query(url: &Url) -> Option<Url> {
    let is_page = matches!(url.scheme(), "http" | "https");
    let named = url
        .query_pairs()
        .find(|(name, _)| name == "wss" || name == "ws");
    let (scheme, rest) = named.filter(|_| is_page)?;
    Url::parse(&format!("{scheme}://{rest}")).ok()
}

fn version(url: &Url) -> Url {
    let mut url = url.clone();
    if !url.path().ends_with(VERSION) {
        let path = format!("{}/{VERSION}", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    url
}

/// The socket as it was told. A browser behind TLS does not know that it is.
fn told(asked: &Url, socket: &str) -> Option<Url> {
    let mut socket = Url::parse(socket).ok()?;
    let is_same = socket.host_str() == asked.host_str();
    if asked.scheme() == "https" && socket.scheme() == "ws" && is_same {
        let port = asked.port_or_known_default();
        socket.set_scheme("wss").ok()?;
        socket.set_port(port).ok()?;
    }
    matches!(socket.scheme(), "ws" | "wss").then_some(socket)
}

/// Sends a request, and reads its answer, of which not too much is read.
pub(super) async fn answer<T: DeserializeOwned>(
    request: RequestBuilder,
    operation: &'static str,
) -> Result<T, Error> {
    let bytes = sent(request, operation).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::far(Far::Senseless, operation).because(error))
}

/// Sends a request that is to succeed, and reads its answer.
pub(super) async fn sent(
    request: RequestBuilder,
    operation: &'static str,
) -> Result<Vec<u8>, Error> {
    // The address may hold a key of its own.
    let unreachable = |error: reqwest::Error| {
        Error::far(Far::Unreachable, operation).because(error.without_url())
    };
    let mut answer: Response = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    let far = match status.as_u16() {
        200..=299 => None,
        401 | 403 => Some(Far::Denied),
        402 | 429 => Some(Far::Full),
        404 => Some(Far::Missing),
        400..=499 => Some(Far::Refused),
        _ => Some(Far::Unreachable),
    };
    if let Some(far) = far {
        return Err(Error::far(far, operation).because(format!("HTTP {}", status.as_u16())));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Error::far(Far::Senseless, operation));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_devtools_address_is_asked_where_it_keeps_that() {
        for (address, asked) in [
            ("http://h:9222", "http://h:9222/json/version"),
            ("http://h:9222/", "http://h:9222/json/version"),
            ("https://h/json/version", "https://h/json/version"),
            (
                "https://h/far?token=t",
                "https://h/far/json/version?token=t",
            ),
        ] {
            assert_eq!(version(&url(address)).as_str(), asked);
        }
    }

    #[test]
    fn behind_tls_the_socket_is_too() {
        let of = |asked: &str, socket: &str| told(&url(asked), socket).map(String::from);
        let plain = of("http://h:9222/", "ws://h:9222/devtools/browser/1");
        assert_eq!(plain.unwrap(), "ws://h:9222/devtools/browser/1");
        let tls = of("https://h/", "ws://h/devtools/browser/1");
        assert_eq!(tls.unwrap(), "wss://h/devtools/browser/1");
        let other = of("https://h/", "ws://inner:1/devtools/browser/1");
        assert_eq!(other.unwrap(), "ws://inner:1/devtools/browser/1");
        assert_eq!(of("https://h/", "http://h/"), None);
    }

    #[test]
    fn the_address_of_a_page_of_developer_tools_names_its_socket() {
        let page =
            url("https://www.example.com/devtools/inspector.html?wss=c.example.com/debug/1/x");
        assert_eq!(
            in_query(&page).unwrap().as_str(),
            "wss://c.example.com/debug/1/x"
        );
        assert_eq!(in_query(&url("wss://c.example.com/?wss=x")), None);
    }
}
