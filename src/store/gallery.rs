//! [`Gallery`]: the directory of screenshots that callers want on the service's own disk.
//!
//! Everything here touches the disk and is called on blocking threads.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::disk;
use crate::error::Error;

/// Longest name of a file, bytes.
const NAME_BYTES_MAX: usize = 200;
/// How the names of pictures end: whatever else lies in the directory is not ours.
const ENDINGS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// The directory of screenshots. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gallery {
    directory: PathBuf,
    total_bytes_max: u64,
}

/// The name of a picture's file: nothing of a path, and the ending of its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureName(String);

/// A picture on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Where it is.
    pub path: PathBuf,
    /// Px.
    pub width: u64,
    /// Px.
    pub height: u64,
    /// Its size.
    pub bytes: u64,
}

impl PictureName {
    /// The name that a caller wants; `endings` are those of the picture's format, the usual one first,
    /// which is added where none of them is there.
    pub fn parse(name: &str, endings: &[&str]) -> Result<Self, Error> {
        let is_plain = !name.is_empty()
            && !name.starts_with('.')
            && !name.contains(['/', '\\'])
            && !name.chars().any(char::is_control);
        if !is_plain || name.len() > NAME_BYTES_MAX {
            return Err(
                Error::unprocessable("filename is not a bare file name").hint(format!(
                    "Send a name such as \"checkout.png\", without a path, of at most \
                     {NAME_BYTES_MAX} bytes."
                )),
            );
        }
        let lower = name.to_ascii_lowercase();
        let is_ending = |ending: &&str| lower.ends_with(&format!(".{ending}"));
        let usual = endings.first().copied().unwrap_or_default();
        match endings.iter().any(is_ending) {
            true => Ok(Self(name.to_owned())),
            false => Ok(Self(format!("{name}.{usual}"))),
        }
    }
}

impl Gallery {
    /// The gallery in that directory, which is made on first use.
    pub fn new(directory: PathBuf, total_bytes_max: u64) -> Self {
        Self {
            directory,
            total_bytes_max,
        }
    }

    /// Saves a picture, in place of one of the same name; the oldest others go where all together would
    /// be more than the bound.
    pub fn save(&self, name: &PictureName, picture: &[u8]) -> Result<Saved, Error> {
        let size = imagesize::blob_size(picture).map_err(|error| {
            Error::internal("the browser's picture cannot be read").source(error)
        })?;
        let bytes = picture.len() as u64;
        let path = self.directory.join(&name.0);
        let saving = || {
            disk::private_directory(&self.directory)?;
            self.make_room(bytes, &path)?;
            disk::replace(&path, picture)
        };
        saving().map_err(|error: io::Error| {
            Error::unavailable(format!("the picture cannot be saved: {error}"))
                .hint("Check screenshots.directory, the rights on it and the free space there.")
                .source(error)
        })?;
        Ok(Saved {
            path,
            width: size.width as u64,
            height: size.height as u64,
            bytes,
        })
    }

    /// Removes the pictures that were saved so long ago; answers how many.
    pub fn sweep(&self, age: Duration) -> usize {
        let Some(before) = SystemTime::now().checked_sub(age) else {
            return 0;
        };
        let entries = fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten();
        let is_picture = |name: &str| {
            let ending = name.rsplit_once('.').map(|(_, ending)| ending);
            ending.is_some_and(|ending| {
                ENDINGS
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(ending))
            })
        };
        let pictures = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_picture));
        let old = pictures.filter(|entry| {
            let found = entry.metadata().ok().filter(fs::Metadata::is_file);
            let modified = found.and_then(|found| found.modified().ok());
            modified.is_some_and(|modified| modified < before)
        });
        old.filter(|entry| fs::remove_file(entry.path()).is_ok())
            .count()
    }

    /// Removes the oldest pictures until so many bytes more fit.
    fn make_room(&self, bytes: u64, replaced: &Path) -> io::Result<()> {
        let mut others: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let (path, found) = match entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))
            {
                Ok(found) => found,
                // Somebody else removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if found.is_file() && path != replaced {
                others.push((found.modified()?, found.len(), path));
            }
        }
        others.sort();
        let mut total = bytes + others.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
        for (_, size, path) in others {
            if total <= self.total_bytes_max {
                break;
            }
            fs::remove_file(&path)?;
            total -= size;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bare_and_end_as_their_format() {
        let name = |text: &str| PictureName::parse(text, &["jpg", "jpeg"]).map(|name| name.0);
        assert_eq!(name("a b").unwrap(), "a b.jpg");
        assert_eq!(name("a.JPEG").unwrap(), "a.JPEG");
        assert_eq!(name("a.png").unwrap(), "a.png.jpg");
        for wrong in [
            "",
            ".hidden",
            "..",
            "../a",
            "/etc/passwd",
            "a/b.jpg",
            "a\\b",
            "a\0b",
            "a\nb",
            &"x".repeat(201),
        ] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_oldest_make_room_and_nothing_else_does() {
        let directory = std::env::temp_dir().join(format!("gallery-{}", uuid::Uuid::new_v4()));
        // The smallest picture there is: a PNG's first bytes say how large it is.
        let png = |width: u32| {
            let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
            png.extend(width.to_be_bytes());
            png.extend(2u32.to_be_bytes());
            png.extend([8, 6, 0, 0, 0, 0, 0, 0, 0]);
            png
        };
        let bytes = png(1).len() as u64;
        let gallery = Gallery::new(directory.clone(), 2 * bytes);
        let save = |name: &str, width| {
            let name = PictureName::parse(name, &["png"]).unwrap();
            gallery.save(&name, &png(width)).unwrap()
        };
        let saved = save("one", 7);
        assert_eq!((saved.width, saved.height, saved.bytes), (7, 2, bytes));
        std::thread::sleep(std::time::Duration::from_millis(20));
        save("two", 1);
        save("two", 3);
        assert!(directory.join("one.png").exists() && directory.join("two.png").exists());
        save("three", 1);
        assert!(!directory.join("one.png").exists() && directory.join("two.png").exists());
        let name = PictureName::parse("bad", &["png"]).unwrap();
        assert!(gallery.save(&name, b"no picture").is_err());
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        for name in ["old.JPEG", "notes.txt"] {
            let file = fs::File::create(directory.join(name)).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        assert_eq!(gallery.sweep(Duration::from_secs(30)), 1);
        assert!(directory.join("three.png").exists() && directory.join("notes.txt").exists());
        fs::remove_dir_all(&directory).unwrap();
    }
}
