//! The actor: the one task that owns a session's state.
//!
//! Page events come before everything else, so that subscribers hear of a navigation before the
//! action that waited for it completes. Actions run one after the other, each as a future that
//! the actor polls beside its other work; nothing else ever waits for an action. So is what puts
//! the session away at its end, and whoever asks meanwhile is answered.

mod act;
mod badge;
mod drawing;
mod page;
mod record;
mod veil;
mod video;
mod wheel;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, OptionFuture};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::act::Acting;
pub(super) use self::drawing::Asking;
use self::drawing::Drawing;
use self::record::Recording;
use self::video::Filming;
use super::ledger::Ledger;
use super::logbook::Logbook;
use super::machine::{Effect, Input, Machine};
use super::memory::Overgrown;
use super::outlets;
use super::partings::Partings;
use super::perform::Kit;
use super::queue::Why;
use super::request::{Reply, Request};
use super::stage::Stage;
use super::supervise::Panicked;
use super::visited::Visited;
use crate::browser::{Lease, Loss, TabEvent, act as actions};
use crate::config::Config;
use crate::error::Error;
use crate::events;
use crate::livekit::conventions;
use crate::model::event::Origin;
use crate::model::{End, EndReason, EventBody, Secret, SessionRecord, SessionState};
use crate::publish::livekit;
use crate::publish::record::Shelf;

/// What a caller does about a lost browser.
pub(super) const START_ANEW: &str = "Start a new session on this room.";
/// Why sessions end with the service.
pub(super) const SERVICE_STOPS: &str = "service stopping";
/// What becomes of that of a kept session.
const STARTS_AGAIN: &str = "It is started again by itself, on its profile and its page.";
const STARTS_AGAIN_THEN_TRY: &str = "It is started again by itself, on its profile and its page: get the \
                                     page's context, and try again if it is still wanted.";

/// A session's actor, before it runs.
pub(super) struct Actor {
    // in
    pub(super) requested: mpsc::Receiver<Request>,
    pub(super) page_heard: mpsc::Receiver<TabEvent>,
    pub(super) loss: watch::Receiver<Option<Loss>>,
    pub(super) overgrown: Overgrown,
    pub(super) sketches: mpsc::Receiver<Asking>,
    // out
    pub(super) record: watch::Sender<SessionRecord>,
    pub(super) room: Arc<events::Room>,
    pub(super) ledger: Ledger,
    pub(super) logbook: Logbook,
    pub(super) visited: Visited,
    pub(super) partings: Partings,
    // owned
    pub(super) kit: Kit,
    pub(super) stage: Stage,
    pub(super) lease: Option<Lease>,
    pub(super) shelf: Shelf,
    pub(super) config: Arc<Config>,
    /// Ends the door by which those in the LiveKit room come.
    pub(super) door: CancellationToken,
    pub(super) tracker: TaskTracker,
    pub(super) cancel: CancellationToken,
}

/// The actor at work.
struct Work {
    actor: Actor,
    machine: Machine,
    acting: Acting,
    filming: Filming,
    drawing: Drawing,
    /// The tab that subscribers hear of and viewers see.
    shown: u32,
    recording: Recording,
    /// What the session had copied before a person had the page to themselves.
    copied_before: Option<String>,
    teardown: Teardown,
    /// Whether the stage waits for another browser, or has gone to the session that has one.
    succession: Succession,
    is_stage_broken: bool,
    closers: Vec<oneshot::Sender<()>>,
    recoveries: Vec<Reply<()>>,
}

/// What becomes of the stage of a session whose browser is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Succession {
    /// It ends with the session.
    None,
    /// It waits to be handed over.
    Awaited,
    /// It is another session's, which goes on where this one was: nothing more is told of this one.
    Done,
}

