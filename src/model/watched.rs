//! How a session is seen: by whom, and how well.

use serde::Serialize;
use utoipa::ToSchema;

/// Who watches a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Viewers {
    /// WHEP viewers.
    pub whep: u32,
    /// Whether anybody in the LiveKit room subscribes to the video.
    pub livekit: bool,
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
