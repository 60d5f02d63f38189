//! What a session tells of the files that its pages gave.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use super::handle::SessionHandle;
use crate::error::Error;
use crate::model::{BrowserPlace, DownloadInfo, DownloadState};

/// How long a file that is asked for is waited for.
const WHOLE_WITHIN: Duration = Duration::from_secs(1);

impl SessionHandle {
    /// The session's downloads, oldest first.
    pub fn downloads(&self) -> Result<Vec<DownloadInfo>, Error> {
        self.must_be_open()?;
        let mut all = self.tabs.downloads().list();
        for download in &mut all {
            self.secrets.mask_text(&mut download.name);
        }
        Ok(all)
    }

    /// A download that is whole, and where its file is. One that still comes is waited for, for a
    /// moment: Chromium tells of its last byte before it says that it is whole.
    pub async fn download(&self, id: &str) -> Result<(DownloadInfo, PathBuf), Error> {
        self.must_be_open()?;
        let downloads = self.tabs.downloads();
        let is_settled = |_: &u64| {
            let found = downloads.find(id);
            found.is_none_or(|(info, _)| info.state != DownloadState::InProgress)
        };
        // One that takes longer is said to be still coming.
        let _ = timeout(WHOLE_WITHIN, downloads.watch().wait_for(is_settled)).await;
        self.must_be_open()?;
        let (mut info, file) = downloads.find(id).ok_or_else(|| {
            let shown: String = id.chars().take(64).collect();
            Error::not_found(format!("this session has no download \"{shown}\""))
                .hint("GET /sessions/{room_name}/downloads lists them.")
        })?;
        self.secrets.mask_text(&mut info.name);
        match file {
            Some(file) => Ok((info, file)),
            None if self.record.borrow().browser == BrowserPlace::Remote => Err(far_away(&info)),
            None => Err(not_whole(&info)),
        }
    }
}

/// Why there is no file of what a remote browser has downloaded.
fn far_away(info: &DownloadInfo) -> Error {
    let (why, hint) = match info.state {
        DownloadState::Refused => (
            "was refused: the session's browser is remote, and has no place for it",
            "Set remote.downloads_dir to have it kept over there, or use a session with browser \"local\".",
        ),
        _ => (
            "is not here: the session's browser is remote, and its files stay on its machine",
            "Take it from remote.downloads_dir over there, or use a session with browser \"local\".",
        ),
    };
    Error::conflict(format!("the download \"{}\" {why}", info.name)).hint(hint)
}

/// Why there is no file, and what to do about it.
fn not_whole(info: &DownloadInfo) -> Error {
    let (why, hint) = match info.state {
        DownloadState::InProgress => ("is still coming", "Try again when its state is completed."),
        DownloadState::Completed => ("is no longer kept", "Download it again."),
        DownloadState::Failed => (
            "broke off, and what came of it is not kept",
            "Download it again.",
        ),
        DownloadState::Refused => (
            "was refused",
            "It is too large, one too many, or its host is not allowed.",
        ),
    };
    Error::conflict(format!("the download \"{}\" {why}", info.name)).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn what_is_not_whole_is_never_given() {
        for (state, words) in [
            (DownloadState::InProgress, "still coming"),
            (DownloadState::Failed, "broke off"),
            (DownloadState::Refused, "was refused"),
        ] {
            let info = DownloadInfo {
                id: "a".to_owned(),
                name: "archive.zip".to_owned(),
                state,
                bytes: 30_000,
            };
            let error = not_whole(&info);
            assert_eq!(error.kind, ErrorKind::Conflict);
            assert!(error.message.contains(words), "{error}");
            assert!(error.message.contains("archive.zip"), "{error}");
        }
    }
}
