//! What the studio's thread finds when it wakes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use super::lock;
use crate::media::panel::Panel;
use crate::media::{Layer, Shot};
use crate::publish::layers::{left_for_full, spare};
use crate::publish::{FeedId, Takes, Wants};
use crate::rtc::Carries;

/// Left by others, taken by the thread.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The latest shot that has not been drawn.
    pub(super) shot: Option<Shot>,
    /// A lossless still and the number it was wanted under.
    pub(super) still: Option<(u64, Shot)>,
    /// What lies over the page.
    pub(super) panel: Option<Hung>,
    /// What is pinned above it, whatever page is shown.
    pub(super) badge: Option<Hung>,
    /// Counts panels and badges.
    panels: u64,
    /// Somebody needs a keyframe.
    pub(super) keyframe: bool,
    /// Somebody on the low layer does.
    pub(super) low_keyframe: bool,
    /// How many people are in the room.
    people: usize,
    /// Somebody has come there, or has asked for the full layer.
    pub(super) somebody_came: bool,
    /// Somebody who alone is shown the page needs a keyframe of the full layer.
    pub(super) asked_alone: bool,
    /// Shots are of another page from now on.
    pub(super) turned: bool,
    /// Counts the pages that were turned to.
    pub(super) turns: u64,
    /// The feeds that alone are given the picture; all others see a card.
    veil: Option<HashSet<FeedId>>,
    /// The veil was lifted: what the canvas shows is the driver's alone still.
    pub(super) lifted: bool,
    /// Somebody who sees the card needs a keyframe of it.
    pub(super) card_keyframe: bool,
    /// The video is paused by request.
    pub(super) paused: bool,
    /// The thread shall end.
    pub(super) stop: bool,
    /// What those who watch ask for.
    watched: HashMap<FeedId, Wants>,
    /// The layers that feeds are given that watched lately.
    given: HashMap<FeedId, Takes>,
    carries: HashMap<FeedId, Carries>,
}

/// A panel that lies over the page.
#[derive(Debug, Clone)]
pub(super) struct Hung {
    pub(super) number: u64,
    pub(super) panel: Arc<Panel>,
    /// When it goes by itself.
    pub(super) until: Option<Instant>,
}

impl Hung {
    pub(super) fn numbered(&self) -> (u64, &Panel) {
        (self.number, &self.panel)
    }
}

impl State {
    /// Puts a panel in the place of the one before; answers its number.
    pub(super) fn hang(&mut self, panel: Arc<Panel>, until: Option<Instant>) -> u64 {
        self.panels += 1;
        self.panel = Some(Hung {
            number: self.panels,
            panel,
            until,
        });
        self.panels
    }

    /// Puts a badge in the place of the one before, or none.
    pub(super) fn pin(&mut self, badge: Option<Arc<Panel>>) {
        self.badge = badge.map(|panel| {
            self.panels += 1;
            Hung {
                number: self.panels,
                panel,
                until: None,
            }
        });
    }

    /// Takes a panel off, if it is still that one.
    pub(super) fn take_off(&mut self, number: u64) {
        self.panel.take_if(|hung| hung.number == number);
    }

