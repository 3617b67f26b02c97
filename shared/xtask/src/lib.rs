//! What is done to the workspace: generate, package, check, bench
//!
//! `cargo xtask generate` writes what is made from code and kept in the repository; the test
//! `tests/tests/generated.rs` fails where that is not current.

pub mod bench;
pub mod check;
pub mod generate;
pub mod mutate;
pub mod package;
pub mod sim;
pub mod template;
pub mod yaml;

use std::path::{Path, PathBuf};

/// The workspace's folder
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// What went wrong, said to the person who called
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written
    #[error("`{path}`: {source}")]
    File {
        /// Which
        path: PathBuf,
        /// Why
        source: std::io::Error,
    },
    /// A program could not be started
    #[error("`{program}` cannot be started: {source}")]
    Program {
        /// Which
        program: String,
        /// Why
        source: std::io::Error,
    },
    /// A program that has to succeed did not
    #[error("`{0}` failed")]
    Failed(String),
    /// Files that are made from code are not what the code makes now
    #[error("not current: {}; `cargo xtask generate` makes them so", .0.join(", "))]
    NotCurrent(Vec<String>),
    /// A zip could not be written
    #[error("the zip could not be written: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// Checks failed
    #[error("failed: {}", .0.join(", "))]
    Checks(Vec<String>),
}

impl Error {
    /// What goes wrong with the file at `path`
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
