//! What becomes of sessions that are kept: started again, put away, cleaned up.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::Manager;
use super::manager::at_rest;
use super::slots::Slot;
use crate::browser::Profile;
use crate::error::{Chain, Error, ErrorKind};
use crate::model::event::Origin;
use crate::model::ids::is_services;
use crate::model::{
    BrowserWish, End, EndReason, EventBody, Kept, RoomName, SessionId, SessionName, SessionRecord,
    SessionSpec, SessionState, UnixTime,
};

/// A lost browser of a kept session is started again so many times, within
const RESTARTS_MAX: usize = 3;
/// this time; then it stays failed.
const RESTARTS_WITHIN: Duration = Duration::from_mins(10);

/// Which of the sessions that are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Each.
    All,
    /// Those that a remote browser serves where none of this machine can run.
    Away,
}

/// Whether the service works with a session by itself.
pub(super) fn is_own(record: &SessionRecord) -> bool {
    let name = record.session_name.as_ref();
    name.is_some_and(|name| is_services(name.as_str()))
}

impl Manager {
    /// Closes the sessions that nothing has happened in for so long, or says which they are; answers
    /// them, and how many others there are.
    pub async fn clean_up(
        &self,
        unused_for: Duration,
        is_dry: bool,
    ) -> Result<(Vec<SessionRecord>, usize), Error> {
        let before = UnixTime::now().minus(unused_for).to_iso8601();
        let (old, young): (Vec<_>, Vec<_>) = self.records().into_iter().partition(|record| {
            // Of one form, so that the earlier one is the smaller.
            let is_old = record.state != SessionState::Starting && record.last_activity < before;
            // The login in it is forgotten with its connection.
            is_old && !is_own(record)
        });
        if is_dry {
            return Ok((old, young.len()));
        }
        let (mut closed, mut kept) = (Vec::new(), young.len());
        let hours = unused_for.as_secs_f64() / 3_600.0;
        let end = End::new(
            EndReason::Cleanup,
            format!("cleaned up: nothing had happened in it for {hours:.1} h"),
        );
        for record in old {
            let id = record.session_id.to_string();
            // Somebody may use it by now.
            if self
                .record(&id)
                .is_ok_and(|now| now.last_activity >= before)
            {
                kept += 1;
                continue;
            }
            match self.close_for(&id, &end).await {
                Ok(record) => closed.push(record),
                // Somebody else was faster.
                Err(error) if error.kind == ErrorKind::NotFound => (),
                Err(error) => {
                    tracing::warn!(%error, %id, "an old session could not be closed");
                    kept += 1;
                }
            }
        }
        Ok((closed, kept))
    }

    /// Deletes the profile of a session that is closed, and its contexts of remote browsers.
    pub async fn delete_profile(&self, name: &SessionName) -> Result<(), Error> {
        let path = self.means.registry.profile(name);
        let deleting = tokio::task::spawn_blocking(move || Profile::delete(&path));
        let deleted = deleting
            .await
            .map_err(|error| Error::internal("the profile's deletion broke").source(error))?;
        let contexts = deleted.map_err(|error| {
            Error::unavailable(format!(
                "the profile of \"{name}\" cannot be deleted: {error}"
            ))
            .hint("Close the session that uses it, and try again.")
        })?;
        self.means.remote.drop_contexts(contexts).await;
        Ok(())
    }

    /// Puts a kept session away: its browser ends, and it comes back as it was when it is used. Answers whether
    /// there was one to put away.
    pub async fn put_to_rest(&self, key: &str, why: &str) -> bool {
        self.rest(key, &End::new(EndReason::Closed, why.to_owned()))
            .await
    }

