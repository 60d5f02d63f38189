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
use crate::session::wheel::News;

impl Work {
    /// Somebody else drives, or is asked to.
    pub(super) fn hear_wheel(&mut self, news: News) {
        let News {
            cause,
            who,
            request,
            owner,
            is_private,
            releases,
        } = news;
        for deed in &releases {
            browser::pass_on(&self.actor.kit.tabs, deed);
        }
        if owner != ControlOwner::Human {
            self.actor.kit.tabs.offer_no_more();
        }
        self.show_control();
        if cause == Cause::Taken {
            // The pointer of the one who drives is their own.
            self.actor.kit.studio.cue(Instant::now(), Cue::Hide);
            let place = self.place();
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
            private: is_private,
        });
        self.lift_veil();
    }

    /// Shows who drives: in the record, to the room, and to the pages, which ask them for permission.
    pub(super) fn show_control(&self) {
        let control = self.actor.stage.wheel.status();
        let is_driven = control.owner == ControlOwner::Human;
        let offers = self.actor.kit.tabs.offers();
        offers.set_driven(is_driven, control.private);
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
        if !self.acting.acts(self.is_veiled()) {
            let stage = &self.actor.stage;
            stage.wheel.clear(stage.outlets.veil());
        }
    }
}
