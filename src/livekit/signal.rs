//! [`Signal`]: the signalling connection to a LiveKit server, in our own words.
//!
//! Messages that do not concern a publisher are dropped here. The newest token the server sent
//! is kept by the client inside and used to resume.

use std::collections::HashMap;
use std::time::Duration;

use livekit_protocol as proto;
use livekit_signaling::{
    CLIENT_PROTOCOL_DEFAULT, SignalClient, SignalError, SignalEvent, SignalEvents, SignalOptions,
};
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use tokio::time::timeout;
use tracing::debug;

use super::company::{Company, Participant, Roster, SelfWriters};
use crate::model::{Secret, Size};

/// What may go wrong with the signalling connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The room cannot be joined.
    #[error("cannot join the LiveKit room")]
    Join {
        /// What the client says.
        #[source]
        source: SignalError,
    },
    /// The connection cannot be resumed.
    #[error("cannot resume the LiveKit connection")]
    Resume {
        /// What the client says.
        #[source]
        source: SignalError,
    },
}

impl Error {
    /// What a caller has to change, if trying again is of no use.
    pub fn permanent(&self) -> Option<&'static str> {
        let (Self::Join { source } | Self::Resume { source }) = self;
        match source {
            SignalError::Client(status, _) if matches!(status.as_u16(), 401 | 403) => {
                Some("LiveKit refuses the token: it is invalid, expired, or not for this room")
            }
            SignalError::TokenFormat => Some("the LiveKit token is not a token"),
            SignalError::UrlParse(_) => Some("the LiveKit URL is not a ws:// or wss:// URL"),
            SignalError::TransportNotConfigured => Some("no WebSocket transport is built in"),
            _ => None,
        }
    }

    /// What the server answered, if it was reached: then asking the same again is of no use.
    pub fn answer(&self) -> Option<Leave> {
        let (Self::Join { source } | Self::Resume { source }) = self;
        match source {
            SignalError::LeaveRequest { reason, action } => Some(leave(*reason, *action)),
            SignalError::Client(..) | SignalError::Server(..) | SignalError::Handshake { .. } => {
                Some(Leave::Rejoin("REFUSED"))
            }
            _ => None,
        }
    }
}

/// The video track to publish.
#[derive(Debug, Clone)]
pub struct Track {
    /// Our id of it: the track id in the offer's msid.
    pub cid: String,
    /// Its name.
    pub name: String,
    /// Its width, px.
    pub width: u32,
    /// Its height, px.
    pub height: u32,
    /// Its target bits a second.
    pub bitrate: u32,
    /// Its low layer, if it has one beside that.
    pub low: Option<LowLayer>,
    /// Whether it starts muted.
    pub muted: bool,
}

/// The smaller one of a track's two layers.
#[derive(Debug, Clone, Copy)]
pub struct LowLayer {
    /// Its size, px.
    pub size: Size,
    /// Its target bits a second.
    pub bitrate: u32,
}

/// The layers of a track that somebody is subscribed to. Of a track of one layer, each of them is that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// Whether the track as it is.
    pub full: bool,
    /// Whether its low layer.
    pub low: bool,
}

impl Asked {
    /// Whether anything of it.
    pub const fn any(self) -> bool {
        self.full || self.low
    }
}

/// A track as the server knows it.
#[derive(Debug, Clone)]
pub struct Published(Box<proto::TrackPublishedResponse>);

impl Published {
    /// Our id of it.
    pub fn cid(&self) -> &str {
        &self.0.cid
    }

    /// The server's id of it.
    pub fn sid(&self) -> &str {
        self.0.track.as_ref().map_or("", |track| &track.sid)
    }
}

