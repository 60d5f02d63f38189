//! Files that the operator offers for uploads: those of one directory, by their paths.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::model::command::{ActionError, ActionErrorKind, UPLOAD_BYTES_MAX, UploadFile};

/// Longest part of a path that an error repeats, characters.
const SHOWN_CHARS_MAX: usize = 200;

/// Reads the files. What is given to the page are their bytes as they are now, so that nothing that
/// happens to a path later leads the browser elsewhere.
pub(super) async fn read(
    directory: &Path,
    paths: &[String],
) -> Result<Vec<UploadFile>, ActionError> {
    if directory.as_os_str().is_empty() {
        return Err(ActionError::new(
            ActionErrorKind::Unsupported,
            "No directory is configured from which files may be uploaded by path. Send the files \
             themselves, as \"files\" with name and data_base64, or have browser.uploads_dir set.",
        ));
    }
    let (directory, paths) = (directory.to_owned(), paths.to_owned());
    let reading = move || read_all(&directory, &paths);
    let read = tokio::task::spawn_blocking(reading).await;
    read.unwrap_or_else(|error| {
        tracing::warn!(%error, "reading files for an upload broke off");
        Err(unreadable())
    })
}

fn read_all(directory: &Path, paths: &[String]) -> Result<Vec<UploadFile>, ActionError> {
    let directory = fs::canonicalize(directory).map_err(|error| {
        tracing::warn!(%error, "browser.uploads_dir cannot be used");
        unreadable()
    })?;
    let mut left = UPLOAD_BYTES_MAX as u64;
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        // The same words for what is not there and for what is elsewhere: nobody learns by them which
        // files this machine has.
        let file = open(&directory, path).map_err(|error| {
            tracing::debug!(%error, "a path for an upload was refused");
            no_file(path)
        })?;
        let mut data = Vec::new();
        let mut bounded = file.take(left + 1);
        bounded.read_to_end(&mut data).map_err(|error| {
            tracing::warn!(%error, "a file for an upload could not be read");
            unreadable()
        })?;
        left = left
            .checked_sub(data.len() as u64)
            .ok_or_else(|| too_large(path))?;
        let name = Path::new(path).file_name().and_then(|name| name.to_str());
        files.push(UploadFile {
            name: name.ok_or_else(|| no_file(path))?.to_owned(),
            mime_type: None,
            data,
        });
    }
    Ok(files)
}

/// Opens a plain file inside the directory, wherever links on the way lead.
fn open(directory: &Path, path: &str) -> io::Result<File> {
    // A path from the root takes the directory's place here, and is judged like any other.
    let whole: PathBuf = fs::canonicalize(directory.join(path))?;
    if !whole.starts_with(directory) {
        return Err(io::Error::other("it lies outside the directory"));
    }
    let seen = fs::symlink_metadata(&whole)?;
    if !seen.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    // A pipe that took the file's place meanwhile must not hold us up.
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(NONBLOCK).open(&whole)?;
    let opened = file.metadata()?;
    match (opened.dev(), opened.ino()) == (seen.dev(), seen.ino()) {
        true => Ok(file),
        false => Err(io::Error::other("another file took its place meanwhile")),
    }
}

/// `O_NONBLOCK`.
const NONBLOCK: i32 = if cfg!(target_os = "linux") { 0o4000 } else { 0 };

fn refused(why: &str) -> ActionError {
    ActionError::new(
        ActionErrorKind::InvalidParameter,
        format!("The parameter \"path\" is not valid: {why}. Nothing was uploaded."),
    )
}

fn no_file(path: &str) -> ActionError {
    let shown: String = path.chars().take(SHOWN_CHARS_MAX).collect();
    refused(&format!(
        "\"{shown}\" is no file inside the directory that the service's operator has set for uploads; \
         write it relative to that directory"
    ))
}

fn too_large(path: &str) -> ActionError {
    let shown: String = path.chars().take(SHOWN_CHARS_MAX).collect();
    let mebibytes = UPLOAD_BYTES_MAX >> 20;
    refused(&format!(
        "with \"{shown}\" it is more than the {mebibytes} MiB that one upload takes, all files together"
    ))
}