    /// Puts a kept session away that has failed: it is stored, and comes back when it is used.
    pub(super) async fn rest(&self, id: &str, end: &End) -> bool {
        let Ok(handle) = self.held(id) else {
            return false;
        };
        // What it did in its last moment is not written down yet.
        handle.keep();
        let Some(kept) = handle.kept() else {
            return false;
        };
        handle.close_for(end).await;
        // A registry that cannot be written has been told of.
        let _ = handle.keeping.put_away(&end.detail).await;
        handle.logbook.written().await;
        let mut slots = self.lock();
        if slots.remove_held(&handle) {
            slots.store(at_rest(kept, Some(&end.detail)));
        }
        true
    }

    /// Starts the sessions that are stored, one after the other, those that were used last first, for as
    /// many as there is room for.
    pub async fn start_stored(&self, which: Which) {
        let mut stored = self.stored(which);
        stored.sort_by(|a, b| b.last_activity.cmp(&a.last_activity));
        for name in stored.into_iter().filter_map(|record| record.session_name) {
            match self.open_boxed(SessionSpec::named(name.clone())).await {
                Ok(_) => tracing::info!(%name, "a stored session is started again"),
                Err(error) if error.kind == ErrorKind::Exhausted => {
                    tracing::warn!(%error, "the other stored sessions stay stored");
                    return;
                }
                Err(error) => {
                    tracing::warn!(%name, error = %Chain(&error), "a stored session cannot be started");
                }
            }
        }
    }

    fn stored(&self, which: Which) -> Vec<SessionRecord> {
        let usual = self.means.config.now().remote.browser;
        let has_remote = self.means.remote.is_configured();
        let is_away =
            |kept: &Kept| has_remote && kept.spec.browser.unwrap_or(usual) != BrowserWish::Local;
        let slots = self.lock();
        let stored = slots.all().filter_map(|slot| match slot {
            Slot::Stored(kept) if which == Which::All || is_away(kept) => Some(kept.record.clone()),
            _ => None,
        });
        stored.collect()
    }

    /// Tells that a session whose browser could not be started again is stored.
    pub(super) fn tell_stored(&self, channel: &RoomName, id: SessionId, error: &Error) {
        let body = EventBody::StreamState {
            state: SessionState::Stored.as_str(),
            reason: format!("its browser cannot be started again: {error}"),
            quality: None,
        };
        self.tell(channel, id, body);
    }

    /// Tells what happens to a session, where that is not for its actor to tell.
    pub(super) fn tell(&self, channel: &RoomName, id: SessionId, body: EventBody) {
        let origin = Origin {
            session_id: Some(id),
            ..Origin::default()
        };
        match self.means.bus.room(channel) {
            Ok(room) => room.publish(body, origin),
            Err(error) => tracing::debug!(%error, "nobody can be told of a session"),
        }
    }

    /// Forgets how often a session was started again, which is no more.
    pub(super) fn forget_restarts(&self, id: SessionId) {
        let restarts = self.restarts.lock();
        restarts.unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Starts a kept session again whose browser was lost, on its profile and its page, unless that has
    /// been tried too often; an error says why it is not there again.
    pub(super) async fn start_again(&self, lost: &SessionRecord) -> Result<(), String> {
        let Some(name) = lost.session_name.clone() else {
            return Err("a session without a name is not started again".to_owned());
        };
        {
            let mut restarts = self.restarts.lock().unwrap_or_else(PoisonError::into_inner);
            let times = restarts.entry(lost.session_id).or_default();
            times.retain(|time| time.elapsed() < RESTARTS_WITHIN);
            if times.len() >= RESTARTS_MAX {
                tracing::warn!(%name, "its browser was lost too often; it stays failed");
                return Err(format!(
                    "its browser was lost {} times within {} minutes, and is started again only when the \
                     session is used",
                    RESTARTS_MAX + 1,
                    RESTARTS_WITHIN.as_secs() / 60
                ));
            }
            times.push(Instant::now());
        }
        match self.open_boxed(SessionSpec::named(name.clone())).await {
            Ok(_) => {
                tracing::info!(%name, "a kept session's browser is started again");
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%name, error = %Chain(&error), "a lost browser cannot be started again");
                Err(format!("its browser cannot be started again: {error}"))
            }
        }
    }
}
