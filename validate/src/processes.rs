//! The process table, by `/proc`: whose browsers there are, and what they take.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::outcome::{Outcome, ensure};

/// One process, told apart from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) pid: i32,
    started: u64,
}

struct Stat {
    state: char,
    parent: i32,
    started: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

fn command_line(pid: i32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0);
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect()
}

/// The browsers (their main processes) whose profiles lie below `work_dir`.
pub(super) fn browsers(work_dir: &Path) -> Vec<Process> {
    let marker = format!("--user-data-dir={}/", work_dir.display());
    let ours = |pid: &i32| {
        let words = command_line(*pid);
        let has = |start: &str| words.iter().any(|word| word.starts_with(start));
        has(&marker) && !has("--type=")
    };
    let found = pids().into_iter().filter(ours);
    found
        .filter_map(|pid| {
            let started = stat(pid)?.started;
            Some(Process { pid, started })
        })
        .collect()
}

/// These and all that descend from them.
pub(super) fn trees(roots: &[Process]) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for pid in pids() {
        if let Some(stat) = stat(pid) {
            let process = Process {
                pid,
                started: stat.started,
            };
            children.entry(stat.parent).or_default().push(process);
        }
    }
    let mut found = roots.to_vec();
    let mut next = 0;
    while next < found.len() {
        let below = children.remove(&found[next].pid).unwrap_or_default();
        found.extend(below);
        next += 1;
    }
    found
}

/// Those of them that still exist, zombies included.
pub(super) fn remaining(processes: &[Process]) -> Vec<Process> {
    let exists = |process: &Process| {
        let stat = stat(process.pid);
        stat.is_some_and(|stat| stat.started == process.started)
    };
    processes.iter().copied().filter(exists).collect()
}

/// Ends them at once.
pub(super) fn kill(processes: &[Process]) {
    for process in remaining(processes) {
        // One that has ended meanwhile is what is wanted.
        let _ = signal::kill(Pid::from_raw(process.pid), Signal::SIGKILL);
    }
}

/// Sends a signal to one that still exists.
pub(super) fn signal(process: Process, signal: Signal) -> Outcome {
    let is_there = !remaining(&[process]).is_empty();
    ensure!(is_there, "process {} is gone already", process.pid);
    Ok(signal::kill(Pid::from_raw(process.pid), signal)?)
}

/// How many of them have ended and were reaped by nobody.
pub(super) fn zombies(processes: &[Process]) -> usize {
    let is_zombie = |process: &&Process| {
        let stat = stat(process.pid);
        stat.is_some_and(|stat| stat.started == process.started && stat.state == 'Z')
    };
    processes.iter().filter(is_zombie).count()
}

/// The executable and the arguments of a browser.
pub(super) fn words(process: Process) -> Vec<String> {
    command_line(process.pid)
}

/// What processes take: their share of memory where the kernel tells it, so that shared pages count
/// once, else their resident memory.
pub(super) fn memory_bytes(processes: &[Process]) -> u64 {
    let kib = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let read = |pid: i32, file: &str, key: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        kib(&text, key)
    };
    let each = processes.iter().map(|process| {
        let share = read(process.pid, "smaps_rollup", "Pss:");
        share
            .or_else(|| read(process.pid, "status", "VmRSS:"))
            .unwrap_or_default()
    });
    each.sum::<u64>() * 1024
}
