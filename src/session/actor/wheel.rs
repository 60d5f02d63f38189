//! The actor's wheel: what is told of who drives, and what becomes of the agent's actions.

use std::time::Instant;

use super::Work;
use crate::browser;
use crate::livekit::conventions;
use crate::media::cursor::Cue;
use crate::model::command::{ActionError, ActionRequest};
use crate::model::control::ControlOwner;
use crate::model::{Command, EventBody};
use crate::session::asker::Asker;
use crate::session::control::Cause;
use crate::session::people;
use crate::session::privacy::DRIVES_PRIVATELY;
use crate::session::wheel::News;

impl Work {
    /// Draws the veil from the moment on at which a person has the page to themselves. It is lifted when the actor
    /// hears that they have it no more: what the page told before is heard by then.
    pub(super) fn follow_veil(&mut self) {
        let driver = self.actor.stage.wheel.private_driver();
        if driver.is_none() || self.veil == driver {
            return;
        }
        self.actor.stage.outlets.set_veil(driver.clone());
        if std::mem::replace(&mut self.veil, driver).is_none() {
            self.show_control();
            self.copied_before = self.actor.kit.tabs.copied();
            self.recording
                .chapter(Instant::now(), DRIVES_PRIVATELY.to_owned());
        }
    }

    /// Shows the page to everybody, as it is now.
    fn lift_veil(&mut self) {
        if self.veil.is_none() || self.actor.stage.wheel.private_driver().is_some() {
            return;
        }
        self.veil = None;
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

    /// Somebody else drives, or is asked to.
    pub(super) fn hear_wheel(&mut self, news: News) {
        let News {
            cause,
            who,
            request,
            owner,
            releases,
        } = news;
        for deed in &releases {
            browser::pass_on(&self.actor.kit.tabs, deed);
        }
        self.lift_veil();
        if owner != ControlOwner::Human {
            self.actor.kit.tabs.offer_no_more();
        }
        self.show_control();
        if cause == Cause::Taken {
            // The pointer of the one who drives is their own.
            self.actor.kit.studio.cue(Instant::now(), Cue::Hide);
            let place = self.place();
            let is_private = self.actor.stage.wheel.private_driver().is_some();
            let steps = self.acting.give_way(place, is_private);
            self.follow(steps);
        }
        if cause != Cause::Asked {
            self.note_activity(None);
        }
        tracing::info!(
            owner = owner.as_str(),
            cause = cause.as_str(),
            who,
            "control"
        );
        metrics::counter!("ghostcast_control_changes_total", "cause" => cause.as_str())
            .increment(1);
        let (request_id, reason) = request
            .map(|request| (request.request_id, request.reason))
            .unzip();
        self.tell(EventBody::Control {
            owner: owner.as_str(),
            cause: cause.as_str(),
            who,
            request_id,
            reason,
            private: self.veil.is_some(),
        });
    }

    /// Shows who drives: in the record, and to the room.
    pub(super) fn show_control(&self) {
        let control = self.actor.stage.wheel.status();
        let owner = control.owner.as_str().to_owned();
        let driver = control.who.clone().unwrap_or_default();
        self.actor.stage.outlets.set_attributes([
            (conventions::ATTRIBUTE_CONTROL.to_owned(), owner),
            (conventions::ATTRIBUTE_DRIVER.to_owned(), driver),
        ]);
        self.actor
            .record
            .send_modify(|record| record.control = control);
    }

    /// Why an action is not taken: a person drives, and it would act on the page.
    pub(super) fn in_others_hands(
        &self,
        action: &ActionRequest,
        asker: &Asker,
    ) -> Option<ActionError> {
        // What is no action is told so.
        let command = Command::parse(action).ok()?;
        people::must_be_free(&self.actor.stage.wheel, &command, asker.seat.as_deref()).err()
    }

    /// Lets the person begin who has the wheel, once nothing of the agent's is under way.
    pub(super) fn clear_the_way(&mut self) {
        self.follow_veil();
        if !self.acting.acts(self.veil.is_some()) {
            self.actor.stage.wheel.clear();
        }
    }
}
