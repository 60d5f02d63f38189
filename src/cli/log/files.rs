//! Log files that stay within their bounds, and a writer that nobody waits for.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logroller::{LogRoller, LogRollerBuilder, LogRollerError, Rotation, RotationSize};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

use crate::config::Log;
use crate::disk;
use crate::error::Error;

/// What the service tells.
pub(in super::super) const SERVER: &str = "browser_session_server.log";
/// What the verbs did that start and stop it.
pub(in super::super) const DAEMON: &str = "browser_session_daemon.log";

/// How the actions of sessions have ended.
pub(in super::super) const ACTIONS: &str = "browser_session_actions.log";

/// Lines that may wait for the disk; further ones are dropped and counted. At 200 bytes a line that is
/// 3 MB.
const LINES_MAX: usize = 16 * 1024;
/// A log may name what its pages show: it is its owner's alone.
const MODE: u32 = 0o600;

/// One log, which is written until this goes.
pub(super) struct Files {
    writer: NonBlocking,
    failed: Arc<AtomicU64>,
    _thread: WorkerGuard,
}

/// Counts the lines that reached no file.
pub(super) struct Dropped {
    queue: ErrorCounter,
    failed: Arc<AtomicU64>,
}

impl Files {
    /// Opens a log in a directory, which is made if it is not there.
    pub(super) fn open(directory: &Path, name: &str, bounds: &Log) -> Result<Self, Error> {
        let mut rolling = Rolling::new(directory, name, bounds);
        rolling.open().map_err(|error| {
            let place = directory.display();
            Error::unavailable(format!("cannot write a log in {place}: {error}"))
                .hint("Choose a directory that you may write, with --log-dir or log.directory.")
                .source(error)
        })?;
        Ok(Self::of(rolling))
    }

    /// A log that is opened when there is something to write into it.
    pub(super) fn when_needed(directory: &Path, name: &str, bounds: &Log) -> Self {
        Self::of(Rolling::new(directory, name, bounds))
    }

    fn of(rolling: Rolling) -> Self {
        let failed = Arc::clone(&rolling.failed);
        let (writer, thread) = NonBlockingBuilder::default()
            .buffered_lines_limit(LINES_MAX)
            .lossy(true)
            .thread_name("log")
            .finish(rolling);
        Self {
            writer,
            failed,
            _thread: thread,
        }
    }

    /// What takes lines and never waits.
    pub(super) fn writer(&self) -> impl Fn(&[u8]) + Send + Sync + 'static {
        let writer = self.writer.clone();
        move |line| {
            // What does not find room is counted there.
            let _ = writer.clone().write_all(line);
        }
    }

    pub(super) fn dropped(&self) -> Dropped {
        Dropped {
            queue: self.writer.error_counter(),
            failed: Arc::clone(&self.failed),
        }
    }
}

impl Dropped {
    /// Lines since the log was opened.
    pub(super) fn lines(&self) -> u64 {
        self.queue.dropped_lines() as u64 + self.failed.load(Ordering::Relaxed)
    }
}

/// The file, with those that were put aside before it.
struct Rolling {
    /// `None` until it is opened.
    file: Option<LogRoller>,
    directory: PathBuf,
    name: String,
    bounds: Log,
    failed: Arc<AtomicU64>,
}

impl Rolling {
    fn new(directory: &Path, name: &str, bounds: &Log) -> Self {
        Self {
            file: None,
            directory: directory.to_owned(),
            name: name.to_owned(),
            bounds: bounds.clone(),
            failed: Arc::default(),
        }
    }

    /// Opens the file that is there now: one that was deleted cannot be put aside.
    fn open(&mut self) -> io::Result<&mut LogRoller> {
        let file = roller(&self.directory, &self.name, &self.bounds)?;
        Ok(self.file.insert(file))
    }
}

impl Write for Rolling {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = match &mut self.file {
            Some(file) => file.write_all(line),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        let written = written.or_else(|_| self.open()?.write_all(line));
        if written.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

fn roller(directory: &Path, name: &str, bounds: &Log) -> io::Result<LogRoller> {
    disk::private_directory(directory)?;
    let built = LogRollerBuilder::new(directory, Path::new(name))
        .rotation(Rotation::SizeBased(RotationSize::Bytes(bounds.bytes_max)))
        .max_keep_files(u64::from(bounds.files_max))
        .file_mode(MODE)
        // Files that were put aside have their numbers when a flush returns.
        .graceful_shutdown(true)
        .build();
    built.map_err(|error| match error {
        LogRollerError::FileIOError(error) => error,
        error => io::Error::other(error.to_string()),
    })
}

/// The files of a log that were put aside, the newest first.
pub(in super::super) fn put_aside(directory: &Path, name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let numbered = entries.filter_map(|entry| {
        let file = entry.file_name();
        let number = file.to_str()?.strip_prefix(name)?.strip_prefix('.')?;
        // One that is about to get its number is newer than those that have one; of several it is the one
        // with the highest.
        let age = match number.strip_prefix("pending.") {
            Some(order) => -1 - i64::from(order.parse::<u32>().ok()?),
            None => i64::from(number.parse::<u32>().ok()?),
        };
        Some((age, entry.path()))
    });
    let mut numbered: Vec<_> = numbered.collect();
    numbered.sort();
    numbered.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A directory of the test's own.
    fn directory(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("ghostcast-log-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn bounds(bytes_max: u64, files_max: u32) -> Log {
        Log {
            bytes_max,
            files_max,
            ..Log::default()
        }
    }

    #[test]
    fn files_are_put_aside_whole_and_bounded() {
        let place = directory("bounded");
        let mut log = Rolling::new(&place, SERVER, &bounds(1_000, 3));
        assert!(!place.exists(), "nothing is opened before it is needed");
        for number in 0..200 {
            // In one piece, as lines of a log come.
            let line = format!("line {number:04} {}\n", "x".repeat(80));
            log.write_all(line.as_bytes()).unwrap();
            log.flush().unwrap();
        }
        let aside = put_aside(&place, SERVER);
        assert_eq!(aside.len(), 3, "{aside:?}");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 4);
        let mut lines = String::new();
        for path in aside.iter().rev().chain([&place.join(SERVER)]) {
            let text = fs::read_to_string(path).unwrap();
            assert!(text.len() <= 1_000 && text.ends_with('\n'));
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            lines.push_str(&text);
        }
        let numbers: Vec<u32> = lines
            .lines()
            .map(|line| line[5..9].parse().unwrap())
            .collect();
        assert_eq!(numbers.last(), Some(&199));
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        let mode = fs::metadata(&place).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn a_log_that_is_deleted_is_begun_again() {
        let place = directory("deleted");
        let mut log = Rolling::new(&place, SERVER, &bounds(100, 3));
        let failed = Arc::clone(&log.failed);
        log.write_all(&[b'x'; 99]).unwrap();
        fs::remove_dir_all(&place).unwrap();
        log.write_all(b"after\n").unwrap();
        log.flush().unwrap();
        assert_eq!(fs::read(place.join(SERVER)).unwrap(), b"after\n");
        assert_eq!(failed.load(Ordering::Relaxed), 0);
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_told_with_what_to_do() {
        let Err(error) = Files::open(Path::new("/proc/no/such"), SERVER, &Log::default()) else {
            panic!("it was opened");
        };
        assert!(error.message.contains("/proc/no/such"), "{error}");
        assert!(error.hint.unwrap().contains("--log-dir"));
    }
}
