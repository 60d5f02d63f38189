//! The actor: the one task that owns a session's state.
//!
//! Page events come before everything else, so that subscribers hear of a navigation before the
//! action that waited for it completes. Actions run one after the other, each as a future that
//! the actor polls beside its other work; nothing else ever waits for an action.

mod act;
mod page;
mod record;
mod video;

use std::collections::VecDeque;
use std::sync::Arc;

use futures::future::{BoxFuture, OptionFuture};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::act::{Running, Task};
use self::record::Recording;
use self::video::Filming;
use super::corrections::Failed;
use super::machine::{Effect, Input, Machine};
use super::outlets::{self, Outlets};
use super::perform::Kit;
use super::request::{Reply, Request};
use crate::browser::{Lease, Loss, TabEvent};
use crate::config::Config;
use crate::error::Error;
use crate::events;
use crate::livekit::conventions;
use crate::model::{EventBody, Secret, SessionRecord, ViewerId};
use crate::publish::livekit;
use crate::publish::record::Shelf;

/// A session's actor, before it runs.
pub(super) struct Actor {
    // in
    pub(super) requested: mpsc::Receiver<Request>,
    pub(super) page_heard: mpsc::Receiver<TabEvent>,
    pub(super) viewers_ended: mpsc::Receiver<ViewerId>,
    pub(super) loss: watch::Receiver<Option<Loss>>,
    pub(super) livekit_states: Option<watch::Receiver<livekit::State>>,
    // out
    pub(super) record: watch::Sender<SessionRecord>,
    pub(super) room: Arc<events::Room>,
    // owned
    pub(super) kit: Kit,
    pub(super) outlets: Outlets,
    pub(super) lease: Option<Lease>,
    pub(super) shelf: Shelf,
    pub(super) config: Arc<Config>,
    pub(super) tracker: TaskTracker,
    pub(super) cancel: CancellationToken,
}

/// The actor at work.
struct Work {
    actor: Actor,
    machine: Machine,
    running: Option<Running>,
    waiting: VecDeque<Task>,
    failed: Failed,
    filming: Filming,
    /// The tab that subscribers hear of and viewers see.
    shown: u32,
    recording: Recording,
    opening: Option<BoxFuture<'static, act::Opened>>,
    closers: Vec<oneshot::Sender<()>>,
    recoveries: Vec<Reply<()>>,
}

impl Actor {
    /// Runs until the session is closed.
    pub(super) async fn run(self, initial_url: Option<String>) {
        let filming = Filming::new(&self.kit, &self.config, &self.tracker);
        let recording = Recording::new(self.shelf.clone());
        let opening = initial_url.map(|url| act::open(self.kit.clone(), url));
        let mut work = Work {
            shown: self.kit.tabs.current().tab(),
            actor: self,
            machine: Machine::new(),
            running: None,
            waiting: VecDeque::new(),
            failed: Failed::default(),
            filming,
            recording,
            opening,
            closers: Vec::new(),
            recoveries: Vec::new(),
        };
        work.step(Input::Ready).await;
        let id = work.actor.record.borrow().session_id.to_string();
        let attribute = (conventions::ATTRIBUTE_SESSION.to_owned(), id);
        work.actor.outlets.set_attributes([attribute]);
        if let Some(states) = &mut work.actor.livekit_states {
            let state = states.borrow_and_update().clone();
            work.hear_livekit(&state).await;
        }
        while work.closers.is_empty() {
            tokio::select! {
                biased;
                () = work.actor.cancel.cancelled() => break,
                Some(event) = work.actor.page_heard.recv() => work.hear_page(event).await,
                loss = lost(&mut work.actor.loss, work.actor.lease.is_some()) => {
                    work.lose_browser(loss).await;
                }
                request = work.actor.requested.recv() => match request {
                    Some(request) => work.answer(request).await,
                    // Nobody could ever close it.
                    None => break,
                },
                Some(state) = livekit_changed(&mut work.actor.livekit_states) => {
                    work.hear_livekit(&state).await;
                }
                Some(viewer) = work.actor.viewers_ended.recv() => {
                    work.actor.outlets.remove_viewer(viewer);
                    work.update_viewers();
                }
                Some(performed) = OptionFuture::from(work.running.as_mut()) => {
                    work.finish_action(performed);
                }
                Some(opened) = OptionFuture::from(work.opening.as_mut()) => {
                    work.opened(opened);
                }
                change = work.recording.next() => work.hear_recording(change),
                change = work.filming.next() => work.film(change),
            }
        }
        work.close().await;
    }
}

