//! `cargo xtask mutate-guards`: each guard of the protocol is removed in turn, and a test has to fail
//!
//! All guards are made removable in a copy of the sources, which is built once; a run is told which guard it has to do
//! without. A place that is not found exactly once is an error, so the list cannot fall behind the code.

#![expect(clippy::print_stdout, reason = "this is a command for people")]

mod guards;

use crate::{Error, root};
use clap::Args;
use guards::{Place, places};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A test that takes longer hangs
const PATIENCE: Duration = Duration::from_secs(400);

/// Where the copy's files ask whether a guard is there
const ASKED: &str = "shared/domain/src/lib.rs";

/// What they ask
const WITHOUT: &str = r#"
/// Whether the run has to do without `guard`
pub fn without(guard: &str) -> bool {
    static MISSING: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    MISSING.get_or_init(|| std::env::var("WEIR_WITHOUT").ok()).as_deref() == Some(guard)
}
"#;

/// The programs whose tests are run, by package: the quick ones first
const PROGRAMS: [&str; 7] =
    ["engine", "memory", "weir_domain", "weir_orchestration", "router", "weir_api", "schedules"];

/// Tests that are left out: those of size, which take ten times as long as all others of their program, and look at what
/// an answer holds and not at a guard
const LEFT_OUT: &str = "large_tests::";

/// What to remove
#[derive(Debug, Args)]
pub struct Options {
    /// Only the guards whose names contain this
    #[arg(default_value = "")]
    only: String,
}

/// Removes each guard in turn; fails where no test does
pub fn mutate_guards(options: &Options) -> Result<(), Error> {
    let copy = root().join("target/guards");
    copy_sources(&copy)?;
    let tests = build(&copy)?;
    println!("{:<64} caught by", "without");
    let (mut missed, mut caught) = (Vec::new(), BTreeMap::<&str, u32>::new());
    for guard in names().into_iter().filter(|guard| guard.contains(&options.only)) {
        let found = first_failure(&tests, Some(guard))?;
        println!("{guard:<64} {}", found.unwrap_or("nothing"));
        match found {
            Some(name) => *caught.entry(name).or_default() += 1,
            None => missed.push(guard.to_owned()),
        }
    }
    let by: Vec<_> = caught.iter().map(|(name, count)| format!("{count} by {name}")).collect();
    let total = caught.values().sum::<u32>();
    println!("{total} guards are missed when they are gone ({}); {} are not", by.join(", "), missed.len());
    if missed.is_empty() { Ok(()) } else { Err(Error::Checks(missed)) }
}

/// The guards, as the places name them
fn names() -> BTreeSet<&'static str> {
    named().collect()
}

/// Each name of a guard, as often as the places say it
fn named() -> impl Iterator<Item = &'static str> {
    let named = places().flat_map(|place| place.with.split("without(\"").skip(1));
    named.filter_map(|rest| rest.split('"').next())
}

/// Copies what git knows of, with every guard made removable; a file that has not changed stays as it is, so that it is
/// not built again
fn copy_sources(copy: &Path) -> Result<(), Error> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let listed = listed.map_err(|source| Error::Program { program: "git".to_owned(), source })?;
    for name in String::from_utf8_lossy(&listed.stdout).split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root().join(name), copy.join(name));
        let Ok(bytes) = fs::read(&from) else { continue };
        let bytes = made_removable(name, bytes)?;
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(Error::file(folder))?;
        }
        fs::write(&to, bytes).map_err(Error::file(&to))?;
    }
    Ok(())
}

/// The file `name` as the copy has it
fn made_removable(name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    if name == "Cargo.toml" {
        // Another version, so that cargo takes the copy's packages for others than these, which it keeps in one folder
        // with them. What is not of this workspace is the same for both, and built once.
        let text = String::from_utf8_lossy(&bytes).replacen("\nversion = \"", "\nversion = \"1000", 1);
        return Ok(text.into_bytes());
    }
    let mut here = places().filter(|place| place.file == name).peekable();
    if here.peek().is_none() && name != ASKED {
        return Ok(bytes);
    }
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    for place in here {
        text = removable(&text, place)?;
    }
    if name == ASKED {
        text.push_str(WITHOUT);
    }
    Ok(text.into_bytes())
}

fn removable(text: &str, place: &Place) -> Result<String, Error> {
    let found = text.matches(place.find).count();
    if found != 1 {
        return Err(Error::Failed(format!(
            "`{}` is {found} times in {}, and not once",
            place.find, place.file
        )));
    }
    let own = if place.file.starts_with("shared/domain/") { "crate" } else { "weir_domain" };
    let with = place.with.replace("without(\"", &format!("{own}::without(\""));
    Ok(text.replace(place.find, &with))
}

/// Builds the copy's tests: their names and programs
fn build(copy: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let packages = ["weir-domain", "weir-store", "weir-orchestration", "weir-edge", "weir-api", "weir-tests"];
    let tests = PROGRAMS.iter().filter(|name| !name.starts_with("weir_")).flat_map(|name| ["--test", name]);
    let mut command = Command::new("cargo");
    command
        .args(["test", "--no-run", "--message-format=json"])
        .args(packages.iter().flat_map(|package| ["-p", package]))
        .arg("--lib")
        .args(tests)
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
    let mut tests: Vec<_> = programs.filter(|(name, _)| PROGRAMS.contains(&name.as_str())).collect();
    tests.sort_by_key(|(name, _)| PROGRAMS.iter().position(|program| program == name));
    match first_failure(&tests, None)? {
        None => Ok(tests),
        Some(name) => Err(Error::Failed(format!("`{name}` with every guard in its place"))),
    }
}

/// The first of `tests` that does not pass
fn first_failure<'a>(
    tests: &'a [(String, PathBuf)],
    without: Option<&str>,
) -> Result<Option<&'a str>, Error> {
    for (name, test) in tests {
        if !passes(test, without)? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Whether `test` ends well; one that does not end at all has found something, too, but not one that cannot begin
fn passes(test: &Path, without: Option<&str>) -> Result<bool, Error> {
    let mut command = Command::new(test);
    command.args(["-q", "--skip", LEFT_OUT]).stdout(Stdio::null()).stderr(Stdio::null());
    // A case that fails without a guard is no case to keep.
    command.env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true");
    if let Some(guard) = without {
        command.env("WEIR_WITHOUT", guard);
    }
    let failed = |source| Error::Program { program: test.display().to_string(), source };
    let mut running = command.spawn().map_err(failed)?;
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        match running.try_wait().map_err(failed)? {
            Some(status) => return Ok(status.success()),
            None => thread::sleep(Duration::from_millis(100)),
        }
    }
    let _ended = running.kill().and_then(|()| running.wait());
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_guard_has_a_name_of_its_own() {
        let mut seen = BTreeSet::new();
        let twice: Vec<_> = named().filter(|name| !seen.insert(*name)).collect();
        assert!(twice.is_empty(), "none of them would be missing alone: {twice:?}");
    }

    #[test]
    fn every_place_is_where_the_list_says() {
        let wrong = places().filter_map(|place| {
            let text = fs::read_to_string(root().join(place.file)).unwrap();
            removable(&text, place).err().map(|error| error.to_string())
        });
        assert_eq!(wrong.collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn a_test_that_cannot_be_run_has_caught_nothing() {
        assert!(passes(Path::new("/there/is/no/such/program"), None).is_err());
    }
}
