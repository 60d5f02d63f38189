//! The PID file of a service: who serves a state directory, where, and with which options.
//!
//! It cannot lie: the service holds a lock on it for as long as it runs, and it names the process by its
//! number and its start. What is left of one that was killed is told from that, whatever has its number
//! since.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::processes::Process;
use crate::disk;

/// Its name in the state directory.
const NAME: &str = "ghostcast.pid";
/// Looks at a file that somebody else is writing or holding for a moment: a process that was killed lets go
/// of its lock only with the last of its threads.
const LOOKS: u32 = 50;
/// Between two of them.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a PID file says. Its first line is the number of the process alone, for programs that want no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Note {
    pub(in super::super) pid: i32,
    /// When the process was started, in clock ticks since the machine was.
    pub(in super::super) started: u64,
    /// Where it listens, as soon as it does.
    pub(in super::super) address: Option<SocketAddr>,
    /// Where it writes log files.
    pub(in super::super) log_dir: Option<PathBuf>,
    /// The options of its command line.
    pub(in super::super) arguments: Vec<String>,
}

/// Who serves a state directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nobody.
    Nobody,
    Running(Note),
    /// Somebody who cannot be seen from here, as in another container.
    Elsewhere,
    /// Nobody any more.
    Stale(Stale),
}

/// A PID file without its service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stale {
    /// What it says, if that can be read.
    pub(super) note: Option<Note>,
    /// Why it is known that nobody serves.
    pub(super) why: String,
}

/// Why a PID file could not be taken.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum Refused {
    /// Somebody holds it.
    #[error("another service has it")]
    Held,
    #[error("{0}")]
    Disk(#[from] io::Error),
}

/// The PID file is ours while this lives; then it is removed.
#[derive(Debug)]
pub(in super::super) struct PidFile {
    path: PathBuf,
    note: Note,
    lock: Flock<File>,
}

/// Where the PID file of a state directory lies.
pub(super) fn path(state: &Path) -> PathBuf {
    state.join(NAME)
}

impl Note {
    /// The process that it names.
    pub(super) fn process(&self) -> Process {
        Process {
            pid: self.pid,
            started: self.started,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (pid, rest) = text.split_once('\n')?;
        let note: Self = serde_json::from_str(rest).ok()?;
        (pid.parse() == Ok(note.pid)).then_some(note)
    }

    fn text(&self) -> io::Result<String> {
        Ok(format!("{}\n{}\n", self.pid, serde_json::to_string(self)?))
    }
}

impl PidFile {
    /// Takes the PID file of a state directory for this process; one that is stale is replaced.
    pub(in super::super) fn take(
        state: &Path,
        log_dir: Option<PathBuf>,
        arguments: Vec<String>,
    ) -> Result<Self, Refused> {
        let own = Process::own().ok_or_else(|| io::Error::other("/proc does not tell of us"))?;
        disk::private_directory(state)?;
        let path = path(state);
        for look in 0..LOOKS {
            if look > 0 {
                std::thread::sleep(LOOK_EVERY);
            }
            let file = File::options()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .mode(0o600)
                .open(&path)?;
            let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => lock,
                // Who only looks lets go at once.
                Err((_, Errno::EWOULDBLOCK)) => continue,
                Err((_, errno)) => return Err(Refused::Disk(errno.into())),
            };
            if !is_at(&lock, &path) {
                continue;
            }
            let note = Note {
                pid: own.pid,
                started: own.started,
                address: None,
                log_dir,
                arguments,
            };
            let taken = Self { path, note, lock };
            taken.write()?;
            return Ok(taken);
        }
        Err(Refused::Held)
    }

    /// Says where the service listens.
    pub(in super::super) fn listens(&mut self, address: SocketAddr) -> io::Result<()> {
        self.note.address = Some(address);
        self.write()
    }

    /// In one piece, for those who look.
    fn write(&self) -> io::Result<()> {
        let text = self.note.text()?;
        self.lock.write_all_at(text.as_bytes(), 0)?;
        self.lock.set_len(text.len() as u64)?;
        (&*self.lock).flush()
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if is_at(&self.lock, &self.path) {
            // One that stays is stale, which everybody knows how to tell.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether an open file is the one that lies there.
fn is_at(file: &File, path: &Path) -> bool {
    let place = |data: fs::Metadata| (data.dev(), data.ino());
    let ours = file.metadata().map(place);
    let there = fs::metadata(path).map(place);
    matches!((ours, there), (Ok(ours), Ok(there)) if ours == there)
}

/// Looks who serves a state directory.
pub(super) fn look(state: &Path) -> io::Result<Found> {
    let path = path(state);
    let mut found = Found::Nobody;
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(LOOK_EVERY);
        }
        let (is_held, text) = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nobody),
            read => read?,
        };
        found = judge(is_held, Note::parse(&text));
        // Held and not to be understood: somebody is about to write it.
        if found != Found::Elsewhere {
            break;
        }
    }
    Ok(found)
}

/// What a PID file holds, and whether somebody holds it.
fn read(path: &Path) -> io::Result<(bool, String)> {
    let file = File::open(path)?;
    let text = io::read_to_string(&file)?;
    let is_held = Flock::lock(file, FlockArg::LockSharedNonblock).is_err();
    Ok((is_held, text))
}

