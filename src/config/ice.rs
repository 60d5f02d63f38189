//! Servers that help viewers to find a way to the video: STUN and TURN (RFC 8489, RFC 8656).

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::Secret;

/// The schemes of RFC 7064 and RFC 7065.
const SCHEMES: [&str; 4] = ["stun", "stuns", "turn", "turns"];

/// One server, as WHEP tells its viewers of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IceServer {
    /// Where it is, such as `turn:turn.example.org?transport=udp`.
    pub url: String,
    /// Who comes; TURN asks for it.
    pub username: String,
    /// What proves it.
    pub credential: Secret,
}

impl IceServer {
    pub(super) fn check(&self) -> Result<(), Error> {
        let (scheme, rest) = self.url.split_once(':').unwrap_or_default();
        let is_plain = |text: &str| {
            text.chars()
                .all(|c| c.is_ascii_graphic() && !"\"<>\\".contains(c))
        };
        if !SCHEMES.contains(&scheme) || rest.is_empty() || !is_plain(rest) {
            let wrong = format!(
                "\"{}\" in rtc.ice_servers is no STUN or TURN server",
                self.url
            );
            return Err(Error::invalid_input(wrong).hint(
                "Write url = \"stun:HOST[:PORT]\" or \"turn:HOST[:PORT]?transport=udp|tcp\".",
            ));
        }
        let is_turn = scheme.starts_with("turn");
        let has_both = !self.username.is_empty() && !self.credential.is_empty();
        if is_turn && !has_both {
            let lacks = format!(
                "\"{}\" in rtc.ice_servers lacks its username or credential",
                self.url
            );
            return Err(
                Error::invalid_input(lacks).hint("A TURN server lets nobody through without both.")
            );
        }
        match is_plain(&self.username) && is_plain(self.credential.reveal()) {
            true => Ok(()),
            false => Err(Error::invalid_input(format!(
                "the username or credential of \"{}\" in rtc.ice_servers cannot stand in a header",
                self.url
            ))
            .hint("Use visible ASCII without quotation marks.")),
        }
    }

    /// The server as a link of an answer (RFC 9725 §4.6).
    pub fn link(&self) -> String {
        let mut link = format!("<{}>; rel=\"ice-server\"", self.url);
        if !self.username.is_empty() {
            link += &format!(
                "; username=\"{}\"; credential=\"{}\"; credential-type=\"password\"",
                self.username,
                self.credential.reveal()
            );
        }
        link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str, username: &str, credential: &str) -> IceServer {
        IceServer {
            url: url.to_owned(),
            username: username.to_owned(),
            credential: Secret::from(credential.to_owned()),
        }
    }

    #[test]
    fn servers_are_told_as_links() {
        let stun = server("stun:stun.example.org", "", "");
        stun.check().unwrap();
        assert_eq!(stun.link(), "<stun:stun.example.org>; rel=\"ice-server\"");
        let turn = server("turn:turn.example.org?transport=tcp", "me", "word");
        turn.check().unwrap();
        assert_eq!(
            turn.link(),
            "<turn:turn.example.org?transport=tcp>; rel=\"ice-server\"; username=\"me\"; \
             credential=\"word\"; credential-type=\"password\""
        );
    }

    #[test]
    fn what_no_viewer_could_use_is_refused() {
        for (url, username, credential) in [
            ("", "", ""),
            ("http://turn.example.org", "", ""),
            ("stun:", "", ""),
            ("stun:a b", "", ""),
            ("turn:turn.example.org", "", ""),
            ("turn:turn.example.org", "me", ""),
            ("turn:turn.example.org", "me\"", "word"),
            ("turn:turn.example.org>; rel=\"x\"", "me", "word"),
        ] {
            server(url, username, credential).check().unwrap_err();
        }
    }
}
