//! Which session a call means that names none.
//!
//! The one that this client started. An automatic one is made for a client that never had any, or
//! that acts after it has closed its own; it is that client's alone, and ends with it. A session
//! that was lost, or one of several, is never guessed.

use super::calls::{Call, cancelled};
use super::memory::Begun;
use super::pace::Paced;
use crate::error::Error;
use crate::model::{Right, RoomName, SessionId, SessionRecord, SessionSpec};
use crate::session::SessionHandle;

/// Digits of the number in an automatic room's name.
const ROOM_DIGITS: usize = 8;

/// What a call wants of the session that it does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// To act in it.
    Act,
    /// To look at it.
    Read,
    /// Nothing that a new one has.
    Exists,
}

/// A session that the client has begun, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    room: String,
    key: String,
    /// Why it is gone, if it is.
    lost: Option<String>,
}

/// Which session is meant.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    /// The one of this key.
    Use(String),
    /// A new one.
    Make,
}

/// Decides which session is meant. `remembers` is false where each request is on its own.
fn choose(known: &[Known], had_one: bool, want: Want, remembers: bool) -> Result<Choice, Error> {
    match known {
        [] if want == Want::Act => Ok(Choice::Make),
        [] if !remembers => Err(Error::invalid_input("room_name is missing").hint(
            "This protocol keeps no conversation, so each call names its room. Call \
             start_browser_session with a room_name of your own, and name it from then on.",
        )),
        [] if want == Want::Read && !had_one => Ok(Choice::Make),
        [] => Err(
            Error::not_found("this conversation has no browser").hint(match had_one {
                true => {
                    "The one that it had is closed. Call start_browser_session to start another, or \
                     pass room_name."
                }
                false => "Call start_browser_session to start one, or pass room_name.",
            }),
        ),
        [one] => match &one.lost {
            None => Ok(Choice::Use(one.key.clone())),
            Some(why) => Err(Error::unavailable(format!(
                "the browser that you started in the room \"{}\" is lost: {why}",
                one.room
            ))
            .hint(format!(
                "Call start_browser_session with room_name \"{}\" to start it again, or pass another \
                 room_name.",
                one.room
            ))),
        },
        several => {
            let rooms: Vec<_> = several
                .iter()
                .map(|known| match known.lost {
                    None => format!("\"{}\"", known.room),
                    Some(_) => format!("\"{}\" (lost)", known.room),
                })
                .collect();
            Err(Error::invalid_input(format!(
                "room_name is missing, and you have started several browsers: {}",
                rooms.join(", ")
            ))
            .hint("Say which is meant by room_name."))
        }
    }
}

