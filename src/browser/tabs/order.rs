//! In which order tabs were opened and shown. Pure.

/// The order of a session's tabs.
#[derive(Debug, Default)]
pub(super) struct TabOrder {
    /// Opened first comes first.
    opened: Vec<u32>,
    /// Shown last comes last: the current one.
    shown: Vec<u32>,
}

impl TabOrder {
    /// Adds a tab, as the current one or behind it.
    pub(super) fn add(&mut self, tab: u32, is_in_front: bool) {
        self.opened.push(tab);
        if is_in_front || self.shown.is_empty() {
            self.shown.push(tab);
        }
    }

    /// Makes a tab the current one; false when there is no such tab.
    pub(super) fn show(&mut self, tab: u32) -> bool {
        let is_there = self.opened.contains(&tab);
        if is_there {
            self.shown.retain(|shown| *shown != tab);
            self.shown.push(tab);
        }
        is_there
    }

    /// Forgets a tab. The one that was shown before it is current again, or, when none was, the one
    /// that was opened last.
    pub(super) fn remove(&mut self, tab: u32) {
        self.opened.retain(|opened| *opened != tab);
        self.shown.retain(|shown| *shown != tab);
        if self.shown.is_empty() {
            self.shown.extend(self.opened.last());
        }
    }

    /// The current tab.
    pub(super) fn current(&self) -> Option<u32> {
        self.shown.last().copied()
    }

    /// What would be current without this tab.
    pub(super) fn without(&self, tab: u32) -> Option<u32> {
        let others = |tabs: &[u32]| tabs.iter().rev().copied().find(|other| *other != tab);
        others(&self.shown).or_else(|| others(&self.opened))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(count: u32) -> TabOrder {
        let mut order = TabOrder::default();
        (1..=count).for_each(|tab| order.add(tab, true));
        order
    }

    #[test]
    fn closing_goes_to_the_tab_shown_before() {
        let mut order = opened(3);
        assert!(order.show(1));
        assert_eq!((order.current(), order.without(1)), (Some(1), Some(3)));
        order.remove(1);
        assert_eq!(order.current(), Some(3));
        order.remove(2);
        assert_eq!((order.current(), order.without(3)), (Some(3), None));
        order.remove(3);
        assert_eq!(order.current(), None);
    }

    #[test]
    fn a_tab_behind_is_shown_when_no_other_is_left() {
        let mut order = opened(1);
        order.add(2, false);
        assert_eq!(order.current(), Some(1));
        order.remove(1);
        assert_eq!(order.current(), Some(2));
    }

    #[test]
    fn what_is_not_there_cannot_be_shown() {
        let mut order = opened(2);
        assert!(!order.show(3));
        order.remove(2);
        assert!(!order.show(2));
        assert_eq!(order.current(), Some(1));
    }
}
