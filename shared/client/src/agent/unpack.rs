//! Unpacks an archive into a fresh folder, and nothing anywhere else
//!
//! Files and folders are made first and never through a link, for no link exists yet. Links are made
//! last, and may begin with as many `..` as they stand deep but hold none further on: so each resolves
//! inside the folder, also through the others.

use crate::agent::files::{FileError, sync_folder};
use flate2::read::GzDecoder;
use std::{
    cell::Cell,
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt as _, symlink},
    path::{Component, Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};
use tar::EntryType;

/// Between two entries an archive may hold no more than this: headers and long names
const HEADERS_MAX_BYTES: u64 = 1024 * 1024;

/// What an archive may amount to
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most files, folders and links
    pub entries: u64,
    /// The most bytes, unpacked
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 50_000, bytes: 2 * 1024 * 1024 * 1024 }
    }
}

/// An archive that was not unpacked
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// An entry would leave the folder
    #[error("the archive's entry `{0}` leaves its folder")]
    Escapes(String),
    /// An entry is neither a file, a folder nor a link
    #[error("the archive's entry `{0}` is neither a file, a folder nor a link inside the archive")]
    Kind(String),
    /// Two entries claim one path
    #[error("the archive has `{0}` twice")]
    Twice(String),
    /// More than the limits allow
    #[error("the archive holds more than {0}")]
    TooLarge(String),
    /// Cut off, or no archive at all
    #[error("the archive is not a whole gzip-compressed tar file: {0}")]
    Broken(io::Error),
    /// The work is no longer wanted
    #[error("unpacking was stopped")]
    Stopped,
    /// This machine's disk refused
    #[error(transparent)]
    Disk(#[from] FileError),
}

/// Unpacks the archive in the file `archive` into the new folder `into`, and syncs it
///
/// `into` may be left half made where this fails; it is the caller's to remove.
pub fn unpack(archive: &Path, into: &Path, limits: Limits, stop: &AtomicBool) -> Result<(), UnpackError> {
    let file = File::open(archive).map_err(FileError::when("open", archive))?;
    let meter = Meter { left: Cell::new(limits.bytes), burst: Cell::new(0), limit: limits.bytes };
    let mut tar = tar::Archive::new(Metered { inner: GzDecoder::new(file), meter: &meter });
    fs::create_dir(into).map_err(FileError::when("make", into))?;
    let mut tree = Tree { root: into, folders: BTreeSet::new(), links: Vec::new() };
    let mut entries = tar.entries().map_err(|e| meter.judge(e))?;
    for count in 0.. {
        if stop.load(Ordering::Relaxed) {
            return Err(UnpackError::Stopped);
        }
        meter.burst.set(HEADERS_MAX_BYTES);
        let Some(entry) = entries.next() else { break };
        if count == limits.entries {
            return Err(UnpackError::TooLarge(format!("{count} entries")));
        }
        let mut entry = entry.map_err(|e| meter.judge(e))?;
        meter.burst.set(limits.bytes);
        tree.add(&mut entry, &meter)?;
    }
    // To the very end: only there stands the checksum that shows a cut.
    meter.burst.set(limits.bytes);
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(|e| meter.judge(e))?;
    tree.finish()
}

/// How many more bytes may come out of the decoder: in all, and before the next entry's content
struct Meter {
    left: Cell<u64>,
    burst: Cell<u64>,
    limit: u64,
}

impl Meter {
    /// What an error of reading means: the limit's, or the archive's own
    fn judge(&self, error: io::Error) -> UnpackError {
        if self.left.get() == 0 || self.burst.get() == 0 {
            UnpackError::TooLarge(format!("{} bytes, or too long a header", self.limit))
        } else {
            UnpackError::Broken(error)
        }
    }
}

struct Metered<'m, R> {
    inner: R,
    meter: &'m Meter,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        for allowance in [&self.meter.left, &self.meter.burst] {
            allowance.set(allowance.get().saturating_sub(count as u64));
            if allowance.get() == 0 {
                return Err(io::Error::other("over the limit"));
            }
        }
        Ok(count)
    }
}

