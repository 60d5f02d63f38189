//! [`Muxer`]: access units into an MP4 file that is whole at every moment.
//!
//! While it grows the file is a fragmented MP4: a process that dies leaves all but its last
//! fragment playable. At the end a complete head with exact times and chapters is appended, and a
//! placeholder near the start becomes the header of one `mdat` that covers everything between: the
//! finished file is an ordinary MP4 that any player can seek in, and nothing is ever rewritten.
//!
//! ```text
//! growing    ftyp  free  moov(fragmented)  moof mdat  moof mdat  …
//! finished   ftyp  mdat(·················································)  moov
//! ```
//!
//! Pure: bytes come out, and where to put them; somebody else writes them. Parameter sets live in
//! the head. The encoder keeps its sets for as long as the pictures keep their size; should they
//! change, later keyframes carry theirs along, and the finished file describes each kind.

mod annexb;
mod boxes;

use std::time::Duration;

use self::annexb::Kind;
use self::boxes::Tables;
use super::AccessUnit;
use crate::model::Size;

/// Ticks a second: a tenth of a millisecond each, so that 32 bits hold four days of one picture.
pub const TIMESCALE: u32 = 10_000;
/// Pictures that one file may hold: their places are kept in memory until the end, 24 bytes each.
pub const SAMPLES_MAX: usize = 4_000_000;
/// Chapters that one file may hold.
pub const CHAPTERS_MAX: usize = 10_000;
/// Longest title of a chapter, bytes.
const TITLE_BYTES_MAX: usize = 200;
/// The placeholder: as large as the 64-bit header that takes its place.
const PLACEHOLDER_BYTES: usize = 16;
/// Seconds from 1904, where MP4 begins to count, to 1970.
const EPOCH_OFFSET_S: u64 = 2_082_844_800;

/// Why no file can be made of what came.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The first access unit does not say what the pictures are.
    #[error("the first picture has no parameter sets")]
    NoParameterSets,
    /// A sequence parameter set that cannot be read.
    #[error("the parameter sets cannot be read")]
    BadParameterSets,
    /// More pictures than a file holds.
    #[error("the file holds as many pictures as one file may")]
    Full,
    /// A fragment beyond what a box can say.
    #[error("a fragment is too large")]
    TooLarge,
    /// A box that could not be written.
    #[error("write a box of the file: {0}")]
    Box(String),
}

impl Error {
    fn box_failed(error: impl std::fmt::Display) -> Self {
        Self::Box(error.to_string())
    }
}

/// A place in the recording with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    /// Where it begins, since the recording's start.
    pub at: Duration,
    /// Its title.
    pub title: String,
}

/// Bytes to append, one part after the other.
#[derive(Debug, Default)]
pub struct Fragment {
    /// The boxes that describe the body.
    pub head: Vec<u8>,
    /// The samples.
    pub body: Vec<u8>,
    samples: Vec<Sample>,
}

/// How to finish the file.
#[derive(Debug)]
pub struct Finish {
    /// To append.
    pub tail: Vec<u8>,
    /// To overwrite once the tail is there: the offset and the bytes.
    pub patch: (u64, [u8; PLACEHOLDER_BYTES]),
}

/// One recording.
#[derive(Debug)]
pub struct Muxer {
    created_at: u64,
    /// The bytes that are in the file.
    position: u64,
    placeholder_at: u64,
    descriptions: Vec<Description>,
    /// The description of the picture that came last, counted from 1.
    current: u32,
    fragments: u32,
    pending: Vec<Sample>,
    body: Vec<u8>,
    samples: Vec<Sample>,
    chunks: Vec<Chunk>,
    last_at: Option<u64>,
}

/// What a run of pictures is encoded as.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Description {
    sps: Vec<u8>,
    pps: Vec<u8>,
    size: Size,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: u64,
    bytes: u32,
    description: u32,
    is_key: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Chunk {
    offset: u64,
    samples: u32,
    description: u32,
}

impl Muxer {
    /// An empty recording that begins at `created_at`, Unix seconds; and the file's first bytes.
    pub fn new(created_at: u64) -> Result<(Self, Vec<u8>), Error> {
        let mut start = boxes::file_type()?;
        let placeholder_at = start.len() as u64;
        start.extend([0, 0, 0, PLACEHOLDER_BYTES as u8]);
        start.extend(b"free");
        start.resize(placeholder_at as usize + PLACEHOLDER_BYTES, 0);
        let muxer = Self {
            created_at: created_at + EPOCH_OFFSET_S,
            position: start.len() as u64,
            placeholder_at,
            descriptions: Vec::new(),
            current: 0,
            fragments: 0,
            pending: Vec::new(),
            body: Vec::new(),
            samples: Vec::new(),
            chunks: Vec::new(),
            last_at: None,
        };
        Ok((muxer, start))
    }

