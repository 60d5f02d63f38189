//! What participants of a room send each other beside media: data under a topic, and calls with an answer
//! (LiveKit's RPC, version 1: we say of ourselves that we take no other).

use std::fmt;
use std::time::Duration;

use livekit_protocol as proto;
use prost::Message;
use proto::data_packet::Value;

/// The version of calls that is understood.
const RPC_VERSION: u32 = 1;
/// Longest message of a refusal, bytes; what is longer is cut by other clients.
const MESSAGE_BYTES_MAX: usize = 256;
/// Longest payload of a call, bytes, as LiveKit has it.
const PAYLOAD_BYTES_MAX: usize = 15 * 1024;

/// What a participant has sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Heard {
    /// Whose it is, as the server says it.
    pub identity: String,
    /// What it is.
    pub said: Said,
}

/// What can be sent to us.
#[expect(
    missing_debug_implementations,
    reason = "what a person types is told to nobody"
)]
#[derive(Clone, PartialEq, Eq)]
pub enum Said {
    /// Data, which is answered by nothing.
    Data {
        /// What it is about.
        topic: String,
        /// The data.
        payload: Vec<u8>,
    },
    /// A call, which waits for an answer.
    Call {
        /// Names it, for its answer.
        id: String,
        /// What is called.
        method: String,
        /// What with.
        payload: String,
        /// How long the caller waits.
        patience: Duration,
    },
    /// A call that cannot be taken as it is.
    Refused {
        /// Names it, for its answer.
        id: String,
        /// Why.
        error: RpcError,
    },
}

/// What we send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Data for all who are in the room.
    Data {
        /// What it is about.
        topic: &'static str,
        /// The data.
        payload: String,
    },
    /// A call has arrived.
    Ack {
        /// Who called.
        to: String,
        /// The call.
        id: String,
    },
    /// What came of a call.
    Answer {
        /// Who called.
        to: String,
        /// The call.
        id: String,
        /// What came of it.
        answer: Result<String, RpcError>,
    },
}

/// Why a call was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcError {
    /// LiveKit's code, or one of our own, below 1000.
    pub code: u32,
    /// What stands in the way, and what to do.
    pub message: String,
}

/// LiveKit's own codes, as far as they are used, and one of ours.
impl RpcError {
    /// Ours: too much at once.
    pub const TOO_MUCH: u32 = 429;
    /// What went wrong in carrying it out.
    pub const APPLICATION_ERROR: u32 = 1500;
    /// There is no such method.
    pub const UNSUPPORTED_METHOD: u32 = 1400;
    /// The call is too large.
    pub const REQUEST_TOO_LARGE: u32 = 1402;
    /// The call is of a version that we do not take.
    pub const UNSUPPORTED_VERSION: u32 = 1404;
}

/// Reads what has come over a data channel; nothing for what is no concern of ours.
pub fn read(bytes: &[u8]) -> Option<Heard> {
    let packet = proto::DataPacket::decode(bytes).ok()?;
    let identity = packet.participant_identity;
    let said = match packet.value? {
        Value::RpcRequest(call) if call.payload.len() > PAYLOAD_BYTES_MAX => Said::Refused {
            id: call.id,
            error: RpcError {
                code: RpcError::REQUEST_TOO_LARGE,
                message: "Request payload too large".to_owned(),
            },
        },
        Value::User(user) => Said::Data {
            topic: user.topic.unwrap_or_default(),
            payload: user.payload,
        },
        Value::RpcRequest(call)
            if call.version == RPC_VERSION && call.compressed_payload.is_empty() =>
        {
            Said::Call {
                id: call.id,
                method: call.method,
                payload: call.payload,
                patience: Duration::from_millis(call.response_timeout_ms.into()),
            }
        }
        Value::RpcRequest(call) => Said::Refused {
            id: call.id,
            error: RpcError {
                code: RpcError::UNSUPPORTED_VERSION,
                message: "Unsupported RPC version".to_owned(),
            },
        },
        _ => return None,
    };
    Some(Heard { identity, said })
}

impl Told {
    /// As it goes over a data channel.
    pub fn write(self) -> Vec<u8> {
        let (to, value) = match self {
            Self::Data { topic, payload } => {
                let user = proto::UserPacket {
                    payload: payload.into_bytes(),
                    topic: Some(topic.to_owned()),
                    ..proto::UserPacket::default()
                };
                (None, Value::User(user))
            }
            Self::Ack { to, id } => {
                let ack = proto::RpcAck { request_id: id };
                (Some(to), Value::RpcAck(ack))
            }
            Self::Answer { to, id, answer } => {
                let value = match answer {
                    Ok(payload) => proto::rpc_response::Value::Payload(payload),
                    Err(error) => proto::rpc_response::Value::Error(error.into_proto()),
                };
                let response = proto::RpcResponse {
                    request_id: id,
                    value: Some(value),
                };
                (Some(to), Value::RpcResponse(response))
            }
        };
        let packet = proto::DataPacket {
            destination_identities: to.into_iter().collect(),
            value: Some(value),
            ..proto::DataPacket::default()
        };
        packet.encode_to_vec()
    }
}

