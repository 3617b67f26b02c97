//! The whole stack, up
//!
//! What a crash here means: the emulator goes on with all of the stack's state, function processes end by
//! themselves, and the next [`Stack::start`] on the same folder finds everything as it was. Only the end
//! of the emulator loses state.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::Router;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::artefacts::{self, Binaries};
use crate::deploy::aws::{self, CREDENTIALS, Deployed, Endpoint, REGION};
use crate::deploy::template::Template;
use crate::deploy::{self, Deployment};
use crate::emulator::{self, Emulator};
use crate::error::{LocalError, Result};
use crate::gateway::Gateway;
use crate::host::{FunctionSpec, Host, HostOptions};
use crate::progress::Progress;
use crate::slack::Slack;
use crate::state::{Holder, Lock, StateDir};
use crate::tokens::Tokens;
use crate::{agents, net, process, python};

/// How often the reconciler is invoked: schedules do not fire everywhere, and nowhere more often than every minute
const TICK: Duration = Duration::from_secs(5);

/// The longest time between two invocations, however slow the emulator is
const TICK_MAX: Duration = Duration::from_secs(20);

/// A thirtieth of its emulator's time is what the reconciler may take: on one that is slow it runs less often
const TICK_SHARE: u32 = 30;

/// What to start, and with what
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// The checkout
    pub root: PathBuf,
    /// Where everything of this stack is kept
    pub dir: PathBuf,
    /// The name of the CloudFormation stack, with which the names of functions begin
    pub name: String,
    /// The template
    pub template: PathBuf,
    /// Its parameters
    pub parameters: BTreeMap<String, String>,
    /// The port of the API; 0 for that of the last time, or any
    pub port: u16,
    /// An endpoint to use instead of the embedded emulator
    pub endpoint: Option<String>,
    /// The binaries, if they are built already
    pub binaries: Option<Binaries>,
    /// Routes of this machine alone, beside those of the template
    pub extra: Router,
}

/// A running stack
#[derive(Debug)]
pub struct Stack {
    base: Base,
    api: Raised,
}

/// What must be stopped, whatever else happens
#[derive(Debug)]
struct Base {
    state: StateDir,
    lock: Lock,
    root: PathBuf,
    slack: Slack,
    emulator: Option<Emulator>,
    endpoint: Endpoint,
    host: Host,
}

/// What stands on it
#[derive(Debug)]
struct Raised {
    binaries: Binaries,
    tokens: Tokens,
    deployment: Deployment,
    gateway: Gateway,
    ticker: JoinHandle<()>,
}

/// The addresses of the last time, so that an adopted emulator still finds the host
#[derive(Serialize, Deserialize)]
struct Addresses {
    host: u16,
    secret: String,
    api: u16,
}

impl StackOptions {
    /// The usual stack of the checkout at `root`
    pub fn new(root: &Path) -> Self {
        // An emulator does not run a function again that died under its task token, and so may never end a Map: what is
        // seen within the hour on AWS has to be seen while somebody waits for it.
        let check_in = ("CheckInSeconds", "15");
        let parameters = [check_in, ("Emulated", "true"), ("Stage", "local"), ("Workspace", "harbor")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            root: root.to_owned(),
            dir: root.join("target/local"),
            name: "weir-local".to_owned(),
            template: root.join("infra/template.yaml"),
            parameters: parameters.into(),
            port: 0,
            endpoint: None,
            binaries: None,
            extra: Router::new(),
        }
    }
}

impl Stack {
    /// Brings the stack up, reusing what is there; on failure nothing is left running
    pub async fn start(options: StackOptions, progress: &Progress) -> Result<Self> {
        let state = StateDir::open(&options.dir)?;
        let lock = state.lock()?;
        let last = state.read::<Addresses>("host.json");
        let api = match options.port {
            0 => net::listen_again(last.as_ref().map(|last| last.api)).await?,
            port => net::listen(port).await?,
        };
        let mut base = Base::start(state, lock, &options, last, &api, progress).await?;
        let raised = tokio::select! {
            raised = raise(&base, options, api, progress) => raised,
            error = base.failed() => Err(error),
        };
        let url = raised.as_ref().ok().map(|raised| raised.gateway.url());
        match raised
            .and_then(|raised| base.lock.say(&Holder { pid: std::process::id(), url }).map(|()| raised))
        {
            Ok(api) => Ok(Self { base, api }),
            Err(error) => {
                base.stop().await;
                Err(error)
            }
        }
    }

