//! The event bus: what happens in a room, numbered, kept for a while, and handed to whoever
//! listens.
//!
//! A room's bus outlives its sessions: a voice agent may listen before the session starts and
//! goes on listening when it is started again. Loss policy: the last events of each class are kept
//! in a bounded ring for `since`; a subscriber that falls behind in a class is told how many events
//! of it are missing, and slows nobody.

mod class;
mod ring;
mod sent;
mod subscription;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use self::class::{CLASSES, Class};
use self::ring::Ring;
use self::subscription::Inbox;
use crate::config;
use crate::error::Error;
use crate::model::event::Origin;
use crate::model::ids::run_id;
use crate::model::{Event, EventBody, RoomName, SessionId, UnixTime};
use crate::refusals::{Limit, refused};

pub use sent::Sent;
pub use subscription::{Next, Since, Subscription, Types};

/// Rooms whose bus is kept at once; the oldest idle one makes way.
const ROOMS_MAX: usize = 1_024;

/// All rooms' buses.
#[derive(Debug, Clone)]
pub struct Bus {
    rooms: Arc<Mutex<HashMap<RoomName, Arc<Room>>>>,
    config: config::Events,
    /// Names this run of the service.
    run: Arc<str>,
    /// Rooms that there have been.
    count: Arc<AtomicU64>,
}

/// One room's bus.
#[derive(Debug)]
pub struct Room {
    state: Mutex<State>,
    config: config::Events,
    epoch: Arc<str>,
    /// Which one of the run's rooms it is.
    number: u64,
}

#[derive(Debug)]
struct State {
    next_seq: u64,
    rings: [Ring; CLASSES],
    inboxes: Vec<Arc<Inbox>>,
}

impl Bus {
    /// A bus without rooms.
    pub fn new(config: config::Events) -> Self {
        Self {
            rooms: Arc::default(),
            config,
            run: run_id().into(),
            count: Arc::default(),
        }
    }

    /// The bus of a session's room, made on first use. Those that only listen take no session's place.
    pub fn room(&self, name: &RoomName) -> Result<Arc<Room>, Error> {
        self.room_in(&mut lock(&self.rooms), name, usize::MAX)
    }

    /// Subscribes to a room. With `since`, first come the kept events with a greater number; a
    /// number of another epoch, or one greater than any of this one, replays all that is kept.
    pub fn subscribe(
        &self,
        name: &RoomName,
        from: &Since,
        types: Types,
    ) -> Result<Subscription, Error> {
        let mut rooms = lock(&self.rooms);
        let room = self.room_in(&mut rooms, name, ROOMS_MAX)?;
        room.subscribe(from, types)
    }

    /// Forgets what has happened in a room; and the room itself, if nobody listens.
    pub fn forget(&self, name: &RoomName) {
        let mut rooms = lock(&self.rooms);
        let Some(room) = rooms.get(name) else { return };
        if room.connections() == 0 {
            rooms.remove(name);
        } else {
            lock(&room.state).rings.iter_mut().for_each(Ring::clear);
        }
    }

    /// The connections of a room, without making its bus.
    pub fn connections(&self, name: &RoomName) -> usize {
        lock(&self.rooms)
            .get(name)
            .map_or(0, |room| room.connections())
    }

    fn room_in(
        &self,
        rooms: &mut HashMap<RoomName, Arc<Room>>,
        name: &RoomName,
        most: usize,
    ) -> Result<Arc<Room>, Error> {
        if let Some(room) = rooms.get(name) {
            return Ok(Arc::clone(room));
        }
        if rooms.len() >= ROOMS_MAX {
            let idle = rooms
                .iter()
                .filter(|(_, room)| Arc::strong_count(room) == 1);
            let oldest = idle.min_by_key(|(_, room)| room.number);
            match oldest.map(|(name, _)| name.clone()) {
                Some(oldest) => drop(rooms.remove(&oldest)),
                None if rooms.len() < most => (),
                None => {
                    let full = Error::exhausted("too many rooms are listened to")
                        .hint("Close some sockets.");
                    return Err(refused(Limit::EventRooms, full));
                }
            }
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let kept_max = self.config.replay_max;
        let room = Arc::new(Room {
            state: Mutex::new(State {
                next_seq: 1,
                rings: std::array::from_fn(|_| Ring::new(kept_max)),
                inboxes: Vec::new(),
            }),
            config: self.config.clone(),
            // A room that was forgotten counts from 1 again: its numbers are others'.
            epoch: format!("{}-{number}", self.run).into(),
            number,
        });
        rooms.insert(name.clone(), Arc::clone(&room));
        Ok(room)
    }
}

impl Room {
    /// Numbers an event and hands it to every subscriber.
    pub fn publish(&self, body: EventBody, origin: Origin) {
        let type_name = body.type_name();
        metrics::counter!("ghostcast_events_total", "type" => type_name).increment(1);
        let mut state = lock(&self.state);
        let event = Event {
            body,
            timestamp: UnixTime::now(),
            seq: state.next_seq,
        };
        let sent = Arc::new(Sent::new(event, origin, Arc::clone(&self.epoch)));
        state.next_seq += 1;
        // Left under the lock, so that the order is the numbers' order.
        for inbox in &state.inboxes {
            inbox.leave(&sent);
        }
        state.rings[Class::of(type_name).place()].push(sent);
    }