/// What the server tells a publisher.
#[derive(Debug)]
pub enum Event {
    /// A track is published, or rather: may be offered now.
    TrackPublished(Published),
    /// The server took a track down.
    TrackUnpublished {
        /// The server's id of it.
        sid: String,
    },
    /// The answer to our offer.
    Answer {
        /// The session description.
        sdp: String,
    },
    /// A candidate of the server, for our publishing connection.
    Candidate {
        /// As in `candidate:…`.
        candidate: String,
    },
    /// What of a track somebody watches.
    Watched {
        /// The server's id of it.
        sid: String,
        /// Its layers that are subscribed.
        asked: Asked,
    },
    /// Others came or went, or may do something else. [`Signal::company`] and [`Signal::senders`] tell.
    Company,
    /// A moderator muted or unmuted a track.
    Muted {
        /// The server's id of it.
        sid: String,
        /// Which of the two.
        muted: bool,
    },
    /// A request was refused.
    Refused {
        /// What the server says.
        message: String,
    },
    /// The server ends the connection.
    Leave(Leave),
    /// The connection is lost.
    Closed {
        /// What the client says.
        reason: String,
    },
}

/// How to go on after the server ended the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// Another participant took our identity.
    Replaced,
    /// A moderator removed us.
    Removed,
    /// Somebody deleted the room.
    Deleted,
    /// The server closed the room because only agents were left in it.
    RoomClosed,
    /// Resume, or join again.
    Retry(&'static str),
    /// Resuming is of no use; join again.
    Rejoin(&'static str),
}

/// A joined signalling connection. Always end it with [`Signal::leave`] or [`Signal::close`]:
/// its tasks hold each other and would outlive it.
pub struct Signal {
    client: SignalClient,
    events: SignalEvents,
    roster: Roster,
    hears_data: bool,
    ice_servers: Vec<IceServer>,
}

/// A server that helps media to find a way, as the server of the rooms names it.
#[derive(Debug, Clone, PartialEq)]
pub struct IceServer {
    /// Its addresses, such as `turn:relay.example.org?transport=udp`.
    pub urls: Vec<String>,
    /// Who comes.
    pub username: String,
    /// What proves it.
    pub credential: Secret,
}

/// Joins the room that the token is for.
async fn connect(
    url: &str,
    token: &Secret,
) -> Result<(SignalClient, proto::JoinResponse, SignalEvents), Error> {
    let mut options = SignalOptions::default();
    options.auto_subscribe = false;
    // One who publishes hears others' data by the connection that there is anyway.
    options.single_peer_connection = true;
    // Calls come as packets then, and not as streams.
    options.client_protocol = CLIENT_PROTOCOL_DEFAULT;
    options.adaptive_stream = false;
    options.protocol_version = PROTOCOL_VERSION;
    // Trailers in video packets would need a media stack that strips them.
    options.client_capabilities = Vec::new();
    SignalClient::connect(url, token.reveal(), options, None)
        .await
        .map_err(|source| Error::Join { source })
}

impl Signal {
    /// Joins the room that the token is for, as a publisher only. Who wrote of themselves there before is known.
    pub async fn join(url: &str, token: &Secret, self_writers: SelfWriters) -> Result<Self, Error> {
        let (client, join, events) = connect(url, token).await?;
        Ok(Self {
            client,
            events,
            roster: Roster::new(&join, self_writers),
            hears_data: !join.subscriber_primary,
            ice_servers: join.ice_servers.into_iter().map(ice_server).collect(),
        })
    }

    /// The next thing the server tells. Safe to cancel.
    pub async fn next(&mut self) -> Event {
        loop {
            let message = match self.events.recv().await {
                Some(SignalEvent::Message(message)) => message,
                Some(SignalEvent::Close(reason)) => {
                    let reason = reason.into_owned();
                    return Event::Closed { reason };
                }
                None => {
                    let reason = "the signalling task ended".to_owned();
                    return Event::Closed { reason };
                }
            };
            if let Response::Update(update) = &*message {
                if self.roster.note(&update.participants) {
                    return Event::Company;
                }
                continue;
            }
            if let Some(event) = event(*message) {
                return event;
            }
        }
    }

    /// Who is in the room beside us.
    pub fn company(&self) -> Company {
        self.roster.company()
    }

    /// Those of them who may send data.
    pub fn senders(&self) -> Vec<Participant> {
        self.roster.senders()
    }

    /// Whether others' data comes by the connection that we publish by. A server that knows no single
    /// connection sends it by another one to whoever may subscribe.
    pub const fn hears_data(&self) -> bool {
        self.hears_data
    }

    /// The servers that help media to find a way.
    pub fn ice_servers(&self) -> &[IceServer] {
        &self.ice_servers
    }

    /// Asks to publish a track; [`Event::TrackPublished`] answers.
    pub async fn add_track(&self, track: &Track) {
        let layer = |quality: proto::VideoQuality, width, height, bitrate| proto::VideoLayer {
            quality: quality as i32,
            width,
            height,
            bitrate,
            ..proto::VideoLayer::default()
        };
        let low = track.low.map(|low| {
            let (width, height) = (low.size.width, low.size.height);
            layer(proto::VideoQuality::Low, width, height, low.bitrate)
        });
        let (width, height) = (track.width, track.height);
        let full = layer(proto::VideoQuality::High, width, height, track.bitrate);
        let layers: Vec<_> = low.into_iter().chain([full]).collect();
        let codec = proto::SimulcastCodec {
            codec: "h264".to_owned(),
            cid: track.cid.clone(),
            layers: layers.clone(),
            ..proto::SimulcastCodec::default()
        };
        let request = proto::AddTrackRequest {
            cid: track.cid.clone(),
            name: track.name.clone(),
            r#type: proto::TrackType::Video as i32,
            source: proto::TrackSource::ScreenShare as i32,
            width: track.width,
            height: track.height,
            muted: track.muted,
            layers,
            simulcast_codecs: vec![codec],
            ..proto::AddTrackRequest::default()
        };
        self.client.send(Request::AddTrack(request)).await;
    }

    /// Sends our offer; [`Event::Answer`] answers.
    pub async fn offer(&self, sdp: &str) {
        let offer = proto::SessionDescription {
            r#type: "offer".to_owned(),
            sdp: sdp.to_owned(),
            ..proto::SessionDescription::default()
        };
        self.client.send(Request::Offer(offer)).await;
    }

    /// Mutes or unmutes a track.
    pub async fn mute(&self, sid: &str, muted: bool) {
        let request = proto::MuteTrackRequest {
            sid: sid.to_owned(),
            muted,
        };
        self.client.send(Request::Mute(request)).await;
    }

    /// Sets attributes of our participant; an empty value removes one.
    pub async fn set_attributes(&self, attributes: HashMap<String, String>) {
        let request = proto::UpdateParticipantMetadata {
            attributes,
            ..proto::UpdateParticipantMetadata::default()
        };
        self.client.send(Request::UpdateMetadata(request)).await;
    }

    /// Opens the connection again for the same participant; media goes on meanwhile.
    pub async fn resume(&mut self, published: &Published) -> Result<(), Error> {
        // What the old connection still had to say, its end above all, is not about the new one.
        self.client.close().await;
        while self.events.try_recv().is_ok() {}
        self.client
            .restart(proto::ReconnectReason::RrSignalDisconnected)
            .await
            .map_err(|source| Error::Resume { source })?;
        let state = proto::SyncState {
            publish_tracks: vec![(*published.0).clone()],
            ..proto::SyncState::default()
        };
        self.client.send(Request::SyncState(state)).await;
        self.client.set_reconnected().await;
        Ok(())
    }

    /// The newest token: the server sends another before the last one expires.
    pub fn token(&self) -> Secret {
        Secret::from(self.client.token())
    }

    /// Leaves the room and closes.
    pub async fn leave(mut self) {
        let request = proto::LeaveRequest {
            reason: proto::DisconnectReason::ClientInitiated as i32,
            action: proto::leave_request::Action::Disconnect as i32,
            ..proto::LeaveRequest::default()
        };
        let leaving = async {
            self.client.send(Request::Leave(request)).await;
            // A socket that is closed while something in it is unread is reset, and what the server has not
            // read yet of ours is lost with it: the leave itself.
            while let Some(SignalEvent::Message(message)) = self.events.recv().await {
                if let Response::Leave(_) = *message {
                    break;
                }
            }
        };
        if timeout(LEAVE_WITHIN, leaving).await.is_err() {
            debug!("the server does not take our leave");
        }
        self.close().await;
    }

    /// Closes without a word.
    pub async fn close(self) {
        if timeout(CLOSE_WITHIN, self.client.close()).await.is_err() {
            debug!("the server does not let the connection close");
        }
    }
}

impl std::fmt::Debug for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signal").finish_non_exhaustive()
    }
}

