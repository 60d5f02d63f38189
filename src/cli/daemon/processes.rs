//! The process table, by `/proc`: whether a process is still the one that is meant, what descends from it,
//! and what it takes.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::{Pid, SysconfVar, sysconf};

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
    /// Processor time, clock ticks.
    ticks: u64,
    /// Their share of memory, bytes: pages that several have count once.
    pub(super) pss_bytes: u64,
    pub(super) count: usize,
}

struct Stat {
    state: char,
    parent: i32,
    ticks: u64,
    started: u64,
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
        let text = fs::read_to_string("/proc/uptime").ok()?;
        let up: f64 = text.split_whitespace().next()?.parse().ok()?;
        let started = self.started as f64 / ticks_a_second();
        Some(Duration::from_secs_f64((up - started).max(0.0)))
    }

    /// Sends it a signal if it still runs; answers whether it did.
    pub(super) fn signal(self, signal: Signal) -> bool {
        self.is_alive() && signal::kill(Pid::from_raw(self.pid), signal).is_ok()
    }

    /// All that descends from it, without itself.
    pub(super) fn descendants(self) -> Vec<Self> {
        let mut children: HashMap<i32, Vec<Self>> = HashMap::new();
        for pid in pids() {
            if let Some(stat) = stat(pid) {
                let started = stat.started;
                let process = Self { pid, started };
                children.entry(stat.parent).or_default().push(process);
            }
        }
        let mut found = vec![self];
        let mut next = 0;
        while next < found.len() {
            let below = children.remove(&found[next].pid).unwrap_or_default();
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
            ticks: sum.ticks + stat.ticks,
            pss_bytes: sum.pss_bytes + memory_bytes(process.pid),
            count: sum.count + 1,
        }
    })
}

impl Use {
    /// Processor time since `before`, in percent of one core.
    pub(super) fn cpu_percent(self, before: Self, meanwhile: Duration) -> f64 {
        let ticks = self.ticks.saturating_sub(before.ticks) as f64;
        100.0 * ticks / ticks_a_second() / meanwhile.as_secs_f64().max(f64::EPSILON)
    }
}

fn ticks_a_second() -> f64 {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten();
    ticks
        .filter(|ticks| *ticks > 0)
        .map_or(100.0, |ticks| ticks as f64)
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether a process has threads besides its first.
fn has_threads(pid: i32) -> bool {
    fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.count() > 1)
}

fn stat(pid: i32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads a line of `/proc/PID/stat`. A name may hold blanks and parentheses, so it is left out from behind.
fn parse(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        ticks: number(11)? + number(12)?,
        started: number(19)?,
    })
}

/// A process's share of memory where the kernel tells it, else its resident memory.
fn memory_bytes(pid: i32) -> u64 {
    let read = |file: &str, key: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        let line = text.lines().find(|line| line.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let kib = read("smaps_rollup", "Pss:").or_else(|| read("status", "VmRSS:"));
    kib.unwrap_or_default() * 1024
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
    fn names_may_hold_anything() {
        let line = "7 (a ) (b) S 1 7 7 0 -1 4194304 100 0 0 0 30 12 0 0 20 0 1 0 4711 1 2 3";
        let stat = parse(line).unwrap();
        assert_eq!(
            (stat.state, stat.parent, stat.ticks, stat.started),
            ('S', 1, 42, 4711)
        );
        assert!(parse("7 (a) S 1").is_none());
        assert!(parse("").is_none());
    }

    #[test]
    fn what_processes_take_is_seen() {
        let own = Process::own().unwrap();
        let one = measure(&[own]);
        assert!(one.pss_bytes > 100_000 && one.count == 1, "{one:?}");
        let gone = Process { started: 0, ..own };
        assert_eq!(measure(&[gone]), Use::default());
        let later = Use {
            ticks: one.ticks + 50,
            ..one
        };
        let percent = later.cpu_percent(one, Duration::from_secs(1));
        assert!((percent - 5_000.0 / ticks_a_second()).abs() < 1e-9);
    }
}
