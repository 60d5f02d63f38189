//! The files of one session: what its pages download, and what is uploaded to them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A private directory of one session; gone when dropped.
#[derive(Debug)]
pub(in crate::browser) struct Files {
    path: PathBuf,
}

impl Files {
    /// Takes over an empty directory.
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let files = Self { path };
        fs::create_dir(files.downloads())?;
        fs::create_dir(files.uploads())?;
        Ok(files)
    }

    /// Where Chromium puts what pages download.
    pub(in crate::browser) fn downloads(&self) -> PathBuf {
        self.path.join("downloads")
    }

    /// Where files lie that are uploaded to pages.
    pub(in crate::browser) fn uploads(&self) -> PathBuf {
        self.path.join("uploads")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        // The directory of the run, in which it lies, is removed at the latest with the service.
        tracing::debug!(%error, "a session's files are removed later");
    }
}
