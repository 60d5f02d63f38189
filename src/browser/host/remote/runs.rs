//! The runs that a vendor counts, by name on the disk, so that those of a service that was killed are given back
//! by the next one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk;

/// A directory with one file a run. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Runs(Option<PathBuf>);

impl Runs {
    /// Keeps them in `directory`; without one, they are not known after a kill.
    pub(super) fn new(directory: Option<&Path>) -> Self {
        Self(directory.map(Path::to_owned))
    }

    /// Notes a run. Names are plain, as the vendor's are checked to be.
    pub(super) async fn note(&self, id: &str) {
        let Some(directory) = self.0.clone() else {
            return;
        };
        let id = id.to_owned();
        let noting = move || -> io::Result<()> {
            disk::private_directory(&directory)?;
            fs::write(directory.join(id), [])
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(noting).await {
            tracing::warn!(%error, "a remote run cannot be noted: after a kill it is not given back");
        }
    }

    /// Forgets a run that was given back.
    pub(super) async fn forget(&self, id: &str) {
        if let Some(directory) = &self.0 {
            // There may be none.
            let _ = tokio::fs::remove_file(directory.join(id)).await;
        }
    }

    /// Those that are noted.
    pub(super) fn all(&self) -> Vec<String> {
        let entries = self.0.as_ref().and_then(|it| fs::read_dir(it).ok());
        let names = entries.into_iter().flatten().flatten();
        names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_is_known_until_it_is_given_back() {
        let directory = std::env::temp_dir().join(format!("runs-{}", std::process::id()));
        let runs = Runs::new(Some(&directory));
        assert!(runs.all().is_empty());
        runs.note("s-1").await;
        assert_eq!(Runs::new(Some(&directory)).all(), ["s-1"]);
        runs.forget("s-1").await;
        assert!(runs.all().is_empty());
        fs::remove_dir_all(directory).unwrap();
        let none = Runs::new(None);
        none.note("s-1").await;
        assert!(none.all().is_empty());
    }
}
