//! How the pages of a browser of this machine are captured: where nobody says otherwise by the display if that can
//! be, else by the screencast, and why.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::error::Error;
use super::command;
use crate::config;
use crate::error::Chain;
use crate::model::session::CaptureMode;

/// For so long after it has failed, the display is not tried where nobody asks for it; twice as long each time
/// that it fails again soon.
const DISTRUSTED_FOR: Duration = Duration::from_secs(60);
/// No longer than this; and a failure that lies further back is forgotten.
const DISTRUSTED_FOR_MAX: Duration = Duration::from_secs(3600);

/// How a browser's pages are captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// `display` or `screencast`.
    pub mode: CaptureMode,
    /// Why it is the screencast, where nobody has asked for that.
    pub why: Option<String>,
}

/// What decides it.
#[derive(Debug)]
pub(super) struct Choice {
    executable: PathBuf,
    usual: CaptureMode,
    /// How the display has failed last.
    failed: Mutex<Option<Failure>>,
}

#[derive(Debug)]
struct Failure {
    at: Instant,
    why: String,
    distrusted_for: Duration,
}

impl Captured {
    pub(super) const fn by_display() -> Self {
        Self {
            mode: CaptureMode::Display,
            why: None,
        }
    }

    pub(super) const fn by_screencast(why: Option<String>) -> Self {
        Self {
            mode: CaptureMode::Screencast,
            why,
        }
    }

    pub(super) fn has_display(&self) -> bool {
        self.mode == CaptureMode::Display
    }

    /// In words.
    pub fn describe(&self) -> String {
        match (self.mode, &self.why) {
            (CaptureMode::Display, _) => "the display".to_owned(),
            (_, None) => "the screencast".to_owned(),
            (_, Some(why)) => format!("the screencast, for {why}"),
        }
    }
}

impl Choice {
    pub(super) fn new(config: &config::Browser) -> Self {
        Self {
            executable: config.executable.clone(),
            usual: config.capture,
            failed: Mutex::new(None),
        }
    }

    /// How a browser is captured that is asked for like this.
    pub(super) fn of(&self, asked: CaptureMode) -> Result<Captured, Error> {
        let found = command::executable_with_windows(&self.executable);
        match self.wanted(asked) {
            CaptureMode::Screencast => Ok(Captured::by_screencast(None)),
            CaptureMode::Display => found.map(|_| Captured::by_display()),
            CaptureMode::Auto => {
                let why = match found {
                    Ok(_) => self.trouble(),
                    Err(error) => Some(words(&error)),
                };
                Ok(match why {
                    None => Captured::by_display(),
                    why => Captured::by_screencast(why),
                })
            }
        }
    }

    /// Whether another way will do than the one that is taken.
    pub(super) fn is_free(&self, asked: CaptureMode) -> bool {
        self.wanted(asked) == CaptureMode::Auto
    }

    /// Notes that the display has failed where the screencast works. Answers why, in words.
    pub(super) fn note_failure(&self, error: &Error) -> String {
        tracing::warn!(error = %Chain(error), "no browser draws to the display");
        let why = words(error);
        self.distrust(why.clone());
        why
    }

    /// Notes that the display is of no use at the moment.
    pub(super) fn distrust(&self, why: String) {
        let mut failed = self.failed();
        let before = failed
            .take()
            .filter(|failure| failure.at.elapsed() < DISTRUSTED_FOR_MAX);
        let distrusted_for = before.map_or(DISTRUSTED_FOR, |before| {
            (before.distrusted_for * 2).min(DISTRUSTED_FOR_MAX)
        });
        tracing::warn!(
            why,
            ?distrusted_for,
            "where nobody asks for the display, the screencast is taken for a while"
        );
        *failed = Some(Failure {
            at: Instant::now(),
            why,
            distrusted_for,
        });
    }

    fn wanted(&self, asked: CaptureMode) -> CaptureMode {
        match asked {
            CaptureMode::Auto => self.usual,
            asked => asked,
        }
    }

    fn trouble(&self) -> Option<String> {
        let failed = self.failed();
        let recent = failed
            .as_ref()
            .filter(|failure| failure.at.elapsed() < failure.distrusted_for);
        recent.map(|failure| failure.why.clone())
    }

    fn failed(&self) -> MutexGuard<'_, Option<Failure>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn words(error: &Error) -> String {
    error.outside_words().message.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(executable: &str, usual: CaptureMode) -> Choice {
        Choice::new(&config::Browser {
            executable: executable.into(),
            capture: usual,
            ..config::Browser::default()
        })
    }

    #[test]
    fn what_is_asked_for_is_taken_or_refused() {
        let choice = choice("/bin/true", CaptureMode::Auto);
        let asked = |asked| choice.of(asked).unwrap();
        assert_eq!(asked(CaptureMode::Auto), Captured::by_display());
        assert_eq!(asked(CaptureMode::Display), Captured::by_display());
        assert_eq!(
            asked(CaptureMode::Screencast),
            Captured::by_screencast(None)
        );
        assert!(choice.is_free(CaptureMode::Auto) && !choice.is_free(CaptureMode::Display));
    }

    #[test]
    fn a_chromium_without_windows_is_said_to_have_none() {
        let choice = choice("/no/chromium-headless-shell", CaptureMode::Auto);
        assert!(choice.of(CaptureMode::Display).is_err());
        let taken = choice.of(CaptureMode::Auto).unwrap();
        assert!(!taken.has_display() && taken.why.is_some(), "{taken:?}");
    }

    #[test]
    fn a_display_that_has_failed_is_left_alone_for_a_while() {
        let choice = choice("/bin/true", CaptureMode::Auto);
        let why = choice.note_failure(&Error::Gone);
        let taken = choice.of(CaptureMode::Auto).unwrap();
        assert_eq!(taken, Captured::by_screencast(Some(why)));
        assert!(choice.of(CaptureMode::Display).unwrap().has_display());
        let age = |by: Duration| {
            let mut failed = choice.failed();
            let failure = failed.as_mut().unwrap();
            failure.at = failure.at.checked_sub(by).unwrap();
        };
        let is_by_display = || choice.of(CaptureMode::Auto).unwrap().has_display();
        age(DISTRUSTED_FOR);
        assert!(is_by_display());
        choice.note_failure(&Error::Gone);
        age(DISTRUSTED_FOR);
        assert!(!is_by_display(), "it has failed again soon");
        age(DISTRUSTED_FOR);
        assert!(is_by_display());
    }

    #[test]
    fn without_a_word_it_is_as_the_service_is_set() {
        for usual in [CaptureMode::Screencast, CaptureMode::Display] {
            let choice = choice("/bin/true", usual);
            let taken = choice.of(CaptureMode::Auto).unwrap();
            assert_eq!((taken.mode, taken.why), (usual, None));
            assert!(!choice.is_free(CaptureMode::Auto));
        }
    }
}
