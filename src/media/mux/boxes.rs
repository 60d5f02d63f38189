//! The boxes of a recording (ISO/IEC 14496-12 and -15), by `mp4-atom`; the only module that names it.

use mp4_atom::{
    Avc1, Avc3, Avcc, Co64, Codec, Colr, Dinf, Dref, DrefEntry, Encode, FourCC, Ftyp, Hdlr, Mdhd,
    Mdia, Mfhd, Minf, Moof, Moov, Mvex, Mvhd, Nmhd, Stbl, Stsc, StscEntry, Stsd, Stss, Stsz,
    StszSamples, Stts, SttsEntry, Tfdt, Tfhd, Tkhd, TrackReferenceTypeBox, Traf, Trak, Tref, Trex,
    Trun, TrunEntry, Tx3g, Url, Visual, Vmhd,
};

use super::{Chunk, Description, Error, Sample, TIMESCALE};
use crate::model::Size;

const VIDEO_TRACK: u32 = 1;
const CHAPTER_TRACK: u32 = 2;
/// A picture that can be decoded by itself.
const FLAGS_KEYFRAME: u32 = 0x0200_0000;
/// A picture that needs others.
const FLAGS_DELTA: u32 = 0x0101_0000;
/// As in the stream's own description: BT.709 primaries and transfer, BT.601 matrix, limited range.
const COLOUR: Colr = Colr::Nclx {
    colour_primaries: 1,
    transfer_characteristics: 1,
    matrix_coefficients: 6,
    full_range_flag: false,
};

/// The file type.
pub(super) fn file_type() -> Result<Vec<u8>, Error> {
    let brands: [&[u8; 4]; 5] = [b"isom", b"iso5", b"iso6", b"avc1", b"mp42"];
    encoded(&Ftyp {
        major_brand: FourCC::new(b"isom"),
        minor_version: 0x200,
        compatible_brands: brands.map(FourCC::new).to_vec(),
    })
}

/// The head of a fragmented file: what the samples are, and none of them.
pub(super) fn fragmented_head(created_at: u64, first: &Description) -> Result<Vec<u8>, Error> {
    let mut video = video_track(created_at, std::slice::from_ref(first), false, 0);
    // Nothing to point to: the fragments say where their samples are.
    video.mdia.minf.stbl.co64 = Some(Co64::default());
    encoded(&Moov {
        mvhd: movie(created_at, 0, CHAPTER_TRACK),
        mvex: Some(Mvex {
            mehd: None,
            trex: vec![Trex {
                track_id: VIDEO_TRACK,
                default_sample_description_index: 1,
                ..Trex::default()
            }],
        }),
        trak: vec![video],
        ..Moov::default()
    })
}

/// The head of one fragment and of the `mdat` that follows it.
pub(super) fn fragment_head(
    number: u32,
    samples: &[Sample],
    until: u64,
    body_bytes: usize,
) -> Result<Vec<u8>, Error> {
    let next = samples.iter().skip(1).map(|sample| sample.at);
    let entries = samples.iter().zip(next.chain([until]));
    let entries: Vec<TrunEntry> = entries
        .map(|(sample, next)| TrunEntry {
            duration: Some(ticks(next.saturating_sub(sample.at).max(1))),
            size: Some(sample.bytes),
            flags: Some(if sample.is_key {
                FLAGS_KEYFRAME
            } else {
                FLAGS_DELTA
            }),
            cts: None,
        })
        .collect();
    let mut moof = Moof {
        mfhd: Mfhd {
            sequence_number: number,
        },
        traf: vec![Traf {
            tfhd: Tfhd {
                track_id: VIDEO_TRACK,
                default_base_is_moof: true,
                ..Tfhd::default()
            },
            tfdt: Some(Tfdt {
                base_media_decode_time: samples.first().map_or(0, |first| first.at),
            }),
            trun: vec![Trun {
                data_offset: Some(0),
                samples: entries.into(),
            }],
            ..Traf::default()
        }],
    };
    // The offset counts from the fragment's start, over its own box and the header of the mdat; a
    // number of fixed width does not change the box's size.
    let head_bytes = encoded(&moof)?.len() + MDAT_HEADER_BYTES;
    if let Some(run) = moof.traf.first_mut().and_then(|traf| traf.trun.first_mut()) {
        run.data_offset = Some(i32::try_from(head_bytes).map_err(|_| Error::TooLarge)?);
    }
    let mut head = encoded(&moof)?;
    head.extend(mdat_header(body_bytes)?);
    Ok(head)
}

