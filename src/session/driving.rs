//! A session as it is driven by a person.

use super::handle::SessionHandle;
use super::masking;
use super::wheel::{Seated, Wheel};
use crate::browser;
use crate::error::Error;
use crate::model::DialogInfo;
use crate::model::command::UploadFile;
use crate::model::hand::Deed;
use crate::model::offer::{Choosable, Offer, Offered};

impl SessionHandle {
    /// Who drives the session.
    pub fn wheel(&self) -> &Wheel {
        &self.wheel
    }

    /// Does on the page what a person does who drives; nothing for anybody else.
    pub async fn drive(&self, person: &Seated, deed: &Deed) -> Result<(), Error> {
        self.drive_from(person.seat(), deed).await
    }

    /// The same, for the person of this seat.
    pub(super) async fn drive_from(&self, seat: &str, deed: &Deed) -> Result<(), Error> {
        if self.wheel.drive_from(seat, deed)? {
            self.touch();
        }
        self.must_have_browser()?;
        browser::drive(&self.tabs, deed).await?;
        Ok(())
    }

    /// What acts on the page is refused while a person drives.
    pub(super) fn must_be_agents(&self) -> Result<(), Error> {
        match self.wheel.driver() {
            None => Ok(()),
            Some((who, since)) => Err(Error::human_in_control(format!(
                "{who} has taken the wheel (since {since})"
            ))
            .hint("Wait for the control event that says that it is given back.")),
        }
    }

    /// Copies what is selected on the page, for the person who drives; answers what that is, if anything, and
    /// nothing to one who has lost the wheel meanwhile.
    pub async fn copy(&self, person: &Seated) -> Result<Option<String>, Error> {
        let seat = person.seat();
        self.wheel.note_use(seat)?;
        self.touch();
        self.must_have_browser()?;
        let mut copied = tokio::select! {
            biased;
            () = self.wheel.left_by(seat) => {
                return Err(Error::conflict("the wheel was taken from you before it was copied"));
            }
            copied = browser::copy(&self.tabs) => copied,
        };
        if let Some(text) = &mut copied {
            self.secrets.mask_text(text);
        }
        Ok(copied)
    }

    /// What the page offers to a person, if it is they who drive.
    pub fn offer_for(&self, person: &Seated) -> Option<Offer> {
        let mut offer = self.tabs.offers().current().filter(|_| person.drives())?;
        if let Offered::List { label, options } = &mut offer.offered {
            let labels = options.iter_mut().flat_map(|option| {
                let Choosable { label, group, .. } = option;
                std::iter::once(label).chain(group)
            });
            for text in labels.chain([label]) {
                self.secrets.mask_text(text);
            }
        }
        Some(offer)
    }

    /// Tells of each change of what the page offers.
    pub fn offers(&self) -> impl Future<Output = ()> + Send + use<> {
        self.tabs.offers().changes()
    }

    /// Gives the files of the person who drives to the field that asks for them.
    pub async fn give_files(
        &self,
        seat: &str,
        number: u64,
        files: &[UploadFile],
    ) -> Result<(), Error> {
        self.must_have_browser()?;
        self.wheel.note_use(seat).map_err(|_| not_theirs())?;
        self.touch();
        tokio::select! {
            biased;
            () = self.wheel.left_by(seat) => Err(not_theirs()),
            given = browser::give_files(&self.tabs, number, files) => given,
        }
    }

    /// The dialog that the page waits with, and its number among those of the page.
    pub fn dialog(&self) -> Option<(u64, DialogInfo)> {
        let opened = self.tabs.current().dialog()?;
        let mut info = opened.is_open().then_some(opened.info)?;
        masking::dialog(&self.secrets, &mut info);
        Some((opened.number, info))
    }
}

fn not_theirs() -> Error {
    Error::forbidden("files are given by the person who drives")
        .hint("Take the wheel, and press the page's field again.")
}
