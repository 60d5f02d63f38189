//! The nouns of the service. No I/O, no clock, nothing of any protocol.

pub mod address;
pub mod allowlist;
pub mod command;
pub mod connection;
pub mod control;
pub mod databases;
pub mod ended;
pub mod event;
pub mod geometry;
pub mod hand;
pub mod ids;
pub mod job;
mod kept;
pub mod keys;
pub(crate) mod likeness;
mod link;
mod masks;
mod networks;
pub mod note;
pub mod offer;
pub mod origins;
pub mod outcome;
mod patterns;
pub mod place;
pub mod progress;
pub mod reading;
pub mod recording;
mod scope;
pub mod secret;
pub mod secrets;
pub mod session;
pub mod sketch;
pub mod storage_state;
pub mod tab;
mod targets;
pub mod time;
pub mod wait;
pub mod watched;
pub(crate) mod words;

pub use allowlist::{Allowlist, Denial, DenialRule};
pub use command::{ActionErrorKind, ActionResult, Command};
pub use connection::{Connection, ConnectionStatus, Seen, VerifyOutcome};
pub use ended::{End, EndReason, EndedRecording, EndedSession, ViewersSeen};
pub use event::{Event, EventBody};
pub use geometry::{Device, Point, Size};
pub use ids::{RecordingId, RoomName, SessionId, SessionName, ViewerId};
pub use job::{
    Before, HumanAsk, Job, JobBatch, JobError, JobErrorKind, JobKind, JobProgress, JobState, Queue,
};
pub use kept::Kept;
pub use link::KeptLink;
pub use networks::Network;
pub use note::{Note, NoteStatus};
pub use outcome::{
    BlockedRequest, Change, Delivery, DialogInfo, DialogPolicy, DownloadInfo, DownloadState,
    Effect, EffectKind, HandledBy, Outcome, Rest, Retry, Struck,
};
pub use place::{BrowserPlace, BrowserWish, RemoteFence};
pub use progress::{ActionState, ActionStatus};
pub use reading::Unreadable;
pub use recording::{FileState, RecordingFile, RecordingState, RecordingStatus};
pub use scope::{Reach, Right, Scope};
pub use secret::Secret;
pub use secrets::Secrets;
pub use session::{SessionRecord, SessionSpec, SessionState};
pub use sketch::Sketch;
pub use storage_state::StorageState;
pub use tab::TabInfo;
pub use targets::{FAILED_JOBS, SPANS};
pub use time::UnixTime;
