//! Sessions that are left alone end by themselves: after a time without use, and after their longest
//! life. A session of a room is closed; one with a name is stored, and comes back when it is used.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Manager;
use super::handle::SessionHandle;
use crate::config;
use crate::livekit::Company;
use crate::model::control::ControlOwner;
use crate::model::session::LiveKitStatus;
use crate::model::{End, EndReason, EventBody, SessionRecord, SessionSpec};

/// How long before its end a session's subscribers are warned.
const WARNED_BEFORE: Duration = Duration::from_mins(1);
/// A session is looked at this often at least, to see whether it is used,
const LOOK_EVERY_MAX: Duration = Duration::from_secs(5);
/// and at most.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(100);

/// When a session was used last. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Used(Arc<Mutex<Instant>>);

impl Default for Used {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

impl Used {
    /// Notes that it is used.
    pub(super) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a session may be left alone and how long it may live, seconds; 0 for ever: what was asked
/// for within what the operator permits.
pub(super) fn of(config: &config::Session, spec: &SessionSpec) -> (u32, u32) {
    let usual = match spec.session_name {
        Some(_) => config.kept_idle_timeout_s,
        None => config.idle_timeout_s,
    };
    let idle = spec.idle_timeout_s.unwrap_or(usual);
    let lifetime = spec.max_lifetime_s.unwrap_or(0);
    (
        at_most(idle, config.idle_timeout_s_max),
        at_most(lifetime, config.max_lifetime_s),
    )
}

/// The smaller one of two bounds, where 0 is none.
fn at_most(wanted: u32, most: u32) -> u32 {
    match (wanted, most) {
        (0, bound) | (bound, 0) => bound,
        (wanted, most) => wanted.min(most),
    }
}

/// Why a session ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Idle(u32),
    Lifetime(u32),
}

impl Why {
    const fn word(self) -> &'static str {
        match self {
            Self::Idle(_) => "idle",
            Self::Lifetime(_) => "lifetime",
        }
    }

    fn end(self) -> End {
        match self {
            Self::Idle(seconds) => {
                End::new(EndReason::Idle, format!("nobody used it for {seconds} s"))
            }
            Self::Lifetime(seconds) => {
                let detail = format!("it has lived for {seconds} s, its longest");
                End::new(EndReason::Lifetime, detail)
            }
        }
    }
}

/// What a session's time is up to. Pure.
#[derive(Debug, Clone, Copy)]
struct Clock {
    idle_s: u32,
    lifetime_s: u32,
    born: Instant,
}

impl Clock {
    /// When the session ends and why, if nobody uses it any more.
    fn end(self, used: Instant) -> Option<(Instant, Why)> {
        let after = |since: Instant, seconds: u32, why: Why| {
            let end = since + Duration::from_secs(seconds.into());
            (seconds > 0).then_some((end, why))
        };
        let idle = after(used, self.idle_s, Why::Idle(self.idle_s));
        let lifetime = after(self.born, self.lifetime_s, Why::Lifetime(self.lifetime_s));
        let ends = [idle, lifetime].into_iter().flatten();
        ends.min_by_key(|(end, _)| *end)
    }

    /// How long until it is looked at again.
    fn look_after(self) -> Duration {
        let shortest = [self.idle_s, self.lifetime_s]
            .into_iter()
            .filter(|seconds| *seconds > 0)
            .min();
        let shortest = Duration::from_secs(shortest.unwrap_or(0).into());
        (shortest / 20).clamp(LOOK_EVERY_MIN, LOOK_EVERY_MAX)
    }

    /// How long before the end subscribers are warned: a minute, or less where less is left of a short
    /// bound.
    fn warned_before(self, why: Why) -> Duration {
        let (Why::Idle(seconds) | Why::Lifetime(seconds)) = why;
        WARNED_BEFORE.min(Duration::from_secs(seconds.into()) / 2)
    }
}

