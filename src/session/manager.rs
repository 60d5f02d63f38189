//! [`Manager`]: rooms to sessions, admission, and shutdown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handle::SessionHandle;
use super::start::{self, Ground};
use crate::browser::Pool;
use crate::config::Config;
use crate::error::{Chain, Error};
use crate::events;
use crate::model::{RoomName, SessionId, SessionRecord, SessionSpec, SessionState};
use crate::publish::record::Shelf;
use crate::vision;

/// The pauses between attempts to start a browser ahead of need double from the one to the other.
const WARM_UP_AGAIN_MIN: Duration = Duration::from_secs(2);
const WARM_UP_AGAIN_MAX: Duration = Duration::from_secs(30);

/// All sessions of the service.
#[derive(Debug, Clone)]
pub struct Manager {
    ground: Ground,
    rooms: Arc<Mutex<HashMap<RoomName, Slot>>>,
}

/// What a room holds.
#[derive(Debug, Clone)]
enum Slot {
    /// A session is being started; nobody else may take the room.
    Starting(Box<SessionRecord>),
    /// A session, alive or dead.
    Held(SessionHandle),
}

impl Slot {
    fn record(&self) -> SessionRecord {
        match self {
            Self::Starting(record) => (**record).clone(),
            Self::Held(handle) => handle.record(),
        }
    }

    fn is_dead(&self) -> bool {
        matches!(self, Self::Held(handle) if handle.record.borrow().state.is_dead())
    }
}

/// Frees the room when its session could not be started.
struct Claim<'a> {
    manager: &'a Manager,
    room: &'a RoomName,
    is_kept: bool,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.manager.lock().remove(self.room);
        }
    }
}

impl Manager {
    /// A manager without sessions.
    pub fn new(
        config: Arc<Config>,
        pool: Pool,
        bus: events::Bus,
        tracker: TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        pool.own_addresses().add(config.server.listen);
        let vision = vision::Client::new(&config.vision);
        let ground = Ground {
            vision,
            shelf: start::shelf(&config.recording),
            config,
            pool,
            bus,
            tracker,
            cancel,
        };
        Self {
            ground,
            rooms: Arc::default(),
        }
    }

    /// Starts a session in a room that has none, or whose session is dead.
    pub async fn start(&self, mut spec: SessionSpec) -> Result<SessionHandle, Error> {
        spec.check()?;
        start::narrow(&self.ground.config.browser, &mut spec)?;
        start::check_livekit(&self.ground.config, &spec)?;
        start::policy(&self.ground.config, &spec, self.ground.pool.own_addresses())?;
        let record = start::first_record(&self.ground.config, &spec);
        let replaced = self.claim(&spec.room_name, &record)?;
        // Finished by a task of its own: a caller that hangs up leaves a whole session or none.
        let manager = self.clone();
        let starting = self
            .ground
            .tracker
            .spawn(async move { manager.start_claimed(spec, record, replaced).await });
        starting
            .await
            .map_err(|error| Error::internal("the session's start broke").source(error))?
    }

    async fn start_claimed(
        &self,
        spec: SessionSpec,
        record: SessionRecord,
        replaced: Option<SessionHandle>,
    ) -> Result<SessionHandle, Error> {
        let room = spec.room_name.clone();
        let mut claim = Claim {
            manager: self,
            room: &room,
            is_kept: false,
        };
        if let Some(dead) = replaced {
            dead.close().await;
        }
        let handle = start::start(self.ground.clone(), spec, record).await?;
        claim.is_kept = true;
        self.lock().insert(room.clone(), Slot::Held(handle.clone()));
        let sweeping = self.clone().sweep(handle.record.clone());
        self.ground.tracker.spawn(sweeping);
        metrics::gauge!("ghostcast_sessions").set(self.count_live() as f64);
        Ok(handle)
    }

    /// The session of a room, by the room's name or the session's id.
    pub fn find(&self, name: &str) -> Result<SessionHandle, Error> {
        match self.slot(name) {
            Some(Slot::Held(handle)) => Ok(handle),
            Some(Slot::Starting(_)) => {
                Err(Error::conflict("the session is still starting").hint("Try again in a moment."))
            }
            None => Err(no_session(name)),
        }
    }

    /// The record of a session, by the room's name or the session's id.
    pub fn record(&self, name: &str) -> Result<SessionRecord, Error> {
        self.slot(name)
            .map(|slot| self.complete(slot.record()))
            .ok_or_else(|| no_session(name))
    }

    /// The records of all sessions, oldest first.
    pub fn records(&self) -> Vec<SessionRecord> {
        let slots: Vec<Slot> = self.lock().values().cloned().collect();
        let mut records: Vec<_> = slots
            .iter()
            .map(|slot| self.complete(slot.record()))
            .collect();
        records.sort_by(|a, b| a.created_at.cmp(&b.created_at));
        records
    }

    /// Ends a session and frees its room; answers its last record.
    pub async fn close(&self, name: &str) -> Result<SessionRecord, Error> {
        let handle = self.find(name)?;
        handle.close().await;
        let mut record = handle.record();
        record.state = SessionState::Closed;
        {
            let mut rooms = self.lock();
            // The room may have been taken by a new session meanwhile.
            let same = rooms
                .get(&record.room_name)
                .is_some_and(|slot| slot.record().session_id == record.session_id);
            if same {
                rooms.remove(&record.room_name);
            }
        }
        metrics::gauge!("ghostcast_sessions").set(self.count_live() as f64);
        Ok(record)
    }

