//! [`Receiver`]: one receive-only H.264 video peer, without a socket, a clock or a task: what a
//! viewer is made of. The service only sends, and is watched by this.
//!
//! Driven from outside: after every call that changes it, [`Receiver::poll`] until
//! [`Received::Timeout`].

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Input, Rtc, RtcConfig};

use super::outcome::Outcome;

/// Numbers of its own, as a browser has; the other side's are taken in an answer.
const PAYLOAD_TYPE: u8 = 96;
const RTX_TYPE: u8 = 97;
/// Constrained baseline, level 3.1.
const BASELINE: u32 = 0x0042_e01f;
/// Packets that may wait for one that is missing: a keyframe of a busy page has a hundred.
const REORDERING_MAX: usize = 300;

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Received {
    /// Send a datagram.
    Transmit {
        /// Where to.
        destination: SocketAddr,
        /// The datagram.
        contents: Vec<u8>,
    },
    /// A picture has arrived.
    Unit {
        /// Annex B.
        data: Arc<[u8]>,
        /// Whether nothing is missing since the one before.
        is_contiguous: bool,
    },
    /// Nothing more until then, unless something arrives.
    Timeout(Instant),
    /// The connection is over.
    Over,
}

/// A receive-only H.264 video peer. See the module's documentation.
pub(super) struct Receiver {
    rtc: Box<Rtc>,
    local: SocketAddr,
    pending: Option<SdpPendingOffer>,
    mid: Option<Mid>,
}

impl Receiver {
    /// A peer at the address `local`.
    pub(super) fn new(now: Instant, local: SocketAddr) -> Outcome<Self> {
        let mut config = RtcConfig::new()
            .clear_codecs()
            .set_reordering_size_video(REORDERING_MAX);
        config
            .codec_config()
            .add_h264(PAYLOAD_TYPE.into(), Some(RTX_TYPE.into()), true, BASELINE);
        let mut rtc = Box::new(config.build(now));
        rtc.add_local_candidate(Candidate::host(local, Protocol::Udp)?);
        Ok(Self {
            rtc,
            local,
            pending: None,
            mid: None,
        })
    }

    /// An offer to receive one video track.
    pub(super) fn offer(&mut self) -> String {
        let mut api = self.rtc.sdp_api();
        api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = api.apply().expect("a media section was just added");
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// Takes the answer to [`Self::offer`].
    pub(super) fn accept(&mut self, answer: &str) -> Outcome {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        let answer = SdpAnswer::from_sdp_string(answer)?;
        Ok(self.rtc.sdp_api().accept_answer(pending, answer)?)
    }

    /// Answers the other side's offer, its first or a later one.
    pub(super) fn answer(&mut self, offer: &str) -> Outcome<String> {
        let offer = SdpOffer::from_sdp_string(offer)?;
        let answer = self.rtc.sdp_api().accept_offer(offer)?;
        Ok(answer.to_sdp_string())
    }

    /// Takes a candidate of the other side; what is not UDP cannot be reached.
    pub(super) fn add_remote_candidate(&mut self, candidate: &str) -> Outcome {
        let candidate = Candidate::from_sdp_string(candidate)?;
        if candidate.proto() == Protocol::Udp {
            self.rtc.add_remote_candidate(candidate);
        }
        Ok(())
    }

    /// Takes a datagram that came from `source`. What is not for this peer is ignored.
    pub(super) fn handle_receive(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        if let Ok(packet) = Receive::new(Protocol::Udp, source, self.local, datagram) {
            let input = Input::Receive(now, packet);
            if self.rtc.accepts(&input) && self.rtc.handle_input(input).is_err() {
                self.rtc.disconnect();
            }
        }
    }

    /// Lets time pass.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            self.rtc.disconnect();
        }
    }

    /// Asks for a keyframe, once video has come.
    pub(super) fn ask_for_keyframe(&mut self) {
        if let Some(writer) = self.mid.and_then(|mid| self.rtc.writer(mid)) {
            let mut writer = writer;
            // A connection that cannot ask is about to end, and says so by itself.
            let _ = writer.request_keyframe(None, KeyframeRequestKind::Pli);
        }
    }

    /// The next thing to do.
    pub(super) fn poll(&mut self) -> Received {
        loop {
            if !self.rtc.is_alive() {
                return Received::Over;
            }
            match self.rtc.poll_output() {
                Ok(str0m::Output::Transmit(transmit)) => {
                    return Received::Transmit {
                        destination: transmit.destination,
                        contents: transmit.contents.to_vec(),
                    };
                }
                Ok(str0m::Output::Event(str0m::Event::MediaData(data))) => {
                    self.mid = Some(data.mid);
                    return Received::Unit {
                        is_contiguous: data.contiguous,
                        data: data.data,
                    };
                }
                Ok(str0m::Output::Event(_)) => (),
                Ok(str0m::Output::Timeout(at)) => return Received::Timeout(at),
                Err(_) => return Received::Over,
            }
        }
    }

    /// Says goodbye. Poll what is left to send after it.
    pub(super) fn close(&mut self) {
        // One that cannot say goodbye is gone all the same.
        let _ = self.rtc.close();
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}
