//! The actor's actions: the shell of the queue. What the queue decides is done here, and each
//! action ends in exactly one event.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::Work;
use crate::browser::act as actions;
use crate::config;
use crate::model::command::{ActionError, ActionErrorKind, ActionRequest};
use crate::model::event::Origin;
use crate::model::ids::action_id;
use crate::model::outcome::Struck;
use crate::model::{ActionResult, ActionStatus, Command, Delivery, EndReason, EventBody, Retry};
use crate::refusals::{self, Limit};
use crate::session::asker::Asker;
use crate::session::corrections;
use crate::session::handle::{cancelled, refused};
use crate::session::masking;
use crate::session::perform::{self, Client, Performed, context, count, masked, perform};
use crate::session::queue::{Entry, Found, Interrupt, Kind, Limits, Place, Queue, Step, Why};
use crate::session::request::{ActionOrder, Answer, span, span_of_request};
use crate::session::supervise::{Panicked, caught};

/// The initial page may take this long to come, while nobody waits for it.
const OPENING_MAX: Duration = Duration::from_secs(60);
/// An action that has waited for longer is not what its caller means any more.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// The actions of a session.
pub(super) struct Acting {
    queue: Queue,
    /// Those that have not ended.
    asked: HashMap<String, Asked>,
    running: Option<Running>,
    /// Names of those that somebody no longer wants.
    unwanted: FuturesUnordered<BoxFuture<'static, String>>,
}

/// An action that was asked for.
struct Asked {
    /// The action as it may be repeated while it is not known whether its text is a password.
    shown: ActionRequest,
    /// The action itself, until it begins.
    action: Option<ActionRequest>,
    /// Who asked.
    asker: Asker,
    correction_of: Option<String>,
    /// Whether that is a failure of this session.
    is_correction: bool,
    /// Nobody waits for the initial page as for an action.
    reply: Option<oneshot::Sender<ActionResult>>,
    is_opening: bool,
    /// Ends with the action, and when nobody wants it.
    cancel: CancellationToken,
    /// What it is part of.
    span: Span,
}

/// The action under way.
struct Running {
    id: String,
    future: BoxFuture<'static, Result<Performed, Panicked>>,
    interrupt: Option<oneshot::Sender<Interrupt>>,
    /// Why it was told to end.
    interrupted: Option<Interrupt>,
}

/// What happened to an action.
pub(super) enum Change {
    Performed(Box<Result<Performed, Panicked>>),
    Unwanted(String),
    Due,
}

impl Acting {
    pub(super) fn new(config: &config::Session) -> Self {
        let limits = Limits {
            waiting_max: config.action_queue_max,
            wait_max: WAIT_MAX,
            patience: config.navigate_timeout(),
        };
        Self {
            queue: Queue::new(limits),
            asked: HashMap::new(),
            running: None,
            unwanted: FuturesUnordered::new(),
        }
    }

    /// Whether an action is under way, other than the opening.
    pub(super) fn is_busy(&self) -> bool {
        let running = self.running.as_ref();
        let asked = running.and_then(|running| self.asked.get(&running.id));
        asked.is_some_and(|asked| !asked.is_opening)
    }

    /// Whether something is done on the page.
    pub(super) fn acts(&self, is_private: bool) -> bool {
        self.queue.acts(is_private)
    }

    /// A person has taken the wheel.
    pub(super) fn give_way(&mut self, place: Place, is_private: bool) -> Vec<Step> {
        self.queue.give_way(Instant::now(), place, is_private)
    }

    /// What happens next. Safe to cancel.
    pub(super) async fn next(&mut self) -> Change {
        let Self {
            queue,
            running,
            unwanted,
            ..
        } = self;
        let deadline = queue.deadline();
        let performed = async {
            match running {
                Some(running) => (&mut running.future).await,
                None => std::future::pending().await,
            }
        };
        let due = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(id) = unwanted.next() => Change::Unwanted(id),
            performed = performed => Change::Performed(Box::new(performed)),
            () = due => Change::Due,
        }
    }
}

impl Work {
    /// Opens the initial page, as the first of all actions.
    pub(super) fn open(&mut self, url: String) {
        let mut params = serde_json::Map::new();
        params.insert("url".to_owned(), url.into());
        let action = ActionRequest::new("navigate", params);
        let asked = Asked {
            shown: self.hidden(&action),
            action: Some(action),
            asker: Asker::service(),
            correction_of: None,
            is_correction: false,
            reply: None,
            is_opening: true,
            cancel: CancellationToken::new(),
            span: Span::none(),
        };
        let entry = Entry {
            id: action_id(),
            kind: Kind::Opening,
            correction_of: None,
            bound: OPENING_MAX + perform::OVERTIME,
        };
        self.admit(asked, entry);
    }

