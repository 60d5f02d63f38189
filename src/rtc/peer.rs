//! [`Peer`]: one H.264 video peer that only sends media, without a socket, a clock or a task.
//!
//! Whoever drives it follows one rule: after every call that changes it, [`Peer::poll`] until
//! [`Output::Timeout`], and only then the next change.
//!
//! ## Design notes
//! - **Exactly one payload type.** An SFU may bind the first payload type of the answer and drop
//!   the packets of any other without a word, so one is all that is ever offered.
//! - **The first access unit of a stream, and the first after a congested path, is a keyframe.** The
//!   peer skips to it and asks for it; a delta is never dropped from the middle.
//! - **Packets leave when `flow` says so**, and the encoder's limit is its estimate of the path. The
//!   engine's own pacer and estimator are off: they follow a quiet source down, and pad a still
//!   page's path to keep up with themselves.
//! - **TCP is the way round, not the way.** It is tried when UDP has led nowhere for a while: packets
//!   that wait for lost ones cost latency, and the other side's ports are few.
//! - **A path that is lost is looked for again** on the same connection (an ICE restart), by the side
//!   that offered it: the track and its subscribers stay.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::error::RtcError;
use str0m::media::{Direction, MediaKind, MediaTime};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::Extension;
use str0m::{Candidate, IceConnectionState, Input, Rtc, RtcConfig};

use super::clock::RtpClock;
use super::data::Channels;
use super::dtls;
use super::early::Early;
pub use super::error::{Error, Lost};
use super::flow::Flow;
pub use super::offered::Offered;
pub use super::output::{Carries, Event, Output, Rate, Transmit, Transport, Written};
use super::sdp;
pub use super::sdp::SDP_BYTES_MAX;
use super::streams::Streams;
use super::vitals::{Tally, Vitals};
use super::ways::Ways;
use crate::media::{AccessUnit, Layer};

/// A send-only H.264 video peer. See the module's documentation.
pub struct Peer {
    /// Boxed: the engine takes some 20 kB, which every future on the way would carry.
    rtc: Box<Rtc>,
    streams: Streams,
    /// Addresses that the other side may send to; the socket's own address is unknown to it.
    ways: Ways,
    channels: Channels,
    early: Early,
    clock: RtpClock,
    flow: Flow,
    tally: Tally,
    events: VecDeque<Event>,
    state: State,
    now: Instant,
    /// When the other side was last heard.
    heard_at: Instant,
    /// The way that media takes, once it has taken one.
    path: Option<(Transport, SocketAddr)>,
    /// Whether we made the offer, and so may make another.
    is_offerer: bool,
    /// The offer whose answer leads to another path.
    restart: Option<SdpPendingOffer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    /// Media can flow.
    Open,
    /// Connected once, and on the way to another path.
    Restarting,
    Over,
}

/// What a peer offers to send.
#[derive(Debug, Clone, Copy)]
pub struct Track<'a> {
    /// The stream that it is of.
    pub stream: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Whether each layer of it is a stream of packets of its own.
    pub is_layered: bool,
}

impl Peer {
    /// A peer that offers one send-only video track. `local` are the addresses to advertise.
    pub fn offer(
        now: Instant,
        local: &[SocketAddr],
        rate: Rate,
        track: Track<'_>,
    ) -> Result<Offered, Error> {
        let mut peer = Self::new(RtcConfig::new(), now, local, rate)?;
        peer.streams = Streams::new(track.is_layered);
        let mut api = peer.rtc.sdp_api();
        let mid = api.add_media(
            MediaKind::Video,
            Direction::SendOnly,
            Some(track.stream.to_owned()),
            Some(track.id.to_owned()),
            peer.streams.simulcast(),
        );
        let channels = Channels::offer(&mut api);
        let (offer, pending) = api.apply().expect("a media section was just added");
        peer.channels = channels;
        peer.streams.set_mid(Some(mid));
        peer.is_offerer = true;
        peer.ways.look(now);
        Ok(Offered {
            peer,
            sdp: offer.to_sdp_string(),
            pending,
        })
    }

