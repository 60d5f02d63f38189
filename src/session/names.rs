//! What a session is called: every name that it can be asked for by.

use super::manager::Manager;
use super::slots::Slot;
use crate::model::{EndedSession, RoomName, SessionId, SessionName, SessionRecord};

/// The names of a session: its id, its own name and its room.
pub fn names(record: &SessionRecord) -> Vec<String> {
    all(
        record.session_id,
        record.session_name.as_ref(),
        record.room_name.as_ref(),
    )
}

/// The same of a session that has ended.
pub fn names_of_ended(ended: &EndedSession) -> Vec<String> {
    all(
        ended.session_id,
        ended.session_name.as_ref(),
        ended.room_name.as_ref(),
    )
}

fn all(id: SessionId, name: Option<&SessionName>, room: Option<&RoomName>) -> Vec<String> {
    let name = name.map(|it| it.as_str().to_owned());
    let room = room.map(|it| it.as_str().to_owned());
    let id = std::iter::once(id.to_string());
    id.chain(name).chain(room).collect()
}

impl Manager {
    /// The names of the session that is asked for by this one; this one alone where there is no such
    /// session.
    pub fn names(&self, key: &str) -> Vec<String> {
        let slots = self.lock();
        let found = slots.get(key).map(|slot: &Slot| slot.with(names));
        found.unwrap_or_else(|| vec![key.to_owned()])
    }

    /// The names of the session that is recorded in this file, one that has ended too.
    pub async fn names_of_recording(&self, file: &str) -> Vec<String> {
        let named = |record: &SessionRecord| {
            let recording = record.recording.as_ref()?;
            (recording.file == file).then(|| names(record))
        };
        let found = self.lock().all().find_map(|slot| match slot {
            Slot::Held(handle) if handle.logbook.has_recorded(file) => Some(slot.with(names)),
            slot => slot.with(named),
        });
        if let Some(found) = found {
            return found;
        }
        // A registry that cannot be read has been told of.
        let ended = self.ended().await.unwrap_or_default().into_iter();
        let mut of_ended = ended.filter(|(ended, _)| {
            let mut recordings = ended.recordings.iter();
            recordings.any(|recording| recording.file == file)
        });
        of_ended
            .next()
            .map(|(ended, _)| names_of_ended(&ended))
            .unwrap_or_default()
    }
}
