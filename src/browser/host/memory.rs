//! How much memory browsers take, and may take, as Linux tells it.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::usage::usage;
use crate::processes;

/// Of the memory that there is, the browsers may take four fifths where nothing else is set.
const SHARE: (u64, u64) = (4, 5);
/// The mark of a process that runs pages, on its command line.
const RENDERER: &[u8] = b"--type=renderer";

/// A process that runs pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renderer {
    /// Its number.
    pub pid: u32,
    /// The first process of its browser.
    pub browser: u32,
    /// The memory that is its own.
    pub bytes: u64,
}

impl Renderer {
    /// Ends it, if it still is one of that browser.
    pub fn end(self) {
        if is_renderer(self.pid)
            && group(self.pid) == Some(self.browser)
            && let Ok(pid) = i32::try_from(self.pid)
        {
            // One that is gone needs no ending.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// What browsers may take where nothing is set: a share of what the machine has, or of what the control
/// group of the service may take where that is less.
pub fn usual_budget() -> Option<u64> {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        let kib = line.split_whitespace().nth(1)?.parse::<u64>().ok()?;
        Some(kib * 1024)
    });
    // Of version 2, and of version 1; a group without a bound has a word, or a number beyond the machine's.
    let group = number("/sys/fs/cgroup/memory.max")
        .or_else(|| number("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    let least = [machine, group].into_iter().flatten().min()?;
    Some(least / SHARE.1 * SHARE.0)
}

/// The memory that the browsers of these first processes take, where what several share counts once. Where
/// what they take without that is below `enough`, that is answered: it is cheaper to know, and never less.
/// Reads files: not for the async workers.
pub fn taken(leaders: &[u32], enough: u64) -> u64 {
    let resident = of_browsers(leaders)
        .filter_map(|(pid, _)| processes::resident(pid))
        .sum();
    if resident < enough {
        return resident;
    }
    let used = usage(leaders);
    let browsers = used.iter().filter(|(leader, _)| leaders.contains(leader));
    browsers.map(|(_, usage)| usage.pss_bytes).sum()
}

/// The processes of these browsers that run pages and take more than so much by themselves. Reads files:
/// not for the async workers.
pub fn renderers_beyond(leaders: &[u32], bytes_max: u64) -> Vec<Renderer> {
    let large = of_browsers(leaders).filter(|(pid, _)| {
        // What is shared counts here, so that what is below this needs no further look.
        processes::resident(*pid).is_some_and(|bytes| bytes > bytes_max) && is_renderer(*pid)
    });
    let measured = large.filter_map(|(pid, browser)| {
        let bytes = processes::pss(pid)?;
        Some(Renderer {
            pid,
            browser,
            bytes,
        })
    });
    measured
        .filter(|renderer| renderer.bytes > bytes_max)
        .collect()
}

/// The processes of these browsers, each with the first one of its browser.
fn of_browsers(leaders: &[u32]) -> impl Iterator<Item = (u32, u32)> {
    processes::pids().filter_map(|pid| {
        let group = group(pid)?;
        leaders.contains(&group).then_some((pid, group))
    })
}

/// The first process of the browser that a process is of, if it is of one.
fn group(pid: u32) -> Option<u32> {
    processes::stat(pid).map(|stat| stat.group)
}

fn is_renderer(pid: u32) -> bool {
    // A process that Chromium forks writes its command line anew, with blanks between the words.
    processes::has_word(pid, |word| word == RENDERER, b"\0 ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_memory_and_this_process_takes_some() {
        let budget = usual_budget().unwrap();
        assert!(budget > 64 << 20, "{budget}");
        // Beside what is shared with others, or was put away for want of room.
        let ballast = std::hint::black_box(vec![1_u8; 4 << 20]);
        let own = group(std::process::id()).unwrap();
        let resident = taken(&[own], u64::MAX);
        let shared = taken(&[own], 0);
        assert!(
            shared > 1 << 20 && shared <= resident,
            "{shared} of {resident}"
        );
        assert!(
            renderers_beyond(&[own], 0).is_empty(),
            "nothing here runs pages"
        );
        drop(ballast);
    }
}