fn ice_server(server: proto::IceServer) -> IceServer {
    IceServer {
        urls: server.urls,
        username: server.username,
        credential: Secret::from(server.credential),
    }
}

/// Translates what concerns a publisher.
fn event(message: Response) -> Option<Event> {
    match message {
        Response::TrackPublished(published) => {
            Some(Event::TrackPublished(Published(Box::new(published))))
        }
        Response::TrackUnpublished(track) => Some(Event::TrackUnpublished {
            sid: track.track_sid,
        }),
        Response::Answer(answer) => Some(Event::Answer { sdp: answer.sdp }),
        Response::Trickle(trickle) => candidate(&trickle),
        Response::SubscribedQualityUpdate(update) => Some(watched(update)),
        Response::Mute(mute) => Some(Event::Muted {
            sid: mute.sid,
            muted: mute.muted,
        }),
        Response::RequestResponse(response) => refusal(&response),
        Response::Leave(said) => Some(Event::Leave(leave(said.reason(), said.action()))),
        _ => None,
    }
}

fn candidate(trickle: &proto::TrickleRequest) -> Option<Event> {
    // Nothing is subscribed, so the server's sending connection is left alone.
    if trickle.target() != proto::SignalTarget::Publisher {
        return None;
    }
    let init: serde_json::Value = serde_json::from_str(&trickle.candidate_init).ok()?;
    let candidate = init.get("candidate")?.as_str()?.to_owned();
    (!candidate.is_empty()).then_some(Event::Candidate { candidate })
}

