//! [`Shelf`]: the directory of recordings, and what may be put there.
//!
//! Everything here touches the disk and is called on blocking threads. A file that is being written
//! is locked by its writer, in this process or in another one; a file that is neither locked nor
//! finished was left by a service that was killed.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::statvfs::fstatvfs;

use crate::error::Error;
use crate::media::mux;
use crate::model::{FileState, RecordingFile, RecordingId, RoomName, UnixTime};
use crate::refusals::{Limit, refused};

const SUFFIX: &str = ".mp4";
/// Characters of a room's name that its files' names repeat.
const ROOM_CHARS_MAX: usize = 48;
/// Longest file name that is looked for.
const NAME_BYTES_MAX: usize = 200;
/// Enough of a file's start to see whether it is finished.
const START_BYTES: u64 = 64;

/// Where recordings go and how much room they may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The directory, made on first use.
    pub directory: PathBuf,
    /// Most bytes of one file.
    pub bytes_max: u64,
    /// Most bytes of all files together.
    pub total_bytes_max: u64,
    /// Bytes that stay free on the file system.
    pub free_bytes_min: u64,
}

/// The directory of recordings. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shelf(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    /// Bytes of all files: counted at each start, and added to by each writer.
    used: AtomicU64,
    /// Files that are being read by somebody, each as often as it is.
    lent: Mutex<HashMap<String, usize>>,
}

/// A recording that somebody reads; it stays while this lives, unless it is to be deleted.
#[derive(Debug)]
pub struct Lent {
    shelf: Shelf,
    name: String,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut lent = self.shelf.lent();
        if let Some(readers) = lent.get_mut(&self.name) {
            *readers -= 1;
        }
        lent.retain(|_, readers| *readers > 0);
    }
}

/// A new file, locked.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) file: Flock<File>,
    pub(super) name: String,
    pub(super) path: PathBuf,
}

impl Shelf {
    /// The directory as it is; nothing is touched yet.
    pub fn new(options: Options) -> Self {
        Self(Arc::new(Inner {
            options,
            used: AtomicU64::new(0),
            lent: Mutex::default(),
        }))
    }

    /// Makes a new empty file for a room, if there is room for it.
    pub(super) fn open(&self, room: &RoomName, id: RecordingId) -> Result<Place, Error> {
        let directory = &self.0.options.directory;
        let refused = |error: io::Error| {
            let shown = directory.display();
            Error::unavailable(format!("cannot record into {shown}: {}", words(&error)))
                .hint("Mend it, or choose another place with recording.directory.")
                .source(error)
        };
        fs::create_dir_all(directory).map_err(refused)?;
        let files = self.files().map_err(refused)?;
        let used = files.iter().map(|(_, bytes)| bytes).sum();
        self.0.used.store(used, Ordering::Relaxed);
        let name = file_name(room, id, UnixTime::now());
        let path = directory.join(&name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(refused)?;
        let file = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| refused(io::Error::from(errno)))?;
        let place = Place { file, name, path };
        if let Err(full) = self.has_room(&place.file, 0) {
            // Nothing is in it yet; whoever reads the error shall not find it.
            let _ = fs::remove_file(&place.path);
            return Err(full);
        }
        Ok(place)
    }

    /// Whether a file of so many bytes may go on; the error says which bound is reached, and what to
    /// do about it.
    pub(super) fn has_room(&self, file: &File, bytes: u64) -> Result<(), Error> {
        let Options {
            directory,
            bytes_max,
            total_bytes_max,
            free_bytes_min,
        } = &self.0.options;
        let shown = directory.display();
        let delete = || format!("Delete some recordings, which lie in {shown}, or raise ");
        if bytes >= *bytes_max {
            return Err(Error::exhausted(format!(
                "the file has reached recording.bytes_max ({bytes_max} bytes)"
            ))
            .hint("Start a new recording, or raise recording.bytes_max."));
        }
        let used = self.0.used.load(Ordering::Relaxed);
        if used >= *total_bytes_max {
            let full = Error::exhausted(format!(
                "the recordings have reached recording.total_bytes_max ({used} of \
                 {total_bytes_max} bytes)"
            ))
            .hint(format!("{}recording.total_bytes_max.", delete()));
            return Err(refused(Limit::Recordings, full));
        }
        // A file system that does not tell is found full when it is.
        let free = fstatvfs(file).map(|fs| fs.blocks_available() * fs.fragment_size());
        if let Ok(free) = free
            && free < *free_bytes_min
        {
            let full = Error::exhausted(format!(
                "the file system has {free} bytes left, and recording.free_bytes_min keeps \
                 {free_bytes_min} of them free"
            ))
            .hint(format!(
                "{}less by recording.free_bytes_min.",
                delete().replace("raise", "keep")
            ));
            return Err(refused(Limit::Disk, full));
        }
        Ok(())
    }

