//! A session as it is driven by a person.

use super::handle::SessionHandle;
use super::masking;
use super::wheel::{Seated, Wheel};
use crate::browser;
use crate::error::Error;
use crate::model::DialogInfo;
use crate::model::hand::Deed;

impl SessionHandle {
    /// Who drives the session.
    pub fn wheel(&self) -> &Wheel {
        &self.wheel
    }

    /// Does on the page what a person does who drives; nothing for anybody else.
    pub async fn drive(&self, person: &Seated, deed: &Deed) -> Result<(), Error> {
        if person.drive(deed)? {
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

    /// The dialog that the page waits with, and its number among those of the page.
    pub fn dialog(&self) -> Option<(u64, DialogInfo)> {
        let opened = self.tabs.current().dialog()?;
        let mut info = opened.is_open().then_some(opened.info)?;
        masking::dialog(&self.secrets, &mut info);
        Some((opened.number, info))
    }
}
