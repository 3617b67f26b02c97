//! A weir-local in a process of its own, to be killed

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::ChaosOptions;
use crate::error::{Doing as _, LocalError, Result};
use crate::process;
use crate::state::StateDir;
use crate::story::wait::until;

/// How long a start may take: the first one builds
const START: Duration = Duration::from_secs(30 * 60);

/// What runs functions
const FUNCTIONS: [&str; 3] = ["weir-api", "weir-tasks", "weir-reactors"];

/// A running weir-local
pub(super) struct Local {
    state: StateDir,
    program: PathBuf,
    root: PathBuf,
    child: Child,
    url: String,
}

impl Local {
    pub async fn start(options: &ChaosOptions, state: &StateDir) -> Result<Self> {
        let child = spawn(&options.program, &options.root, state)?;
        let (program, root) = (options.program.clone(), options.root.clone());
        let mut local = Self { state: state.clone(), program, root, child, url: String::new() };
        local.url = local.serving().await?;
        Ok(local)
    }

    /// Where it serves the API: at the same address after every start
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its function processes
    pub fn functions(&self) -> Vec<u32> {
        let Some(own) = self.child.id() else { return Vec::new() };
        let children = process::children(own);
        let runs = |program: &str| FUNCTIONS.iter().any(|name| program.ends_with(name));
        children.into_iter().filter(|(_, program)| runs(program)).map(|(pid, _)| pid).collect()
    }

    /// SIGKILL, and another one in its place
    pub async fn kill_and_start_again(&mut self) -> Result<()> {
        self.child.kill().await.doing(|| "killing weir-local".to_owned())?;
        self.child = spawn(&self.program, &self.root, &self.state)?;
        let url = self.serving().await?;
        if url == self.url {
            return Ok(());
        }
        Err(LocalError::Story(format!("weir-local served {} and came back at {url}", self.url)))
    }

    async fn serving(&mut self) -> Result<String> {
        let (state, pid) = (self.state.clone(), self.child.id());
        let serves = until("weir-local to serve", START, || {
            let url = state.holder().filter(|holder| Some(holder.pid) == pid).and_then(|holder| holder.url);
            async move { Ok(url) }
        });
        tokio::select! {
            url = serves => url,
            ended = self.child.wait() => {
                let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                let log = self.state.logs().join("weir-local.log");
                Err(LocalError::Story(format!("weir-local did not start ({how}): see {}", log.display())))
            }
        }
    }
}

fn spawn(program: &PathBuf, root: &PathBuf, state: &StateDir) -> Result<Child> {
    let log = state.logs().join("weir-local.log");
    let out = OpenOptions::new().create(true).append(true).open(&log).at("writing", &log)?;
    let err = out.try_clone().at("writing", &log)?;
    let mut command = Command::new(program);
    command.arg("--dir").arg(state.path("")).arg("up").current_dir(root);
    // A group of its own: a Ctrl-C at the terminal is for whoever runs the rounds.
    command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
    command.spawn().at("starting", program)
}
