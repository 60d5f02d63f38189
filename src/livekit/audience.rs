//! [`Audience`]: a participant who only watches, as far as signalling goes. The service itself
//! publishes; the validation program watches it by this.

use livekit_protocol as proto;
use livekit_signaling::{SignalClient, SignalEvent, SignalEvents};
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;

use super::signal::{Error, connect};
use crate::model::Secret;

/// What the server tells somebody who watches.
#[derive(Debug)]
pub enum Told {
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
pub struct Audience {
    client: SignalClient,
    events: SignalEvents,
}

impl Audience {
    /// Joins the room that the token is for, and subscribes to all that is there and comes.
    pub async fn join(url: &str, token: &Secret) -> Result<Self, Error> {
        let (client, _join, events) = connect(url, token, true).await?;
        Ok(Self { client, events })
    }

    /// The next thing the server tells. Safe to cancel.
    pub async fn next(&mut self) -> Told {
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
    pub async fn answer(&self, sdp: &str) {
        let answer = proto::SessionDescription {
            r#type: "answer".to_owned(),
            sdp: sdp.to_owned(),
            ..proto::SessionDescription::default()
        };
        self.client.send(Request::Answer(answer)).await;
    }

    /// Leaves the room.
    pub async fn leave(self) {
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
