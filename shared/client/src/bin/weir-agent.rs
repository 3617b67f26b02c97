//! `weir-agent`: serves one target of Weir on the machine that it runs on

use clap::Parser as _;
use std::process::ExitCode;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing_subscriber::EnvFilter;
use weir_client::agent::{self, options::Options};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let filter = EnvFilter::try_new(&options.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if options.log_json {
        logs.json().init();
    } else {
        logs.with_ansi(false).init();
    }
    let (tell, stop) = watch::channel(false);
    tokio::select! {
        // Signals are listened for before anything begins that has to be ended in order.
        biased;
        // A second signal does not wait for the task under way: its lease brings it back.
        () = until_told_twice(tell) => ExitCode::FAILURE,
        ended = agent::run(options, stop) => match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!("{error}");
                ExitCode::FAILURE
            }
        },
    }
}

/// Tells of the first SIGTERM or SIGINT, and ends with the second
async fn until_told_twice(tell: watch::Sender<bool>) {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    for _ in 0..2 {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        tell.send_replace(true);
    }
}