fn watched(update: proto::SubscribedQualityUpdate) -> Event {
    #[expect(
        deprecated,
        reason = "servers before per-codec qualities fill only this"
    )]
    let plain = update.subscribed_qualities.iter();
    let by_codec = update.subscribed_codecs.iter().flat_map(|c| &c.qualities);
    let mut asked = Asked::default();
    for quality in plain.chain(by_codec).filter(|q| q.enabled) {
        match quality.quality() {
            proto::VideoQuality::Low => asked.low = true,
            // Of two layers, the upper one is the medium quality as well.
            proto::VideoQuality::Medium | proto::VideoQuality::High => asked.full = true,
            proto::VideoQuality::Off => {}
        }
    }
    Event::Watched {
        sid: update.track_sid,
        asked,
    }
}

fn refusal(response: &proto::RequestResponse) -> Option<Event> {
    use proto::request_response::Reason;
    let reason = response.reason();
    if matches!(reason, Reason::Ok | Reason::Queued) {
        return None;
    }
    let message = format!("{} {}", reason.as_str_name(), response.message);
    Some(Event::Refused { message })
}

fn leave(reason: proto::DisconnectReason, action: proto::leave_request::Action) -> Leave {
    use proto::DisconnectReason as Reason;
    use proto::leave_request::Action;
    match (reason, action) {
        (Reason::DuplicateIdentity, _) => Leave::Replaced,
        (Reason::ParticipantRemoved, _) => Leave::Removed,
        (Reason::RoomDeleted, _) => Leave::Deleted,
        (Reason::RoomClosed, _) => Leave::RoomClosed,
        (_, Action::Resume) => Leave::Retry(reason.as_str_name()),
        (_, Action::Disconnect | Action::Reconnect) => Leave::Rejoin(reason.as_str_name()),
    }
}

