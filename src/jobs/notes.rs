//! Notes, and the job that posts them (REQUIREMENTS C48–C56, C73–C75).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::Jobs;
use super::news::UserEvent;
use super::order::JobOrder;
use crate::error::Error;
use crate::model::ids::action_id;
use crate::model::{Job, JobError, JobErrorKind, JobKind, JobState, Note, NoteStatus, UnixTime};

/// Longest text of a note, characters.
const TEXT_CHARS_MAX: usize = 10_000;
/// Longest address, characters.
const URL_CHARS_MAX: usize = 4_096;
/// The workflow of a platform by which a note is posted.
pub(super) const WORKFLOW: &str = "post_note";

/// A note to be kept.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteOrder {
    /// Whose it is.
    #[schema(min_length = 1, max_length = 128)]
    pub user_id: String,
    /// Where its video is.
    #[schema(example = "air")]
    pub platform: String,
    /// The page of its video.
    #[schema(example = "https://air.inc/video/test")]
    pub video_url: String,
    /// The video, in the caller's own words.
    pub video_id: Option<String>,
    /// What it says.
    #[schema(min_length = 1, max_length = 10_000)]
    pub text: String,
    /// The moment of the video, seconds.
    #[schema(example = 45.2, minimum = 0)]
    pub timestamp: f64,
    /// How sure its writer is of it, 0 to 1.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    pub confidence: f64,
    /// Whether it may be posted already.
    #[serde(default)]
    pub ready: bool,
}

/// What shall be different of a note.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NotePatch {
    /// What it says.
    pub text: Option<String>,
    /// The moment of the video, seconds.
    pub timestamp: Option<f64>,
    /// How sure its writer is of it.
    pub confidence: Option<f64>,
    /// Whether it may be posted.
    pub ready: Option<bool>,
}

/// What came of a note that was called finished.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Finalised {
    /// Whether a job posts it.
    pub enqueued: bool,
    /// The job.
    pub job_id: Option<String>,
    /// Why none does.
    pub reason: Option<String>,
}

/// The note that a job posts.
pub(super) fn note_of(job: &Job) -> Option<&str> {
    match job.kind {
        JobKind::PostNote => job.args.get("note_id")?.as_str(),
        _ => None,
    }
}

fn no_note(note_id: &str) -> Error {
    let shown: String = note_id.chars().take(64).collect();
    Error::not_found(format!("no note has the id \"{shown}\""))
}

fn check_text(text: &str) -> Result<(), Error> {
    match (1..=TEXT_CHARS_MAX).contains(&text.chars().count()) {
        true => Ok(()),
        false => Err(Error::invalid_input("the note's text is empty or too long")
            .hint(format!("Use 1 to {TEXT_CHARS_MAX} characters."))),
    }
}

fn check_numbers(timestamp: f64, confidence: f64) -> Result<(), Error> {
    match timestamp >= 0.0 && (0.0..=1.0).contains(&confidence) {
        true => Ok(()),
        false => Err(
            Error::invalid_input("the note's timestamp or confidence is out of range")
                .hint("A timestamp is 0 or more seconds, a confidence is from 0 to 1."),
        ),
    }
}

impl Jobs {
    /// Keeps a note.
    pub async fn add_note(&self, order: NoteOrder) -> Result<Note, Error> {
        super::connections::check_user(&order.user_id)?;
        check_text(&order.text)?;
        check_numbers(order.timestamp, order.confidence)?;
        self.platform(&order.platform)?;
        let is_http = ["http://", "https://"]
            .iter()
            .any(|scheme| order.video_url.starts_with(scheme));
        if !is_http || order.video_url.len() > URL_CHARS_MAX {
            return Err(Error::invalid_input("video_url is no address of a page")
                .hint("Begin it with http:// or https://."));
        }
        let note = Note {
            note_id: action_id(),
            user_id: order.user_id,
            platform: order.platform,
            video_url: order.video_url,
            video_id: order.video_id,
            text: order.text,
            timestamp: order.timestamp,
            confidence: order.confidence,
            status: match order.ready {
                true => NoteStatus::Ready,
                false => NoteStatus::Draft,
            },
            error: None,
            posted_at: None,
            platform_comment_id: None,
            external_permalink: None,
        };
        self.0
            .registry
            .put_note(note.clone(), UnixTime::now())
            .await?;
        Ok(note)
    }

    /// The note of that id.
    pub async fn note(&self, note_id: &str) -> Result<Note, Error> {
        let note = self.0.registry.note(note_id).await?;
        note.ok_or_else(|| no_note(note_id))
    }

    /// Notes, the newest first.
    pub async fn notes(&self, user_id: Option<String>) -> Result<Vec<Note>, Error> {
        self.0.registry.notes(user_id).await
    }

