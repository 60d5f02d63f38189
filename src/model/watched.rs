//! How a session is seen: by whom, and how well.

use serde::Serialize;
use utoipa::ToSchema;

use super::ViewerId;

/// Who watches a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Viewers {
    /// WHEP viewers.
    pub whep: u32,
    /// Whether anybody in the LiveKit room subscribes to the video.
    pub livekit: bool,
}

/// One way by which a session's video goes out, as it is seen at this moment.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ViewerInfo {
    /// Who is at its end.
    pub kind: ViewerKind,
    /// The id of a WHEP viewer; null of the LiveKit server.
    #[schema(value_type = Option<String>)]
    pub viewer_id: Option<ViewerId>,
    /// Whether video can flow.
    pub connected: bool,
    /// How it travels; null before the first packet.
    pub route: Option<Route>,
    /// The address and port at the other end; null before the first packet.
    pub remote: Option<String>,
    /// The shortest round trip of the last half minute, milliseconds; null before it is known.
    pub rtt_ms: Option<f64>,
    /// The share of packets lost in the last moments, 0 to 1.
    pub loss: f64,
    /// Bits a second that the way is found to carry: of a page at rest, what was proven so far. Null when the
    /// other side reports nothing.
    pub estimate_bps: Option<u64>,
    /// Whether the way was found full in the last moments.
    pub path_full: bool,
    /// What is sent of each layer, as far as anything was.
    pub layers: Vec<LayerSent>,
    /// Packets that were sent again.
    pub packets_repaired: u64,
    /// Keyframes that the other side has asked for.
    pub keyframes_asked: u64,
    /// Pictures, and packets, that found no place on the way out.
    pub dropped: u64,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ViewerKind {
    /// A viewer by WHEP.
    Whep,
    /// The LiveKit server, for all who subscribe in the room.
    Livekit,
}

/// How packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// By UDP.
    Udp,
    /// In a TCP connection.
    Tcp,
    /// By a TURN server, where neither led there.
    Relay,
}

/// What is sent of one layer of the picture.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LayerSent {
    /// `full`, or `low`: half as wide and half as high.
    #[schema(value_type = String)]
    pub layer: &'static str,
    /// Pictures a second over the last two.
    pub fps: f64,
    /// Pictures since the connection began.
    pub pictures_sent: u64,
}

/// The LiveKit side of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LiveKitStatus {
    /// The session was started without LiveKit.
    #[default]
    None,
    /// Joining.
    Connecting,
    /// In the room, the track published.
    Connected,
    /// Lost, trying again.
    Reconnecting,
    /// Given up; `recover` tries again.
    Failed,
}

impl LiveKitStatus {
    /// Whether the room was reached once and is not now.
    pub const fn is_lost(self) -> bool {
        matches!(self, Self::Reconnecting | Self::Failed)
    }
}

/// The video over the last second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct VideoStats {
    /// Pictures encoded in the last second.
    pub fps: f64,
    /// Bits sent to each viewer in the last second.
    pub bitrate_bps: u64,
    /// Pictures encoded since the start.
    pub frames_encoded: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Viewers whose way carries far less than others', so that they get half the size.
    pub low_viewers: u32,
}

impl ViewerKind {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whep => "whep",
            Self::Livekit => "livekit",
        }
    }
}

impl Route {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Relay => "relay",
        }
    }
}
