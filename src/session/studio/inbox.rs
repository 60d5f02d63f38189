//! What the studio's thread finds when it wakes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use super::lock;
use crate::media::Shot;
use crate::media::panel::Panel;
use crate::publish::FeedId;

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
    watched: HashSet<FeedId>,
    bandwidth: HashMap<FeedId, u64>,
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
        self.keyframe = true;
        self.shot = None;
        self.still = None;
        self.panel = None;
    }

    /// Gives the picture to these feeds alone, and a card to all others.
    pub(super) fn veil(&mut self, own: HashSet<FeedId>) {
        self.veil = Some(own);
        (self.keyframe, self.card_keyframe) = (true, true);
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

    pub(super) fn request_keyframe(&mut self) {
        self.keyframe = true;
        self.card_keyframe = true;
    }

    pub(super) fn set_watched(&mut self, feed: FeedId, watched: bool) {
        if watched {
            self.watched.insert(feed);
        } else {
            self.watched.remove(&feed);
        }
    }

    pub(super) fn set_bandwidth(&mut self, feed: FeedId, bits_per_second: Option<u64>) {
        match bits_per_second {
            Some(bits) => self.bandwidth.insert(feed, bits),
            None => self.bandwidth.remove(&feed),
        };
    }

    /// Whether somebody sees what is drawn.
    pub(super) fn is_watched(&self) -> bool {
        !self.paused && self.watched.iter().any(|feed| self.sees_page(*feed))
    }

    /// Whether somebody sees a card instead.
    pub(super) fn is_card_watched(&self) -> bool {
        !self.paused && self.watched.iter().any(|feed| !self.sees_page(*feed))
    }

    /// Whether a feed is given the page, and not a card.
    fn sees_page(&self, feed: FeedId) -> bool {
        self.veil.as_ref().is_none_or(|own| own.contains(&feed))
    }

    pub(super) fn is_watched_by(&self, feed: FeedId) -> bool {
        self.watched.contains(&feed)
    }

    /// The narrowest path by which somebody sees the page, bits a second; `None` when no path is known to be
    /// narrow. A card is small enough for all.
    pub(super) fn bandwidth_min(&self) -> Option<u64> {
        let paths = self.bandwidth.iter();
        let of_page =
            paths.filter(|(feed, _)| self.is_watched_by(**feed) && self.sees_page(**feed));
        of_page.map(|(_, bits)| *bits).min()
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
        fn request_keyframe(&self) {}
        fn set_bandwidth(&self, _: FeedId, _: Option<u64>) {}
        fn set_watched(&self, _: FeedId, _: bool) {}
        fn remove(&self, _: FeedId) {}
    }

    #[test]
    fn the_page_is_as_wide_as_the_paths_of_those_who_see_it() {
        let (mut fanout, mut state) = (Fanout::default(), State::default());
        let [driver, other] = [(); 2].map(|()| fanout.subscribe(Arc::new(Nobody)).id());
        state.set_bandwidth(driver, Some(900));
        state.set_bandwidth(other, Some(100));
        assert_eq!(state.bandwidth_min(), None, "nobody watches");
        state.set_watched(driver, true);
        assert_eq!(state.bandwidth_min(), Some(900));
        state.set_watched(other, true);
        assert_eq!(state.bandwidth_min(), Some(100));
        state.veil([driver].into());
        assert_eq!(state.bandwidth_min(), Some(900), "the other sees a card");
        assert!(state.is_watched() && state.is_card_watched());
        state.lift_veil();
        assert_eq!(state.bandwidth_min(), Some(100));
    }
}
