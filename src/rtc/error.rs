//! What may go wrong with a peer, and why a connection is over.

use std::net::SocketAddr;

use str0m::error::{IceError, RtcError, SdpError};

/// What may go wrong on the way to a connection, or on it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The remote description is longer than [`super::peer::SDP_BYTES_MAX`].
    #[error("the session description is too long")]
    TooLong,
    /// The remote description is not SDP.
    #[error("the session description does not parse")]
    Parse {
        /// What the parser says.
        #[source]
        source: SdpError,
    },
    /// The offer has no video section that can receive H.264.
    #[error("the offer has no video section that receives H.264")]
    NoVideo,
    /// The remote description parses but cannot be agreed to.
    #[error("the session description cannot be negotiated")]
    Negotiate {
        /// What the engine says.
        #[source]
        source: RtcError,
    },
    /// An address cannot be a candidate.
    #[error("{address} cannot be advertised")]
    LocalCandidate {
        /// The address.
        address: SocketAddr,
        /// What the engine says.
        #[source]
        source: IceError,
    },
    /// A remote candidate does not parse.
    #[error("the remote candidate does not parse")]
    RemoteCandidate {
        /// What the engine says.
        #[source]
        source: IceError,
    },
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// The peer closed it.
    #[error("closed by the peer")]
    Closed,
    /// No answer on the path any more.
    #[error("the network path to the peer is gone")]
    Path,
    /// The engine gave up.
    #[error("the connection failed")]
    Failed {
        /// What the engine says.
        #[source]
        source: RtcError,
    },
    /// The two ends agreed on no H.264 payload type.
    #[error("no common H.264 payload type")]
    NoCodec,
}