impl RpcError {
    fn into_proto(mut self) -> proto::RpcError {
        let end = self.message.floor_char_boundary(MESSAGE_BYTES_MAX);
        let whole = self.message.split_off(0);
        proto::RpcError {
            code: self.code,
            message: whole[..end].to_owned(),
            data: if end < whole.len() {
                whole
            } else {
                String::new()
            },
        }
    }
}

/// What a person types is told to nobody.
impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match &self.said {
            Said::Data { topic, .. } => topic,
            Said::Call { method, .. } => method,
            Said::Refused { id, .. } => id,
        };
        f.debug_struct("Heard")
            .field("identity", &self.identity)
            .field("said", said)
            .finish_non_exhaustive()
    }
}

/// A call, as it comes from one of the room.
#[cfg(test)]
pub(crate) fn call_of(identity: &str, method: &str) -> Vec<u8> {
    let call = proto::RpcRequest {
        id: "c1".to_owned(),
        method: method.to_owned(),
        version: RPC_VERSION,
        ..proto::RpcRequest::default()
    };
    let packet = proto::DataPacket {
        participant_identity: identity.to_owned(),
        value: Some(Value::RpcRequest(call)),
        ..proto::DataPacket::default()
    };
    packet.encode_to_vec()
}

/// The code of what goes out, if that is a refusal.
#[cfg(test)]
pub(crate) fn refused_with(message: &[u8]) -> Option<u32> {
    match proto::DataPacket::decode(message).ok()?.value? {
        Value::RpcResponse(response) => match response.value? {
            proto::rpc_response::Value::Error(error) => Some(error.code),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: Value) -> Vec<u8> {
        let packet = proto::DataPacket {
            participant_identity: "ada".to_owned(),
            value: Some(value),
            ..proto::DataPacket::default()
        };
        packet.encode_to_vec()
    }

    fn call(version: u32) -> Vec<u8> {
        sent(Value::RpcRequest(proto::RpcRequest {
            id: "c1".to_owned(),
            method: "browser/take".to_owned(),
            payload: "{}".to_owned(),
            response_timeout_ms: 8_000,
            version,
            ..proto::RpcRequest::default()
        }))
    }

    #[test]
    fn data_and_calls_are_read_and_the_rest_is_nothing() {
        let user = proto::UserPacket {
            payload: b"secret".to_vec(),
            topic: Some("browser.input".to_owned()),
            ..proto::UserPacket::default()
        };
        let heard = read(&sent(Value::User(user))).unwrap();
        assert_eq!(heard.identity, "ada");
        assert!(!format!("{heard:?}").contains("secret"));
        let Said::Data { topic, payload } = heard.said else {
            panic!("no data");
        };
        assert_eq!(
            (topic.as_str(), payload.as_slice()),
            ("browser.input", &b"secret"[..])
        );
        let Said::Call {
            method, patience, ..
        } = read(&call(1)).unwrap().said
        else {
            panic!("no call");
        };
        assert_eq!(
            (method.as_str(), patience),
            ("browser/take", Duration::from_secs(8))
        );
        let Said::Refused { error, .. } = read(&call(2)).unwrap().said else {
            panic!("no refusal");
        };
        assert_eq!(error.code, RpcError::UNSUPPORTED_VERSION);
        let ack = proto::RpcAck::default();
        assert_eq!(read(&sent(Value::RpcAck(ack))), None);
        assert_eq!(read(b"\xff\xffno packet"), None);
    }

    #[test]
    fn a_refusal_goes_to_its_caller_and_is_not_too_long() {
        let told = Told::Answer {
            to: "ada".to_owned(),
            id: "c1".to_owned(),
            answer: Err(RpcError {
                code: 403,
                message: "é".repeat(200),
            }),
        };
        let packet = proto::DataPacket::decode(told.write().as_slice()).unwrap();
        assert_eq!(packet.destination_identities, ["ada"]);
        let Some(Value::RpcResponse(response)) = packet.value else {
            panic!("no answer");
        };
        let Some(proto::rpc_response::Value::Error(error)) = response.value else {
            panic!("no refusal");
        };
        assert_eq!((error.code, error.message.len()), (403, MESSAGE_BYTES_MAX));
    }
}