    /// A peer that answers a viewer's offer to receive video, and the answer to send back.
    pub fn answer(
        now: Instant,
        local: &[SocketAddr],
        rate: Rate,
        offer: &str,
    ) -> Result<(Self, String), Error> {
        let offer = sdp::without_hostnames(offer).ok_or(Error::TooLong)?;
        let parsed = SdpOffer::from_sdp_string(&offer).map_err(|source| Error::Parse { source })?;
        if !sdp::receives_h264(&offer) {
            return Err(Error::NoVideo);
        }
        // A server of rooms is known to bring ECDSA; a viewer may bring anything.
        let config = RtcConfig::new().set_crypto_provider(dtls::crypto());
        let mut peer = Self::new(config, now, local, rate)?;
        let answer = peer
            .rtc
            .sdp_api()
            .accept_offer(parsed)
            .map_err(|source| Error::Negotiate { source })?
            .to_sdp_string();
        peer.streams.set_mid(sdp::video_mid(&answer));
        Ok((peer, answer))
    }

    /// Hears what the viewer says by a data channel of this name, which its offer made room for.
    #[must_use]
    pub fn hearing(mut self, channel: &'static str) -> Self {
        self.channels = Channels::named(channel);
        self
    }

    fn new(
        config: RtcConfig,
        now: Instant,
        local: &[SocketAddr],
        rate: Rate,
    ) -> Result<Self, Error> {
        let mut config = config
            .clear_codecs()
            .enable_raw_packets(true)
            .set_extension(PLAYOUT_DELAY_ID, Extension::PlayoutDelay);
        config.set_max_stun_rto(STUN_RTO_MAX);
        config.set_max_stun_retransmits(STUN_RETRANSMITS_MAX);
        config.codec_config().add_h264(
            PAYLOAD_TYPE.into(),
            Some(RTX_TYPE.into()),
            true,
            BASELINE | u32::from(rate.level.idc()),
        );
        let mut rtc = Box::new(config.build(now));
        let ways = Ways::new(&mut rtc, local)?;
        Ok(Self {
            rtc,
            streams: Streams::new(false),
            ways,
            channels: Channels::default(),
            early: Early::default(),
            clock: RtpClock::new(now),
            flow: Flow::new(now, rate.target),
            tally: Tally::default(),
            events: VecDeque::new(),
            state: State::Connecting,
            now,
            heard_at: now,
            path: None,
            is_offerer: false,
            restart: None,
        })
    }

    /// Takes a candidate of the other side, as in `candidate:…`.
    pub fn add_remote_candidate(&mut self, candidate: &str) -> Result<(), Error> {
        let candidate = candidate.strip_prefix("a=").unwrap_or(candidate).trim();
        let candidate = Candidate::from_sdp_string(candidate)
            .map_err(|source| Error::RemoteCandidate { source })?;
        // A candidate of another kind could never be reached.
        let is_reachable = match candidate.proto() {
            Protocol::Udp => true,
            Protocol::Tcp => candidate.tcptype() == Some(TcpType::Passive),
            Protocol::SslTcp | Protocol::Tls => false,
        };
        if is_reachable {
            self.rtc.add_remote_candidate(candidate);
        }
        Ok(())
    }

    /// Another way to be reached by: an address on a server that relays what is sent there. The other side learns of it
    /// by our checks.
    pub fn add_relay(&mut self, now: Instant, address: SocketAddr) {
        self.now = now;
        self.ways.add_relay(&mut self.rtc, address);
    }

    /// Takes the answer to the offer of [`Event::PathLost`].
    pub fn accept_restart(&mut self, answer: &str) -> Result<(), Error> {
        let Some(pending) = self.restart.take() else {
            return Ok(());
        };
        self.accept(pending, answer)
    }

