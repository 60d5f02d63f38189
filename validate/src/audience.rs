//! [`Audience`]: a participant who only watches, as far as signalling goes. The service publishes,
//! and is watched by this.

use livekit_protocol as proto;
use livekit_signaling::{
    CLIENT_PROTOCOL_DEFAULT, SignalClient, SignalEvent, SignalEvents, SignalOptions,
};
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;

use super::outcome::{Expect, Outcome};

/// From 18 on, the server expects data channels negotiated in advance.
const PROTOCOL_VERSION: u32 = 16;

/// What the server tells somebody who watches.
#[derive(Debug)]
pub(super) enum Told {
    /// The tracks that there are; [`Audience::answer`] answers.
    Offer {
        /// The session description.
        sdp: String,
    },
    /// A candidate of the server, for the watching connection.
    Candidate {
        /// As in `candidate:…`.
        candidate: String,
    },
    /// The connection is over.
    Closed {
        /// What is known of it.
        reason: String,
    },
}

/// A joined signalling connection. End it with [`Audience::leave`].
pub(super) struct Audience {
    client: SignalClient,
    events: SignalEvents,
}

impl Audience {
    /// Joins the room that the token is for, and subscribes to all that is there and comes.
    pub(super) async fn join(url: &str, token: &str) -> Outcome<Self> {
        let mut options = SignalOptions::default();
        options.auto_subscribe = true;
        options.single_peer_connection = false;
        options.client_protocol = CLIENT_PROTOCOL_DEFAULT;
        options.adaptive_stream = false;
        options.protocol_version = PROTOCOL_VERSION;
        // Trailers in video packets would need a media stack that strips them.
        options.client_capabilities = Vec::new();
        let joined = SignalClient::connect(url, token, options, None).await;
        let (client, _join, events) = joined.expect_that("the LiveKit room can be joined")?;
        Ok(Self { client, events })
    }

    /// The next thing the server tells. Safe to cancel.
    pub(super) async fn next(&mut self) -> Told {
        loop {
            match self.events.recv().await {
                Some(SignalEvent::Message(message)) => {
                    if let Some(told) = told(*message) {
                        return told;
                    }
                }
                Some(SignalEvent::Close(reason)) => {
                    let reason = reason.into_owned();
                    return Told::Closed { reason };
                }
                None => {
                    let reason = "the signalling task ended".to_owned();
                    return Told::Closed { reason };
                }
            }
        }
    }

    /// Answers an offer.
    pub(super) async fn answer(&self, sdp: &str) {
        let answer = proto::SessionDescription {
            r#type: "answer".to_owned(),
            sdp: sdp.to_owned(),
            ..proto::SessionDescription::default()
        };
        self.client.send(Request::Answer(answer)).await;
    }

    /// Leaves the room.
    pub(super) async fn leave(self) {
        let request = proto::LeaveRequest {
            reason: proto::DisconnectReason::ClientInitiated as i32,
            action: proto::leave_request::Action::Disconnect as i32,
            ..proto::LeaveRequest::default()
        };
        self.client.send(Request::Leave(request)).await;
        self.client.close().await;
    }
}

impl std::fmt::Debug for Audience {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audience").finish_non_exhaustive()
    }
}

fn told(message: Response) -> Option<Told> {
    match message {
        Response::Offer(offer) => Some(Told::Offer { sdp: offer.sdp }),
        Response::Trickle(trickle) if trickle.target() == proto::SignalTarget::Subscriber => {
            let init: serde_json::Value = serde_json::from_str(&trickle.candidate_init).ok()?;
            let candidate = init.get("candidate")?.as_str()?.to_owned();
            (!candidate.is_empty()).then_some(Told::Candidate { candidate })
        }
        Response::Leave(leave) => Some(Told::Closed {
            reason: leave.reason().as_str_name().to_owned(),
        }),
        _ => None,
    }
}
