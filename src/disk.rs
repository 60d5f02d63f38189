//! What several parts do on a disk in the same way: a directory that one process owns at a time, a file
//! that is replaced as a whole, and what cannot be used and is set aside.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::model::UnixTime;

/// The file by which a directory is owned.
pub(crate) const LOCK: &str = "owner.lock";

/// A directory is ours while this lives; the system lets it go with its process.
#[derive(Debug)]
pub(crate) struct Owned(#[expect(dead_code, reason = "held, never read")] Flock<File>);

/// Why a directory is not ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// By another process, as it calls itself.
    #[error("it is in use by {0}")]
    Held(String),
    #[error("{0}")]
    Disk(#[from] io::Error),
}

impl Owned {
    /// Takes a directory, which is made if it is not there, and says in it who has it.
    pub(crate) fn take(directory: &Path) -> Result<Self, Refused> {
        private_directory(directory)?;
        let path = directory.join(LOCK);
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)?;
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, Errno::EWOULDBLOCK)) => {
                let owner = fs::read_to_string(&path).unwrap_or_default();
                let owner = owner.lines().next().unwrap_or("another process");
                return Err(Refused::Held(owner.to_owned()));
            }
            Err((_, errno)) => return Err(Refused::Disk(errno.into())),
        };
        let since = UnixTime::now().to_iso8601();
        lock.set_len(0)?;
        writeln!(lock, "pid {} since {since}", std::process::id())?;
        Ok(Self(lock))
    }

    /// Takes a directory that is owned by nobody any more; `None` for any other, and for one that never
    /// had an owner.
    pub(crate) fn inherit(directory: &Path) -> Option<Self> {
        let file = File::open(directory.join(LOCK)).ok()?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?;
        Some(Self(lock))
    }
}

/// Makes a directory that is its owner's alone.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Replaces a file as a whole, by one that is its owner's alone: a reader sees the one or the other.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.to_path_buf().into_os_string();
    beside.push(".new");
    let mut file = File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// What the name of something that was set aside has in it.
const ASIDE: &str = ".refused-";

/// What was set aside in a directory, with when that was.
pub(crate) fn all_set_aside(directory: &Path) -> Vec<(SystemTime, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let aside = entries.filter(|entry| entry.file_name().to_string_lossy().contains(ASIDE));
    let since = |entry: fs::DirEntry| {
        // It got its name then; what is in it may be older.
        let changed = u64::try_from(entry.metadata().ok()?.ctime()).ok()?;
        Some((UNIX_EPOCH + Duration::from_secs(changed), entry.path()))
    };
    aside.filter_map(since).collect()
}

/// What a file, or all in a directory, takes on the disk. What cannot be read counts nothing.
pub(crate) fn bytes_of(path: &Path) -> u64 {
    let Ok(found) = fs::symlink_metadata(path) else {
        return 0;
    };
    if !found.is_dir() {
        return found.len();
    }
    let inside = fs::read_dir(path).into_iter().flatten().flatten();
    inside.map(|entry| bytes_of(&entry.path())).sum()
}

/// Removes a file, or a directory with all in it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

/// Gives what cannot be used another name beside its own, for somebody to look at; answers that.
pub(crate) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let stamp = UnixTime::now().to_iso8601().replace(':', "");
    let mut aside = path.to_path_buf().into_os_string();
    aside.push(format!("{ASIDE}{stamp}"));
    let aside = PathBuf::from(aside);
    fs::rename(path, &aside)?;
    Ok(aside)
}
