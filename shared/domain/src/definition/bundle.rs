//! The files of a definition, as they are uploaded, hashed and kept

use super::{
    codes::Code,
    diagnostic::{Diagnostic, Place},
};
use crate::canonical::{Digest, NotCanonical, to_vec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The file that a definition begins with
pub const ROOT: &str = "weir.yaml";
/// Largest file, in bytes
pub const MAX_FILE: usize = 16 << 20;
/// Largest definition, in bytes
pub const MAX_BUNDLE: usize = 64 << 20;

/// The files of a definition: path from its folder → text
///
/// Its canonical JSON is what is uploaded, and that text's digest is the definition's revision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The files
    pub files: BTreeMap<String, String>,
}

impl Bundle {
    /// The bytes that are uploaded
    pub fn to_vec(&self) -> Result<Vec<u8>, NotCanonical> {
        to_vec(self)
    }

    /// The definition's revision
    pub fn digest(&self) -> Result<Digest, NotCanonical> {
        Ok(Digest::of_bytes(&self.to_vec()?))
    }

    /// What is wrong with the files before any is read: paths and sizes
    pub fn check(&self) -> Vec<Diagnostic> {
        let at = |path: &str| Place { file: path.into(), line: 1, column: 1, length: 1 };
        let mut found = Vec::new();
        for (path, text) in &self.files {
            if !is_safe(path) {
                found.push(Diagnostic::error(
                    Code::PathUnsafe,
                    at(path),
                    format!("`{}` leaves the definition's folder", clip(path)),
                ));
            }
            if text.len() > MAX_FILE {
                found.push(Diagnostic::error(
                    Code::TooLarge,
                    at(path),
                    format!("the file has {} bytes; at most {MAX_FILE} are read", text.len()),
                ));
            }
        }
        let total: usize = self.files.values().map(String::len).sum();
        if total > MAX_BUNDLE {
            found.push(Diagnostic::error(
                Code::TooLarge,
                at(ROOT),
                format!("the definition has {total} bytes; at most {MAX_BUNDLE} are read"),
            ));
        }
        found
    }
}

/// Whether `path` stays in the folder that it is relative to
pub fn is_safe(path: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':']);
    path.len() <= 1024 && path.split('/').all(part) && !path.contains(char::is_control)
}

/// Whether `path` matches `pattern`: `*` stands for any part of a name, `**` for any number of folders
///
/// Segment by segment, without backtracking over more than the path's parts: a pattern cannot be made slow.
pub fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    // reach[j]: the patterns so far match the first j parts.
    let mut reach = vec![false; path.len() + 1];
    if let Some(first) = reach.first_mut() {
        *first = true;
    }
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        let mut before = false;
        for (j, slot) in next.iter_mut().enumerate() {
            let here = reach.get(j).copied().unwrap_or(false);
            let shorter = j.checked_sub(1).and_then(|i| Some((reach.get(i).copied()?, path.get(i)?)));
            *slot = if part == "**" {
                here || before
            } else {
                shorter.is_some_and(|(reached, name)| reached && name_matches(part, name))
            };
            before = *slot;
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

/// One part of a path against one part of a pattern
fn name_matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = left.get(at + part.len()..).unwrap_or_default();
    }
    left.ends_with(last)
}

fn clip(text: &str) -> String {
    text.chars().take(80).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_files() {
        for (pattern, path, is) in [
            ("a.yaml", "a.yaml", true),
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a/b.yaml", false),
            ("**/*.yaml", "a/b/c.yaml", true),
            ("**/*.yaml", "c.yaml", true),
            ("a/**", "a/b/c", true),
            ("a-*-b*.yaml", "a-x-by.yaml", true),
            ("a*a", "a", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, path), is, "{pattern} {path}");
        }
    }

    #[test]
    fn what_leaves_the_folder_is_refused() {
        for path in ["/etc/passwd", "../a", "a/../b", "a//b", "", "a\\b", "C:/a", "a\nb", "./a"] {
            assert!(!is_safe(path), "{path:?}");
        }
        assert!(is_safe("services/checkout.yaml"));
    }

    #[test]
    fn the_digest_is_of_paths_and_texts() {
        let bundle = |files: &[(&str, &str)]| Bundle {
            files: files.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect(),
        };
        let digest = bundle(&[("a", "1"), ("b", "2")]).digest().unwrap();
        assert_eq!(digest, bundle(&[("b", "2"), ("a", "1")]).digest().unwrap());
        assert_ne!(digest, bundle(&[("a", "12"), ("b", "")]).digest().unwrap());
    }
}
