//! Screenshots for callers: PNG, JPEG or WebP, the viewport or the full page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chromiumoxide_cdp::cdp::browser_protocol::page::{
    CaptureScreenshotFormat, CaptureScreenshotParams, Viewport,
};
use serde::Deserialize;

use super::super::error::Error;
use super::super::target::Page;

/// A picture file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Lossless.
    #[default]
    Png,
    /// Lossy.
    #[serde(alias = "jpg")]
    Jpeg,
    /// Lossy, smaller.
    Webp,
}

impl Format {
    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

/// How much of the page is in the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clip {
    /// What is in view.
    Viewport,
    /// All of it.
    FullPage,
    /// A part of the viewport: left, top, width and height, CSS px.
    Part([f64; 4]),
}

impl Clip {
    /// All of the page, or what is in view.
    pub const fn of(full_page: bool) -> Self {
        match full_page {
            true => Self::FullPage,
            false => Self::Viewport,
        }
    }
}

/// Takes a screenshot.
pub async fn screenshot(
    page: &Page,
    format: Format,
    quality: Option<u8>,
    clip: Clip,
) -> Result<Vec<u8>, Error> {
    const OPERATION: &str = "take a screenshot";
    let mut params = CaptureScreenshotParams::builder().format(match format {
        Format::Png => CaptureScreenshotFormat::Png,
        Format::Jpeg => CaptureScreenshotFormat::Jpeg,
        Format::Webp => CaptureScreenshotFormat::Webp,
    });
    if let Some(quality) = quality.filter(|_| format != Format::Png) {
        params = params.quality(i64::from(quality));
    }
    if let Clip::Part([x, y, width, height]) = clip {
        params = params.clip(Viewport {
            x,
            y,
            width,
            height,
            scale: 1.0,
        });
    }
    let params = params
        .capture_beyond_viewport(clip == Clip::FullPage)
        .build();
    let answer = page.session().execute(OPERATION, params).await?;
    STANDARD
        .decode(answer.data.as_ref() as &[u8])
        .map_err(|error| Error::Command {
            operation: OPERATION,
            source: error.into(),
        })
}