/// How far what the session holds is put away.
enum Teardown {
    NotBegun,
    UnderWay(BoxFuture<'static, ()>),
    Done,
}

impl Actor {
    /// Runs until the session is closed.
    pub(super) async fn run(mut self, initial_url: Option<String>) {
        let (_, nothing) = mpsc::channel(1);
        let sketches = std::mem::replace(&mut self.sketches, nothing);
        let mut work = Work {
            shown: self.kit.tabs.current().tab(),
            machine: Machine::new(),
            acting: Acting::new(&self.config.session),
            filming: Filming::new(&self.kit, &self.config, &self.tracker),
            drawing: Drawing::new(&self.kit, sketches),
            recording: Recording::new(self.shelf.clone()),
            copied_before: None,
            teardown: Teardown::NotBegun,
            succession: Succession::None,
            is_stage_broken: false,
            closers: Vec::new(),
            recoveries: Vec::new(),
            actor: self,
        };
        // It may be another's that was lost, with somebody at it.
        work.show_control();
        work.follow_veil();
        work.step(Input::Ready);
        for _ in 0..work.actor.stage.outlets.viewer_count() {
            work.actor.logbook.viewer();
        }
        if work.actor.stage.is_paused {
            work.step(Input::Pause);
        }
        let id = work.actor.record.borrow().session_id.to_string();
        let attribute = (conventions::ATTRIBUTE_SESSION.to_owned(), id);
        work.actor.stage.outlets.set_attributes([attribute]);
        if let Some(states) = &mut work.actor.stage.livekit_states {
            let state = states.borrow_and_update().clone();
            work.hear_livekit(&state);
        }
        if let Some(url) = initial_url {
            work.open(url);
        }
        while !work.is_over() {
            work.turn().await;
        }
        work.actor.door.cancel();
        work.end();
    }
}

impl Work {
    /// Does the next thing there is to do.
    async fn turn(&mut self) {
        self.follow_veil();
        let is_closing = self.is_closing();
        tokio::select! {
            biased;
            () = self.actor.cancel.cancelled(), if !is_closing => {
                let end = End::new(EndReason::ServiceStopped, SERVICE_STOPS);
                self.actor.logbook.end(end);
                self.step(Input::Close(SERVICE_STOPS.to_owned()));
            }
            Some(event) = self.actor.page_heard.recv() => self.hear_page(event),
            loss = lost(&mut self.actor.loss, self.actor.lease.is_some()) => {
                self.lose_browser(EndReason::BrowserLost, loss.describe());
            }
            Some(panicked) = self.actor.stage.panicked.recv() => {
                self.break_stage(&panicked);
            }
            request = self.actor.requested.recv(), if !self.is_deserted() => match request {
                Some(request) => self.answer(request),
                // Nobody could ever close it.
                None => self.close_deserted(),
            },
            Some(state) = livekit_changed(&mut self.actor.stage.livekit_states) => {
                self.hear_livekit(&state);
            }
            Some(viewer) = self.actor.stage.viewers_ended.recv() => {
                self.actor.stage.outlets.remove_viewer(viewer);
                self.update_viewers();
            }
            news = self.actor.stage.wheel.next() => self.hear_wheel(news),
            change = self.acting.next() => self.act(change),
            change = self.recording.next() => self.hear_recording(change),
            change = self.filming.next() => self.film(change),
            change = self.drawing.next() => self.draw(change),
            Some(()) = OptionFuture::from(self.teardown.under_way()) => self.torn_down(),
        }
    }
}

impl Teardown {
    fn under_way(&mut self) -> Option<&mut BoxFuture<'static, ()>> {
        match self {
            Self::UnderWay(future) => Some(future),
            Self::NotBegun | Self::Done => None,
        }
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
    /// A part of the stage has broken. If it is gone, what is left of the stage is of no use to anybody.
    fn break_stage(&mut self, panicked: &Panicked) {
        if panicked.goes_on {
            let reason = panicked.describe();
            return self.tell(EventBody::StreamState {
                state: self.machine.state().as_str(),
                reason,
                quality: None,
            });
        }
        self.is_stage_broken = true;
        self.lose_browser(EndReason::Internal, &panicked.describe());
        if self.succession == Succession::Awaited {
            self.leave_stage();
        }
    }

    /// The browser is lost, or cannot be trusted. A kept session is started again by the manager.
    fn lose_browser(&mut self, reason: EndReason, why: &str) {
        let why = self.in_its_words(why);
        self.actor.logbook.end(End::new(reason, why.clone()));
        metrics::counter!("ghostcast_browsers_lost_total", "reason" => reason.as_str())
            .increment(1);
        self.step(Input::BrowserLost(why));
    }

    /// What is said of a lost browser: that of a kept session is started again by itself, or at its next use
    /// at the latest.
    fn in_its_words(&self, said: &str) -> String {
        match self.actor.record.borrow().session_name {
            Some(_) => said
                .replace(actions::START_ANEW_AND_TRY, STARTS_AGAIN_THEN_TRY)
                .replace(START_ANEW, STARTS_AGAIN),
            None => said.to_owned(),
        }
    }

    fn close_deserted(&mut self) {
        let end = End::new(EndReason::Closed, "nobody holds it any more");
        self.actor.logbook.end(end.clone());
        self.step(Input::Close(end.detail));
    }

    fn step(&mut self, input: Input) {
        match self.machine.step(input) {
            Ok(effects) => self.apply(effects),
            Err(error) => tracing::debug!(%error, "an input that makes no sense in this state"),
        }
    }