/// What has been made so far
struct Tree<'t> {
    root: &'t Path,
    folders: BTreeSet<PathBuf>,
    links: Vec<(PathBuf, PathBuf)>,
}

impl Tree<'_> {
    fn add(&mut self, entry: &mut tar::Entry<'_, impl Read>, meter: &Meter) -> Result<(), UnpackError> {
        let named = entry.path().map_err(UnpackError::Broken)?.into_owned();
        let shown = named.display().to_string();
        let path = inside(&named).ok_or_else(|| UnpackError::Escapes(shown.clone()))?;
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        if kind == EntryType::Directory {
            return self.folder(&path);
        }
        // Only the folder itself may be called by no name.
        let parent = path.parent().ok_or_else(|| UnpackError::Kind(shown.clone()))?;
        self.folder(parent)?;
        let link = || -> Result<PathBuf, UnpackError> {
            let to = entry.link_name().map_err(UnpackError::Broken)?;
            to.map(|to| to.into_owned()).ok_or_else(|| UnpackError::Kind(shown.clone()))
        };
        if kind == EntryType::Symlink {
            let to = link()?;
            if !stays_inside(&to, parent) {
                return Err(UnpackError::Escapes(shown));
            }
            self.links.push((path, to));
            return Ok(());
        }
        let full = self.root.join(&path);
        if kind == EntryType::Link {
            // Of the links only hard ones exist yet, so the path leads to a file of this archive or to none.
            let to = inside(&link()?).ok_or_else(|| UnpackError::Escapes(shown.clone()))?;
            return made(fs::hard_link(self.root.join(to), &full), &full, shown);
        }
        if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
            return Err(UnpackError::Kind(shown));
        }
        self.file(entry, &full, shown, meter)
    }

    fn file(
        &self,
        entry: &mut tar::Entry<'_, impl Read>,
        path: &Path,
        shown: String,
        meter: &Meter,
    ) -> Result<(), UnpackError> {
        let executable = entry.header().mode().is_ok_and(|mode| mode & 0o100 != 0);
        let mode = if executable { 0o755 } else { 0o644 };
        let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) => return made(Err(error), path, shown),
        };
        let expected = entry.size();
        let copied = io::copy(entry, &mut file).map_err(|e| meter.judge(e))?;
        if copied != expected {
            return Err(UnpackError::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(file.sync_all().map_err(FileError::when("sync", path))?)
    }

    /// Makes the folder `path` of the archive, and those above it
    fn folder(&mut self, path: &Path) -> Result<(), UnpackError> {
        let full = self.root.join(path);
        if self.folders.insert(path.to_owned()) {
            let shown = path.display().to_string();
            match fs::create_dir_all(&full) {
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                    return Err(UnpackError::Twice(shown));
                }
                other => made(other, &full, shown)?,
            }
            // Those above were made by the way, and have to be synced as well.
            self.folders.extend(path.ancestors().skip(1).map(Path::to_owned));
        }
        Ok(())
    }

    fn finish(self) -> Result<(), UnpackError> {
        for (path, to) in &self.links {
            let full = self.root.join(path);
            made(symlink(to, &full), &full, path.display().to_string())?;
        }
        for folder in &self.folders {
            sync_folder(&self.root.join(folder))?;
        }
        Ok(sync_folder(self.root)?)
    }
}

fn made(result: io::Result<()>, path: &Path, shown: String) -> Result<(), UnpackError> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(UnpackError::Twice(shown)),
        Err(error) => Err(FileError::when("make", path)(error).into()),
    }
}

/// `path` without its `.` parts, if every other part is a plain name
fn inside(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(plain)
}

/// Whether a link in the folder `parent` that points at `to` stays inside
fn stays_inside(to: &Path, parent: &Path) -> bool {
    let ups = to.components().take_while(|part| *part == Component::ParentDir).count();
    let rest: PathBuf = to.components().skip(ups).collect();
    ups <= parent.components().count() && inside(&rest).is_some()
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
