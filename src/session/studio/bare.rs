//! [`Bare`]: whether next to nothing was shown so far, so that a page begins with a keyframe.
//!
//! A keyframe keeps to its bound, however narrow the path. A page's first picture that is built on an empty window's has
//! none, and would take many times that. A page that is next to nothing itself begins a few times at most.

/// Below one part of so many of what a keyframe may take, next to nothing was shown.
const PARTS: usize = 3;
/// So often a layer begins anew by itself.
const BEGINS_MAX: u32 = 3;

/// What a layer has shown since its last keyframe.
#[derive(Debug, Default)]
pub(super) struct Bare {
    /// What that and all that was built on it have taken.
    bytes: usize,
    begun: u32,
}

impl Bare {
    /// Whether a picture that is mostly new begins anew, where a keyframe takes so many bytes at most.
    pub(super) const fn begins(&mut self, keyframe_bytes_max: usize) -> bool {
        let begins = self.begun < BEGINS_MAX && self.bytes * PARTS < keyframe_bytes_max;
        if begins {
            self.begun += 1;
        }
        begins
    }

    /// A picture of so many bytes was made.
    pub(super) const fn made(&mut self, bytes: usize, is_keyframe: bool) {
        let before = if is_keyframe { 0 } else { self.bytes };
        self.bytes = before.saturating_add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_after_an_empty_window_begins_and_a_simple_one_not_for_ever() {
        let mut bare = Bare::default();
        bare.made(2_700, true);
        assert!(bare.begins(14_000));
        bare.made(13_000, true);
        assert!(!bare.begins(14_000), "there is something to build on");
        let mut bare = Bare::default();
        bare.made(1_000, true);
        let begun = (0..100).filter(|_| {
            let begins = bare.begins(14_000);
            bare.made(1_000, begins);
            begins
        });
        assert_eq!(begun.count(), 3);
        let mut bare = Bare::default();
        bare.made(2_000, true);
        bare.made(3_000, false);
        assert!(!bare.begins(14_000), "what was built counts");
    }
}
