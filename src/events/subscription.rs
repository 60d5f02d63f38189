//! [`Subscription`]: what one subscriber has still to hear.
//!
//! A queue for each class, each with the bound of its own, and the loss counted where it happens;
//! what comes out is in the order of the numbers all the same.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::class::{CLASSES, Class};
use super::sent::Sent;
use super::{Room, lock};

/// The types that a subscriber wants; `None` for all.
pub type Types = Option<HashSet<&'static str>>;

/// Where a subscriber goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Since {
    /// The number after which the kept events are replayed; without it only new ones come.
    pub seq: Option<u64>,
    /// The epoch that the number is of, if the subscriber knows it.
    pub epoch: Option<String>,
}

/// A subscription of one room; counts as a connection until dropped.
#[derive(Debug)]
pub struct Subscription {
    room: Arc<Room>,
    inbox: Arc<Inbox>,
    /// What came before the present, in order.
    replay: VecDeque<Next>,
}

/// What a subscriber gets next.
#[derive(Debug, Clone)]
pub enum Next {
    /// An event.
    Event(Arc<Sent>),
    /// Events were missed.
    Lagged {
        /// How many.
        missed: u64,
        /// The number of the last of them.
        seq: u64,
        /// The room's epoch, when the number asked for was of another one: then `missed` is only
        /// the least.
        epoch: Option<Arc<str>>,
    },
}

/// What the room leaves for a subscriber.
#[derive(Debug)]
pub(super) struct Inbox {
    types: Types,
    queue_max: usize,
    queues: Mutex<[Queue; CLASSES]>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Arc<Sent>>,
    missed: u64,
    /// The number of what was missed last.
    missed_seq: u64,
}

impl Inbox {
    pub(super) fn new(types: Types, queue_max: usize) -> Self {
        Self {
            types,
            queue_max: queue_max.max(1),
            queues: Mutex::default(),
            bell: Notify::new(),
        }
    }

    /// Whether the subscriber hears of this type.
    pub(super) fn wants(&self, type_name: &str) -> bool {
        let types = self.types.as_ref();
        types.is_none_or(|types| types.contains(type_name))
    }

    /// Whether the subscriber hears of any type of the class with this place.
    pub(super) fn wants_class(&self, place: usize) -> bool {
        let types = self.types.as_ref();
        types.is_none_or(|types| types.iter().any(|name| Class::of(name).place() == place))
    }

    pub(super) fn leave(&self, event: &Arc<Sent>) {
        if !self.wants(event.type_name()) {
            return;
        }
        {
            let mut queues = lock(&self.queues);
            let queue = &mut queues[Class::of(event.type_name()).place()];
            if queue.events.len() == self.queue_max
                && let Some(oldest) = queue.events.pop_front()
            {
                queue.missed += 1;
                queue.missed_seq = oldest.seq();
                metrics::counter!("ghostcast_events_lagged_total").increment(1);
            }
            queue.events.push_back(Arc::clone(event));
        }
        self.bell.notify_one();
    }

    /// What has the smallest number of all that waits.
    fn take(&self) -> Option<Next> {
        let mut queues = lock(&self.queues);
        let first = queues.iter_mut().filter_map(|queue| {
            let seq = match queue.missed {
                0 => queue.events.front()?.seq(),
                _ => queue.missed_seq,
            };
            Some((seq, queue))
        });
        let (seq, queue) = first.min_by_key(|(seq, _)| *seq)?;
        match std::mem::take(&mut queue.missed) {
            0 => queue.events.pop_front().map(Next::Event),
            missed => Some(Next::Lagged {
                missed,
                seq,
                epoch: None,
            }),
        }
    }
}

impl Subscription {
    pub(super) fn new(room: Arc<Room>, inbox: Arc<Inbox>, replay: VecDeque<Next>) -> Self {
        Self {
            room,
            inbox,
            replay,
        }
    }

    /// What comes next. Safe to cancel.
    pub async fn next(&mut self) -> Next {
        if let Some(next) = self.replay.pop_front() {
            return next;
        }
        loop {
            if let Some(next) = self.inbox.take() {
                return next;
            }
            self.inbox.bell.notified().await;
        }
    }

    /// Names this counting of the room's events: another one after a restart of the service.
    pub fn epoch(&self) -> &str {
        self.room.epoch()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.room.leave(&self.inbox);
    }
}