    /// Counts what was written.
    pub(super) fn add(&self, bytes: u64) {
        self.0.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The recordings, newest first.
    pub fn list(&self) -> Result<Vec<RecordingFile>, Error> {
        let files = match self.files() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            files => files.map_err(|error| {
                Error::unavailable("the directory of recordings cannot be read")
                    .hint("Check recording.directory.")
                    .source(error)
            })?,
        };
        let mut found: Vec<RecordingFile> = files
            .into_iter()
            .filter_map(|(path, _)| look(&path))
            .collect();
        found.sort_by(|a, b| (&b.modified_at, &b.file).cmp(&(&a.modified_at, &a.file)));
        Ok(found)
    }

    /// Where the recording of that name is.
    pub fn path(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.0.options.directory.join(name);
        // A link may lead anywhere.
        let is_file = || fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        if is_name(name) && is_file() && look(&path).is_some() {
            return Ok(path);
        }
        Err(Error::not_found("there is no such recording").hint("List them first."))
    }

    /// Where the recording of that name is, for somebody who reads it.
    pub fn lend(&self, name: &str) -> Result<(PathBuf, Lent), Error> {
        let mut lent = self.lent();
        let path = self.path(name)?;
        *lent.entry(name.to_owned()).or_default() += 1;
        let (shelf, name) = (self.clone(), name.to_owned());
        Ok((path, Lent { shelf, name }))
    }

    /// Deletes the recordings that ended so long ago, but for those that somebody reads; answers how many.
    pub fn sweep(&self, age: Duration) -> usize {
        let before = UnixTime::now().minus(age).to_iso8601();
        // What cannot be read now is looked at the next time.
        let files = self.list().unwrap_or_default().into_iter();
        let old = files.filter(|file| {
            // Of one form, so that the earlier one is the smaller.
            file.state != FileState::Recording && file.modified_at < before
        });
        let removed = old.filter(|file| {
            let lent = self.lent();
            !lent.contains_key(&file.file) && self.remove(&file.file).is_ok()
        });
        removed.count()
    }

    fn lent(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes a recording that is not being written.
    pub fn remove(&self, name: &str) -> Result<RecordingFile, Error> {
        let path = self.path(name)?;
        let found = look(&path);
        let found = found.ok_or_else(|| Error::not_found("there is no such recording"))?;
        if found.state == FileState::Recording {
            return Err(
                Error::conflict("this recording is still being written").hint("Stop it first.")
            );
        }
        fs::remove_file(&path).map_err(|error| {
            Error::unavailable(format!("the file cannot be deleted: {}", words(&error)))
                .hint("Check the rights on recording.directory.")
                .source(error)
        })?;
        let _ = self
            .0
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                Some(used.saturating_sub(found.bytes))
            });
        Ok(found)
    }

    /// The files that may be recordings, with their sizes.
    fn files(&self) -> io::Result<Vec<(PathBuf, u64)>> {
        let entries = fs::read_dir(&self.0.options.directory)?.flatten();
        let named = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_name));
        let found = named.filter_map(|entry| {
            let about = entry.metadata().ok()?;
            about.is_file().then(|| (entry.path(), about.len()))
        });
        Ok(found.collect())
    }
}

/// What a file is; `None` when it is no recording.
fn look(path: &Path) -> Option<RecordingFile> {
    let file = File::open(path).ok()?;
    let about = file.metadata().ok()?;
    let mut start = Vec::new();
    (&file).take(START_BYTES).read_to_end(&mut start).ok()?;
    let state = match mux::is_finished(&start)? {
        true => FileState::Finished,
        false => match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Ok(_) => FileState::Unfinished,
            Err(_) => FileState::Recording,
        },
    };
    Some(RecordingFile {
        file: path.file_name()?.to_str()?.to_owned(),
        state,
        bytes: about.len(),
        modified_at: UnixTime::from(about.modified().ok()?).to_iso8601(),
    })
}

/// The room, the time and a part of the id: readable, and never another file's.
fn file_name(room: &RoomName, id: RecordingId, now: UnixTime) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let room: String = room
        .as_str()
        .chars()
        .take(ROOM_CHARS_MAX)
        .map(plain)
        .collect();
    let time: String = now
        .to_iso8601()
        .chars()
        .take(19)
        .filter(|c| !":-".contains(*c))
        .collect();
    let id: String = id.to_string().chars().take(8).collect();
    // A name that begins with a hyphen is taken for an option by many a program.
    format!("r-{room}-{time}-{id}{SUFFIX}")
}

