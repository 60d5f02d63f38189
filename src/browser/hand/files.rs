//! Files for pages, laid down where Chromium can read them.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs;

use crate::model::command::UploadFile;

/// Only our own user may read them.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Writes files under `base`, each under its own name; answers their paths. They stay until `base`
/// goes, since a page may read them at any time.
pub(in crate::browser) async fn lay(base: &Path, files: &[UploadFile]) -> io::Result<Vec<PathBuf>> {
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
        std::fs::remove_dir_all(&base).unwrap();
    }
}
