//! What a person chooses of what a page offers.

use super::super::error::Error as BrowserError;
use super::super::tabs::Tabs;
use super::files;
use crate::error::Error;
use crate::model::command::UploadFile;
use crate::refusals::{Limit, refused};

/// Chooses an option of a list, or nothing at all.
pub(super) async fn choose(
    tabs: &Tabs,
    number: u64,
    index: Option<usize>,
) -> Result<(), BrowserError> {
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
