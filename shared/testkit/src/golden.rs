//! Golden files: `UPDATE_GOLDEN=1 cargo test` rewrites them, and git shows the change

use std::{env, fs, path::Path};

/// Compares `actual` with the file at `path`; give it as `concat!(env!("CARGO_MANIFEST_DIR"), "/golden/….txt")`
///
/// # Panics
/// Where they differ, and where the file cannot be written.
#[track_caller]
#[expect(clippy::panic, reason = "this is an assertion")]
pub fn check(path: impl AsRef<Path>, actual: &str) {
    let path = path.as_ref();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, actual));
        if let Err(error) = written {
            panic!("`{}` cannot be written: {error}", path.display());
        }
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(
        actual == expected,
        "`{}` differs; if that is meant: UPDATE_GOLDEN=1 cargo test\n{actual}",
        path.display()
    );
}
