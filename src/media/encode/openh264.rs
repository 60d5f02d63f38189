//! The H.264 encoder: constrained baseline by OpenH264, the only module that names it.
//!
//! ## Design notes
//! - Screen-content mode unless the page is video ([`super::Watcher`]), low complexity, one thread: measured at 2.6 to 7 ms a picture at 720p.
//! - No periodic keyframes: a keyframe is made when somebody asks for one, and in screen mode at a
//!   great change ([`super::Watcher`] sees to it that not every picture is one).
//! - The encoder never skips a picture by itself; [`super::Budget`] decides beforehand, where a
//!   skipped picture is only drawn later and not lost.
//! - A live change of the bit rate goes by the raw option, which is refused before the first
//!   picture.

use openh264::encoder::{
    BitRate, Complexity, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, QpRange,
    RateControlMode, SpsPpsStrategy, UsageType, VuiConfig,
};
use openh264::encoder::{ColorPrimaries, MatrixCoefficients, TransferCharacteristics};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};
use openh264_sys2::{
    ENCODER_OPTION_BITRATE, ENCODER_OPTION_TRACE_LEVEL, SBitrateInfo, SPATIAL_LAYER_0,
    SPATIAL_LAYER_ALL, WELS_LOG_QUIET,
};

use super::content::Content;
use crate::media::picture::{Picture, Plane};
use crate::model::Size;

/// Lowest quantiser: below it nobody sees a difference on a screen.
const QP_MIN: u8 = 12;
/// Highest quantiser: above it text is unreadable.
const QP_MAX_SCREEN: u8 = 42;
/// Video that moves fast is better coarse than jerky.
const QP_MAX_VIDEO: u8 = 51;

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
}

/// An encoder of one stream.
pub struct Encoder {
    inner: openh264::encoder::Encoder,
    bitrate_bps: u32,
    /// The rate that the library begins with.
    first_bps: u32,
    /// The rate that the library has been told since.
    applied_bps: u32,
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
        if self.started {
            let divisor = if keyframe { KEYFRAME_RATE_DIVISOR } else { 1 };
            self.apply_bitrate(self.bitrate_bps / divisor);
            if keyframe {
                self.inner.force_intra_frame();
            }
        }
        if std::mem::replace(&mut self.size, picture.size()) != picture.size() {
            // The library begins anew, at the rate that it was made with.
            self.applied_bps = self.first_bps;
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
        }))
    }

    /// Changes the target bit rate from the next picture on.
    pub fn set_bitrate(&mut self, bitrate_bps: u32) {
        self.bitrate_bps = bitrate_bps;
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
