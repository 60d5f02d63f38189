//! What a person chooses of what a page offers.

use super::super::error::Error as BrowserError;
use super::super::tabs::Tabs;
use super::files;
use crate::error::Error;
use crate::model::command::UploadFile;
use crate::model::offer::PermissionAnswer;
use crate::refusals::{Limit, refused};

/// The index of the answer that permits what a page asks for; any other forbids it, and none leaves it open.
const PERMITTED: usize = 0;

/// Chooses an option of a list, answers what a page asks permission for, or does nothing at all.
pub(super) async fn choose(
    tabs: &Tabs,
    number: u64,
    index: Option<usize>,
) -> Result<(), BrowserError> {
    if let Some(opened) = tabs.offers().opened(number)
        && let Some(asked) = opened.asks()
    {
        // The page goes on when it is offered no more: what is answered is the browser's before.
        let answer = match index {
            Some(PERMITTED) => PermissionAnswer::Granted,
            Some(_) => PermissionAnswer::Denied,
            None => PermissionAnswer::Left,
        };
        let page = tabs.find(opened.tab());
        if let Some(url) = page.and_then(|page| opened.url(&page)) {
            tabs.permit(&url, asked, answer).await?;
        }
        tabs.offers().answer(number, answer);
        return Ok(());
    }
    // What is offered no more is chosen by nobody.
    let Some(opened) = tabs.offers().take(number) else {
        return Ok(());
    };
    let Some(page) = tabs.find(opened.tab()) else {
        return Ok(());
    };
    match index {
        Some(index) if opened.takes_files().is_none() => {
            opened.choose(&page, index).await?;
            Ok(())
        }
        Some(_) | None => opened.leave(&page).await,
    }
}

/// Gives a person's files to the field that asks for them.
pub async fn give_files(tabs: &Tabs, number: u64, given: &[UploadFile]) -> Result<(), Error> {
    let current = tabs.offers().opened(number);
    let takes = current.as_ref().and_then(|opened| opened.takes_files());
    let takes_many = takes.ok_or_else(asked_no_more)?;
    if given.len() > 1 && !takes_many {
        return Err(Error::invalid_input("the page takes one file").hint("Choose one."));
    }
    let current = tabs.current();
    let directory = current.uploads().ok_or_else(|| {
        Error::unsupported(
            "the session's browser is far away, where files of this machine are not found",
        )
        .hint("Use a session with browser \"local\".")
    })?;
    let opened = tabs.offers().take(number).ok_or_else(asked_no_more)?;
    let page = tabs.find(opened.tab()).ok_or_else(asked_no_more)?;
    let paths = files::lay(directory, given).await.map_err(not_laid)?;
    match opened.give(&page, &paths).await? {
        true => Ok(()),
        false => Err(asked_no_more()),
    }
}

fn asked_no_more() -> Error {
    Error::not_found("the page asks for no files, or not any more").hint("Press its field again.")
}

fn not_laid(error: files::Error) -> Error {
    match error {
        files::Error::Full => {
            let full = Error::exhausted(
                "this session's pages have been given all the files that are kept",
            )
            .hint("Start a new session to upload more.");
            refused(Limit::Uploads, full)
        }
        files::Error::Disk(error) => {
            Error::internal("the files could not be written to the service's disk").source(error)
        }
    }
}