/// The host and port of a LiveKit URL.
pub fn host_and_port(url: &str) -> Option<(&str, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let default_port = match scheme {
        "ws" | "http" => 80,
        "wss" | "https" => 443,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit('@').next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, default_port),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then_some((host, port))
}

/// From 18 on, the server expects data channels negotiated in advance.
const PROTOCOL_VERSION: u32 = 16;
/// Bounds each of the two steps of leaving, so that both take less than a second.
const LEAVE_WITHIN: Duration = Duration::from_millis(300);
const CLOSE_WITHIN: Duration = Duration::from_millis(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_subscribed_quality_of_any_codec_means_watched() {
        use proto::VideoQuality::{High, Low, Medium};
        let update = |enabled: &[proto::VideoQuality]| proto::SubscribedQualityUpdate {
            track_sid: "TR_1".to_owned(),
            subscribed_codecs: vec![proto::SubscribedCodec {
                codec: "h264".to_owned(),
                qualities: [Low, Medium, High]
                    .map(|quality| proto::SubscribedQuality {
                        quality: quality as i32,
                        enabled: enabled.contains(&quality),
                    })
                    .into(),
            }],
            ..proto::SubscribedQualityUpdate::default()
        };
        for (enabled, full, low) in [
            (&[][..], false, false),
            (&[Low], false, true),
            (&[Low, Medium], true, true),
            (&[Low, Medium, High], true, true),
            (&[High], true, false),
        ] {
            let Event::Watched { asked, .. } = watched(update(enabled)) else {
                panic!("not about watching");
            };
            assert_eq!(asked, Asked { full, low }, "{enabled:?}");
        }
    }

    #[test]
    fn only_candidates_for_our_connection_are_taken() {
        let trickle = |target, candidate_init: &str| proto::TrickleRequest {
            candidate_init: candidate_init.to_owned(),
            target: target as i32,
            r#final: false,
        };
        let init = r#"{"candidate":"candidate:1 1 udp 1 10.0.0.1 9 typ host","sdpMLineIndex":0}"#;
        assert!(candidate(&trickle(proto::SignalTarget::Publisher, init)).is_some());
        for (target, init) in [
            (proto::SignalTarget::Subscriber, init),
            (proto::SignalTarget::Publisher, "{}"),
            (proto::SignalTarget::Publisher, r#"{"candidate":""}"#),
            (proto::SignalTarget::Publisher, "no json"),
        ] {
            assert!(candidate(&trickle(target, init)).is_none(), "{init}");
        }
    }

    #[test]
    fn hosts_of_urls() {
        for (url, expected) in [
            ("ws://127.0.0.1:7880", Some(("127.0.0.1", 7880))),
            ("wss://x.livekit.cloud/", Some(("x.livekit.cloud", 443))),
            ("http://user@[::1]:80/a?b", Some(("::1", 80))),
            ("ws://[::1]", Some(("::1", 80))),
            ("ftp://x", None),
            ("ws://:1", None),
            ("x", None),
        ] {
            assert_eq!(host_and_port(url), expected, "{url}");
        }
    }

    #[test]
    fn a_leave_says_how_to_go_on() {
        use proto::DisconnectReason as Reason;
        use proto::leave_request::Action;
        assert_eq!(
            leave(Reason::DuplicateIdentity, Action::Disconnect),
            Leave::Replaced
        );
        assert_eq!(
            leave(Reason::ParticipantRemoved, Action::Disconnect),
            Leave::Removed
        );
        assert_eq!(
            leave(Reason::RoomClosed, Action::Disconnect),
            Leave::RoomClosed
        );
        assert_eq!(
            leave(Reason::ServerShutdown, Action::Resume),
            Leave::Retry("SERVER_SHUTDOWN")
        );
        assert_eq!(
            leave(Reason::RoomDeleted, Action::Disconnect),
            Leave::Deleted
        );
        assert_eq!(
            leave(Reason::StateMismatch, Action::Reconnect),
            Leave::Rejoin("STATE_MISMATCH")
        );
    }
}