    /// Takes an access unit that is shown from `at` on, since the recording's start. The first one
    /// is a keyframe, and shown from the start on: nothing else is known of the time before it.
    pub fn push(&mut self, unit: &AccessUnit, at: Duration) -> Result<(), Error> {
        if self.samples.len() + self.pending.len() >= SAMPLES_MAX {
            return Err(Error::Full);
        }
        if unit.keyframe || self.descriptions.is_empty() {
            self.describe(&unit.data)?;
        }
        let in_band = self.descriptions.len() > 1 && unit.keyframe;
        let before = self.body.len();
        for nal in annexb::units(&unit.data) {
            let is_kept = match annexb::kind(nal) {
                Kind::Picture => true,
                Kind::Sps | Kind::Pps => in_band,
                Kind::Delimiter => false,
            };
            if is_kept {
                let length = u32::try_from(nal.len()).map_err(|_| Error::TooLarge)?;
                self.body.extend(length.to_be_bytes());
                self.body.extend(nal);
            }
        }
        let bytes = u32::try_from(self.body.len() - before).map_err(|_| Error::TooLarge)?;
        if bytes == 0 {
            return Ok(());
        }
        // Each is later than the one before, whatever clocks say.
        let at = match self.last_at {
            None => 0,
            Some(last) => to_ticks(at).max(last + 1),
        };
        self.last_at = Some(at);
        self.pending.push(Sample {
            at,
            bytes,
            description: self.current,
            is_key: unit.keyframe,
        });
        Ok(())
    }

    /// Notes which parameter sets the pictures from here on need.
    fn describe(&mut self, data: &[u8]) -> Result<(), Error> {
        let find = |kind| annexb::units(data).find(|nal| annexb::kind(nal) == kind);
        let (Some(sps), Some(pps)) = (find(Kind::Sps), find(Kind::Pps)) else {
            let is_known = !self.descriptions.is_empty();
            return is_known.then_some(()).ok_or(Error::NoParameterSets);
        };
        let known = self
            .descriptions
            .iter()
            .position(|known| known.sps == sps && known.pps == pps);
        let place = match known {
            Some(place) => place,
            None => {
                let size = annexb::picture_size(sps).ok_or(Error::BadParameterSets)?;
                self.descriptions.push(Description {
                    sps: sps.to_vec(),
                    pps: pps.to_vec(),
                    size,
                });
                self.descriptions.len() - 1
            }
        };
        self.current = u32::try_from(place + 1).map_err(|_| Error::TooLarge)?;
        Ok(())
    }

    /// Whether pictures wait for [`Self::fragment`].
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Pictures taken so far.
    pub fn frames(&self) -> usize {
        self.samples.len() + self.pending.len()
    }

    /// Pictures that are in the file.
    pub fn committed_frames(&self) -> usize {
        self.samples.len()
    }

    /// Bytes of what is in the file and of what waits.
    pub fn bytes(&self) -> u64 {
        self.position + self.body.len() as u64
    }

    /// The bytes that are in the file, all of them whole boxes.
    pub fn committed(&self) -> u64 {
        self.position
    }

    /// When the last picture begins, since the recording's start; `None` before the first one.
    pub fn last_at(&self) -> Option<Duration> {
        let ticks = self.last_at?;
        Some(Duration::from_secs_f64(ticks as f64 / f64::from(TIMESCALE)))
    }

    /// How large the file's head will be at the end, roughly and rather too much.
    pub fn tail_bytes(&self, chapters: &[Chapter]) -> u64 {
        let titles: usize = chapters
            .iter()
            .map(|chapter| chapter.title.len() + 16)
            .sum();
        (4_096 + titles + self.frames() * 16 + self.chunks.len() * 20) as u64
    }

