//! What is left of a session whose actor broke, and what becomes of it.

use std::sync::Arc;

use tokio::sync::watch;

use super::handle::refused;
use super::ledger::Ledger;
use super::logbook::Logbook;
use super::masking;
use super::perform::context;
use super::supervise::Panicked;
use crate::events;
use crate::model::command::{ActionError, ActionErrorKind};
use crate::model::event::Origin;
use crate::model::{Delivery, End, EndReason, EventBody, Secrets, SessionRecord, SessionState};

/// Held by whoever runs the actor.
pub(super) struct Remains {
    pub(super) record: watch::Sender<SessionRecord>,
    pub(super) room: Arc<events::Room>,
    pub(super) ledger: Ledger,
    pub(super) logbook: Logbook,
    pub(super) secrets: Secrets,
    /// Ends what would live on by itself.
    pub(super) put_away: Box<dyn Fn() + Send>,
}

impl Remains {
    /// Ends the session as failed, and each action with it.
    pub(super) fn fail(self, panicked: &Panicked) {
        (self.put_away)();
        let reason = panicked.describe();
        self.logbook
            .end(End::new(EndReason::Internal, reason.clone()));
        self.record.send_modify(|record| {
            record.state = SessionState::Failed;
            record.active = false;
            record.state_reason = Some(reason.clone());
            record.is_opening = false;
            record.capturing = false;
            record.running_action = None;
            record.queued_actions = 0;
        });
        self.tell(
            EventBody::StreamState {
                state: SessionState::Failed.as_str(),
                reason: reason.clone(),
                quality: None,
            },
            None,
        );
        let error = reason.clone();
        self.tell(EventBody::BrowserError { error }, None);
        for (id, action, has_begun) in self.ledger.open() {
            let url = self.record.borrow().current_url.clone();
            let mut error = ActionError::new(ActionErrorKind::Internal, reason.clone());
            if !has_begun {
                error = error.delivery(Delivery::NotSent);
            }
            error.context = Some(context(&action, &url, None, None, None));
            let mut result = refused(error, &url, None);
            masking::result(&self.secrets, &mut result);
            result.action_id.clone_from(&id);
            let told = EventBody::ActionError {
                error: reason.clone(),
                action: action.clone(),
            };
            self.tell(told, Some(id.clone()));
            self.ledger.end(&id, action, result);
        }
    }

    fn tell(&self, body: EventBody, action_id: Option<String>) {
        let origin = Origin {
            session_id: Some(self.record.borrow().session_id),
            action_id,
            ..Origin::default()
        };
        self.room.publish(body, origin);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use futures::FutureExt;
    use tokio::time::timeout;

    use super::*;
    use crate::config::{self, Config};
    use crate::events::{Bus, Next, Since};
    use crate::model::command::ActionRequest;
    use crate::model::{ActionState, RoomName, SessionSpec};
    use crate::session::asker::Asker;
    use crate::session::start::first_record;
    use crate::session::supervise::caught;

    #[tokio::test]
    async fn a_session_whose_actor_breaks_is_failed_and_so_is_each_of_its_actions() {
        let name = RoomName::parse("demo").unwrap();
        let bus = Bus::new(config::Events::default());
        let mut heard = bus.subscribe(&name, &Since::default(), None).unwrap();
        let first = first_record(&Config::default(), &SessionSpec::of(name.clone()));
        let (record, seen) = watch::channel(first);
        let ledger = Ledger::default();
        for id in ["one", "two"] {
            let action = ActionRequest::new("go_back", serde_json::Map::new());
            ledger.enter(id, action, Asker::service());
        }
        ledger.run("one");
        let is_put_away = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&is_put_away);
        let remains = Remains {
            record,
            room: bus.room(&name).unwrap(),
            ledger: ledger.clone(),
            logbook: Logbook::default(),
            secrets: Secrets::default(),
            put_away: Box::new(move || noted.store(true, Ordering::Relaxed)),
        };
        let actor = async { panic!("a defect") };
        let running = tokio::spawn(async move {
            if let Err(panicked) = caught::<()>("actor", actor).await {
                remains.fail(&panicked);
            }
        });
        let within = timeout(Duration::from_secs(1), running).await;
        within.expect("in a second").expect("and without a panic");
        assert!(is_put_away.load(Ordering::Relaxed));
        assert_eq!(seen.borrow().state, SessionState::Failed);
        for id in ["one", "two"] {
            let status = ledger.status(id).unwrap();
            let result = status.result.expect("it has ended");
            assert_eq!((status.state, result.success), (ActionState::Done, false));
            assert_eq!(result.action_id, id);
        }
        let mut types = Vec::new();
        while let Some(Next::Event(event)) = heard.next().now_or_never() {
            types.push(event.type_name());
        }
        let expected = [
            "stream_state",
            "browser_error",
            "action_error",
            "action_error",
        ];
        assert_eq!(types, expected);
    }
}
