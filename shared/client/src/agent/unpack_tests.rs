use super::*;
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use std::io::Write as _;

/// One entry: its kind, its path, what it holds or points at
type Entry<'e> = (EntryType, &'e str, &'e str);

/// An archive with the paths as they are given: the crate's own builder refuses the wicked ones
fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    for (kind, path, text) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(*kind);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_mode(0o755);
        let is_file = *kind == EntryType::Regular;
        if !is_file {
            header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
        }
        header.set_size(if is_file { text.len() as u64 } else { 0 });
        header.set_cksum();
        gzip.write_all(header.as_bytes()).unwrap();
        if is_file {
            gzip.write_all(text.as_bytes()).unwrap();
            gzip.write_all(&vec![0; (512 - text.len() % 512) % 512]).unwrap();
        }
    }
    gzip.write_all(&[0; 1024]).unwrap();
    gzip.finish().unwrap()
}

fn unpack_bytes(bytes: &[u8], limits: Limits) -> (tempfile::TempDir, Result<(), UnpackError>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("archive"), bytes).unwrap();
    let result =
        unpack(&folder.path().join("archive"), &folder.path().join("out"), limits, &AtomicBool::new(false));
    (folder, result)
}

use EntryType::{Char, Directory, Fifo, Link, Regular, Symlink};

#[test]
fn files_folders_and_links_inside_are_unpacked() {
    let bytes = archive(&[
        (Directory, "./", ""),
        (Regular, "./bin/run.sh", "#!/bin/sh\n"),
        (Symlink, "latest", "bin"),
        (Symlink, "bin/up", "../bin/run.sh"),
        (Link, "hard", "bin/run.sh"),
    ]);
    let (folder, result) = unpack_bytes(&bytes, Limits::default());
    result.unwrap();
    for name in ["bin/run.sh", "latest/run.sh", "bin/up", "hard"] {
        assert_eq!(
            fs::read_to_string(folder.path().join("out").join(name)).unwrap(),
            "#!/bin/sh\n",
            "{name}"
        );
    }
}

#[test]
fn what_leaves_the_folder_is_refused_and_nothing_is_written_outside() {
    let wicked: &[&[Entry<'_>]] = &[
        &[(Regular, "../evil", "x")],
        &[(Regular, "a/../../evil", "x")],
        &[(Regular, "/tmp/weir-evil", "x")],
        &[(Symlink, "out", "/etc")],
        &[(Symlink, "a/out", "../../evil")],
        &[(Symlink, "out", "..")],
        // Each link alone looks as if it stayed inside.
        &[(Symlink, "here", "."), (Symlink, "out", "here/..")],
        &[(Link, "passwd", "/etc/passwd")],
        &[(Link, "passwd", "../../etc/passwd")],
    ];
    for entries in wicked {
        let (folder, result) = unpack_bytes(&archive(entries), Limits::default());
        assert!(matches!(result, Err(UnpackError::Escapes(_))), "{entries:?}: {result:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "{entries:?}");
    }
}

#[test]
fn devices_doubles_and_writes_through_links_are_refused() {
    for kind in [Char, Fifo, EntryType::Block, EntryType::GNUSparse] {
        let result = unpack_bytes(&archive(&[(kind, "x", "")]), Limits::default()).1;
        assert!(matches!(result, Err(UnpackError::Kind(_) | UnpackError::Broken(_))), "{kind:?}: {result:?}");
    }
    let doubles: &[&[Entry<'_>]] = &[
        &[(Regular, "a", "1"), (Regular, "a", "2")],
        &[(Symlink, "a", "b"), (Regular, "a/x", "2")],
        &[(Regular, "a", "1"), (Regular, "a/x", "2")],
        &[(Regular, "a/x", "1"), (Symlink, "a", "b")],
    ];
    for entries in doubles {
        let result = unpack_bytes(&archive(entries), Limits::default()).1;
        assert!(matches!(result, Err(UnpackError::Twice(_))), "{entries:?}: {result:?}");
    }
}

#[test]
fn bombs_are_stopped_by_count_by_size_and_by_header() {
    let few = Limits { entries: 2, ..Limits::default() };
    let many = archive(&[(Regular, "a", ""), (Regular, "b", ""), (Regular, "c", "")]);
    assert!(matches!(unpack_bytes(&many, few).1, Err(UnpackError::TooLarge(_))));

    let small = Limits { bytes: 64 * 1024, ..Limits::default() };
    let zeros = "0".repeat(1024 * 1024);
    assert!(matches!(
        unpack_bytes(&archive(&[(Regular, "a", &zeros)]), small).1,
        Err(UnpackError::TooLarge(_))
    ));

    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(8 * 1024 * 1024);
    header.set_cksum();
    gzip.write_all(header.as_bytes()).unwrap();
    gzip.write_all(&vec![b'a'; 8 * 1024 * 1024]).unwrap();
    let result = unpack_bytes(&gzip.finish().unwrap(), Limits::default()).1;
    assert!(matches!(result, Err(UnpackError::TooLarge(_))), "{result:?}");
}

#[test]
fn a_stop_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    fs::write(&path, archive(&[(Regular, "a", "x")])).unwrap();
    let result = unpack(&path, &folder.path().join("out"), Limits::default(), &AtomicBool::new(true));
    assert!(matches!(result, Err(UnpackError::Stopped)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn an_archive_cut_off_anywhere_is_refused(at in any::<prop::sample::Index>()) {
        let bytes = archive(&[(Regular, "a", "some text"), (Directory, "d", ""), (Regular, "d/b", "more")]);
        let cut = &bytes[..at.index(bytes.len())];
        let result = unpack_bytes(cut, Limits::default()).1;
        prop_assert!(matches!(result, Err(UnpackError::Broken(_))), "{result:?}");
    }
}
