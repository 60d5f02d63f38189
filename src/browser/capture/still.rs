//! One lossless shot of a page at rest.

use std::time::Instant;

use chromiumoxide::cdp::browser_protocol::page::{
    CaptureScreenshotFormat, CaptureScreenshotParams,
};
use tokio::time::timeout;

use super::super::error::Error;
use super::super::page::{COMMAND_TIMEOUT, Page};
use crate::media::{Pixels, Shot};

/// Takes a lossless shot of what the viewport shows.
pub async fn still(page: &Page) -> Result<Shot, Error> {
    const OPERATION: &str = "take a still";
    let params = CaptureScreenshotParams::builder()
        .format(CaptureScreenshotFormat::Png)
        .optimize_for_speed(true)
        .build();
    let captured_at = Instant::now();
    let answer = timeout(COMMAND_TIMEOUT, page.cdp().execute(params))
        .await
        .map_err(|_| Error::Timeout {
            operation: OPERATION,
        })?
        .map_err(Error::command(OPERATION))?;
    let pixels = Pixels::PngBase64(String::from(answer.result.data));
    Ok(Shot {
        pixels,
        viewport: page.viewport(),
        captured_at,
    })
}
