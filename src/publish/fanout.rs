//! One encode, many publishers.
//!
//! [`Fanout`] is the writing end, owned by the studio's thread; each publisher holds a [`Feed`],
//! a bounded ring of shared access units. Loss policy: a publisher that falls behind skips to
//! the next keyframe and asks for one; a delta is never dropped from the middle of what is
//! sent, and nobody waits for a slow publisher.
//!
//! A picture comes in two layers. A feed is given one of them, and goes over to the other with its next
//! keyframe; or each of those that it asks for, side by side.
//!
//! While somebody has the page to themselves, a veil lies over the picture: the feeds named are theirs, and all
//! others get the units of a still card instead. Whoever changes from one to the other begins with a keyframe.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::media::{AccessUnit, Layer};
use crate::rtc::Carries;

/// Access units a publisher to viewers may lag behind: half a second at 60 pictures a second, after which
/// its viewers are better served by a fresh keyframe.
pub const RING_UNITS_MAX: usize = 32;

/// Names one feed of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FeedId(u64);

/// What somebody who has a feed asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wants {
    /// Nothing: nobody watches. A new feed begins so.
    #[default]
    Nothing,
    /// The layer that its path carries.
    Either,
    /// The full layer, as good as it comes.
    Full,
    /// Each of these, side by side, of the full one what the path carries.
    Each {
        /// Whether the full one.
        full: bool,
        /// Whether the low one.
        low: bool,
    },
    /// Nobody has said so yet: both, so that they are known.
    Unsaid,
}

/// The layers that a feed is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// This one; another one from its next keyframe on.
    One(Layer),
    /// Each of these.
    Each {
        /// Whether the full one.
        full: bool,
        /// Whether the low one.
        low: bool,
    },
}

impl Takes {
    /// What a feed is given that wants this, whose path carries the full layer or only the low one.
    pub const fn of(wants: Wants, carried: Layer) -> Self {
        match (wants, carried) {
            (Wants::Either, carried) => Self::One(carried),
            (Wants::Nothing | Wants::Full, _) => Self::One(Layer::Full),
            (Wants::Each { full, low }, Layer::Full) => Self::Each { full, low },
            (Wants::Unsaid, Layer::Full) => Self::Each {
                full: true,
                low: true,
            },
            (Wants::Each { .. } | Wants::Unsaid, Layer::Low) => Self::Each {
                full: false,
                low: true,
            },
        }
    }

    /// Whether this layer is among them.
    pub fn has(self, layer: Layer) -> bool {
        match (self, layer) {
            (Self::One(one), layer) => one == layer,
            (Self::Each { full, .. }, Layer::Full) => full,
            (Self::Each { low, .. }, Layer::Low) => low,
        }
    }
}

/// What publishers tell the studio. Implementations must not block: it is called from network
/// tasks.
pub trait Feedback: Send + Sync + std::fmt::Debug {
    /// Somebody needs a keyframe of a layer; of the one that the feed is given where it does not say.
    /// Coalesced and rate-limited by the studio.
    fn request_keyframe(&self, feed: FeedId, layer: Option<Layer>);
    /// What this feed's path carries.
    fn set_bandwidth(&self, feed: FeedId, carries: Carries);
    /// What those who watch by this feed ask for.
    fn set_wants(&self, feed: FeedId, wants: Wants);
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
    takes: Takes,
    /// The layer that it goes over to with its next keyframe.
    next: Option<Layer>,
    /// Of the full layer and of the low one.
    awaits_keyframe: [bool; 2],
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
            takes: Takes::One(Layer::Full),
            next: None,
            awaits_keyframe: [true; 2],
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

    /// Gives a feed these layers. Answers which of them it needs a keyframe of.
    pub fn give(&mut self, id: FeedId, takes: Takes) -> Vec<Layer> {
        let sink = self.sinks.iter_mut().find(|sink| sink.id == id);
        sink.map_or_else(Vec::new, |sink| sink.give(takes))
    }

