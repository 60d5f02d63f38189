//! The H.264 encoder: constrained baseline by OpenH264, the only module that names it.
//!
//! ## Design notes
//! - Screen-content mode unless the page is video ([`super::Watcher`]), low complexity, one thread: measured at 2.6 to 7 ms a picture at 720p.
//! - No periodic keyframes: a keyframe is made when somebody asks for one, and in screen mode at a
//!   great change ([`super::Watcher`] sees to it that not every picture is one).
//! - The encoder never skips a picture by itself; [`super::Budget`] decides beforehand, where a
//!   skipped picture is only drawn later and not lost.
//! - A live change of the bit rate goes by the raw option, which is refused before the first
//!   picture. So does a quantiser of its own for one picture: with rate control off, the library
//!   takes the layer's, which may be changed without a keyframe.
//! - A keyframe that came out larger than it may be is made once more, coarser: only of keyframes
//!   can one be thrown away, since the next depends on nothing before it.

use openh264::encoder::{
    BitRate, Complexity, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, QpRange,
    RateControlMode, SpsPpsStrategy, UsageType, VuiConfig,
};
use openh264::encoder::{ColorPrimaries, MatrixCoefficients, TransferCharacteristics};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};
use openh264_sys2::{
    ENCODER_OPTION_BITRATE, ENCODER_OPTION_RC_MODE, ENCODER_OPTION_SVC_ENCODE_PARAM_EXT,
    ENCODER_OPTION_TRACE_LEVEL, RC_BITRATE_MODE, RC_MODES, RC_OFF_MODE, RC_TIMESTAMP_MODE,
    SBitrateInfo, SEncParamExt, SPATIAL_LAYER_0, SPATIAL_LAYER_ALL, WELS_LOG_QUIET,
};

use super::content::Content;
use super::ladder::smaller;
use crate::media::picture::{Picture, Plane};
use crate::model::Size;

/// Lowest quantiser: below it nobody sees a difference on a screen.
const QP_MIN: u8 = 12;
/// Highest quantiser: above it text is unreadable.
const QP_MAX_SCREEN: u8 = 42;
/// Video that moves fast is better coarse than jerky.
const QP_MAX_VIDEO: u8 = 51;

/// How often a keyframe that is too large is made again: the second knows what the first cost.
const KEYFRAME_TRIES: usize = 2;

/// A keyframe is encoded as if the rate were this much lower: it costs hundreds of deltas, comes
/// as one burst, and the pictures after it sharpen what it shows.
const KEYFRAME_RATE_DIVISOR: u32 = 4;

/// What to encode for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Most pictures a second.
    pub fps: u32,
    /// Target, bits a second.
    pub bitrate_bps: u32,
    /// What the pictures show.
    pub content: Content,
}

/// Why a picture could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The encoder could not be made.
    #[error("start the H.264 encoder")]
    Start(#[source] openh264::Error),
    /// The encoder refused the picture.
    #[error("encode a picture")]
    Encode(#[source] openh264::Error),
}

/// One encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Annex B; SPS and PPS in front of each IDR.
    pub data: Vec<u8>,
    /// Whether it is an IDR.
    pub keyframe: bool,
    /// Its quantiser, where it was not the library's choice.
    pub quantiser: Option<u8>,
}