    /// Takes an action: runs it now, lets it wait, or refuses it.
    pub(super) fn enqueue(
        &mut self,
        order: ActionOrder,
        asker: Asker,
        mut action: ActionRequest,
        answer: Answer,
    ) {
        // Events repeat the action alone.
        let correction_of = action.correction_of.take();
        let id = order.id;
        let (reply, admitted) = match answer {
            Answer::End(reply) => (Some(reply), None),
            Answer::Entry(admitted) => (None, Some(admitted)),
        };
        let entry = Entry {
            id: id.clone(),
            kind: self.kind(&action),
            correction_of: correction_of.clone(),
            bound: perform::longest(&self.actor.kit, &action),
        };
        let is_known = self.acting.queue.knows(correction_of.as_deref());
        let asked = Asked {
            shown: self.hidden(&action),
            action: Some(action),
            asker,
            is_correction: is_known && correction_of.is_some(),
            correction_of,
            reply,
            is_opening: false,
            cancel: order.cancel.child_token(),
            span: order.span,
        };
        self.admit(asked, entry);
        if let Some(admitted) = admitted
            && let Some(status) = self.actor.ledger.status(&id)
        {
            // Whoever asked may have hung up.
            let _ = admitted.send(status);
        }
    }

    /// Ends an action that somebody no longer wants; tells how far it is now.
    pub(super) fn cancel(&mut self, id: &str) -> Option<(Found, ActionStatus)> {
        let (found, steps) = self.acting.queue.cancel(Instant::now(), id);
        self.follow(steps);
        let status = self.actor.ledger.status(id)?;
        Some((found, status))
    }

    /// Goes on with what happened to an action.
    pub(super) fn act(&mut self, change: Change) {
        let now = Instant::now();
        let steps = match change {
            Change::Performed(performed) => {
                self.performed(*performed);
                return;
            }
            Change::Unwanted(id) => self.acting.queue.cancel(now, &id).1,
            Change::Due => {
                let place = self.place();
                self.acting.queue.tick(now, place)
            }
        };
        self.follow(steps);
    }

    /// Ends the running action and those that wait: the session ends.
    pub(super) fn end_actions(&mut self, why: Why) {
        let steps = self.acting.queue.end(why);
        self.follow(steps);
    }

    fn admit(&mut self, asked: Asked, entry: Entry) {
        let id = entry.id.clone();
        let (shown, asker) = (asked.shown.clone(), asked.asker.clone());
        self.actor.ledger.enter(&id, shown, asker);
        let (cancel, unwanted) = (asked.cancel.clone(), id.clone());
        let unwanted = async move {
            cancel.cancelled().await;
            unwanted
        };
        self.acting.unwanted.push(unwanted.boxed());
        let held = match (&asked.action, asked.is_opening) {
            (Some(action), false) => self.in_others_hands(action, &asked.asker),
            _ => None,
        };
        self.acting.asked.insert(id.clone(), asked);
        if let Some(held) = held {
            self.acting.queue.note_refused(&id);
            self.refuse(&id, held);
            return;
        }
        let place = self.place();
        let steps = self.acting.queue.admit(Instant::now(), entry, place);
        self.follow(steps);
    }

    /// What actions are carried out on at this moment.
    pub(super) fn place(&self) -> Place {
        let page = self.actor.kit.tabs.current();
        Place {
            tab: page.tab(),
            document: page.loading().committed,
        }
    }

    fn kind(&self, action: &ActionRequest) -> Kind {
        match Command::parse(action) {
            Ok(Command::Navigate(to)) if self.actor.kit.gate.url_verdict(&to.url).is_ok() => {
                Kind::Navigation
            }
            Ok(command) if command.is_passive() => Kind::Passive,
            Ok(_) if perform::is_of_index(action) => Kind::OfIndex,
            Ok(_) | Err(_) => Kind::Plain,
        }
    }

