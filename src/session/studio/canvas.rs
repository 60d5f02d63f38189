//! The canvas of the studio: the page's picture, and what lies over it.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::inbox::Hung;
use crate::error::BoxError;
use crate::media::compose::Composer;
use crate::media::convert::Converter;
use crate::media::cursor::Overlay;
use crate::media::cursor::sprite::Scale;
use crate::media::decode::{self, Decoder};
use crate::media::panel::Board;
use crate::media::screen::{Damage, Rect, Screen};
use crate::media::{Picture, Pixels, Plane, Shot};
use crate::model::Size;

/// The picture and what is drawn on it.
pub(super) struct Canvas {
    pub(super) picture: Picture,
    /// What lies over the page, below the cursor.
    pub(super) board: Board,
    /// What lies over that.
    pub(super) badge: Board,
    /// The panel that was shown last.
    hung: Option<u64>,
    composer: Composer,
    decoder: Option<Decoder>,
    converter: Converter,
    /// The screen that the picture shows, if it shows one.
    pub(super) screen: Option<Arc<dyn Screen>>,
    /// The JPEG that the picture shows, or that the still on it replaced.
    pub(super) jpeg: String,
    binary: Vec<u8>,
    viewport: Size,
    /// Whether anything was ever drawn.
    pub(super) is_painted: bool,
    /// How many pixels the last shot brought.
    brought: u64,
}

impl Canvas {
    pub(super) fn new() -> Self {
        Self {
            picture: Picture::new(Size::new(2, 2)),
            board: Board::default(),
            badge: Board::default(),
            hung: None,
            composer: Composer::new(),
            decoder: None,
            converter: Converter::default(),
            screen: None,
            jpeg: String::new(),
            binary: Vec::new(),
            viewport: Size::new(1, 1),
            is_painted: false,
            brought: 0,
        }
    }

    /// Whether the last shot brought most of what is seen now.
    pub(super) fn is_mostly_new(&self) -> bool {
        2 * self.brought > Rect::of(self.picture.size()).area()
    }

    /// Whether the picture shows this shot already.
    pub(super) fn shows(&self, shot: &Shot) -> bool {
        matches!(&shot.pixels, Pixels::JpegBase64(text) if *text == self.jpeg)
    }

    /// Forgets what it shows.
    pub(super) fn clear(&mut self) {
        self.is_painted = false;
        self.jpeg.clear();
        self.screen = None;
    }

    /// Shows an empty window, before there is anything of the page.
    pub(super) fn open(&mut self, size: Size) {
        self.picture = Picture::new(size);
        self.picture.plane_mut(Plane::Y).fill(LUMA_WHITE);
    }

    /// Brings a shot into the picture.
    pub(super) fn paint(&mut self, shot: Shot, now: Instant) -> Result<(), BoxError> {
        metrics::histogram!("ghostcast_stage_seconds", "stage" => "capture").record(
            now.saturating_duration_since(shot.captured_at)
                .as_secs_f64(),
        );
        let started = Instant::now();
        self.viewport = shot.viewport;
        match shot.pixels {
            Pixels::JpegBase64(text) => {
                self.decode(&text, Decoder::decode_jpeg)?;
                self.jpeg = text;
                stage("decode", started);
            }
            Pixels::PngBase64(text) => {
                self.decode(&text, Decoder::decode_png)?;
                stage("decode", started);
            }
            Pixels::Screen(screen) => {
                self.convert(screen)?;
                stage("convert", started);
            }
        }
        self.is_painted = true;
        Ok(())
    }

    /// Decodes a picture over the whole of this one.
    fn decode(
        &mut self,
        text: &str,
        decode: fn(&mut Decoder, &[u8], &mut Picture) -> Result<(), decode::Error>,
    ) -> Result<(), BoxError> {
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => none.insert(Decoder::new()?),
        };
        self.binary.clear();
        STANDARD.decode_vec(text, &mut self.binary)?;
        // A damaged shot may leave half a picture, so the overlay's saved pixels are void.
        self.composer.forget();
        self.board.forget();
        self.badge.forget();
        self.screen = None;
        decode(decoder, &self.binary, &mut self.picture)?;
        self.brought = Rect::of(self.picture.size()).area();
        Ok(())
    }

    /// Converts what a screen shows, as far as the picture does not show it already.
    fn convert(&mut self, screen: Arc<dyn Screen>) -> Result<(), BoxError> {
        let is_same = self
            .screen
            .as_ref()
            .is_some_and(|shown| Arc::ptr_eq(shown, &screen));
        self.jpeg.clear();
        // What lies over the page is put back with the next picture.
        self.composer.erase(&mut self.picture);
        let scale = self.scale();
        for over in [&mut self.badge, &mut self.board] {
            over.draw(&mut self.picture, None, scale);
        }
        let (converter, picture) = (&mut self.converter, &mut self.picture);
        let mut converted = Ok(0);
        screen.look(&mut |pixels, damage| {
            let all;
            let damage = if is_same {
                damage
            } else {
                all = Damage::all(pixels.size());
                &all
            };
            converted = converter.convert(pixels, damage, picture);
        });
        // What could not be converted is no longer damaged.
        self.screen = converted.is_ok().then_some(screen);
        self.brought = converted?;
        Ok(())
    }

    /// Puts a panel over the page and a badge over that, or takes them off; answers whether the panel is news.
    pub(super) fn hang(&mut self, hung: Option<&Hung>, badge: Option<&Hung>) -> bool {
        let number = hung.map(|hung| hung.number);
        let is_hung = number == self.board.number();
        if is_hung && badge.map(|badge| badge.number) == self.badge.number() {
            return false;
        }
        // The cursor lies above, and what is under it is no longer what it was.
        self.composer.erase(&mut self.picture);
        let scale = self.scale();
        self.badge.draw(&mut self.picture, None, scale);
        if !is_hung {
            self.board
                .draw(&mut self.picture, hung.map(Hung::numbered), scale);
        }
        self.badge
            .draw(&mut self.picture, badge.map(Hung::numbered), scale);
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

/// What white is in a picture of limited range (BT.601).
const LUMA_WHITE: u8 = 235;

/// Records how long a stage took.
pub(super) fn stage(name: &'static str, started: Instant) {
    metrics::histogram!("ghostcast_stage_seconds", "stage" => name)
        .record(started.elapsed().as_secs_f64());
}
