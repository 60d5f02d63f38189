//! Recordings, as a session and as the directory has them.

use serde::Serialize;
use utoipa::ToSchema;

use super::ids::RecordingId;

/// Where a session's recording is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// The file grows.
    Recording,
    /// The file is complete.
    Finished,
    /// It ended in order, and no picture had come: there is no file. `reason` says so.
    Empty,
    /// It ended before it was meant to; `reason` says why, and what was written stays playable.
    Failed,
}

impl RecordingState {
    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Finished => "finished",
            Self::Empty => "empty",
            Self::Failed => "failed",
        }
    }
}

/// A session's recording: the one under way, or the last one.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RecordingStatus {
    /// UUID.
    #[schema(value_type = String)]
    pub recording_id: RecordingId,
    /// Where it is in its life.
    pub state: RecordingState,
    /// ISO 8601, UTC.
    pub started_at: String,
    /// How long it is, seconds.
    pub duration_s: f64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Pictures in it.
    pub frames: u64,
    /// The file's name, as `/recordings/{file}` takes it.
    pub file: String,
    /// Where the file is on the service's machine.
    pub path: String,
    /// Why it ended, where nobody asked for it.
    pub reason: Option<String>,
}

/// What is known of a file by looking at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// It is being written.
    Recording,
    /// It is complete.
    Finished,
    /// Its service was killed: playable up to then, without chapters.
    Unfinished,
}

/// A file of the recordings' directory.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RecordingFile {
    /// Its name, as `/recordings/{file}` takes it.
    pub file: String,
    /// Whether it is complete.
    pub state: FileState,
    /// Its size.
    pub bytes: u64,
    /// When it was written last; ISO 8601, UTC.
    pub modified_at: String,
}