    pub(super) fn follow(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Run { id } => self.run(id),
                Step::Interrupt { why, .. } => {
                    if let Some(running) = &mut self.acting.running {
                        running.interrupted = Some(why);
                        // One that has ended by now has nothing to be told.
                        let _ = running
                            .interrupt
                            .take()
                            .map(|interrupt| interrupt.send(why));
                    }
                }
                Step::End { id, why } => self.cut(&id, why),
            }
        }
        self.clear_the_way();
        let running = self.acting.queue.running().map(str::to_owned);
        let queued = u32::try_from(self.acting.queue.waiting()).unwrap_or(u32::MAX);
        self.actor.record.send_if_modified(|record| {
            let before = std::mem::replace(&mut record.running_action, running.clone());
            let queued_before = std::mem::replace(&mut record.queued_actions, queued);
            (before, queued_before) != (running, queued)
        });
    }

    fn run(&mut self, id: String) {
        let Some(asked) = self.acting.asked.get_mut(&id) else {
            return;
        };
        let Some(mut request) = asked.action.take() else {
            return;
        };
        let span = span(&asked.span, &request.action_type, &id);
        let told = span_of_request(asked.asker.request_id.as_deref());
        let client = Client {
            lending: asked.asker.lending.clone(),
            is_session: asked.is_opening,
            seat: asked.asker.seat.clone(),
        };
        self.actor.ledger.run(&id);
        if asked.is_opening {
            let bound = OPENING_MAX.as_millis() as u64;
            request.params.insert("timeout_ms".to_owned(), bound.into());
        } else {
            // Only the page knows whether the text is a password, and it has not been asked yet.
            let started = EventBody::ActionStarted {
                action: asked.shown.clone(),
                action_id: id.clone(),
                correction_of: asked.correction_of.clone(),
            };
            self.tell_of_tab(self.shown, started);
        }
        let (interrupt, interrupted) = oneshot::channel();
        let kit = self.actor.kit.clone();
        let future = async move {
            let interrupted = async {
                match interrupted.await {
                    Ok(why) => why,
                    Err(_) => std::future::pending().await,
                }
            };
            caught(
                "action",
                Box::pin(perform(kit, request, client, interrupted).instrument(span))
                    .instrument(told),
            )
            .await
        };
        self.acting.running = Some(Running {
            id,
            future: future.boxed(),
            interrupt: Some(interrupt),
            interrupted: None,
        });
    }

    /// Tells the end of the running action, once, and goes on with the next.
    fn performed(&mut self, performed: Result<Performed, Panicked>) {
        let Some(Running {
            id, interrupted, ..
        }) = self.acting.running.take()
        else {
            return;
        };
        let (is_success, panicked) = match performed {
            Ok(performed) => (self.finish(&id, interrupted, performed), None),
            Err(panicked) => {
                let message = panicked.describe();
                self.refuse(&id, ActionError::new(ActionErrorKind::Internal, message));
                (false, Some(panicked))
            }
        };
        if let Some(panicked) = panicked {
            self.lose_browser(EndReason::Internal, &panicked.describe());
        }
        let place = self.place();
        let queue = &mut self.acting.queue;
        let (_, steps) = queue.finished(Instant::now(), &id, is_success, place);
        self.follow(steps);
    }

    fn finish(&mut self, id: &str, why: Option<Interrupt>, performed: Performed) -> bool {
        let Performed { mut result, echo } = performed;
        self.follow_veil();
        if self.is_veiled() {
            self.leave_out_the_page(&echo, &mut result);
        }
        let is_success = result.success;
        let Some(asked) = self.acting.asked.remove(id) else {
            return is_success;
        };
        self.note_activity(None);
        // An action that nobody watches does not wait for its cursor.
        let at = self.actor.kit.studio.cursor_target();
        let is_open = !self.is_veiled();
        self.actor.record.send_modify(|record| {
            record.cursor = at;
            if is_open {
                record.title = result.title.clone().unwrap_or_default();
            }
        });
        if asked.is_opening {
            self.opened(id, asked, why, result);
            return is_success;
        }
        if let Some(rest) = &result.outcome.rest
            && is_open
        {
            let url = result.url.clone();
            let settled = rest.reached;
            self.tell_of_tab(self.shown, EventBody::Settled { url, settled });
        }
        self.conclude(id, asked, echo, result);
        is_success
    }

    /// The initial page is there, or could not be opened. Nobody asked for an action, yet agents
    /// hear of the failure as of any other navigation's; not of one that was left for something else.
    fn opened(&self, id: &str, asked: Asked, why: Option<Interrupt>, result: ActionResult) {
        asked.cancel.cancel();
        let action = asked.shown;
        let is_left = matches!(
            why,
            Some(Interrupt::Superseded | Interrupt::Cancelled | Interrupt::Yield)
        );
        let error = result.error.clone().filter(|_| !is_left);
        // Whoever has the page to themselves sees why.
        let error = error.filter(|_| !self.is_veiled());
        // One that was there may have gone on to a page that is not.
        let is_told = error.is_none() && self.shows_failure();
        self.actor.record.send_modify(|record| {
            record.is_opening = false;
            if !is_told {
                record.page_error.clone_from(&error);
            }
        });
        if let Some(error) = error {
            tracing::warn!(error, "the initial page could not be opened");
            let body = EventBody::ActionError {
                error,
                action: action.clone(),
            };
            self.tell_of_action(id, None, body);
        }
        self.actor.ledger.end(id, action, named(result, id, None));
    }

    /// Ends an action that was not performed to its end.
    fn cut(&mut self, id: &str, why: Why) {
        if self.acting.running.as_ref().is_some_and(|r| r.id == id) {
            self.acting.running = None;
        }
        let asked = self.acting.asked.get(id);
        let correction_of = asked.and_then(|asked| asked.correction_of.as_deref());
        let error = refusal(why, correction_of.unwrap_or_default());
        self.refuse(id, error);
    }

    fn refuse(&mut self, id: &str, mut error: ActionError) {
        let Some(asked) = self.acting.asked.remove(id) else {
            return;
        };
        let action = asked.shown.clone();
        let (url, title) = {
            let record = self.actor.record.borrow();
            let title = Some(record.title.clone()).filter(|title| !title.is_empty());
            (record.current_url.clone(), title)
        };
        let detail = error.context.take();
        error.context = Some(context(&action, &url, title.as_deref(), None, detail));
        let mut result = refused(error, &url, title);
        masking::result(&self.actor.kit.secrets, &mut result);
        match asked.is_opening {
            true => self.opened(id, asked, Some(Interrupt::Cancelled), result),
            false => self.conclude(id, asked, action, result),
        }
    }

    /// An action of which it is not known, or never will be, what its text is.
    fn hidden(&self, action: &ActionRequest) -> ActionRequest {
        let mut hidden = masked(action);
        masking::request(&self.actor.kit.secrets, &mut hidden);
        hidden
    }

    /// The one place where an action becomes an event and an answer.
    fn conclude(&self, id: &str, asked: Asked, action: ActionRequest, mut result: ActionResult) {
        asked.cancel.cancel();
        if let Some(error) = &mut result.error {
            *error = self.in_its_words(error);
        }
        count(&action.action_type, &result);
        self.note_action(&action, &result);
        let body = match &result.error {
            None => EventBody::ActionCompleted {
                action: action.clone(),
            },
            Some(error) => EventBody::ActionError {
                error: error.clone(),
                action: action.clone(),
            },
        };
        let target = result.outcome.target.as_ref();
        self.tell_of_action(id, target.map(Struck::spoken), body);
        if asked.is_correction {
            metrics::counter!("ghostcast_corrections_total").increment(1);
            metrics::counter!("ghostcast_corrected_total").increment(u64::from(result.success));
        }
        let correction_of = asked.correction_of.filter(|_| asked.is_correction);
        let result = named(result, id, correction_of);
        self.actor.ledger.end(id, action, result.clone());
        // Whoever asked may have hung up; the event tells all others.
        if let Some(reply) = asked.reply {
            drop(reply.send(result));
        }
    }

    fn tell_of_action(&self, id: &str, element: Option<String>, body: EventBody) {
        let origin = Origin {
            tab: Some(self.shown),
            action_id: Some(id.to_owned()),
            element,
            ..self.origin()
        };
        self.actor.room.publish(body, origin);
    }
}

