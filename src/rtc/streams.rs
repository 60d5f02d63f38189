//! [`Streams`]: what a peer's packets are numbered by. One stream for whatever layer the viewer is given,
//! or one for each layer where a server of rooms chooses for its subscribers (simulcast, RFC 8853).

use std::time::{Duration, Instant};

use str0m::Rtc;
use str0m::change::DirectApi;
use str0m::format::Codec;
use str0m::media::{Mid, Pt, Rid, Simulcast, SimulcastLayer, Writer};
use str0m::rtp::Ssrc;

use crate::media::{AccessUnit, Layer};

/// The streams of one video section. A keyframe has to begin each, and each time that media was given up.
#[derive(Debug)]
pub(super) struct Streams {
    mid: Option<Mid>,
    /// The payload type, and that of repairs.
    types: Option<(Pt, Option<Pt>)>,
    are_layered: bool,
    awaits_keyframe: [bool; 2],
    keyframe_asked: [Option<Instant>; 2],
    /// Whether each of them has been begun.
    are_shown: bool,
    /// What was written last to the one stream.
    layer: Layer,
}

impl Streams {
    /// One stream, or one for each layer.
    pub(super) fn new(are_layered: bool) -> Self {
        Self {
            mid: None,
            types: None,
            are_layered,
            awaits_keyframe: [true; 2],
            keyframe_asked: [None; 2],
            are_shown: false,
            layer: Layer::Full,
        }
    }

    /// What an offer says of them.
    pub(super) fn simulcast(&self) -> Option<Simulcast> {
        self.are_layered.then(|| Simulcast {
            send: vec![SimulcastLayer::new(RID_LOW), SimulcastLayer::new(RID_FULL)],
            recv: Vec::new(),
        })
    }

    /// They are of this section.
    pub(super) fn set_mid(&mut self, mid: Option<Mid>) {
        self.mid = mid;
    }

    /// The other side takes this; `false` when it takes no H.264.
    pub(super) fn agree(&mut self, rtc: &mut Rtc) -> bool {
        self.types = self.mid.and_then(|mid| {
            let writer = rtc.writer(mid)?;
            let mut params = writer.payload_params();
            let h264 = params.find(|p| p.spec().codec == Codec::H264)?;
            Some((h264.pt(), h264.resend()))
        });
        self.types.is_some()
    }

    /// The payload type of repairs.
    pub(super) fn repair_type(&self) -> Option<Pt> {
        self.types.and_then(|(_, repairs)| repairs)
    }

    /// Only keyframes can come next: the path is there, the first or another, or media was given up.
    pub(super) fn begin(&mut self) {
        self.are_shown = false;
        self.awaits_keyframe = [true; 2];
    }

    /// Whether this unit can come next.
    pub(super) fn follows(&self, unit: &AccessUnit) -> bool {
        unit.keyframe || !self.awaits_keyframe[self.index(unit.layer)]
    }

    /// Whether this unit is the first of another layer in the one stream.
    pub(super) fn turn(&mut self, unit: &AccessUnit) -> bool {
        let before = std::mem::replace(&mut self.layer, unit.layer);
        !self.are_layered && before != unit.layer && unit.keyframe
    }

    /// Which of them carries a layer.
    pub(super) fn index(&self, layer: Layer) -> usize {
        if self.are_layered { layer as usize } else { 0 }
    }

    /// What writes a layer, and the payload type to write it as.
    pub(super) fn writer<'a>(&self, rtc: &'a mut Rtc, layer: Layer) -> Option<(Writer<'a>, Pt)> {
        let (payload_type, _) = self.types?;
        let writer = rtc.writer(self.mid?)?;
        let writer = match self.rid(layer) {
            Some(rid) => writer.rid(rid),
            None => writer,
        };
        Some((writer, payload_type))
    }

    /// This unit was written. Whether by that each of them has been begun.
    pub(super) fn wrote(&mut self, unit: &AccessUnit) -> bool {
        let index = self.index(unit.layer);
        self.awaits_keyframe[index] = false;
        let [full, low] = self.awaits_keyframe;
        let awaits_any = full || low && self.are_layered;
        !awaits_any && !std::mem::replace(&mut self.are_shown, true)
    }

    /// Whether to ask for a keyframe of the stream of this layer now; it is asked for again after a while.
    pub(super) fn asks(&mut self, now: Instant, layer: Layer) -> bool {
        let index = self.index(layer);
        let asked = &mut self.keyframe_asked[index];
        let asks = asked.is_none_or(|at| now >= at + KEYFRAME_ASK_INTERVAL);
        if asks {
            *asked = Some(now);
        }
        asks
    }

    /// The layer of a stream that a keyframe is needed of; `None` for whichever is given.
    pub(super) fn needed(&self, layer: Layer) -> Option<Layer> {
        self.are_layered.then_some(layer)
    }

    /// The layer of which the other side has asked for a keyframe, as [`Self::needed`].
    pub(super) fn asked(&self, rid: Option<Rid>) -> Option<Layer> {
        let of = |layer: &Layer| self.rid(*layer) == rid;
        rid.and_then(|_| Layer::ALL.into_iter().find(of))
    }

    /// Keeps packets for repairs, so many for so long and however many repairs it takes: the engine alone stops
    /// at a small share of what is sent. Gives the number of each stream and of its repairs.
    pub(super) fn keep(
        &self,
        direct: &mut DirectApi<'_>,
        packets_max: usize,
        within: Duration,
    ) -> Vec<(Ssrc, Option<Ssrc>)> {
        let Some(mid) = self.mid else {
            return Vec::new();
        };
        let layers: &[Layer] = match self.are_layered {
            true => &Layer::ALL,
            false => &[Layer::Full],
        };
        let mut numbers = Vec::new();
        for layer in layers {
            if let Some(stream) = direct.stream_tx_by_mid(mid, self.rid(*layer)) {
                stream.set_rtx_cache(packets_max, within, None);
                numbers.push((stream.ssrc(), stream.rtx()));
            }
        }
        numbers
    }

    fn rid(&self, layer: Layer) -> Option<Rid> {
        let rid = match layer {
            Layer::Full => RID_FULL,
            Layer::Low => RID_LOW,
        };
        self.are_layered.then(|| rid.into())
    }
}

/// What a LiveKit server calls the lower and the higher of two layers.
const RID_LOW: &str = "q";
const RID_FULL: &str = "h";
/// How often a keyframe that is awaited is asked for again.
const KEYFRAME_ASK_INTERVAL: Duration = Duration::from_millis(500);
