//! `cargo xtask mutate-guards`: each guard of the protocol is removed in turn, and a test has to fail
//!
//! All guards are made removable in a copy of the sources, which is built once; a run is told which guard it has to do
//! without. A place that is not found exactly once is an error, so the list cannot fall behind the code.

#![expect(clippy::print_stdout, reason = "this is a command for people")]

mod guards;

use crate::{Error, root};
use guards::{PLACES, Place};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A test that takes longer hangs
const PATIENCE: Duration = Duration::from_secs(900);

/// What the copy asks whether a guard is there
const WITHOUT: &str = r#"
/// Whether the run has to do without `guard`
pub fn without(guard: &str) -> bool {
    static MISSING: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    MISSING.get_or_init(|| std::env::var("WEIR_WITHOUT").ok()).as_deref() == Some(guard)
}
"#;

/// Removes each guard in turn; fails where no test does
pub fn mutate_guards() -> Result<(), Error> {
    let copy = root().join("target/guards");
    copy_sources(&copy)?;
    for place in PLACES {
        make_removable(&copy, place)?;
    }
    let domain = copy.join("shared/domain/src/lib.rs");
    let text = fs::read_to_string(&domain).map_err(Error::file(&domain))?;
    fs::write(&domain, text + WITHOUT).map_err(Error::file(&domain))?;
    let tests = build(&copy)?;
    println!("{:<44} caught by", "without");
    let mut missed = Vec::new();
    for guard in names() {
        let caught = tests.iter().filter(|(_, test)| !passes(test, Some(guard)));
        let caught: Vec<_> = caught.map(|(name, _)| name.as_str()).collect();
        println!("{guard:<44} {}", if caught.is_empty() { "nothing".to_owned() } else { caught.join(", ") });
        if caught.is_empty() {
            missed.push(guard.to_owned());
        }
    }
    if missed.is_empty() { Ok(()) } else { Err(Error::Checks(missed)) }
}

/// The guards, as the places name them
fn names() -> BTreeSet<&'static str> {
    let named = PLACES.iter().flat_map(|place| place.with.split("without(\"").skip(1));
    named.filter_map(|rest| rest.split('"').next()).collect()
}

/// Copies what git knows of; a file that has not changed stays as it is, so that it is not built again
fn copy_sources(copy: &Path) -> Result<(), Error> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let listed = listed.map_err(|source| Error::Program { program: "git".to_owned(), source })?;
    for name in String::from_utf8_lossy(&listed.stdout).split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root().join(name), copy.join(name));
        let Ok(bytes) = fs::read(&from) else { continue };
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(Error::file(folder))?;
        }
        fs::write(&to, bytes).map_err(Error::file(&to))?;
    }
    Ok(())
}

fn make_removable(copy: &Path, place: &Place) -> Result<(), Error> {
    let path = copy.join(place.file);
    let text = fs::read_to_string(&path).map_err(Error::file(&path))?;
    let found = text.matches(place.find).count();
    if found != 1 {
        return Err(Error::Failed(format!(
            "`{}` is {found} times in {}, and not once",
            place.find, place.file
        )));
    }
    let own = if place.file.starts_with("shared/domain/") { "crate" } else { "weir_domain" };
    let with = place.with.replace("without(\"", &format!("{own}::without(\""));
    fs::write(&path, text.replace(place.find, &with)).map_err(Error::file(&path))
}

/// Builds the copy's tests: their names and programs
fn build(copy: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let arguments =
        ["test", "--no-run", "--message-format=json", "-p", "weir-domain", "-p", "weir-orchestration"];
    let more = ["-p", "weir-tests", "--lib", "--test", "schedules"];
    let mut command = Command::new("cargo");
    command
        .args(arguments)
        .args(more)
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", target)
        .stderr(Stdio::inherit());
    let built = command.output().map_err(|source| Error::Program { program: "cargo".to_owned(), source })?;
    if !built.status.success() {
        return Err(Error::Failed("building the copy".to_owned()));
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let programs = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let name = message.pointer("/target/name")?.as_str()?.to_owned();
        Some((name, PathBuf::from(message.get("executable")?.as_str()?)))
    });
    let tests: Vec<_> = programs.filter(|(name, _)| name == "weir_domain" || name == "schedules").collect();
    match tests.iter().find(|(_, test)| !passes(test, None)) {
        None => Ok(tests),
        Some((name, _)) => Err(Error::Failed(format!("`{name}` with every guard in its place"))),
    }
}

/// Whether `test` ends well; one that does not end at all has found something, too
fn passes(test: &Path, without: Option<&str>) -> bool {
    let mut command = Command::new(test);
    command.arg("-q").stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(guard) = without {
        command.env("WEIR_WITHOUT", guard);
    }
    let Ok(mut running) = command.spawn() else { return false };
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        match running.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => thread::sleep(Duration::from_millis(100)),
            Err(_) => break,
        }
    }
    let _ended = running.kill().and_then(|()| running.wait());
    false
}
