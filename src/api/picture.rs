//! Screenshots as the doors take them.

use crate::browser::capture::screenshot::Format;
use crate::error::Error;
use crate::media::marks::Output;
use crate::session::{ElementList, SessionHandle};

/// Quality of a marked JPEG where none is named.
const MARKED_QUALITY: u8 = 80;

/// What a screenshot shall be.
#[derive(Debug, Clone, Copy)]
pub(super) struct PictureOptions {
    pub(super) format: Format,
    pub(super) quality: Option<u32>,
    pub(super) full_page: bool,
    pub(super) marks: bool,
}

/// Takes a screenshot; with marks comes the list of what is marked.
pub(super) async fn take(
    handle: &SessionHandle,
    wanted: PictureOptions,
) -> Result<(Vec<u8>, Option<ElementList>), Error> {
    let PictureOptions {
        format,
        quality,
        full_page,
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
        return Ok((handle.screenshot(format, quality, full_page).await?, None));
    }
    let output = match format {
        Format::Png => Output::Png,
        Format::Jpeg => Output::Jpeg(quality.unwrap_or(MARKED_QUALITY)),
        Format::Webp => {
            return Err(Error::invalid_input("marks are not drawn on webp")
                .hint("Use format=png or format=jpeg."));
        }
    };
    let (picture, elements) = handle.marked_screenshot(output, full_page).await?;
    Ok((picture, Some(elements)))
}
