//! A note: a comment at a moment of a video, which a job posts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A note is posted from this confidence on.
pub const CONFIDENCE_MIN: f64 = 0.7;

/// How far a note is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteStatus {
    /// It is being written.
    #[default]
    Draft,
    /// It may be posted.
    Ready,
    /// A job posts it.
    Posting,
    /// It is on the platform.
    Posted,
    /// It could not be posted.
    Failed,
    /// It waits until its user has logged in.
    PendingAuth,
    /// It waits for what only a person can do.
    PendingHuman,
}

impl NoteStatus {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Ready => "ready",
            Self::Posting => "posting",
            Self::Posted => "posted",
            Self::Failed => "failed",
            Self::PendingAuth => "pending_auth",
            Self::PendingHuman => "pending_human",
        }
    }
}

/// A note, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// Its id.
    pub note_id: String,
    /// Whose it is.
    pub user_id: String,
    /// Where its video is.
    pub platform: String,
    /// The page of its video.
    pub video_url: String,
    /// The video, in the caller's own words.
    pub video_id: Option<String>,
    /// What it says.
    pub text: String,
    /// The moment of the video, seconds.
    pub timestamp: f64,
    /// How sure its writer is of it, 0 to 1.
    pub confidence: f64,
    /// How far it is.
    pub status: NoteStatus,
    /// Why it is not posted.
    pub error: Option<String>,
    /// When it was posted, ISO 8601, UTC.
    pub posted_at: Option<String>,
    /// What the platform calls it.
    pub platform_comment_id: Option<String>,
    /// Where it is to be seen.
    pub external_permalink: Option<String>,
}

impl Note {
    /// Why a job does not post it, if it does not: what has failed, or waits, may be tried again.
    pub fn objection_to_job(&self) -> Option<String> {
        let mut wanted = self.clone();
        if !matches!(self.status, NoteStatus::Draft | NoteStatus::Posted) {
            wanted.status = NoteStatus::Ready;
        }
        wanted.objection()
    }

    /// Why it is not to be posted, if it is not.
    pub fn objection(&self) -> Option<String> {
        if self.status != NoteStatus::Ready {
            let status = self.status.as_str();
            return Some(format!("the note is {status}, and not ready"));
        }
        // What is no number is not sure.
        let is_sure = self.confidence >= CONFIDENCE_MIN;
        (!is_sure).then(|| {
            format!(
                "the note's confidence is {}, and less than {CONFIDENCE_MIN}",
                self.confidence
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_posted_when_it_is_ready_and_sure() {
        let note = |confidence, status| Note {
            note_id: String::new(),
            user_id: String::new(),
            platform: String::new(),
            video_url: String::new(),
            video_id: None,
            text: String::new(),
            timestamp: 0.0,
            confidence,
            status,
            error: None,
            posted_at: None,
            platform_comment_id: None,
            external_permalink: None,
        };
        let is_posted = |confidence, status| note(confidence, status).objection().is_none();
        assert!(is_posted(0.70, NoteStatus::Ready));
        assert!(!is_posted(0.69, NoteStatus::Ready));
        assert!(!is_posted(0.9, NoteStatus::Draft));
        assert!(!is_posted(0.9, NoteStatus::Posting));
        assert!(!is_posted(f64::NAN, NoteStatus::Ready));
    }
}
