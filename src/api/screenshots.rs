//! REST: screenshots.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Doors;
use super::body::Params;
use super::picture::{AreaParams, PictureOptions, take};
use super::status::ErrorBody;
use crate::browser::capture::screenshot::Format;
use crate::error::Error;
use crate::session::ElementList;

/// What the screenshot shall be.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ScreenshotQuery {
    /// `png` (default), `jpeg` or `webp`.
    #[serde(default)]
    #[param(inline)]
    format: Format,
    /// 1 to 100, for `jpeg` and `webp`.
    #[param(minimum = 1, maximum = 100)]
    quality: Option<u32>,
    /// The whole page and not the viewport only.
    #[serde(default)]
    full_page: bool,
    /// An element of the list, and nothing else.
    index: Option<u32>,
    /// A part of the page, with y, width and height: CSS px from the left of what is in view.
    x: Option<f64>,
    /// CSS px from the top of what is in view; it may lie below.
    y: Option<f64>,
    /// CSS px.
    width: Option<f64>,
    /// CSS px.
    height: Option<f64>,
    /// Draws a box with its index round each element; `png` and `jpeg` only.
    #[serde(default)]
    marks: bool,
    /// Answers JSON: the picture in base64, and with `marks` the list of elements.
    #[serde(default)]
    json: bool,
    /// The token, where no header can be set.
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
}

/// A screenshot as JSON.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ScreenshotAnswer {
    /// The picture, base64.
    image: String,
    /// Its media type.
    media_type: &'static str,
    /// With `marks`: the elements whose boxes are drawn.
    #[serde(flatten)]
    #[schema(inline)]
    elements: Option<ElementList>,
}

/// Names the state of the page that the marks' indices belong to.
const ELEMENTS_VERSION: HeaderName = HeaderName::from_static("x-elements-version");

/// A screenshot, without the ghost cursor. With `marks`, the header `X-Elements-Version` names the
/// list that the numbers belong to.
#[utoipa::path(get, path = "/sessions/{room_name}/screenshot", tag = "actions",
    params(("room_name" = String, Path, description = "Session id, name or room"), ScreenshotQuery),
    responses(
    (status = 200, description = "The picture", content(
        (Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp"),
        (ScreenshotAnswer = "application/json"))),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 422, description = "The picture would be too large for its format", body = ErrorBody),
    (status = 503, description = "The browser is gone", body = ErrorBody),
))]
pub(super) async fn screenshot(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    Params(query): Params<ScreenshotQuery>,
) -> Result<Response, Error> {
    let ScreenshotQuery {
        format,
        quality,
        full_page,
        index,
        x,
        y,
        width,
        height,
        marks,
        json,
        ..
    } = query;
    let area = AreaParams {
        full_page,
        index,
        x,
        y,
        width,
        height,
    };
    let handle = doors.manager.find(&room).await?;
    let wanted = PictureOptions {
        format,
        quality,
        area: area.area()?,
        marks,
    };
    let (picture, elements) = take(&handle, wanted).await?;
    let version = elements
        .as_ref()
        .map(|list| HeaderValue::from(list.version));
    let mut response = if json {
        let answer = ScreenshotAnswer {
            image: STANDARD.encode(&picture),
            media_type: format.media_type(),
            elements,
        };
        Json(answer).into_response()
    } else {
        ([(header::CONTENT_TYPE, format.media_type())], picture).into_response()
    };
    if let Some(version) = version {
        response.headers_mut().insert(ELEMENTS_VERSION, version);
    }
    Ok(response)
}
