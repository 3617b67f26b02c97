//! An archive of a folder: the same bytes for the same files, whoever packs them and when

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use weir_domain::canonical::Digest;

use crate::error::{Doing as _, Result};

/// A packed folder
pub struct Archive {
    /// What it is called
    pub digest: Digest,
    /// A tar, compressed with gzip
    pub bytes: Vec<u8>,
}

/// Packs the files below `folder`
pub fn pack(folder: &Path) -> Result<Archive> {
    let bytes = write(folder).at("packing", folder)?;
    Ok(Archive { digest: Digest::of_bytes(&bytes), bytes })
}

fn write(folder: &Path) -> io::Result<Vec<u8>> {
    let mut files = Vec::new();
    find(folder, &mut files)?;
    files.sort();
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for file in files {
        let bytes = fs::read(&file)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        let path = file.strip_prefix(folder).unwrap_or(&file);
        tar.append_data(&mut header, path, bytes.as_slice())?;
    }
    tar.into_inner()?.finish()
}

/// What programs leave behind is no part of it
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_left_behind = path.file_name().is_some_and(|name| name == "__pycache__");
        if path.is_dir() && !is_left_behind {
            find(&path, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(order: [&str; 3]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in order {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        folder
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let (one, other) = (folder(["a", "b/c", "b/d"]), folder(["b/d", "b/c", "a"]));
        fs::create_dir(other.path().join("__pycache__")).unwrap();
        fs::write(other.path().join("__pycache__/x.pyc"), "x").unwrap();
        let (one, other) = (pack(one.path()).unwrap(), pack(other.path()).unwrap());
        assert_eq!(one.digest, other.digest);
        assert_eq!(one.digest, Digest::of_bytes(&one.bytes));
    }
}
