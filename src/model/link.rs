//! What is kept of a link on disk: never its token.

use super::ids::SessionId;
use super::time::UnixTime;

/// A link to a kept session, as the registry has it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptLink {
    /// The SHA-256 of its token.
    pub digest: [u8; 32],
    /// The session.
    pub session: SessionId,
    /// Whether the session can be driven by it.
    pub is_for_driving: bool,
    /// Whether it was made for the dashboard, to watch there.
    pub is_share: bool,
    /// What whoever has it is called.
    pub name: Option<String>,
    /// Whether whoever drives by it does so privately.
    pub is_private: bool,
    /// Whether only the first who comes by it is let in.
    pub is_one_time: bool,
    /// Until when it is good.
    pub expires: UnixTime,
    /// By which token it was made: the SHA-256 of this link's digest and of that one's. None where the service
    /// had no tokens.
    pub maker: Option<[u8; 32]>,
}
