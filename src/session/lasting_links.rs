//! Links of kept sessions on disk: they outlive the service, with their time, their one use and their end.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::links::Maker;
use super::manager::Manager;
use crate::error::Error;
use crate::model::{KeptLink, SessionId, UnixTime};

impl Manager {
    /// Writes the links of a session down as they are now, if that is kept; when this returns, they are on the
    /// disk.
    pub async fn keep_links(&self, session: SessionId) -> Result<(), Error> {
        let record = self.record(&session.to_string())?;
        if record.session_name.is_none() {
            return Ok(());
        }
        // What is written last is what is so last.
        let _in_turn = self.links().writing().await;
        let wall = UnixTime::now();
        let links = self.links();
        let links = links.lasting(session, Instant::now(), |left| wall.plus(left));
        self.means.registry.put_links(session, links).await
    }

    /// Ends the links that are good no more: those of a token that is gone on the disk too, or they would come back
    /// with it.
    pub fn tidy_links(&self) {
        let exists = |session: SessionId| self.record(&session.to_string()).is_ok();
        for session in self.links().upkeep(Instant::now(), exists) {
            let manager = self.clone();
            // A registry that cannot be written has been told of.
            let writing = async move { drop(manager.keep_links(session).await) };
            self.means.tracker.spawn(writing);
        }
    }

    /// Takes the links up again that an earlier run has kept. `holder` knows what those hang on that were made
    /// by that token; none where there is no such token any more, and the link is forgotten for good.
    pub async fn recall_links(
        &self,
        holder: impl Fn(&KeptLink) -> Option<(Maker, CancellationToken)>,
    ) {
        let Ok(kept) = self.means.registry.links().await else {
            // A registry that cannot be read has been told of.
            return;
        };
        let (now, wall) = (Instant::now(), UnixTime::now());
        let mut lost = HashSet::new();
        for link in kept {
            let Some((maker, gone)) = holder(&link) else {
                lost.insert(link.session);
                continue;
            };
            if let Ok(left) = Duration::try_from_secs_f64(link.expires.0 - wall.0) {
                self.links().recall(link, (maker, &gone), now + left);
            }
        }
        for session in lost {
            // One that cannot be written now is tried again when the session's links change.
            drop(self.keep_links(session).await);
        }
    }
}
