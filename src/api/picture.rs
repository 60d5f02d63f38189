//! Screenshots as the doors take them.

use crate::browser::capture::screenshot::Format;
use crate::error::Error;
use crate::media::marks::Output;
use crate::session::{Area, ElementList, SessionHandle};

/// Quality of a marked JPEG where none is named.
const MARKED_QUALITY: u8 = 80;

/// What a screenshot shall be.
#[derive(Debug, Clone, Copy)]
pub(super) struct PictureOptions {
    pub(super) format: Format,
    pub(super) quality: Option<u32>,
    pub(super) area: Area,
    pub(super) marks: bool,
}

/// The parameters that say how much of the page a picture shows, as they arrive.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AreaParams {
    pub(super) full_page: bool,
    pub(super) index: Option<u32>,
    pub(super) x: Option<f64>,
    pub(super) y: Option<f64>,
    pub(super) width: Option<f64>,
    pub(super) height: Option<f64>,
}

impl AreaParams {
    /// Exactly one way to say it; the viewport when none is used.
    pub(super) fn area(self) -> Result<Area, Error> {
        let Self {
            full_page,
            index,
            x,
            y,
            width,
            height,
        } = self;
        let region = match (x, y, width, height) {
            (None, None, None, None) => None,
            (Some(x), Some(y), Some(width), Some(height)) => Some(Area::Region {
                x,
                y,
                width,
                height,
            }),
            _ => {
                return Err(Error::invalid_input("a part of the page is not whole")
                    .hint("Send x, y, width and height together, in CSS px."));
            }
        };
        if let Some(Area::Region {
            x,
            y,
            width,
            height,
        }) = region
        {
            let is_offset = |px: f64| px.is_finite() && px >= 0.0;
            let is_size = |px: f64| px.is_finite() && px >= 1.0;
            if !(is_offset(x) && is_offset(y) && is_size(width) && is_size(height)) {
                return Err(Error::invalid_input("a part of the page is out of range")
                    .hint("Use x and y of 0 or more, width and height of 1 or more, in CSS px."));
            }
        }
        let wanted = [
            full_page.then_some(Area::FullPage),
            index.map(Area::Element),
            region,
        ];
        let mut wanted = wanted.into_iter().flatten();
        match (wanted.next(), wanted.next()) {
            (None, _) => Ok(Area::Viewport),
            (Some(area), None) => Ok(area),
            (Some(_), Some(_)) => Err(Error::invalid_input(
                "full_page, index and a part of the page exclude each other",
            )
            .hint("Use one of them.")),
        }
    }
}

/// Takes a screenshot; with marks comes the list of what is marked.
pub(super) async fn take(
    handle: &SessionHandle,
    wanted: PictureOptions,
) -> Result<(Vec<u8>, Option<ElementList>), Error> {
    let PictureOptions {
        format,
        quality,
        area,
        marks,
    } = wanted;
    let quality = match quality.map(u8::try_from) {
        None => None,
        Some(Ok(quality @ 1..=100)) => Some(quality),
        Some(_) => {
            return Err(Error::invalid_input("quality is out of range").hint("Use 1 to 100."));
        }
    };
    if !marks {
        return Ok((handle.screenshot(format, quality, area).await?, None));
    }
    let output = match format {
        Format::Png => Output::Png,
        Format::Jpeg => Output::Jpeg(quality.unwrap_or(MARKED_QUALITY)),
        Format::Webp => {
            return Err(Error::invalid_input("marks are not drawn on webp")
                .hint("Use format=png or format=jpeg."));
        }
    };
    let full_page = match area {
        Area::Viewport => false,
        Area::FullPage => true,
        Area::Element(_) | Area::Region { .. } => {
            return Err(
                Error::invalid_input("marks are not drawn on a part of the page")
                    .hint("Leave out marks, or take the viewport or the full page."),
            );
        }
    };
    let (picture, elements) = handle.marked_screenshot(output, full_page).await?;
    Ok((picture, Some(elements)))
}