fn unreadable() -> ActionError {
    ActionError::new(
        ActionErrorKind::Internal,
        "The files for uploads cannot be read on the service's machine. Send the files themselves, as \
         \"files\" with name and data_base64, or have the service's operator look at \
         browser.uploads_dir.",
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn only_what_lies_inside_is_read() {
        let base = std::env::temp_dir().join(format!("offered-{}", uuid::Uuid::new_v4()));
        let inside = base.join("inside");
        fs::create_dir_all(inside.join("deep")).unwrap();
        fs::create_dir(base.join("inside-too")).unwrap();
        for (path, text) in [
            ("inside/a.txt", "a"),
            ("inside/deep/b.txt", "b"),
            ("outside.txt", "o"),
            ("inside-too/c.txt", "c"),
        ] {
            fs::write(base.join(path), text).unwrap();
        }
        symlink(base.join("outside.txt"), inside.join("way-out.txt")).unwrap();
        symlink(&base, inside.join("up")).unwrap();
        symlink(inside.join("deep/b.txt"), inside.join("alias.txt")).unwrap();
        symlink("round", inside.join("round")).unwrap();
        let linked = base.join("linked");
        symlink(&inside, &linked).unwrap();

        let whole = inside.join("a.txt").display().to_string();
        for (path, name, text) in [
            ("a.txt", "a.txt", "a"),
            ("deep/b.txt", "b.txt", "b"),
            ("deep/../a.txt", "a.txt", "a"),
            ("alias.txt", "alias.txt", "b"),
            (whole.as_str(), "a.txt", "a"),
        ] {
            for directory in [&inside, &linked] {
                let files = read(directory, &[path.to_owned()]).await.unwrap();
                assert_eq!(
                    (files[0].name.as_str(), &*files[0].data),
                    (name, text.as_bytes())
                );
            }
        }
        let outside = base.join("outside.txt").display().to_string();
        let beside = base.join("inside-too/c.txt").display().to_string();
        let mut told = Vec::new();
        for path in [
            "../outside.txt",
            "way-out.txt",
            "up/outside.txt",
            "deep/../../outside.txt",
            "../inside-too/c.txt",
            "deep",
            ".",
            "round",
            "no-such.txt",
            "/dev/zero",
            &outside,
            &beside,
        ] {
            let error = read(&inside, &["a.txt".to_owned(), path.to_owned()]).await;
            let error = error.unwrap_err();
            assert_eq!(error.kind, ActionErrorKind::InvalidParameter, "{path}");
            told.push(error.message.replace(&format!("\"{path}\""), "…"));
        }
        told.dedup();
        assert_eq!(
            told.len(),
            1,
            "nothing is told of what lies outside: {told:?}"
        );

        fs::remove_dir_all(&base).unwrap();
    }

    #[tokio::test]
    async fn sizes_are_bounded_and_a_directory_has_to_be_there() {
        let base = std::env::temp_dir().join(format!("offered-{}", uuid::Uuid::new_v4()));
        let inside = base.join("inside");
        fs::create_dir_all(&inside).unwrap();
        fs::write(inside.join("a.txt"), "a").unwrap();
        let large = File::create(inside.join("large.bin")).unwrap();
        large.set_len(UPLOAD_BYTES_MAX as u64).unwrap();
        let large = "large.bin".to_owned();
        let whole = read(&inside, std::slice::from_ref(&large)).await.unwrap();
        assert_eq!(whole[0].data.len(), UPLOAD_BYTES_MAX);
        let error = read(&inside, &[large, "a.txt".to_owned()])
            .await
            .unwrap_err();
        assert!(error.message.contains("32 MiB"), "{error}");

        let error = read(Path::new(""), &["a.txt".to_owned()])
            .await
            .unwrap_err();
        assert_eq!(error.kind, ActionErrorKind::Unsupported);
        let error = read(&base.join("none"), &["a.txt".to_owned()]).await;
        assert_eq!(error.unwrap_err().kind, ActionErrorKind::Internal);
        fs::remove_dir_all(&base).unwrap();
    }
}
