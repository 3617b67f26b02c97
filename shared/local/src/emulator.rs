//! The embedded emulator: started on loopback, adopted when it outlived its weir-local, stopped by mark
//!
//! Its state lives in its memory. It is therefore *not* tied to the life of the process that started it:
//! after a SIGKILL of weir-local it goes on, and the next weir-local finds it by `emulator.json`.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::error::{Doing as _, LocalError, Result};
use crate::net;
use crate::process;
use crate::state::StateDir;

/// The version that `infra/local/requirements.txt` locks
pub const VERSION: &str = "1.5.33";

/// How long a start may take; measured: 0.3 s, and 3 s on a busy machine
const START: Duration = Duration::from_secs(60);
/// How long it may take to end by itself before it is killed
const PATIENCE: Duration = Duration::from_secs(5);
const RECORD: &str = "emulator.json";

/// What a later weir-local needs to find it again
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its process, which leads a group of its own
    pub pid: u32,
    /// Its port on loopback
    pub port: u16,
    /// What its arguments show and no other process's do
    pub mark: String,
    /// Its version; another is not adopted
    pub version: String,
}

/// A running emulator
#[derive(Debug)]
pub struct Emulator {
    record: Record,
    state: StateDir,
    adopted: bool,
    dead: watch::Receiver<bool>,
}

impl Emulator {
    /// Adopts the emulator of this folder if it still runs, else starts one with the Python at `python`
    pub async fn start(state: &StateDir, python: &Path) -> Result<Self> {
        if let Some(record) = state.read::<Record>(RECORD) {
            if record.version == VERSION
                && process::shows(record.pid, &record.mark)
                && healthy(record.port).await
            {
                return Ok(Self::watched(record, state, true));
            }
            process::end(record.pid, &record.mark, PATIENCE).await;
            state.remove(RECORD);
        }
        Self::spawn(state, python).await
    }

    async fn spawn(state: &StateDir, python: &Path) -> Result<Self> {
        let (port, mark) = (net::free_port()?, process::new_mark());
        let mut child = command(state, python, port, &mark)?.spawn().at("starting", python)?;
        let record = Record { pid: child.id(), port, mark, version: VERSION.to_owned() };
        state.write(RECORD, &record)?;
        // A process that has just begun shows no arguments for a moment, and must not be taken for dead.
        while !process::shows(record.pid, &record.mark) && matches!(child.try_wait(), Ok(None)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Collects the child when it ends, so that it does not stay as a zombie.
        std::thread::spawn(move || drop(child.wait()));
        let emulator = Self::watched(record, state, false);
        match emulator.wait_healthy().await {
            Ok(()) => Ok(emulator),
            Err(error) => {
                emulator.stop().await;
                Err(error)
            }
        }
    }

    fn watched(record: Record, state: &StateDir, adopted: bool) -> Self {
        let (send, dead) = watch::channel(false);
        let (pid, mark) = (record.pid, record.mark.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = process::gone(pid, &mark) => drop(send.send(true)),
                () = send.closed() => {}
            }
        });
        Self { record, state: state.clone(), adopted, dead }
    }

    async fn wait_healthy(&self) -> Result<()> {
        let fail = |reason: String| LocalError::EmulatorStart { reason, log: log_file(&self.state) };
        let ready = async {
            while !healthy(self.record.port).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            () = ready => Ok(()),
            _ = self.died() => Err(fail(last_line(&log_file(&self.state)))),
            () = tokio::time::sleep(START) => Err(fail(format!("not healthy after {} s", START.as_secs()))),
        }
    }

    /// Where it answers
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.record.port)
    }

    /// Which process it is
    pub fn pid(&self) -> u32 {
        self.record.pid
    }

    /// Whether it was running already
    pub fn adopted(&self) -> bool {
        self.adopted
    }

    /// Waits until it is dead, and says so
    pub async fn died(&self) -> LocalError {
        let mut dead = self.dead.clone();
        drop(dead.wait_for(|dead| *dead).await);
        LocalError::EmulatorDied { pid: self.record.pid, log: log_file(&self.state) }
    }

    /// Ends it and forgets it
    pub async fn stop(self) {
        process::end(self.record.pid, &self.record.mark, PATIENCE).await;
        self.state.remove(RECORD);
    }
}

/// The emulator of `state` if it is alive, whoever started it
pub fn running(state: &StateDir) -> Option<Record> {
    state.read::<Record>(RECORD).filter(|record| process::shows(record.pid, &record.mark))
}

/// Ends the emulator of `state`, if there is one; true if there was
pub async fn stop_recorded(state: &StateDir) -> bool {
    let Some(record) = running(state) else {
        state.remove(RECORD);
        return false;
    };
    let ended = process::end(record.pid, &record.mark, PATIENCE).await;
    state.remove(RECORD);
    ended
}

/// Whether the expected version answers on `port`
async fn healthy(port: u16) -> bool {
    #[derive(Deserialize)]
    struct Health {
        version: String,
    }
    let Ok(client) = net::client(Duration::from_secs(5)) else { return false };
    let Ok(answer) = client.get(format!("http://127.0.0.1:{port}/_ministack/health")).send().await else {
        return false;
    };
    answer.json::<Health>().await.is_ok_and(|health| health.version == VERSION)
}

/// Where the emulator says what it does
pub fn log_file(state: &StateDir) -> PathBuf {
    state.logs().join("emulator.log")
}

fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.trim_end().lines().last().unwrap_or("it ended at once").to_owned()
}

fn command(state: &StateDir, python: &Path, port: u16, mark: &str) -> Result<std::process::Command> {
    let log = log_file(state);
    let out = std::fs::File::create(&log).at("writing", &log)?;
    let err = out.try_clone().at("writing", &log)?;
    let mut command = std::process::Command::new(python);
    // `-X` takes any name: it does nothing but show the mark among the arguments.
    command.args(["-I", "-X", &format!("weir_mark={mark}"), "-m", "ministack"]);
    command.current_dir(state.path("tmp")).process_group(0);
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    // Its environment is all its own: no credentials, proxies or settings of the person at the terminal,
    // and AWS_ENDPOINT_URL, without which a function that it starts itself would call real AWS.
    command
        .env_clear()
        .envs(environment(port))
        .env("TMPDIR", state.path("tmp"))
        .env("HOME", state.path("tmp"));
    Ok(command)
}

fn environment(port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("BIND_HOST", "127.0.0.1".to_owned()),
        ("GATEWAY_PORT", port.to_string()),
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("IOT_MTLS_ENABLED", "0".to_owned()),
        // The function host bounds what runs at a time, and queues; the emulator would refuse instead.
        ("LAMBDA_ACCOUNT_CONCURRENCY", "0".to_owned()),
        ("LOG_LEVEL", "WARNING".to_owned()),
    ]
}
