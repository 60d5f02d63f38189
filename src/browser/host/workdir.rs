//! Directories that Chromium may fill, and the proof of whose they are.
//!
//! One directory per run of the service, locked for as long as it lives. A later start finds the
//! directories whose lock is free: their owner is dead, so their browsers and files are orphans
//! and are cleared away.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::disk::Owned;
use crate::processes;

const PREFIX: &str = "ghostcast-";

/// This run's directory; removed when dropped.
#[derive(Debug)]
pub(crate) struct WorkDir {
    path: PathBuf,
    owned: Mutex<Owned>,
}

/// What an earlier run left behind and this one cleared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Directories removed.
    pub directories: usize,
    /// Processes ended.
    pub processes: usize,
}

impl WorkDir {
    /// Makes and locks a directory under `base`, or under the system's temporary directory when
    /// `base` is empty.
    pub(crate) fn create(base: &Path) -> io::Result<Self> {
        let base = base_or_temp(base);
        fs::create_dir_all(&base)?;
        let path = base.join(format!("{PREFIX}{}", new_name()));
        // What lies in it is for this service and its browsers alone.
        let owned = Owned::take(&path).map_err(io::Error::other)?;
        Ok(Self {
            path,
            owned: Mutex::new(owned),
        })
    }

    /// A new empty directory inside.
    pub(crate) fn subdirectory(&self) -> io::Result<PathBuf> {
        let path = self.path.join(new_name());
        match fs::create_dir(&path) {
            // Cleaners of temporary directories take the whole of it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
                *owned = Owned::take(&self.path).map_err(io::Error::other)?;
                tracing::warn!(path = %self.path.display(), "the work directory was removed; it is made anew");
                fs::create_dir(&path)?;
            }
            made => made?,
        }
        Ok(path)
    }
}

/// Short: a Chromium with windows makes a socket in its temporary directory, and the path of a socket has
/// room for 107 bytes, of which it takes 45 itself.
fn new_name() -> String {
    let (name, ..) = uuid::Uuid::new_v4().as_fields();
    format!("{name:08x}")
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // Chromium's last processes may still write while they end.
        for _ in 0..20 {
            match fs::remove_dir_all(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    std::thread::sleep(std::time::Duration::from_millis(25));
                }
                _ => return,
            }
        }
        tracing::warn!(path = %self.path.display(), "could not remove the work directory");
    }
}

/// Clears what dead runs of the service left under `base`.
pub fn sweep(base: &Path) -> Swept {
    let mut swept = Swept::default();
    let Ok(entries) = fs::read_dir(base_or_temp(base)) else {
        return swept;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let Some(_owned) = ours.then(|| Owned::inherit(&path)).flatten() else {
            continue;
        };
        swept.processes += end_processes(&path);
        if fs::remove_dir_all(&path).is_ok() {
            swept.directories += 1;
        }
    }
    swept
}

fn base_or_temp(base: &Path) -> PathBuf {
    if base.as_os_str().is_empty() {
        std::env::temp_dir()
    } else {
        base.to_owned()
    }
}

/// Ends the processes whose profile lies in `directory`.
fn end_processes(directory: &Path) -> usize {
    let marker = format!("--user-data-dir={}/", directory.display());
    kill_those_with(|argument| argument.starts_with(marker.as_bytes()))
}

/// Ends the browsers that a dead service left running on profiles in this directory, which is ours.
pub fn end_strays(profiles: &Path) -> usize {
    end_processes(profiles)
}

/// Ends a browser that runs on this profile, which nobody else may own.
pub(super) fn end_browser_of(profile: &Path) -> usize {
    let marker = format!("--user-data-dir={}", profile.display());
    kill_those_with(|argument| argument == marker.as_bytes())
}

/// Ends the processes with such an argument.
fn kill_those_with(is_it: impl Fn(&[u8]) -> bool) -> usize {
    let ours = processes::pids().filter(|pid| processes::has_word(*pid, &is_it, b"\0"));
    let numbers = ours.filter_map(|pid| i32::try_from(pid).ok());
    numbers
        .filter(|pid| kill(Pid::from_raw(*pid), Signal::SIGKILL).is_ok())
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dead_owners_are_swept() {
        let base = std::env::temp_dir().join(format!("sweep-{}", uuid::Uuid::new_v4()));
        let alive = WorkDir::create(&base).unwrap();
        let dead = base.join(format!("{PREFIX}dead"));
        fs::create_dir_all(dead.join("profile")).unwrap();
        fs::write(dead.join(crate::disk::LOCK), "").unwrap();
        let foreign = base.join(format!("{PREFIX}foreign"));
        fs::create_dir_all(&foreign).unwrap();
        assert_eq!(
            sweep(&base),
            Swept {
                directories: 1,
                processes: 0
            }
        );
        assert!(alive.path.exists() && foreign.exists() && !dead.exists());
        drop(alive);
        assert_eq!(fs::read_dir(&base).unwrap().count(), 1);
        fs::remove_dir_all(&base).unwrap();
    }
}
