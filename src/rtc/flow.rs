//! [`Flow`]: what leaves, when, and how much of it the path carries.
//!
//! The engine hands out a picture's packets at once; here they wait for their turn. What the other
//! side reports of them makes the [`Estimate`], which paces them and tells the encoder its limit.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use str0m::media::Pt;
use str0m::rtp::rtcp::{Rtcp, Twcc};
use str0m::rtp::{RawPacket, Ssrc};

use super::estimate::{Arrival, Estimate};
use super::output::{Carries, Transmit};
use super::pacer::Pacer;
use super::vitals::Vitals;

/// From which packet on repairs are of use.
#[derive(Debug, Clone, Copy, Default)]
enum Fresh {
    /// All are.
    #[default]
    All,
    /// Media was given up, and only a keyframe can follow: none is.
    None,
    /// The next packet is the first of that keyframe.
    Next,
    /// From this number on.
    From(u16),
}

#[derive(Debug)]
pub(super) struct Flow {
    target: u64,
    zero: Instant,
    estimate: Estimate,
    pacer: Pacer,
    /// The payload type of repairs.
    repair_type: Option<Pt>,
    /// What packets are numbered by; one at least.
    streams: Vec<Stream>,
    /// The packets repaired of late, by their streams and their own numbers there, and when.
    repaired: VecDeque<(usize, u16, Instant)>,
    reported: Carries,
    /// Packets that were sent again.
    repairs: u64,
}

/// One stream of packets, and the one of its repairs.
#[derive(Debug, Default)]
struct Stream {
    number: Option<Ssrc>,
    repairs: Option<Ssrc>,
    /// Where packets that were given up end, and so what is of use begins.
    fresh: Fresh,
}

impl Flow {
    pub(super) fn new(now: Instant, target: u64) -> Self {
        Self {
            target,
            zero: now,
            estimate: Estimate::new(now, target),
            pacer: Pacer::new(now),
            repair_type: None,
            streams: vec![Stream::default()],
            repaired: VecDeque::new(),
            reported: Carries::default(),
            repairs: 0,
        }
    }

    /// A way is there, the first or another. Repairs are of this payload type; each stream has its number, and
    /// the one of its repairs.
    pub(super) fn open(
        &mut self,
        now: Instant,
        repair_type: Option<Pt>,
        streams: &[(Ssrc, Option<Ssrc>)],
    ) {
        self.repair_type = repair_type;
        self.pacer.clear();
        let stream = |(number, repairs): &(Ssrc, Option<Ssrc>)| Stream {
            number: Some(*number),
            repairs: *repairs,
            fresh: Fresh::All,
        };
        self.streams = streams.iter().map(stream).collect();
        if self.streams.is_empty() {
            self.streams.push(Stream::default());
        }
        self.estimate.path_changed(now);
    }

    /// Forgets the media that waits: it would come too late, and only a keyframe can follow.
    pub(super) fn abandon(&mut self) {
        self.pacer.clear();
        for stream in &mut self.streams {
            stream.fresh = Fresh::None;
        }
    }

    /// The next packets of this stream are those of a keyframe.
    pub(super) fn keyframe_comes(&mut self, stream: usize) {
        let stream = self.streams.get_mut(stream);
        if let Some(stream) = stream.filter(|stream| matches!(stream.fresh, Fresh::None)) {
            stream.fresh = Fresh::Next;
        }
    }

    /// Gives back what leaves at once; media waits for its turn.
    pub(super) fn pass(&mut self, now: Instant, transmit: Transmit) -> Option<Transmit> {
        if !is_media(transmit.contents()) {
            return Some(transmit);
        }
        self.pacer.push(now, transmit);
        None
    }

    /// What the engine tells of packets: those it handed out and those that came.
    pub(super) fn note(&mut self, now: Instant, packet: &RawPacket) {
        match packet {
            RawPacket::RtpTx(header, packet) => {
                let number = header.ext_vals.transport_cc;
                let is_repair = Some(header.payload_type) == self.repair_type;
                let of =
                    |s: &Stream| s.number == Some(header.ssrc) || s.repairs == Some(header.ssrc);
                let stream = self.streams.iter().position(of).unwrap_or_default();
                let fresh = &mut self.streams[stream].fresh;
                if !is_repair && matches!(fresh, Fresh::Next) {
                    *fresh = Fresh::From(header.sequence_number);
                }
                let original = is_repair.then(|| original(packet)).flatten();
                if original.is_some_and(|original| self.is_of_no_use(now, stream, original)) {
                    self.pacer.drop_last();
                } else {
                    self.repairs += u64::from(is_repair);
                    // Repairs are few, and for each one that is lost a viewer waits another round trip.
                    let twice = match is_repair {
                        true => self.estimate.is_lossy(now),
                        false => self.estimate.bears_twice(now),
                    };
                    if twice {
                        self.pacer.repeat_last();
                    }
                    self.pacer.name_last(number, is_repair);
                }
            }
            RawPacket::RtcpRx(Rtcp::Twcc(report)) => self.reported(now, report.clone()),
            RawPacket::RtcpRx(_) | RawPacket::RtcpTx(_) | RawPacket::RtpRx(..) => {}
        }
    }

