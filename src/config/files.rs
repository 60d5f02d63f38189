//! What callers have the service put on its own disk.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Recordings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recording {
    /// Where files are made; empty for the user's data directory.
    pub directory: PathBuf,
    /// A recording ends in order when its file is this large.
    pub bytes_max: u64,
    /// All files of the directory together; no recording starts beyond it.
    pub total_bytes_max: u64,
    /// What a recording leaves free on the file system.
    pub free_bytes_min: u64,
    /// A recording that ended longer ago is deleted, hours; 0 for never.
    pub max_age_h: f64,
}

/// Screenshots that are saved on the service's own disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Screenshots {
    /// Where they are saved; empty for the user's data directory.
    pub directory: PathBuf,
    /// All of them together; beyond it the oldest go.
    pub total_bytes_max: u64,
    /// One that was saved longer ago is deleted, hours; 0 for never.
    pub max_age_h: f64,
}

impl Default for Screenshots {
    fn default() -> Self {
        Self {
            directory: PathBuf::new(),
            total_bytes_max: 1 << 30,
            max_age_h: 0.0,
        }
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            directory: PathBuf::new(),
            bytes_max: 4 << 30,
            total_bytes_max: 20 << 30,
            free_bytes_min: 512 << 20,
            max_age_h: 0.0,
        }
    }
}
