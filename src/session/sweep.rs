//! What is too old, or takes too much room, goes by itself, in the background: whatever is in use stays.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::lasting::is_own;
use super::{Manager, start};
use crate::browser::{self, Contexts, Profile};
use crate::config::{self, Config};
use crate::error::Chain;
use crate::model::ids::is_services;
use crate::model::{End, EndReason, SessionName, SessionRecord, SessionState, UnixTime};
use crate::publish::record::Shelf;
use crate::store::Gallery;

/// What the names of our logs begin with, and what stands before the number of one that was put aside.
const LOG_PREFIX: &str = "browser_session_";
const LOG_ASIDE: &str = ".log.";

/// Counts what was removed, and tells of it.
fn note(kind: &'static str, count: usize) {
    if count > 0 {
        tracing::info!(kind, count, "removed what was too old or too much");
        metrics::counter!("ghostcast_swept_total", "kind" => kind).increment(count as u64);
    }
}

impl Manager {
    /// Looks again and again for what is to go, until the service ends.
    pub async fn sweep_for_ever(self) {
        let every = Duration::from_secs(self.means.config.now().state.sweep_every_s);
        let cancel = self.means.cancel.clone();
        while cancel
            .run_until_cancelled(tokio::time::sleep(every))
            .await
            .is_some()
        {
            self.sweep_once().await;
        }
    }

    async fn sweep_once(&self) {
        self.forget_ended().await;
        self.remove_stored().await;
        let files = Files {
            shelf: self.means.shelf.clone(),
            gallery: start::gallery(&self.means.config.now().screenshots),
            config: self.means.config.now(),
            profiles: self.means.registry.profiles(),
            // Those of sessions that there are stay, and so do those that are in use.
            names: self.kept_names(),
        };
        // One that breaks is looked for again the next time.
        match tokio::task::spawn_blocking(move || files.sweep()).await {
            Ok(contexts) => self.means.remote.drop_contexts(contexts).await,
            Err(error) => tracing::warn!(%error, "what is too old could not be looked for"),
        }
    }

    /// Removes stored sessions that nothing has happened in for too long, with their profiles.
    async fn remove_stored(&self) {
        let hours = self.means.config.now().session.stored_max_age_h;
        let Some(age) = config::age(hours) else {
            return;
        };
        let before = UnixTime::now().minus(age).to_iso8601();
        // Of one form, so that the earlier one is the smaller.
        let is_old = |record: &SessionRecord| {
            record.state == SessionState::Stored && record.last_activity < before && !is_own(record)
        };
        let mut removed = 0;
        for record in self.records().into_iter().filter(is_old) {
            let id = record.session_id.to_string();
            match self.forget_stored(&id).await {
                Ok(Some(record)) => {
                    let detail = format!("stored, and nothing had happened in it for {hours} h");
                    let end = End::new(EndReason::Age, detail);
                    self.remember_stored(&record, end).await;
                    removed += 1;
                    let Some(name) = &record.session_name else {
                        continue;
                    };
                    tracing::info!(%name, %id, "a session that was stored for too long is removed");
                    if let Err(error) = self.delete_profile(name).await {
                        tracing::warn!(%name, error = %Chain(&error), "its profile stays");
                    }
                }
                // Somebody uses it by now.
                Ok(None) => (),
                Err(error) => {
                    tracing::warn!(%id, error = %Chain(&error), "a stored session cannot be removed");
                }
            }
        }
        note("stored_sessions", removed);
    }

    /// The names of all sessions, alive or stored.
    fn kept_names(&self) -> Vec<SessionName> {
        let records = self.records().into_iter();
        records.filter_map(|record| record.session_name).collect()
    }
}

/// What lies on the disk.
struct Files {
    shelf: Shelf,
    gallery: Gallery,
    config: std::sync::Arc<Config>,
    profiles: Option<std::path::PathBuf>,
    names: Vec<SessionName>,
}

impl Files {
    /// Answers the remote contexts that are left of profiles.
    fn sweep(&self) -> Contexts {
        let mut contexts = Contexts::default();
        let config = &self.config;
        if let Some(age) = config::age(config.recording.max_age_h) {
            note("recordings", self.shelf.sweep(age));
        }
        if let Some(age) = config::age(config.screenshots.max_age_h) {
            note("screenshots", self.gallery.sweep(age));
        }
        let work = browser::sweep_work(&config.browser.work_dir);
        note("work_directories", work.directories);
        if let Some(age) = config::age(config.log.max_age_h) {
            note("logs", sweep_logs(&config.log.place(&config.state), age));
        }
        if let Some(profiles) = &self.profiles {
            if let Some(age) = config::age(config.state.profile_max_age_h) {
                let is_kept = |name: &str| {
                    is_services(name) || self.names.iter().any(|kept| kept.as_str() == name)
                };
                let (count, left) = Profile::sweep(profiles, age, &is_kept);
                note("profiles", count);
                contexts = left;
            }
            let age = config::age(config.state.set_aside_max_age_h);
            let most = config.state.set_aside_total_bytes_max;
            note("set_aside", Profile::sweep_set_aside(profiles, age, most));
        }
        contexts
    }
}

/// Removes the log files that were put aside longer ago; the one that is written stays whatever its age.
fn sweep_logs(directory: &Path, age: Duration) -> usize {
    let Some(before) = SystemTime::now().checked_sub(age) else {
        return 0;
    };
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_aside = |name: &str| {
        let number = name
            .strip_prefix(LOG_PREFIX)
            .and_then(|rest| rest.split_once(LOG_ASIDE));
        number.is_some_and(|(_, number)| number.parse::<u32>().is_ok())
    };
    let aside = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_aside));
    let old = aside.filter(|entry| {
        let modified = entry.metadata().and_then(|found| found.modified());
        modified.is_ok_and(|modified| modified < before)
    });
    old.filter(|entry| std::fs::remove_file(entry.path()).is_ok())
        .count()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_logs_that_were_put_aside_go() {
        let place = std::env::temp_dir().join(format!("sweep-logs-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let stay = [
            "browser_session_server.log",
            "browser_session_server.log.pending.1",
            "other.log.1",
        ];
        let go = [
            "browser_session_server.log.1",
            "browser_session_daemon.log.12",
        ];
        let old = SystemTime::now() - Duration::from_secs(60);
        for name in stay.iter().chain(&go) {
            let file = fs::File::create(place.join(name)).unwrap();
            file.set_modified(old).unwrap();
        }
        fs::write(place.join("browser_session_server.log.2"), "young").unwrap();
        assert_eq!(sweep_logs(&place, Duration::from_secs(30)), 2);
        for name in go {
            assert!(!place.join(name).exists(), "{name}");
        }
        assert_eq!(fs::read_dir(&place).unwrap().count(), stay.len() + 1);
        fs::remove_dir_all(&place).unwrap();
    }
}