/// Bytes of a plain `mdat` header.
const MDAT_HEADER_BYTES: usize = 8;

/// A plain `mdat` header for so many bytes.
pub(super) fn mdat_header(body_bytes: usize) -> Result<[u8; MDAT_HEADER_BYTES], Error> {
    let bytes = u32::try_from(body_bytes + MDAT_HEADER_BYTES).map_err(|_| Error::TooLarge)?;
    let mut header = [0; MDAT_HEADER_BYTES];
    header[..4].copy_from_slice(&bytes.to_be_bytes());
    header[4..].copy_from_slice(b"mdat");
    Ok(header)
}

/// What a finished file's tables are made from.
#[derive(Debug)]
pub(super) struct Tables<'a> {
    pub(super) created_at: u64,
    pub(super) descriptions: &'a [Description],
    pub(super) samples: &'a [Sample],
    pub(super) chunks: &'a [Chunk],
    /// When the last picture ends.
    pub(super) until: u64,
    /// Start and bytes of each chapter's sample, and where the first one is.
    pub(super) chapters: &'a [(u64, u32)],
    pub(super) chapters_at: u64,
}

/// The head of a finished file: every sample's place, size and time.
pub(super) fn complete_head(tables: &Tables<'_>) -> Result<Vec<u8>, Error> {
    let Tables {
        created_at,
        descriptions,
        samples,
        chunks,
        until,
        chapters,
        chapters_at,
    } = *tables;
    // Parameter sets in samples are only allowed under the other name.
    let in_band = descriptions.len() > 1;
    let mut video = video_track(created_at, descriptions, in_band, until);
    let table = &mut video.mdia.minf.stbl;
    table.stts = durations(samples.iter().map(|sample| sample.at), until);
    let keys = samples.iter().zip(1_u32..);
    let keys = keys.filter(|(sample, _)| sample.is_key);
    table.stss = Some(Stss {
        entries: keys.map(|(_, number)| number).collect(),
    });
    table.stsz.samples = StszSamples::Different {
        sizes: samples.iter().map(|sample| sample.bytes).collect(),
    };
    table.stsc = chunk_runs(chunks);
    table.co64 = Some(Co64 {
        entries: chunks.iter().map(|chunk| chunk.offset).collect(),
    });
    let mut trak = vec![video];
    if !chapters.is_empty() {
        let to_chapters = TrackReferenceTypeBox {
            reference_type: FourCC::new(b"chap"),
            track_ids: vec![CHAPTER_TRACK],
        };
        trak[0].tref = Some(Tref {
            track_reference_type_boxes: vec![to_chapters],
        });
        trak.push(chapter_track(created_at, chapters, chapters_at, until));
    }
    encoded(&Moov {
        mvhd: movie(created_at, until, CHAPTER_TRACK + 1),
        trak,
        ..Moov::default()
    })
}

fn movie(created_at: u64, duration: u64, next_track_id: u32) -> Mvhd {
    Mvhd {
        creation_time: created_at,
        modification_time: created_at,
        timescale: TIMESCALE,
        duration,
        rate: 1.into(),
        volume: 1.into(),
        next_track_id,
        ..Mvhd::default()
    }
}

fn video_track(
    created_at: u64,
    descriptions: &[Description],
    in_band: bool,
    duration: u64,
) -> Trak {
    let first = descriptions.first();
    let size = first.map_or(Size::new(0, 0), |first| first.size);
    let codecs = descriptions
        .iter()
        .map(|description| codec(description, in_band));
    let mut trak = track(created_at, VIDEO_TRACK, duration, b"vide", "Video");
    trak.tkhd.enabled = true;
    trak.tkhd.width = side(size.width).into();
    trak.tkhd.height = side(size.height).into();
    trak.mdia.minf.vmhd = Some(Vmhd::default());
    trak.mdia.minf.stbl.stsd.codecs = codecs.collect();
    trak
}

