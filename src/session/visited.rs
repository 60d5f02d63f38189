//! The origins that a session's pages have been on: where sites may have stored something.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::handle::SessionHandle;
use crate::error::Error;
use crate::model::StorageState;

/// Origins that are remembered; what comes beyond is not.
const ORIGINS_MAX: usize = 500;

/// The origins that were visited. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Visited(Arc<Mutex<BTreeSet<String>>>);

impl Visited {
    /// Those that are known already.
    pub(super) fn new(known: BTreeSet<String>) -> Self {
        Self(Arc::new(Mutex::new(known)))
    }

    /// Notes where a page is.
    pub(super) fn note(&self, url: &str) {
        let Ok(url) = url::Url::parse(url) else {
            return;
        };
        if !matches!(url.scheme(), "http" | "https") {
            return;
        }
        let mut origins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if origins.len() < ORIGINS_MAX {
            origins.insert(url.origin().ascii_serialization());
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> BTreeSet<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl SessionHandle {
    /// What sites know the session by, with their databases where they are wanted: whoever has it is logged
    /// in.
    pub async fn storage_state(&self, with_databases: bool) -> Result<StorageState, Error> {
        self.must_have_browser()?;
        let visited = self.visited.all();
        let taking = async { Ok(self.tabs.storage_state(visited, with_databases).await?) };
        let state = self.openly(taking).await?;
        self.touch();
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_known_by_their_origins() {
        let visited = Visited::default();
        for url in [
            "https://a.test/x?y",
            "https://a.test/z",
            "http://a.test:8080/",
            "about:blank",
            "data:text/html,x",
            "nonsense",
        ] {
            visited.note(url);
        }
        let all: Vec<String> = visited.all().into_iter().collect();
        assert_eq!(all, ["http://a.test:8080", "https://a.test"]);
    }
}
