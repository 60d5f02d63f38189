//! One encode, many publishers.
//!
//! [`Fanout`] is the writing end, owned by the studio's thread; each publisher holds a [`Feed`],
//! a bounded ring of shared access units. Loss policy: a publisher that falls behind skips to
//! the next keyframe and asks for one; a delta is never dropped from the middle of what is
//! sent, and nobody waits for a slow publisher.
//!
//! While somebody has the page to themselves, a veil lies over the picture: the feeds named are theirs, and all
//! others get the units of a still card instead. Whoever changes from one to the other begins with a keyframe.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::media::AccessUnit;

/// Access units a publisher to viewers may lag behind: half a second at 60 pictures a second, after which
/// its viewers are better served by a fresh keyframe.
pub const RING_UNITS_MAX: usize = 32;

/// Names one feed of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FeedId(u64);

/// What publishers tell the studio. Implementations must not block: it is called from network
/// tasks.
pub trait Feedback: Send + Sync + std::fmt::Debug {
    /// Somebody needs a keyframe. Coalesced and rate-limited by the studio.
    fn request_keyframe(&self);
    /// The bits a second that this feed's path carries, or `None` when it knows nothing.
    fn set_bandwidth(&self, feed: FeedId, bits_per_second: Option<u64>);
    /// Whether anybody watches by this feed. A new feed counts as not watched.
    fn set_watched(&self, feed: FeedId, watched: bool);
    /// The feed is gone.
    fn remove(&self, feed: FeedId);
}

/// The reading end of one publisher.
#[derive(Debug)]
pub struct Feed {
    id: FeedId,
    units: mpsc::Receiver<Arc<AccessUnit>>,
    feedback: Arc<dyn Feedback>,
    dropped: Arc<AtomicU64>,
}

/// The writing end, one per session.
#[derive(Debug, Default)]
pub struct Fanout {
    sinks: Vec<Sink>,
    next_id: u64,
    /// The feeds that alone are given the picture.
    veil: Option<HashSet<FeedId>>,
}

#[derive(Debug)]
struct Sink {
    id: FeedId,
    units: mpsc::Sender<Arc<AccessUnit>>,
    awaits_keyframe: bool,
    dropped: Arc<AtomicU64>,
}

/// What became of one access unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Publishers that took it.
    pub delivered: usize,
    /// Publishers that had to skip it.
    pub dropped: usize,
    /// Whether a publisher needs a keyframe to go on.
    pub keyframe_needed: bool,
}

impl Fanout {
    /// Adds a publisher to viewers. Its first access unit will be a keyframe.
    pub fn subscribe(&mut self, feedback: Arc<dyn Feedback>) -> Feed {
        self.subscribe_deep(feedback, RING_UNITS_MAX)
    }

    /// Adds a publisher that may lag `units_max` access units behind.
    pub fn subscribe_deep(&mut self, feedback: Arc<dyn Feedback>, units_max: usize) -> Feed {
        self.next_id += 1;
        let id = FeedId(self.next_id);
        let (sender, units) = mpsc::channel(units_max);
        let dropped = Arc::new(AtomicU64::new(0));
        self.sinks.push(Sink {
            id,
            units: sender,
            awaits_keyframe: true,
            dropped: Arc::clone(&dropped),
        });
        Feed {
            id,
            units,
            feedback,
            dropped,
        }
    }

    /// Removes a publisher.
    pub fn unsubscribe(&mut self, id: FeedId) {
        self.sinks.retain(|sink| sink.id != id);
    }

    /// Gives the picture to these feeds alone, or to all again.
    pub fn veil(&mut self, own: Option<HashSet<FeedId>>) {
        let before = std::mem::replace(&mut self.veil, own);
        for sink in &mut self.sinks {
            sink.awaits_keyframe |=
                sees(before.as_ref(), sink.id) != sees(self.veil.as_ref(), sink.id);
        }
    }

    /// Hands one access unit of the picture to every publisher that may have it and can take it.
    pub fn send(&mut self, unit: &Arc<AccessUnit>) -> Delivery {
        self.hand_out(unit, true)
    }

    /// Hands one access unit of the card to every publisher that may not have the picture.
    pub fn send_card(&mut self, unit: &Arc<AccessUnit>) -> Delivery {
        self.hand_out(unit, false)
    }

    fn hand_out(&mut self, unit: &Arc<AccessUnit>, is_picture: bool) -> Delivery {
        let mut delivery = Delivery::default();
        self.sinks.retain(|sink| !sink.units.is_closed());
        let veil = self.veil.as_ref();
        let meant = self.sinks.iter_mut();
        for sink in meant.filter(|sink| sees(veil, sink.id) == is_picture) {
            if sink.take(unit) {
                delivery.delivered += 1;
            } else {
                delivery.dropped += 1;
                delivery.keyframe_needed = true;
            }
        }
        delivery
    }
}

