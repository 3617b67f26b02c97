//! The three artefacts as Lambda takes them: one zip each, with the binary in it as `bootstrap`

#![expect(clippy::print_stderr, reason = "this is a command for people; what a bench prints is for programs")]

use crate::{Error, root};
use std::{
    env::consts,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};
use weir_edge::function::Artefact;
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// A processor that Lambda has
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Arch {
    /// 64-bit ARM
    Arm64,
    /// 64-bit x86
    #[value(name = "x86_64")]
    X86,
}

impl Arch {
    /// The target to build for, if it is not this machine's own. Amazon Linux 2023 has glibc 2.34: a binary that was
    /// built against a newer one does not start, so `cargo zigbuild` is told the version
    fn cross(self) -> Option<&'static str> {
        match self {
            Self::Arm64 if consts::ARCH == "aarch64" => None,
            Self::X86 if consts::ARCH == "x86_64" => None,
            Self::Arm64 => Some("aarch64-unknown-linux-gnu"),
            Self::X86 => Some("x86_64-unknown-linux-gnu"),
        }
    }
}

/// Builds and zips all artefacts
pub fn package(arch: Option<Arch>) -> Result<(), Error> {
    let built = build(arch.and_then(Arch::cross))?;
    let folder = root().join("target/package");
    fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    for artefact in Artefact::ALL {
        let target = folder.join(artefact.name()).with_extension("zip");
        let sizes = zip(&built.join(artefact.binary()), &target)?;
        eprintln!(
            "{:<10} {:>5.1} MB, zipped {:>4.1} MB",
            artefact.name(),
            megabytes(sizes.0),
            megabytes(sizes.1)
        );
    }
    Ok(())
}

/// Builds all artefacts, and says where they are
fn build(cross: Option<&str>) -> Result<PathBuf, Error> {
    let mut command = Command::new("cargo");
    command.current_dir(root()).arg(if cross.is_some() { "zigbuild" } else { "build" }).arg("--release");
    for artefact in Artefact::ALL {
        command.args(["--bin", artefact.binary()]);
    }
    let mut built = root().join("target");
    if let Some(target) = cross {
        command.args(["--target", &format!("{target}.2.34")]);
        built.push(target);
    }
    let name = if cross.is_some() { "cargo zigbuild" } else { "cargo build" };
    let status = command.status().map_err(|source| Error::Program { program: name.to_owned(), source })?;
    if !status.success() {
        let hint = if cross.is_some() {
            "; `cargo install cargo-zigbuild` and a `zig` are needed to build for another processor"
        } else {
            ""
        };
        return Err(Error::Failed(format!("{name}{hint}")));
    }
    Ok(built.join("release"))
}

/// Zips `binary`, the same bytes for the same binary; says how large it is, and the zip
pub fn zip(binary: &Path, target: &Path) -> Result<(u64, u64), Error> {
    let bytes = fs::read(binary).map_err(Error::file(binary))?;
    let file = fs::File::create(target).map_err(Error::file(target))?;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(file);
    zip.start_file("bootstrap", options)?;
    zip.write_all(&bytes).map_err(Error::file(target))?;
    let file = zip.finish()?;
    let zipped = file.metadata().map_err(Error::file(target))?.len();
    Ok((bytes.len() as u64, zipped))
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn a_zip_holds_an_executable_bootstrap_and_is_reproducible() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("weir-api");
        fs::write(&binary, b"a program").unwrap();
        let (one, two) = (folder.path().join("1.zip"), folder.path().join("2.zip"));
        zip(&binary, &one).unwrap();
        zip(&binary, &two).unwrap();
        assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());

        let mut archive = zip::ZipArchive::new(fs::File::open(&one).unwrap()).unwrap();
        let mut entry = archive.by_name("bootstrap").unwrap();
        assert_eq!(entry.unix_mode().unwrap() & 0o777, 0o755);
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a program");
    }
}