    /// Gives the picture to these feeds alone, or to all again.
    pub fn veil(&mut self, own: Option<HashSet<FeedId>>) {
        let before = std::mem::replace(&mut self.veil, own);
        for sink in &mut self.sinks {
            if sees(before.as_ref(), sink.id) != sees(self.veil.as_ref(), sink.id) {
                sink.awaits_keyframe = [true; 2];
            }
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
            match sink.take(unit, is_picture) {
                Some(true) => delivery.delivered += 1,
                Some(false) => {
                    delivery.dropped += 1;
                    delivery.keyframe_needed = true;
                }
                None => {}
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
    fn give(&mut self, takes: Takes) -> Vec<Layer> {
        let is_given = |sink: &Self, layer| match sink.next {
            Some(next) => next == layer,
            None => sink.takes.has(layer),
        };
        let added = Layer::ALL.into_iter();
        let added: Vec<_> = added
            .filter(|layer| takes.has(*layer) && !is_given(self, *layer))
            .collect();
        match (self.takes, takes) {
            // The one before goes on meanwhile: nothing is better than nothing.
            (Takes::One(now), Takes::One(layer)) => self.next = (now != layer).then_some(layer),
            _ => {
                for layer in &added {
                    self.awaits_keyframe[*layer as usize] = true;
                }
                (self.takes, self.next) = (takes, None);
            }
        }
        added
    }

    /// Whether it took a unit; `None` when it is not given that layer. A card is of one layer for those
    /// who are given one.
    fn take(&mut self, unit: &Arc<AccessUnit>, is_picture: bool) -> Option<bool> {
        if is_picture && unit.keyframe && self.next == Some(unit.layer) {
            self.takes = Takes::One(unit.layer);
            self.next = None;
        }
        let is_one = matches!(self.takes, Takes::One(_));
        let is_card = !is_picture && is_one && unit.layer == Layer::Full;
        if !(is_card || self.takes.has(unit.layer) && (is_picture || !is_one)) {
            return None;
        }
        let awaits = &mut self.awaits_keyframe[unit.layer as usize];
        let follows = !*awaits || unit.keyframe;
        let sent = follows && self.units.try_send(Arc::clone(unit)).is_ok();
        *awaits = !sent;
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Some(sent)
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

    /// Asks for a keyframe of a layer, or of the one that is given.
    pub fn request_keyframe(&self, layer: Option<Layer>) {
        self.feedback.request_keyframe(self.id, layer);
    }

    /// Tells what the path to the viewers carries.
    pub fn set_bandwidth(&self, carries: Carries) {
        self.feedback.set_bandwidth(self.id, carries);
    }

    /// Tells what those who watch ask for.
    pub fn set_wants(&self, wants: Wants) {
        self.feedback.set_wants(self.id, wants);
    }

    /// Access units this publisher had to skip so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
impl FeedId {
    pub(crate) const fn of(number: u64) -> Self {
        Self(number)
    }

    pub(crate) const fn number(self) -> u64 {
        self.0
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
        fn request_keyframe(&self, _: FeedId, _: Option<Layer>) {}
        fn set_bandwidth(&self, _: FeedId, _: Carries) {}
        fn set_wants(&self, _: FeedId, _: Wants) {}
        fn remove(&self, _: FeedId) {}
    }

    fn unit(keyframe: bool) -> Arc<AccessUnit> {
        unit_of(Layer::Full, keyframe)
    }

    fn unit_of(layer: Layer, keyframe: bool) -> Arc<AccessUnit> {
        Arc::new(AccessUnit {
            data: Vec::new().into(),
            keyframe,
            layer,
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

    #[test]
    fn a_feed_goes_over_to_the_other_layer_with_its_keyframe_and_disturbs_nobody() {
        let mut fanout = Fanout::default();
        let mut narrow = fanout.subscribe(Arc::new(Ignore));
        let mut wide = fanout.subscribe(Arc::new(Ignore));
        let drain = |feed: &mut Feed| -> Vec<Layer> {
            let units = std::iter::from_fn(|| feed.try_next());
            units.map(|unit| unit.layer).collect()
        };
        let full = |keyframe| unit_of(Layer::Full, keyframe);
        let low = |keyframe| unit_of(Layer::Low, keyframe);
        fanout.send(&full(true));
        assert_eq!(fanout.send(&low(true)), Delivery::default());
        let wanted = fanout.give(narrow.id(), Takes::One(Layer::Low));
        assert_eq!(wanted, [Layer::Low]);
        assert_eq!(fanout.give(narrow.id(), Takes::One(Layer::Low)), []);
        fanout.send(&low(false));
        assert_eq!(fanout.send(&full(false)).delivered, 2, "until it is there");
        assert_eq!(fanout.send(&low(true)).delivered, 1);
        assert_eq!(fanout.send(&full(false)).delivered, 1);
        use Layer::{Full, Low};
        assert_eq!(drain(&mut narrow), [Full, Full, Low]);
        assert_eq!(drain(&mut wide), [Full, Full, Full]);
        // A change of mind costs nothing.
        assert_eq!(fanout.give(narrow.id(), Takes::One(Full)), [Full]);
        assert_eq!(fanout.give(narrow.id(), Takes::One(Low)), [Low]);
        fanout.send(&full(true));
        fanout.send(&low(false));
        assert_eq!(drain(&mut narrow), [Low]);
        assert_eq!(drain(&mut wide), [Full]);
    }

    #[test]
    fn a_feed_that_asks_for_each_is_given_each_from_its_own_keyframe_on() {
        let mut fanout = Fanout::default();
        let room = fanout.subscribe(Arc::new(Ignore));
        let both = Takes::Each {
            full: true,
            low: true,
        };
        assert_eq!(fanout.give(room.id(), both), [Layer::Low]);
        assert_eq!(fanout.send(&unit_of(Layer::Full, true)).delivered, 1);
        assert!(fanout.send(&unit_of(Layer::Low, false)).keyframe_needed);
        assert_eq!(fanout.send(&unit_of(Layer::Low, true)).delivered, 1);
        assert_eq!(fanout.send(&unit_of(Layer::Full, false)).delivered, 1);
        let one = Takes::Each {
            full: false,
            low: true,
        };
        assert_eq!(fanout.give(room.id(), one), []);
        assert_eq!(
            fanout.send(&unit_of(Layer::Full, false)),
            Delivery::default()
        );
        assert_eq!(fanout.give(room.id(), both), [Layer::Full]);
        assert!(fanout.send(&unit_of(Layer::Full, false)).keyframe_needed);
    }

    #[test]
    fn a_card_is_for_whoever_is_on_the_low_layer_too() {
        let mut fanout = Fanout::default();
        let narrow = fanout.subscribe(Arc::new(Ignore));
        fanout.give(narrow.id(), Takes::One(Layer::Low));
        fanout.send(&unit_of(Layer::Low, true));
        fanout.veil(Some(HashSet::new()));
        assert_eq!(fanout.send_card(&unit(true)).delivered, 1);
        assert_eq!(fanout.send(&unit_of(Layer::Low, true)), Delivery::default());
        fanout.veil(None);
        assert!(fanout.send(&unit_of(Layer::Low, false)).keyframe_needed);
        assert_eq!(fanout.send(&unit_of(Layer::Low, true)).delivered, 1);
    }
}