    /// What speaks the AWS API here
    pub fn endpoint(&self) -> &Endpoint {
        &self.base.endpoint
    }

    /// Where the HTTP API is, without a slash at the end
    pub fn api_url(&self) -> String {
        self.api.gateway.url()
    }

    /// The outputs of the CloudFormation stack
    pub fn outputs(&self) -> &BTreeMap<String, String> {
        &self.api.deployment.outputs
    }

    /// What CloudFormation made
    pub fn deployment(&self) -> &Deployment {
        &self.api.deployment
    }

    /// The checkout
    pub fn root(&self) -> &Path {
        &self.base.root
    }

    /// The Slack that this machine plays
    pub fn slack(&self) -> &Slack {
        &self.base.slack
    }

    /// The function host
    pub fn host(&self) -> &Host {
        &self.base.host
    }

    /// The people and their tokens
    pub fn tokens(&self) -> &Tokens {
        &self.api.tokens
    }

    /// The binaries
    pub fn binaries(&self) -> &Binaries {
        &self.api.binaries
    }

    /// Where everything of it is kept
    pub fn state(&self) -> &StateDir {
        &self.base.state
    }

    /// The emulator, unless an endpoint was given
    pub fn emulator(&self) -> Option<&Emulator> {
        self.base.emulator.as_ref()
    }

    /// Waits until the stack can not go on, and says why
    pub async fn failed(&self) -> LocalError {
        self.base.failed().await
    }

    /// Stops what it started, and nothing else
    pub async fn stop(self) {
        agents::stop_recorded(&self.base.state).await;
        self.api.ticker.abort();
        self.api.gateway.stop().await;
        self.base.stop().await;
    }
}

impl Base {
    async fn start(
        state: StateDir,
        lock: Lock,
        options: &StackOptions,
        last: Option<Addresses>,
        api: &TcpListener,
        progress: &Progress,
    ) -> Result<Self> {
        let listener = net::listen_again(last.as_ref().map(|last| last.host)).await?;
        let secret = last.map_or_else(process::new_mark, |last| last.secret);
        let host = Host::start(listener, HostOptions::new(state.logs(), secret.clone()))?;
        let api = api.local_addr().map_or(0, |address| address.port());
        state.write("host.json", &Addresses { host: host.port(), secret, api })?;
        let emulator = match &options.endpoint {
            None => Some(start_emulator(&state, options, progress).await?),
            Some(_) => None,
        };
        let url = emulator
            .as_ref()
            .map(Emulator::endpoint)
            .or_else(|| options.endpoint.clone())
            .unwrap_or_default();
        let step = options.endpoint.is_some().then(|| progress.step("endpoint"));
        let endpoint = match Endpoint::connect(&url).await {
            Ok(endpoint) => endpoint,
            Err(error) => {
                stop_all(&state, &host, emulator).await;
                return Err(error);
            }
        };
        if let Some(step) = step {
            step.done(endpoint.url());
        }
        let (root, slack) = (options.root.clone(), Slack::load(&state)?);
        Ok(Self { state, lock, root, slack, emulator, endpoint, host })
    }

    async fn failed(&self) -> LocalError {
        match &self.emulator {
            Some(emulator) => emulator.died().await,
            None => unreachable(&self.endpoint).await,
        }
    }

    async fn stop(self) {
        stop_all(&self.state, &self.host, self.emulator).await;
    }
}

/// Agents first, while there is still somebody whom they can tell how their tasks ended
async fn stop_all(state: &StateDir, host: &Host, emulator: Option<Emulator>) {
    agents::stop_recorded(state).await;
    host.stop().await;
    if let Some(emulator) = emulator {
        emulator.stop().await;
    }
}

async fn start_emulator(state: &StateDir, options: &StackOptions, progress: &Progress) -> Result<Emulator> {
    let (venv, requirements) =
        (options.root.join("target/local/venv"), options.root.join("infra/local/requirements.txt"));
    let step = progress.step("python environment");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let python = python::ensure(&venv, &requirements, &path).await?;
    step.done(&shown(&venv, &options.root));
    let step = progress.step("emulator");
    let emulator = Emulator::start(state, &python).await?;
    let how = if emulator.adopted() { " · already running" } else { "" };
    let address = emulator.endpoint().replace("http://", "");
    step.done(&format!("ministack {} · {address}{how}", emulator::VERSION));
    Ok(emulator)
}

