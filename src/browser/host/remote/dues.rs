//! What a vendor is to be told yet: runs that are over, and contexts whose profiles are deleted. It is noted by
//! name on the disk, so that what a service that was killed has left, or what the vendor did not take, is told by
//! the next one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use tokio::time::{sleep, timeout};

use super::super::super::error::Far;
use super::{Contexts, Remote};
use crate::disk;
use crate::error::Chain;

/// A vendor takes what it is told within this time.
const TOLD_WITHIN: Duration = Duration::from_secs(5);
/// It is told again so many times,
const AGAIN_MAX: u32 = 5;
/// the first time after this pause, which doubles from the one to the other.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// What is left is told so many at a time.
const AT_ONCE: usize = 4;

/// What is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The end of a run.
    Run,
    /// The deletion of a context.
    Context,
}

impl Due {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Context => "context",
        }
    }
}

/// What is noted: a directory for runs and one for contexts, with a file for each, in which is whose it is.
#[derive(Debug)]
pub(super) struct Dues {
    directory: Option<PathBuf>,
    whose: String,
    /// What was noted before this service began.
    left: Mutex<Vec<(Due, String)>>,
}

impl Dues {
    /// Keeps them in `directory`; without one, they are not known after a kill. What lies there is read before
    /// there is anything new.
    pub(super) fn new(directory: Option<&Path>, whose: Option<String>) -> Self {
        let dues = Self {
            directory: directory.map(Path::to_owned),
            whose: whose.unwrap_or_default(),
            left: Mutex::default(),
        };
        let left = [Due::Run, Due::Context].map(|due| dues.all(due));
        *dues.left.lock().unwrap_or_else(PoisonError::into_inner) = left.concat();
        dues
    }

    fn place(&self, due: Due) -> Option<PathBuf> {
        let name = match due {
            Due::Run => "remote-runs",
            Due::Context => "remote-contexts",
        };
        self.directory.as_ref().map(|it| it.join(name))
    }

