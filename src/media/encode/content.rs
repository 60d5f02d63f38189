//! [`Watcher`]: notices what kind of pictures a page makes.
//!
//! The encoder's screen mode is made for text and flat colours: it finds scrolled blocks, and needs
//! a third of the bits. But it takes each great change for a new scene, which it begins with a
//! keyframe that nobody asked for. On photos that move fast each picture is one: ten times too
//! large, so the budget holds the next one back, which makes the next change greater still. A page
//! that does so is encoded as video until it rests.

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

/// So many scenes within [`SCENES_WITHIN`] are none, but video.
const SCENES: u32 = 2;
const SCENES_WITHIN: Duration = Duration::from_secs(2);

/// Chooses the content by what the encoder makes of it.
#[derive(Debug, Default)]
pub struct Watcher {
    content: Content,
    scenes: u32,
    first_at: Option<Instant>,
}

impl Watcher {
    /// What the page is taken for.
    pub const fn content(&self) -> Content {
        self.content
    }

    /// Books a keyframe that nobody asked for. Returns whether the content is another one now.
    pub fn new_scene(&mut self, now: Instant) -> bool {
        let is_late = self
            .first_at
            .is_none_or(|at| now.saturating_duration_since(at) > SCENES_WITHIN);
        if is_late {
            self.scenes = 0;
            self.first_at = Some(now);
        }
        self.scenes += 1;
        self.scenes >= SCENES && self.change(Content::Video)
    }

    /// The page rests. Returns whether the content is another one now.
    pub fn rested(&mut self) -> bool {
        self.scenes = 0;
        self.change(Content::Screen)
    }

    fn change(&mut self, content: Content) -> bool {
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
        let mut watcher = Watcher::default();
        assert!(!watcher.new_scene(at(0)));
        assert!(watcher.new_scene(at(400)));
        assert_eq!(watcher.content(), Content::Video);
        assert!(!watcher.new_scene(at(900)), "it is video already");
        assert!(watcher.rested() && !watcher.rested());
        assert_eq!(watcher.content(), Content::Screen);
    }

    #[test]
    fn pages_that_are_turned_now_and_then_are_a_screen() {
        let start = Instant::now();
        let mut watcher = Watcher::default();
        for page in 0..20 {
            assert!(!watcher.new_scene(start + Duration::from_millis(2_100) * page));
        }
        assert_eq!(watcher.content(), Content::Screen);
    }
}
