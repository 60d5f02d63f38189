//! A profile that is kept: a directory of its own, for one process at a time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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

    /// Deletes the profile in `directory`, unless a browser uses it.
    pub fn delete(directory: &Path) -> io::Result<()> {
        if !directory.exists() {
            return Ok(());
        }
        let profile = Self::open(directory)?;
        fs::remove_dir_all(&profile.directory)
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
}
