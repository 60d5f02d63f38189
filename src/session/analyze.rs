//! Questions about a page as it looks, put to the configured model.

use super::handle::SessionHandle;
use super::look::Area;
use crate::browser::capture::screenshot::Format;
use crate::error::Error;
use crate::media::marks;
use crate::vision::{self, Analysis};

impl SessionHandle {
    /// Asks the configured model about the page as it looks, by wish with numbered boxes.
    pub async fn analyze(&self, question: &str, is_marked: bool) -> Result<Analysis, Error> {
        self.vision.check(question)?;
        let bytes = match is_marked {
            true => self.marked_screenshot(marks::Output::Png, false).await?.0,
            false => self.screenshot(Format::Png, None, Area::Viewport).await?,
        };
        self.asked(question, bytes, is_marked).await
    }

    /// What the model says of a picture.
    pub(super) async fn asked(
        &self,
        question: &str,
        bytes: Vec<u8>,
        is_marked: bool,
    ) -> Result<Analysis, Error> {
        let picture = vision::Picture {
            bytes,
            media_type: Format::Png.media_type(),
            is_marked,
        };
        let mut analysis = self.vision.ask(question, &picture).await?;
        self.secrets.mask_text(&mut analysis.answer);
        Ok(analysis)
    }
}
