//! One lossless shot of a page at rest.

use std::time::Instant;

use chromiumoxide_cdp::cdp::browser_protocol::page::{
    CaptureScreenshotFormat, CaptureScreenshotParams,
};

use super::super::error::Error;
use super::super::target::Page;
use crate::media::{Pixels, Shot};

/// Takes a lossless shot of what the viewport shows.
pub async fn still(page: &Page) -> Result<Shot, Error> {
    const OPERATION: &str = "take a still";
    let params = CaptureScreenshotParams::builder()
        .format(CaptureScreenshotFormat::Png)
        .optimize_for_speed(true)
        .build();
    let captured_at = Instant::now();
    let answer = page.session().execute(OPERATION, params).await?;
    let pixels = Pixels::PngBase64(String::from(answer.data));
    Ok(Shot {
        pixels,
        viewport: page.viewport(),
        captured_at,
    })
}
