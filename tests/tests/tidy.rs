//! What a reviewer would otherwise have to look for

#![cfg(test)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// No source file has more lines
const LINES_MAX: usize = 400;

/// Kinds of files that people write
const WRITTEN: [&str; 8] = ["rs", "toml", "json", "yaml", "yml", "md", "sh", "html"];

/// Folders that hold what machines made, or what is not the repository's
const SKIPPED: [&str; 3] = ["target", ".git", "var"];

/// Every file that people write, and its text
fn files() -> Vec<(PathBuf, String)> {
    let root = xtask::root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_symlink() || SKIPPED.contains(&name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().and_then(|e| e.to_str()).is_some_and(|e| WRITTEN.contains(&e))
                || name == "run"
            {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// The lines, of all files, that `wrong` says are wrong
fn lines(wrong: impl Fn(&Path, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files() {
        let numbered = text.lines().enumerate().filter(|(_, line)| wrong(&path, line));
        found.extend(
            numbered.map(|(number, line)| format!("{}:{}: {}", path.display(), number + 1, line.trim())),
        );
    }
    found
}

#[test]
fn no_source_file_is_long() {
    let long: Vec<_> = files()
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .collect();
    assert!(long.is_empty(), "more than {LINES_MAX} lines: {long:#?}");
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let personal = ["/ro", "/ho", "/wo", "/Use"]
        .into_iter()
        .zip(["ot/", "me/", "rk/", "rs/"])
        .map(|(a, b)| format!("{a}{b}"));
    let personal: Vec<_> = personal.collect();
    // Part of a longer path, as in a URL or below a placeholder, it is somebody else's.
    let names = |line: &str, folder: &str| {
        line.match_indices(folder)
            .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "}>.)-_".contains(c)))
    };
    let found = lines(|_, line| personal.iter().any(|folder| names(line, folder)));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn nothing_is_left_for_later() {
    // The engine's `todo` set has constants whose names begin like this.
    let later = |line: &str, word: &str| {
        line.match_indices(word).any(|(at, _)| !line[at + word.len()..].starts_with('_'))
    };
    let words = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|parts| parts.concat());
    let found = lines(|_, line| words.iter().any(|word| later(line, word)));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn text_ends_its_last_line_and_no_line_ends_in_blanks() {
    let unended: Vec<_> = files()
        .into_iter()
        .filter(|(_, text)| !text.is_empty() && !text.ends_with('\n'))
        .map(|(path, _)| path)
        .collect();
    assert!(unended.is_empty(), "{unended:#?}");
    let blanks =
        lines(|path, line| path.extension().is_none_or(|e| e != "md") && line.ends_with([' ', '\t']));
    assert!(blanks.is_empty(), "{blanks:#?}");
}
