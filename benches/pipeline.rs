//! The stages that every picture goes through, at 1280x720, one after the other and on one thread:
//! JPEG into I420, the ghost cursor onto it, H.264 out of it. Run with `cargo bench`; with
//! `cargo bench -- --test` each runs once, with `cargo bench -- NAME` one of them and the reference.
//!
//! Each stage is told as a ratio to one copy of the same picture in memory, measured in the same
//! run, since machines differ and shared ones differ by the minute. A checksum over all that came
//! out keeps the work from being optimised away, and shows that two runs did the same.
//!
//! Deliberately absent: Chromium (its own copying and JPEG cost more than all of this), base64,
//! channels and threads, WebRTC and the network, and lossless stills, which come once per rest.
//! What a viewer sees of the whole way is measured end to end, against a reference, elsewhere.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ghostcast::media::compose::Composer;
use ghostcast::media::cursor::sprite::Scale;
use ghostcast::media::cursor::{self, Cue, Cursor, Overlay};
use ghostcast::media::decode::Decoder;
use ghostcast::media::encode::{self, Encoder};
use ghostcast::media::{Picture, Plane};
use ghostcast::model::{Point, Size};

const SIZE: Size = Size::new(1280, 720);
const FPS: u32 = 30;
/// The service's default quality.
const JPEG_QUALITY: i32 = 80;
/// The page is scrolled by this much between two pictures, so that there is something to encode.
const SCROLL_PX: usize = 24;

/// How long a stage is run before it counts, so that caches and clocks are what they will be.
const WARM: Duration = Duration::from_millis(500);
/// How long it is measured.
const MEASURED: Duration = Duration::from_secs(3);
/// The stage that the others are compared with.
const REFERENCE: &str = "copy";

/// What is to be measured, and the times of what has been.
struct Bench {
    /// Each stage runs once, unmeasured.
    is_trial: bool,
    /// Only the stage of this name, and the reference.
    only: Option<String>,
    /// The median of each stage's runs, in the order of the stages.
    medians: Vec<(&'static str, Duration)>,
}

impl Bench {
    /// By the program's arguments; cargo adds `--bench`.
    fn from_args() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Self {
            is_trial: arguments.iter().any(|argument| argument == "--test"),
            only: arguments.into_iter().find(|a| !a.starts_with("--")),
            medians: Vec::new(),
        }
    }

    /// Runs `work`, told its run's number, and tells its times.
    fn measure(&mut self, name: &'static str, mut work: impl FnMut(usize)) {
        let is_wanted = |only: &String| only == name || name == REFERENCE;
        if !self.only.as_ref().is_none_or(is_wanted) {
            return;
        }
        let mut run = 0;
        let mut timed = || {
            let started = Instant::now();
            work(run);
            run += 1;
            started.elapsed()
        };
        if self.is_trial {
            timed();
            return;
        }
        let began = Instant::now();
        while began.elapsed() < WARM {
            timed();
        }
        let (began, mut times) = (Instant::now(), Vec::new());
        while began.elapsed() < MEASURED {
            times.push(timed());
        }
        times.sort_unstable();
        let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize];
        self.medians.push((name, at(0.5)));
        let unit = self.medians[0].1.as_secs_f64();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        eprintln!(
            "{name:10} p50 {:8.3} ms  p5 {:8.3}  p95 {:8.3}  {:7.1} x {REFERENCE}  {} runs",
            ms(at(0.5)),
            ms(at(0.05)),
            ms(at(0.95)),
            at(0.5).as_secs_f64() / unit,
            times.len(),
        );
    }
}