impl Call<'_> {
    /// The session that is meant: the one named, or the one that this client has begun. That
    /// the caller may is known: one whose token is not for one session reaches all.
    pub(super) async fn meant(
        &self,
        named: Option<&str>,
        want: Want,
    ) -> Result<SessionHandle, Error> {
        let manager = &self.server.doors.manager;
        // Whose token is for one session means that one.
        if let Some(name) = named.or_else(|| self.caller.scope().key()) {
            return manager.find(name).await;
        }
        let memory = &self.server.memory;
        let _deciding = memory.deciding.lock().await;
        let (begun, had_one) = memory.begun();
        let known: Vec<_> = begun.iter().map(|begun| self.known(begun)).collect();
        match choose(&known, had_one, want, self.remembers())? {
            Choice::Use(key) => manager.find(&key).await,
            Choice::Make => self.make().await,
        }
    }

    /// A session that this client has begun, as it is now.
    fn known(&self, begun: &Begun) -> Known {
        let lost = match self.server.doors.manager.record(&begun.key()) {
            Ok(record) if !record.state.is_dead() => None,
            Ok(record) => Some(why(&record)),
            Err(_) => Some("it is closed, or never came up".to_owned()),
        };
        Known {
            room: begun.room.as_str().to_owned(),
            key: begun.key(),
            lost,
        }
    }

    /// Starts a session that nobody asked for by name, and notes that the answer has to say so.
    async fn make(&self) -> Result<SessionHandle, Error> {
        let prefix = &self.server.doors.config.mcp.default_room;
        let number: String = SessionId::new()
            .to_string()
            .chars()
            .take(ROOM_DIGITS)
            .collect();
        let room = RoomName::parse(&format!("{prefix}-{number}"))?;
        let manager = &self.server.doors.manager;
        self.caller.may(Right::Control, manager, room.as_str())?;
        let begun = |session| Begun {
            room: room.clone(),
            session,
            is_automatic: self.remembers(),
        };
        match self.begin(SessionSpec::of(room.clone())).await? {
            Paced::Done(handle) => {
                let session = handle.record().session_id;
                self.server.memory.remember(begun(Some(session)));
                // A call makes one session at most.
                let _ = self.made.set(room.clone());
                Ok(handle)
            }
            Paced::Late => {
                self.server.memory.remember(begun(None));
                Err(Error::timeout(format!(
                    "a browser is just being started in the room \"{room}\""
                ))
                .hint("Try again in a moment, with that room_name."))
            }
            Paced::Cancelled => Err(cancelled()),
        }
    }

    /// Whether this client is known again at its next call: a stream is, and a request over HTTP
    /// that belongs to a conversation.
    fn remembers(&self) -> bool {
        let parts = self.context.extensions.get::<axum::http::request::Parts>();
        parts.is_none_or(|parts| parts.headers.contains_key("mcp-session-id"))
    }
}

/// Why a session is gone.
fn why(record: &SessionRecord) -> String {
    let reason = record.state_reason.as_deref().unwrap_or("it is closed");
    reason.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn known(room: &str, lost: Option<&str>) -> Known {
        Known {
            room: room.to_owned(),
            key: format!("key of {room}"),
            lost: lost.map(str::to_owned),
        }
    }

    fn refusal(known: &[Known], had_one: bool, want: Want, remembers: bool) -> String {
        let error = choose(known, had_one, want, remembers).expect_err("refused");
        error.in_full()
    }

    #[test]
    fn a_session_is_made_only_where_there_was_none() {
        for want in [Want::Act, Want::Read] {
            assert_eq!(choose(&[], false, want, true).unwrap(), Choice::Make);
        }
        assert_eq!(choose(&[], true, Want::Act, true).unwrap(), Choice::Make);
        assert!(refusal(&[], true, Want::Read, true).contains("closed"));
        assert!(refusal(&[], false, Want::Exists, true).contains("start_browser_session"));
    }

    #[test]
    fn the_one_that_was_started_is_meant() {
        for want in [Want::Act, Want::Read, Want::Exists] {
            let choice = choose(&[known("a", None)], true, want, true).unwrap();
            assert_eq!(choice, Choice::Use("key of a".to_owned()));
        }
    }

    #[test]
    fn one_that_was_lost_is_named_and_none_is_made_in_its_place() {
        let lost = [known("a", Some("The browser crashed"))];
        for want in [Want::Act, Want::Read, Want::Exists] {
            let words = refusal(&lost, true, want, true);
            assert!(
                words.contains("\"a\"") && words.contains("crashed"),
                "{words}"
            );
        }
        let error = choose(&lost, true, Want::Act, true).expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Unavailable);
    }

    #[test]
    fn several_are_named_and_none_is_guessed() {
        let several = [known("a", None), known("b", Some("gone"))];
        let words = refusal(&several, true, Want::Act, true);
        assert!(words.contains("\"a\", \"b\" (lost)"), "{words}");
        assert!(words.contains("room_name"), "{words}");
    }

    #[test]
    fn a_request_on_its_own_names_what_it_looks_at() {
        assert!(refusal(&[], false, Want::Read, false).contains("room_name"));
        assert_eq!(choose(&[], false, Want::Act, false).unwrap(), Choice::Make);
    }
}