/// Whether a feed is given the picture.
fn sees(veil: Option<&HashSet<FeedId>>, feed: FeedId) -> bool {
    veil.is_none_or(|own| own.contains(&feed))
}

impl Sink {
    fn take(&mut self, unit: &Arc<AccessUnit>) -> bool {
        let follows = !self.awaits_keyframe || unit.keyframe;
        let sent = follows && self.units.try_send(Arc::clone(unit)).is_ok();
        self.awaits_keyframe = !sent;
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        sent
    }
}

impl Feed {
    /// Its name, for [`Feedback`].
    pub fn id(&self) -> FeedId {
        self.id
    }

    /// The next access unit; `None` once the session is over. Safe to cancel.
    pub async fn next(&mut self) -> Option<Arc<AccessUnit>> {
        self.units.recv().await
    }

    /// The next access unit that is there already.
    pub fn try_next(&mut self) -> Option<Arc<AccessUnit>> {
        self.units.try_recv().ok()
    }

    /// Asks for a keyframe.
    pub fn request_keyframe(&self) {
        self.feedback.request_keyframe();
    }

    /// Tells the bits a second that the path to the viewers carries.
    pub fn set_bandwidth(&self, bits_per_second: Option<u64>) {
        self.feedback.set_bandwidth(self.id, bits_per_second);
    }

    /// Tells whether anybody watches.
    pub fn set_watched(&self, watched: bool) {
        self.feedback.set_watched(self.id, watched);
    }

    /// Access units this publisher had to skip so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.feedback.remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[derive(Debug, Default)]
    struct Ignore;

    impl Feedback for Ignore {
        fn request_keyframe(&self) {}
        fn set_bandwidth(&self, _: FeedId, _: Option<u64>) {}
        fn set_watched(&self, _: FeedId, _: bool) {}
        fn remove(&self, _: FeedId) {}
    }

    fn unit(keyframe: bool) -> Arc<AccessUnit> {
        Arc::new(AccessUnit {
            data: Vec::new().into(),
            keyframe,
            made_at: Instant::now(),
        })
    }

    #[test]
    fn a_slow_publisher_skips_to_the_next_keyframe_and_disturbs_nobody() {
        let mut fanout = Fanout::default();
        let mut slow = fanout.subscribe(Arc::new(Ignore));
        let mut quick = fanout.subscribe(Arc::new(Ignore));
        assert_eq!(
            fanout.send(&unit(false)).delivered,
            0,
            "the first unit is a keyframe"
        );
        fanout.send(&unit(true));
        assert!(quick.units.try_recv().is_ok());
        for _ in 1..RING_UNITS_MAX {
            assert_eq!(fanout.send(&unit(false)).dropped, 0);
            assert!(quick.units.try_recv().is_ok());
        }
        let full = fanout.send(&unit(false));
        assert_eq!(
            (full.delivered, full.dropped, full.keyframe_needed),
            (1, 1, true)
        );
        while slow.units.try_recv().is_ok() {}
        assert_eq!(fanout.send(&unit(false)).dropped, 1, "no delta after a gap");
        assert_eq!(fanout.send(&unit(true)).dropped, 0);
        assert!(slow.units.try_recv().unwrap().keyframe);
        assert_eq!(slow.dropped(), 3);
    }

    #[test]
    fn behind_a_veil_each_gets_its_own_and_begins_with_a_keyframe() {
        let mut fanout = Fanout::default();
        let mut driver = fanout.subscribe(Arc::new(Ignore));
        let mut other = fanout.subscribe(Arc::new(Ignore));
        fanout.send(&unit(true));
        let drain = |feed: &mut Feed| std::iter::from_fn(|| feed.try_next()).count();
        assert_eq!((drain(&mut driver), drain(&mut other)), (1, 1));
        assert_eq!(fanout.send_card(&unit(true)), Delivery::default());
        fanout.veil(Some(HashSet::from([driver.id()])));
        fanout.send(&unit(false));
        assert_eq!((drain(&mut driver), drain(&mut other)), (1, 0));
        let late = fanout.send_card(&unit(false));
        assert!(late.keyframe_needed, "a card's first unit is a keyframe");
        fanout.send_card(&unit(true));
        let mut joined = fanout.subscribe(Arc::new(Ignore));
        fanout.send(&unit(true));
        assert_eq!(
            [drain(&mut driver), drain(&mut other), drain(&mut joined)],
            [1, 1, 0]
        );
        fanout.veil(None);
        assert_eq!(fanout.send(&unit(false)).delivered, 1, "the driver goes on");
        assert_eq!(fanout.send(&unit(true)).delivered, 3);
    }
}
