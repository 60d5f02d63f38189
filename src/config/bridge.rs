//! A process of the operator's that does work for jobs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A framed worker that is kept running (REQUIREMENTS C24–C33).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bridge {
    /// Its program and what that is given; empty for none.
    pub command: Vec<String>,
    /// A call takes this long at most, milliseconds.
    pub timeout_ms: u64,
}

impl Default for Bridge {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            timeout_ms: 60_000,
        }
    }
}

impl Bridge {
    /// How long a call takes at most.
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.command.first().is_some_and(String::is_empty) {
            return Err(Error::invalid_input("bridge.command names no program")
                .hint("Write it as [\"program\", \"argument\"], or leave it empty."));
        }
        match (100..=600_000).contains(&self.timeout_ms) {
            true => Ok(()),
            false => Err(Error::invalid_input("bridge.timeout_ms is out of range")
                .hint("Use 100 to 600000 milliseconds.")),
        }
    }
}
