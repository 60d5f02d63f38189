//! Actions of a session, as its callers ask for them and after them.

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::asker::Asker;
use super::handle::{SessionHandle, closed, cut_short};
use super::queue::Found;
use super::request::{ActionOrder, Answer, Request};
use crate::error::Error;
use crate::model::command::ActionRequest;
use crate::model::{ActionResult, ActionStatus};
use crate::refusals::{Limit, refused};

impl SessionHandle {
    /// Performs an action. Every outcome is an [`ActionResult`]; an error only says that the
    /// session takes no action at all.
    pub async fn act(&self, action: ActionRequest) -> Result<ActionResult, Error> {
        let order = ActionOrder::new(CancellationToken::new());
        self.act_on(order, action).await
    }

    /// Performs an action that its caller may cancel: it ends in the browser too, as `cancelled`.
    /// A caller that only stops waiting does not cancel.
    pub async fn act_on(
        &self,
        order: ActionOrder,
        action: ActionRequest,
    ) -> Result<ActionResult, Error> {
        let (reply, answer) = oneshot::channel();
        self.ask_for(order, action, Answer::End(reply))?;
        answer.await.map_err(|_| cut_short())
    }

    /// Asks for an action and does not wait for its end, which its name leads to.
    pub async fn submit(&self, action: ActionRequest) -> Result<ActionStatus, Error> {
        let (admitted, answer) = oneshot::channel();
        let order = ActionOrder::new(CancellationToken::new());
        self.ask_for(order, action, Answer::Entry(admitted))?;
        answer.await.map_err(|_| cut_short())
    }

    /// How far an action is, by its `action_id`. The last few hundred that have ended are known.
    pub fn action(&self, id: &str) -> Option<ActionStatus> {
        self.ledger.status(id)
    }

    /// Cancels an action: one that waits ends at once, without having begun; one that runs is
    /// brought to its end in the browser. Answers how far it is then.
    pub async fn cancel_action(&self, id: &str) -> Result<ActionStatus, Error> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Cancel {
            id: id.to_owned(),
            reply,
        };
        self.requests.send(request).await.map_err(|_| closed())?;
        match answer.await.map_err(|_| cut_short())? {
            Some((Found::Waiting | Found::Running, status)) => Ok(status),
            Some((Found::Nowhere, _)) => Err(Error::conflict("the action has ended already")
                .hint("Get it by its action_id to see what came of it.")),
            None => Err(no_action(id)),
        }
    }

    fn ask_for(
        &self,
        order: ActionOrder,
        action: ActionRequest,
        answer: Answer,
    ) -> Result<(), Error> {
        let request = Request::Act {
            order,
            asker: Box::new(Asker::current()),
            action,
            answer,
        };
        self.requests
            .try_send(request)
            .map_err(|error| match error {
                TrySendError::Full(_) => {
                    let full = Error::exhausted("too many requests wait for this session");
                    refused(Limit::Requests, full.hint("Wait, then retry."))
                }
                TrySendError::Closed(_) => closed(),
            })
    }
}

/// No action of this session has this name, or it ended long ago.
pub fn no_action(id: &str) -> Error {
    let shown: String = id.chars().take(64).collect();
    Error::not_found(format!("this session knows of no action \"{shown}\""))
        .hint("Use the action_id of an action that was asked for lately.")
}
