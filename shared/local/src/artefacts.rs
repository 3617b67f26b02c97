//! The binaries that the stack is made of, built by cargo

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;

use crate::error::{Doing as _, LocalError, Result};

/// What Lambda runs: each binary holds many functions and picks one by `_HANDLER`
pub const FUNCTIONS: [&str; 3] = ["weir-api", "weir-tasks", "weir-reactors"];
/// What people and targets run
pub const PROGRAMS: [&str; 2] = ["weir", "weir-agent"];

/// Where each binary is, by name
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Binaries(BTreeMap<String, PathBuf>);

/// One line of cargo's messages, as far as it matters here
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Binaries {
    /// From names and paths, without building
    pub fn from_paths(paths: impl IntoIterator<Item = (String, PathBuf)>) -> Self {
        Self(paths.into_iter().collect())
    }

    /// The path of `name`
    pub fn path(&self, name: &str) -> Result<&Path> {
        self.0.get(name).map(PathBuf::as_path).ok_or_else(|| LocalError::NoBinary { name: name.to_owned() })
    }

    /// The names that there are
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn read(messages: &[u8]) -> Self {
        let lines = messages.split(|byte| *byte == b'\n');
        let messages = lines.filter_map(|line| serde_json::from_slice::<Message>(line).ok());
        let binaries =
            messages.filter(|message| message.reason == "compiler-artifact").filter_map(|message| {
                let target = message.target.filter(|target| target.kind.iter().any(|kind| kind == "bin"))?;
                Some((target.name, message.executable?))
            });
        Self(binaries.collect())
    }
}

/// Builds every binary of the workspace at `root`
///
/// The whole workspace, as `cargo test --workspace` does: another choice of packages would give shared
/// dependencies other features, and everything would be compiled twice. The compiler talks to the person
/// at the terminal itself, on stderr.
pub async fn build(cargo: &Path, root: &Path) -> Result<Binaries> {
    let mut command = Command::new(cargo);
    command.args(["build", "--workspace", "--bins", "--message-format=json-render-diagnostics"]);
    // A cargo above us describes *our* package in the environment; the build below must not see it.
    for (name, _) in std::env::vars().filter(|(name, _)| is_of_one_package(name)) {
        command.env_remove(name);
    }
    let command =
        command.current_dir(root).stdin(Stdio::null()).stderr(Stdio::inherit()).stdout(Stdio::piped());
    let child = command.kill_on_drop(true).spawn().at("starting", cargo)?;
    let output = child.wait_with_output().await.at("running", cargo)?;
    if !output.status.success() {
        return Err(LocalError::Build { status: output.status.to_string() });
    }
    Ok(Binaries::read(&output.stdout))
}

fn is_of_one_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_BIN_") || name.starts_with("CARGO_MANIFEST_")
}

/// A binary as the zip that Lambda takes: one executable called `bootstrap`
pub fn zip(binary: &Path) -> Result<Vec<u8>> {
    let bytes = stripped(binary).map_or_else(|| std::fs::read(binary).at("reading", binary), Ok)?;
    pack(&bytes).map_err(std::io::Error::other).at("packing", binary)
}

/// The binary without what only a debugger reads: an endpoint unpacks one copy for each function
///
/// None where this machine has no `strip`; the whole binary does as well.
fn stripped(binary: &Path) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().ok()?;
    let small = folder.path().join("bootstrap");
    let mut strip = std::process::Command::new("strip");
    strip.arg("-o").arg(&small).arg(binary).stdout(Stdio::null()).stderr(Stdio::null());
    strip.status().ok().filter(std::process::ExitStatus::success)?;
    std::fs::read(small).ok()
}

/// The zip of `bytes` as `bootstrap`, the same for the same bytes
pub fn pack(bytes: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(1))
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o755);
    zip.start_file("bootstrap", options)?;
    zip.write_all(bytes)?;
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_read_from_cargos_messages() {
        let messages = br#"{"reason":"compiler-artifact","target":{"name":"weir_domain","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"weir-api","kind":["bin"]},"executable":"/t/debug/weir-api"}
{"reason":"compiler-artifact","target":{"name":"build-script-build","kind":["custom-build"]},"executable":null}
not json
{"reason":"build-finished","success":true}"#;
        let binaries = Binaries::read(messages);
        assert_eq!(binaries.names().collect::<Vec<_>>(), ["weir-api"]);
        assert_eq!(binaries.path("weir-api").unwrap(), Path::new("/t/debug/weir-api"));
        assert_eq!(binaries.path("weir").unwrap_err().to_string(), "the build made no binary `weir`");
    }

    #[test]
    fn a_zip_is_an_executable_bootstrap_and_always_the_same() {
        let packed = pack(b"#!/bin/sh\n").unwrap();
        assert_eq!(packed, pack(b"#!/bin/sh\n").unwrap());
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(packed)).unwrap();
        let file = archive.by_name("bootstrap").unwrap();
        assert_eq!(file.unix_mode().map(|mode| mode & 0o777), Some(0o755));
    }

    #[tokio::test]
    async fn a_failed_build_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let refused = build(Path::new("false"), folder.path()).await.unwrap_err();
        assert!(matches!(refused, LocalError::Build { .. }), "{refused}");
    }
}