/// Whether somebody uses the session at this moment without calling it. In a LiveKit room people who watch
/// count, and neither an agent nor a program that listens to events: those may be left there alone.
fn is_in_use(record: &SessionRecord, company: Company) -> bool {
    // Whoever watches and is seen by nobody is no agent that the room knows of.
    let has_people = company.people > 0 || company.agents == 0;
    let is_watched = record.viewers.whep > 0 || record.viewers.livekit && has_people;
    let is_heard = record.connections > 0 && record.livekit == LiveKitStatus::None;
    let is_busy = record.running_action.is_some() || record.queued_actions > 0;
    // Somebody may come at any time who was asked for.
    let is_driven = record.control.owner != ControlOwner::Agent;
    is_watched || is_heard || is_busy || is_driven
}

impl Manager {
    /// Ends a session in time, if it has to end by itself.
    pub(super) async fn limit(self, handle: SessionHandle) {
        let cancel = self.means.cancel.clone();
        cancel.run_until_cancelled(self.watch_time(handle)).await;
    }

    async fn watch_time(self, handle: SessionHandle) {
        let first = handle.record();
        let clock = Clock {
            idle_s: first.idle_timeout_s,
            lifetime_s: first.max_lifetime_s,
            born: Instant::now(),
        };
        let mut warned = None;
        while let Some((end, why)) = clock.end(handle.used.last()) {
            let record = self.complete(handle.record());
            if record.state.is_dead() {
                return;
            }
            let company = handle.company.as_ref().map(|company| *company.borrow());
            if is_in_use(&record, company.unwrap_or_default()) && matches!(why, Why::Idle(_)) {
                handle.used.note();
                warned = None;
            } else {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    self.end_by_itself(&record, why).await;
                    return;
                }
                if left <= clock.warned_before(why) && warned != Some(end) {
                    warned = Some(end);
                    self.warn(&record, why, left);
                }
            }
            tokio::time::sleep(clock.look_after()).await;
        }
    }

    fn warn(&self, record: &SessionRecord, why: Why, left: Duration) {
        let body = EventBody::SessionEnding {
            reason: why.word(),
            in_s: left.as_secs_f64().ceil() as u64,
        };
        self.tell(&record.channel(), record.session_id, body);
    }

    async fn end_by_itself(&self, record: &SessionRecord, why: Why) {
        let (id, room) = (record.session_id.to_string(), record.channel());
        let end = why.end();
        let reason = &end.detail;
        if record.session_name.is_some() {
            self.rest(&id, &end).await;
            tracing::info!(%room, %id, reason, "a kept session is stored");
        } else if self.close_for(&id, &end).await.is_ok() {
            tracing::info!(%room, %id, reason, "a session is closed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RoomName, SessionName};

    #[test]
    fn a_caller_goes_no_further_than_the_operator() {
        let mut config = config::Session {
            idle_timeout_s: 100,
            kept_idle_timeout_s: 200,
            ..config::Session::default()
        };
        let mut spec = SessionSpec::of(RoomName::parse("demo").unwrap());
        assert_eq!(of(&config, &spec), (100, 0));
        spec.session_name = Some(SessionName::parse("kept").unwrap());
        assert_eq!(of(&config, &spec), (200, 0));
        (spec.idle_timeout_s, spec.max_lifetime_s) = (Some(0), Some(50));
        assert_eq!(of(&config, &spec), (0, 50));
        (config.idle_timeout_s_max, config.max_lifetime_s) = (150, 20);
        assert_eq!(of(&config, &spec), (150, 20));
        (spec.idle_timeout_s, spec.max_lifetime_s) = (Some(140), None);
        assert_eq!(of(&config, &spec), (140, 20));
    }

    #[test]
    fn the_earlier_end_holds_and_use_moves_only_one() {
        let born = Instant::now();
        let clock = |idle_s, lifetime_s| Clock {
            idle_s,
            lifetime_s,
            born,
        };
        let after = |seconds| born + Duration::from_secs(seconds);
        assert_eq!(clock(0, 0).end(born), None);
        assert_eq!(clock(10, 0).end(after(5)), Some((after(15), Why::Idle(10))));
        assert_eq!(
            clock(10, 12).end(after(5)),
            Some((after(12), Why::Lifetime(12)))
        );
        let clock = clock(4, 0);
        assert_eq!(clock.warned_before(Why::Idle(4)), Duration::from_secs(2));
        assert_eq!(clock.look_after(), Duration::from_millis(200));
    }
}
