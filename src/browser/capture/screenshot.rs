//! Screenshots for callers: PNG, JPEG or WebP, the viewport or the full page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chromiumoxide_cdp::cdp::browser_protocol::page::{
    CaptureScreenshotFormat, CaptureScreenshotParams,
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

/// Takes a screenshot.
pub async fn screenshot(
    page: &Page,
    format: Format,
    quality: Option<u8>,
    full_page: bool,
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
    let params = params.capture_beyond_viewport(full_page).build();
    let answer = page.session().execute(OPERATION, params).await?;
    STANDARD
        .decode(answer.data.as_ref() as &[u8])
        .map_err(|error| Error::Command {
            operation: OPERATION,
            source: error.into(),
        })
}