/// Whether it can be the name of a recording: plain characters, so no path.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.len() <= NAME_BYTES_MAX
        && name.ends_with(SUFFIX)
        && !name.starts_with('.')
        && name.chars().all(is_plain)
}

/// An error of the system without its number.
pub(super) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or(&text);
    plain.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(change: impl FnOnce(&mut Options)) -> Shelf {
        let name = format!("shelf-{}", uuid::Uuid::new_v4());
        let mut options = Options {
            directory: std::env::temp_dir().join(name),
            bytes_max: 1 << 20,
            total_bytes_max: 1 << 20,
            free_bytes_min: 0,
        };
        change(&mut options);
        Shelf::new(options)
    }

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).unwrap()
    }

    fn clean(shelf: &Shelf) {
        fs::remove_dir_all(&shelf.0.options.directory).unwrap();
    }

    #[test]
    fn names_are_plain_and_their_own() {
        let now = UnixTime(1_795_258_556.0);
        let name = |room_name: &str| file_name(&room(room_name), RecordingId::new(), now);
        let first = name("de..mo ü\\x");
        assert!(
            first.starts_with("r-de--mo---x-20261121T105556-"),
            "{first}"
        );
        assert!(is_name(&first) && is_name(&name(&"x".repeat(256))));
        assert_ne!(first, name("de..mo ü\\x"));
        for path in [
            "../x.mp4", ".x.mp4", "a/b.mp4", "x.mp5", "", "x\0.mp4", "ü.mp4",
        ] {
            assert!(!is_name(path), "{path}");
        }
    }

    #[test]
    fn a_file_is_told_by_its_start_and_its_lock() {
        let shelf = shelf(|_| ());
        assert_eq!(shelf.list().unwrap(), []);
        let place = shelf.open(&room("demo"), RecordingId::new()).unwrap();
        assert_eq!(shelf.list().unwrap(), [], "an empty file is no recording");
        let start = mux::Muxer::new(0).unwrap().1;
        fs::write(&place.path, &start).unwrap();
        let states = || -> Vec<FileState> {
            shelf
                .list()
                .unwrap()
                .iter()
                .map(|file| file.state)
                .collect()
        };
        assert_eq!(states(), [FileState::Recording]);
        let (name, place_path) = (place.name.clone(), place.path.clone());
        assert!(shelf.remove(&name).unwrap_err().message.contains("still"));
        drop(place);
        assert_eq!(states(), [FileState::Unfinished]);
        fs::write(shelf.0.options.directory.join("foreign.mp4"), "hello").unwrap();
        assert_eq!(states().len(), 1);
        assert!(shelf.path("foreign.mp4").is_err() && shelf.path("../x.mp4").is_err());
        std::os::unix::fs::symlink(&name, shelf.0.options.directory.join("link.mp4")).unwrap();
        assert!(shelf.path("link.mp4").is_err());
        let day = Duration::from_secs(86_400);
        let file = File::open(shelf.path(&name).unwrap()).unwrap();
        file.set_modified(std::time::SystemTime::now() - 2 * day)
            .unwrap();
        let (_, lent) = shelf.lend(&name).unwrap();
        assert_eq!((shelf.sweep(3 * day), shelf.sweep(day)), (0, 0));
        drop(lent);
        let locked = Flock::lock(file, FlockArg::LockExclusive).unwrap();
        assert_eq!(shelf.sweep(day), 0, "it is being written");
        drop(locked);
        assert_eq!((shelf.sweep(day), states().len()), (1, 0));
        fs::write(&place_path, &start).unwrap();
        assert_eq!(shelf.remove(&name).unwrap().bytes, start.len() as u64);
        assert_eq!(states(), []);
        clean(&shelf);
    }

    #[test]
    fn every_bound_is_named_and_leaves_no_file() {
        type Change = fn(&mut Options);
        let bounds: [(&str, Change); 2] = [
            ("recording.total_bytes_max", |options| {
                options.total_bytes_max = 0
            }),
            ("recording.free_bytes_min", |options| {
                options.free_bytes_min = u64::MAX
            }),
        ];
        for (key, change) in bounds {
            let shelf = shelf(change);
            let error = shelf.open(&room("demo"), RecordingId::new()).unwrap_err();
            assert_eq!(error.kind, crate::error::ErrorKind::Exhausted);
            assert!(error.hint.unwrap().contains(key));
            assert_eq!(shelf.files().unwrap(), []);
            clean(&shelf);
        }
        let shelf = shelf(|options| options.directory = "/proc/no/such".into());
        let error = shelf.open(&room("demo"), RecordingId::new()).unwrap_err();
        assert!(error.hint.unwrap().contains("recording.directory"));
    }
}