    fn ask(&mut self, input: Input) -> Result<(), Error> {
        let effects = self.machine.step(input)?;
        self.apply(effects);
        Ok(())
    }

    fn apply(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Announce { state, reason } => self.announce(state, reason),
                Effect::PauseVideo => self.actor.stage.outlets.pause(),
                Effect::ResumeVideo => self.actor.stage.outlets.resume(),
                Effect::ReconnectLiveKit => self.actor.stage.outlets.reconnect(),
                Effect::BroadcastBrowserError(error) => {
                    self.tell(EventBody::BrowserError { error });
                }
                Effect::TearDown => self.tear_down(),
            }
        }
        let livekit = self.machine.livekit();
        self.actor
            .record
            .send_if_modified(|record| std::mem::replace(&mut record.livekit, livekit) != livekit);
    }

    fn announce(&self, state: SessionState, reason: String) {
        tracing::info!(state = state.as_str(), reason, "session");
        self.actor.record.send_modify(|record| {
            record.state = state;
            record.active = !state.is_dead();
            record.state_reason = (!reason.is_empty()).then(|| reason.clone());
        });
        if self.succession == Succession::Done {
            return;
        }
        self.tell(EventBody::StreamState {
            state: state.as_str(),
            reason,
            quality: None,
        });
        let attribute = (
            conventions::ATTRIBUTE_STATE.to_owned(),
            state.as_str().to_owned(),
        );
        self.actor.stage.outlets.set_attributes([attribute]);
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Act {
                order,
                asker,
                action,
                answer,
            } => self.enqueue(order, *asker, action, answer),
            Request::Cancel { id, reply } => drop(reply.send(self.cancel(&id))),
            Request::Touch => self.note_activity(None),
            Request::Pause { reply } => drop(reply.send(self.ask(Input::Pause))),
            Request::Resume { reply } => drop(reply.send(self.ask(Input::Resume))),
            Request::Recover { new_token, reply } => self.recover(new_token, reply),
            Request::AddViewer {
                offer,
                remote,
                ear,
                until,
                reply,
            } => {
                let is_left =
                    self.machine.state().is_dead() && self.succession != Succession::Awaited;
                let added = match is_left {
                    true => Err(crate::browser::Error::Gone.into()),
                    false => {
                        let outlets = &mut self.actor.stage.outlets;
                        outlets.add_viewer(&offer, (remote, ear), until)
                    }
                };
                if added.is_ok() {
                    self.actor.logbook.viewer();
                }
                self.update_viewers();
                drop(reply.send(added));
            }
            Request::TrickleViewer {
                viewer,
                candidates,
                reply,
            } => {
                drop(reply.send(self.actor.stage.outlets.trickle(viewer, &candidates)));
            }
            Request::RemoveViewer { viewer, reply } => {
                let removed = self.actor.stage.outlets.remove_viewer(viewer);
                self.update_viewers();
                drop(reply.send(removed.then_some(()).ok_or_else(outlets::no_viewer)));
            }
            Request::Connections { reply } => {
                drop(reply.send(Ok(self.actor.stage.outlets.connections())));
            }
            Request::StartRecording { reply } => self.start_recording(reply),
            Request::StopRecording { reply } => self.stop_recording(reply),
            Request::HandOver { reply } => self.hand_over(reply),
            Request::GiveUp { why } => self.give_up(why),
            Request::Close { why, reply } => {
                self.closers.push(reply);
                self.step(Input::Close(why));
            }
        }
    }

    fn recover(&mut self, new_token: Option<Secret>, reply: Reply<()>) {
        if let Some(token) = new_token
            && let Err(error) = self.actor.stage.outlets.set_token(token)
        {
            // Whoever asked may have hung up.
            let _ = reply.send(Err(error));
            return;
        }
        let healthy = !self.machine.livekit().is_lost();
        match self.ask(Input::Recover) {
            // The answer waits until LiveKit is back, or has refused for good.
            Ok(()) if !healthy => {
                self.recoveries.retain(|waiting| !waiting.is_closed());
                self.recoveries.push(reply);
            }
            outcome => drop(reply.send(outcome)),
        }
    }

    fn hear_livekit(&mut self, state: &livekit::State) {
        let (status, reason) = outlets::status(state);
        self.step(Input::LiveKit(status, reason));
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

    /// Hands the stage over, if it waits for that.
    fn hand_over(&mut self, reply: oneshot::Sender<Option<Stage>>) {
        let is_awaited = self.succession == Succession::Awaited;
        if is_awaited {
            self.succession = Succession::Done;
        }
        self.actor.door.cancel();
        let is_paused = self.machine.is_paused();
        let stage = is_awaited.then(|| self.actor.stage.take(is_paused));
        if let Err(Some(stage)) = reply.send(stage) {
            self.actor.tracker.spawn(stage.leave());
        }
    }

    /// No browser comes in the place of the lost one.
    fn give_up(&mut self, why: String) {
        if self.succession == Succession::Awaited {
            self.announce(self.machine.state(), why);
            self.leave_stage();
        }
    }

    /// Lets go of who watches, beside all that is put away already.
    fn leave_stage(&mut self) {
        self.succession = Succession::None;
        let (left, studio) = (
            self.actor.stage.outlets.leave(),
            self.actor.stage.studio.clone(),
        );
        self.update_viewers();
        self.actor
            .record
            .send_modify(|record| record.viewers.livekit = false);
        let before = std::mem::replace(&mut self.teardown, Teardown::Done);
        let leaving = async move {
            match before {
                Teardown::UnderWay(before) => drop(tokio::join!(before, left)),
                Teardown::NotBegun | Teardown::Done => left.await,
            }
            // A recording is complete by now.
            studio.end();
        };
        self.teardown = Teardown::UnderWay(leaving.boxed());
    }

    /// Puts away what needs the browser, and the rest of the video with it unless that is to be another's;
    /// once, whatever the cause. What takes its time is left to a future.
    fn tear_down(&mut self) {
        if !matches!(self.teardown, Teardown::NotBegun) {
            if self.succession == Succession::Awaited {
                self.leave_stage();
            }
            return;
        }
        let is_failed = self.machine.state() == SessionState::Failed;
        let is_kept = self.actor.record.borrow().session_name.is_some();
        if is_failed && is_kept && !self.is_stage_broken {
            self.succession = Succession::Awaited;
        }
        self.filming.stop();
        self.drawing.stop();
        self.end_actions(match self.machine.state() {
            SessionState::Failed if self.actor.kit.tabs.current().loading().crashed => Why::Crashed,
            SessionState::Failed => Why::Lost,
            _ => Why::Closed,
        });
        let recorded = self.leave_recording();
        for reply in self.recoveries.drain(..) {
            // Whoever asked may have hung up.
            let _ = reply.send(Err(crate::browser::Error::Gone.into()));
        }
        self.actor.record.send_modify(|record| {
            record.capturing = false;
            record.video.fps = 0.0;
            record.video.bitrate_bps = 0;
        });
        let (kit, lease) = (self.actor.kit.clone(), self.actor.lease.take());
        let teardown = async move {
            recorded.await;
            kit.tabs.end();
            kit.gate.end();
            kit.easel.close().await;
            if let Some(lease) = lease {
                lease.release().await;
            }
        };
        self.teardown = Teardown::UnderWay(teardown.boxed());
        if self.succession == Succession::None {
            self.leave_stage();
        }
    }

    /// Everything is put away.
    fn torn_down(&mut self) {
        self.teardown = Teardown::Done;
        self.give_up_recording();
        self.update_viewers();
    }

    fn is_closing(&self) -> bool {
        let state = self.machine.state();
        matches!(state, SessionState::Closing | SessionState::Closed)
    }

    /// Whether nobody holds the session any more.
    fn is_deserted(&self) -> bool {
        self.actor.requested.is_closed() && self.actor.requested.is_empty()
    }

    fn is_over(&self) -> bool {
        self.is_closing() && matches!(self.teardown, Teardown::Done)
    }

    /// Says goodbye to whoever asks now.
    fn end(mut self) {
        self.step(Input::Closed);
        self.actor.cancel.cancel();
        self.actor.requested.close();
        // Requests that came meanwhile are answered too.
        while let Ok(request) = self.actor.requested.try_recv() {
            self.answer(request);
        }
        self.end_actions(Why::Closed);
        for closer in self.closers.drain(..) {
            // Whoever asked may have hung up.
            let _ = closer.send(());
        }
    }

    /// Where the session's own events come from.
    fn origin(&self) -> Origin {
        Origin {
            session_id: Some(self.actor.record.borrow().session_id),
            ..Origin::default()
        }
    }

    /// Tells what happens to the session.
    fn tell(&self, body: EventBody) {
        self.actor.room.publish(body, self.origin());
    }

    /// Tells what happens in a tab.
    fn tell_of_tab(&self, tab: u32, body: EventBody) {
        let tab = Some(tab);
        let origin = Origin {
            tab,
            ..self.origin()
        };
        self.actor.room.publish(body, origin);
    }
}