/// Waits until the endpoint has not answered three times in a row
async fn unreachable(endpoint: &Endpoint) -> LocalError {
    let mut silent = 0;
    while silent < 3 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        silent = if aws::answers(endpoint.url()).await { 0 } else { silent + 1 };
    }
    LocalError::Endpoint { url: endpoint.url().to_owned(), reason: "it stopped answering".to_owned() }
}

async fn raise(base: &Base, options: StackOptions, api: TcpListener, progress: &Progress) -> Result<Raised> {
    let template = Template::read(&options.template)?;
    let mut step = progress.step("functions");
    let binaries = match options.binaries {
        Some(binaries) => binaries,
        None => {
            step.yield_terminal();
            artefacts::build(&cargo(), &options.root).await?
        }
    };
    let functions = template.functions(&options.name, &binaries);
    step.done(&format!("{} artefacts, {} functions", template.artefacts(&binaries).len(), functions.len()));

    let step = progress.step("stack");
    let mut parameters = options.parameters;
    let address = api.local_addr().map(|address| format!("http://{address}")).unwrap_or_default();
    let slack = base.slack.parameters(&address).map(|(name, value)| (name.to_owned(), value));
    parameters.extend(slack.into_iter().filter(|(name, _)| template.has_parameter(name)));
    if template.has_parameter("PublicUrl") {
        parameters.entry("PublicUrl".to_owned()).or_insert_with(|| address.clone());
    }
    let plan = deploy::Plan { stack: options.name.clone(), parameters, proxy_url: base.host.proxy_url() };
    let deployment = deploy::deploy(&base.endpoint, &plan, &template, &binaries).await?;
    let tokens = Tokens::load(&base.state)?;
    let deployed = base.endpoint.functions(&format!("{}-", options.name)).await?;
    base.host.set_functions(specs(deployed, &functions, &binaries, base.endpoint.url(), &tokens)?);
    let unchanged = if deployment.changed { "" } else { " · unchanged" };
    step.done(&format!("{} · {} resources{unchanged}", options.name, deployment.resources));

    let extra = options.extra.merge(base.slack.router());
    let gateway = Gateway::start(api, base.host.clone(), template.routes(&options.name), extra)?;
    let ticker = tokio::spawn(tick(base.host.clone(), format!("{}-reconcile", options.name)));
    Ok(Raised { binaries, tokens, deployment, gateway, ticker })
}

/// How the host is to run each function: as it was deployed, so that what the template says is what happens
fn specs(
    deployed: Vec<Deployed>,
    artefacts: &BTreeMap<String, String>,
    binaries: &Binaries,
    endpoint: &str,
    tokens: &Tokens,
) -> Result<Vec<FunctionSpec>> {
    let (key, secret) = CREDENTIALS;
    let known =
        deployed.into_iter().filter_map(|function| Some((artefacts.get(&function.function_name)?, function)));
    let spec = |(artefact, function): (&String, Deployed)| {
        let mut environment = function.environment.variables;
        environment.remove("MINISTACK_LAMBDA_PROXY_URL");
        let own = [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ];
        environment.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        if artefact == "weir-api" {
            environment.insert("WEIR_DEV_TOKENS".to_owned(), tokens.environment());
        }
        Ok(FunctionSpec {
            name: function.function_name,
            handler: function.handler,
            artefact: binaries.path(artefact)?.to_owned(),
            environment,
            timeout: Duration::from_secs(function.timeout),
            memory_mb: function.memory_size,
        })
    };
    known.map(spec).collect()
}

/// Invokes the reconciler again and again, one after the other; it is made to be repeated
async fn tick(host: Host, reconcile: String) {
    if !host.functions().contains(&reconcile) {
        return;
    }
    let mut pause = TICK;
    loop {
        tokio::time::sleep(pause).await;
        let began = Instant::now();
        if let Err(error) = host.invoke(&reconcile, Bytes::from_static(b"{}")).await {
            tracing::warn!(%error, "the reconciler failed");
        }
        pause = (began.elapsed() * TICK_SHARE).clamp(TICK, TICK_MAX);
    }
}

/// The cargo that runs us, or the one on the path
fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// A path as seen from the checkout
fn shown(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
