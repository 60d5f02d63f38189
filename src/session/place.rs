//! Which browser serves: this machine's first, and the remote one as a fallback.
//!
//! Pure, and asked by whoever starts a browser: a session's own start, and a queue before each attempt of a
//! job.

use crate::error::Error;
use crate::model::{BrowserPlace, BrowserWish};

/// From so many items on, a batch whose user goes away runs on the remote browser.
pub const LONG_BATCH: usize = 100;
/// After so many failures in a row on this machine, the remote browser is tried.
pub const FAILURES_MAX: u32 = 3;

/// What the choice hangs on. The default is one piece of work that nobody says anything about, on a machine
/// that works, without a remote browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// What is asked for explicitly.
    pub wish: BrowserWish,
    /// Whether a remote browser is configured.
    pub has_remote: bool,
    /// Whether a browser of this machine can run, as far as is known.
    pub can_run_here: bool,
    /// Items of the batch that this is of.
    pub items: usize,
    /// Whether the user wants to close the browser and let it run in the background.
    pub in_background: bool,
    /// Failures in a row on this machine, of this user on this platform, across jobs: see [`Streak`].
    pub failures_here: u32,
    /// Whether the attempts that a job has on this machine are used up.
    pub attempts_used_up: bool,
}

impl Default for Situation {
    fn default() -> Self {
        Self {
            wish: BrowserWish::Auto,
            has_remote: false,
            can_run_here: true,
            items: 1,
            in_background: false,
            failures_here: 0,
            attempts_used_up: false,
        }
    }
}

/// A choice, and the rule behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Where the browser runs.
    pub place: BrowserPlace,
    /// Why there.
    pub why: Why,
}

/// The rule that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// Nothing speaks against this machine, or there is no other.
    LocalFirst,
    /// It was asked for.
    Asked,
    /// No browser can run on this machine.
    NoneHere,
    /// The batch is long, and its user goes away.
    LongBatch,
    /// It has failed here too often in a row.
    Failures,
    /// The attempts here are used up.
    UsedUp,
}

impl Why {
    /// A word for programs and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocalFirst => "local_first",
            Self::Asked => "asked",
            Self::NoneHere => "none_here",
            Self::LongBatch => "long_batch",
            Self::Failures => "failures",
            Self::UsedUp => "used_up",
        }
    }
}

/// Chooses. An error says that the browser that was asked for is the remote one, and that there is none.
pub fn choose(situation: &Situation) -> Result<Choice, Error> {
    let choice = |place, why| Ok(Choice { place, why });
    let away = |why| choice(BrowserPlace::Remote, why);
    match situation.wish {
        BrowserWish::Local => choice(BrowserPlace::Local, Why::Asked),
        BrowserWish::Remote if situation.has_remote => away(Why::Asked),
        BrowserWish::Remote => Err(Error::not_configured("no remote browser is configured").hint(
            "Set remote.endpoint, or BROWSERBASE_API_KEY and BROWSERBASE_PROJECT_ID, or leave browser out.",
        )),
        BrowserWish::Auto if !situation.has_remote => {
            choice(BrowserPlace::Local, Why::LocalFirst)
        }
        BrowserWish::Auto if !situation.can_run_here => away(Why::NoneHere),
        BrowserWish::Auto if situation.attempts_used_up => away(Why::UsedUp),
        BrowserWish::Auto if situation.failures_here >= FAILURES_MAX => away(Why::Failures),
        BrowserWish::Auto if situation.items >= LONG_BATCH && situation.in_background => {
            away(Why::LongBatch)
        }
        BrowserWish::Auto => choice(BrowserPlace::Local, Why::LocalFirst),
    }
}

/// Failures in a row on this machine, of one user on one platform, over all their jobs. What has run on the
/// remote browser says nothing of this machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Streak(pub u32);