    /// The last events of a session, the oldest first. What its page's content does is left out, and so is
    /// all but the end of what it writes to its console: neither takes the place of what else happened.
    pub fn last_of(&self, session: SessionId, most: usize) -> Vec<Arc<Sent>> {
        let state = lock(&self.state);
        let mut last = Vec::new();
        for (place, ring) in state.rings.iter().enumerate() {
            let most = match place {
                place if place == Class::Changes.place() => 0,
                place if place == Class::Console.place() => most / 4,
                _ => most,
            };
            let own = ring
                .newest()
                .filter(|event| event.session_id() == Some(session));
            last.extend(own.take(most).cloned());
        }
        last.sort_by_key(|event| event.seq());
        last.split_off(last.len().saturating_sub(most))
    }

    /// Subscribers of this room.
    pub fn connections(&self) -> usize {
        lock(&self.state).inboxes.len()
    }

    /// Names this counting of the room's events.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    fn subscribe(self: &Arc<Self>, from: &Since, types: Types) -> Result<Subscription, Error> {
        let mut state = lock(&self.state);
        if state.inboxes.len() >= self.config.sockets_per_room_max {
            let full = Error::exhausted("too many event sockets on this room")
                .hint("Close one, or raise events.sockets_per_room_max.");
            return Err(refused(Limit::EventSockets, full));
        }
        let inbox = Arc::new(Inbox::new(types, self.config.queue_max));
        let replay = match from.seq {
            Some(since) => self.replay(&state, since, from.epoch.as_deref(), &inbox),
            None => VecDeque::new(),
        };
        state.inboxes.push(Arc::clone(&inbox));
        drop(state);
        Ok(Subscription::new(Arc::clone(self), inbox, replay))
    }

    /// What is kept after a number, and what is no longer kept, in order.
    fn replay(
        &self,
        state: &State,
        since: u64,
        epoch: Option<&str>,
        inbox: &Inbox,
    ) -> VecDeque<Next> {
        let is_ours = epoch.is_none_or(|epoch| epoch == &*self.epoch);
        let since = match is_ours && since < state.next_seq {
            true => since,
            false => 0,
        };
        let mut replay = Vec::new();
        for (place, ring) in state.rings.iter().enumerate() {
            if !inbox.wants_class(place) {
                continue;
            }
            let lagged = ring.missed_after(since).map(|(missed, seq)| {
                let epoch = None;
                (seq, Next::Lagged { missed, seq, epoch })
            });
            replay.extend(lagged);
            let kept = ring
                .after(since)
                .filter(|event| inbox.wants(event.type_name()));
            replay.extend(kept.map(|event| (event.seq(), Next::Event(Arc::clone(event)))));
        }
        replay.sort_by_key(|(seq, _)| *seq);
        let replay = replay.into_iter().map(|(_, next)| next);
        // Nobody knows how many there were: at least one is what makes it worth a look.
        let other_epoch = (!is_ours).then(|| Next::Lagged {
            missed: 1,
            seq: 1,
            epoch: Some(Arc::clone(&self.epoch)),
        });
        other_epoch.into_iter().chain(replay).collect()
    }

    fn leave(&self, inbox: &Arc<Inbox>) {
        lock(&self.state)
            .inboxes
            .retain(|other| !Arc::ptr_eq(other, inbox));
    }
}

/// Locks a mutex whose data stays valid whoever panicked while holding it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