    /// Adds what is known of the path.
    pub(super) fn describe(&self, now: Instant, vitals: &mut Vitals) {
        vitals.rtt = self.estimate.rtt();
        vitals.loss = self.estimate.loss(now);
        vitals.carries = Carries {
            bits: self.estimate.bits(now),
            is_full: self.estimate.was_full(now),
        };
        vitals.repairs = self.repairs;
    }

    /// The next packet, if one may leave now.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Transmit> {
        let next = self.pacer.pop(now, self.estimate.pace(now))?;
        if let Some(number) = next.number {
            let bytes = next.transmit.contents().len() + PACKET_OVERHEAD;
            let more = !self.pacer.is_empty();
            self.estimate.sent(now, number, bytes, more);
        }
        Some(next.transmit)
    }

    /// When the next packet may leave; `None` when none waits.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.pacer.next_at()
    }

    /// How long what waits takes to leave.
    pub(super) fn backlog(&self, now: Instant) -> Duration {
        self.pacer.backlog(self.estimate.pace(now))
    }

    /// What the path carries, when it is worth telling again.
    pub(super) fn changed(&mut self, now: Instant) -> Option<Carries> {
        let limit = self.estimate.for_media(now);
        let bits = limit.filter(|limit| *limit < self.target);
        let is_full = bits.is_some() && self.estimate.was_full(now);
        let worth = match (self.reported.bits, bits) {
            (None, None) => false,
            (Some(old), Some(new)) => old.abs_diff(new) * CHANGE_PARTS > old,
            (None, Some(_)) | (Some(_), None) => true,
        };
        (worth || is_full != self.reported.is_full).then(|| {
            let bits = if worth { bits } else { self.reported.bits };
            self.reported = Carries { bits, is_full };
            self.reported
        })
    }

    fn reported(&mut self, now: Instant, report: Twcc) {
        let zero = self.zero;
        // Only the low bits of a number count; the engine needs one near them that is not small.
        let packets = report.into_iter(zero, NUMBER_BASE.into());
        let arrivals = packets.map(|(number, _, at)| Arrival {
            number: *number as u16,
            at: at.map(|at| at.saturating_duration_since(zero)),
        });
        self.estimate.reported(now, arrivals);
    }

    /// Whether this packet's repair is under way already (it is asked for until it has come), or
    /// comes too late: what it belongs to was given up.
    fn is_of_no_use(&mut self, now: Instant, stream: usize, original: u16) -> bool {
        let is_fresh = match self.streams[stream].fresh {
            Fresh::All => true,
            Fresh::None | Fresh::Next => false,
            Fresh::From(first) => original.wrapping_sub(first).cast_signed() >= 0,
        };
        if !is_fresh {
            return true;
        }
        let rtt = self.estimate.rtt().unwrap_or_default();
        let again_after = rtt.mul_f64(REPAIR_ONCE_SHARE).min(REPAIR_ONCE_MAX);
        let is_old = |at: Instant| now.saturating_duration_since(at) > again_after;
        while self.repaired.front().is_some_and(|(.., at)| is_old(*at)) {
            self.repaired.pop_front();
        }
        let is_this =
            |repaired: &(usize, u16, Instant)| (repaired.0, repaired.1) == (stream, original);
        if self.repaired.iter().any(is_this) {
            return true;
        }
        if self.repaired.len() < REPAIRS_MAX {
            self.repaired.push_back((stream, original, now));
        }
        false
    }
}

/// Whether a datagram carries media, by its first two bytes (RFC 7983, RFC 5761).
pub(super) fn is_media(datagram: &[u8]) -> bool {
    match datagram {
        [first, second, ..] => (128..192).contains(first) && !(64..96).contains(&(second & 0x7f)),
        _ => false,
    }
}

/// The number of the packet that a repair repeats: the first two bytes after its header.
fn original(packet: &[u8]) -> Option<u16> {
    let first = packet.first()?;
    let mut at = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = packet.get(at + 2..at + 4)?;
        at += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    let number = packet.get(at..at + 2)?;
    Some(u16::from_be_bytes([number[0], number[1]]))
}

/// What IP and UDP add to a datagram.
const PACKET_OVERHEAD: usize = 28;
/// A limit is told again when it moved by more than one part in this many.
const CHANGE_PARTS: u64 = 20;
/// A multiple of what 16 bits hold.
const NUMBER_BASE: u64 = 1 << 17;
/// A repair is on its way for a round trip; who asks again knows that as well.
const REPAIR_ONCE_SHARE: f64 = 0.8;
/// However long a round trip seems, after this long a repair is sent again.
const REPAIR_ONCE_MAX: Duration = Duration::from_millis(250);
/// Bounds what is remembered of repairs: more than a burst's losses.
const REPAIRS_MAX: usize = 512;
