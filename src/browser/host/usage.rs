//! What browsers and the service itself take of the machine, as Linux tells it (REQUIREMENTS B72).

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// A clock tick of `/proc`: Linux counts a hundred of them a second for programs, whatever its own are.
const TICK: Duration = Duration::from_millis(10);

/// What a browser, or the service, takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Its processes.
    pub processes: u32,
    /// The processors' time that they have had since they began.
    pub cpu: Duration,
    /// Their memory, where what several share counts once: the kernel's proportional set size.
    pub pss_bytes: u64,
}

/// What the process groups take that these processes lead, and this process by itself; what has ended
/// meanwhile is left out. Reads files: not for the async workers.
pub fn usage(leaders: &[u32]) -> HashMap<u32, Usage> {
    let own = std::process::id();
    let mut found: HashMap<u32, Usage> = HashMap::new();
    for pid in pids() {
        let Some(stat) = stat(pid) else { continue };
        let whose = match pid == own {
            true => own,
            false if leaders.contains(&stat.group) => stat.group,
            false => continue,
        };
        let usage = found.entry(whose).or_default();
        usage.processes += 1;
        usage.cpu += stat.cpu;
        usage.pss_bytes += pss(pid).unwrap_or_default();
    }
    found
}

/// The processes of this machine.
pub(super) fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The process group that a process is of.
pub(super) fn group(pid: u32) -> Option<u32> {
    stat(pid).map(|stat| stat.group)
}

/// The memory that a process has in place, with all that it shares with others. See proc_pid_statm(5).
pub(super) fn resident(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
    Some(pages * u64::try_from(page).ok()?)
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    group: u32,
    cpu: Duration,
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// See proc_pid_stat(5). A program's name may hold anything, so what follows its end is read.
fn parse(stat: &str) -> Option<Stat> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok();
    Some(Stat {
        group: fields.get(2)?.parse().ok()?,
        cpu: TICK * (ticks(11)? + ticks(12)?),
    })
}

/// The proportional set size; the resident one where the kernel does not tell it.
pub(super) fn pss(pid: u32) -> Option<u64> {
    let kib = |file: &str, key: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        let line = text.lines().find(|line| line.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let kib = kib("smaps_rollup", "Pss:").or_else(|| kib("status", "VmRSS:"))?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_does_not_move_the_fields() {
        let line = "7 (a) b) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 9 9 20 0 1 0 99 1 1";
        let expected = Stat {
            group: 42,
            cpu: Duration::from_secs(2),
        };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse("7 (a"), None);
    }

    #[test]
    fn this_process_takes_something() {
        let own = usage(&[])[&std::process::id()];
        assert_eq!(own.processes, 1);
        assert!(own.pss_bytes > 1 << 20, "{own:?}");
    }
}
