//! What is kept of a session on disk.

use super::session::{SessionRecord, SessionSpec};

/// A session as the registry has it: what it was asked to be, and how it was last.
#[derive(Debug, Clone)]
pub struct Kept {
    /// As it was last.
    pub record: SessionRecord,
    /// What it was asked to be; no token, and of its secrets the labels alone.
    pub spec: SessionSpec,
    /// What its tabs showed, the current one first.
    pub tabs: Vec<String>,
    /// Labels of the secrets that it had; their values are nowhere.
    pub secret_labels: Vec<String>,
}
