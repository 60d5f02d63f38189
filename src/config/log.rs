//! The log files.

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::State;
use crate::error::Error;

/// A file of fewer bytes would be full of itself: one line may be as long.
const BYTES_MIN: u64 = 4 * 1024;
/// More files than anybody reads.
const FILES_MAX: u32 = 1_000;

/// The log files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Where they lie. Empty for `logs` in the state directory where the service runs in the background,
    /// and for no files where it runs in the foreground.
    pub directory: PathBuf,
    /// How a line is written.
    pub format: LogFormat,
    /// Whether the ends of actions are written to a file of their own, where there are log files.
    pub actions: bool,
    /// What is told, as `GHOSTCAST_LOG` says it, which wins over this; empty for the usual.
    pub level: String,
    /// A file is put aside before it grows beyond this, bytes.
    pub bytes_max: u64,
    /// Files that were put aside and are kept, of each log; older ones are deleted.
    pub files_max: u32,
    /// One that was put aside longer ago is deleted, hours; 0 for never.
    pub max_age_h: f64,
}

/// How a line of a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// `TIME LEVEL PART: MESSAGE`.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

impl LogFormat {
    /// As settings have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Text, Self::Json]
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| "it is text or json".to_owned())
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            directory: PathBuf::new(),
            format: LogFormat::Text,
            actions: true,
            level: String::new(),
            bytes_max: 10 << 20,
            files_max: 5,
            max_age_h: 0.0,
        }
    }
}

impl Log {
    /// Whether somebody has said where the files lie.
    pub fn is_placed(&self) -> bool {
        !self.directory.as_os_str().is_empty()
    }

    /// Where the files lie of a service that runs in the background.
    pub fn place(&self, state: &State) -> PathBuf {
        match self.is_placed() {
            true => self.directory.clone(),
            false => state.place().join("logs"),
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.bytes_max < BYTES_MIN || !(1..=FILES_MAX).contains(&self.files_max) {
            return Err(
                Error::invalid_input("the log settings are out of range").hint(format!(
                    "log.bytes_max is {BYTES_MIN} or more, log.files_max from 1 to {FILES_MAX}."
                )),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_background_lie_in_the_state_directory() {
        let state = State {
            directory: "/srv/state".into(),
            ..State::default()
        };
        let mut log = Log::default();
        assert_eq!(log.place(&state), PathBuf::from("/srv/state/logs"));
        log.directory = "/var/log/ghostcast".into();
        assert_eq!(log.place(&state), PathBuf::from("/var/log/ghostcast"));
    }

    #[test]
    fn logs_are_bounded() {
        assert!(Log::default().check().is_ok());
        for (bytes_max, files_max) in [(0, 5), (1 << 20, 0), (1 << 20, 100_000)] {
            let log = Log {
                bytes_max,
                files_max,
                ..Log::default()
            };
            assert!(log.check().is_err(), "{log:?}");
        }
    }

    #[test]
    fn formats_are_read_as_they_are_written() {
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(format.as_str().parse(), Ok(format));
            let json = serde_json::to_value(format).unwrap();
            assert_eq!(json, format.as_str());
        }
        assert!("xml".parse::<LogFormat>().is_err());
    }
}
