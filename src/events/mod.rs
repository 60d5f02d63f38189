//! The event bus: what happens in a room, numbered, kept for a while, and handed to whoever
//! listens.
//!
//! A room's bus outlives its sessions: a voice agent may listen before the session starts and
//! goes on listening when it is started again. Loss policy: the last events are kept in a
//! bounded ring for `since`; a subscriber that falls behind is told how many events it missed,
//! and slows nobody.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use crate::config;
use crate::error::Error;
use crate::model::{Event, EventBody, RoomName, UnixTime};

/// Rooms whose bus is kept at once; the oldest idle one makes way.
const ROOMS_MAX: usize = 1_024;

/// All rooms' buses.
#[derive(Debug, Clone)]
pub struct Bus {
    rooms: Arc<Mutex<HashMap<RoomName, Arc<Room>>>>,
    config: config::Events,
}

/// One event, serialised once for all subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its number in the room.
    pub seq: u64,
    /// Its type's wire name.
    pub type_name: &'static str,
    /// The JSON text.
    pub json: String,
}

/// One room's bus.
#[derive(Debug)]
pub struct Room {
    ring: Mutex<Ring>,
    sender: broadcast::Sender<Arc<Sent>>,
    connections: AtomicUsize,
    connections_max: usize,
}

#[derive(Debug)]
struct Ring {
    next_seq: u64,
    kept: VecDeque<Arc<Sent>>,
    kept_max: usize,
}

/// A subscription of one room; counts as a connection until dropped.
#[derive(Debug)]
pub struct Subscription {
    room: Arc<Room>,
    replay: VecDeque<Arc<Sent>>,
    live: broadcast::Receiver<Arc<Sent>>,
    missed: u64,
    /// The number of what was handed out or missed last.
    last_seq: u64,
}

/// What a subscriber gets next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// An event.
    Event(Arc<Sent>),
    /// Events were missed.
    Lagged {
        /// How many.
        missed: u64,
        /// The number of the last of them.
        seq: u64,
    },
}

impl Bus {
    /// A bus without rooms.
    pub fn new(config: config::Events) -> Self {
        Self {
            rooms: Arc::default(),
            config,
        }
    }

    /// The bus of a room, made on first use.
    pub fn room(&self, name: &RoomName) -> Result<Arc<Room>, Error> {
        let mut rooms = lock(&self.rooms);
        if let Some(room) = rooms.get(name) {
            return Ok(Arc::clone(room));
        }
        if rooms.len() >= ROOMS_MAX {
            let idle = rooms.iter().find(|(_, room)| Arc::strong_count(room) == 1);
            let idle = idle.map(|(name, _)| name.clone()).ok_or_else(|| {
                Error::exhausted("too many rooms are listened to").hint("Close some sockets.")
            })?;
            rooms.remove(&idle);
        }
        let room = Arc::new(Room {
            ring: Mutex::new(Ring {
                next_seq: 1,
                kept: VecDeque::new(),
                kept_max: self.config.replay_max.max(1),
            }),
            sender: broadcast::channel(self.config.queue_max.max(1)).0,
            connections: AtomicUsize::new(0),
            connections_max: self.config.sockets_per_room_max,
        });
        rooms.insert(name.clone(), Arc::clone(&room));
        Ok(room)
    }

    /// The connections of a room, without making its bus.
    pub fn connections(&self, name: &RoomName) -> usize {
        lock(&self.rooms)
            .get(name)
            .map_or(0, |room| room.connections())
    }
}

impl Room {
    /// Numbers an event and hands it to every subscriber.
    pub fn publish(&self, body: EventBody) {
        let type_name = body.type_name();
        metrics::counter!("ghostcast_events_total", "type" => type_name).increment(1);
        let mut ring = lock(&self.ring);
        let event = Event {
            body,
            timestamp: UnixTime::now(),
            seq: ring.next_seq,
        };
        let json = match serde_json::to_string(&event) {
            Ok(json) => json,
            Err(error) => {
                tracing::error!(%error, type_name, "an event could not be serialised");
                return;
            }
        };
        let sent = Arc::new(Sent {
            seq: event.seq,
            type_name,
            json,
        });
        ring.next_seq += 1;
        if ring.kept.len() == ring.kept_max {
            ring.kept.pop_front();
        }
        ring.kept.push_back(Arc::clone(&sent));
        // Sent under the lock, so that the order is the numbers' order. Nobody listening is fine.
        let _ = self.sender.send(sent);
    }

