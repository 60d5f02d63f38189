//! Private driving: while a person has the page to themselves, nobody else is told of it.
//!
//! The wheel says so from the moment that it is taken, and its driver begins only once the actor has drawn the
//! veil: the picture is the driver's alone, and the record stands still. Whoever reads is refused here.

use super::handle::SessionHandle;
use super::look::{Area, ContextOptions, PageContext};
use super::wheel::{Seated, Wheel};
use crate::browser::capture::screenshot::Format;
use crate::browser::sight::ElementList;
use crate::error::Error;
use crate::media::marks;
use crate::model::DialogInfo;

/// What is said of a page that a person has to themselves.
pub(super) const DRIVES_PRIVATELY: &str = "A person is driving privately";
/// What to do about it.
const WAIT: &str = "Wait for the control event that says that it is given back.";

impl SessionHandle {
    /// The page as an agent needs it. While the next document is awaited, the browser answers no
    /// question about this one; what is known is told then.
    pub async fn context(&self, options: ContextOptions) -> Result<PageContext, Error> {
        self.openly(Box::pin(self.whole_context(options))).await
    }

    /// A screenshot in a picture file format.
    pub async fn screenshot(
        &self,
        format: Format,
        quality: Option<u8>,
        area: Area,
    ) -> Result<Vec<u8>, Error> {
        self.openly(Box::pin(self.photographed(format, quality, area)))
            .await
    }

    /// A screenshot on which every element that is in the picture has its box and its index; with
    /// the list of them.
    pub async fn marked_screenshot(
        &self,
        output: marks::Output,
        full_page: bool,
    ) -> Result<(Vec<u8>, ElementList), Error> {
        self.openly(Box::pin(self.marked(output, full_page))).await
    }

    /// Reads the page, unless a person has it to themselves, or takes it so meanwhile.
    pub(super) async fn openly<T>(
        &self,
        reading: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.wheel.taken_privately() => Err(closed_to_readers()),
            read = reading => read,
        }
    }

    /// Whether the page may be told of.
    pub(super) fn must_be_open(&self) -> Result<(), Error> {
        must_be_open(&self.wheel)
    }

    /// Where the page is that a person sees, and what it is called: as the record says it, but to the one who
    /// drives privately.
    pub fn place_for(&self, person: &Seated) -> (String, String) {
        if self.wheel.private_driver().is_none() || !person.drives() {
            let record = self.record.borrow();
            return (record.current_url.clone(), record.title.clone());
        }
        let tab = self.tabs.list().into_iter().find(|tab| tab.current);
        let mut place = tab.map(|tab| (tab.url, tab.title)).unwrap_or_default();
        self.secrets.mask_text(&mut place.0);
        self.secrets.mask_text(&mut place.1);
        place
    }

    /// The dialog that the page waits with, as a person is told of it.
    pub fn dialog_for(&self, person: &Seated) -> Option<(u64, DialogInfo)> {
        match self.wheel.private_driver() {
            Some(_) if !person.drives() => None,
            Some(_) | None => self.dialog(),
        }
    }
}

/// Whether the page may be told of.
pub(super) fn must_be_open(wheel: &Wheel) -> Result<(), Error> {
    match wheel.private_driver() {
        None => Ok(()),
        Some(_) => Err(closed_to_readers()),
    }
}

fn closed_to_readers() -> Error {
    Error::human_in_control(format!("{DRIVES_PRIVATELY}: nothing is told of the page")).hint(WAIT)
}