fn judge(is_held: bool, note: Option<Note>) -> Found {
    let Some(note) = note else {
        return match is_held {
            true => Found::Elsewhere,
            false => Found::Stale(Stale {
                note: None,
                why: "it names no process".to_owned(),
            }),
        };
    };
    let pid = note.pid;
    match (Process::of(pid), is_held) {
        // By its start it can be no other, even where a file system knows no locks.
        (Some(process), _) if process == note.process() => Found::Running(note),
        (_, true) => Found::Elsewhere,
        (Some(_), false) => Found::Stale(Stale {
            note: Some(note),
            why: format!("process {pid} is another one, started later"),
        }),
        (None, false) => Found::Stale(Stale {
            note: Some(note),
            why: format!("process {pid} is gone"),
        }),
    }
}

/// Removes a PID file that is stale; answers whether it did.
pub(super) fn remove_stale(state: &Path) -> io::Result<bool> {
    let path = path(state);
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(LOOK_EVERY);
        }
        if let Some(is_removed) = remove(&path)? {
            return Ok(is_removed);
        }
    }
    Ok(false)
}

/// As [`remove_stale`]; `None` while somebody holds it.
fn remove(path: &Path) -> io::Result<Option<bool>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(false)),
        file => file?,
    };
    // Whoever starts meanwhile has the lock, or sees that the file is another one.
    let Ok(lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else {
        return Ok(None);
    };
    let is_there = is_at(&lock, path);
    if is_there {
        fs::remove_file(path)?;
    }
    Ok(Some(is_there))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("ghostcast-pid-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn it_is_held_and_removed_with_its_service() {
        let state = directory("held");
        assert_eq!(look(&state).unwrap(), Found::Nobody);
        let arguments = vec!["--port".to_owned(), "0".to_owned()];
        let mut file = PidFile::take(&state, None, arguments.clone()).unwrap();
        assert!(matches!(
            PidFile::take(&state, None, Vec::new()),
            Err(Refused::Held)
        ));
        file.listens("127.0.0.1:8765".parse().unwrap()).unwrap();
        let Found::Running(note) = look(&state).unwrap() else {
            panic!("it runs: {:?}", look(&state));
        };
        assert_eq!(note.pid, std::process::id() as i32);
        assert_eq!(note.address, Some("127.0.0.1:8765".parse().unwrap()));
        assert_eq!(note.arguments, arguments);
        assert!(!remove_stale(&state).unwrap(), "it is not stale");
        let text = fs::read_to_string(path(&state)).unwrap();
        assert_eq!(text.lines().next(), Some(note.pid.to_string().as_str()));
        drop(file);
        assert_eq!(look(&state).unwrap(), Found::Nobody);
        assert!(!path(&state).exists());
        fs::remove_dir_all(&state).unwrap();
    }

    #[test]
    fn what_is_left_of_a_service_is_stale_whoever_has_its_number() {
        let own = Process::own().unwrap();
        let note = |started| Note {
            pid: own.pid,
            started,
            address: None,
            log_dir: None,
            arguments: Vec::new(),
        };
        assert_eq!(
            judge(false, Some(note(own.started))),
            Found::Running(note(own.started))
        );
        let Found::Stale(stale) = judge(false, Some(note(own.started + 1))) else {
            panic!("another process has the number");
        };
        assert!(stale.why.contains("another one"), "{}", stale.why);
        let gone = Note {
            pid: i32::MAX,
            ..note(1)
        };
        let Found::Stale(stale) = judge(false, Some(gone.clone())) else {
            panic!("there is no such process");
        };
        assert!(stale.why.contains("is gone"), "{}", stale.why);
        assert_eq!(judge(true, Some(gone)), Found::Elsewhere);
        assert_eq!(judge(true, None), Found::Elsewhere);
        assert!(matches!(judge(false, None), Found::Stale(_)));
    }

    #[test]
    fn a_stale_one_is_taken_over_or_removed() {
        let state = directory("stale");
        disk::private_directory(&state).unwrap();
        fs::write(path(&state), "nonsense").unwrap();
        assert!(matches!(look(&state).unwrap(), Found::Stale(_)));
        drop(PidFile::take(&state, None, Vec::new()).unwrap());
        fs::write(path(&state), "4711\n{}").unwrap();
        assert!(remove_stale(&state).unwrap());
        assert!(!remove_stale(&state).unwrap());
        assert_eq!(look(&state).unwrap(), Found::Nobody);
        fs::remove_dir_all(&state).unwrap();
    }

    #[test]
    fn its_first_line_must_be_its_process() {
        let note = Note {
            pid: 7,
            started: 3,
            address: None,
            log_dir: Some("/var/log".into()),
            arguments: vec!["--demo".to_owned()],
        };
        let text = note.text().unwrap();
        assert_eq!(Note::parse(&text), Some(note));
        assert_eq!(Note::parse(&text.replace("7\n", "8\n")), None);
        assert_eq!(Note::parse(""), None);
    }
}
