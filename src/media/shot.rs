//! [`Shot`]: one captured frame on its way from the browser to the studio.

use std::sync::Arc;
use std::time::Instant;

use super::screen::Screen;
use crate::model::Size;

/// One captured frame, still compressed or where it is shown.
#[derive(Debug, Clone)]
pub struct Shot {
    /// The pixels.
    pub pixels: Pixels,
    /// The page's viewport at that moment, CSS px: tells the picture's scale.
    pub viewport: Size,
    /// When Chromium swapped the frame.
    pub captured_at: Instant,
}

/// How the pixels of a shot are stored.
#[derive(Debug, Clone)]
pub enum Pixels {
    /// A JPEG, in base64 as CDP sends it; decoded by the studio, off the network tasks.
    JpegBase64(String),
    /// A lossless PNG, in base64 likewise.
    PngBase64(String),
    /// Where they are shown, lossless; looked at when the picture is drawn.
    Screen(Arc<dyn Screen>),
}
