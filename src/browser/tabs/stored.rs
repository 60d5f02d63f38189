//! What sites know a session by: its cookies, and what its pages have stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::Instrument;

use super::Tabs;
use super::facts::Facts;
use crate::browser::error::Error;
use crate::browser::host::{storage, vault};
use crate::model::StorageState;

impl Tabs {
    /// The cookies of the session's browser, and what these origins and those that are open have stored:
    /// `localStorage`, and databases where they are wanted.
    pub async fn storage_state(
        &self,
        visited: BTreeSet<String>,
        with_databases: bool,
    ) -> Result<StorageState, Error> {
        let process = self.inner.ground.process()?;
        let cookies = vault::cookies(&process, &self.inner.ground.context).await?;
        let mut origins = visited;
        origins.extend(self.storage().await.into_keys());
        let origins: Vec<String> = origins.into_iter().collect();
        let target = {
            // A page of our own, that nobody takes for one of the session's.
            let _opening = self.inner.opening.lock().await;
            let target = self.inner.ground.create().await?.target;
            let mut state = self.inner.state();
            state.known.insert(target.inner().clone(), Facts::default());
            target
        };
        let inner = Arc::clone(&self.inner);
        // To its end, though the caller may hang up: a page is not left behind.
        let reading = self.inner.ground.tracker.spawn(
            async move {
                let stored = storage::read(&process, &target, origins, with_databases).await;
                inner.forget(target.inner()).await;
                stored
            }
            .in_current_span(),
        );
        Ok(StorageState {
            cookies,
            origins: reading.await.map_err(|_| Error::Gone)??,
            ..StorageState::default()
        })
    }
}
