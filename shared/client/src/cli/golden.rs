//! Golden files: `UPDATE_GOLDEN=1 cargo test` rewrites them, and git shows the change

use std::{env, fs, path::Path};

/// Compares `actual` with `golden/<name>` of this crate
pub fn check(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "{} differs; if that is meant: UPDATE_GOLDEN=1 cargo test\n{actual}",
        path.display()
    );
}
