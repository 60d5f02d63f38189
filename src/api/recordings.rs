//! REST: recordings of sessions, and the files that they leave.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::FileBytes;
use super::status::ErrorBody;
use super::{Doors, file};
use crate::error::Error;
use crate::model::{RecordingFile, RecordingStatus};

/// The files of the recordings' directory.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordingList {
    /// Newest first.
    recordings: Vec<RecordingFile>,
}

/// Record a session into an MP4 file; it counts as a viewer.
#[utoipa::path(post, path = "/sessions/{room_name}/recording", tag = "recordings",
    operation_id = "start_recording",
    params(("room_name" = String, Path, description = "Session id, name or room")), responses(
    (status = 201, description = "It is being recorded", body = RecordingStatus),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 409, description = "It is being recorded already", body = ErrorBody),
    (status = 429, description = "No room for another recording", body = ErrorBody),
    (status = 503, description = "The browser is gone, or the directory cannot be written",
        body = ErrorBody),
))]
pub(super) async fn start(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Response, Error> {
    let status = doors.manager.find(&room).await?.start_recording().await?;
    Ok((StatusCode::CREATED, Json(status)).into_response())
}

/// Stop the recording; answers when the file is complete.
#[utoipa::path(delete, path = "/sessions/{room_name}/recording", tag = "recordings",
    operation_id = "stop_recording",
    params(("room_name" = String, Path, description = "Session id, name or room")), responses(
    (status = 200, description = "The file is complete", body = RecordingStatus),
    (status = 404, description = "No such session, or it is not being recorded", body = ErrorBody),
))]
pub(super) async fn stop(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<RecordingStatus>, Error> {
    doors
        .manager
        .find(&room)
        .await?
        .stop_recording()
        .await
        .map(Json)
}

/// The recording under way, or the last one.
#[utoipa::path(get, path = "/sessions/{room_name}/recording", tag = "recordings",
    operation_id = "show_recording",
    params(("room_name" = String, Path, description = "Session id, name or room")), responses(
    (status = 200, description = "The recording", body = RecordingStatus),
    (status = 404, description = "No such session, or it was never recorded", body = ErrorBody),
))]
pub(super) async fn show(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<RecordingStatus>, Error> {
    let recording = doors.manager.record(&room)?.recording;
    recording.map(Json).ok_or_else(|| {
        Error::not_found("this session was never recorded").hint("Start a recording first.")
    })
}

/// List the files of the recordings' directory.
#[utoipa::path(get, path = "/recordings", tag = "recordings",
    operation_id = "list_recordings", responses(
    (status = 200, description = "All recordings", body = RecordingList),
    (status = 503, description = "The directory cannot be read", body = ErrorBody),
))]
pub(super) async fn list(State(doors): State<Doors>) -> Result<Json<RecordingList>, Error> {
    let shelf = doors.manager.shelf().clone();
    let recordings = on_disk(move || shelf.list()).await?;
    Ok(Json(RecordingList { recordings }))
}

/// A recording, whole or by `Range` and `If-Range` (RFC 9110). Of one that is still being written, what is
/// there.
#[utoipa::path(get, path = "/recordings/{file}", tag = "recordings",
    operation_id = "fetch_recording",
    params(("file" = String, Path, description = "As in the list")), responses(
    (status = 200, description = "The file; also for several ranges, or one that makes no sense",
        content_type = "video/mp4", body = FileBytes),
    (status = 206, description = "The range that was asked for", content_type = "video/mp4",
        body = FileBytes),
    (status = 404, description = "No such recording", body = ErrorBody),
    (status = 416, description = "The range lies outside the file", body = ErrorBody),
))]
pub(super) async fn fetch(
    State(doors): State<Doors>,
    Path(file): Path<String>,
    request: Request,
) -> Result<Response, Error> {
    let shelf = doors.manager.shelf().clone();
    let (path, lent) = on_disk(move || shelf.lend(&file)).await?;
    let unreadable = || {
        Error::unavailable("the recording cannot be read")
            .hint("Check the rights on recording.directory.")
    };
    let served = file::serve(&path, request, unreadable).await?;
    let mut response = served.map(|body| {
        // It is lent until the last of it has left, or nobody takes it any more.
        let pieces = body.into_data_stream();
        Body::from_stream(pieces.inspect(move |_| {
            let _ = &lent;
        }))
    });
    let headers = response.headers_mut();
    // A file that still grows, or is completed, is another one each time.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    Ok(response)
}

/// Delete a recording.
#[utoipa::path(delete, path = "/recordings/{file}", tag = "recordings",
    operation_id = "delete_recording",
    params(("file" = String, Path, description = "As in the list")), responses(
    (status = 200, description = "The deleted recording", body = RecordingFile),
    (status = 404, description = "No such recording", body = ErrorBody),
    (status = 409, description = "It is still being written", body = ErrorBody),
))]
pub(super) async fn remove(
    State(doors): State<Doors>,
    Path(file): Path<String>,
) -> Result<Json<RecordingFile>, Error> {
    let shelf = doors.manager.shelf().clone();
    on_disk(move || shelf.remove(&file)).await.map(Json)
}

/// Disks may take their time.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::internal("the request broke").source(error))?
}
