//! What is kept on disk, and where.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::load::state_directory;

/// What is kept on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Where the registry and the profiles of sessions with a name lie, for one service at a time;
    /// empty for the user's state directory.
    pub directory: PathBuf,
    /// A JSON file that shows the registry to other programs; empty for none.
    pub registry_file: PathBuf,
    /// When stored sessions come back: at their first use, or all at the service's start.
    pub restore: Restore,
    /// What is too old, or takes too much room, is looked for this often, seconds.
    pub sweep_every_s: u64,
    /// The profile of a name without a session is deleted when it was not used for this long, hours; 0 for
    /// never.
    pub profile_max_age_h: f64,
    /// What was set aside in profiles, since Chromium could not use it, is deleted after this time, hours;
    /// 0 for never.
    pub set_aside_max_age_h: f64,
    /// All of that together, bytes; beyond it the oldest go.
    pub set_aside_total_bytes_max: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            directory: PathBuf::new(),
            registry_file: PathBuf::new(),
            restore: Restore::default(),
            sweep_every_s: 600,
            profile_max_age_h: 0.0,
            set_aside_max_age_h: 720.0,
            set_aside_total_bytes_max: 1 << 30,
        }
    }
}

/// When stored sessions come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restore {
    /// Each when it is used.
    #[default]
    Lazy,
    /// One after the other at the service's start.
    Eager,
}

impl State {
    /// Where the registry and the profiles lie.
    pub fn place(&self) -> PathBuf {
        match self.is_usual() {
            true => state_directory(),
            false => self.directory.clone(),
        }
    }

    /// Whether nobody has said where.
    pub fn is_usual(&self) -> bool {
        self.directory.as_os_str().is_empty()
    }

    /// The JSON file, if one is wanted.
    pub fn json(&self) -> Option<&Path> {
        Some(self.registry_file.as_path()).filter(|path| !path.as_os_str().is_empty())
    }
}
