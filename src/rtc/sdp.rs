//! What has to be read out of session descriptions beyond what the engine does.

use str0m::media::Mid;

/// Whether a video section of the offer can receive and names H.264.
pub(super) fn receives_h264(offer: &str) -> bool {
    let mut sections = offer.split("\nm=").skip(1);
    sections.any(|section| {
        let has = |line: &str| section.lines().any(|l| l.trim_end() == line);
        section.starts_with("video ")
            && !section.starts_with("video 0 ")
            && section.to_ascii_lowercase().contains(" h264/90000")
            && !has("a=sendonly")
            && !has("a=inactive")
    })
}

/// The id of the accepted video section. The engine announces it too, but only after it is
/// connected.
pub(super) fn video_mid(answer: &str) -> Option<Mid> {
    let mut sections = answer.split("\nm=").skip(1);
    let section = sections.find(|s| s.starts_with("video ") && !s.starts_with("video 0 "))?;
    let mid = section.lines().find_map(|l| l.strip_prefix("a=mid:"))?;
    Some(mid.trim_end().into())
}

/// The description without candidates that name a host instead of an address (browsers hide
/// theirs so); `None` when it is longer than [`SDP_BYTES_MAX`]. A viewer who hides its address
/// reaches us first, and the address is learned from its packets.
pub(super) fn without_hostnames(sdp: &str) -> Option<String> {
    if sdp.len() > SDP_BYTES_MAX {
        return None;
    }
    let named = |line: &&str| line.starts_with("a=candidate:") && line.contains(".local ");
    let mut kept = String::with_capacity(sdp.len() + 2);
    for line in sdp.lines().filter(|line| !named(line)) {
        kept.push_str(line.trim_end());
        kept.push_str("\r\n");
    }
    Some(kept)
}

/// Longest session description accepted: many times what browsers send (about 6 kB).
pub const SDP_BYTES_MAX: usize = 64 * 1024;
