//! The actor's actions: one after the other, each ending in exactly one event.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Work;
use crate::browser::act as actions;
use crate::model::command::{ActionError, ActionErrorKind, ActionRequest};
use crate::model::{ActionResult, EventBody};
use crate::session::handle::{cancelled, refused};
use crate::session::masking;
use crate::session::perform::{Kit, Performed, context, count, echo, masked, perform};
use crate::session::request::Order;

/// An initial page that is slower than this goes on loading while the session is used.
const OPENING_MAX: Duration = Duration::from_secs(60);

/// An action that was asked for.
pub(super) struct Task {
    ticket: Ticket,
    action: ActionRequest,
    cancel: CancellationToken,
}

/// What an action is called, and who waits for its end.
struct Ticket {
    id: String,
    correction_of: Option<String>,
    reply: oneshot::Sender<ActionResult>,
}

/// The action under way.
pub(super) struct Running {
    action: ActionRequest,
    ticket: Option<Ticket>,
    future: BoxFuture<'static, Performed>,
}

/// An action that ended.
pub(super) struct Finished {
    ticket: Option<Ticket>,
    performed: Performed,
}

impl Future for Running {
    type Output = Finished;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Finished> {
        let performed = std::task::ready!(self.future.poll_unpin(context));
        Poll::Ready(Finished {
            ticket: self.ticket.take(),
            performed,
        })
    }
}

/// How the initial page was opened.
pub(super) struct Opened {
    /// Chromium tells a page's title once, before it is known, and calls it by its URL then.
    pub(super) title: String,
    pub(super) problem: Option<Unopened>,
}

/// What went wrong with the initial page.
pub(super) struct Unopened {
    pub(super) error: String,
    /// The navigation that was tried.
    pub(super) action: ActionRequest,
}

/// Opens the initial page.
pub(super) fn open(kit: Kit, url: String) -> BoxFuture<'static, Opened> {
    let mut params = serde_json::Map::new();
    params.insert("url".to_owned(), url.into());
    let action = ActionRequest::new("navigate", params);
    let mut request = action.clone();
    request.params.insert(
        "timeout_ms".to_owned(),
        (OPENING_MAX.as_millis() as u64).into(),
    );
    async move {
        let secrets = kit.secrets.clone();
        let result = perform(kit, request, &CancellationToken::new())
            .await
            .result;
        let problem = result.error.map(|error| {
            let mut action = echo(&action);
            masking::request(&secrets, &mut action);
            Unopened { error, action }
        });
        Opened {
            title: result.title.unwrap_or_default(),
            problem,
        }
    }
    .boxed()
}

impl Work {
    /// Takes an action: runs it now, lets it wait, or refuses it.
    pub(super) fn enqueue(
        &mut self,
        order: Order,
        mut action: ActionRequest,
        reply: oneshot::Sender<ActionResult>,
    ) {
        // Events repeat the action alone.
        let correction_of = action.correction_of.take();
        let known = self.failed.check(correction_of.as_deref());
        let ticket = Ticket {
            id: order.id,
            correction_of: correction_of.filter(|_| known.is_ok()),
            reply,
        };
        if self.machine.state().is_dead() {
            self.refuse(&action, Some(ticket), actions::browser_lost());
        } else if let Err(error) = known {
            self.refuse(&action, Some(ticket), error);
        } else if self.running.is_some()
            && self.waiting.len() >= self.actor.config.session.action_queue_max
        {
            let error = ActionError::new(
                ActionErrorKind::Exhausted,
                "Too many actions wait already. Wait for one to complete and try again.",
            );
            self.refuse(&action, Some(ticket), error);
        } else {
            self.waiting.push_back(Task {
                ticket,
                action,
                cancel: order.cancel,
            });
            self.run_next();
        }
    }

    fn run_next(&mut self) {
        while self.running.is_none() {
            let Some(next) = self.waiting.pop_front() else {
                return;
            };
            let Task {
                ticket,
                action,
                cancel,
            } = next;
            if cancel.is_cancelled() {
                self.refuse(&action, Some(ticket), actions::cancelled());
                continue;
            }
            // Only the page knows whether the text is a password, and it has not been asked yet.
            self.actor.room.publish(EventBody::ActionStarted {
                action: self.hidden(&action),
                action_id: ticket.id.clone(),
                correction_of: ticket.correction_of.clone(),
            });
            let (kit, request) = (self.actor.kit.clone(), action.clone());
            let future = async move { perform(kit, request, &cancel).await }.boxed();
            self.running = Some(Running {
                action,
                ticket: Some(ticket),
                future,
            });
        }
    }

    /// Tells the end of an action, once, and goes on with the next.
    pub(super) fn finish_action(&mut self, finished: Finished) {
        self.running = None;
        let Finished {
            ticket,
            performed: Performed { result, echo },
        } = finished;
        if let Some(rest) = &result.outcome.rest {
            let url = result.url.clone();
            let settled = rest.reached;
            self.actor.room.publish(EventBody::Settled { url, settled });
        }
        self.note_activity(None);
        // An action that nobody watches does not wait for its cursor.
        let at = self.actor.kit.studio.cursor_target();
        self.actor.record.send_modify(|record| {
            record.cursor = at;
            record.title = result.title.clone().unwrap_or_default();
        });
        self.conclude(echo, ticket, result);
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
            self.refuse(&running.action, running.ticket, error());
        }
        for Task { ticket, action, .. } in std::mem::take(&mut self.waiting) {
            self.refuse(&action, Some(ticket), error());
        }
    }

    /// An action of which it is not known, or never will be, what its text is.
    fn hidden(&self, action: &ActionRequest) -> ActionRequest {
        let mut hidden = masked(action);
        masking::request(&self.actor.kit.secrets, &mut hidden);
        hidden
    }

    fn refuse(&mut self, action: &ActionRequest, ticket: Option<Ticket>, mut error: ActionError) {
        let action = self.hidden(action);
        let (url, title) = {
            let record = self.actor.record.borrow();
            let title = Some(record.title.clone()).filter(|title| !title.is_empty());
            (record.current_url.clone(), title)
        };
        error.context = Some(context(&action, &url, title.as_deref(), None, None));
        let mut result = refused(error, &url, title);
        masking::result(&self.actor.kit.secrets, &mut result);
        self.conclude(action, ticket, result);
    }

    /// The one place where an action becomes an event and an answer.
    fn conclude(
        &mut self,
        action: ActionRequest,
        ticket: Option<Ticket>,
        mut result: ActionResult,
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
        let Some(ticket) = ticket else { return };
        if !result.success {
            self.failed.note(&ticket.id);
        }
        if ticket.correction_of.is_some() {
            metrics::counter!("ghostcast_corrections_total").increment(1);
            metrics::counter!("ghostcast_corrected_total").increment(u64::from(result.success));
        }
        result.action_id = ticket.id;
        result.correction_of = ticket.correction_of;
        // Whoever asked may have hung up; the event tells all others.
        let _ = ticket.reply.send(result);
    }
}
