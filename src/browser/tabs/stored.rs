//! What sites know a session by: its cookies, and what its pages have stored.

use std::collections::BTreeSet;

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
            let target = self.inner.ground.create().await?;
            let mut state = self.inner.state();
            state.known.insert(target.inner().clone(), Facts::default());
            target
        };
        let stored = storage::read(&process, &target, origins, with_databases).await;
        self.inner.forget(target.inner()).await;
        Ok(StorageState {
            cookies,
            origins: stored?,
            ..StorageState::default()
        })
    }
}
