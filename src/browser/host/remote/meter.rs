//! How long remote browsers ran, by user: what a vendor asks money for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// It is counted this often.
const COUNTED_EVERY: Duration = Duration::from_secs(5);
/// Users with a label of their own.
const USERS_MAX: usize = 1_000;
/// The label of all others.
const OTHERS: &str = "(others)";

/// Whose time is counted by itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Users(Arc<Mutex<BTreeSet<String>>>);

impl Users {
    /// The label of a user: their own, as long as there are not too many.
    fn label(&self, user: &str) -> String {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if users.contains(user) || users.len() < USERS_MAX {
            users.insert(user.to_owned());
            return user.to_owned();
        }
        OTHERS.to_owned()
    }
}

/// Counts one run's time, for as long as it lives.
#[derive(Debug)]
pub(super) struct Meter {
    _end: DropGuard,
}

impl Meter {
    /// Counts from now on.
    pub(super) fn start(users: &Users, user: Option<&str>, tracker: &TaskTracker) -> Self {
        let label = user.map(|user| users.label(user));
        let over = CancellationToken::new();
        let ended = over.clone();
        metrics::gauge!("ghostcast_remote_browsers").increment(1.0);
        tracker.spawn(async move {
            let mut counted = Counted::since(Instant::now());
            let is_over = || ended.run_until_cancelled(tokio::time::sleep(COUNTED_EVERY));
            while is_over().await.is_some() {
                count(label.as_deref(), counted.whole(Instant::now()));
            }
            count(label.as_deref(), counted.rounded(Instant::now()));
            metrics::gauge!("ghostcast_remote_browsers").decrement(1.0);
        });
        Self {
            _end: over.drop_guard(),
        }
    }
}

fn count(user: Option<&str>, seconds: u64) {
    const NAME: &str = "ghostcast_remote_seconds_total";
    match user {
        Some(user) => metrics::counter!(NAME, "user" => user.to_owned()).increment(seconds),
        None => metrics::counter!(NAME).increment(seconds),
    }
}

/// Seconds that are counted already.
#[derive(Debug)]
struct Counted {
    since: Instant,
    seconds: u64,
}

impl Counted {
    fn since(since: Instant) -> Self {
        Self { since, seconds: 0 }
    }

    /// Whole seconds that have passed and are not counted yet.
    fn whole(&mut self, now: Instant) -> u64 {
        self.up_to((now - self.since).as_secs())
    }

    /// The same at the end, where half a second counts as one.
    fn rounded(&mut self, now: Instant) -> u64 {
        self.up_to((now - self.since + Duration::from_millis(500)).as_secs())
    }

    fn up_to(&mut self, seconds: u64) -> u64 {
        let more = seconds.saturating_sub(self.seconds);
        self.seconds += more;
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_is_counted_once_and_the_end_is_rounded() {
        let since = Instant::now();
        let at = |ms| since + Duration::from_millis(ms);
        let mut counted = Counted::since(since);
        assert_eq!(counted.whole(at(900)), 0);
        assert_eq!(counted.whole(at(5_900)), 5);
        assert_eq!(counted.whole(at(5_950)), 0);
        assert_eq!(counted.rounded(at(7_600)), 3);
        assert_eq!(counted.rounded(at(7_700)), 0);
        assert_eq!(counted.seconds, 8);
    }

    #[test]
    fn users_are_told_apart_as_long_as_they_are_not_too_many() {
        let users = Users::default();
        for number in 0..USERS_MAX {
            assert_eq!(users.label(&format!("u{number}")), format!("u{number}"));
        }
        assert_eq!(users.label("one-too-many"), OTHERS);
        assert_eq!(users.label("u7"), "u7");
    }
}
