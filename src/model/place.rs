//! Where a session's browser runs: on this machine, or far away.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which browser is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BrowserWish {
    /// This machine's first, and the remote one where that cannot serve.
    #[default]
    Auto,
    /// This machine's, and no other.
    Local,
    /// The remote one, and no other.
    Remote,
}

/// Which browser serves a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BrowserPlace {
    /// One of this machine.
    #[default]
    Local,
    /// The remote one.
    Remote,
}

impl BrowserPlace {
    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
        }
    }
}

/// What a fence has to be in a remote browser, in whose way to the network nothing of ours can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemoteFence {
    /// What its pages ask for is held until it is judged; what cannot be held passes.
    #[default]
    Intercept,
    /// Nothing may pass: a session with a fence is not given to a remote browser.
    Strict,
}
