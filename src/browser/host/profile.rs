//! A profile that is kept: a directory of its own, for one process at a time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::remote::Contexts;
use super::workdir;
use crate::disk::{self, Owned, Refused, private_directory};

/// The browser's own directory in it.
const USER_DATA: &str = "chromium";
/// What we keep of its cookies.
const COOKIES: &str = "cookies.json";
/// What we keep of its pages' storage.
const STORAGE: &str = "storage.json";
/// Where its pages have been.
const ORIGINS: &str = "origins.json";
/// Which contexts of remote browsers have its logins.
pub(super) const CONTEXT: &str = "remote.json";
/// What Chromium leaves behind to keep a second one out; on a dead one's word none is kept out.
const SINGLETONS: [&str; 3] = ["SingletonLock", "SingletonSocket", "SingletonCookie"];

/// A profile that this process holds.
#[derive(Debug)]
pub struct Profile {
    directory: PathBuf,
    _owned: Owned,
}

impl Profile {
    /// Opens the profile in `directory`, or makes one. Browsers that a dead service left running on it
    /// are ended.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let owned = Owned::take(directory).map_err(|refused| match refused {
            Refused::Held(_) => io::Error::new(io::ErrorKind::ResourceBusy, refused),
            Refused::Disk(error) => error,
        })?;
        let profile = Self {
            directory: directory.to_owned(),
            _owned: owned,
        };
        let user_data = profile.user_data();
        // Chromium starts on one that it cannot use, and keeps nothing.
        let is_unusable = |path: &Path| path.exists() && !path.is_dir();
        if is_unusable(&user_data) || is_unusable(&user_data.join("Default")) {
            let aside = profile.set_aside()?;
            tracing::warn!(
                aside = %aside.display(),
                "a profile cannot be used; it is set aside and begun anew, with its cookies"
            );
        }
        private_directory(&user_data)?;
        workdir::end_browser_of(&user_data);
        for name in SINGLETONS {
            // Most of the time there is none.
            let _ = fs::remove_file(user_data.join(name));
        }
        Ok(profile)
    }

    /// The browser's directory.
    pub(super) fn user_data(&self) -> PathBuf {
        self.directory.join(USER_DATA)
    }

    /// Where its cookies are kept.
    pub(super) fn cookies(&self) -> PathBuf {
        self.directory.join(COOKIES)
    }

    /// Where it is kept which origins its pages have been on.
    pub(super) fn origins(&self) -> PathBuf {
        self.directory.join(ORIGINS)
    }

    /// Where it is kept what its pages have stored, while its browser runs.
    pub(super) fn storage(&self) -> PathBuf {
        self.directory.join(STORAGE)
    }

    /// Where it is kept which contexts of remote browsers have its logins.
    pub(super) fn context(&self) -> PathBuf {
        self.directory.join(CONTEXT)
    }

    /// Deletes the profile in `directory`, unless a browser uses it; answers the remote contexts that are left of
    /// it.
    pub fn delete(directory: &Path) -> io::Result<Contexts> {
        if !directory.exists() {
            return Ok(Contexts::default());
        }
        let profile = Self::open(directory)?;
        let contexts = Contexts::in_profile(directory);
        fs::remove_dir_all(&profile.directory)?;
        Ok(contexts)
    }

    /// Removes what browsers have left on profiles that nobody has any more, by which they keep others
    /// out. Answers how many profiles there were with such.
    pub fn clear_locks(profiles: &Path) -> usize {
        let cleared = |directory: &PathBuf| {
            let Some(_owned) = Owned::inherit(directory) else {
                return false;
            };
            let user_data = directory.join(USER_DATA);
            let removed = SINGLETONS.map(|name| fs::remove_file(user_data.join(name)).is_ok());
            removed.contains(&true)
        };
        entries(profiles).filter(cleared).count()
    }

    /// Deletes the profiles that were not used for so long, but for those that somebody has and those of
    /// names that are kept. Answers how many, and the remote contexts that are left of them.
    pub fn sweep(
        profiles: &Path,
        age: Duration,
        is_kept: &dyn Fn(&str) -> bool,
    ) -> (usize, Contexts) {
        let mut left = Contexts::default();
        let Some(before) = SystemTime::now().checked_sub(age) else {
            return (0, left);
        };
        let mut swept = |directory: &PathBuf| {
            let name = directory.file_name().and_then(|name| name.to_str());
            if name.is_none_or(is_kept) || !is_unused_since(directory, before) {
                return false;
            }
            let Some(_owned) = Owned::inherit(directory) else {
                return false;
            };
            tracing::info!(profile = %directory.display(), "a profile that was not used for long is deleted");
            let contexts = Contexts::in_profile(directory);
            let is_gone = fs::remove_dir_all(directory).is_ok();
            if is_gone {
                left.extend(contexts);
            }
            is_gone
        };
        let count = entries(profiles).filter(|it| swept(it)).count();
        (count, left)
    }

    /// Deletes what was set aside in profiles so long ago, and the oldest of it beyond so many bytes.
    /// Answers how many pieces.
    pub fn sweep_set_aside(profiles: &Path, age: Option<Duration>, bytes_max: u64) -> usize {
        let before = age.and_then(|age| SystemTime::now().checked_sub(age));
        let mut aside: Vec<(SystemTime, PathBuf)> = entries(profiles)
            .flat_map(|directory| disk::all_set_aside(&directory))
            .collect();
        // The newest first, so that it is the oldest that there is no room for.
        aside.sort_by(|a, b| b.cmp(a));
        let mut total = 0_u64;
        let mut is_to_go = |(since, path): &(SystemTime, PathBuf)| {
            total = total.saturating_add(disk::bytes_of(path));
            total > bytes_max || before.is_some_and(|before| *since < before)
        };
        let gone = aside.into_iter().filter(|it| is_to_go(it));
        gone.filter(|(_, path)| disk::remove(path).is_ok()).count()
    }

    /// Takes back what was set aside.
    pub(super) fn take_back(&self, aside: &Path) -> io::Result<()> {
        fs::remove_dir_all(self.user_data())?;
        fs::rename(aside, self.user_data())
    }

    /// Sets a directory aside that Chromium refuses, for somebody to look at, and makes a new one.
    pub(super) fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = disk::set_aside(&self.user_data())?;
        private_directory(&self.user_data())?;
        Ok(aside)
    }
}

