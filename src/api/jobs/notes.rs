//! REST: notes.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::Doors;
use super::super::body::{JsonBody, Params};
use super::super::status::ErrorBody;
use crate::error::Error;
use crate::jobs::{Finalised, NoteOrder, NotePatch};
use crate::model::Note;

pub(super) fn routes() -> OpenApiRouter<Doors> {
    OpenApiRouter::default()
        .routes(routes!(add_note, list_notes))
        .routes(routes!(show_note, patch_note, remove_note))
        .routes(routes!(finalise_note))
}

/// Which notes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct NotesQuery {
    /// Of this user.
    user_id: Option<String>,
}

/// Notes.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct NoteList {
    /// The newest first; 1,000 at most.
    notes: Vec<Note>,
}

/// Keep a note: a comment at a moment of a video.
#[utoipa::path(post, path = "/notes", tag = "jobs", request_body = NoteOrder, responses(
    (status = 201, description = "The note", body = Note),
    (status = 400, description = "The body is no note", body = ErrorBody),
    (status = 404, description = "No such platform", body = ErrorBody),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(in super::super) async fn add_note(
    State(doors): State<Doors>,
    JsonBody(order): JsonBody<NoteOrder>,
) -> Result<Response, Error> {
    let note = doors.jobs.add_note(order).await?;
    let location = format!("/notes/{}", note.note_id);
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Json(note)).into_response())
}

/// List notes, the newest first.
#[utoipa::path(get, path = "/notes", tag = "jobs", params(NotesQuery), responses(
    (status = 200, description = "Notes", body = NoteList),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(in super::super) async fn list_notes(
    State(doors): State<Doors>,
    Params(query): Params<NotesQuery>,
) -> Result<Json<NoteList>, Error> {
    let notes = doors.jobs.notes(query.user_id).await?;
    Ok(Json(NoteList { notes }))
}

/// A note, and what became of it.
#[utoipa::path(get, path = "/notes/{note_id}", tag = "jobs",
    params(("note_id" = String, Path, description = "The note's id")), responses(
    (status = 200, description = "The note", body = Note),
    (status = 404, description = "No such note", body = ErrorBody),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(in super::super) async fn show_note(
    State(doors): State<Doors>,
    Path(note_id): Path<String>,
) -> Result<Json<Note>, Error> {
    doors.jobs.note(&note_id).await.map(Json)
}

/// Change a note that is not posted yet. A job that has not begun posts it as it is then.
#[utoipa::path(patch, path = "/notes/{note_id}", tag = "jobs", request_body = NotePatch,
    params(("note_id" = String, Path, description = "The note's id")), responses(
    (status = 200, description = "The note", body = Note),
    (status = 400, description = "The body changes nothing that a note has", body = ErrorBody),
    (status = 404, description = "No such note", body = ErrorBody),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(in super::super) async fn patch_note(
    State(doors): State<Doors>,
    Path(note_id): Path<String>,
    JsonBody(patch): JsonBody<NotePatch>,
) -> Result<Json<Note>, Error> {
    doors.jobs.patch_note(&note_id, patch).await.map(Json)
}

/// Forget a note; what was posted of it stays posted.
#[utoipa::path(delete, path = "/notes/{note_id}", tag = "jobs",
    params(("note_id" = String, Path, description = "The note's id")), responses(
    (status = 200, description = "The note as it was", body = Note),
    (status = 404, description = "No such note", body = ErrorBody),
    (status = 409, description = "A job for it is under way", body = ErrorBody),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(in super::super) async fn remove_note(
    State(doors): State<Doors>,
    Path(note_id): Path<String>,
) -> Result<Json<Note>, Error> {
    doors.jobs.remove_note(&note_id).await.map(Json)
}

/// A note is finished: a job posts it, when it is ready and its confidence is 0.7 or more. Else nothing happens,
/// and the answer says why.
#[utoipa::path(post, path = "/notes/{note_id}/finalise", tag = "jobs",
    params(("note_id" = String, Path, description = "The note's id")), responses(
    (status = 200, description = "Whether a job posts it", body = Finalised),
    (status = 404, description = "No such note", body = ErrorBody),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(in super::super) async fn finalise_note(
    State(doors): State<Doors>,
    Path(note_id): Path<String>,
) -> Result<Json<Finalised>, Error> {
    doors.jobs.finalise(&note_id).await.map(Json)
}
