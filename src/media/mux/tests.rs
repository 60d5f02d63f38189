use std::time::Instant;

use ghostcast_validate::film;
use ghostcast_validate::playback::Player;

use super::*;
use crate::media::encode::{Config, Content, Encoder};
use crate::media::{Layer, Picture};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Pictures of the real encoder; the first is a keyframe, and so is every eighth.
fn units(size: Size, count: u64) -> Vec<AccessUnit> {
    let config = Config {
        fps: 30,
        bitrate_bps: 1_000_000,
        content: Content::Screen,
    };
    let mut encoder = Encoder::new(config).unwrap();
    let picture = Picture::new(size);
    let made = (0..count).map(|number| {
        let is_key = number.is_multiple_of(8);
        let unit = encoder.encode(&picture, number * 33, is_key);
        let unit = unit.unwrap().unwrap();
        AccessUnit {
            data: unit.data.into(),
            keyframe: unit.keyframe,
            layer: Layer::Full,
            made_at: Instant::now(),
        }
    });
    made.collect()
}

/// A file in memory.
struct File {
    muxer: Muxer,
    bytes: Vec<u8>,
}

impl File {
    fn new() -> Self {
        let (muxer, bytes) = Muxer::new(1_795_258_556).unwrap();
        Self { muxer, bytes }
    }

    fn write(&mut self, until: Duration) {
        let fragment = self.muxer.fragment(until).unwrap();
        self.bytes.extend(&fragment.head);
        self.bytes.extend(&fragment.body);
        self.muxer.commit(&fragment);
        assert_eq!(self.muxer.committed(), self.bytes.len() as u64);
    }

    fn finish(&mut self, until: Duration, chapters: &[Chapter]) {
        let finish = self.muxer.finish(until, chapters).unwrap();
        assert!(finish.tail.len() as u64 <= self.muxer.tail_bytes(chapters));
        self.bytes.extend(&finish.tail);
        let (at, patch) = finish.patch;
        self.bytes[at as usize..at as usize + patch.len()].copy_from_slice(&patch);
    }

    fn kinds(&self) -> Vec<String> {
        let boxes = boxes(&self.bytes).into_iter();
        boxes.map(|(kind, _)| kind).collect()
    }
}

/// A film of two fragments: pictures at 200, 233, … ms, then some from 5 s on.
fn film() -> File {
    let mut file = File::new();
    for (unit, number) in units(Size::new(64, 48), 10).iter().zip(0..) {
        let at = if number < 6 {
            200 + number * 33
        } else {
            5_000 + number * 40
        };
        if number == 6 {
            file.write(MS(700));
        }
        file.muxer.push(unit, MS(at)).unwrap();
    }
    file.write(MS(5_500));
    file
}

fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    let bytes = &bytes[at..at + width];
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// The boxes of a container, each with its kind and its body. They tile it without a rest.
fn boxes(mut bytes: &[u8]) -> Vec<(String, &[u8])> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (size, header) = match number(bytes, 0, 4) {
            1 => (number(bytes, 8, 8) as usize, 16),
            size => (size as usize, 8),
        };
        let kind = String::from_utf8_lossy(&bytes[4..8]).into_owned();
        found.push((kind, &bytes[header..size]));
        bytes = &bytes[size..];
    }
    found
}

fn inside<'a>(bytes: &'a [u8], path: &str) -> &'a [u8] {
    path.split('/').fold(bytes, |bytes, kind| {
        let found = boxes(bytes).into_iter().find(|(name, _)| name == kind);
        found.unwrap_or_else(|| panic!("{kind} is there")).1
    })
}

/// The 32-bit numbers of a table, from its count on.
fn table(bytes: &[u8], from: usize) -> Vec<u64> {
    let words = bytes[from..].chunks_exact(4);
    words.map(|word| number(word, 0, 4)).collect()
}