    /// Notes one. Names are plain, as the vendor's are checked to be.
    pub(super) async fn note(&self, due: Due, id: &str) {
        let Some(directory) = self.place(due) else {
            return;
        };
        let (id, whose) = (id.to_owned(), self.whose.clone());
        let noting = move || -> io::Result<()> {
            disk::private_directory(&directory)?;
            fs::write(directory.join(id), whose)
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(noting).await {
            tracing::warn!(%error, "what a vendor is to be told cannot be noted: after a kill it is not told");
        }
    }

    /// Forgets one that the vendor was told of.
    async fn forget(&self, due: Due, id: &str) {
        if let Some(directory) = self.place(due) {
            // There may be none.
            let _ = tokio::fs::remove_file(directory.join(id)).await;
        }
    }

    /// Those that are noted, but for what is another vendor's or of another account.
    fn all(&self, due: Due) -> Vec<(Due, String)> {
        let entries = self.place(due).and_then(|it| fs::read_dir(it).ok());
        let (mut all, mut others) = (Vec::new(), 0);
        for entry in entries.into_iter().flatten().flatten() {
            let is_own = fs::read_to_string(entry.path()).is_ok_and(|whose| whose == self.whose);
            match entry.file_name().into_string() {
                Ok(id) if is_own => all.push((due, id)),
                _ => others += 1,
            }
        }
        if others > 0 {
            tracing::warn!(
                others,
                kind = due.as_str(),
                "what another provider of remote browsers is to be told waits until that one is configured again"
            );
        }
        all
    }
}

impl Remote {
    /// Tells the vendor what a service before has left.
    pub async fn end_strays(&self) {
        let left = &self.inner.dues.left;
        let left = std::mem::take(&mut *left.lock().unwrap_or_else(PoisonError::into_inner));
        let telling = futures::stream::iter(left).map(|(due, id)| async move {
            tracing::warn!(
                id,
                kind = due.as_str(),
                "what a service before has left at a vendor is given back"
            );
            self.settle(due, id).await;
        });
        telling.buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    /// Has the vendor delete contexts whose profiles are deleted, with the logins in them.
    pub async fn drop_contexts(&self, contexts: Contexts) {
        for (whose, context) in contexts.into_all() {
            if self.inner.provider.is_some() && whose == self.inner.dues.whose {
                self.owe(Due::Context, context).await;
            } else {
                tracing::warn!(
                    context,
                    whose,
                    "the remote context of a profile that is deleted stays: its provider is not configured"
                );
            }
        }
    }

    /// Notes what the vendor is to be told, and tells it.
    pub(super) async fn owe(&self, due: Due, id: String) {
        self.inner.dues.note(due, &id).await;
        self.settle(due, id).await;
    }

    /// Tells the vendor; what it does not take now, it is told again some times.
    pub(super) async fn settle(&self, due: Due, id: String) {
        if !self.tell(due, &id).await {
            let remote = self.clone();
            self.inner
                .tracker
                .spawn(async move { remote.tell_again(due, &id).await });
        }
    }

    async fn tell_again(&self, due: Due, id: &str) {
        let mut pause = AGAIN_AFTER;
        for _ in 0..AGAIN_MAX {
            let paused = self.inner.cancel.run_until_cancelled(sleep(pause)).await;
            if paused.is_none() {
                break;
            }
            if self.tell(due, id).await {
                return;
            }
            pause *= 2;
        }
        tracing::warn!(
            id,
            kind = due.as_str(),
            "what a vendor is to be told waits for the service's next start"
        );
    }

    /// Whether there is nothing to be told any more.
    async fn tell(&self, due: Due, id: &str) -> bool {
        let Some(provider) = &self.inner.provider else {
            return true;
        };
        let telling = match due {
            Due::Run => provider.end(id),
            Due::Context => provider.drop_context(id),
        };
        let told = timeout(TOLD_WITHIN, telling).await;
        // One that is not there any more is as good as given back.
        let is_done = matches!(&told, Ok(answer)
            if answer.as_ref().map_or_else(|error| error.is_far(Far::Missing), |()| true));
        let kind = due.as_str();
        let outcome = if is_done { "done" } else { "failed" };
        metrics::counter!("ghostcast_remote_releases_total", "kind" => kind, "outcome" => outcome)
            .increment(1);
        match told {
            Ok(Ok(())) => tracing::debug!(id, kind, "it is given back to a vendor"),
            Ok(Err(error)) => {
                tracing::warn!(id, kind, error = %Chain(&error), "it could not be given back to a vendor");
            }
            Err(_) => tracing::warn!(id, kind, "it could not be given back to a vendor in time"),
        }
        if is_done {
            self.inner.dues.forget(due, id).await;
        }
        is_done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(dues: &Dues) -> Vec<(Due, String)> {
        dues.left.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn what_is_owed_is_known_until_it_is_told_and_what_is_others_is_left_alone() {
        let directory = std::env::temp_dir().join(format!("dues-{}", uuid::Uuid::new_v4()));
        let of = |whose: &str| Dues::new(Some(&directory), Some(whose.to_owned()));
        let dues = of("a");
        dues.note(Due::Run, "s-1").await;
        dues.note(Due::Context, "c-1").await;
        // What is new is nobody's stray.
        assert!(left(&dues).is_empty());
        let all = [
            (Due::Run, "s-1".to_owned()),
            (Due::Context, "c-1".to_owned()),
        ];
        assert_eq!(left(&of("a")), all);
        assert!(left(&of("b")).is_empty());
        dues.forget(Due::Run, "s-1").await;
        dues.forget(Due::Context, "c-1").await;
        assert!(left(&of("a")).is_empty());
        fs::remove_dir_all(directory).unwrap();
        let none = Dues::new(None, Some("a".to_owned()));
        none.note(Due::Run, "s-1").await;
        assert!(none.all(Due::Run).is_empty());
    }
}