    /// What to append so that all that was pushed is in the file; the last picture stands until
    /// `until`, or until the next fragment says more. To be followed by [`Self::commit`] once it is
    /// written.
    pub fn fragment(&mut self, until: Duration) -> Result<Fragment, Error> {
        let body = std::mem::take(&mut self.body);
        let samples = std::mem::take(&mut self.pending);
        let mut head = Vec::new();
        if self.fragments == 0
            && let Some(first) = self.descriptions.first()
        {
            head = boxes::fragmented_head(self.created_at, first)?;
        }
        self.fragments += 1;
        head.extend(boxes::fragment_head(
            self.fragments,
            &samples,
            to_ticks(until),
            body.len(),
        )?);
        Ok(Fragment {
            head,
            body,
            samples,
        })
    }

    /// Notes that a fragment is in the file.
    pub fn commit(&mut self, fragment: &Fragment) {
        let mut offset = self.position + fragment.head.len() as u64;
        self.position = offset + fragment.body.len() as u64;
        let mut is_new = true;
        for sample in &fragment.samples {
            match self.chunks.last_mut() {
                Some(chunk) if !is_new && chunk.description == sample.description => {
                    chunk.samples += 1;
                }
                _ => self.chunks.push(Chunk {
                    offset,
                    samples: 1,
                    description: sample.description,
                }),
            }
            is_new = false;
            offset += u64::from(sample.bytes);
        }
        self.samples.extend(&fragment.samples);
    }

    /// How to make the file complete: its last committed picture stands until `until`.
    pub fn finish(&self, until: Duration, chapters: &[Chapter]) -> Result<Finish, Error> {
        let last = self.samples.last().map_or(0, |sample| sample.at);
        let until = to_ticks(until).max(last + 1);
        let chapters = in_order(chapters, until);
        let texts: Vec<Vec<u8>> = chapters.iter().map(|(_, title)| text(title)).collect();
        let places = chapters.iter().zip(&texts);
        let places: Vec<(u64, u32)> = places
            .map(|((at, _), text)| (*at, text.len() as u32))
            .collect();
        let text_bytes: usize = texts.iter().map(Vec::len).sum();
        let header = boxes::mdat_header(text_bytes)?;
        let mut tail = Vec::new();
        tail.extend(header);
        tail.extend(texts.concat());
        let data_end = self.position + tail.len() as u64;
        tail.extend(boxes::complete_head(&Tables {
            created_at: self.created_at,
            descriptions: &self.descriptions,
            samples: &self.samples,
            chunks: &self.chunks,
            until,
            chapters: &places,
            chapters_at: self.position + header.len() as u64,
        })?);
        let mut patch = [0; PLACEHOLDER_BYTES];
        patch[3] = 1; // the size follows as 64 bits
        patch[4..8].copy_from_slice(b"mdat");
        patch[8..].copy_from_slice(&(data_end - self.placeholder_at).to_be_bytes());
        Ok(Finish {
            tail,
            patch: (self.placeholder_at, patch),
        })
    }
}

/// Chapters by their start, none of them empty and all within the film.
fn in_order(chapters: &[Chapter], until: u64) -> Vec<(u64, &str)> {
    let mut sorted: Vec<(u64, &str)> = chapters
        .iter()
        .map(|chapter| (to_ticks(chapter.at), chapter.title.as_str()))
        .collect();
    sorted.sort_by_key(|(at, _)| *at);
    // A track of text has no gap before its first sample: the film begins with the first chapter.
    if let Some((at, _)) = sorted.first_mut() {
        *at = 0;
    }
    let mut free_from = 0;
    for (at, _) in &mut sorted {
        *at = (*at).max(free_from);
        free_from = *at + 1;
    }
    sorted.retain(|(at, _)| *at < until);
    sorted
}

/// A chapter's sample: its title after its length.
fn text(title: &str) -> Vec<u8> {
    let end = title.floor_char_boundary(TITLE_BYTES_MAX);
    let title = &title.as_bytes()[..end];
    let mut sample = (title.len() as u16).to_be_bytes().to_vec();
    sample.extend(title);
    sample
}

fn to_ticks(time: Duration) -> u64 {
    let whole = time.as_secs() * u64::from(TIMESCALE);
    whole + u64::from(time.subsec_nanos()) * u64::from(TIMESCALE) / 1_000_000_000
}

/// Whether a file that begins so was finished; `None` when it is no recording of ours.
pub fn is_finished(start: &[u8]) -> Option<bool> {
    let bytes = start
        .first_chunk::<4>()
        .map(|size| u32::from_be_bytes(*size))?;
    let is_ours = start.get(4..8)? == b"ftyp";
    let second = start.get(bytes as usize + 4..bytes as usize + 8)?;
    match second {
        b"mdat" if is_ours => Some(true),
        b"free" if is_ours => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