    /// Takes off a panel whose time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        self.panel
            .take_if(|hung| hung.until.is_some_and(|until| until <= now));
    }

    pub(super) fn turn(&mut self) {
        self.turned = true;
        self.turns += 1;
        (self.keyframe, self.low_keyframe) = (true, true);
        self.shot = None;
        self.still = None;
        self.panel = None;
    }

    /// Gives the picture to these feeds alone, and a card to all others.
    pub(super) fn veil(&mut self, own: HashSet<FeedId>) {
        self.veil = Some(own);
        (self.keyframe, self.low_keyframe, self.card_keyframe) = (true, true, true);
    }

    /// Gives the picture to all, once there is one of after this.
    pub(super) fn lift_veil(&mut self) {
        if self.veil.take().is_some() {
            self.lifted = true;
            self.turn();
        }
    }

    pub(super) fn is_veiled(&self) -> bool {
        self.veil.is_some()
    }

    /// Somebody who has this feed needs a keyframe, of this layer or of what they are given.
    pub(super) fn request_keyframe(&mut self, feed: FeedId, layer: Option<Layer>) {
        let given = self.given.get(&feed).copied();
        let given = given.unwrap_or(Takes::One(Layer::Full));
        for of in Layer::ALL {
            if layer.map_or_else(|| given.has(of), |layer| layer == of) {
                self.wish_keyframe(of);
            }
        }
        self.asked_alone |= layer == Some(Layer::Full) && self.is_alone(feed);
        self.card_keyframe = true;
    }

    /// So many people are in the room.
    pub(super) fn set_people(&mut self, people: usize) {
        self.somebody_came |= people > self.people;
        self.people = people;
    }

    /// Whether nobody sees the page but one person, in the room that has this feed.
    fn is_alone(&self, feed: FeedId) -> bool {
        let is_room = |wants: &Wants| matches!(wants, Wants::Each { .. });
        let mut watched = self.watched.iter();
        self.people <= 1 && watched.all(|(other, wants)| *other == feed && is_room(wants))
    }

    pub(super) fn wish_keyframe(&mut self, layer: Layer) {
        match layer {
            Layer::Full => self.keyframe = true,
            Layer::Low => self.low_keyframe = true,
        }
    }

    pub(super) fn set_wants(&mut self, feed: FeedId, wants: Wants) {
        match wants {
            Wants::Nothing => self.watched.remove(&feed),
            wants => self.watched.insert(feed, wants),
        };
    }

    pub(super) fn set_bandwidth(&mut self, feed: FeedId, carries: Carries) {
        self.carries.insert(feed, carries);
    }

    /// A feed is gone.
    pub(super) fn forget(&mut self, feed: FeedId) {
        self.watched.remove(&feed);
        self.given.remove(&feed);
        self.carries.remove(&feed);
    }

    /// Gives those who watch the page the layers that `takes` says; answers with those that change.
    pub(super) fn give(&mut self, takes: impl Fn(FeedId, Wants) -> Takes) -> Vec<(FeedId, Takes)> {
        let mut changes = Vec::new();
        let page = self
            .watched
            .iter()
            .filter(|(feed, _)| self.sees_page(**feed));
        for (feed, wants) in page {
            let before = self.given.get(feed).copied();
            let bits = self.carries.get(feed).and_then(|carries| carries.bits);
            let takes = spare(takes(*feed, *wants), before, bits);
            if before != Some(takes) {
                changes.push((*feed, takes));
            }
        }
        let had_full = |feed| {
            self.given
                .get(feed)
                .is_some_and(|takes| takes.has(Layer::Full))
        };
        let mut changed = changes.iter();
        self.somebody_came |=
            changed.any(|(feed, takes)| takes.has(Layer::Full) && !had_full(feed));
        self.given.extend(changes.iter().copied());
        changes
    }

    /// Whether somebody who sees the page is given this layer.
    pub(super) fn is_taken(&self, layer: Layer) -> bool {
        let mut watched = self.watched.keys();
        watched.any(|feed| {
            let given = self.given.get(feed);
            self.sees_page(*feed) && given.is_some_and(|takes| takes.has(layer))
        })
    }

    /// Whether somebody is given the low layer alone, and so sees nothing before it comes.
    pub(super) fn is_low_all(&self) -> bool {
        let mut given = self.watched.keys().filter_map(|feed| self.given.get(feed));
        given.any(|takes| takes.has(Layer::Low) && !takes.has(Layer::Full))
    }

    /// What the paths carry of those who see the page's full layer, or would. A recording is content with
    /// what comes, and a card is small enough for all.
    pub(super) fn paths(&self) -> impl Iterator<Item = (FeedId, Carries)> {
        let watched = self.watched.iter().filter(|(feed, wants)| {
            let is_asked = matches!(
                wants,
                Wants::Either | Wants::Unsaid | Wants::Each { full: true, .. }
            );
            is_asked && self.sees_page(**feed)
        });
        watched.map(|(feed, _)| {
            let mut carries = self.carries.get(feed).copied().unwrap_or_default();
            if let Some(given) = self.given.get(feed) {
                carries.bits = carries.bits.map(|bits| left_for_full(*given, bits));
            }
            (*feed, carries)
        })
    }

    /// What the paths of those carry who are known to watch the page.
    pub(super) fn ways(&self) -> impl Iterator<Item = (FeedId, Carries)> {
        let watched = self.watched.iter().filter(|(feed, wants)| {
            let is_known = matches!(wants, Wants::Either | Wants::Each { .. });
            is_known && self.sees_page(**feed)
        });
        watched.map(|(feed, _)| (*feed, self.carries.get(feed).copied().unwrap_or_default()))
    }

    /// Whether somebody sees what is drawn.
    pub(super) fn is_watched(&self) -> bool {
        !self.paused && self.watched.keys().any(|feed| self.sees_page(*feed))
    }

    /// Whether the page is shown to a room of layers alone, whether or not its server has said that anybody watches.
    pub(super) fn is_for_room(&self) -> bool {
        let is_room = |wants: &Wants| matches!(wants, Wants::Unsaid | Wants::Each { .. });
        self.is_watched() && self.watched.values().all(is_room)
    }

    /// Whether somebody sees a card instead.
    pub(super) fn is_card_watched(&self) -> bool {
        !self.paused && self.watched.keys().any(|feed| !self.sees_page(*feed))
    }

    /// Whether a feed is given the page, and not a card.
    fn sees_page(&self, feed: FeedId) -> bool {
        self.veil.as_ref().is_none_or(|own| own.contains(&feed))
    }

    /// Whether somebody is known to watch by this feed.
    pub(super) fn is_watched_by(&self, feed: FeedId) -> bool {
        let wants = self.watched.get(&feed);
        wants.is_some_and(|wants| *wants != Wants::Unsaid)
    }
}