#[test]
fn a_finished_file_is_read_back() {
    let mut file = film();
    assert_eq!(film::read(&file.bytes), None, "it is not finished");
    file.finish(MS(5_500), &[]);
    let film = film::read(&file.bytes).unwrap();
    assert_eq!(film.duration, MS(5_500));
    let times: Vec<u128> = film.pictures.iter().map(|p| p.at.as_millis()).collect();
    assert_eq!(times.len(), 10);
    assert_eq!(times[6..], [5_240, 5_280, 5_320, 5_360]);
    let mut player = Player::new().unwrap();
    for picture in &film.pictures {
        let shown = player.show(&picture.unit).unwrap().unwrap();
        assert_eq!(shown.size(), (64, 48));
    }
    for end in 0..file.bytes.len() {
        // Cut anywhere, it is no film, and nothing breaks.
        assert_eq!(film::read(&file.bytes[..end]), None);
    }
}

#[test]
fn a_growing_file_is_whole_boxes() {
    let file = film();
    let expected = ["ftyp", "free", "moov", "moof", "mdat", "moof", "mdat"];
    assert_eq!(file.kinds(), expected);
    assert_eq!(is_finished(&file.bytes[..64]), Some(false));
    assert_eq!(is_finished(b"something else"), None);
    let moov = inside(&file.bytes, "moov");
    assert_eq!(
        boxes(inside(moov, "trak/mdia/minf/stbl/stsd")[8..].as_ref())[0].0,
        "avc1"
    );
    let second = boxes(&file.bytes)[5].1;
    let starts_at = number(inside(second, "traf/tfdt"), 4, 8);
    assert_eq!(starts_at, 52_400, "the gap is told");
    // Flags of the run: offset, and per sample duration, size and flags.
    let run = inside(second, "traf/trun");
    assert_eq!(number(run, 4, 4), 4);
    let durations: Vec<u64> = table(run, 12).chunks(3).map(|sample| sample[0]).collect();
    assert_eq!(durations, [400, 400, 400, 1_400]);
}

#[test]
fn a_finished_file_has_one_head_that_finds_every_picture() {
    let mut file = film();
    file.finish(MS(6_000), &[]);
    assert_eq!(file.kinds(), ["ftyp", "mdat", "moov"]);
    assert_eq!(is_finished(&file.bytes[..64]), Some(true));
    let head = inside(&file.bytes, "moov/trak/mdia/minf/stbl");
    let sizes = table(inside(head, "stsz"), 12);
    let offsets: Vec<u64> = inside(head, "co64")[8..]
        .chunks_exact(8)
        .map(|offset| number(offset, 0, 8))
        .collect();
    let runs = table(inside(head, "stsc"), 8);
    assert_eq!((runs, offsets.len()), (vec![1, 6, 1, 2, 4, 1], 2));
    let mut sizes = sizes.iter();
    for (offset, samples) in offsets.iter().zip([6, 4]) {
        let mut at = *offset as usize;
        for size in sizes.by_ref().take(samples) {
            let length = number(&file.bytes, at, 4);
            assert_eq!(length + 4, *size, "one slice a picture, after its length");
            at += *size as usize;
        }
    }
    assert_eq!(sizes.len(), 0);
    assert_eq!(table(inside(head, "stss"), 8), [1, 9]);
}

#[test]
fn times_are_true_to_the_end() {
    let mut file = film();
    file.finish(MS(6_000), &[]);
    let moov = inside(&file.bytes, "moov");
    let runs = table(inside(moov, "trak/mdia/minf/stbl/stts"), 8);
    // From the start, though the first picture came at 200 ms; the last lasts until the end.
    let expected = [
        1,
        2_330,
        4,
        330,
        1,
        52_400 - 3_650,
        3,
        400,
        1,
        60_000 - 53_600,
    ];
    assert_eq!(runs, expected);
    assert_eq!(number(inside(moov, "trak/mdia/mdhd"), 24, 8), 60_000);
    assert_eq!(file.muxer.last_at(), Some(MS(5_360)));
}

