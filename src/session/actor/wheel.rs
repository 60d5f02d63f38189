//! The actor's wheel: what is told of who drives, and what becomes of the agent's actions.

use std::time::Instant;

use super::Work;
use crate::livekit::conventions;
use crate::media::cursor::Cue;
use crate::model::command::{ActionError, ActionErrorKind, ActionRequest};
use crate::model::{Command, Delivery, EventBody, Retry};
use crate::session::control::Cause;
use crate::session::wheel::News;

impl Work {
    /// Somebody else drives, or is asked to.
    pub(super) fn hear_wheel(&mut self, news: News) {
        let News {
            cause,
            who,
            request,
            owner,
        } = news;
        let control = self.actor.wheel.status();
        self.actor
            .record
            .send_modify(|record| record.control = control);
        if cause == Cause::Taken {
            // The pointer of the one who drives is their own.
            self.actor.kit.studio.cue(Instant::now(), Cue::Hide);
            let place = self.place();
            let steps = self.acting.give_way(place);
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
        });
        let attribute = (
            conventions::ATTRIBUTE_CONTROL.to_owned(),
            owner.as_str().to_owned(),
        );
        self.actor.stage.outlets.set_attributes([attribute]);
    }

    /// Why an action is not taken: a person drives, and it would act on the page.
    pub(super) fn in_others_hands(&self, action: &ActionRequest) -> Option<ActionError> {
        let (who, since) = self.actor.wheel.driver()?;
        // What is no action is told so.
        let acts = Command::parse(action).is_ok_and(|command| !command.is_passive());
        acts.then(|| human_in_control(&who, &since))
    }
}

/// What is said of an action while a person drives.
fn human_in_control(who: &str, since: &str) -> ActionError {
    ActionError::new(
        ActionErrorKind::HumanInControl,
        format!(
            "{who} has taken the wheel (since {since}): nothing was done. Reading and waiting go on. Wait for \
             the control event that says that it is given back, then get the page's context."
        ),
    )
    .delivery(Delivery::NotSent)
    .retry(Retry::Safe)
    .context(serde_json::json!({ "who": who, "since": since }))
}
