//! Reads a finished recording back, to look at what is in it; written apart from the muxer, so that
//! the one does not repeat the other's mistakes.

use std::time::Duration;

/// No film has more, whatever its tables say.
const SAMPLES_MAX: u64 = 4_000_000;

/// A picture of a film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilmPicture {
    /// When it is shown, since the start.
    pub at: Duration,
    /// The access unit, Annex B, with the parameter sets in front of it.
    pub unit: Vec<u8>,
}

/// The pictures of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Film {
    /// In the order of time.
    pub pictures: Vec<FilmPicture>,
    /// How long it plays.
    pub duration: Duration,
}

/// Reads the video track of a finished MP4 file; `None` when it is not one.
pub fn read(file: &[u8]) -> Option<Film> {
    let moov = find(file, "moov")?;
    let tracks = boxes(moov)?.into_iter().filter(|(kind, _)| kind == b"trak");
    let (media, table, description) = tracks
        .filter_map(|(_, track)| {
            let media = find(track, "mdia")?;
            let table = inside(media, &["minf", "stbl"])?;
            let entries = boxes(find(table, "stsd")?.get(8..)?)?;
            let (kind, entry) = entries.into_iter().next()?;
            matches!(kind, b"avc1" | b"avc3").then_some((media, table, entry))
        })
        .next()?;
    // The fields of a visual sample entry come before its boxes.
    let sets = parameter_sets(find(description.get(78..)?, "avcC")?)?;
    let header = find(media, "mdhd")?;
    let (scale, length) = match header.first()? {
        0 => (number(header, 12, 4)?, number(header, 16, 4)?),
        _ => (number(header, 20, 4)?, number(header, 24, 8)?),
    };
    let time = |ticks: u64| Some(Duration::from_secs_f64(ticks as f64 / scale as f64));
    let offsets = offsets(table)?;
    let times = times(find(table, "stts")?)?;
    let mut pictures = Vec::new();
    for ((offset, bytes), ticks) in offsets.into_iter().zip(times) {
        let sample = file.get(offset..offset.checked_add(bytes)?)?;
        let mut unit = sets.clone();
        unit.extend(annex_b(sample)?);
        let at = time(ticks)?;
        pictures.push(FilmPicture { at, unit });
    }
    // A file that still grows has a head with empty tables.
    (!pictures.is_empty()).then_some(Film {
        pictures,
        duration: time(length)?,
    })
}

/// The parameter sets of an `avcC`, Annex B.
fn parameter_sets(record: &[u8]) -> Option<Vec<u8>> {
    let mut sets = Vec::new();
    let mut at = 5;
    for mask in [0x1f, 0xff] {
        let count = record.get(at)? & mask;
        at += 1;
        for _ in 0..count {
            let bytes = number(record, at, 2)? as usize;
            sets.extend([0, 0, 0, 1]);
            sets.extend(record.get(at + 2..at + 2 + bytes)?);
            at += 2 + bytes;
        }
    }
    Some(sets)
}

/// Lengths of four bytes become start codes.
fn annex_b(mut sample: &[u8]) -> Option<Vec<u8>> {
    let mut unit = Vec::new();
    while !sample.is_empty() {
        let bytes = number(sample, 0, 4)? as usize;
        unit.extend([0, 0, 0, 1]);
        unit.extend(sample.get(4..4 + bytes)?);
        sample = sample.get(4 + bytes..)?;
    }
    Some(unit)
}

/// Where each sample lies: its offset and size.
fn offsets(table: &[u8]) -> Option<Vec<(usize, usize)>> {
    let sizes = find(table, "stsz")?;
    let count = number(sizes, 8, 4)? as usize;
    let size = |index: usize| match number(sizes, 4, 4)? {
        0 => number(sizes, 12 + index * 4, 4),
        same => Some(same),
    };
    let (chunks, width) = match find(table, "stco") {
        Some(chunks) => (chunks, 4),
        None => (find(table, "co64")?, 8),
    };
    let runs = find(table, "stsc")?;
    let run_count = number(runs, 4, 4)? as usize;
    let mut samples = Vec::new();
    for chunk in 0..number(chunks, 4, 4)? as usize {
        let mut offset = number(chunks, 8 + chunk * width, width)? as usize;
        let runs_here = (0..run_count).rev();
        let starts = |run: usize| number(runs, 8 + run * 12, 4);
        let run = runs_here
            .into_iter()
            .find(|run| starts(*run).is_some_and(|first| first as usize <= chunk + 1))?;
        for _ in 0..number(runs, 12 + run * 12, 4)? {
            if samples.len() == count {
                return Some(samples);
            }
            let bytes = size(samples.len())? as usize;
            samples.push((offset, bytes));
            offset = offset.checked_add(bytes)?;
        }
    }
    Some(samples)
}

/// When each sample begins, ticks.
fn times(table: &[u8]) -> Option<Vec<u64>> {
    let (mut times, mut now) = (Vec::new(), 0u64);
    for entry in 0..number(table, 4, 4)? as usize {
        let (count, step) = (
            number(table, 8 + entry * 8, 4)?,
            number(table, 12 + entry * 8, 4)?,
        );
        for _ in 0..count.min(SAMPLES_MAX) {
            times.push(now);
            now = now.checked_add(step)?;
        }
    }
    Some(times)
}

fn inside<'a>(bytes: &'a [u8], path: &[&str]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, kind| find(bytes, kind))
}

fn find<'a>(bytes: &'a [u8], kind: &str) -> Option<&'a [u8]> {
    let found = boxes(bytes)?.into_iter();
    let mut found = found.filter(|(name, _)| *name == kind.as_bytes());
    found.next().map(|(_, body)| body)
}

/// The boxes of a container, each with its kind and its body.
fn boxes(mut bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (size, header) = match number(bytes, 0, 4)? {
            1 => (number(bytes, 8, 8)? as usize, 16),
            size => (size as usize, 8),
        };
        found.push((bytes.get(4..8)?, bytes.get(header..size)?));
        bytes = &bytes[size..];
    }
    Some(found)
}

fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    let digits = bytes.iter();
    Some(digits.fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}
