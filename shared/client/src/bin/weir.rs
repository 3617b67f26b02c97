//! `weir`: the command line

use std::process::ExitCode;
use weir_client::cli::{self, host::Host};

#[tokio::main]
async fn main() -> ExitCode {
    let interrupted = async {
        // Where the signal cannot be listened for, it ends the process by itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    ExitCode::from(cli::run(std::env::args_os(), Host::of_process(), interrupted).await.code())
}
