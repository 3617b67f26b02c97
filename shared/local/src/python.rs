//! The Python environment that the emulator runs in
//!
//! Made once from the lock in `infra/local/requirements.txt`, every file of it checked against its
//! digest. A stamp beside it says what it was made from; without a matching stamp it is made anew, so an
//! installation that was cut short is never used.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::error::{Doing as _, LocalError, Result};
use crate::state::wait_lock;

/// The oldest Python that the emulator runs on
const OLDEST: (u32, u32) = (3, 10);

/// Names under which a Python may be installed, the most common first
const NAMES: [&str; 6] = ["python3", "python3.13", "python3.12", "python3.11", "python3.10", "python"];

/// What tells a Python's version and whether it can make environments
const PROBE: &str = "import sys, venv, ensurepip; print(sys.version_info[0], sys.version_info[1], sys.version.split()[0], sys.executable)";

/// A Python that can be used
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// Its executable
    pub program: PathBuf,
    /// Its full version
    pub version: String,
}

/// Finds a Python on `path` (as `PATH` is written)
pub async fn find(path: &OsStr) -> Result<Python> {
    let mut found = "no `python3` was found".to_owned();
    for name in NAMES {
        match probe(name, path).await {
            Ok(python) => return Ok(python),
            Err(Some(why)) => found = why,
            Err(None) => {}
        }
    }
    Err(LocalError::NoPython { found, install: how_to_install() })
}

/// The Python called `name`, or why it is of no use, or nothing if there is none
async fn probe(name: &str, path: &OsStr) -> std::result::Result<Python, Option<String>> {
    let program = std::env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or(None)?;
    let output = Command::new(&program).args(["-I", "-c", PROBE]).stdin(Stdio::null()).output().await;
    let output = output.map_err(|cause| Some(format!("`{name}` does not run: {cause}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.trim().lines().last().unwrap_or_default();
        return Err(Some(format!("`{name}` is here but can not make environments: {last}")));
    }
    read_probe(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| Some(format!("`{name}` did not say which version it is")))
        .and_then(|((major, minor), python)| {
            let new_enough = (major, minor) >= OLDEST;
            if new_enough { Ok(python) } else { Err(Some(format!("`{name}` is {}", python.version))) }
        })
}

fn read_probe(line: &str) -> Option<((u32, u32), Python)> {
    let mut words = line.trim().splitn(4, ' ');
    let (major, minor) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (version, program) = (words.next()?.to_owned(), PathBuf::from(words.next()?));
    Some(((major, minor), Python { program, version }))
}

fn how_to_install() -> &'static str {
    if cfg!(target_os = "macos") {
        "install it with `brew install python3`"
    } else {
        "install it with `apt install python3 python3-venv` (Debian, Ubuntu), `dnf install python3` (Fedora) or `apk add python3` (Alpine)"
    }
}

/// Makes sure that `venv` holds what `requirements` locks, and returns its Python
///
/// Safe beside another process doing the same: the second waits for the first, and finds it done.
pub async fn ensure(venv: &Path, requirements: &Path, path: &OsStr) -> Result<PathBuf> {
    let python = find(path).await?;
    let lock_file = venv.with_extension("lock");
    if let Some(parent) = venv.parent() {
        std::fs::create_dir_all(parent).at("making", parent)?;
    }
    let waited = tokio::task::spawn_blocking(move || wait_lock(&lock_file)).await;
    let _lock =
        waited.map_err(std::io::Error::other).doing(|| "waiting for the Python environment".to_owned())??;
    let wanted = stamp(&std::fs::read(requirements).at("reading", requirements)?, &python);
    let (program, stamp_file) = (venv.join("bin/python"), venv.join("weir-stamp"));
    let has = std::fs::read_to_string(&stamp_file).unwrap_or_default();
    if has == wanted && program.exists() {
        return Ok(program);
    }
    if venv.exists() {
        std::fs::remove_dir_all(venv).at("removing", venv)?;
    }
    install(venv, requirements, &python).await?;
    std::fs::write(&stamp_file, wanted).at("writing", &stamp_file)?;
    Ok(program)
}

/// What an environment was made from: another lock or another Python makes another
fn stamp(requirements: &[u8], python: &Python) -> String {
    format!("{} {} {}\n", hex::encode(Sha256::digest(requirements)), python.version, python.program.display())
}

async fn install(venv: &Path, requirements: &Path, python: &Python) -> Result<()> {
    let mut make = Command::new(&python.program);
    make.args(["-I", "-m", "venv"]).arg(venv);
    run(make, venv).await?;
    let mut pip = Command::new(venv.join("bin/python"));
    // Only wheels: a source distribution would run its own code and need a compiler.
    pip.args(["-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]);
    pip.args(["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r"]).arg(requirements);
    run(pip, venv).await
}

async fn run(mut command: Command, venv: &Path) -> Result<()> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.at("making", venv)?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(LocalError::Install {
        venv: venv.to_owned(),
        output: last_lines(&String::from_utf8_lossy(&said), 15),
    })
}

/// The last `count` lines of `text`, indented
fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let from = lines.len().saturating_sub(count);
    lines.iter().skip(from).map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn fake(folder: &Path, name: &str, script: &str) {
        let file = folder.join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[tokio::test]
    async fn without_python_it_says_what_to_install() {
        let empty = tempfile::tempdir().unwrap();
        let refused = find(empty.path().as_os_str()).await.unwrap_err().to_string();
        assert!(refused.contains("no `python3` was found"), "{refused}");
        assert!(refused.contains("install"), "{refused}");
    }

    #[tokio::test]
    async fn an_old_python_is_passed_over_for_a_newer_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().as_os_str();
        fake(folder.path(), "python3", "echo 3 9 3.9.1 /old/python3");
        let refused = find(path).await.unwrap_err().to_string();
        assert!(refused.contains("`python3` is 3.9.1"), "{refused}");
        fake(folder.path(), "python3.12", "echo 3 12 3.12.4 /new/python3.12");
        let found = find(path).await.unwrap();
        assert_eq!(found, Python { program: "/new/python3.12".into(), version: "3.12.4".into() });
    }

    #[tokio::test]
    async fn a_python_without_venv_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fake(
            folder.path(),
            "python3",
            "echo \"ModuleNotFoundError: No module named 'ensurepip'\" >&2; exit 1",
        );
        let refused = find(folder.path().as_os_str()).await.unwrap_err().to_string();
        assert!(refused.contains("can not make environments: ModuleNotFoundError"), "{refused}");
    }

    #[test]
    fn another_lock_or_another_python_is_another_stamp() {
        let python = |version: &str| Python { program: "/p".into(), version: version.into() };
        let one = stamp(b"a==1", &python("3.11.1"));
        assert_eq!(one, stamp(b"a==1", &python("3.11.1")));
        assert_ne!(one, stamp(b"a==2", &python("3.11.1")));
        assert_ne!(one, stamp(b"a==1", &python("3.11.2")));
    }
}
