//! What the gate remembers: the last failure per host and port, and the newest denials.
//!
//! Both are bounded, oldest first out, since a page decides how many hosts it asks for.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::allowlist::{Denial, DenialRule};

/// Hosts whose last failure is remembered: more than one page asks for between a navigation's
/// start and its failure.
const FAILURES_MAX: usize = 256;

/// Denied requests that are kept in full.
const DENIED_MAX: usize = 64;

/// Why a request did not reach its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The allowlist or a default denial refused it.
    Denied(Denial),
    /// The host name could not be resolved.
    DnsFailed,
    /// The host refused the connection.
    Refused,
    /// There is no way to the host's network.
    Unreachable,
    /// The host did not answer in time.
    TimedOut,
    /// The host took the connection and closed it without an answer.
    Reset,
}

impl Outcome {
    /// The outcome that a failed connection attempt comes to.
    pub(super) fn of_connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Self::Reset,
            _ => Self::Unreachable,
        }
    }

    /// A stable name, for metrics and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Denied(denial) => denial.rule.as_str(),
            Self::DnsFailed => "dns_failed",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Reset => "reset",
        }
    }
}

/// One request that the gate denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeniedRequest {
    /// The host that was asked for, in canonical form.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The rule that refused it.
    pub reason: DenialRule,
}

/// The memory of one gate. The lock is held for a short scan and never across an await.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// Oldest first.
    failures: VecDeque<Failure>,
    denied: VecDeque<DeniedRequest>,
    denials: u64,
}

#[derive(Debug)]
struct Failure {
    host: String,
    port: u16,
    outcome: Outcome,
}

impl Memory {
    pub(super) fn remember(&self, host: &str, port: u16, outcome: Outcome) {
        let mut entries = self.entries();
        if let Outcome::Denied(denial) = &outcome {
            entries.denials += 1;
            if entries.denied.len() == DENIED_MAX {
                entries.denied.pop_front();
            }
            entries.denied.push_back(DeniedRequest {
                host: host.to_owned(),
                port,
                reason: denial.rule,
            });
        }
        entries.forget(host, port);
        if entries.failures.len() == FAILURES_MAX {
            entries.failures.pop_front();
        }
        entries.failures.push_back(Failure {
            host: host.to_owned(),
            port,
            outcome,
        });
    }

    /// The host was reached: what went wrong before is of no interest any more.
    pub(super) fn forget(&self, host: &str, port: u16) {
        self.entries().forget(host, port);
    }

    pub(super) fn outcome(&self, host: &str, port: u16) -> Option<Outcome> {
        let entries = self.entries();
        let failure = entries.failures.iter().find(|f| f.is_of(host, port))?;
        Some(failure.outcome.clone())
    }

    pub(super) fn denials(&self) -> u64 {
        self.entries().denials
    }

    pub(super) fn denied_since(&self, mark: u64) -> Vec<DeniedRequest> {
        let entries = self.entries();
        let new = usize::try_from(entries.denials.saturating_sub(mark)).unwrap_or(usize::MAX);
        let known = entries.denied.len().saturating_sub(new);
        entries.denied.range(known..).cloned().collect()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing in here panics half-way through a change, so a poisoned lock is still sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn forget(&mut self, host: &str, port: u16) {
        self.failures.retain(|failure| !failure.is_of(host, port));
    }
}

impl Failure {
    fn is_of(&self, host: &str, port: u16) -> bool {
        self.port == port && self.host == host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(host: &str) -> Outcome {
        Outcome::Denied(Denial::new(DenialRule::NotListed, host))
    }

    #[test]
    fn the_newest_failure_of_a_host_counts_until_it_is_reached() {
        let memory = Memory::default();
        memory.remember("a.test", 80, Outcome::DnsFailed);
        memory.remember("a.test", 80, Outcome::Refused);
        memory.remember("a.test", 443, Outcome::TimedOut);
        assert_eq!(memory.outcome("a.test", 80), Some(Outcome::Refused));
        memory.forget("a.test", 80);
        assert_eq!(memory.outcome("a.test", 80), None);
        assert_eq!(memory.outcome("a.test", 443), Some(Outcome::TimedOut));
    }

    #[test]
    fn failures_and_denials_are_bounded() {
        let memory = Memory::default();
        for i in 0..1000_u64 {
            memory.remember(&format!("{i}.test"), 80, denied("x"));
        }
        assert_eq!(memory.denials(), 1000);
        assert_eq!(memory.outcome("0.test", 80), None);
        assert_eq!(memory.outcome("744.test", 80), Some(denied("x")));
        assert_eq!(memory.entries().failures.len(), FAILURES_MAX);
        for (mark, count, first) in [(0, 64, "936.test"), (998, 2, "998.test")] {
            let since = memory.denied_since(mark);
            assert_eq!((since.len(), since[0].host.as_str()), (count, first));
        }
        for mark in [1000, 2000] {
            assert!(memory.denied_since(mark).is_empty());
        }
    }
}
