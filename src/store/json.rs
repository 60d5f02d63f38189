//! The registry as a JSON file, for other programs: written whole, so that a
//! reader always finds one that is whole.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use super::Change;
use crate::disk;
use crate::model::{Kept, SessionRecord, UnixTime};

/// Keeps the file as the registry is.
#[derive(Debug)]
pub(super) struct Mirror {
    path: PathBuf,
    sessions: BTreeMap<String, Entry>,
}

/// The whole file.
#[derive(Serialize)]
struct Registry<'a> {
    sessions: &'a BTreeMap<String, Entry>,
    active_sessions: Vec<&'a str>,
    last_updated: String,
}

/// One session, in the fields that other programs know.
#[derive(Debug, Serialize)]
struct Entry {
    session_id: String,
    session_name: Option<String>,
    created_at: String,
    last_activity: String,
    current_url: String,
    active: bool,
    page_count: u32,
    metadata: Map<String, Value>,
}

impl Entry {
    fn of(record: &SessionRecord) -> Self {
        Self {
            session_id: record.session_id.to_string(),
            session_name: record.session_name.as_ref().map(ToString::to_string),
            created_at: record.created_at.clone(),
            last_activity: record.last_activity.clone(),
            current_url: record.current_url.clone(),
            active: record.active,
            page_count: record.page_count,
            metadata: record.metadata.clone(),
        }
    }
}

impl Mirror {
    /// Shows these sessions, and writes them at once; what cannot be written now is tried again.
    pub(super) fn new(path: &Path, kept: &[Kept]) -> Self {
        let entries = kept.iter().map(|kept| {
            let entry = Entry::of(&kept.record);
            (entry.session_id.clone(), entry)
        });
        let mirror = Self {
            path: path.to_owned(),
            sessions: entries.collect(),
        };
        if let Err(error) = mirror.replace() {
            tracing::warn!(%error, "the registry's JSON file cannot be written");
        }
        mirror
    }

    pub(super) fn write(&mut self, changes: &[Change]) -> io::Result<()> {
        for change in changes {
            match change {
                Change::Put(kept) => {
                    let entry = Entry::of(&kept.record);
                    self.sessions.insert(entry.session_id.clone(), entry);
                }
                Change::Remove(id) => drop(self.sessions.remove(&id.to_string())),
                Change::Ended { .. }
                | Change::ForgetEnded { .. }
                | Change::Links { .. }
                | Change::Work(_) => (),
            }
        }
        self.replace()
    }

    fn replace(&self) -> io::Result<()> {
        let active = self.sessions.values().filter(|entry| entry.active);
        let registry = Registry {
            active_sessions: active.map(|entry| entry.session_id.as_str()).collect(),
            sessions: &self.sessions,
            last_updated: UnixTime::now().to_iso8601(),
        };
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        disk::replace(&self.path, &serde_json::to_vec_pretty(&registry)?)
    }
}