/// The state and the bell.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    bell: Condvar,
}

impl Inbox {
    /// Leaves something and rings.
    pub(super) fn leave<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let answer = change(&mut lock(&self.state));
        self.bell.notify_one();
        answer
    }

    /// Looks without taking anything.
    pub(super) fn peek<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&lock(&self.state))
    }

    /// Lets `look` see the state, again after every ring, until it answers; wakes it at the
    /// instant it names as well.
    pub(super) fn wait<T>(&self, mut look: impl FnMut(&mut State) -> Wait<T>) -> T {
        let mut state = lock(&self.state);
        loop {
            match look(&mut state) {
                Wait::Done(answer) => return answer,
                Wait::Until(Some(at)) => {
                    let left = at.saturating_duration_since(Instant::now());
                    state = match self.bell.wait_timeout(state, left) {
                        Ok((state, _)) => state,
                        Err(poisoned) => poisoned.into_inner().0,
                    };
                }
                Wait::Until(None) => {
                    state = self
                        .bell
                        .wait(state)
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                }
            }
        }
    }
}

/// What a look at the inbox comes to.
pub(super) enum Wait<T> {
    /// There is something to do.
    Done(T),
    /// Nothing before this instant, unless the bell rings.
    Until(Option<Instant>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::{Fanout, Feedback};

    #[derive(Debug)]
    struct Nobody;

    impl Feedback for Nobody {
        fn request_keyframe(&self, _: FeedId, _: Option<Layer>) {}
        fn set_bandwidth(&self, _: FeedId, _: Carries) {}
        fn set_wants(&self, _: FeedId, _: Wants) {}
        fn remove(&self, _: FeedId) {}
    }

    fn bits(state: &State) -> Vec<u64> {
        let mut bits: Vec<_> = state.paths().filter_map(|(_, c)| c.bits).collect();
        bits.sort_unstable();
        bits
    }

    #[test]
    fn the_page_is_as_wide_as_the_paths_of_those_who_see_it() {
        let (mut fanout, mut state) = (Fanout::default(), State::default());
        let feeds = [(); 3].map(|()| fanout.subscribe(Arc::new(Nobody)).id());
        let [driver, other, film] = feeds;
        for (feed, bits) in [(driver, 900), (other, 100), (film, 50)] {
            let bits = Some(bits);
            let is_full = false;
            state.set_bandwidth(feed, Carries { bits, is_full });
        }
        state.set_wants(film, Wants::Full);
        assert!(bits(&state).is_empty(), "nobody watches");
        state.set_wants(driver, Wants::Either);
        assert_eq!(bits(&state), [900]);
        state.set_wants(other, Wants::Either);
        assert_eq!(bits(&state), [100, 900]);
        state.veil([driver].into());
        assert_eq!(bits(&state), [900], "the other sees a card");
        assert!(state.is_watched() && state.is_card_watched());
        state.lift_veil();
        assert_eq!(bits(&state), [100, 900]);
    }

    #[test]
    fn a_keyframe_is_of_the_layer_that_its_feed_is_given() {
        let (mut fanout, mut state) = (Fanout::default(), State::default());
        let [wide, narrow] = [(); 2].map(|()| fanout.subscribe(Arc::new(Nobody)).id());
        for feed in [wide, narrow] {
            state.set_wants(feed, Wants::Either);
        }
        let takes = |feed, _| match feed == narrow {
            true => Takes::One(Layer::Low),
            false => Takes::One(Layer::Full),
        };
        assert_eq!(state.give(takes).len(), 2);
        assert_eq!(state.give(takes), [], "they have it");
        state.request_keyframe(narrow, None);
        assert!(state.low_keyframe && !state.keyframe);
        assert!(state.is_taken(Layer::Low) && state.is_taken(Layer::Full));
        state.request_keyframe(wide, None);
        assert!(state.keyframe);
        state.forget(wide);
        assert!(!state.is_taken(Layer::Full));
    }
}
