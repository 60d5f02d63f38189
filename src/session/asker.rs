//! Who asks for something, as far as the door that they came by knows.

use std::net::IpAddr;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

tokio::task_local! {
    /// Who the request that is being answered came from.
    static CURRENT: Asker;
}

/// The protocol by which somebody came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// HTTP.
    Rest,
    /// Model Context Protocol, by any of its transports.
    Mcp,
    /// gRPC.
    Grpc,
    /// LiveKit: somebody in the room.
    Room,
    /// None: the service does it by itself, as it opens a session's first page.
    Service,
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Asker {
    /// How they came.
    pub door: Door,
    /// Where they are, as they or a trusted proxy say it.
    pub address: Option<IpAddr>,
    /// What their program calls itself.
    pub program: Option<String>,
    /// What the token is called that they came with; of one in the room, what it knows them by.
    pub token: Option<String>,
    /// What the links hang on that they have made.
    pub lending: Lending,
    /// The seat of a person who drives; none for agents.
    pub seat: Option<String>,
    /// What the request is called by which they ask, where it was one.
    pub request_id: Option<String>,
}

/// What the links hang on that somebody has made.
#[derive(Debug, Clone)]
pub struct Lending {
    /// The service's address as they wrote it, with a slash at the end.
    pub base: Option<String>,
    /// Their links are good no more when this is cancelled.
    pub until: CancellationToken,
    /// Whether what they came with lasts for longer than one request.
    pub may_lend: bool,
}

impl Default for Lending {
    fn default() -> Self {
        Self {
            base: None,
            until: CancellationToken::new(),
            may_lend: true,
        }
    }
}

impl Asker {
    /// The service itself.
    pub(super) fn service() -> Self {
        Self {
            door: Door::Service,
            address: None,
            program: None,
            token: None,
            lending: Lending::default(),
            seat: None,
            request_id: None,
        }
    }

    /// Does something for them: what it asks of sessions is told to be theirs.
    pub async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }

    /// Whom the current task works for.
    pub(super) fn current() -> Self {
        let current = CURRENT.try_with(Self::clone);
        current.unwrap_or_else(|_| Self::service())
    }
}