fn main() {
    let mut bench = Bench::from_args();
    let jpegs = [0, SCROLL_PX].map(|scrolled| jpeg(&page(scrolled)));
    let mut decoder = Decoder::new().expect("a JPEG decoder");
    let mut pictures = [Picture::new(SIZE), Picture::new(SIZE)];
    for (jpeg, picture) in jpegs.iter().zip(&mut pictures) {
        decoder
            .decode_jpeg(jpeg, picture)
            .expect("the JPEG is whole");
    }
    let mut checksum = Checksum::default();

    let mut copy = vec![0; pictures[0].data_mut().len()];
    bench.measure(REFERENCE, |run| {
        copy.copy_from_slice(pictures[run % 2].data_mut());
        black_box(&mut copy);
    });
    checksum.add(&copy);

    let mut decoded = Picture::new(SIZE);
    bench.measure("decode", |run| {
        let jpeg = &jpegs[run % 2];
        decoder
            .decode_jpeg(jpeg, &mut decoded)
            .expect("the JPEG is whole");
    });
    checksum.add_picture(&pictures[1]);

    let (overlays, mut composer) = (overlays(), Composer::new());
    bench.measure("compose", |run| {
        let overlay = &overlays[run % overlays.len()];
        black_box(composer.draw(&mut pictures[0], Some(overlay), Scale::uniform(1.0)));
    });
    composer.draw(&mut pictures[0], overlays.first(), Scale::uniform(1.0));
    checksum.add_picture(&pictures[0]);
    composer.erase(&mut pictures[0]);

    let mut encoder = new_encoder();
    bench.measure("encode", |run| {
        let media_ms = run as u64 * 1000 / u64::from(FPS);
        let encoded = encoder.encode(&pictures[run % 2], media_ms, false);
        black_box(encoded.expect("a picture can be encoded"));
    });
    let first = new_encoder().encode(&pictures[0], 0, true);
    let first = first
        .expect("a picture can be encoded")
        .expect("it is not skipped");
    checksum.add(&first.data);

    eprintln!("checksum   {:016x}", checksum.0);
}

fn new_encoder() -> Encoder {
    let config = encode::Config {
        fps: FPS,
        bitrate_bps: 2_000_000,
        content: encode::Content::Screen,
    };
    Encoder::new(config).expect("an encoder")
}

/// A page of text, as RGB: lines of dark glyphs on white, under a coloured bar that does not scroll.
fn page(scrolled: usize) -> Vec<u8> {
    const BAR_PX: usize = 56;
    const GLYPH_WIDTH: usize = 8;
    const LINE_HEIGHT: usize = 20;
    let (width, height) = (SIZE.width as usize, SIZE.height as usize);
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let (line, row) = ((y + scrolled) / LINE_HEIGHT, (y + scrolled) % LINE_HEIGHT);
            let (column, dot) = (x / GLYPH_WIDTH, x % GLYPH_WIDTH);
            let glyph = noise(line * 512 + column);
            // A glyph is 6 by 12 dots of 35 bits; every seventh place is a space.
            let is_inked =
                !glyph.is_multiple_of(7) && dot < 6 && (4..16).contains(&row) && column > 4;
            let is_dark = is_inked && (glyph >> ((row / 2 * 3 + dot / 2) % 35)) & 1 == 1;
            rgb.extend(match (y < BAR_PX, is_dark) {
                (true, _) => [0x1d, 0x4e, 0xd8],
                (false, true) => [0x16, 0x18, 0x1d],
                (false, false) => [0xff, 0xff, 0xff],
            });
        }
    }
    rgb
}

/// A number that looks random and is always the same (splitmix64).
fn noise(seed: usize) -> u64 {
    let mut z = (seed as u64)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// As the screencast compresses it.
fn jpeg(rgb: &[u8]) -> Vec<u8> {
    let (width, height) = (SIZE.width as usize, SIZE.height as usize);
    let image = turbojpeg::Image {
        pixels: rgb,
        width,
        pitch: width * 3,
        height,
        format: turbojpeg::PixelFormat::RGB,
    };
    let compressed = turbojpeg::compress(image, JPEG_QUALITY, turbojpeg::Subsamp::Sub2x2);
    compressed.expect("the page compresses").to_vec()
}

/// A cursor on its way across the page, and the click at the end of it.
fn overlays() -> Vec<Overlay> {
    let start = Instant::now();
    let mut cursor = Cursor::new(cursor::Config::default());
    cursor.cue(
        start,
        Cue::MoveTo {
            at: Point::new(200.0, 200.0),
        },
    );
    let at = Point::new(900.0, 500.0);
    let moving = start + Duration::from_secs(1);
    cursor.cue(moving, Cue::Press { at, count: 1 });
    let interval = Duration::from_secs(1) / FPS;
    let frames = (0..16).filter_map(|frame| cursor.frame(moving + interval * frame));
    let overlays: Vec<Overlay> = frames.collect();
    assert!(!overlays.is_empty(), "the cursor is to be seen");
    overlays
}

/// FNV-1a over all that came out.
struct Checksum(u64);

impl Default for Checksum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn add_picture(&mut self, picture: &Picture) {
        for plane in [Plane::Y, Plane::U, Plane::V] {
            self.add(picture.plane(plane));
        }
    }
}
