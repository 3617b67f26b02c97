//! Reading the definition's folder: `weir.yaml` and the files that it names, nothing else

use super::exit::Failure;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs, io,
    path::{Path, PathBuf},
};
use weir_domain::definition::{
    bundle::{Bundle, MAX_FILE, ROOT, is_safe, matches},
    diagnostic::Diagnostic,
    document::files_named,
    pack::MANIFEST,
};

/// Folders within each other; what lies deeper is no part of a definition
const DEPTH_MAX: usize = 16;

/// Files that are looked at; more means that a pattern meant something else
const FILES_MAX: usize = 100_000;

/// The files of the definition in `folder`, as they are uploaded
///
/// Where `weir.yaml` itself does not say which files there are, the diagnostics say why. A file that it names and that
/// is not there is no error here: reading the definition tells of it, with its place.
pub fn read(folder: &Path) -> Result<(Bundle, Vec<Diagnostic>), Failure> {
    let root = match fs::read(folder.join(ROOT)) {
        Ok(bytes) => text(&folder.join(ROOT), bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => {
            return Err(Failure::File {
                path: folder.to_owned(),
                reason: format!("holds no `{ROOT}`: name the definition's folder with `--config DIR`"),
            });
        }
        Err(error) => return Err(Failure::file(folder.join(ROOT), &error)),
    };
    let named = files_named(&root);
    let mut files = BTreeMap::from([(ROOT.to_owned(), root)]);
    let patterns = match named {
        Ok(patterns) => patterns,
        Err(wrong) => return Ok((Bundle { files }, wrong)),
    };
    let mut looked = 0;
    for pattern in patterns.iter().filter(|pattern| is_safe(pattern)) {
        let fixed: PathBuf = pattern.split('/').take_while(|part| !part.contains('*')).collect();
        let mut found = Vec::new();
        walk(folder, &fixed, 0, &mut found, &mut looked)?;
        for path in found.into_iter().filter(|path| matches(pattern, path)) {
            if let Entry::Vacant(slot) = files.entry(path) {
                let file = folder.join(slot.key());
                let bytes = read_file(&file)?;
                slot.insert(text(&file, bytes)?);
            }
        }
    }
    Ok((Bundle { files }, Vec::new()))
}

/// The files of a pack's folder, its manifest left out: every YAML file in it
pub fn pack_files(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let (mut found, mut looked) = (Vec::new(), 0);
    walk(folder, Path::new(""), 0, &mut found, &mut looked)?;
    let mut files = BTreeMap::new();
    for path in found {
        let is_yaml = Path::new(&path).extension().is_some_and(|it| it == "yaml" || it == "yml");
        if is_yaml && path != MANIFEST {
            let bytes = read_file(&folder.join(&path))?;
            files.insert(path.clone(), text(&folder.join(&path), bytes)?);
        }
    }
    Ok(files)
}

/// Every file at or below `at`, from the definition's folder; hidden folders and links to folders are left out
fn walk(
    root: &Path,
    at: &Path,
    depth: usize,
    found: &mut Vec<String>,
    looked: &mut usize,
) -> Result<(), Failure> {
    let here = root.join(at);
    let is_folder = match fs::metadata(&here) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::file(here, &error)),
    };
    *looked += 1;
    if *looked > FILES_MAX {
        let reason =
            format!("more than {FILES_MAX} files lie below it: name the files more closely in `{ROOT}`");
        return Err(Failure::File { path: root.to_owned(), reason });
    }
    if !is_folder {
        found.extend(at.to_str().map(str::to_owned));
        return Ok(());
    }
    if depth >= DEPTH_MAX {
        return Ok(());
    }
    for entry in fs::read_dir(&here).map_err(|error| Failure::file(&here, &error))? {
        let entry = entry.map_err(|error| Failure::file(&here, &error))?;
        let kind = entry.file_type().map_err(|error| Failure::file(entry.path(), &error))?;
        let is_link_to_folder = kind.is_symlink() && entry.path().is_dir();
        if !is_link_to_folder && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            walk(root, &at.join(entry.file_name()), depth + 1, found, looked)?;
        }
    }
    Ok(())
}

/// A file's bytes, unless there are more than a definition may have
fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let size = fs::metadata(path).map_err(|error| Failure::file(path, &error))?.len();
    // A little more than is allowed is read, so that the check that names the limit sees it.
    if size > 2 * u64::try_from(MAX_FILE).unwrap_or(u64::MAX) {
        return Err(Failure::File {
            path: path.to_owned(),
            reason: format!("{size} bytes are too many for a definition"),
        });
    }
    fs::read(path).map_err(|error| Failure::file(path, &error))
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes)
        .map_err(|_| Failure::File { path: path.to_owned(), reason: "is not UTF-8 text".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn only_what_is_named_is_read() {
        let dir = folder(&[
            ("weir.yaml", "version: 1\nworkspace: harbor\nfiles: [a.yaml, b/*.yaml, missing.yaml]\n"),
            ("a.yaml", ""),
            ("b/one.yaml", ""),
            ("b/two.json", ""),
            ("b/deep/three.yaml", ""),
            (".env", "SECRET=1"),
        ]);
        let (bundle, wrong) = read(dir.path()).unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(bundle.files.keys().collect::<Vec<_>>(), ["a.yaml", "b/one.yaml", "weir.yaml"]);
    }

    #[test]
    fn hidden_folders_and_links_to_folders_are_left_out() {
        let dir = folder(&[
            ("weir.yaml", "version: 1\nworkspace: harbor\nfiles: ['**/*.yaml']\n"),
            (".git/x.yaml", ""),
            ("c/y.yaml", ""),
        ]);
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        let (bundle, wrong) = read(dir.path()).unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(bundle.files.keys().collect::<Vec<_>>(), ["c/y.yaml", "weir.yaml"]);
    }

    #[test]
    fn a_root_that_leaves_its_folder_says_so_and_nothing_else() {
        let dir = folder(&[
            ("weir.yaml", "version: 1\nworkspace: h\nfiles: [a.yaml, ../b.yaml]\n"),
            ("a.yaml", ""),
        ]);
        let (_, wrong) = read(dir.path()).unwrap();
        assert_eq!(wrong.iter().map(|it| it.code.as_str()).collect::<Vec<_>>(), ["W0108"]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let dir = folder(&[("a.yaml", "")]);
        let wrong = read(dir.path()).unwrap_err().to_string();
        assert!(wrong.contains("holds no `weir.yaml`"), "{wrong}");
        assert!(read(&dir.path().join("nowhere")).unwrap_err().to_string().contains("nowhere"));
        fs::write(dir.path().join("weir.yaml"), [0xff, 0xfe]).unwrap();
        assert!(read(dir.path()).unwrap_err().to_string().contains("not UTF-8"));
    }
}
