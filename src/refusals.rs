//! What is refused because a limit is reached: counted, told in the log without filling it, and known for
//! a minute to whoever asks how the service is.
//!
//! One for the process, as its measurements are: limits are of the machine as well.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;

/// A refusal is news for this long.
const NEWS_FOR: Duration = Duration::from_mins(1);
/// Of one thing that happens over and over the log tells this often at most.
pub const TOLD_EVERY: Duration = Duration::from_secs(10);

/// What there is only so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Sessions of the service: `session.count_max`.
    Sessions,
    /// Memory of all browsers: `browser.memory_bytes_max`.
    Memory,
    /// Requests that wait for one session.
    Requests,
    /// Actions that wait in one session: `session.action_queue_max`.
    Actions,
    /// Tabs of one session.
    Tabs,
    /// What is downloaded in one session.
    Downloads,
    /// What is uploaded in one session.
    Uploads,
    /// Connections of one session's pages.
    PageConnections,
    /// WHEP viewers of one session: `rtc.viewers_max`.
    Viewers,
    /// Event subscribers of one room: `events.sockets_per_room_max`.
    EventSockets,
    /// Rooms that are listened to.
    EventRooms,
    /// Connections to the service: `server.connections_max`.
    Connections,
    /// MCP conversations: `mcp.sessions_max`.
    McpSessions,
    /// Bytes of all recordings: `recording.total_bytes_max`.
    Recordings,
    /// Free room on a disk: `recording.free_bytes_min`, or a disk that is full.
    Disk,
    /// UDP ports for media: `rtc.udp_ports`, or files that the process may open.
    MediaSockets,
    /// TCP ports for the ways out of sessions, or files that the process may open.
    Ports,
    /// Threads of the process.
    Threads,
    /// Files and sockets that the process may open, or memory for them.
    Files,
}

/// All of them.
pub const LIMITS: [Limit; 19] = [
    Limit::Sessions,
    Limit::Memory,
    Limit::Requests,
    Limit::Actions,
    Limit::Tabs,
    Limit::Downloads,
    Limit::Uploads,
    Limit::PageConnections,
    Limit::Viewers,
    Limit::EventSockets,
    Limit::EventRooms,
    Limit::Connections,
    Limit::McpSessions,
    Limit::Recordings,
    Limit::Disk,
    Limit::MediaSockets,
    Limit::Ports,
    Limit::Threads,
    Limit::Files,
];

impl Limit {
    /// Its name as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Memory => "memory",
            Self::Requests => "requests",
            Self::Actions => "actions",
            Self::Tabs => "tabs",
            Self::Downloads => "downloads",
            Self::Uploads => "uploads",
            Self::PageConnections => "page_connections",
            Self::Viewers => "viewers",
            Self::EventSockets => "event_sockets",
            Self::EventRooms => "event_rooms",
            Self::Connections => "connections",
            Self::McpSessions => "mcp_sessions",
            Self::Recordings => "recordings",
            Self::Disk => "disk",
            Self::MediaSockets => "media_sockets",
            Self::Ports => "ports",
            Self::Threads => "threads",
            Self::Files => "files",
        }
    }

    /// Whether the machine lacks what the service needs. The other limits are settings that hold, and
    /// that is what they are for.
    pub const fn is_want(self) -> bool {
        matches!(
            self,
            Self::Disk | Self::MediaSockets | Self::Ports | Self::Threads | Self::Files
        )
    }

    /// Whether it is one caller's or one session's own, which says nothing of the service.
    const fn is_own(self) -> bool {
        matches!(
            self,
            Self::Requests
                | Self::Actions
                | Self::Tabs
                | Self::Downloads
                | Self::Uploads
                | Self::PageConnections
                | Self::Viewers
                | Self::EventSockets
        )
    }
}

/// A limit that was reached within the last minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Which.
    pub limit: Limit,
    /// What the last one who was refused was told.
    pub why: String,
}

