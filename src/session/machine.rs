//! A session's life as a pure machine: inputs in, effects out, no clock and no I/O.

use crate::error::Error;
use crate::model::SessionState;
use crate::model::session::LiveKitStatus;

/// What happens to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The browser is ready.
    Ready,
    /// A caller wants the video paused.
    Pause,
    /// A caller wants the video back.
    Resume,
    /// A caller wants what is lost back.
    Recover,
    /// A caller, a limit or a shutdown ends the session; why.
    Close(String),
    /// Everything is put away.
    Closed,
    /// The browser is lost.
    BrowserLost(String),
    /// The LiveKit side changed.
    LiveKit(LiveKitStatus, String),
}

/// What the session's shell shall do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Tell subscribers and callers the new state.
    Announce {
        /// The new state.
        state: SessionState,
        /// Why.
        reason: String,
    },
    /// Stop the video.
    PauseVideo,
    /// Show the current page again.
    ResumeVideo,
    /// Try to reach LiveKit at once.
    ReconnectLiveKit,
    /// Tell subscribers that the browser is lost.
    BroadcastBrowserError(String),
    /// Put everything away.
    TearDown,
}

/// The state of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    life: Life,
    is_paused: bool,
    livekit: LiveKitStatus,
    /// Why LiveKit is lost, while it is.
    livekit_reason: String,
    announced: SessionState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Starting,
    Running,
    Failed,
    Closing,
    Closed,
}

impl Machine {
    /// A session that starts.
    pub fn new() -> Self {
        Self {
            life: Life::Starting,
            is_paused: false,
            livekit: LiveKitStatus::None,
            livekit_reason: String::new(),
            announced: SessionState::Starting,
        }
    }

    /// Where the session is in its life.
    pub fn state(&self) -> SessionState {
        match self.life {
            Life::Starting => SessionState::Starting,
            Life::Failed => SessionState::Failed,
            Life::Closing => SessionState::Closing,
            Life::Closed => SessionState::Closed,
            Life::Running if self.is_paused => SessionState::Paused,
            Life::Running => match self.livekit {
                LiveKitStatus::Reconnecting | LiveKitStatus::Failed => SessionState::Reconnecting,
                LiveKitStatus::None | LiveKitStatus::Connecting | LiveKitStatus::Connected => {
                    SessionState::Live
                }
            },
        }
    }

    /// Whether the video is paused by request.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// The LiveKit side.
    pub fn livekit(&self) -> LiveKitStatus {
        self.livekit
    }

    /// Takes one input. An error says why the request makes no sense in this state, and changes
    /// nothing.
    pub fn step(&mut self, input: Input) -> Result<Vec<Effect>, Error> {
        let mut effects = Vec::new();
        let livekit_before = self.livekit;
        let reason = match input {
            Input::Ready => {
                if self.life == Life::Starting {
                    self.life = Life::Running;
                }
                String::new()
            }
            Input::Pause => self.pause(&mut effects)?,
            Input::Resume => self.resume(&mut effects)?,
            Input::Recover => self.recover(&mut effects)?,
            Input::Close(why) => self.close(why, &mut effects),
            Input::Closed => {
                self.life = Life::Closed;
                "closed".to_owned()
            }
            Input::BrowserLost(error) => self.lose_browser(error, &mut effects),
            Input::LiveKit(status, reason) => {
                self.livekit = status;
                self.livekit_reason.clone_from(&reason);
                reason
            }
        };
        let state = self.state();
        let is_reconnecting = state == SessionState::Reconnecting;
        // That it is tried no more is news, though the state is the same.
        if state != self.announced || (is_reconnecting && self.livekit != livekit_before) {
            self.announced = state;
            let reason = if is_reconnecting {
                self.livekit_reason.clone()
            } else {
                reason
            };
            effects.insert(0, Effect::Announce { state, reason });
        }
        Ok(effects)
    }

    fn pause(&mut self, effects: &mut Vec<Effect>) -> Result<String, Error> {
        self.must_run()?;
        if !std::mem::replace(&mut self.is_paused, true) {
            effects.push(Effect::PauseVideo);
        }
        Ok("paused by request".to_owned())
    }

    fn resume(&mut self, effects: &mut Vec<Effect>) -> Result<String, Error> {
        self.must_run()?;
        if std::mem::replace(&mut self.is_paused, false) {
            effects.push(Effect::ResumeVideo);
        }
        Ok("resumed by request".to_owned())
    }

    fn recover(&self, effects: &mut Vec<Effect>) -> Result<String, Error> {
        self.must_run()?;
        match self.livekit {
            LiveKitStatus::Reconnecting | LiveKitStatus::Failed => {
                effects.push(Effect::ReconnectLiveKit);
            }
            // Healthy, or on its way: undisturbed.
            LiveKitStatus::None | LiveKitStatus::Connecting | LiveKitStatus::Connected => (),
        }
        Ok("recovery requested".to_owned())
    }

    fn close(&mut self, why: String, effects: &mut Vec<Effect>) -> String {
        if !matches!(self.life, Life::Closing | Life::Closed) {
            self.life = Life::Closing;
            effects.push(Effect::TearDown);
        }
        why
    }

    fn lose_browser(&mut self, error: String, effects: &mut Vec<Effect>) -> String {
        if matches!(self.life, Life::Starting | Life::Running) {
            self.life = Life::Failed;
            effects.push(Effect::BroadcastBrowserError(error.clone()));
            effects.push(Effect::TearDown);
        }
        error
    }

