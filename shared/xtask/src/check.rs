//! Every check that CI runs, in one list

#![expect(clippy::print_stdout, reason = "this is a command for people")]

use crate::{Error, root};
use std::{process::Command, time::Instant};

/// One check: what it is called, and the command that has to succeed
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// What it is called in the summary
    pub name: &'static str,
    /// The program and its arguments; a program of `target/tools` by its path
    pub command: &'static [&'static str],
}

/// The checks, the cheapest first. `.ci/run` installs what is in `target/tools`
pub const CHECKS: &[Check] = &[
    Check { name: "format", command: &["cargo", "fmt", "--all", "--check"] },
    Check {
        name: "dependencies: licences, bans, sources",
        // Advisories need their database from the network, and change without a change here.
        command: &[
            "target/tools/bin/cargo-deny",
            "--offline",
            "--config",
            ".cargo/deny.toml",
            "check",
            "licenses",
            "bans",
            "sources",
        ],
    },
    Check { name: "dependencies: unused", command: &["target/tools/bin/cargo-machete", "--skip-target-dir"] },
    Check {
        name: "lints",
        command: &["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
    },
    Check {
        name: "documentation",
        command: &[
            "cargo",
            "doc",
            "--workspace",
            "--no-deps",
            "--locked",
            "--document-private-items",
            "--config",
            "build.rustdocflags=['-D', 'warnings']",
        ],
    },
    Check { name: "tests", command: &["cargo", "test", "--workspace", "--locked"] },
    Check { name: "template: cfn-lint", command: &["target/tools/lint/bin/cfn-lint", "infra/template.yaml"] },
    Check {
        name: "template: sam validate",
        command: &[
            "target/tools/lint/bin/sam",
            "validate",
            "--lint",
            "--template",
            "infra/template.yaml",
            "--region",
            "eu-central-1",
        ],
    },
];

/// Runs all of them, and fails in the end where one failed
pub fn check() -> Result<(), Error> {
    let mut summary = String::new();
    let mut failed = Vec::new();
    for check in CHECKS {
        println!("\n== {}: {}", check.name, check.command.join(" "));
        let began = Instant::now();
        let passed = passes(check)?;
        let verdict = if passed { "ok" } else { "FAILED" };
        summary += &format!("{verdict:<7} {:>5} s  {}\n", began.elapsed().as_secs(), check.name);
        if !passed {
            failed.push(check.name.to_owned());
        }
    }
    println!("\n{summary}");
    if failed.is_empty() { Ok(()) } else { Err(Error::Checks(failed)) }
}

fn passes(check: &Check) -> Result<bool, Error> {
    let Some((program, arguments)) = check.command.split_first() else { return Ok(true) };
    let path = if program.contains('/') { root().join(program) } else { program.into() };
    let status = Command::new(&path)
        .args(arguments)
        .current_dir(root())
        .env("SAM_CLI_TELEMETRY", "0")
        .status()
        .map_err(|source| Error::Program { program: (*program).to_owned(), source })?;
    Ok(status.success())
}
