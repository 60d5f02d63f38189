//! What the session's pages download: kept in the session's own directory, bounded in size and
//! number, and gone with the session.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chromiumoxide_cdp::cdp::browser_protocol::browser::{
    CancelDownloadParams, DownloadProgressState, EventDownloadProgress, EventDownloadWillBegin,
};
use tokio::sync::watch;

use super::super::cdp::{Event, Session};
use super::super::host::pool::Downloads as Place;
use super::super::text::cut;
use crate::model::outcome::{DownloadInfo, DownloadState};
use crate::refusals::{self, Limit};

/// Bytes of one download, and of all that a session keeps.
pub const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Downloads that a session keeps.
pub const DOWNLOADS_MAX: usize = 100;
/// Longest file name, characters.
const NAME_CHARS_MAX: usize = 200;

/// The downloads of one session.
#[derive(Debug)]
pub struct Downloads {
    place: Place,
    context: String,
    all: Mutex<Vec<Download>>,
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Download {
    /// Chromium's name of it, and the name of its file.
    guid: String,
    info: DownloadInfo,
}

impl Downloads {
    /// None yet.
    pub(super) fn new(place: Place, context: &str) -> Self {
        Self {
            place,
            context: context.to_owned(),
            all: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// All of them, oldest first.
    pub fn list(&self) -> Vec<DownloadInfo> {
        self.all().iter().map(|one| one.info.clone()).collect()
    }

    /// How many there have been.
    pub(in crate::browser) fn count(&self) -> usize {
        self.all().len()
    }

    /// Those since there had been so many.
    pub(in crate::browser) fn since(&self, count: usize) -> Vec<DownloadInfo> {
        let all = self.all();
        let since = all.get(count..).unwrap_or_default();
        since.iter().map(|one| one.info.clone()).collect()
    }

    /// Counts what happens to them, to wait on.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// One of them, and where its file is when all of it is there.
    pub fn find(&self, id: &str) -> Option<(DownloadInfo, Option<PathBuf>)> {
        let all = self.all();
        let one = all.iter().find(|one| one.info.id == id)?;
        let is_whole = one.info.state == DownloadState::Completed;
        let file = match &self.place {
            Place::Here(directory) => is_whole.then(|| directory.join(&one.guid)),
            Place::There | Place::Nowhere => None,
        };
        Some((one.info.clone(), file))
    }

    /// Takes in what Chromium tells of downloads; `is_ours` says whether a frame is one of the
    /// session's. Answers the download whose state is another one now.
    pub(in crate::browser) fn hear(
        self: &Arc<Self>,
        event: &Event,
        browser: &Session,
        is_ours: impl Fn(&str) -> bool,
    ) -> Option<DownloadInfo> {
        let (told, cancelled) = match event.method.as_str() {
            "Browser.downloadWillBegin" => {
                let event = event.parse::<EventDownloadWillBegin>()?;
                is_ours(event.frame_id.inner()).then_some(())?;
                self.begin(&event)
            }
            "Browser.downloadProgress" => self.progress(&event.parse()?)?,
            _ => return None,
        };
        self.changed.send_modify(|count| *count += 1);
        if let Some(guid) = cancelled {
            let why = "a session's downloads are too large or too many";
            refusals::note(Limit::Downloads, why);
            self.cancel(browser, guid);
        }
        told
    }

    fn begin(&self, event: &EventDownloadWillBegin) -> (Option<DownloadInfo>, Option<String>) {
        let mut all = self.all();
        let kept: u64 = all.iter().map(|one| one.info.bytes).sum();
        let has_place = !matches!(self.place, Place::Nowhere);
        let is_one_too_many = all.len() >= DOWNLOADS_MAX || kept >= BYTES_MAX;
        let info = DownloadInfo {
            id: format!("d{}", all.len() + 1),
            name: file_name(&event.suggested_filename),
            state: match has_place && !is_one_too_many {
                true => DownloadState::InProgress,
                false => DownloadState::Refused,
            },
            bytes: 0,
        };
        all.push(Download {
            guid: event.guid.clone(),
            info: info.clone(),
        });
        // One that has no place is cancelled by the browser itself.
        let is_to_cancel = has_place && is_one_too_many;
        (Some(info), is_to_cancel.then(|| event.guid.clone()))
    }

    fn progress(
        &self,
        event: &EventDownloadProgress,
    ) -> Option<(Option<DownloadInfo>, Option<String>)> {
        let mut all = self.all();
        let others: u64 = all
            .iter()
            .filter(|one| one.guid != event.guid)
            .map(|one| one.info.bytes)
            .sum();
        let one = all.iter_mut().find(|one| one.guid == event.guid)?;
        let before = one.info.state;
        if before != DownloadState::InProgress {
            return None;
        }
        one.info.bytes = event.received_bytes.max(0.0) as u64;
        let is_too_large = one.info.bytes + others > BYTES_MAX;
        one.info.state = match event.state {
            _ if is_too_large => DownloadState::Refused,
            DownloadProgressState::InProgress => DownloadState::InProgress,
            DownloadProgressState::Completed => DownloadState::Completed,
            DownloadProgressState::Canceled => DownloadState::Failed,
        };
        let told = (one.info.state != before).then(|| one.info.clone());
        Some((told, is_too_large.then(|| event.guid.clone())))
    }

    fn cancel(&self, browser: &Session, guid: String) {
        let mut params = CancelDownloadParams::new(guid.clone());
        params.browser_context_id = Some(self.context.clone().into());
        let file = match &self.place {
            Place::Here(directory) => Some(directory.join(guid)),
            Place::There | Place::Nowhere => None,
        };
        let browser = browser.clone();
        // Ends by itself within the bound on a command.
        tokio::spawn(async move {
            // One that has ended needs no cancelling.
            let _ = browser.execute("cancel a download", params).await;
            if let Some(file) = file {
                let _ = tokio::fs::remove_file(file).await;
            }
        });
    }

    fn all(&self) -> MutexGuard<'_, Vec<Download>> {
        // Every change is whole when the lock is let go, whoever panicked.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name that is safe to show and to save under.
fn file_name(suggested: &str) -> String {
    let last = suggested.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = cut(last)
        .chars()
        .filter(|c| !c.is_control())
        .take(NAME_CHARS_MAX)
        .collect();
    match clean.trim_matches(['.', ' ']) {
        "" => "download".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_file_and_nothing_else() {
        for (suggested, name) in [
            ("prices.csv", "prices.csv"),
            ("../../etc/passwd", "passwd"),
            ("a\\b\u{0}c", "bc"),
            ("..", "download"),
            ("", "download"),
        ] {
            assert_eq!(file_name(suggested), name, "{suggested:?}");
        }
    }
}