impl Streak {
    /// The streak after one more attempt.
    #[must_use]
    pub const fn after(self, place: BrowserPlace, is_success: bool) -> Self {
        match (place, is_success) {
            (BrowserPlace::Remote, _) => self,
            (BrowserPlace::Local, true) => Self(0),
            (BrowserPlace::Local, false) => Self(self.0.saturating_add(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const HERE: Situation = Situation {
        wish: BrowserWish::Auto,
        has_remote: true,
        can_run_here: true,
        items: 1,
        in_background: false,
        failures_here: 0,
        attempts_used_up: false,
    };

    fn outcome(situation: Situation) -> Result<(BrowserPlace, Why), ErrorKind> {
        choose(&situation)
            .map(|choice| (choice.place, choice.why))
            .map_err(|error| error.kind)
    }

    /// Every wish, with and without a remote browser, in every situation.
    #[test]
    fn the_truth_table() {
        use BrowserPlace::{Local, Remote};
        use Why::{Failures, LocalFirst, LongBatch, NoneHere, UsedUp};
        // Whether one can run here, the batch's items, whether in the background, failures here in a row, whether
        // the attempts here are used up; and what auto comes to where there is a remote browser.
        let table = [
            ((true, 1, false, 0, false), (Local, LocalFirst)),
            ((false, 1, false, 0, false), (Remote, NoneHere)),
            ((true, 99, true, 0, false), (Local, LocalFirst)),
            ((true, 100, false, 0, false), (Local, LocalFirst)),
            ((true, 100, true, 0, false), (Remote, LongBatch)),
            ((true, 101, true, 0, false), (Remote, LongBatch)),
            ((true, 1, true, 0, false), (Local, LocalFirst)),
            ((true, 1, false, 1, false), (Local, LocalFirst)),
            ((true, 1, false, 2, false), (Local, LocalFirst)),
            ((true, 1, false, 3, false), (Remote, Failures)),
            ((true, 1, false, 4, false), (Remote, Failures)),
            ((true, 1, false, 0, true), (Remote, UsedUp)),
            ((true, 1, false, 3, true), (Remote, UsedUp)),
            ((false, 500, true, 3, true), (Remote, NoneHere)),
        ];
        for (row, auto) in table {
            let (can_run_here, items, in_background, failures_here, attempts_used_up) = row;
            let came_to = |wish, has_remote| {
                outcome(Situation {
                    wish,
                    has_remote,
                    can_run_here,
                    items,
                    in_background,
                    failures_here,
                    attempts_used_up,
                })
            };
            assert_eq!(came_to(BrowserWish::Auto, true), Ok(auto), "{row:?}");
            // Without a remote browser there is nowhere else to go.
            let alone = came_to(BrowserWish::Auto, false);
            assert_eq!(alone, Ok((Local, LocalFirst)), "{row:?}");
            for has_remote in [true, false] {
                let local = came_to(BrowserWish::Local, has_remote);
                assert_eq!(local, Ok((Local, Why::Asked)), "{row:?}");
            }
            let remote = came_to(BrowserWish::Remote, true);
            assert_eq!(remote, Ok((Remote, Why::Asked)), "{row:?}");
            let nowhere = came_to(BrowserWish::Remote, false);
            assert_eq!(nowhere, Err(ErrorKind::NotConfigured), "{row:?}");
        }
        assert_eq!(outcome(Situation::default()), Ok((Local, LocalFirst)));
    }

    #[test]
    fn two_failures_stay_here_the_third_goes_away_and_a_success_resets() {
        use BrowserPlace::{Local, Remote};
        let mut streak = Streak::default();
        let place = |streak: Streak| {
            let situation = Situation {
                failures_here: streak.0,
                ..HERE
            };
            choose(&situation).unwrap().place
        };
        for _ in 0..FAILURES_MAX {
            assert_eq!(place(streak), Local);
            streak = streak.after(Local, false);
        }
        assert_eq!(place(streak), Remote);
        // What the remote browser comes to says nothing of this machine.
        for is_success in [true, false] {
            streak = streak.after(Remote, is_success);
            assert_eq!(place(streak), Remote);
        }
        assert_eq!(place(streak.after(Local, true)), Local);
    }

    #[test]
    fn no_remote_browser_is_said_with_what_to_set() {
        let wish = BrowserWish::Remote;
        let error = choose(&Situation {
            wish,
            ..Situation::default()
        })
        .unwrap_err();
        assert!(error.hint.unwrap().contains("BROWSERBASE_API_KEY"));
    }
}
