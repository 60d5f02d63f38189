//! REST: the files that a session's pages gave.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::FileBytes;
use super::status::ErrorBody;
use super::{Doors, file};
use crate::error::Error;
use crate::model::DownloadInfo;

/// The downloads of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DownloadList {
    /// Oldest first.
    downloads: Vec<DownloadInfo>,
}

/// List the session's downloads, whole or not.
#[utoipa::path(get, path = "/sessions/{room_name}/downloads", tag = "downloads",
    operation_id = "list_downloads",
    params(("room_name" = String, Path, description = "Session id, name or room")), responses(
    (status = 200, description = "The downloads", body = DownloadList),
    (status = 404, description = "No such session", body = ErrorBody),
))]
pub(super) async fn list(
    State(doors): State<Doors>,
    Path(room): Path<String>,
) -> Result<Json<DownloadList>, Error> {
    let downloads = doors.manager.find(&room).await?.downloads()?;
    Ok(Json(DownloadList { downloads }))
}

/// A download, once all of it is there; whole or by `Range` and `If-Range` (RFC 9110).
#[utoipa::path(get, path = "/sessions/{room_name}/downloads/{id}", tag = "downloads",
    operation_id = "fetch_download",
    params(("room_name" = String, Path, description = "Session id, name or room"),
        ("id" = String, Path, description = "As in the list")), responses(
    (status = 200, description = "The file; also for several ranges, or one that makes no sense",
        content_type = "application/octet-stream",
        body = FileBytes),
    (status = 206, description = "The range that was asked for",
        content_type = "application/octet-stream", body = FileBytes),
    (status = 404, description = "No such session or download", body = ErrorBody),
    (status = 409, description = "It is not whole: still coming, broken off or refused",
        body = ErrorBody),
    (status = 416, description = "The range lies outside the file", body = ErrorBody),
))]
pub(super) async fn fetch(
    State(doors): State<Doors>,
    Path((room, id)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Error> {
    let (info, path) = doors.manager.find(&room).await?.download(&id).await?;
    let unreadable =
        || Error::unavailable("the download cannot be read").hint("Download it again.");
    let mut response = file::serve(&path, request, unreadable).await?;
    let headers = response.headers_mut();
    // It came from anywhere, so no browser may take it for a page of the service's own.
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CONTENT_DISPOSITION, disposition(&info.name)?);
    Ok(response)
}

/// Names the file, in ASCII for old clients and whole for all others (RFC 6266).
fn disposition(name: &str) -> Result<HeaderValue, Error> {
    let ascii: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '%' => '_',
            ' '..='~' => c,
            _ => '_',
        })
        .collect();
    let mut whole = String::new();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                whole.push(char::from(byte));
            }
            _ => whole.push_str(&format!("%{byte:02X}")),
        }
    }
    let value = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{whole}");
    HeaderValue::from_str(&value)
        .map_err(|error| Error::internal("the file's name cannot be told").source(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_reach_old_and_new_clients_and_end_no_header() {
        let told = disposition("Größe \"1\"\r\n.pdf").unwrap();
        assert_eq!(
            told.to_str().unwrap(),
            "attachment; filename=\"Gr__e _1___.pdf\"; \
             filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22%0D%0A.pdf"
        );
    }
}