/// What happens over and over, and would fill the log: it is told at once, and then of many together.
#[derive(Debug, Default)]
pub struct Tally {
    told: Option<Instant>,
    /// Those since it was told of.
    untold: u32,
}

impl Tally {
    /// Counts one; answers how many are to be told of now.
    pub fn note(&mut self, now: Instant) -> Option<u32> {
        self.untold = self.untold.saturating_add(1);
        self.due(now)
    }

    /// How many are to be told of now, if any are.
    pub fn due(&mut self, now: Instant) -> Option<u32> {
        let is_early = self.told.is_some_and(|told| now < told + TOLD_EVERY);
        if is_early || self.untold == 0 {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }

    /// Whether all are told of.
    pub const fn is_told(&self) -> bool {
        self.untold == 0
    }
}

/// What is known of one limit.
#[derive(Debug, Default)]
struct Seen {
    last: Option<Instant>,
    why: String,
    tally: Tally,
}

impl Seen {
    /// Takes note of a refusal; answers how many are to be told of now.
    fn note(&mut self, why: &str, now: Instant) -> Option<u32> {
        self.last = Some(now);
        why.clone_into(&mut self.why);
        self.tally.note(now)
    }

    fn is_news(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now < last + NEWS_FOR)
    }
}

static SEEN: Mutex<BTreeMap<Limit, Seen>> = Mutex::new(BTreeMap::new());

fn seen() -> MutexGuard<'static, BTreeMap<Limit, Seen>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that somebody is refused something.
pub fn note(limit: Limit, why: &str) {
    metrics::counter!("ghostcast_refusals_total", "limit" => limit.as_str()).increment(1);
    let told = seen().entry(limit).or_default().note(why, Instant::now());
    if let Some(count) = told {
        tell(limit, count, why);
    }
}

fn tell(limit: Limit, count: u32, why: &str) {
    tracing::warn!(limit = limit.as_str(), count, why, "refused at a limit");
}

/// Tells of the refusals that the log does not know of yet; to be called every few seconds.
pub fn upkeep() {
    let now = Instant::now();
    for (limit, seen) in seen().iter_mut() {
        if let Some(count) = seen.tally.due(now) {
            tell(*limit, count, &seen.why);
        }
    }
}

/// An error by which somebody is refused something, which is noted.
pub fn refused(limit: Limit, error: Error) -> Error {
    note(limit, &error.message);
    error
}

/// The limits of the service that were reached within the last minute; those of single sessions are
/// their callers' alone.
pub fn lately() -> Vec<Reached> {
    let now = Instant::now();
    let seen = seen();
    let news = seen
        .iter()
        .filter(|(limit, seen)| !limit.is_own() && seen.is_news(now));
    news.map(|(limit, seen)| Reached {
        limit: *limit,
        why: seen.why.clone(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_hears_of_the_first_and_then_of_many_at_once() {
        let mut seen = Seen::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(seen.note("a", after(0)), Some(1));
        assert_eq!(seen.note("b", after(1)), None);
        assert_eq!(seen.note("c", after(9)), None);
        assert_eq!(seen.note("d", after(10)), Some(3));
        assert_eq!(seen.why, "d");
        // What comes last is told too, when nothing follows it.
        assert_eq!(seen.note("e", after(11)), None);
        assert_eq!(seen.tally.due(after(19)), None);
        assert!(!seen.tally.is_told());
        assert_eq!(seen.tally.due(after(20)), Some(1));
        assert_eq!(seen.tally.due(after(40)), None);
        assert!(seen.is_news(after(70)) && !seen.is_news(after(71)));
    }

    #[test]
    fn each_limit_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> =
            LIMITS.iter().map(|limit| limit.as_str()).collect();
        assert_eq!(names.len(), LIMITS.len());
        assert!(
            LIMITS
                .iter()
                .all(|limit| !(limit.is_want() && limit.is_own()))
        );
    }
}
