//! Screenshots for callers: PNG, JPEG or WebP, of the viewport, the full page or a part of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chromiumoxide_cdp::cdp::browser_protocol::page::{
    CaptureScreenshotFormat, CaptureScreenshotParams, GetLayoutMetricsParams, Viewport,
};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::super::cdp::Session;
use super::super::error::Error;
use super::super::target::Page;

const OPERATION: &str = "take a screenshot";

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
    /// How files of it end, the usual way first.
    pub const fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["png"],
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Webp => &["webp"],
        }
    }

    /// The format of files that end so.
    pub fn of_ending(ending: &str) -> Option<Self> {
        let ending = ending.to_ascii_lowercase();
        [Self::Png, Self::Jpeg, Self::Webp]
            .into_iter()
            .find(|format| format.endings().contains(&ending.as_str()))
    }

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
    /// A part of it, also beyond the viewport: left and top from the viewport's corner, width and
    /// height, CSS px.
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

/// Most px of a picture, both sides multiplied: Chromium holds four bytes of each, and what it sends
/// of the noisiest page must fit into one of its messages.
const PIXELS_MAX: u64 = 100_000_000;
/// A picture beyond so many px is taken when few others of the kind are.
const PIXELS_LARGE: u64 = 16_000_000;
/// Large pictures that are in memory at one time, of all sessions.
static LARGE: Semaphore = Semaphore::const_new(2);

impl Format {
    /// Most px a side: what the format can say (WebP has 14 bits, libjpeg refuses more than 65,500),
    /// and for PNG, which has no such bound, what Chromium lays out for a picture.
    const fn side_max(self) -> u64 {
        match self {
            Self::Png => 131_072,
            Self::Jpeg => 65_500,
            Self::Webp => 16_383,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Webp => "webp",
        }
    }

    /// Refuses a size that no picture of this format has: Chromium would answer with an empty one.
    fn check(self, [width, height]: [f64; 2], side_max: u64) -> Result<u64, Error> {
        // Chromium rounds up; what is negative or no number is 0, and what is huge stays huge.
        let [width, height] = [width, height].map(|px| px.ceil() as u64);
        let side_max = self.side_max().min(side_max);
        let pixels = width.saturating_mul(height);
        match width.max(height) > side_max || pixels > PIXELS_MAX {
            false => Ok(pixels),
            true => Err(Error::PictureSize {
                format: self.name(),
                width,
                height,
                side_max,
                pixels_max: PIXELS_MAX,
            }),
        }
    }
}

/// Where a clip lies.
pub(super) struct Cut {
    /// From the document's corner, as Chromium takes it.
    pub(super) area: Viewport,
    /// Whether some of it is out of view.
    pub(super) is_beyond: bool,
}

/// Takes a screenshot.
pub async fn screenshot(
    page: &Page,
    format: Format,
    quality: Option<u8>,
    clip: Clip,
) -> Result<Vec<u8>, Error> {
    screenshot_within(page, format, quality, clip, u64::MAX).await
}

/// Takes a screenshot of which no side has more px than `side_max`.
pub async fn screenshot_within(
    page: &Page,
    format: Format,
    quality: Option<u8>,
    clip: Clip,
    side_max: u64,
) -> Result<Vec<u8>, Error> {
    let cut = cut(page, clip).await?;
    let size = match &cut {
        Some(Cut { area, .. }) => [area.width, area.height],
        None => [page.viewport().width, page.viewport().height].map(f64::from),
    };
    let pixels = format.check(size, side_max)?;
    // Never closed: an error is a permit that nobody needs.
    let _permit = match pixels > PIXELS_LARGE {
        true => LARGE.acquire().await.ok(),
        false => None,
    };
    page.hurry();
    capture(page.session(), format, quality, cut).await
}

/// What a page shows, or a part of it, as a file.
pub(super) async fn capture(
    session: &Session,
    format: Format,
    quality: Option<u8>,
    cut: Option<Cut>,
) -> Result<Vec<u8>, Error> {
    let mut params = CaptureScreenshotParams::builder().format(match format {
        Format::Png => CaptureScreenshotFormat::Png,
        Format::Jpeg => CaptureScreenshotFormat::Jpeg,
        Format::Webp => CaptureScreenshotFormat::Webp,
    });
    if let Some(quality) = quality.filter(|_| format != Format::Png) {
        params = params.quality(i64::from(quality));
    }
    if let Some(Cut { area, is_beyond }) = cut {
        params = params.clip(area).capture_beyond_viewport(is_beyond);
    }
    let answer = session.execute(OPERATION, params.build()).await?;
    let picture = STANDARD
        .decode(answer.data.as_ref() as &[u8])
        .map_err(|error| Error::Command {
            operation: OPERATION,
            source: error.into(),
        })?;
    match picture.is_empty() {
        false => Ok(picture),
        // What an encoder answers that could not do it.
        true => Err(Error::Command {
            operation: OPERATION,
            source: format!("an empty {}", format.name()).into(),
        }),
    }
}

/// Where a clip lies on the page; none for what is in view.
async fn cut(page: &Page, clip: Clip) -> Result<Option<Cut>, Error> {
    if clip == Clip::Viewport {
        return Ok(None);
    }
    let metrics = page
        .session()
        .execute(OPERATION, GetLayoutMetricsParams::default())
        .await?;
    let (content, view) = (metrics.css_content_size, metrics.css_layout_viewport);
    let size = page.viewport();
    let (view_width, view_height) = (f64::from(size.width), f64::from(size.height));
    // A page that is smaller than the viewport fills it.
    let page_width = content.width.max(view_width);
    let page_height = content.height.max(view_height);
    let Clip::Part([x, y, width, height]) = clip else {
        return Ok(Some(Cut {
            area: area([0.0, 0.0, page_width, page_height]),
            is_beyond: true,
        }));
    };
    let is_beyond = x < 0.0 || y < 0.0 || x + width > view_width || y + height > view_height;
    let [left, top] = [x + view.page_x as f64, y + view.page_y as f64];
    if is_beyond
        && (left >= page_width || top >= page_height || left + width <= 0.0 || top + height <= 0.0)
    {
        return Err(Error::OutsidePage {
            width: page_width as u64,
            height: page_height as u64,
        });
    }
    Ok(Some(Cut {
        area: area([left, top, width, height]),
        is_beyond,
    }))
}

pub(super) const fn area([x, y, width, height]: [f64; 4]) -> Viewport {
    Viewport {
        x,
        y,
        width,
        height,
        scale: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_a_format_has_not_are_refused() {
        let takes = |format: Format, width: f64, height: f64| {
            format.check([width, height], u64::MAX).is_ok()
        };
        for (format, side) in [
            (Format::Webp, 16_383.0),
            (Format::Jpeg, 65_500.0),
            (Format::Png, 131_072.0),
        ] {
            assert!(takes(format, 100.0, side) && takes(format, side, 100.0));
            assert!(!takes(format, 100.0, side + 0.5) && !takes(format, side + 1.0, 100.0));
        }
        assert!(takes(Format::Png, 10_000.0, 10_000.0));
        assert!(!takes(Format::Png, 10_000.0, 10_001.0));
        assert!(!takes(Format::Png, f64::MAX, f64::MAX));
        let error = Format::Webp
            .check([1280.0, 20_000.0], u64::MAX)
            .unwrap_err();
        let words = error.outside_words();
        assert!(words.message.contains("1280 x 20000") && words.message.contains("16383"));
    }
}