    fn must_run(&self) -> Result<(), Error> {
        match self.life {
            Life::Running => Ok(()),
            Life::Starting => Err(still_starting()),
            Life::Failed => Err(Error::unavailable("the session's browser is gone")
                .hint("It cannot be recovered. Start a new session on this room.")),
            Life::Closing | Life::Closed => {
                Err(Error::closed("the session is closed")
                    .hint("Start a new session on this room."))
            }
        }
    }
}

/// Nothing can be asked of a session yet.
pub(super) fn still_starting() -> Error {
    Error::conflict("the session is still starting").hint("Try again in a moment.")
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn running() -> Machine {
        let mut machine = Machine::new();
        machine.step(Input::Ready).unwrap();
        machine
    }

    #[test]
    fn pause_and_resume_are_idempotent() {
        let mut machine = running();
        let effects = machine.step(Input::Pause).unwrap();
        assert!(effects.contains(&Effect::PauseVideo));
        assert_eq!(machine.step(Input::Pause).unwrap(), []);
        assert_eq!(machine.state(), SessionState::Paused);
        assert!(
            machine
                .step(Input::Resume)
                .unwrap()
                .contains(&Effect::ResumeVideo)
        );
        assert_eq!(machine.state(), SessionState::Live);
    }

    #[test]
    fn a_lost_browser_fails_once_and_cannot_be_recovered() {
        let mut machine = running();
        let effects = machine
            .step(Input::BrowserLost("crash".to_owned()))
            .unwrap();
        assert_eq!(
            effects[1..],
            [
                Effect::BroadcastBrowserError("crash".to_owned()),
                Effect::TearDown
            ]
        );
        assert_eq!(
            machine
                .step(Input::BrowserLost("crash".to_owned()))
                .unwrap(),
            []
        );
        assert!(machine.step(Input::Recover).is_err());
        assert!(machine.state().is_dead());
    }

    #[test]
    fn livekit_lost_is_seen_and_recovered() {
        let mut machine = running();
        let lost = Input::LiveKit(LiveKitStatus::Reconnecting, "signal lost".to_owned());
        machine.step(lost).unwrap();
        assert_eq!(machine.state(), SessionState::Reconnecting);
        assert_eq!(
            machine.step(Input::Recover).unwrap(),
            [Effect::ReconnectLiveKit]
        );
        machine
            .step(Input::LiveKit(LiveKitStatus::Connected, String::new()))
            .unwrap();
        assert_eq!(
            machine.step(Input::Recover).unwrap(),
            [],
            "healthy: undisturbed"
        );
    }

    fn any_input() -> impl Strategy<Value = Input> {
        prop_oneof![
            Just(Input::Ready),
            Just(Input::Pause),
            Just(Input::Resume),
            Just(Input::Recover),
            Just(Input::Close("by request".to_owned())),
            Just(Input::Closed),
            Just(Input::BrowserLost("lost".to_owned())),
            Just(Input::LiveKit(
                LiveKitStatus::Reconnecting,
                "lost".to_owned()
            )),
            Just(Input::LiveKit(LiveKitStatus::Failed, "lost".to_owned())),
            Just(Input::LiveKit(LiveKitStatus::Connected, String::new())),
        ]
    }

    /// How far a life has come; it never goes back.
    fn stage(state: SessionState) -> u8 {
        match state {
            SessionState::Starting => 0,
            SessionState::Live | SessionState::Paused | SessionState::Reconnecting => 1,
            SessionState::Failed => 2,
            SessionState::Closing => 3,
            SessionState::Closed | SessionState::Stored => 4,
        }
    }

    proptest! {
        /// Whatever happens: a life goes one way only, so that a dead session never comes back; it
        /// is put away when its browser is lost and when it is closed, once each; each announced
        /// state is the state; and one that is closed does nothing more.
        #[test]
        fn the_dead_stay_dead(inputs in proptest::collection::vec(any_input(), 0..40)) {
            let mut machine = Machine::new();
            let mut torn_down = Vec::new();
            for input in inputs {
                let before = machine.state();
                let wants_life = matches!(input, Input::Pause | Input::Resume | Input::Recover);
                let cause = std::mem::discriminant(&input);
                let answer = machine.step(input);
                let now = machine.state();
                prop_assert!(stage(now) >= stage(before), "{before:?} became {now:?}");
                prop_assert!(!(wants_life && before.is_dead()) || answer.is_err());
                let effects = answer.unwrap_or_default();
                prop_assert!(before != SessionState::Closed || effects.is_empty());
                let is_told = effects.iter().any(|e| matches!(e, Effect::Announce { .. }));
                prop_assert!(is_told || now == before, "{now:?} is told to nobody");
                for effect in effects {
                    match effect {
                        Effect::TearDown => {
                            prop_assert!(!torn_down.contains(&cause), "twice for the same cause");
                            torn_down.push(cause);
                        }
                        Effect::Announce { state, .. } => prop_assert_eq!(state, now),
                        Effect::PauseVideo | Effect::ResumeVideo | Effect::ReconnectLiveKit => {
                            prop_assert!(!now.is_dead());
                        }
                        Effect::BroadcastBrowserError(_) => prop_assert_eq!(now, SessionState::Failed),
                    }
                }
            }
            prop_assert!(torn_down.len() <= 2);
            machine.step(Input::Close(String::new())).expect("closing is never refused");
            machine.step(Input::Closed).expect("nor is its end");
            prop_assert_eq!(machine.state(), SessionState::Closed);
        }
    }
}
