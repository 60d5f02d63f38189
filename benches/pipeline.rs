//! The stages that every picture goes through, at 1280x720, one after the other and on one thread:
//! JPEG into I420, the ghost cursor onto it, H.264 out of it. Run with `cargo bench`; with
//! `cargo bench -- --test` each runs once.
//!
//! Each stage is told as a ratio to one copy of the same picture in memory, measured in the same
//! run, since machines differ and shared ones differ by the minute. A checksum over all that came
//! out keeps the work from being optimised away, and shows that two runs did the same.
//!
//! Deliberately absent: Chromium (its own copying and JPEG cost more than all of this), base64,
//! channels and threads, WebRTC and the network, and lossless stills, which come once per rest.
//! What a viewer sees of the whole way is measured end to end, against a reference, elsewhere.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
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

/// Time and runs of each stage, in the order of their first run.
#[derive(Default)]
struct Times(RefCell<Vec<(&'static str, Duration, u64)>>);

impl Times {
    /// Measures `work`, told its run's number, as criterion wants it, and keeps the times too.
    fn measure(&self, criterion: &mut Criterion, name: &'static str, mut work: impl FnMut(usize)) {
        let mut run = 0;
        criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|count| {
                let started = Instant::now();
                for _ in 0..count {
                    work(run);
                    run += 1;
                }
                let took = started.elapsed();
                self.add(name, took, count);
                took
            });
        });
    }

    fn add(&self, name: &'static str, took: Duration, count: u64) {
        let mut times = self.0.borrow_mut();
        match times.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, total, runs)) => (*total, *runs) = (*total + took, *runs + count),
            None => times.push((name, took, count)),
        }
    }

    /// Tells each stage's mean as a multiple of the first one's. A filter may have left some out.
    fn tell(&self) {
        let times = self.0.borrow();
        let mean = |took: Duration, runs: u64| took.as_secs_f64() / runs.max(1) as f64;
        let Some((reference, took, runs)) = times.first() else {
            return;
        };
        let unit = mean(*took, *runs);
        for (name, took, runs) in times.iter() {
            let mean = mean(*took, *runs);
            eprintln!(
                "{name:10} {:8.3} ms  {:7.1} x {reference}",
                mean * 1e3,
                mean / unit
            );
        }
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let times = Times::default();
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
    times.measure(&mut criterion, "copy", |run| {
        copy.copy_from_slice(pictures[run % 2].data_mut());
        black_box(&mut copy);
    });
    checksum.add(&copy);

    let mut decoded = Picture::new(SIZE);
    times.measure(&mut criterion, "decode", |run| {
        let jpeg = &jpegs[run % 2];
        decoder
            .decode_jpeg(jpeg, &mut decoded)
            .expect("the JPEG is whole");
    });
    checksum.add_picture(&pictures[1]);

    let (overlays, mut composer) = (overlays(), Composer::new());
    times.measure(&mut criterion, "compose", |run| {
        let overlay = &overlays[run % overlays.len()];
        black_box(composer.draw(&mut pictures[0], Some(overlay), Scale::uniform(1.0)));
    });
    composer.draw(&mut pictures[0], overlays.first(), Scale::uniform(1.0));
    checksum.add_picture(&pictures[0]);
    composer.erase(&mut pictures[0]);

    let mut encoder = new_encoder();
    times.measure(&mut criterion, "encode", |run| {
        let media_ms = run as u64 * 1000 / u64::from(FPS);
        let encoded = encoder.encode(&pictures[run % 2], media_ms, false);
        black_box(encoded.expect("a picture can be encoded"));
    });
    let first = new_encoder().encode(&pictures[0], 0, true);
    let first = first
        .expect("a picture can be encoded")
        .expect("it is not skipped");
    checksum.add(&first.data);

    times.tell();
    eprintln!("checksum   {:016x}", checksum.0);
    criterion.final_summary();
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
