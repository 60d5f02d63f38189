//! [`Ring`]: the last events of one class, for `since`, and how many are no longer there.

use std::collections::VecDeque;
use std::sync::Arc;

use super::sent::Sent;

/// Stretches of numbers that are remembered. A flood is one, however long it is.
const STRETCHES_MAX: usize = 1_024;

#[derive(Debug)]
pub(super) struct Ring {
    kept: VecDeque<Arc<Sent>>,
    kept_max: usize,
    gone: Gone,
}

/// The numbers of what is no longer kept.
#[derive(Debug, Default)]
struct Gone {
    /// First and last number of each stretch without a gap, in order.
    stretches: VecDeque<(u64, u64)>,
    /// How many went before all stretches, and the last of them.
    older: (u64, u64),
}

impl Ring {
    pub(super) fn new(kept_max: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            kept_max: kept_max.max(1),
            gone: Gone::default(),
        }
    }

    pub(super) fn push(&mut self, event: Arc<Sent>) {
        if self.kept.len() == self.kept_max
            && let Some(oldest) = self.kept.pop_front()
        {
            self.gone.note(oldest.seq());
        }
        self.kept.push_back(event);
    }

    /// Lets all go.
    pub(super) fn clear(&mut self) {
        for event in self.kept.drain(..) {
            self.gone.note(event.seq());
        }
    }

    /// What is kept with a greater number.
    pub(super) fn after(&self, seq: u64) -> impl Iterator<Item = &Arc<Sent>> {
        self.kept.iter().filter(move |event| event.seq() > seq)
    }

    /// What is kept, the newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Arc<Sent>> {
        self.kept.iter().rev()
    }

    /// How many events with a greater number are no longer kept, and the last one's number. Of a
    /// time long past it may count some that have a smaller one.
    pub(super) fn missed_after(&self, seq: u64) -> Option<(u64, u64)> {
        self.gone.after(seq)
    }
}

impl Gone {
    fn note(&mut self, seq: u64) {
        if let Some((_, last)) = self.stretches.back_mut()
            && *last + 1 == seq
        {
            *last = seq;
            return;
        }
        if self.stretches.len() == STRETCHES_MAX
            && let Some((first, last)) = self.stretches.pop_front()
        {
            self.older = (self.older.0 + last - first + 1, last);
        }
        self.stretches.push_back((seq, seq));
    }

    fn after(&self, seq: u64) -> Option<(u64, u64)> {
        let (count, last) = self.older;
        let older = if last > seq { count } else { 0 };
        let stretches = self.stretches.iter();
        let newer: u64 = stretches
            .map(|(first, last)| (last + 1).saturating_sub((*first).max(seq + 1)))
            .sum();
        let last = self.stretches.back().map_or(last, |(_, last)| *last);
        let missed = older + newer;
        (missed > 0).then_some((missed, last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_counted_to_the_number() {
        let mut gone = Gone::default();
        for seq in [1, 2, 3, 7, 8, 20] {
            gone.note(seq);
        }
        assert_eq!(gone.after(0), Some((6, 20)));
        assert_eq!(gone.after(2), Some((4, 20)));
        assert_eq!(gone.after(7), Some((2, 20)));
        assert_eq!(gone.after(12), Some((1, 20)));
        assert_eq!(gone.after(20), None);
    }

    #[test]
    fn what_was_long_ago_is_counted_together() {
        let mut gone = Gone::default();
        for number in 0..=STRETCHES_MAX as u64 {
            gone.note(2 * number + 1);
        }
        let all = STRETCHES_MAX as u64 + 1;
        assert_eq!(gone.after(0), Some((all, 2 * all - 1)));
        assert_eq!(gone.after(1), Some((all - 1, 2 * all - 1)));
    }
}
