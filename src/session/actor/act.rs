//! The actor's actions: one after the other, each ending in exactly one event.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::Work;
use crate::browser::actions;
use crate::model::command::{ActionError, ActionErrorKind, ActionRequest};
use crate::model::{ActionResult, EventBody};
use crate::session::handle::{cancelled, refused};
use crate::session::perform::{Kit, Performed, count, masked, perform};

/// An initial page that is slower than this goes on loading while the session is used.
const OPENING_MAX: Duration = Duration::from_secs(60);

/// The action under way.
pub(super) struct Running {
    action: ActionRequest,
    reply: Option<oneshot::Sender<ActionResult>>,
    future: BoxFuture<'static, Performed>,
}

/// An action that ended.
pub(super) struct Finished {
    reply: Option<oneshot::Sender<ActionResult>>,
    performed: Performed,
}

impl Future for Running {
    type Output = Finished;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Finished> {
        let performed = std::task::ready!(self.future.poll_unpin(context));
        Poll::Ready(Finished {
            reply: self.reply.take(),
            performed,
        })
    }
}

/// What went wrong with the initial page.
pub(super) struct Unopened {
    pub(super) error: String,
    /// The navigation that was tried.
    pub(super) action: ActionRequest,
}

/// Opens the initial page; answers what went wrong with it.
pub(super) fn open(kit: Kit, url: String) -> BoxFuture<'static, Option<Unopened>> {
    let mut params = serde_json::Map::new();
    params.insert("url".to_owned(), url.into());
    let action = ActionRequest {
        action_type: "navigate".to_owned(),
        params,
    };
    let mut request = action.clone();
    request.params.insert(
        "timeout_ms".to_owned(),
        (OPENING_MAX.as_millis() as u64).into(),
    );
    async move {
        let error = perform(kit, request).await.result.error?;
        Some(Unopened { error, action })
    }
    .boxed()
}

impl Work {
    /// Takes an action: runs it now, lets it wait, or refuses it.
    pub(super) fn enqueue(&mut self, action: ActionRequest, reply: oneshot::Sender<ActionResult>) {
        if self.machine.state().is_dead() {
            self.refuse(masked(&action), Some(reply), actions::browser_lost());
        } else if self.running.is_some()
            && self.waiting.len() >= self.actor.config.session.action_queue_max
        {
            let error = ActionError::new(
                ActionErrorKind::Exhausted,
                "Too many actions wait already. Wait for one to complete and try again.",
            );
            self.refuse(masked(&action), Some(reply), error);
        } else {
            self.waiting.push_back((action, reply));
            self.run_next();
        }
    }

    fn run_next(&mut self) {
        if self.running.is_some() {
            return;
        }
        let Some((action, reply)) = self.waiting.pop_front() else {
            return;
        };
        // Only the page knows whether the text is a password, and it has not been asked yet.
        self.actor.room.publish(EventBody::ActionStarted {
            action: masked(&action),
        });
        let future = perform(self.actor.kit.clone(), action.clone()).boxed();
        self.running = Some(Running {
            action,
            reply: Some(reply),
            future,
        });
    }

    /// Tells the end of an action, once, and goes on with the next.
    pub(super) fn finish_action(&mut self, finished: Finished) {
        self.running = None;
        let Finished {
            reply,
            performed:
                Performed {
                    result,
                    echo,
                    settled,
                },
        } = finished;
        if let Some(settled) = settled {
            let url = result.url.clone();
            let settled = settled.settled;
            self.actor.room.publish(EventBody::Settled { url, settled });
        }
        self.note_activity(None);
        let at = self
            .actor
            .kit
            .studio
            .cursor_position(std::time::Instant::now());
        self.actor.record.send_modify(|record| {
            record.cursor = at;
            record.title.clone_from(&result.title);
        });
        self.conclude(echo, reply, result);
        self.run_next();
    }

    /// Ends the running action and those that wait: the session ends.
    pub(super) fn drop_actions(&mut self) {
        let is_lost = self.machine.state() == crate::model::SessionState::Failed;
        let error = || {
            if is_lost {
                actions::browser_lost()
            } else {
                cancelled()
            }
        };
        if let Some(running) = self.running.take() {
            self.refuse(masked(&running.action), running.reply, error());
        }
        for (action, reply) in std::mem::take(&mut self.waiting) {
            self.refuse(masked(&action), Some(reply), error());
        }
    }

    fn refuse(
        &self,
        action: ActionRequest,
        reply: Option<oneshot::Sender<ActionResult>>,
        error: ActionError,
    ) {
        let (url, title) = {
            let record = self.actor.record.borrow();
            (record.current_url.clone(), record.title.clone())
        };
        self.conclude(action, reply, refused(error, &url, &title));
    }

    /// The one place where an action becomes an event and an answer.
    fn conclude(
        &self,
        action: ActionRequest,
        reply: Option<oneshot::Sender<ActionResult>>,
        result: ActionResult,
    ) {
        count(&action.action_type, &result);
        self.note_action(&action, &result);
        let body = match &result.error {
            None => EventBody::ActionCompleted { action },
            Some(error) => EventBody::ActionError {
                error: error.clone(),
                action,
            },
        };
        self.actor.room.publish(body);
        if let Some(reply) = reply {
            // Whoever asked may have hung up; the event tells all others.
            let _ = reply.send(result);
        }
    }
}