/// Waits for the loss of the browser; for ever once it is gone or given back.
async fn lost(loss: &mut watch::Receiver<Option<Loss>>, is_held: bool) -> Loss {
    if is_held && let Ok(lost) = loss.wait_for(Option::is_some).await {
        return lost.unwrap_or(Loss::Crashed);
    }
    std::future::pending().await
}

async fn livekit_changed(
    states: &mut Option<watch::Receiver<livekit::State>>,
) -> Option<livekit::State> {
    let receiver = states.as_mut()?;
    if receiver.changed().await.is_err() {
        *states = None;
        return std::future::pending().await;
    }
    Some(receiver.borrow_and_update().clone())
}

impl Work {
    async fn step(&mut self, input: Input) {
        match self.machine.step(input) {
            Ok(effects) => self.apply(effects).await,
            Err(error) => tracing::debug!(%error, "an input that makes no sense in this state"),
        }
    }

    async fn ask(&mut self, input: Input) -> Result<(), Error> {
        let effects = self.machine.step(input)?;
        self.apply(effects).await;
        Ok(())
    }

    async fn apply(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Announce { state, reason } => self.announce(state, reason),
                Effect::PauseVideo => self.actor.outlets.pause(),
                Effect::ResumeVideo => self.actor.outlets.resume(),
                Effect::ReconnectLiveKit => self.actor.outlets.reconnect(),
                Effect::BroadcastBrowserError(error) => {
                    self.actor.room.publish(EventBody::BrowserError { error });
                }
                Effect::TearDown => self.tear_down().await,
            }
        }
        let livekit = self.machine.livekit();
        self.actor
            .record
            .send_if_modified(|record| std::mem::replace(&mut record.livekit, livekit) != livekit);
    }

    fn announce(&self, state: crate::model::SessionState, reason: String) {
        tracing::info!(state = state.as_str(), reason, "session");
        self.actor.record.send_modify(|record| {
            record.state = state;
            record.state_reason = (!reason.is_empty()).then(|| reason.clone());
        });
        self.actor.room.publish(EventBody::StreamState {
            state: state.as_str(),
            reason,
        });
        let attribute = (
            conventions::ATTRIBUTE_STATE.to_owned(),
            state.as_str().to_owned(),
        );
        self.actor.outlets.set_attributes([attribute]);
    }

    async fn answer(&mut self, request: Request) {
        match request {
            Request::Act {
                order,
                action,
                reply,
            } => self.enqueue(order, action, reply),
            Request::Pause { reply } => drop(reply.send(self.ask(Input::Pause).await)),
            Request::Resume { reply } => drop(reply.send(self.ask(Input::Resume).await)),
            Request::Recover { new_token, reply } => self.recover(new_token, reply).await,
            Request::AddViewer {
                offer,
                remote,
                reply,
            } => {
                let added = match self.machine.state().is_dead() {
                    true => Err(crate::browser::Error::Gone.into()),
                    false => self.actor.outlets.add_viewer(&offer, remote),
                };
                self.update_viewers();
                drop(reply.send(added));
            }
            Request::TrickleViewer {
                viewer,
                candidates,
                reply,
            } => {
                drop(reply.send(self.actor.outlets.trickle(viewer, &candidates)));
            }
            Request::RemoveViewer { viewer, reply } => {
                let removed = self.actor.outlets.remove_viewer(viewer);
                self.update_viewers();
                drop(reply.send(removed.then_some(()).ok_or_else(outlets::no_viewer)));
            }
            Request::StartRecording { reply } => self.start_recording(reply),
            Request::StopRecording { reply } => self.stop_recording(reply),
            Request::Close { reply } => self.closers.push(reply),
        }
    }

    async fn recover(&mut self, new_token: Option<Secret>, reply: Reply<()>) {
        if let Some(token) = new_token
            && let Err(error) = self.actor.outlets.set_token(token)
        {
            // Whoever asked may have hung up.
            let _ = reply.send(Err(error));
            return;
        }
        let healthy = !self.machine.livekit().is_lost();
        match self.ask(Input::Recover).await {
            // The answer waits until LiveKit is back, or has refused for good.
            Ok(()) if !healthy => {
                self.recoveries.retain(|waiting| !waiting.is_closed());
                self.recoveries.push(reply);
            }
            outcome => drop(reply.send(outcome)),
        }
    }

    async fn hear_livekit(&mut self, state: &livekit::State) {
        let (status, reason) = outlets::status(state);
        self.step(Input::LiveKit(status, reason)).await;
        let outcome = || {
            match state {
            livekit::State::Connected => Some(Ok(())),
            livekit::State::Failed { reason } => Some(Err(Error::unavailable(format!(
                "LiveKit cannot be joined: {reason}"
            ))
            .hint(
                "Call recover with a new livekit_token, or correct the cause and call recover again. \
                 The browser lives on meanwhile.",
            ))),
            _ => None,
        }
        };
        if outcome().is_some() {
            for reply in std::mem::take(&mut self.recoveries) {
                reply.send(outcome().unwrap_or(Ok(()))).ok();
            }
        }
    }

    /// The initial page is there, or could not be opened. Nobody asked for an action, yet agents
    /// hear of the failure as of any other navigation's.
    fn opened(&mut self, act::Opened { title, problem }: act::Opened) {
        self.opening = None;
        let error = problem.as_ref().map(|problem| problem.error.clone());
        self.actor.record.send_modify(|record| {
            record.is_opening = false;
            record.title = title;
            record.page_error = error;
        });
        if let Some(act::Unopened { error, action }) = problem {
            tracing::warn!(error, "the initial page could not be opened");
            self.actor
                .room
                .publish(EventBody::ActionError { error, action });
        }
    }

    async fn lose_browser(&mut self, loss: Loss) {
        self.step(Input::BrowserLost(loss.describe().to_owned()))
            .await;
    }

    /// Puts away what needs the browser, and the rest of the video with it.
    async fn tear_down(&mut self) {
        self.opening = None;
        self.filming.stop();
        self.drop_actions();
        self.end_recording().await;
        for reply in self.recoveries.drain(..) {
            // Whoever asked may have hung up.
            let _ = reply.send(Err(crate::browser::Error::Gone.into()));
        }
        self.actor.outlets.close().await;
        self.update_viewers();
        self.actor.record.send_modify(|record| {
            record.is_opening = false;
            record.capturing = false;
            record.video.fps = 0.0;
            record.video.bitrate_bps = 0;
            record.viewers.livekit = false;
        });
        self.actor.kit.studio.end();
        self.actor.kit.tabs.end();
        self.actor.kit.gate.end();
        if let Some(lease) = self.actor.lease.take() {
            lease.release().await;
        }
    }

    async fn close(mut self) {
        self.step(Input::Close).await;
        self.step(Input::Closed).await;
        self.actor.cancel.cancel();
        self.actor.requested.close();
        // Requests that came meanwhile are answered too.
        while let Ok(request) = self.actor.requested.try_recv() {
            self.answer(request).await;
        }
        self.drop_actions();
        for closer in self.closers.drain(..) {
            // Whoever asked may have hung up.
            let _ = closer.send(());
        }
    }

    fn update_viewers(&self) {
        let whep = self.actor.outlets.viewer_count();
        self.actor
            .record
            .send_if_modified(|record| std::mem::replace(&mut record.viewers.whep, whep) != whep);
    }
}