fn codec(description: &Description, in_band: bool) -> Codec {
    let visual = Visual {
        data_reference_index: 1,
        width: side(description.size.width),
        height: side(description.size.height),
        ..Visual::default()
    };
    let sps = &description.sps;
    let avcc = Avcc {
        configuration_version: 1,
        avc_profile_indication: sps.get(1).copied().unwrap_or_default(),
        profile_compatibility: sps.get(2).copied().unwrap_or_default(),
        avc_level_indication: sps.get(3).copied().unwrap_or_default(),
        length_size: 4,
        sequence_parameter_sets: vec![sps.clone()],
        picture_parameter_sets: vec![description.pps.clone()],
        ext: None,
    };
    let colr = Some(COLOUR);
    if in_band {
        Codec::Avc3(Avc3 {
            visual,
            avcc,
            colr,
            ..Avc3::default()
        })
    } else {
        Codec::Avc1(Avc1 {
            visual,
            avcc,
            colr,
            ..Avc1::default()
        })
    }
}

fn chapter_track(created_at: u64, chapters: &[(u64, u32)], offset: u64, until: u64) -> Trak {
    let mut trak = track(created_at, CHAPTER_TRACK, until, b"text", "Chapters");
    trak.mdia.minf.nmhd = Some(Nmhd::default());
    let count = u32::try_from(chapters.len()).unwrap_or(u32::MAX);
    let text = Tx3g {
        data_reference_index: 1,
        ..Tx3g::default()
    };
    trak.mdia.minf.stbl = Stbl {
        stsd: Stsd {
            codecs: vec![Codec::Tx3g(text)],
        },
        stts: durations(chapters.iter().map(|(at, _)| *at), until),
        stsc: Stsc {
            entries: vec![StscEntry {
                first_chunk: 1,
                samples_per_chunk: count,
                sample_description_index: 1,
            }],
        },
        stsz: Stsz {
            samples: StszSamples::Different {
                sizes: chapters.iter().map(|(_, bytes)| *bytes).collect(),
            },
        },
        co64: Some(Co64 {
            entries: vec![offset],
        }),
        ..Stbl::default()
    };
    trak
}

fn track(created_at: u64, id: u32, duration: u64, handler: &[u8; 4], name: &str) -> Trak {
    Trak {
        tkhd: Tkhd {
            creation_time: created_at,
            modification_time: created_at,
            track_id: id,
            duration,
            in_movie: true,
            ..Tkhd::default()
        },
        mdia: Mdia {
            mdhd: Mdhd {
                creation_time: created_at,
                modification_time: created_at,
                timescale: TIMESCALE,
                duration,
                language: "und".to_owned(),
            },
            hdlr: Hdlr {
                handler: FourCC::new(handler),
                name: name.to_owned(),
            },
            minf: Minf {
                dinf: Dinf {
                    dref: Dref {
                        entries: vec![DrefEntry::Url(Url::default())],
                    },
                },
                ..Minf::default()
            },
        },
        ..Trak::default()
    }
}

/// Durations from starts, runs of equal ones as one entry.
fn durations(starts: impl Iterator<Item = u64> + Clone, until: u64) -> Stts {
    let mut entries: Vec<SttsEntry> = Vec::new();
    for (at, next) in starts.clone().zip(starts.skip(1).chain([until])) {
        let sample_delta = ticks(next.saturating_sub(at));
        match entries.last_mut() {
            Some(run) if run.sample_delta == sample_delta => run.sample_count += 1,
            _ => entries.push(SttsEntry {
                sample_count: 1,
                sample_delta,
            }),
        }
    }
    Stts { entries }
}

/// How many samples each chunk holds, runs of equal ones as one entry.
fn chunk_runs(chunks: &[Chunk]) -> Stsc {
    let mut entries: Vec<StscEntry> = Vec::new();
    for (chunk, number) in chunks.iter().zip(1_u32..) {
        let continues = entries.last().is_some_and(|run| {
            run.samples_per_chunk == chunk.samples
                && run.sample_description_index == chunk.description
        });
        if !continues {
            entries.push(StscEntry {
                first_chunk: number,
                samples_per_chunk: chunk.samples,
                sample_description_index: chunk.description,
            });
        }
    }
    Stsc { entries }
}

/// A duration as tables hold it. What is longer, more than four days of one picture, is cut.
fn ticks(duration: u64) -> u32 {
    u32::try_from(duration).unwrap_or(u32::MAX)
}

fn side(pixels: u32) -> u16 {
    u16::try_from(pixels).unwrap_or(u16::MAX)
}

fn encoded(value: &impl Encode) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes).map_err(Error::box_failed)?;
    Ok(bytes)
}