    pub(super) fn accept(&mut self, pending: SdpPendingOffer, answer: &str) -> Result<(), Error> {
        let answer = sdp::without_hostnames(answer).ok_or(Error::TooLong)?;
        let answer =
            SdpAnswer::from_sdp_string(&answer).map_err(|source| Error::Parse { source })?;
        self.rtc
            .sdp_api()
            .accept_answer(pending, answer)
            .map_err(|source| Error::Negotiate { source })
    }

    /// Takes a datagram that came from `source`. What is not for this peer is ignored.
    pub fn handle_receive(
        &mut self,
        now: Instant,
        transport: Transport,
        source: SocketAddr,
        datagram: &[u8],
    ) {
        self.now = now;
        let Some((protocol, destination)) = self.ways.arrives(transport, source) else {
            return;
        };
        // Anybody can send a datagram that is no packet at all.
        if let Ok(packet) = Receive::new(protocol, source, destination, datagram) {
            let input = Input::Receive(now, packet);
            if self.rtc.accepts(&input) {
                // Another way may still answer checks when the one of the media is dead.
                let is_way = |path| path == (transport, source);
                if !self.is_offerer || self.path.is_none_or(is_way) {
                    self.heard_at = now;
                }
                let handled = self.rtc.handle_input(input);
                self.check(handled);
                for (transport, source, datagram) in self.early.take() {
                    self.handle_receive(now, transport, source, &datagram);
                }
            } else if !self.is_connected() {
                self.early.keep(transport, source, datagram);
            }
        }
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if self.is_connected() && now > self.heard_at + SILENCE_MAX {
            self.lose_path();
        }
        self.ways.handle_timeout(now, &mut self.rtc);
        let handled = self.rtc.handle_input(Input::Timeout(now));
        self.check(handled);
        self.report_bandwidth();
    }

    /// Sends one access unit.
    pub fn write(&mut self, now: Instant, unit: &AccessUnit) -> Written {
        self.now = now;
        if self.state != State::Open {
            return Written::Skipped;
        }
        if !self.streams.follows(unit) {
            self.ask_for_keyframe(unit.layer);
            return Written::Skipped;
        }
        if self.streams.turn(unit) {
            // What waits of the other layer would only hold this one up.
            self.flow.abandon();
        }
        if self.flow.backlog(now) > BACKLOG_MAX {
            self.flow.abandon();
            self.streams.begin();
            if !unit.keyframe {
                self.ask_for_keyframe(unit.layer);
                return Written::Congested;
            }
        }
        if unit.keyframe {
            self.flow.keyframe_comes(self.streams.index(unit.layer));
        }
        let (wallclock, rtp_time) = self.clock.stamp(unit.made_at);
        let Some((writer, payload_type)) = self.streams.writer(&mut self.rtc, unit.layer) else {
            return Written::Skipped;
        };
        let written = writer
            .playout_delay(MediaTime::ZERO, MediaTime::ZERO)
            .write(payload_type, wallclock, rtp_time, Arc::clone(&unit.data));
        // The engine packs a picture into packets when time passes, not when it is written.
        let written = written.and_then(|()| self.rtc.handle_input(Input::Timeout(now)));
        if !self.check(written) {
            return Written::Skipped;
        }
        self.tally.wrote(now, unit.layer);
        if self.streams.wrote(unit) {
            self.events.push_back(Event::Shown);
        }
        Written::Sent
    }

    /// Sends a message beside the media; `false` when it cannot be sent now, and never will be.
    pub fn send(&mut self, now: Instant, message: &[u8]) -> bool {
        self.now = now;
        self.channels.send(&mut self.rtc, message)
    }

