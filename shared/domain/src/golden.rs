//! Golden files: `UPDATE_GOLDEN=1 cargo test` rewrites them, and git shows the change

use std::{env, fs, path::Path};

/// Compares `actual` with `golden/<name>` of this crate
pub fn check(name: &str, actual: &str) {
    check_at(&Path::new("golden").join(name), actual);
}

/// Compares `actual` with the file at `path`, seen from this crate's folder
pub fn check_at(path: &Path, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
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

/// Compares a whole state machine with `golden/<name>`: one line for every status and command
pub fn matrix<S, C>(name: &str, after: impl Fn(S, C) -> Option<S>)
where
    S: strum::VariantArray + Copy + Into<&'static str>,
    C: strum::VariantArray + Copy + Into<&'static str>,
{
    let line = |status: &S, command: &C| {
        let (from, by): (&str, &str) = ((*status).into(), (*command).into());
        format!("{from:<20} {by:<20} {}\n", after(*status, *command).map_or("-", Into::into))
    };
    let of = |status| C::VARIANTS.iter().map(move |command| line(status, command));
    check(name, &S::VARIANTS.iter().flat_map(of).collect::<String>());
}
