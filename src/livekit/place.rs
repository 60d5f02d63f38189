//! Whether two addresses of LiveKit servers are the same server's: what decides where a token that
//! is signed with the service's own key may be sent.

use url::{Position, Url};

/// Whether both addresses lead to one server by one way. `http` stands for `ws`, as in LiveKit's own
/// tools; the host's case, a port that is the scheme's own and a slash at the end make no difference.
/// Whatever else differs is another server, and so is what cannot be read.
pub fn is_same(one: &str, other: &str) -> bool {
    match (canonical(one), canonical(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// The one spelling under which addresses are compared; `None` for what is no server's address.
fn canonical(text: &str) -> Option<String> {
    let mut url = Url::parse(text.trim()).ok()?;
    let scheme = match url.scheme() {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return None,
    };
    url.set_scheme(scheme).ok()?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let host = url.host_str().filter(|host| !host.is_empty())?;
    let host = host.strip_suffix('.').unwrap_or(host);
    let port = url.port_or_known_default()?;
    let path = url[Position::BeforePath..Position::AfterPath].trim_end_matches('/');
    is_plain.then(|| format!("{scheme}://{host}:{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn spellings_of_one_server_are_the_same_and_all_else_is_not() {
        for (one, other) in [
            ("ws://127.0.0.1:7880", "ws://127.0.0.1:7880/"),
            (
                "wss://Project.LiveKit.cloud",
                "wss://project.livekit.cloud:443",
            ),
            (
                "wss://project.livekit.cloud",
                "https://project.livekit.cloud./",
            ),
            ("ws://livekit.test", "http://livekit.test:80"),
            ("wss://a.test/livekit/", "wss://a.test/livekit"),
        ] {
            assert!(is_same(one, other) && is_same(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("ws://127.0.0.1:7880", "ws://127.0.0.1:7881"),
            ("wss://a.test", "ws://a.test"),
            ("wss://a.test", "wss://b.a.test"),
            ("wss://a.test", "wss://a.test.evil.test"),
            ("wss://a.test", "wss://a.test@evil.test"),
            ("wss://a.test", "wss://evil@a.test"),
            ("wss://a.test", "wss://a.test/other"),
            ("wss://a.test", "wss://a.test/?to=evil.test"),
            ("wss://a.test", "wss://a.test/#x"),
            ("ftp://a.test", "ftp://a.test"),
            ("", ""),
            ("no url", "no url"),
        ] {
            assert!(
                !is_same(one, other) && !is_same(other, one),
                "{one} {other}"
            );
        }
    }
}
