//! The canvas of the studio: the page's picture, and what lies over it.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::inbox::Hung;
use crate::error::BoxError;
use crate::media::compose::Composer;
use crate::media::cursor::Overlay;
use crate::media::cursor::sprite::Scale;
use crate::media::decode::Decoder;
use crate::media::panel::Board;
use crate::media::{Picture, Pixels, Shot};
use crate::model::Size;

/// The picture and what is drawn on it.
pub(super) struct Canvas {
    pub(super) picture: Picture,
    /// What lies over the page, below the cursor.
    pub(super) board: Board,
    /// The panel that was shown last.
    hung: Option<u64>,
    composer: Composer,
    decoder: Option<Decoder>,
    /// The JPEG that the picture shows, or that the still on it replaced.
    pub(super) jpeg: String,
    binary: Vec<u8>,
    viewport: Size,
    /// Whether anything was ever drawn.
    pub(super) is_painted: bool,
}

impl Canvas {
    pub(super) fn new() -> Self {
        Self {
            picture: Picture::new(Size::new(2, 2)),
            board: Board::default(),
            hung: None,
            composer: Composer::new(),
            decoder: None,
            jpeg: String::new(),
            binary: Vec::new(),
            viewport: Size::new(1, 1),
            is_painted: false,
        }
    }

    /// Whether the picture shows this shot already.
    pub(super) fn shows(&self, shot: &Shot) -> bool {
        matches!(&shot.pixels, Pixels::JpegBase64(text) if *text == self.jpeg)
    }

    /// Decodes a shot over the whole picture.
    pub(super) fn paint(&mut self, shot: Shot, now: Instant) -> Result<(), BoxError> {
        let started = Instant::now();
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => none.insert(Decoder::new()?),
        };
        let (Pixels::JpegBase64(text) | Pixels::PngBase64(text)) = &shot.pixels;
        self.binary.clear();
        STANDARD.decode_vec(text, &mut self.binary)?;
        // A damaged shot may leave half a picture, so the overlay's saved pixels are void.
        self.composer.forget();
        self.board.forget();
        match shot.pixels {
            Pixels::JpegBase64(text) => {
                self.jpeg = text;
                decoder.decode_jpeg(&self.binary, &mut self.picture)?;
            }
            Pixels::PngBase64(_) => decoder.decode_png(&self.binary, &mut self.picture)?,
        }
        self.viewport = shot.viewport;
        self.is_painted = true;
        metrics::histogram!("ghostcast_stage_seconds", "stage" => "capture").record(
            now.saturating_duration_since(shot.captured_at)
                .as_secs_f64(),
        );
        stage("decode", started);
        Ok(())
    }

    /// Puts a panel over the page, or takes one off; answers whether that is news.
    pub(super) fn hang(&mut self, hung: Option<&Hung>) -> bool {
        let number = hung.map(|hung| hung.number);
        if number == self.board.number() {
            return false;
        }
        // The cursor lies above, and what is under it is no longer what it was.
        self.composer.erase(&mut self.picture);
        let scale = self.scale();
        let panel = hung.map(|hung| (hung.number, hung.panel.as_ref()));
        self.board.draw(&mut self.picture, panel, scale);
        std::mem::replace(&mut self.hung, number) != number
    }

    fn scale(&self) -> Scale {
        // An odd viewport is padded to the picture's even sides, not stretched.
        Scale::between(self.viewport.to_even(), self.picture.size())
    }

    pub(super) fn compose(&mut self, overlay: Option<&Overlay>) {
        let started = Instant::now();
        let scale = self.scale();
        self.composer.draw(&mut self.picture, overlay, scale);
        stage("compose", started);
    }
}

/// Records how long a stage took.
pub(super) fn stage(name: &'static str, started: Instant) {
    metrics::histogram!("ghostcast_stage_seconds", "stage" => name)
        .record(started.elapsed().as_secs_f64());
}
