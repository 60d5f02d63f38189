//! The process table, as Linux tells it in `/proc`.

use std::fs;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

/// A clock tick of `/proc`: Linux counts a hundred of them a second for programs, whatever its own are,
/// milliseconds.
const TICK_MS: u64 = 10;

/// What is told of one process. See proc_pid_stat(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// How it is: `R`, `S`, `Z`, …
    pub(crate) state: char,
    /// The process that it is a child of.
    pub(crate) parent: u32,
    /// The process group that it is of.
    pub(crate) group: u32,
    /// The processors' time that it has had.
    pub(crate) cpu: Duration,
    /// When it was started, in clock ticks since the machine was.
    pub(crate) started: u64,
}

/// The processes of this machine.
pub(crate) fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// What is told of this process.
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// A program's name may hold anything, so what follows its end is read.
fn parse(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        cpu: Duration::from_millis(TICK_MS * number(11)?.checked_add(number(12)?)?),
        started: number(19)?,
    })
}

/// How long this process has run.
pub(crate) fn age(stat: &Stat) -> Option<Duration> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let up: f64 = text.split_whitespace().next()?.parse().ok()?;
    let started = (stat.started * TICK_MS) as f64 / 1e3;
    Some(Duration::from_secs_f64((up - started).max(0.0)))
}

/// The words of its command line. A process that Chromium forks writes it anew, with blanks between them.
pub(crate) fn has_word(pid: u32, is_it: impl Fn(&[u8]) -> bool, between: &[u8]) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| between.contains(byte)).any(is_it)
}

/// The memory that it has in place, bytes, with all that it shares with others. See proc_pid_statm(5).
pub(crate) fn resident(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    let page = sysconf(SysconfVar::PAGE_SIZE).ok()??;
    Some(pages * u64::try_from(page).ok()?)
}

/// Its proportional set size, bytes: what several share counts once. The resident one where the kernel does
/// not tell it.
pub(crate) fn pss(pid: u32) -> Option<u64> {
    let told = || {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find(|line| line.starts_with("Pss:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1_024)
    };
    told().or_else(|| resident(pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_anything() {
        let line = "7 (a ) (b) S 1 42 7 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 1 0 4711 1 2 3";
        let expected = Stat {
            state: 'S',
            parent: 1,
            group: 42,
            cpu: Duration::from_secs(2),
            started: 4711,
        };
        assert_eq!(parse(line), Some(expected));
        for line in ["7 (a) S 1", "7 (a", ""] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn this_process_is_told_of() {
        let own = std::process::id();
        assert!(pids().any(|pid| pid == own));
        assert!(age(&stat(own).unwrap()).unwrap() < Duration::from_secs(24 * 3600));
        let (shared, all) = (pss(own).unwrap(), resident(own).unwrap());
        assert!(shared > 1 << 20 && shared <= all, "{shared} of {all}");
        assert!(has_word(own, |word| !word.is_empty(), &[0]));
    }
}