    /// The next thing to do. Never endless: it ends with [`Output::Timeout`].
    pub fn poll(&mut self) -> Output {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Output::Event(event);
            }
            if self.state == State::Over {
                return Output::Timeout(self.now + IDLE);
            }
            match self.rtc.poll_output() {
                Ok(str0m::Output::Transmit(transmit)) => {
                    let transport = self.ways.leaves(transmit.proto, transmit.source);
                    if transmit.contents.first().is_some_and(|b| *b >= NO_CHECK) {
                        self.note_way(transport, transmit.destination);
                    }
                    let transmit = Transmit {
                        transport,
                        destination: transmit.destination,
                        contents: transmit.contents,
                    };
                    if let Some(transmit) = self.flow.pass(self.now, transmit) {
                        return Output::Transmit(transmit);
                    }
                }
                Ok(str0m::Output::Event(event)) => self.handle_event(event),
                Ok(str0m::Output::Timeout(at)) => {
                    if let Some(transmit) = self.flow.pop(self.now) {
                        return Output::Transmit(transmit);
                    }
                    let next = [Some(at), self.ways.next_at(), self.flow.next_at()];
                    return Output::Timeout(next.into_iter().flatten().min().unwrap_or(at));
                }
                Err(source) => self.end(Lost::Failed { source }),
            }
        }
    }

    /// Hands an event back, to be polled again before anything else.
    pub(super) fn put_back(&mut self, event: Event) {
        self.events.push_front(event);
    }

    /// Whether media can flow.
    pub fn is_connected(&self) -> bool {
        self.state == State::Open
    }

    /// What it is seen to do.
    pub fn vitals(&self, now: Instant) -> Vitals {
        let mut vitals = Vitals {
            is_open: self.is_connected(),
            way: self.path,
            pictures: self.tally.pictures(now),
            keyframes_asked: self.tally.keyframes_asked,
            ..Vitals::default()
        };
        self.flow.describe(now, &mut vitals);
        vitals
    }

    /// Says goodbye. Poll what is left to send after it.
    pub fn close(&mut self) {
        // A peer that cannot say goodbye is gone all the same.
        let _ = self.rtc.close();
        self.heard_at = self.now;
    }

    fn handle_event(&mut self, event: str0m::Event) {
        use str0m::Event as Engine;
        match event {
            Engine::Connected => self.connected(),
            Engine::IceConnectionStateChange(IceConnectionState::Disconnected)
                if self.is_connected() =>
            {
                self.lose_path();
            }
            Engine::IceConnectionStateChange(
                IceConnectionState::Connected | IceConnectionState::Completed,
            ) if self.state == State::Restarting => {
                self.flowing();
            }
            Engine::KeyframeRequest(request) => {
                self.tally.keyframes_asked += 1;
                let layer = self.streams.asked(request.rid);
                self.events.push_back(Event::KeyframeRequested(layer));
            }
            Engine::RawPacket(packet) => {
                self.flow.note(self.now, &packet);
                self.report_bandwidth();
            }
            Engine::Closed => self.end(Lost::Closed),
            other => {
                let message = self.channels.message(other);
                self.events.extend(message.map(Event::Message));
            }
        }
    }

    fn connected(&mut self) {
        if self.streams.agree(&mut self.rtc) {
            self.flowing();
        } else {
            self.end(Lost::NoCodec);
        }
    }

    /// A path is there, the first or another.
    fn flowing(&mut self) {
        self.state = State::Open;
        self.streams.begin();
        self.ways.found();
        self.path = None;
        let mut direct = self.rtc.direct_api();
        let numbers = self
            .streams
            .keep(&mut direct, REPAIR_PACKETS_MAX, REPAIR_WITHIN);
        self.flow
            .open(self.now, self.streams.repair_type(), &numbers);
        self.heard_at = self.now;
        self.events.push_back(Event::Connected);
        self.report_bandwidth();
        self.ask_for_keyframe(Layer::Full);
    }

    /// Media leaves by this way. The engine changes from UDP to TCP or a relay by itself when the checks of the
    /// first fail, but the other side keeps to the better of the two, and waits there until it gives
    /// us up: only a restart makes both forget.
    fn note_way(&mut self, transport: Transport, destination: SocketAddr) {
        let before = self.path.replace((transport, destination));
        let was_udp = before.is_some_and(|(transport, _)| transport == Transport::Udp);
        if was_udp && transport != Transport::Udp {
            self.restart_path();
        }
    }

    /// Looks for another path, for somebody who knows that this one is dead.
    pub fn restart_path(&mut self) {
        if self.is_connected() && self.is_offerer {
            self.lose_path();
        }
    }

    /// Looks for another path, if that is ours to do.
    fn lose_path(&mut self) {
        if !self.is_offerer {
            self.end(Lost::Path);
            return;
        }
        let mut api = self.rtc.sdp_api();
        api.ice_restart(true);
        let Some((offer, pending)) = api.apply() else {
            self.end(Lost::Path);
            return;
        };
        self.state = State::Restarting;
        self.restart = Some(pending);
        self.ways.look(self.now);
        let offer = offer.to_sdp_string();
        self.events.push_back(Event::PathLost { offer });
    }

    fn ask_for_keyframe(&mut self, layer: Layer) {
        if self.streams.asks(self.now, layer) {
            let layer = self.streams.needed(layer);
            self.events.push_back(Event::KeyframeRequested(layer));
        }
    }

    fn report_bandwidth(&mut self) {
        if !self.is_connected() {
            return;
        }
        if let Some(carries) = self.flow.changed(self.now) {
            self.events.push_back(Event::Bandwidth(carries));
        }
    }

    fn check(&mut self, result: Result<(), RtcError>) -> bool {
        match result {
            Ok(()) => true,
            Err(source) => {
                self.end(Lost::Failed { source });
                false
            }
        }
    }

    fn end(&mut self, why: Lost) {
        if self.state != State::Over {
            self.state = State::Over;
            self.rtc.disconnect();
            self.events.push_back(Event::Disconnected(why));
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("state", &self.state)
            .field("ways", &self.ways)
            .finish_non_exhaustive()
    }
}

