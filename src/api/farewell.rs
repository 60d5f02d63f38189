//! How a WebSocket ends: with a code that says why (RFC 6455, 7.4.1).

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use futures::{Sink, SinkExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;

/// How long the last frame may take: nobody may be there any more.
const PATIENCE: Duration = Duration::from_millis(500);

/// Why a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// The service ends.
    GoingAway,
    /// What let the caller in is good no more.
    NotLetIn,
    /// What came made no sense.
    ProtocolError,
    /// What came was too large.
    TooBig,
}

impl Farewell {
    /// What to answer to a frame that could not be read; `None` when the connection itself is gone.
    pub(super) fn of(error: axum::Error) -> Option<Self> {
        match error.into_inner().downcast_ref()? {
            tungstenite::Error::Capacity(_) => Some(Self::TooBig),
            tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_) => {
                Some(Self::ProtocolError)
            }
            _ => None,
        }
    }

    const fn code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::NotLetIn => 1008,
            Self::TooBig => 1009,
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::GoingAway => "the service ends",
            Self::NotLetIn => "the token is good no more",
            Self::ProtocolError => "the frame could not be read",
            Self::TooBig => "the frame is too large",
        }
    }

    /// Says so, as far as anybody listens.
    pub(super) async fn say(self, socket: &mut (impl Sink<Message> + Unpin)) {
        let frame = CloseFrame {
            code: self.code(),
            reason: Utf8Bytes::from_static(self.reason()),
        };
        let saying = socket.send(Message::Close(Some(frame)));
        let _ = timeout(PATIENCE, saying).await;
    }
}