    /// Subscribes. With `since`, first come the kept events with a greater number; a number of a
    /// former run of the service, greater than any of this one, replays all that is kept.
    pub fn subscribe(self: &Arc<Self>, since: Option<u64>) -> Result<Subscription, Error> {
        if self.connections.fetch_add(1, Ordering::Relaxed) >= self.connections_max {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::exhausted("too many event sockets on this room")
                .hint("Close one, or raise events.sockets_per_room_max."));
        }
        let ring = lock(&self.ring);
        let (mut replay, mut missed) = (VecDeque::new(), 0);
        let mut last_seq = ring.next_seq.saturating_sub(1);
        if let Some(since) = since {
            let since = if since >= ring.next_seq { 0 } else { since };
            replay.extend(ring.kept.iter().filter(|event| event.seq > since).cloned());
            let first_kept = ring.kept.front().map_or(ring.next_seq, |event| event.seq);
            missed = first_kept.saturating_sub(since + 1);
            last_seq = since;
        }
        let live = self.sender.subscribe();
        drop(ring);
        Ok(Subscription {
            room: Arc::clone(self),
            replay,
            live,
            missed,
            last_seq,
        })
    }

    /// Subscribers of this room.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Subscription {
    /// What comes next; `None` when the bus is gone. Safe to cancel.
    pub async fn next(&mut self) -> Option<Next> {
        if self.missed > 0 {
            let missed = std::mem::take(&mut self.missed);
            return Some(self.lagged(missed));
        }
        if let Some(event) = self.replay.pop_front() {
            return Some(self.handed(event));
        }
        match self.live.recv().await {
            Ok(event) => Some(self.handed(event)),
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                metrics::counter!("ghostcast_events_lagged_total").increment(missed);
                Some(self.lagged(missed))
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    fn handed(&mut self, event: Arc<Sent>) -> Next {
        self.last_seq = event.seq;
        Next::Event(event)
    }

    fn lagged(&mut self, missed: u64) -> Next {
        self.last_seq += missed;
        let seq = self.last_seq;
        Next::Lagged { missed, seq }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.room.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Locks a mutex whose data stays valid whoever panicked while holding it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bus(replay_max: usize, queue_max: usize) -> Arc<Room> {
        let config = config::Events {
            replay_max,
            queue_max,
            ..config::Events::default()
        };
        Bus::new(config)
            .room(&RoomName::parse("demo").unwrap())
            .unwrap()
    }

    fn publish(room: &Room, count: usize) {
        for number in 0..count {
            room.publish(EventBody::PageNavigation {
                url: number.to_string(),
            });
        }
    }

    async fn numbers(subscription: &mut Subscription, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        for _ in 0..count {
            match subscription.next().await.unwrap() {
                Next::Event(event) => numbers.push(event.seq),
                Next::Lagged { missed, seq } => numbers.push(1_000 * missed + seq),
            }
        }
        numbers
    }

    #[tokio::test]
    async fn replay_then_live_without_gap_or_repeat() {
        let room = bus(100, 100);
        publish(&room, 5);
        let mut all = room.subscribe(Some(2)).unwrap();
        publish(&room, 2);
        assert_eq!(numbers(&mut all, 5).await, [3, 4, 5, 6, 7]);
        assert_eq!(room.connections(), 1);
        drop(all);
        assert_eq!(room.connections(), 0);
    }

    #[tokio::test]
    async fn what_is_lost_is_said() {
        let room = bus(3, 2);
        publish(&room, 10);
        let mut late = room.subscribe(Some(4)).unwrap();
        assert_eq!(numbers(&mut late, 4).await, [3_007, 8, 9, 10]);
        publish(&room, 5);
        assert_eq!(numbers(&mut late, 3).await, [3_013, 14, 15]);
        let mut from_another_run = room.subscribe(Some(9_999)).unwrap();
        assert_eq!(numbers(&mut from_another_run, 2).await, [12_012, 13]);
    }
}