/// An encoder of one stream.
pub struct Encoder {
    inner: openh264::encoder::Encoder,
    bitrate_bps: u32,
    /// The rate that the library begins with.
    first_bps: u32,
    /// The rate that the library has been told since.
    applied_bps: u32,
    /// The rate control that it was made with.
    rate_control: RC_MODES,
    /// The quantiser of the next pictures; `None` for the library's choice.
    quantiser: Option<u8>,
    /// The same as the library has been told.
    applied_quantiser: Option<u8>,
    /// The most bytes of a keyframe.
    keyframe_bytes_max: usize,
    /// The size of the last picture.
    size: Size,
    started: bool,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("started", &self.started)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder; its first picture will be a keyframe.
    pub fn new(config: Config) -> Result<Self, Error> {
        let (usage, rate_control, qp_max) = match config.content {
            Content::Screen => (
                UsageType::ScreenContentRealTime,
                RateControlMode::Bitrate,
                QP_MAX_SCREEN,
            ),
            // By the clock: what was paid for by drawing less shall not be paid twice.
            Content::Video => (
                UsageType::CameraVideoRealTime,
                RateControlMode::Timestamp,
                QP_MAX_VIDEO,
            ),
        };
        let settings = EncoderConfig::new()
            .usage_type(usage)
            // Screen mode insists on it; in video it would only cost keyframes.
            .scene_change_detect(config.content == Content::Screen)
            .complexity(Complexity::Low)
            .profile(Profile::Baseline)
            .rate_control_mode(rate_control)
            .bitrate(BitRate::from_bps(
                config.bitrate_bps / KEYFRAME_RATE_DIVISOR,
            ))
            .max_frame_rate(FrameRate::from_hz(config.fps as f32))
            .intra_frame_period(IntraFramePeriod::auto())
            .sps_pps_strategy(SpsPpsStrategy::ConstantId)
            .qp(QpRange::new(QP_MIN, qp_max))
            .skip_frames(false)
            .adaptive_quantization(false)
            .background_detection(false)
            .num_threads(1)
            .vui(limited_bt601());
        let inner =
            openh264::encoder::Encoder::with_api_config(OpenH264API::from_source(), settings)
                .map_err(Error::Start)?;
        let mut encoder = Self {
            inner,
            bitrate_bps: config.bitrate_bps,
            first_bps: config.bitrate_bps / KEYFRAME_RATE_DIVISOR,
            applied_bps: config.bitrate_bps / KEYFRAME_RATE_DIVISOR,
            rate_control: match config.content {
                Content::Screen => RC_BITRATE_MODE,
                Content::Video => RC_TIMESTAMP_MODE,
            },
            quantiser: None,
            applied_quantiser: None,
            keyframe_bytes_max: usize::MAX,
            size: Size::new(0, 0),
            started: false,
        };
        encoder.silence();
        Ok(encoder)
    }

