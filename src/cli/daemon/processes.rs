//! Processes of the daemon: whether a process is still the one that is meant, what descends from it,
//! and what it takes.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::processes::{self, Stat};

/// One process, told apart from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) pid: i32,
    /// When it was started, in clock ticks since the machine was.
    pub(super) started: u64,
}

/// What processes take together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Use {
    /// Processor time.
    cpu: Duration,
    /// Their share of memory, bytes: pages that several have count once.
    pub(super) pss_bytes: u64,
    pub(super) count: usize,
}

impl Process {
    /// The process of that number, if there is one that has not ended.
    pub(super) fn of(pid: i32) -> Option<Self> {
        let stat = stat(pid)?;
        let started = stat.started;
        let has_ended = match stat.state {
            // One that nobody has reaped holds its number and nothing else, but for threads that are about to
            // let go of its files and locks.
            'Z' => !has_threads(pid),
            state => state == 'X',
        };
        (!has_ended).then_some(Self { pid, started })
    }

    /// This process.
    pub(super) fn own() -> Option<Self> {
        Self::of(i32::try_from(std::process::id()).ok()?)
    }

    /// Whether it runs.
    pub(super) fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// How long it has run.
    pub(super) fn age(self) -> Option<Duration> {
        processes::age(&stat(self.pid)?)
    }

    /// Sends it a signal if it still runs; answers whether it did.
    pub(super) fn signal(self, signal: Signal) -> bool {
        self.is_alive() && signal::kill(Pid::from_raw(self.pid), signal).is_ok()
    }

    /// All that descends from it, without itself.
    pub(super) fn descendants(self) -> Vec<Self> {
        let mut children: HashMap<u32, Vec<Self>> = HashMap::new();
        for number in processes::pids() {
            if let (Some(stat), Ok(pid)) = (processes::stat(number), i32::try_from(number)) {
                let started = stat.started;
                let process = Self { pid, started };
                children.entry(stat.parent).or_default().push(process);
            }
        }
        let mut found = vec![self];
        let mut next = 0;
        while next < found.len() {
            let number = u32::try_from(found[next].pid).unwrap_or_default();
            let below = children.remove(&number).unwrap_or_default();
            found.extend(below);
            next += 1;
        }
        found.remove(0);
        found
    }
}

/// What they take at this moment.
pub(super) fn measure(processes: &[Process]) -> Use {
    processes.iter().fold(Use::default(), |sum, process| {
        let Some(stat) = stat(process.pid).filter(|stat| stat.started == process.started) else {
            return sum;
        };
        Use {
            cpu: sum.cpu + stat.cpu,
            pss_bytes: sum.pss_bytes + pss(process.pid).unwrap_or_default(),
            count: sum.count + 1,
        }
    })
}

impl Use {
    /// Processor time since `before`, in percent of one core.
    pub(super) fn cpu_percent(self, before: Self, meanwhile: Duration) -> f64 {
        let spent = self.cpu.saturating_sub(before.cpu).as_secs_f64();
        100.0 * spent / meanwhile.as_secs_f64().max(f64::EPSILON)
    }
}

/// By the number as signals take it.
fn stat(pid: i32) -> Option<Stat> {
    processes::stat(u32::try_from(pid).ok()?)
}

fn pss(pid: i32) -> Option<u64> {
    processes::pss(u32::try_from(pid).ok()?)
}

/// Whether a process has threads besides its first.
fn has_threads(pid: i32) -> bool {
    fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_of_its_number() {
        let own = Process::own().unwrap();
        assert!(own.is_alive());
        let later = Process {
            started: own.started + 1,
            ..own
        };
        assert!(!later.is_alive());
        assert!(!later.signal(Signal::SIGTERM));
        assert!(own.age().unwrap() < Duration::from_secs(24 * 3600));
    }

    #[test]
    fn what_processes_take_is_seen() {
        let own = Process::own().unwrap();
        let one = measure(&[own]);
        assert!(one.pss_bytes > 100_000 && one.count == 1, "{one:?}");
        let gone = Process { started: 0, ..own };
        assert_eq!(measure(&[gone]), Use::default());
        let later = Use {
            cpu: one.cpu + Duration::from_millis(500),
            ..one
        };
        let percent = later.cpu_percent(one, Duration::from_secs(1));
        assert!((percent - 50.0).abs() < 1e-9);
    }
}
