//! What is kept on disk, and where.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::load::state_directory;

/// What is kept on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Where the registry and the profiles of sessions with a name lie, for one service at a time;
    /// empty for the user's state directory.
    pub directory: PathBuf,
    /// A JSON file that shows the registry to other programs; empty for none.
    pub registry_file: PathBuf,
    /// When stored sessions come back: at their first use, or all at the service's start.
    pub restore: Restore,
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
