//! The remote browser.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::model::{BrowserWish, RemoteFence, Secret};

/// The remote browser: any endpoint of the DevTools protocol, or a provider's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Remote {
    /// Which browser serves a session whose request does not say.
    pub browser: BrowserWish,
    /// `ws://`, `wss://`, or the `http(s)://` address whose `/json/version` tells one; empty for none. It may
    /// hold a token: its scheme, host and port are told, and nothing else of it.
    pub endpoint: Secret,
    /// Browserbase's key, used where there is no endpoint; empty for none.
    pub api_key: Secret,
    /// Browserbase's project.
    pub project_id: String,
    /// Base URL of Browserbase's REST interface.
    pub base_url: String,
    /// What is added to the body by which a session is made there, vendor's options for instance.
    pub session_body: Map<String, Value>,
    /// What is added to the body by which a context is made there.
    pub context_body: Map<String, Value>,
    /// What is added to the body by which a session is given back there.
    pub release_body: Map<String, Value>,
    /// What a session's fence has to be there.
    pub fence: RemoteFence,
    /// A connection is there within this time, milliseconds.
    pub connect_timeout_ms: u64,
    /// A command is answered within this time, milliseconds.
    pub command_timeout_ms: u64,
    /// A directory of the far machine for what pages download; empty to refuse downloads there.
    pub downloads_dir: String,
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            browser: BrowserWish::Auto,
            endpoint: Secret::default(),
            api_key: Secret::default(),
            project_id: String::new(),
            base_url: "https://api.browserbase.com/v1".to_owned(),
            session_body: Map::new(),
            context_body: Map::new(),
            release_body: Map::new(),
            fence: RemoteFence::Intercept,
            connect_timeout_ms: 5_000,
            command_timeout_ms: 30_000,
            downloads_dir: String::new(),
        }
    }
}

impl Remote {
    /// Whether there is a remote browser to fall back to.
    pub fn is_configured(&self) -> bool {
        !self.endpoint.is_empty() || !self.api_key.is_empty() && !self.project_id.is_empty()
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        // The message repeats nothing of it: an endpoint may hold a token.
        let endpoint = url::Url::parse(self.endpoint.reveal());
        let is_endpoint = endpoint.is_ok_and(|url| {
            matches!(url.scheme(), "ws" | "wss" | "http" | "https") && url.host_str().is_some()
        });
        if !self.endpoint.is_empty() && !is_endpoint {
            return Err(
                Error::invalid_input("remote.endpoint is not the address of a browser").hint(
                    "It begins with ws:// or wss://, or with http:// or https:// where /json/version tells it.",
                ),
            );
        }
        let base = url::Url::parse(&self.base_url);
        if !base.is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            return Err(Error::invalid_input("remote.base_url is not a URL")
                .hint("Write it as \"https://api.browserbase.com/v1\"."));
        }
        if self.connect_timeout_ms == 0 || self.command_timeout_ms == 0 {
            return Err(Error::invalid_input(
                "remote.connect_timeout_ms and remote.command_timeout_ms must be at least 1",
            ));
        }
        if self.browser == BrowserWish::Remote && !self.is_configured() {
            return Err(Error::invalid_input(
                "remote.browser is \"remote\", and there is no remote browser",
            )
            .hint(
                "Set remote.endpoint, or BROWSERBASE_API_KEY and BROWSERBASE_PROJECT_ID, or take \
                         \"auto\".",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_endpoint_is_refused_and_not_repeated() {
        for endpoint in ["browser.example.com?token=4711", "ftp://h/4711", "ws://"] {
            let remote = Remote {
                endpoint: endpoint.to_owned().into(),
                ..Remote::default()
            };
            let error = remote.check().unwrap_err();
            assert!(!error.message.contains("4711"), "{error}");
        }
        for endpoint in [
            "ws://127.0.0.1:9222/devtools/browser/x",
            "https://h?token=x",
        ] {
            let remote = Remote {
                endpoint: endpoint.to_owned().into(),
                ..Remote::default()
            };
            assert!(remote.check().is_ok() && remote.is_configured());
        }
    }

    #[test]
    fn a_key_alone_is_no_remote_browser() {
        let mut remote = Remote {
            api_key: "k".to_owned().into(),
            ..Remote::default()
        };
        assert!(!remote.is_configured());
        remote.project_id = "p".to_owned();
        assert!(remote.is_configured());
    }
}
