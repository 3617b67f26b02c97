//! `cargo xtask <command>`

#![expect(clippy::print_stderr, reason = "this is a command for people")]

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use xtask::{Error, bench, check, generate, mutate, package, sim};

/// What is done to the workspace
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write what is made from code: template, OpenAPI, schemas
    Generate {
        /// Write nothing; fail where something is not current
        #[arg(long)]
        check: bool,
    },
    /// Build the three artefacts for release and zip them into target/package
    Package {
        /// The processor to build for; by default this machine's
        #[arg(long)]
        arch: Option<package::Arch>,
    },
    /// Run every check that CI runs
    Check,
    /// Measure what Weir holds itself to, and print it as JSON
    Bench(bench::Options),
    /// Run the engine in a simulated region where everything fails that can
    Sim(sim::Options),
    /// Remove each guard of the protocol in turn, and see that a test fails
    MutateGuards(mutate::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Generate { check: false } => generate::write(),
        Command::Generate { check: true } => generate::check(),
        Command::Package { arch } => package::package(arch),
        Command::Check => check::check(),
        Command::Bench(options) => bench::bench(options),
        Command::Sim(options) => sim::sim(&options),
        Command::MutateGuards(options) => mutate::mutate_guards(&options),
    }
}