/// The directories of profiles.
fn entries(profiles: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(profiles).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.map(|entry| entry.path())
}

/// Whether nobody has taken a profile, or written what is kept of its pages, since then.
fn is_unused_since(directory: &Path, then: SystemTime) -> bool {
    let Ok(inside) = fs::read_dir(directory) else {
        return false;
    };
    let mut times = inside.flatten().map(|entry| entry.metadata()?.modified());
    times.all(|time| time.is_ok_and(|time| time < then))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_process_holds_a_profile_and_what_is_refused_is_not_lost() {
        let base = std::env::temp_dir().join(format!("profile-{}", uuid::Uuid::new_v4()));
        let directory = base.join("name");
        let profile = Profile::open(&directory).unwrap();
        let mode = fs::metadata(&directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let refused = Profile::open(&directory).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("pid {}", std::process::id())),
            "{refused}"
        );
        fs::write(profile.user_data().join("state"), "x").unwrap();
        let aside = profile.set_aside().unwrap();
        assert!(aside.join("state").exists() && !profile.user_data().join("state").exists());
        drop(profile);
        assert!(Profile::open(&directory).is_ok());
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn what_is_in_use_or_young_stays() {
        let base = std::env::temp_dir().join(format!("profiles-{}", uuid::Uuid::new_v4()));
        let hour = Duration::from_secs(3_600);
        let long_ago = SystemTime::now() - 2 * hour;
        let held = Profile::open(&base.join("held")).unwrap();
        for name in ["kept", "old", "young"] {
            let profile = Profile::open(&base.join(name)).unwrap();
            std::os::unix::fs::symlink("host-1", profile.user_data().join("SingletonLock"))
                .unwrap();
        }
        for name in ["held", "kept", "old"] {
            for entry in fs::read_dir(base.join(name)).unwrap().flatten() {
                let file = fs::File::open(entry.path()).unwrap();
                file.set_modified(long_ago).unwrap();
            }
        }
        fs::create_dir(base.join("foreign")).unwrap();
        assert_eq!(Profile::clear_locks(&base), 3);
        assert_eq!(Profile::clear_locks(&base), 0);
        // What is removed in it makes its directory young.
        for name in ["kept", "old"] {
            let file = fs::File::open(base.join(name).join(USER_DATA)).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        assert_eq!(Profile::sweep(&base, hour, &|name| name == "kept").0, 1);
        assert!(!base.join("old").exists());
        for name in ["held", "kept", "young", "foreign"] {
            assert!(base.join(name).exists(), "{name}");
        }
        fs::write(held.user_data().join("state"), vec![0; 2_000]).unwrap();
        let first = held.set_aside().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        fs::write(held.user_data().join("state"), vec![0; 2_000]).unwrap();
        let second = held.set_aside().unwrap();
        assert_eq!(Profile::sweep_set_aside(&base, Some(hour), u64::MAX), 0);
        assert_eq!(Profile::sweep_set_aside(&base, None, 3_000), 1);
        assert!(!first.exists() && second.exists());
        assert_eq!(
            Profile::sweep_set_aside(&base, Some(Duration::ZERO), u64::MAX),
            1
        );
        assert!(!second.exists() && held.user_data().exists());
        fs::remove_dir_all(&base).unwrap();
    }
}
