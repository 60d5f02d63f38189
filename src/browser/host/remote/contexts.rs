//! Which contexts of vendors have a kept session's logins, as it is noted beside its profile.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::super::error::{Error, Far};
use super::super::profile::CONTEXT;
use crate::disk;
use crate::error::BoxError;

const OPERATION: &str = "keep which remote context has a session's logins";

/// The contexts of one profile: one of each vendor that it was with.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Contexts(Vec<StoredContext>);

#[derive(Debug, Serialize, Deserialize)]
struct StoredContext {
    provider: String,
    context: String,
}

impl Contexts {
    /// What is noted in a file. What cannot be read is set aside, so that nothing is written over it.
    pub(super) async fn read(path: PathBuf) -> Result<Self, Error> {
        let reading = tokio::task::spawn_blocking(move || {
            let noted = match std::fs::read(&path) {
                Ok(noted) => noted,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
                Err(error) => return Err(failed(error)),
            };
            match serde_json::from_slice(&noted) {
                Ok(contexts) => Ok(contexts),
                Err(error) => {
                    let aside = disk::set_aside(&path).map_err(failed)?;
                    tracing::warn!(
                        %error, aside = %aside.display(),
                        "which remote context has a session's logins cannot be read; it is set aside"
                    );
                    Err(Error::far(Far::Unreadable, OPERATION).because(error))
                }
            }
        });
        reading.await.map_err(failed)?
    }

    /// What is noted in a profile's directory that is about to be deleted.
    pub(in crate::browser::host) fn in_profile(directory: &Path) -> Self {
        let Ok(noted) = std::fs::read(directory.join(CONTEXT)) else {
            return Self::default();
        };
        let contexts = serde_json::from_slice(&noted);
        contexts
            .inspect_err(|error| {
                tracing::warn!(%error, "a remote context may stay: which it was cannot be read");
            })
            .unwrap_or_default()
    }

    /// The one of a vendor.
    pub(super) fn of(&self, whose: &str) -> Option<&str> {
        let stored = self.0.iter().find(|stored| stored.provider == whose);
        stored.map(|stored| stored.context.as_str())
    }

    /// Notes the one of a vendor, in place of what it had before.
    pub(super) async fn note(
        &mut self,
        whose: &str,
        context: &str,
        path: PathBuf,
    ) -> Result<(), Error> {
        self.0.retain(|stored| stored.provider != whose);
        self.0.push(StoredContext {
            provider: whose.to_owned(),
            context: context.to_owned(),
        });
        let json = serde_json::to_vec(&self.0).map_err(failed)?;
        let writing = tokio::task::spawn_blocking(move || disk::replace(&path, &json)).await;
        writing.map_err(failed)?.map_err(failed)
    }

    /// Adds those of another profile.
    pub(in crate::browser::host) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Each with its vendor.
    pub(super) fn into_all(self) -> impl Iterator<Item = (String, String)> {
        self.0.into_iter().map(|it| (it.provider, it.context))
    }
}

fn failed(source: impl Into<BoxError>) -> Error {
    Error::Command {
        operation: OPERATION,
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_vendor_has_its_own_and_what_cannot_be_read_is_set_aside() {
        let directory = std::env::temp_dir().join(format!("contexts-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join(CONTEXT);
        let mut contexts = Contexts::read(path.clone()).await.unwrap();
        assert_eq!(contexts.of("a"), None);
        for (whose, context) in [("a", "1"), ("b", "2"), ("a", "3")] {
            contexts.note(whose, context, path.clone()).await.unwrap();
        }
        let again = Contexts::read(path.clone()).await.unwrap();
        assert_eq!((again.of("a"), again.of("b")), (Some("3"), Some("2")));
        assert_eq!(Contexts::in_profile(&directory).into_all().count(), 2);
        std::fs::write(&path, "{not json").unwrap();
        let error = Contexts::read(path.clone()).await.unwrap_err();
        assert!(error.is_far(Far::Unreadable));
        let aside = disk::all_set_aside(&directory);
        assert_eq!(aside.len(), 1, "{aside:?}");
        assert_eq!(std::fs::read(&aside[0].1).unwrap(), b"{not json");
        assert_eq!(Contexts::read(path).await.unwrap().of("a"), None);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
