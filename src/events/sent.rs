//! [`Sent`]: one event as every subscriber gets it.

use std::sync::{Arc, OnceLock};

use serde::Serialize;

use crate::model::event::Origin;
use crate::model::{Event, EventBody, SessionId};

/// One event, serialised at most once for all subscribers.
#[derive(Debug)]
pub struct Sent {
    event: Event,
    origin: Origin,
    epoch: Arc<str>,
    plain: OnceLock<String>,
    detailed: OnceLock<String>,
}

/// An event with what it says by wish.
#[derive(Serialize)]
struct Detailed<'a> {
    #[serde(flatten)]
    event: &'a Event,
    #[serde(flatten)]
    origin: &'a Origin,
    epoch: &'a str,
}

impl Sent {
    pub(super) fn new(event: Event, origin: Origin, epoch: Arc<str>) -> Self {
        Self {
            event,
            origin,
            epoch,
            plain: OnceLock::new(),
            detailed: OnceLock::new(),
        }
    }

    /// Its number in the room.
    pub fn seq(&self) -> u64 {
        self.event.seq
    }

    /// The session that it comes from.
    pub fn session_id(&self) -> Option<SessionId> {
        self.origin.session_id
    }

    /// Its type's wire name.
    pub fn type_name(&self) -> &'static str {
        self.event.body.type_name()
    }

    /// What happened.
    pub fn body(&self) -> &EventBody {
        &self.event.body
    }

    /// The JSON text; with `details` it also says `epoch`, and `session_id`, `tab`, `action_id`
    /// and `element` where they apply.
    pub fn json(&self, details: bool) -> &str {
        match details {
            false => self.plain.get_or_init(|| to_json(&self.event)),
            true => self.detailed.get_or_init(|| {
                to_json(&Detailed {
                    event: &self.event,
                    origin: &self.origin,
                    epoch: &self.epoch,
                })
            }),
        }
    }
}

/// Events are of texts, numbers and maps with texts as keys, which always serialise.
pub(super) fn to_json(event: &impl Serialize) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UnixTime;

    #[test]
    fn the_fields_of_the_contract_stay_alone() {
        let event = Event {
            body: EventBody::PageLoadComplete {
                url: "http://x/".to_owned(),
            },
            timestamp: UnixTime(12.5),
            seq: 7,
        };
        let session_id = SessionId::new();
        let origin = Origin {
            session_id: Some(session_id),
            tab: Some(2),
            element: Some("button “Save”".to_owned()),
            ..Origin::default()
        };
        let sent = Sent::new(event, origin, "e".into());
        let parse = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
        let mut expected = serde_json::json!({
            "type": "page_load_complete", "url": "http://x/", "timestamp": 12.5, "seq": 7
        });
        assert_eq!(parse(sent.json(false)), expected);
        expected["session_id"] = session_id.to_string().into();
        expected["tab"] = 2.into();
        expected["element"] = "button “Save”".into();
        expected["epoch"] = "e".into();
        assert_eq!(parse(sent.json(true)), expected);
    }
}