    /// Changes a note that is not posted yet. A job that has not begun posts it as it is then.
    pub async fn patch_note(&self, note_id: &str, patch: NotePatch) -> Result<Note, Error> {
        if let Some(text) = &patch.text {
            check_text(text)?;
        }
        check_numbers(
            patch.timestamp.unwrap_or_default(),
            patch.confidence.unwrap_or_default(),
        )?;
        let changed = self.0.registry.change_note(note_id, move |note| {
            if matches!(note.status, NoteStatus::Posting | NoteStatus::Posted) {
                return Err(note.status);
            }
            if let Some(text) = &patch.text {
                note.text.clone_from(text);
            }
            note.timestamp = patch.timestamp.unwrap_or(note.timestamp);
            note.confidence = patch.confidence.unwrap_or(note.confidence);
            match patch.ready {
                Some(true) => note.status = NoteStatus::Ready,
                Some(false) => note.status = NoteStatus::Draft,
                None => (),
            }
            Ok(())
        });
        match changed.await? {
            None => Err(no_note(note_id)),
            Some((_, Err(status))) => Err(Error::conflict(format!(
                "the note is {}, and cannot be changed",
                status.as_str()
            ))),
            Some((note, Ok(()))) => Ok(note),
        }
    }

    /// A note is finished: a job posts it, if it is ready and its writer is sure (REQUIREMENTS C49).
    pub async fn finalise(&self, note_id: &str) -> Result<Finalised, Error> {
        let note = self.note(note_id).await?;
        if let Some(reason) = note.objection() {
            return Ok(Finalised {
                enqueued: false,
                job_id: None,
                reason: Some(reason),
            });
        }
        let order = JobOrder::new(JobKind::PostNote, json!({"note_id": note_id}));
        let put = self.enqueue(order).await?;
        Ok(Finalised {
            enqueued: true,
            job_id: Some(put.job.job_id),
            reason: None,
        })
    }

    /// What a workflow is given of a note.
    pub(super) fn note_args(note: &Note) -> Map<String, Value> {
        let args = json!({
            "note_id": note.note_id,
            "video_url": note.video_url,
            "timestamp": note.timestamp,
            "text": note.text,
        });
        args.as_object().cloned().unwrap_or_default()
    }

    /// A job has begun to post a note; answers it as it is to be posted.
    pub(super) async fn note_begins(&self, note_id: &str) -> Result<Note, JobError> {
        let begun = self
            .0
            .registry
            .change_note(note_id, |note| note.status = NoteStatus::Posting);
        let begun = begun
            .await
            .map_err(|error| super::lease::unavailable(&error))?;
        begun.map(|(note, ())| note).ok_or_else(|| JobError {
            kind: JobErrorKind::NotFound,
            message: "The note is not there any more.".to_owned(),
        })
    }

    /// What became of a job is what became of its note (REQUIREMENTS C52–C56).
    pub(super) async fn note_ends(&self, job: &Job) -> Result<(), Error> {
        let Some(note_id) = note_of(job) else {
            return Ok(());
        };
        let (state, error) = (job.state, job.error.clone());
        let field = |name: &str| {
            let value = job.result.as_ref().and_then(|result| result.get(name));
            value.map(|value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
        };
        let (comment, permalink) = (field("comment_id"), field("permalink"));
        let now = UnixTime::now().to_iso8601();
        let changed = self.0.registry.change_note(note_id, move |note| {
            note.error = error.as_ref().map(|error| error.message.clone());
            match state {
                JobState::Done => {
                    note.status = NoteStatus::Posted;
                    note.posted_at = Some(now.clone());
                    note.platform_comment_id.clone_from(&comment);
                    note.external_permalink.clone_from(&permalink);
                }
                JobState::Failed => note.status = NoteStatus::Failed,
                JobState::PendingAuth => note.status = NoteStatus::PendingAuth,
                JobState::Cancelled => note.status = NoteStatus::Ready,
                // Until the last attempt it is on its way (D29).
                JobState::Queued | JobState::Running => (),
            }
        });
        let Some((note, ())) = changed.await? else {
            return Ok(());
        };
        let reason = || note.error.clone().unwrap_or_default();
        let event = match state {
            JobState::Done => UserEvent::NotePosted {
                note_id: note.note_id.clone(),
                video_id: note.video_id.clone(),
            },
            JobState::Failed => UserEvent::NoteFailed {
                note_id: note.note_id.clone(),
                reason: reason(),
            },
            JobState::PendingAuth => UserEvent::ConnectionRequired {
                platform: note.platform.clone(),
                reason: reason(),
            },
            JobState::Cancelled | JobState::Queued | JobState::Running => return Ok(()),
        };
        self.0.news.user(&note.user_id, event);
        Ok(())
    }
}
