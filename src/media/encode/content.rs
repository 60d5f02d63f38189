//! [`Watcher`]: notices what kind of pictures a page makes.
//!
//! The encoder's screen mode is made for text and flat colours: it finds scrolled blocks, and needs
//! a third of the bits. But it takes each great change for a new scene, which it begins with a
//! keyframe that nobody asked for. On photos that move fast each picture is one: ten times too
//! large, so the budget holds the next one back, which makes the next change greater still. A page
//! that does so is encoded as video until it rests, or makes far fewer pictures.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What the encoder is tuned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// Text, flat colours, scrolling.
    #[default]
    Screen,
    /// Photos and video in motion.
    Video,
}

/// So many scenes within [`SCENES_WITHIN`] are none, but video. A page that is opened makes two: its
/// blank beginning and its content.
const SCENES: usize = 3;
const SCENES_WITHIN: Duration = Duration::from_secs(4);
/// Video that makes fewer pictures than these within this time is a screen again; fewer are enough
/// where few are allowed.
const QUIET_WITHIN: Duration = Duration::from_secs(2);
const PICTURES: u32 = 8;

/// Chooses the content by what the encoder makes of it.
#[derive(Debug)]
pub struct Watcher {
    pictures_min: u32,
    content: Content,
    /// When scenes began, lately.
    scenes: VecDeque<Instant>,
    /// Since when pictures are counted, and how many came.
    counted: Option<(Instant, u32)>,
}

impl Watcher {
    /// For a page that may make `fps` pictures a second.
    pub fn new(fps: u32) -> Self {
        Self {
            pictures_min: fps.min(PICTURES),
            content: Content::default(),
            scenes: VecDeque::new(),
            counted: None,
        }
    }

    /// What the page is taken for.
    pub const fn content(&self) -> Content {
        self.content
    }

    /// Books a keyframe that nobody asked for. Returns whether the content is another one now.
    pub fn new_scene(&mut self, now: Instant) -> bool {
        self.scenes.push_back(now);
        let is_late = |at: &Instant| now.saturating_duration_since(*at) > SCENES_WITHIN;
        while self.scenes.front().is_some_and(is_late) {
            self.scenes.pop_front();
        }
        self.scenes.len() >= SCENES && self.change(Content::Video)
    }

    /// Books a picture of the page, new or repeated. Returns whether the content is another one now.
    pub fn picture(&mut self, now: Instant, is_new: bool) -> bool {
        let (since, count) = self.counted.get_or_insert((now, 0));
        *count += u32::from(is_new);
        if now.saturating_duration_since(*since) < QUIET_WITHIN {
            return false;
        }
        let is_quiet = *count < self.pictures_min;
        self.counted = Some((now, 0));
        is_quiet && self.rested()
    }

    /// The page rests. Returns whether the content is another one now.
    pub fn rested(&mut self) -> bool {
        self.scenes.clear();
        self.change(Content::Screen)
    }

    fn change(&mut self, content: Content) -> bool {
        self.counted = None;
        std::mem::replace(&mut self.content, content) != content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_in_a_row_are_video_until_the_page_rests() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut watcher = Watcher::new(30);
        assert!(!watcher.new_scene(at(0)) && !watcher.new_scene(at(200)));
        assert!(watcher.new_scene(at(400)));
        assert_eq!(watcher.content(), Content::Video);
        assert!(!watcher.new_scene(at(900)), "it is video already");
        assert!(watcher.rested() && !watcher.rested());
        assert_eq!(watcher.content(), Content::Screen);
    }

    #[test]
    fn video_that_hardly_moves_is_a_screen_again() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut watcher = Watcher::new(30);
        for scene in 0..3 {
            watcher.new_scene(at(scene * 100));
        }
        assert!(
            !(0..100).any(|n| watcher.picture(at(1_000 + n * 33), true)),
            "it moves"
        );
        let left = (0..60).position(|n| watcher.picture(at(5_000 + n * 100), n % 10 == 0));
        assert!(left.is_some_and(|n| n <= 41), "{left:?}");
        assert_eq!(watcher.content(), Content::Screen);
    }

    #[test]
    fn pages_that_are_turned_now_and_then_are_a_screen() {
        let start = Instant::now();
        let mut watcher = Watcher::new(30);
        for page in 0..20 {
            assert!(!watcher.new_scene(start + Duration::from_millis(2_100) * page));
        }
        assert_eq!(watcher.content(), Content::Screen);
    }
}
