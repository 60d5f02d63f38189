//! Files for pages, laid down where Chromium can read them.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs;

use crate::model::command::UploadFile;

/// Only our own user may read them.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Most bytes that lie under one `base`.
pub(in crate::browser) const BYTES_MAX: u64 = 256 << 20;
/// Most files that lie under one `base`.
pub(in crate::browser) const COUNT_MAX: usize = 1_000;

/// Why files were not laid down.
#[derive(Debug, thiserror::Error)]
pub(in crate::browser) enum Error {
    /// There would be more under the base than is kept.
    #[error("the session has all the files that are kept for it")]
    Full,
    /// The disk.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// Writes files under `base`, each under its own name; answers their paths. They stay until `base`
/// goes, since a page may read them at any time; so they are bounded.
pub(in crate::browser) async fn lay(
    base: &Path,
    files: &[UploadFile],
) -> Result<Vec<PathBuf>, Error> {
    let (count, bytes) = lying(base).await?;
    let more: u64 = files.iter().map(|file| file.data.len() as u64).sum();
    if count + files.len() > COUNT_MAX || bytes + more > BYTES_MAX {
        return Err(Error::Full);
    }
    let upload = base.join(uuid::Uuid::new_v4().simple().to_string());
    directory(&upload).await?;
    let mut paths = Vec::with_capacity(files.len());
    for (number, file) in files.iter().enumerate() {
        // Two may have the same name.
        let own = upload.join(number.to_string());
        directory(&own).await?;
        let path = own.join(&file.name);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        let mut written = options.open(&path).await?;
        tokio::io::AsyncWriteExt::write_all(&mut written, &file.data).await?;
        tokio::io::AsyncWriteExt::flush(&mut written).await?;
        paths.push(path);
    }
    Ok(paths)
}

/// How many files lie under a base, and their bytes. The disk is what counts: an upload that broke off
/// has left some there too.
async fn lying(base: &Path) -> io::Result<(usize, u64)> {
    let (mut count, mut bytes) = (0, 0);
    let mut left = vec![base.to_owned()];
    while let Some(path) = left.pop() {
        let mut inside = fs::read_dir(&path).await?;
        while let Some(entry) = inside.next_entry().await? {
            let found = entry.metadata().await?;
            if found.is_dir() {
                left.push(entry.path());
            } else {
                count += 1;
                bytes += found.len();
            }
        }
    }
    Ok((count, bytes))
}

async fn directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.mode(DIRECTORY_MODE);
    builder.create(path).await
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn files_of_one_name_lie_side_by_side_and_private() {
        let base = std::env::temp_dir().join(format!("files-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&base).unwrap();
        let file = |data: &[u8]| UploadFile {
            name: "a b.txt".to_owned(),
            mime_type: None,
            data: data.to_vec(),
        };
        let paths = lay(&base, &[file(b"one"), file(b"two")]).await.unwrap();
        let read: Vec<_> = paths
            .iter()
            .map(|path| std::fs::read(path).unwrap())
            .collect();
        assert_eq!(read, [b"one", b"two"]);
        assert!(paths.iter().all(|path| path.ends_with("a b.txt")));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&paths[0]), FILE_MODE);
        assert_eq!(mode(paths[0].parent().unwrap()), DIRECTORY_MODE);
        // What lies there counts, however it came there.
        let large = std::fs::File::create(base.join("large")).unwrap();
        large.set_len(BYTES_MAX - 9).unwrap();
        assert_eq!(lying(&base).await.unwrap(), (3, BYTES_MAX - 3));
        assert!(lay(&base, &[file(b"123")]).await.is_ok());
        let full = lay(&base, &[file(b"1")]).await;
        assert!(matches!(full, Err(Error::Full)), "{full:?}");
        large.set_len(0).unwrap();
        let many = vec![file(b""); COUNT_MAX - 3];
        let full = lay(&base, &many).await;
        assert!(matches!(full, Err(Error::Full)), "{full:?}");
        assert_eq!(lay(&base, &many[1..]).await.unwrap().len(), COUNT_MAX - 4);
        std::fs::remove_dir_all(&base).unwrap();
    }
}
