//! Looking at a stack from outside: what runs, what was written, and stopping it
#![expect(clippy::print_stdout, reason = "this is the data that `status` and `logs` are asked for")]

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::error::{Doing as _, LocalError, Result};
use crate::process;
use crate::progress::Progress;
use crate::state::{Holder, StateDir};
use crate::{agents, emulator};

/// How long a weir-local may take to stop
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct Status {
    running: bool,
    weir_local: Option<Holder>,
    emulator: Option<EmulatorStatus>,
}

#[derive(Serialize)]
struct EmulatorStatus {
    pid: u32,
    endpoint: String,
    version: String,
}

/// Prints what runs; true if the stack is up
pub fn status(state: &StateDir, json: bool) -> Result<bool> {
    let emulator = emulator::running(state).map(|record| EmulatorStatus {
        pid: record.pid,
        endpoint: format!("http://127.0.0.1:{}", record.port),
        version: record.version,
    });
    let holder = state.holder();
    let status = Status { running: holder.is_some(), weir_local: holder, emulator };
    if json {
        println!("{}", serde_json::to_string_pretty(&status).doing(|| "writing the status".to_owned())?);
        return Ok(status.running);
    }
    match &status.weir_local {
        Some(holder) => println!("weir-local  {holder}"),
        None => println!("weir-local  not running"),
    }
    match &status.emulator {
        Some(found) => {
            println!("emulator    process {}, ministack {} at {}", found.pid, found.version, found.endpoint)
        }
        None => println!("emulator    not running"),
    }
    if status.emulator.is_some() && !status.running {
        println!(
            "The emulator outlived its weir-local: `weir-local up` goes on with it, `weir-local down` ends it."
        );
    }
    Ok(status.running)
}

/// Stops the weir-local that holds the folder, and an emulator that outlived one
pub async fn down(state: &StateDir, progress: &Progress) -> Result<()> {
    let mut stopped = false;
    if let Some(holder) = state.holder() {
        let step = progress.step("weir-local");
        process::terminate(holder.pid);
        let free = async {
            while state.holder().is_some() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, free).await.is_err() {
            return Err(LocalError::AlreadyRunning { holder: holder.to_string() });
        }
        step.done("stopped");
        stopped = true;
    }
    if agents::stop_recorded(state).await {
        progress.step("agents").done("stopped");
        stopped = true;
    }
    if emulator::stop_recorded(state).await {
        progress.step("emulator").done("stopped");
        stopped = true;
    }
    if !stopped {
        progress.say("  nothing was running");
    }
    Ok(())
}

/// Prints the log called `name`, and what is added to it if `follow`; without a name, which logs there are
pub async fn logs(state: &StateDir, name: Option<&str>, follow: bool) -> Result<()> {
    let known = log_files(&state.logs())?;
    let Some(name) = name else {
        for (name, _) in &known {
            println!("{name}");
        }
        return Ok(());
    };
    // A function's name without that of the stack is enough.
    let is_meant = |found: &str| found == name || found.ends_with(&format!("-{name}"));
    let Some((_, path)) = known.iter().find(|(found, _)| is_meant(found)) else {
        let known = known.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(LocalError::NoLog { name: name.to_owned(), folder: state.logs(), known });
    };
    let mut offset = print_from(path, 0)?;
    if !follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        offset = print_from(path, offset)?;
    }
}

fn log_files(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let entries = std::fs::read_dir(folder).at("reading", folder)?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let logs = paths.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    let mut named: Vec<_> =
        logs.filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path))).collect();
    named.sort_unstable();
    Ok(named)
}

/// Prints what is in the file after `offset`, from its beginning if it was begun anew
fn print_from(path: &Path, offset: u64) -> Result<u64> {
    let read = || {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(if length < offset { 0 } else { offset }))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        std::io::stdout().write_all(&bytes)?;
        std::io::stdout().flush()?;
        file.stream_position()
    };
    read().at("reading", path)
}