    /// The library writes to the standard error output what it thinks of its settings.
    #[expect(
        unsafe_code,
        reason = "only the raw option comes before the first picture"
    )]
    fn silence(&mut self) {
        let mut level = WELS_LOG_QUIET;
        // SAFETY: this option is allowed before the encoder is initialised, takes a pointer to a
        // C int, and copies from it before the call returns.
        unsafe {
            self.inner
                .raw_api()
                .set_option(ENCODER_OPTION_TRACE_LEVEL, (&raw mut level).cast());
        }
    }

    /// Encodes one picture taken at `media_ms` (milliseconds, any origin, never backwards).
    /// `None` when the encoder made nothing of it.
    pub fn encode(
        &mut self,
        picture: &Picture,
        media_ms: u64,
        keyframe: bool,
    ) -> Result<Option<Encoded>, Error> {
        let quantiser = self.quantiser.filter(|_| !keyframe);
        let mut made = self.encode_once(picture, media_ms, keyframe, quantiser)?;
        for again in 1..=KEYFRAME_TRIES {
            let keyframe = made.as_ref().filter(|made| made.keyframe);
            // By what it was made with: the first picture's is the library's choice, whatever was set.
            let coarser = keyframe
                .and_then(|made| smaller(made.data.len(), made.quantiser, self.keyframe_bytes_max));
            let Some(coarser) = coarser else { break };
            // Of a moment that it had the library makes nothing by the clock.
            let media_ms = media_ms + again as u64;
            let coarse = self.encode_once(picture, media_ms, true, Some(coarser))?;
            made = coarse.or(made);
        }
        Ok(made)
    }

    fn encode_once(
        &mut self,
        picture: &Picture,
        media_ms: u64,
        keyframe: bool,
        quantiser: Option<u8>,
    ) -> Result<Option<Encoded>, Error> {
        let is_resized = std::mem::replace(&mut self.size, picture.size()) != picture.size();
        // Then the library begins anew, with what it was made with.
        let quantiser = quantiser.filter(|_| self.started && !is_resized);
        if self.started {
            let divisor = if keyframe { KEYFRAME_RATE_DIVISOR } else { 1 };
            self.apply_bitrate(self.bitrate_bps / divisor);
            self.apply_quantiser(quantiser);
            if keyframe {
                self.inner.force_intra_frame();
            }
        }
        if is_resized {
            self.applied_bps = self.first_bps;
            self.applied_quantiser = None;
        }
        let stream = self
            .inner
            .encode_at(&Source(picture), Timestamp::from_millis(media_ms))
            .map_err(Error::Encode)?;
        self.started = true;
        let is_key = match stream.frame_type() {
            FrameType::IDR => true,
            FrameType::I | FrameType::P | FrameType::IPMixed => false,
            FrameType::Skip | FrameType::Invalid => return Ok(None),
        };
        let data = stream.to_vec();
        Ok((!data.is_empty()).then_some(Encoded {
            data,
            keyframe: is_key,
            quantiser,
        }))
    }

    /// Sets the quantiser of the next pictures but keyframes; `None` leaves it to the library.
    pub fn set_quantiser(&mut self, quantiser: Option<u8>) {
        self.quantiser = quantiser;
    }

    /// Sets how large a keyframe may be, as far as coarseness can make it.
    pub fn set_keyframe_bytes_max(&mut self, bytes: usize) {
        self.keyframe_bytes_max = bytes;
    }

    /// Changes the target bit rate from the next picture on.
    pub fn set_bitrate(&mut self, bitrate_bps: u32) {
        self.bitrate_bps = bitrate_bps;
    }

    #[expect(
        unsafe_code,
        reason = "one picture's quantiser is set by raw options only"
    )]
    fn apply_quantiser(&mut self, quantiser: Option<u8>) {
        if std::mem::replace(&mut self.applied_quantiser, quantiser) == quantiser {
            return;
        }
        // SAFETY: the encoder is initialised (`started`). The first option takes a pointer to a C int; the others
        // take one to a SEncParamExt, which is plain numbers and is filled by the one before the other reads it. The
        // encoder copies before each call returns.
        let code = unsafe {
            let api = self.inner.raw_api();
            // First: while the library controls the rate it refuses settings with a rate above the one that it began
            // with, a keyframe's, and so with all that stands in them.
            let mut mode = match quantiser {
                Some(_) => RC_OFF_MODE,
                None => self.rate_control,
            };
            let mut code = api.set_option(ENCODER_OPTION_RC_MODE, (&raw mut mode).cast());
            if let Some(quantiser) = quantiser {
                let mut settings = SEncParamExt::default();
                let option = ENCODER_OPTION_SVC_ENCODE_PARAM_EXT;
                code |= api.get_option(option, (&raw mut settings).cast());
                settings.sSpatialLayers[0].iDLayerQp = i32::from(quantiser);
                code |= api.set_option(option, (&raw mut settings).cast());
            }
            code
        };
        if code != 0 {
            tracing::debug!(code, ?quantiser, "the encoder refused a quantiser");
        }
    }

    #[expect(unsafe_code, reason = "a live bit rate is set by the raw option only")]
    fn apply_bitrate(&mut self, bitrate_bps: u32) {
        if self.applied_bps == bitrate_bps {
            return;
        }
        self.applied_bps = bitrate_bps;
        let bitrate = i32::try_from(bitrate_bps).unwrap_or(i32::MAX);
        for layer in [SPATIAL_LAYER_ALL, SPATIAL_LAYER_0] {
            let mut info = SBitrateInfo {
                iLayer: layer,
                iBitrate: bitrate,
            };
            // SAFETY: the encoder is initialised (`started`), the option takes a pointer to a
            // SBitrateInfo, and the encoder copies from it before the call returns.
            let code = unsafe {
                self.inner
                    .raw_api()
                    .set_option(ENCODER_OPTION_BITRATE, (&raw mut info).cast())
            };
            if code != 0 {
                tracing::debug!(code, bitrate_bps, "the encoder refused a bit rate");
            }
        }
    }
}

/// What every decoder shall know: limited range, BT.601 matrix, sRGB-like primaries.
fn limited_bt601() -> VuiConfig {
    VuiConfig::new()
        .color_primaries(ColorPrimaries::Bt709)
        .transfer_characteristics(TransferCharacteristics::Bt709)
        .matrix_coefficients(MatrixCoefficients::Smpte170M)
        .full_range(false)
}

struct Source<'a>(&'a Picture);

impl YUVSource for Source<'_> {
    fn dimensions(&self) -> (usize, usize) {
        self.0.plane_size(Plane::Y)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (
            self.0.stride(Plane::Y),
            self.0.stride(Plane::U),
            self.0.stride(Plane::V),
        )
    }

    fn y(&self) -> &[u8] {
        self.0.plane(Plane::Y)
    }

    fn u(&self) -> &[u8] {
        self.0.plane(Plane::U)
    }

    fn v(&self) -> &[u8] {
        self.0.plane(Plane::V)
    }
}

#[cfg(test)]
mod tests {
    use ghostcast_validate::playback::Player;

    use super::*;
    use crate::media::Level;

    const SIZE: Size = Size::new(640, 360);

