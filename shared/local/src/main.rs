//! `weir-local`: the whole stack on one machine

use std::process::ExitCode;

use clap::Parser as _;
use weir_local::cli::{Cli, run};
use weir_local::progress::Progress;

#[tokio::main]
async fn main() -> ExitCode {
    let progress = Progress::stderr();
    match run(Cli::parse(), &progress).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            progress.say(&format!("{} {error}", console::style("error:").for_stderr().red().bold()));
            ExitCode::FAILURE
        }
    }
}
