//! What is kept of a session while it runs: its row in the registry, and its browser's cookies.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::visited::Visited;
use crate::browser::{Jar, Tabs};
use crate::error::{Chain, Error};
use crate::model::secrets::Entry;
use crate::model::{Kept, Secrets, SessionRecord};
use crate::store::Registry;

/// What happens within this time is written down together.
const TOGETHER: Duration = Duration::from_millis(200);
/// A page may set cookies without a sign of it: they are looked at this often at least.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A browser that is asked for its cookies answers within this time, or is asked again later.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Writes down what tells sites who is there: cookies, and what their pages have stored.
async fn keep_logins(jar: &Jar, tabs: &Tabs, visited: &Visited) {
    let saving = async {
        jar.save().await?;
        jar.save_origins(visited.all()).await?;
        jar.save_storage(tabs.storage().await).await
    };
    // One that does not answer is asked again later.
    if let Ok(Err(error)) = timeout(ANSWER_WITHIN, saving).await {
        tracing::debug!(error = %Chain(&error), "what a site knows of us could not be kept");
    }
}

/// Keeps one session. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Keeping {
    last: Arc<Mutex<Kept>>,
    registry: Registry,
    secrets: Secrets,
    /// Whether the last word is written: whoever is late must not write after it.
    is_over: Arc<tokio::sync::Mutex<bool>>,
}

impl Keeping {
    /// Begins with what a session is asked to be.
    pub(super) fn new(first: Kept, registry: Registry, secrets: Secrets) -> Self {
        Self {
            last: Arc::new(Mutex::new(first)),
            registry,
            secrets,
            is_over: Arc::default(),
        }
    }

    /// What the session may type and never tells.
    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Notes further secrets: their labels are written down, and their values kept for as long as the service
    /// runs.
    pub(super) async fn learn(&self, more: &BTreeMap<String, Entry>) -> Result<(), Error> {
        {
            let mut last = self.lock();
            for (label, entry) in more {
                if !last.secret_labels.contains(label) {
                    last.secret_labels.push(label.clone());
                }
                last.spec.secrets.insert(label.clone(), entry.clone());
            }
        }
        match self.is_wanted() {
            true => self.write().await,
            false => Ok(()),
        }
    }

    /// Where it is kept.
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The session as it was last seen alive.
    pub(super) fn last(&self) -> Kept {
        self.lock().clone()
    }

    /// Whether there is anything to keep of the session.
    pub(super) fn is_wanted(&self) -> bool {
        self.registry.takes(&self.lock().record)
    }

    /// Writes the session down as it is; when this returns it is on the disk.
    pub(super) async fn write(&self) -> Result<(), Error> {
        let is_over = self.is_over.lock().await;
        match *is_over {
            true => Ok(()),
            false => self.registry.put(self.last()).await,
        }
    }

    /// Writes the session down as one that has no browser any more, and why.
    pub(super) async fn put_away(&self, why: &str) -> Result<(), Error> {
        {
            let record = &mut self.lock().record;
            record.active = false;
            record.state_reason = Some(why.to_owned());
        }
        let mut is_over = self.is_over.lock().await;
        if std::mem::replace(&mut *is_over, true) {
            return Ok(());
        }
        self.registry.put(self.last()).await
    }

    /// Forgets the session.
    pub(super) async fn forget(&self) -> Result<(), Error> {
        let mut is_over = self.is_over.lock().await;
        *is_over = true;
        if !self.is_wanted() {
            return Ok(());
        }
        let id = self.lock().record.session_id;
        self.registry.remove(id).await
    }

    /// Writes down what changes, until the session is dead.
    pub(super) async fn run(
        self,
        mut record: watch::Receiver<SessionRecord>,
        tabs: Tabs,
        jar: Option<Jar>,
        visited: Visited,
    ) {
        if !self.is_wanted() {
            return;
        }
        loop {
            // The cookies are looked at without a change too.
            let changed = timeout(LOOK_EVERY, record.changed()).await;
            if matches!(changed, Ok(Err(_))) || record.borrow().state.is_dead() {
                return;
            }
            sleep(TOGETHER).await;
            let now = record.borrow_and_update().clone();
            if now.state.is_dead() {
                return;
            }
            let is_news = self.note(now, &tabs);
            if let Some(jar) = &jar {
                keep_logins(jar, &tabs, &visited).await;
            }
            if is_news && let Err(error) = self.write().await {
                tracing::debug!(%error, "a session could not be written down");
            }
        }
    }

    /// Takes the session as it is; answers whether that is another than before, as far as it is kept.
    pub(super) fn note(&self, now: SessionRecord, tabs: &Tabs) -> bool {
        if now.control.private {
            // Where a person is by themselves is not written down here. What sites know them by is kept all the
            // same: they may have come to log in.
            return false;
        }
        let mut tabs = tabs.list();
        tabs.sort_by_key(|tab| !tab.current);
        // An address with a secret in it is nowhere on the disk.
        let known = |url: String| match self.secrets.mask(&url) {
            Cow::Borrowed(_) => url,
            Cow::Owned(_) => String::new(),
        };
        let tabs: Vec<String> = tabs.into_iter().map(|tab| known(tab.url)).collect();
        let mut last = self.lock();
        let before = &last.record;
        let is_news = tabs != last.tabs
            || before.last_activity != now.last_activity
            || before.current_url != now.current_url
            || before.title != now.title
            || before.page_count != now.page_count
            || before.active != now.active;
        last.record = now;
        last.tabs = tabs;
        is_news
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
