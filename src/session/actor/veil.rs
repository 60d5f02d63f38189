//! The actor's veil: while a person has the page to themselves, nobody else sees it or is told of it.

use std::time::Instant;

use super::Work;
use crate::model::command::{ActionErrorKind, ActionRequest};
use crate::model::{ActionResult, EventBody};
use crate::session::perform;
use crate::session::privacy::DRIVES_PRIVATELY;

/// What is said of another page than was expected, where that is a person's alone.
const CHANGED_PRIVATELY: &str = "Nothing was done, for the page is not the one that was expected, and a person \
                                 drives privately by now. Wait for the control event that says that it is \
                                 given back, then get the page's context.";

impl Work {
    /// Whether a person has the page to themselves: nobody else is told of it or sees it. The outlets know, which
    /// outlive a browser that is lost.
    pub(super) const fn is_veiled(&self) -> bool {
        self.actor.stage.outlets.veil().is_some()
    }

    /// Draws the veil from the moment on at which a person has the page to themselves. It is lifted when the actor
    /// hears that they have it no more: what the page told before is heard by then.
    pub(super) fn follow_veil(&mut self) {
        let stage = &mut self.actor.stage;
        let driver = stage.wheel.private_driver();
        if driver.is_none() || stage.outlets.veil() == driver.as_ref() {
            return;
        }
        let is_drawn = self.is_veiled();
        self.actor.stage.outlets.set_veil(driver);
        if !is_drawn {
            self.show_control();
            self.copied_before = self.actor.kit.tabs.copied();
            self.recording
                .chapter(Instant::now(), DRIVES_PRIVATELY.to_owned());
        }
    }

    /// Shows the page to everybody, as it is now, once they were told that it was given back.
    pub(super) fn lift_veil(&mut self) {
        if !self.is_veiled() || self.actor.stage.wheel.private_driver().is_some() {
            return;
        }
        // What they have copied is theirs.
        let copied = self.copied_before.take();
        self.actor.kit.tabs.put_back_copied(copied);
        self.actor.stage.outlets.set_veil(None);
        let page = self.actor.kit.tabs.current();
        self.note_page_count();
        let before = self.actor.record.borrow().current_url.clone();
        self.show(page);
        let url = self.actor.record.borrow().current_url.clone();
        self.note_page(&url);
        if url != before {
            self.tell_of_tab(self.shown, EventBody::PageNavigation { url });
        }
    }

    /// Leaves out of a result what the page was when it ended: a person has it to themselves by now.
    pub(super) fn leave_out_the_page(&self, echo: &ActionRequest, result: &mut ActionResult) {
        let url = self.actor.record.borrow().current_url.clone();
        // Anything may be in what a failure knows of the page.
        let context = result.context.take();
        result.context = context.map(|_| perform::context(echo, &url, None, None, None));
        if result.error_kind == Some(ActionErrorKind::PageChanged) {
            result.error = Some(CHANGED_PRIVATELY.to_owned());
        }
        (result.url, result.title, result.ready_state) = (url, None, None);
    }
}