/// The one payload type offered; any dynamic number does.
const PAYLOAD_TYPE: u8 = 102;
/// The payload type of its retransmissions.
const RTX_TYPE: u8 = 103;
/// Constrained baseline, without the level, which is its last byte (RFC 6184 §8.1).
const BASELINE: u32 = 0x0042_e000;
/// Header extension id of the playout delay when we offer; free in the engine's default map.
const PLAYOUT_DELAY_ID: u8 = 6;
/// How long a packet is kept to be repaired: later, a keyframe has come in its place.
const REPAIR_WITHIN: Duration = Duration::from_secs(2);
/// Bounds them: 15 Mb/s for that long.
const REPAIR_PACKETS_MAX: usize = 3_000;
/// Longest pause between two connectivity checks, and how many may go unanswered: a path that
/// does not work is given up in time for another.
const STUN_RTO_MAX: Duration = Duration::from_millis(1500);
const STUN_RETRANSMITS_MAX: usize = 6;
/// How long the other side may be silent. It answers our checks, reports on what it receives and
/// checks the path by itself, so it is heard every second or two; the engine alone takes twice
/// this long to call a path lost.
const SILENCE_MAX: Duration = Duration::from_secs(8);
/// How long packets may wait for the path: beyond it, a viewer is better served by a keyframe.
const BACKLOG_MAX: Duration = Duration::from_millis(500);
/// Below it, the first byte is that of a connectivity check (RFC 7983).
const NO_CHECK: u8 = 20;
/// How far the next wake-up of a peer lies that is over.
const IDLE: Duration = Duration::from_secs(3600);

#[cfg(test)]
#[path = "peer_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "link_tests.rs"]
mod link_tests;

#[cfg(test)]
#[path = "layer_tests.rs"]
mod layer_tests;