    /// A page of small print, scrolled by so many rows.
    fn page(scrolled: usize) -> Picture {
        let mut picture = Picture::new(SIZE);
        let stride = picture.stride(Plane::Y);
        for (index, luma) in picture.plane_mut(Plane::Y).iter_mut().enumerate() {
            let (row, column) = (index / stride + scrolled, index % stride);
            let (glyph, line) = (column / 7, row / 14);
            let is_gap = row % 14 < 4 || (glyph * 31 + line * 17).is_multiple_of(6);
            let dots = (glyph * 7919 + line * 104_729 + (row % 14) * 31 + column % 7 * 13) % 5;
            *luma = if is_gap || dots > 1 { 235 } else { 16 };
        }
        picture
    }

    fn encoder(content: Content) -> Encoder {
        Encoder::new(Config {
            fps: 30,
            bitrate_bps: 1_000_000,
            content,
        })
        .unwrap()
    }

    #[test]
    fn a_keyframe_costs_no_more_than_it_may() {
        for content in [Content::Screen, Content::Video] {
            let free = encoder(content).encode(&page(0), 0, true);
            let bytes_max = free.unwrap().unwrap().data.len() / 2;
            let mut encoder = encoder(content);
            encoder.set_keyframe_bytes_max(bytes_max);
            encoder.set_quantiser(Some(51));
            for (ms, is_asked) in [(0, false), (500, true)] {
                let made = encoder.encode(&page(0), ms, is_asked).unwrap().unwrap();
                assert!(made.keyframe && made.quantiser.is_some(), "{content:?}");
                assert!(
                    made.data.len() <= bytes_max * 11 / 10,
                    "{content:?} {ms} ms"
                );
            }
        }
    }

    #[test]
    fn a_stream_needs_no_higher_level_than_is_said() {
        for (width, height, fps) in [
            (1280, 720, 30),
            (1280, 720, 60),
            (1920, 1080, 30),
            (1920, 1080, 60),
            (3840, 240, 30),
        ] {
            let size = Size::new(width, height);
            let mut encoder = Encoder::new(Config {
                fps,
                bitrate_bps: 4_000_000,
                content: Content::Screen,
            })
            .unwrap();
            let made = encoder
                .encode(&Picture::new(size), 0, true)
                .unwrap()
                .unwrap();
            let sps = made
                .data
                .windows(4)
                .position(|bytes| bytes == [0, 0, 1, 0x67]);
            let level = made.data[sps.unwrap() + 6];
            assert!(
                level <= Level::of(size, fps).idc(),
                "{size:?} at {fps}: {level}"
            );
        }
    }

    #[test]
    fn the_first_quantiser_of_its_own_is_kept_to() {
        let bytes = |quantiser| {
            let mut encoder = encoder(Content::Screen);
            encoder.encode(&page(0), 0, true).unwrap().unwrap();
            encoder.set_quantiser(Some(quantiser));
            let made = encoder.encode(&page(5), 100, false).unwrap().unwrap();
            made.data.len()
        };
        let (fine, usual, coarse) = (bytes(18), bytes(26), bytes(44));
        assert!(
            fine > usual && usual > coarse * 3,
            "{fine}, {usual}, {coarse}"
        );
    }

    #[test]
    fn a_quantiser_of_its_own_takes_no_keyframe_and_sharpens_a_page_that_rests() {
        let mut encoder = encoder(Content::Screen);
        let mut player = Player::new().unwrap();
        let page = page(0);
        let mut error = |made: &Encoded| {
            let shown = player.show(&made.data).unwrap().unwrap();
            let stride = page.stride(Plane::Y);
            let rows = page.plane(Plane::Y).chunks(stride);
            let page = rows.flat_map(|row| &row[..SIZE.width as usize]);
            let lumas = shown.luma().iter().zip(page);
            lumas.map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
        };
        encoder.set_keyframe_bytes_max(1);
        let blurred = error(&encoder.encode(&page, 0, true).unwrap().unwrap());
        let mut sharp = 0;
        for (turn, quantiser) in [47, 41, 35, 29, 23, 22].into_iter().enumerate() {
            encoder.set_quantiser(Some(quantiser));
            let ms = 100 + turn as u64 * 80;
            let made = encoder.encode(&page.stirred(turn), ms, false).unwrap();
            let made = made.unwrap();
            assert!(!made.keyframe && made.quantiser == Some(quantiser));
            sharp = error(&made);
        }
        assert!(sharp * 4 < blurred, "{blurred} became {sharp}");
        encoder.set_quantiser(None);
        let made = encoder.encode(&page, 900, false).unwrap().unwrap();
        assert!(!made.keyframe && made.quantiser.is_none());
    }
}
