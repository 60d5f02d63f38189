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
use super::body::{JsonBody, Params};
use super::openapi::FileBytes;
use super::picture::{AreaParams, PictureOptions, take};
use super::status::ErrorBody;
use crate::browser::capture::screenshot::Format;
use crate::error::Error;
use crate::session::{ElementList, Manager, PictureName, Script, SessionHandle, WAIT_MS, located};

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
        (FileBytes = "image/png"), (FileBytes = "image/jpeg"), (FileBytes = "image/webp"),
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

/// The screenshot that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScreenshotOrder {
    /// Saves the picture under this name in the service's directory of screenshots, in place of one that
    /// has the name already: a bare name, to which the format's ending is added if it is not there.
    #[schema(example = "checkout.png")]
    filename: Option<String>,
    /// `png`, `jpeg` or `webp`; without it what the ending of `filename` says, or `png`.
    #[schema(inline)]
    format: Option<Format>,
    /// 1 to 100, for `jpeg` and `webp`.
    #[schema(minimum = 1, maximum = 100)]
    quality: Option<u32>,
    /// The whole page and not the viewport only.
    #[serde(default)]
    full_page: bool,
    /// An element of the list, and nothing else.
    index: Option<u32>,
    /// The first element that is shown and matches this CSS selector, and nothing else. It is waited
    /// for, 10 seconds at most.
    selector: Option<String>,
    /// A part of the page, and nothing else.
    clip: Option<ClipOrder>,
    /// Draws a box with its index round each element; `png` and `jpeg` only.
    #[serde(default)]
    marks: bool,
}

/// A part of a page, CSS px.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClipOrder {
    /// From the left of what is in view.
    x: f64,
    /// From the top of what is in view; it may lie below.
    y: f64,
    /// 1 or more.
    width: f64,
    /// 1 or more.
    height: f64,
}

/// A screenshot on the service's own disk.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SavedScreenshot {
    /// Where it is there.
    #[schema(example = "/var/lib/ghostcast/screenshots/checkout.png")]
    pub(super) path: String,
    /// Px.
    pub(super) width: u64,
    /// Px.
    pub(super) height: u64,
    /// The file's size.
    pub(super) bytes: u64,
}

impl ScreenshotOrder {
    fn format(&self) -> Format {
        format_of(self.filename.as_deref(), self.format)
    }

    /// How much of the page is meant; only one way to say it.
    async fn area(&self, handle: &SessionHandle) -> Result<AreaParams, Error> {
        let ways = [
            self.full_page,
            self.index.is_some(),
            self.selector.is_some(),
            self.clip.is_some(),
        ];
        if ways.into_iter().filter(|is_used| *is_used).count() > 1 {
            return Err(Error::invalid_input(
                "full_page, index, selector and clip exclude each other",
            )
            .hint("Use one of them."));
        }
        let mut area = AreaParams {
            full_page: self.full_page,
            index: self.index,
            ..AreaParams::default()
        };
        if let Some(selector) = &self.selector {
            let (index, [x, y, width, height]) = shown(handle, selector).await?;
            area.index = index;
            if index.is_none() {
                (area.x, area.y) = (Some(x), Some(y));
                (area.width, area.height) = (Some(width), Some(height));
            }
        }
        if let Some(clip) = self.clip {
            (area.x, area.y) = (Some(clip.x), Some(clip.y));
            (area.width, area.height) = (Some(clip.width), Some(clip.height));
        }
        Ok(area)
    }
}

/// Where the element is that a selector means, in reach of a picture: what lies before the viewport's own
/// corner is scrolled to.
async fn shown(handle: &SessionHandle, selector: &str) -> Result<(Option<u32>, [f64; 4]), Error> {
    let place = located(handle, selector, WAIT_MS).await?;
    let (None, [x, y, ..]) = place else {
        return Ok(place);
    };
    if x >= 0.0 && y >= 0.0 {
        return Ok(place);
    }
    let script = Script::new(format!(
        "scrollBy({{left: {}, top: {}, behavior: 'instant'}})",
        x.min(0.0).floor(),
        y.min(0.0).floor()
    ));
    handle.execute(&script).await?;
    located(handle, selector, WAIT_MS).await
}

/// Take a screenshot, without the ghost cursor: answered as a picture, or saved where the service runs.
#[utoipa::path(post, path = "/sessions/{room_name}/screenshot", tag = "control",
    params(("room_name" = String, Path, description = "Session id, name or room")),
    request_body = ScreenshotOrder, responses(
    (status = 200, description = "The picture; with `filename`, where it is", content(
        (FileBytes = "image/png"), (FileBytes = "image/jpeg"), (FileBytes = "image/webp"),
        (SavedScreenshot = "application/json"))),
    (status = 400, description = "The body is no screenshot", body = ErrorBody),
    (status = 404, description = "No such session", body = ErrorBody),
    (status = 422, description = "filename is not a bare name, or the picture would be too large for its \
        format", body = ErrorBody),
    (status = 503, description = "The browser is gone, or the picture cannot be saved", body = ErrorBody),
    (status = 504, description = "Nothing that matches the selector is shown", body = ErrorBody),
))]
pub(super) async fn take_screenshot(
    State(doors): State<Doors>,
    Path(room): Path<String>,
    JsonBody(order): JsonBody<ScreenshotOrder>,
) -> Result<Response, Error> {
    let format = order.format();
    let name = order.filename.as_deref();
    let name = name
        .map(|name| Named::parse(name, order.format))
        .transpose()?;
    let handle = doors.manager.find(&room).await?;
    let wanted = PictureOptions {
        format,
        quality: order.quality,
        area: order.area(&handle).await?.area()?,
        marks: order.marks,
    };
    let (picture, _) = take(&handle, wanted).await?;
    match name {
        None => Ok(([(header::CONTENT_TYPE, format.media_type())], picture).into_response()),
        Some(name) => {
            let saved = name.save(&doors.manager, picture).await?;
            Ok(Json(saved).into_response())
        }
    }
}

/// The name under which a picture is saved, for every door.
pub(super) struct Named {
    name: PictureName,
    /// What the picture has to be.
    pub(super) format: Format,
}

impl Named {
    /// The name that a caller wants, which says the format where nothing else does.
    pub(super) fn parse(name: &str, format: Option<Format>) -> Result<Self, Error> {
        let format = format_of(Some(name), format);
        let name = PictureName::parse(name, format.endings())?;
        Ok(Self { name, format })
    }

    /// Saves the picture where the service runs.
    pub(super) async fn save(
        self,
        manager: &Manager,
        picture: Vec<u8>,
    ) -> Result<SavedScreenshot, Error> {
        let saved = manager.save_picture(self.name, picture).await?;
        Ok(SavedScreenshot {
            path: saved.path.display().to_string(),
            width: saved.width,
            height: saved.height,
            bytes: saved.bytes,
        })
    }
}

/// What a picture shall be: what is said, else what the name's ending says.
fn format_of(name: Option<&str>, format: Option<Format>) -> Format {
    let ending = name.and_then(|name| name.rsplit_once('.'));
    let by_name = ending.and_then(|(_, ending)| Format::of_ending(ending));
    format.or(by_name).unwrap_or_default()
}
