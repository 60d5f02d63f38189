//! Who uses a state directory: one process at a time.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::model::UnixTime;

const FILE: &str = "owner.lock";

/// The directory is ours while this lives; the system lets it go with its process.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, never read")] Flock<File>);

/// Why a directory is not ours.
#[derive(Debug)]
pub(super) enum Refused {
    /// By another process, as it calls itself.
    Held(String),
    Disk(io::Error),
}

impl Lock {
    pub(super) fn take(directory: &Path) -> Result<Self, Refused> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory);
        made.map_err(Refused::Disk)?;
        let path = directory.join(FILE);
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(Refused::Disk)?;
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, Errno::EWOULDBLOCK)) => {
                let owner = std::fs::read_to_string(&path).unwrap_or_default();
                let owner = owner.lines().next().unwrap_or("unknown");
                return Err(Refused::Held(owner.to_owned()));
            }
            Err((_, errno)) => return Err(Refused::Disk(errno.into())),
        };
        let since = UnixTime::now().to_iso8601();
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "pid {} since {since}", std::process::id()))
            .map_err(Refused::Disk)?;
        Ok(Self(lock))
    }
}
