//! What browsers and the service itself take of the machine, as Linux tells it.

use std::collections::HashMap;
use std::time::Duration;

use crate::processes::{pids, pss, stat};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_something() {
        let own = usage(&[])[&std::process::id()];
        assert_eq!(own.processes, 1);
        assert!(own.pss_bytes > 1 << 20, "{own:?}");
    }
}