#[test]
fn chapters_are_a_track_of_titles() {
    let mut file = film();
    let chapter = |ms, title: &str| Chapter {
        at: MS(ms),
        title: title.to_owned(),
    };
    let long = "ü".repeat(300);
    let chapters = [
        // Noted a moment after the film began, which costs no other chapter its time.
        chapter(300, "page about:blank"),
        chapter(3_000, &long),
        chapter(1_000, "click \"Send\""),
        chapter(3_000, "wait 1 s"),
        chapter(9_000, "after the end"),
    ];
    file.finish(MS(6_000), &chapters);
    let moov = inside(&file.bytes, "moov");
    let tracks: Vec<&[u8]> = boxes(moov)
        .into_iter()
        .filter(|(kind, _)| kind == "trak")
        .map(|(_, body)| body)
        .collect();
    assert_eq!(number(inside(tracks[0], "tref/chap"), 0, 4), 2);
    let head = inside(tracks[1], "mdia/minf/stbl");
    assert_eq!(
        table(inside(head, "stts"), 8),
        [1, 10_000, 1, 20_000, 1, 1, 1, 29_999]
    );
    let mut at = number(inside(head, "co64"), 8, 8) as usize;
    let mut titles = Vec::new();
    for size in table(inside(head, "stsz"), 12) {
        let sample = &file.bytes[at..at + size as usize];
        assert_eq!(number(sample, 0, 2) + 2, size);
        titles.push(String::from_utf8(sample[2..].to_vec()).unwrap());
        at += size as usize;
    }
    assert_eq!(titles.len(), 4);
    assert_eq!(
        (titles[1].as_str(), titles[3].as_str()),
        ("click \"Send\"", "wait 1 s")
    );
    assert_eq!(titles[2].len(), TITLE_BYTES_MAX);
}

#[test]
fn what_was_not_written_is_not_in_the_end() {
    let mut file = film();
    let unit = &units(Size::new(64, 48), 1)[0];
    file.muxer.push(unit, MS(5_900)).unwrap();
    let lost = file.muxer.fragment(MS(5_950)).unwrap();
    assert!(!lost.body.is_empty());
    file.finish(MS(6_000), &[]);
    let head = inside(&file.bytes, "moov/trak/mdia/minf/stbl");
    assert_eq!(table(inside(head, "stsz"), 8)[0], 10);
}

#[test]
fn other_parameter_sets_are_carried_along_and_described() {
    let mut file = film();
    let other = units(Size::new(96, 48), 2);
    file.muxer.push(&other[0], MS(6_000)).unwrap();
    file.muxer.push(&other[1], MS(6_100)).unwrap();
    let back = units(Size::new(64, 48), 1);
    file.muxer.push(&back[0], MS(6_200)).unwrap();
    file.write(MS(6_300));
    file.finish(MS(6_400), &[]);
    let head = inside(&file.bytes, "moov/trak/mdia/minf/stbl");
    let entries = boxes(&inside(head, "stsd")[8..]);
    let sizes: Vec<(&str, u64)> = entries
        .iter()
        .map(|(kind, entry)| (kind.as_str(), number(entry, 24, 2)))
        .collect();
    assert_eq!(sizes, [("avc3", 64), ("avc3", 96)]);
    let runs = table(inside(head, "stsc"), 8);
    assert_eq!(runs[6..], [3, 2, 2, 4, 1, 1]);
    let offset = number(inside(head, "co64"), 8 + 2 * 8, 8) as usize;
    let sps_bytes = number(&file.bytes, offset, 4) as usize;
    let sps = &file.bytes[offset + 4..offset + 4 + sps_bytes];
    assert_eq!(annexb::picture_size(sps), Some(Size::new(96, 48)));
}

#[test]
fn a_film_begins_with_a_described_picture() {
    let (mut muxer, _) = Muxer::new(0).unwrap();
    let unit = &units(Size::new(64, 48), 2)[1];
    assert!(matches!(
        muxer.push(unit, MS(0)),
        Err(Error::NoParameterSets)
    ));
    assert!(!muxer.has_pending());
}
