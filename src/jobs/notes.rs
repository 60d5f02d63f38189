//! Notes, and the job that posts them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::Jobs;
use super::news::UserEvent;
use super::order::JobOrder;
use crate::config::Platform;
use crate::error::Error;
use crate::model::ids::action_id;
use crate::model::{Job, JobError, JobErrorKind, JobKind, JobState, Note, NoteStatus, UnixTime};
use crate::store::Begun;

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
    /// With `true`, a note that may have been posted is ready to be posted again: somebody has looked, and it is not
    /// there.
    pub repost: bool,
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

fn no_note(note_id: &str) -> Error {
    let shown: String = note_id.chars().take(64).collect();
    Error::not_found(format!("no note has the id \"{shown}\""))
        .hint("List them by GET /notes, or make one by POST /notes.")
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

/// The page of a video is the platform's: it is opened where its user is logged in.
pub(super) fn check_url(video_url: &str, platform: &Platform) -> Result<(), Error> {
    let wrong = |what: &'static str| {
        Error::invalid_input(what).hint(format!(
            "Use the address of a page of {}, beginning with http:// or https://.",
            platform.label
        ))
    };
    let url = url::Url::parse(video_url).ok();
    let url = url
        .filter(|url| matches!(url.scheme(), "http" | "https") && video_url.len() <= URL_CHARS_MAX);
    let host = url.as_ref().and_then(url::Url::host_str);
    let host = host.ok_or_else(|| wrong("video_url is no address of a page"))?;
    let home = url::Url::parse(&platform.url).ok();
    let home = home
        .as_ref()
        .and_then(url::Url::host_str)
        .unwrap_or_default();
    let home = home.strip_prefix("www.").unwrap_or(home);
    let is_within = |of: &str| host == of || host.ends_with(&format!(".{of}"));
    let is_listed = |pattern: &String| is_within(pattern.trim_start_matches("*."));
    match is_within(home) || platform.allowed_domains.iter().any(is_listed) {
        true => Ok(()),
        false => Err(wrong("video_url is on another site than the platform's")),
    }
}

impl Jobs {
    /// Keeps a note.
    pub async fn add_note(&self, order: NoteOrder) -> Result<Note, Error> {
        super::connections::check_user(&order.user_id)?;
        check_text(&order.text)?;
        check_numbers(order.timestamp, order.confidence)?;
        let platform = self.platform(&order.platform)?;
        check_url(&order.video_url, &platform)?;
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
        let changed = self.0.registry.change_note(note_id, move |note, intent| {
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
                None if patch.repost => note.status = NoteStatus::Ready,
                None => (),
            }
            if patch.repost {
                intent.forget();
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

    /// Forgets a note; not while a job for it is under way.
    pub async fn remove_note(&self, note_id: &str) -> Result<Note, Error> {
        let removed = self.0.queue.remove_note(note_id).await?;
        match removed.ok_or_else(|| no_note(note_id))? {
            (note, None) => Ok(note),
            (_, Some(state)) => Err(Error::conflict(format!(
                "a job for the note is under way: it is {}",
                state.as_str()
            ))
            .hint("Call it off by POST /jobs/{id}/cancel, or wait until it is over.")),
        }
    }

    /// A note is finished: a job posts it, if it is ready and its writer is sure.
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

    /// A job begins to post its note: answers it as it is to be posted with what a job before was about to do, or
    /// the result of a job that has posted it.
    pub(super) async fn note_begins(
        &self,
        job: &Job,
    ) -> Result<Result<(Note, Option<String>), Value>, JobError> {
        let note_id = job.note_id().unwrap_or_default();
        let begun = self.0.registry.begin_note(note_id, &job.job_id).await;
        let refused = |kind, message: String| Err(JobError { kind, message });
        match begun? {
            Begun::Note(note, intent) => Ok(Ok((*note, intent))),
            Begun::Posted(note) => Ok(Err(json!({
                "comment_id": note.platform_comment_id,
                "permalink": note.external_permalink,
                "status": "posted",
            }))),
            Begun::Refused(why) => refused(
                JobErrorKind::InvalidInput,
                format!("The note is not posted: {why}."),
            ),
            Begun::Missing => refused(
                JobErrorKind::NotFound,
                "The note is not there any more.".to_owned(),
            ),
        }
    }

    /// Tells a note's user what became of it.
    pub(super) fn tell_of_note(&self, state: JobState, note: &Note) {
        let note_id = note.note_id.clone();
        let event = match state {
            JobState::Done => UserEvent::NotePosted {
                note_id,
                video_id: note.video_id.clone(),
            },
            JobState::Failed => UserEvent::NoteFailed {
                note_id,
                reason: note.error.clone().unwrap_or_default(),
            },
            _ => return,
        };
        self.0.news.user(&note.user_id, event);
    }
}