    /// Puts a session away that has failed, once there was time to see why, and what its room
    /// remembers.
    async fn sweep(self, mut record: watch::Receiver<SessionRecord>) {
        let cancel = self.ground.cancel.clone();
        let kept = self.ground.config.session.failed_kept();
        let sweeping = async {
            // Whoever writes the record may be gone, and leaves it as it is.
            let _ = record.wait_for(|record| record.state.is_dead()).await;
            if record.borrow().state != SessionState::Failed {
                return;
            }
            let closed = async {
                if record
                    .wait_for(|record| record.state != SessionState::Failed)
                    .await
                    .is_err()
                {
                    std::future::pending::<()>().await;
                }
            };
            if tokio::time::timeout(kept, closed).await.is_ok() {
                return;
            }
            let (id, room) = {
                let record = record.borrow();
                (record.session_id, record.room_name.clone())
            };
            // It may have made way for another one.
            if self.close(&id.to_string()).await.is_ok() {
                tracing::info!(%room, %id, "a failed session is put away");
                let rooms = self.lock();
                if !rooms.contains_key(&room) {
                    self.ground.bus.forget(&room);
                }
            }
        };
        cancel.run_until_cancelled(sweeping).await;
    }

    /// The room that a path means: its name, or the room of the session with that id.
    pub fn room(&self, name: &str) -> Result<RoomName, Error> {
        match self.slot(name) {
            Some(slot) => Ok(slot.record().room_name),
            None => RoomName::parse(name),
        }
    }

    /// The recordings.
    pub fn shelf(&self) -> &Shelf {
        &self.ground.shelf
    }

    /// The event bus.
    pub fn bus(&self) -> &events::Bus {
        &self.ground.bus
    }

    /// Sessions that are not dead.
    pub fn count_live(&self) -> usize {
        self.lock().values().filter(|slot| !slot.is_dead()).count()
    }

    /// Ends every session and every browser.
    pub async fn shut_down(&self) {
        let handles: Vec<SessionHandle> = self
            .lock()
            .drain()
            .filter_map(|(_, slot)| match slot {
                Slot::Held(handle) => Some(handle),
                Slot::Starting(_) => None,
            })
            .collect();
        join_all(handles.iter().map(SessionHandle::close)).await;
        self.ground.cancel.cancel();
        self.ground.pool.shut_down();
    }

    /// Why no browser can be started, as far as is known.
    pub fn browser_problem(&self) -> Option<String> {
        self.ground.pool.problem()
    }

    /// Starts a browser ahead of need, or finds out why none can be started: then it is tried again,
    /// so that the service is known to be well once the cause is gone.
    pub async fn warm_up(&self) {
        let pool = &self.ground.pool;
        let mut pause = WARM_UP_AGAIN_MIN;
        loop {
            let outcome = if self.ground.config.browser.keep_warm {
                pool.warm_up().await
            } else {
                pool.check()
            };
            let Err(error) = outcome else { return };
            tracing::warn!(error = %Chain(&error), "no browser can be started");
            let paused = tokio::time::sleep(pause);
            if self
                .ground
                .cancel
                .run_until_cancelled(paused)
                .await
                .is_none()
            {
                return;
            }
            pause = (pause * 2).min(WARM_UP_AGAIN_MAX);
        }
    }

    /// Takes a room for a new session; answers the dead one that it replaces.
    fn claim(
        &self,
        room: &RoomName,
        record: &SessionRecord,
    ) -> Result<Option<SessionHandle>, Error> {
        let mut rooms = self.lock();
        let live = rooms.values().filter(|slot| !slot.is_dead()).count();
        let occupant = rooms.get(room);
        if let Some(slot) = occupant
            && !slot.is_dead()
        {
            let hint = if slot.record().livekit.is_lost() {
                "LiveKit is lost to it: recover it, or close it and start again."
            } else {
                "Use it, close it first, or choose another room."
            };
            return Err(
                Error::conflict(format!("room \"{room}\" has a session already")).hint(hint),
            );
        }
        let count_max = self.ground.config.session.count_max;
        if live >= count_max {
            return Err(
                Error::exhausted(format!("{live} sessions run already")).hint(format!(
                    "Close one, or raise session.count_max (now {count_max})."
                )),
            );
        }
        let dead = match occupant {
            Some(Slot::Held(handle)) => Some(handle.clone()),
            _ => None,
        };
        rooms.insert(room.clone(), Slot::Starting(Box::new(record.clone())));
        Ok(dead)
    }

    fn slot(&self, name: &str) -> Option<Slot> {
        let rooms = self.lock();
        if let Some(id) = SessionId::parse(name) {
            let by_id = rooms.values().find(|slot| slot.record().session_id == id);
            if let Some(slot) = by_id {
                return Some(slot.clone());
            }
        }
        rooms
            .iter()
            .find(|(room, _)| room.as_str() == name)
            .map(|(_, slot)| slot.clone())
    }

    /// Adds what only the service knows.
    fn complete(&self, mut record: SessionRecord) -> SessionRecord {
        let connections = self.ground.bus.connections(&record.room_name);
        record.connections = u32::try_from(connections).unwrap_or(u32::MAX);
        record
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RoomName, Slot>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_session(name: &str) -> Error {
    let shown: String = name.chars().take(64).collect();
    Error::not_found(format!("there is no session \"{shown}\""))
        .hint("Start one on this room first, or list those there are.")
}
