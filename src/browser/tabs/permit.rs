//! What a person has answered to a page that asks for permission.

use super::super::error::Error;
use super::Tabs;
use crate::model::offer::{Permission, PermissionAnswer};

impl Tabs {
    /// Writes into the browser's settings what a person has answered to the page at this address.
    pub(in crate::browser) async fn permit(
        &self,
        url: &str,
        asked: &[Permission],
        answer: PermissionAnswer,
    ) -> Result<(), Error> {
        self.inner.ground.permit(url, asked, answer).await
    }
}