fn named(mut result: ActionResult, id: &str, correction_of: Option<String>) -> ActionResult {
    id.clone_into(&mut result.action_id);
    result.correction_of = correction_of;
    result
}

/// What is said of an action that was not performed to its end.
fn refusal(why: Why, correction_of: &str) -> ActionError {
    let (kind, retry, message) = match why {
        Why::Lost => return actions::browser_lost(),
        Why::Crashed => return actions::renderer_crashed(),
        Why::Closed => return cancelled(),
        Why::NoSuchFailure => return corrections::unknown(correction_of),
        Why::GivenUp(why) => return perform::cut_short(why),
        Why::Cancelled => (
            ActionErrorKind::Cancelled,
            Retry::Safe,
            "The action was cancelled before it began. Nothing was done.",
        ),
        Why::Full => {
            let message = "Too many actions wait already. Wait for one to complete and try again.";
            refusals::note(Limit::Actions, message);
            (ActionErrorKind::Exhausted, Retry::Safe, message)
        }
        Why::WaitedTooLong => (
            ActionErrorKind::Timeout,
            Retry::Safe,
            "The action waited for too long for those before it, and was not begun. Get the page's \
             context, and ask for it again if it is still wanted.",
        ),
        Why::Taken => (
            ActionErrorKind::HumanInControl,
            Retry::Safe,
            "A person took the wheel before the action began. Nothing was done. Wait for the control event \
             that says that it is given back, then get the page's context.",
        ),
        Why::PageChanged => (
            ActionErrorKind::PageChanged,
            Retry::Useless,
            "The page has changed since this action was asked for, and its index was of the page before. \
             Nothing was done. Get the page's context and use an index that it lists.",
        ),
    };
    let error = ActionError::new(kind, message);
    error.delivery(Delivery::NotSent).retry(retry)
}
