//! Files that are whole after any crash: written beside, synced, renamed, and the folder synced

use rustix::fs::{FlockOperation, Mode, OFlags};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, symlink},
    path::{Path, PathBuf},
};

/// A file or folder of the agent's that could not be read or written
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`: {source}", .path.display())]
pub struct FileError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    /// For `map_err`: what was being done, and to what
    pub fn when(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }
}

/// Makes `folder` and what is missing above it, for this user alone
pub fn make_folder(folder: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(folder);
    made.map_err(FileError::when("make", folder))
}

/// Replaces `path` by a file of `bytes` that only this user may read
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let temporary = path.with_extension("new");
    let write = || -> io::Result<()> {
        // A leftover of a crash may be there; it is never the only copy of anything.
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(FileError::when("write", path))?;
    sync_parent(path)
}

/// Replaces `path` by `value` as JSON
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|e| FileError::when("write", path)(e.into()))?;
    write_file(path, &bytes)
}

/// What `path` holds; none where there is no such file
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::when("read", path)(error)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| FileError::when("read", path)(e.into()))
}

/// Removes the file or folder `path`, if it is there
pub fn remove(path: &Path) -> Result<(), FileError> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::when("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Renames `from` to `to` for good
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(FileError::when("rename", from))?;
    sync_parent(to)
}

/// Makes the symbolic link `link` point at `to`, in one step: there is always one or the other
pub fn point(link: &Path, to: &Path) -> Result<(), FileError> {
    let temporary = link.with_extension("new");
    remove(&temporary)?;
    symlink(to, &temporary).map_err(FileError::when("make", &temporary))?;
    rename(&temporary, link)
}

/// Writes what is known of the folder `path` to the disk
pub fn sync_folder(path: &Path) -> Result<(), FileError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(FileError::when("sync", path))
}

fn sync_parent(path: &Path) -> Result<(), FileError> {
    path.parent().map_or(Ok(()), sync_folder)
}

/// A lock that ends with the process, however that ends
#[derive(Debug)]
pub struct FolderLock {
    _file: rustix::fd::OwnedFd,
}

/// Takes `folder` for this process; none where another process has it
pub fn lock_folder(folder: &Path) -> Result<Option<FolderLock>, FileError> {
    let path = folder.join("agent.lock");
    // Not inherited by the service, which would hold the lock beyond the agent's end.
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|error| FileError::when("open", &path)(error.into()))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(FolderLock { _file: file })),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(FileError::when("lock", &path)(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_replaced_whole_and_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert_eq!(read_json::<u8>(&path).unwrap(), None);
        fs::write(folder.path().join("a.new"), "left by a crash").unwrap();
        write_json(&path, &1).unwrap();
        write_json(&path, &2).unwrap();
        assert_eq!(read_json(&path).unwrap(), Some(2));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_moved_over_and_a_folder_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("current");
        point(&link, Path::new("one")).unwrap();
        point(&link, Path::new("two")).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("two"));
        let held = lock_folder(folder.path()).unwrap();
        assert!(held.is_some() && lock_folder(folder.path()).unwrap().is_none());
        drop(held);
        assert!(lock_folder(folder.path()).unwrap().is_some());
    }
}
