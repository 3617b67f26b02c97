//! The command line of `weir-local`

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};
use weir_client::clock;

use crate::chaos::ChaosOptions;
use crate::error::{Doing as _, LocalError, Result};
use crate::progress::Progress;
use crate::stack::{Stack, StackOptions};
use crate::state::StateDir;
use crate::{chaos, emulator, inspect, story};

/// The whole stack on one machine: no cloud account, no Docker
#[derive(Debug, Parser)]
#[command(name = "weir-local", version)]
pub struct Cli {
    /// Where everything of this stack is kept [default: target/local in the checkout]
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the stack and keep it up until Ctrl-C
    Up(Start),
    /// Start the stack, play the example through, and stop
    Demo {
        #[command(flatten)]
        start: Start,
        /// Keep the stack up afterwards
        #[arg(long)]
        stay: bool,
    },
    /// Kill functions, agents and weir-local itself while promotions run, and look whether anything is lost
    Chaos {
        /// Decides what is killed, and when [default: a random one, which is printed]
        #[arg(long)]
        seed: Option<u64>,
        /// How many releases, each with one to three kills
        #[arg(long, default_value_t = 50)]
        rounds: u32,
    },
    /// Stop the stack, and an emulator that outlived it
    Down,
    /// Say what is running (exit code 1 if nothing is)
    Status {
        /// As one JSON value
        #[arg(long)]
        json: bool,
    },
    /// Show what a function wrote, or which logs there are
    Logs {
        /// A function, or `emulator`
        function: Option<String>,
        /// Go on as more is written
        #[arg(short, long)]
        follow: bool,
    },
}

#[derive(Debug, Args)]
struct Start {
    /// Use this endpoint (LocalStack or another that speaks the AWS API) instead of the embedded emulator
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The port of the HTTP API [default: that of the last time, or any free one]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    port: u16,
}

/// What a person or the system sends to stop us
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).doing(|| "listening for signals".to_owned());
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Runs a command; the exit code, or what went wrong
pub async fn run(cli: Cli, progress: &Progress) -> Result<u8> {
    let mut options = StackOptions::new(&checkout());
    if let Some(dir) = cli.dir {
        options.dir = dir;
    }
    let state = || StateDir::open(&options.dir);
    match cli.command {
        Command::Up(start) => keep(with(options, start), progress, false, true).await,
        Command::Demo { start, stay } => keep(with(options, start), progress, true, stay).await,
        Command::Chaos { seed, rounds } => kill(options, seed, rounds, progress).await,
        Command::Down => inspect::down(&state()?, progress).await.map(|()| 0),
        Command::Status { json } => inspect::status(&state()?, json).map(|up| u8::from(!up)),
        Command::Logs { function, follow } => {
            let mut stop = StopSignals::listen()?;
            let state = state()?;
            tokio::select! {
                shown = inspect::logs(&state, function.as_deref(), follow) => shown.map(|()| 0),
                () = stop.received() => Ok(0),
            }
        }
    }
}

/// Rounds of kills in a stack of their own; the exit code says whether anything was lost
async fn kill(options: StackOptions, seed: Option<u64>, rounds: u32, progress: &Progress) -> Result<u8> {
    let mut stop = StopSignals::listen()?;
    let options = ChaosOptions {
        dir: options.dir.join("chaos"),
        root: options.root,
        program: std::env::current_exe().doing(|| "finding weir-local".to_owned())?,
        seed: seed.unwrap_or_else(|| u64::from(clock::random_bits() as u32)),
        rounds,
    };
    tokio::select! {
        report = chaos::run(&options, progress) => report.map(|report| u8::from(!report.violations.is_empty())),
        () = stop.received() => {
            chaos::stop(&StateDir::open(&options.dir)?).await;
            Ok(130)
        }
    }
}

fn with(mut options: StackOptions, start: Start) -> StackOptions {
    options.endpoint = start.endpoint;
    options.port = start.port;
    options
}

/// Starts the stack, tells the story if wanted, stays if wanted, and stops whatever happens
async fn keep(options: StackOptions, progress: &Progress, tell: bool, stay: bool) -> Result<u8> {
    let mut stop = StopSignals::listen()?;
    let (dir, embedded) = (options.dir.clone(), options.endpoint.is_none());
    progress.say("  Weir on this machine");
    let started = tokio::select! {
        stack = Stack::start(options, progress) => Some(stack?),
        () = stop.received() => None,
    };
    let Some(stack) = started else {
        if embedded {
            emulator::stop_recorded(&StateDir::open(&dir)?).await;
        }
        return Ok(130);
    };
    let ended = tokio::select! {
        ended = play(&stack, progress, tell, stay) => match ended {
            Err(error) => Err(cause(&stack, error).await),
            ended => ended,
        },
        error = stack.failed() => Err(error),
        () = stop.received() => Ok(if stay { 0 } else { 130 }),
    };
    progress.say("  stopping");
    stack.stop().await;
    ended
}

/// What really went wrong: where the emulator has just died, a call that failed is only how that showed
async fn cause(stack: &Stack, error: LocalError) -> LocalError {
    tokio::time::timeout(Duration::from_secs(1), stack.failed()).await.unwrap_or(error)
}

async fn play(
    stack: &Stack,
    progress: &Progress,
    tell: bool,
    stay: bool,
) -> std::result::Result<u8, LocalError> {
    if tell {
        story::run(stack, progress).await?;
    } else {
        story::summary(stack, progress);
    }
    if stay {
        progress.say("  Ctrl-C stops everything that was started here");
        std::future::pending::<()>().await;
    }
    Ok(0)
}

/// The checkout: the nearest folder above with the template, else the one that this was built from
fn checkout() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let nearest = here.ancestors().find(|folder| folder.join("infra/local/requirements.txt").is_file());
    let built_from = || Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    nearest.or_else(built_from).unwrap_or(&here).to_owned()
}
