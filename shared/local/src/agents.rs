//! The agents of the example: one real `weir-agent` process a target
//!
//! Each has a folder of its own, `agents/<name>`, and keeps its registration there. What was started stands
//! in `agents.json` before anything else is done with it, so that an agent that outlived its weir-local is
//! found: the next one adopts it, or ends it together with the service that it started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::process::Command;
use weir_client::agent;
use weir_client::api::{Client, IdempotencyKey};
use weir_domain::definition::address::Address;
use weir_edge::wire::agent::{AgentStatus, AgentTokenCreate, AgentView};

use crate::error::{Doing as _, LocalError, Result};
use crate::state::StateDir;
use crate::story::wait::until;
use crate::{net, process};

const RECORDS: &str = "agents.json";

/// How long an agent may take to finish its task and stop its service before it is killed
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a service may take to stop when its agent is gone
const GRACE: Duration = Duration::from_secs(5);
/// How long an agent may take until it is heard of
const ONLINE: Duration = Duration::from_secs(30);

/// What a later weir-local needs to find an agent again
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    target: Address,
    /// Where the service on its target listens
    port: u16,
    /// Where it was told that the API is
    server: String,
    /// Its process, if it was started
    pid: Option<u32>,
}

/// What an agent keeps of its registration, as far as it matters here
#[derive(Deserialize)]
struct Registered {
    agent: String,
}

/// Where agents run
#[derive(Debug, Clone)]
pub struct Place {
    /// The folder of their stack
    pub state: StateDir,
    /// The binary
    pub program: PathBuf,
    /// Where the API is
    pub server: String,
    /// What each agent is told besides: commands that it may run, how many at a time
    pub arguments: Vec<String>,
}

/// The agents of one stack
#[derive(Debug)]
pub struct Agents {
    state: StateDir,
    program: PathBuf,
    server: String,
    arguments: Vec<String>,
    records: BTreeMap<String, Record>,
}

impl Agents {
    /// Starts an agent for each of `targets`, or adopts the one that runs; `client` is who may register them
    pub async fn start(place: Place, client: &Client, targets: &[Address]) -> Result<Self> {
        let Place { state, program, server, arguments } = place;
        let records = state.read(RECORDS).unwrap_or_default();
        let mut agents = Self { state, program, server, arguments, records };
        let known = listed(client).await?;
        for target in targets {
            agents.ensure(client, target, &known).await?;
        }
        for target in targets {
            agents.online(client, target.name()).await?;
        }
        Ok(agents)
    }

    /// Where the service on the target called `name` answers
    pub fn url(&self, name: &str) -> String {
        let port = self.records.get(name).map_or(0, |record| record.port);
        format!("http://127.0.0.1:{port}")
    }

    /// The names of the targets, sorted
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }

    /// Kills the agent called `name` with SIGKILL, to see what that does; its service goes on
    pub async fn kill(&self, name: &str) -> bool {
        let Some(record) = self.records.get(name) else { return false };
        let Some(pid) = record.pid.filter(|pid| process::shows(*pid, &self.mark(name))) else { return false };
        process::kill(pid);
        process::gone(pid, &self.mark(name)).await;
        true
    }

    /// Starts the agent called `name` again in its folder
    pub fn restart(&mut self, name: &str) -> Result<()> {
        self.spawn(name, None)
    }

    /// That the agent called `name` has ended by itself, and what it said last; none while it runs
    pub fn ended(&self, name: &str) -> Option<String> {
        let pid = self.records.get(name)?.pid?;
        if process::shows(pid, &self.mark(name)) {
            return None;
        }
        let log = std::fs::read_to_string(self.state.logs().join(format!("agent-{name}.log")));
        let last = log.unwrap_or_default().lines().last().unwrap_or_default().to_owned();
        Some(format!("the agent {name} has ended by itself: {last}"))
    }

    async fn ensure(&mut self, client: &Client, target: &Address, known: &[AgentView]) -> Result<()> {
        let name = target.name().to_owned();
        let folder = folder(&self.state, &name);
        let registered =
            registered(&folder).filter(|id| known.iter().any(|agent| agent.id.to_string() == *id));
        let mark = self.mark(&name);
        let old = self.records.get(&name).filter(|record| record.target == *target).cloned();
        let is_alive =
            old.as_ref().and_then(|record| record.pid).is_some_and(|pid| process::shows(pid, &mark));
        if let Some(old) = old.as_ref().filter(|_| is_alive) {
            if registered.is_some() && old.server == self.server {
                return Ok(());
            }
            stop(&self.state, &name, old).await;
        }
        if registered.is_none() && folder.exists() {
            // Left by a stack that is no more: what lies there is nothing that this one put there.
            std::fs::remove_dir_all(&folder).at("removing", &folder)?;
        }
        let port = match old.as_ref().map(|old| old.port) {
            Some(port) if net::listen(port).await.is_ok() => port,
            Some(_) | None => net::free_port()?,
        };
        let moved = old.is_none_or(|old| old.port != port);
        let server = self.server.clone();
        self.records.insert(name.clone(), Record { target: target.clone(), port, server, pid: None });
        let token =
            if registered.is_some() && !moved { None } else { Some(self.token(client, target).await?) };
        self.spawn(&name, token.as_deref())
    }

    /// A file with a registration token for `target`
    async fn token(&self, client: &Client, target: &Address) -> Result<PathBuf> {
        let body = AgentTokenCreate { targets: vec![target.clone()] };
        let made = client.agent_token_create(&body, &IdempotencyKey::random()).await;
        let made = made.map_err(|error| LocalError::Story(format!("no token for `{target}`: {error}")))?;
        let name = format!("{}.token", target.name());
        self.state.write_text(&name, made.token.expose())?;
        Ok(self.state.path(&name))
    }

    fn spawn(&mut self, name: &str, token: Option<&Path>) -> Result<()> {
        let Some(record) = self.records.get_mut(name) else { return Ok(()) };
        let log = self.state.logs().join(format!("agent-{name}.log"));
        let out = std::fs::OpenOptions::new().create(true).append(true).open(&log).at("writing", &log)?;
        let err = out.try_clone().at("writing", &log)?;
        let mut command = Command::new(&self.program);
        command.args(["--server", &self.server, "--name", name, "--target", record.target.as_str()]);
        command.arg("--dir").arg(folder(&self.state, name)).args(["--listen-port", &record.port.to_string()]);
        command.args(["--poll", "200ms", "--stop-grace", "3s", "--stop-service-on-exit"]);
        command.args(&self.arguments);
        if let Some(token) = token {
            command.arg("--token-file").arg(token);
        }
        // A group of its own: a Ctrl-C at the terminal is for weir-local, which ends its agents in order.
        command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        let child = command.spawn().at("starting", &self.program)?;
        record.pid = child.id();
        self.state.write(RECORDS, &self.records)
    }

    /// Waits until the agent is registered and heard of
    async fn online(&self, client: &Client, name: &str) -> Result<()> {
        let folder = folder(&self.state, name);
        let pid = self.records.get(name).and_then(|record| record.pid);
        let look = || async {
            let agents = listed(client).await?;
            let own = registered(&folder);
            let found = agents.iter().find(|agent| Some(agent.id.to_string()) == own);
            if found
                .is_some_and(|agent| agent.status != AgentStatus::Offline && agent.last_heartbeat.is_some())
            {
                return Ok(Some(()));
            }
            if pid.is_some_and(|pid| !process::exists(pid)) {
                let log = self.state.logs().join(format!("agent-{name}.log"));
                return Err(LocalError::Story(format!("the agent {name} ended: see {}", log.display())));
            }
            Ok(None)
        };
        until(&format!("a heartbeat of the agent {name}"), ONLINE, look).await
    }

    /// What the agent's arguments show and no other process's do
    fn mark(&self, name: &str) -> String {
        mark(&self.state, name)
    }
}

/// Ends every agent of this folder, and the services that they started; true if there was one
pub async fn stop_recorded(state: &StateDir) -> bool {
    let Some(mut records) = state.read::<BTreeMap<String, Record>>(RECORDS) else { return false };
    let stops = records.iter().map(|(name, record)| stop(state, name, record));
    let stopped = futures::future::join_all(stops).await.contains(&true);
    for record in records.values_mut() {
        record.pid = None;
    }
    // Ports are kept; a file that can not be written costs only other ports the next time.
    drop(state.write(RECORDS, &records));
    stopped
}

async fn stop(state: &StateDir, name: &str, record: &Record) -> bool {
    let (folder, mark) = (folder(state, name), mark(state, name));
    let pid = record.pid.filter(|pid| process::shows(*pid, &mark));
    if let Some(pid) = pid {
        process::terminate(pid);
        if tokio::time::timeout(PATIENCE, process::gone(pid, &mark)).await.is_err() {
            process::end(pid, &mark, GRACE).await;
        }
    }
    // An agent that was killed has left its service behind.
    let service = agent::stop_service(&folder, &record.target, record.port, GRACE).await.unwrap_or(false);
    pid.is_some() || service
}

fn folder(state: &StateDir, name: &str) -> PathBuf {
    state.path("agents").join(name)
}

fn mark(state: &StateDir, name: &str) -> String {
    format!("--dir {} ", folder(state, name).display())
}

/// The id under which the agent of `folder` is registered
fn registered(folder: &Path) -> Option<String> {
    let bytes = std::fs::read(folder.join("agent.json")).ok()?;
    serde_json::from_slice::<Registered>(&bytes).ok().map(|registered| registered.agent)
}

/// Every agent that the stack knows
async fn listed(client: &Client) -> Result<Vec<AgentView>> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = client.agent_list(cursor.as_deref().map(|cursor| ("cursor", cursor)).as_slice()).await;
        let page =
            page.map_err(|error| LocalError::Story(format!("the agents cannot be listed: {error}")))?;
        all.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}
