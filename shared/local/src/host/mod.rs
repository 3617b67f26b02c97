//! The function host: Lambda on this machine, with warm processes
//!
//! The emulator would start a process for every invocation. Its proxy mode hands them to a URL instead,
//! and here they are answered: by real `bootstrap` processes that speak the Lambda Runtime API, kept warm,
//! several at a time per function. The HTTP gateway invokes through [`Host::invoke`] in the same process.
//!
//! A function process can not outlive the host for long: its next call of the Runtime API fails when the
//! host is gone, and then the runtime client ends it. What was running is lost, as on AWS when a sandbox
//! dies; whoever invoked it tries again.

mod invoke;
mod log;
mod process;
mod proxy;
mod runtime_api;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::error::{Doing as _, Result};
pub use invoke::InvokeError;
use process::Process;

/// How one function is run
#[derive(Clone, PartialEq, Eq)]
pub struct FunctionSpec {
    /// Its name in AWS, as callers give it
    pub name: String,
    /// Given to it as `_HANDLER`
    pub handler: String,
    /// The binary
    pub artefact: PathBuf,
    /// What it finds in its environment beside what Lambda itself sets
    pub environment: BTreeMap<String, String>,
    /// When an invocation is given up and its process killed
    pub timeout: Duration,
    /// Told to the function, not enforced
    pub memory_mb: u32,
}

/// Without the environment, which may hold secrets
impl std::fmt::Debug for FunctionSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FunctionSpec").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Bounds of the host
#[derive(Clone)]
pub struct HostOptions {
    /// Where function output is written
    pub logs: PathBuf,
    /// A part of the proxy's path that other users of this machine can not guess
    pub secret: String,
    /// How many invocations run at a time; more wait
    pub max_running: usize,
    /// How many of these may be of one function: a segment's fan-out is 40
    pub max_per_function: usize,
    /// How many warm processes are kept in all
    pub max_idle: usize,
    /// How long a warm process is kept without work
    pub idle: Duration,
}

impl HostOptions {
    /// The usual bounds: a segment's 40 arrivals run at once and the gateway still gets through
    pub fn new(logs: PathBuf, secret: String) -> Self {
        Self {
            logs,
            secret,
            max_running: 64,
            max_per_function: 40,
            max_idle: 96,
            idle: Duration::from_secs(300),
        }
    }
}

impl std::fmt::Debug for HostOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostOptions").field("logs", &self.logs).finish_non_exhaustive()
    }
}

/// A running function host; clones are the same host
#[derive(Debug, Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: HostOptions,
    address: SocketAddr,
    running: Semaphore,
    functions: Mutex<HashMap<String, Arc<Function>>>,
    /// Every live process, by the port of its Runtime API
    processes: Mutex<HashMap<u16, Arc<Process>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Function {
    spec: FunctionSpec,
    running: Semaphore,
    /// Warm processes, the one used last at the end, and since when each has had no work
    idle: Mutex<Vec<(Arc<Process>, Instant)>>,
    log: log::LogFile,
}

impl Host {
    /// Serves on `listener`
    pub fn start(listener: TcpListener, options: HostOptions) -> Result<Self> {
        let address = listener.local_addr().doing(|| "starting the function host".to_owned())?;
        let inner = Arc::new(Inner {
            running: Semaphore::new(options.max_running),
            options,
            address,
            functions: Mutex::default(),
            processes: Mutex::default(),
            tasks: Mutex::default(),
        });
        let host = Self { inner };
        let server = axum::serve(listener, proxy::router(host.clone()));
        let serve = tokio::spawn(async move { drop(server.await) });
        let reap = tokio::spawn(reap(Arc::downgrade(&host.inner)));
        lock(&host.inner.tasks).extend([serve, reap]);
        Ok(host)
    }

    /// Where the emulator is to send invocations
    pub fn proxy_url(&self) -> String {
        format!("http://{}/{}/invoke", self.inner.address, self.inner.options.secret)
    }

    /// The port that it listens on
    pub fn port(&self) -> u16 {
        self.inner.address.port()
    }

    /// Replaces what functions there are; warm processes of an unchanged function stay
    pub fn set_functions(&self, specs: Vec<FunctionSpec>) {
        let mut functions = lock(&self.inner.functions);
        let mut old = std::mem::take(&mut *functions);
        for spec in specs {
            let name = spec.name.clone();
            let kept = old.remove(&name).filter(|function| function.spec == spec);
            functions.insert(name, kept.unwrap_or_else(|| Arc::new(self.inner.function(spec))));
        }
        for (_, function) in old {
            function.end_idle();
        }
    }

    /// The names of the functions, sorted
    pub fn functions(&self) -> Vec<String> {
        let mut names: Vec<_> = lock(&self.inner.functions).keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// Runs `function` on `event` and waits for its answer
    ///
    /// Goes on when the caller stops waiting, as Lambda does.
    pub async fn invoke(&self, function: &str, event: Bytes) -> std::result::Result<Bytes, InvokeError> {
        self.invoke_as(function, event, &crate::process::new_mark()).await
    }

    async fn invoke_as(&self, name: &str, event: Bytes, id: &str) -> std::result::Result<Bytes, InvokeError> {
        let function = lock(&self.inner.functions).get(name).cloned();
        let function = function.ok_or_else(|| InvokeError::UnknownFunction { name: name.to_owned() })?;
        let (inner, id) = (Arc::clone(&self.inner), id.to_owned());
        let work = tokio::spawn(async move { invoke::invoke(&inner, &function, event, &id).await });
        work.await.unwrap_or(Err(InvokeError::Stopped))
    }

    /// Every live function process: the function's name and the process id
    pub fn live(&self) -> Vec<(String, u32)> {
        let processes = lock(&self.inner.processes);
        let mut live: Vec<_> =
            processes.values().map(|process| (process.function.clone(), process.pid)).collect();
        live.sort_unstable();
        live
    }

    /// Kills a function process with SIGKILL, to see what that does; false if it is none of ours
    pub fn kill(&self, pid: u32) -> bool {
        let processes = lock(&self.inner.processes);
        let process = processes.values().find(|process| process.pid == pid);
        process.inspect(|process| process.kill()).is_some()
    }

    /// Ends every function process and the server; the port is free again when this returns
    pub async fn stop(&self) {
        self.set_functions(Vec::new());
        let processes: Vec<_> = lock(&self.inner.processes).values().cloned().collect();
        for process in &processes {
            process.kill();
        }
        for process in &processes {
            process.ended().await;
        }
        let tasks = std::mem::take(&mut *lock(&self.inner.tasks));
        for task in tasks {
            task.abort();
            drop(task.await);
        }
    }
}

impl Inner {
    fn function(&self, spec: FunctionSpec) -> Function {
        let log = log::LogFile::new(self.options.logs.join(format!("{}.log", spec.name)));
        Function { spec, running: Semaphore::new(self.options.max_per_function), idle: Mutex::default(), log }
    }

    /// Keeps `process` for the next invocation of `function`, and ends the one longest idle if there are too many
    fn keep(&self, function: &Arc<Function>, process: Arc<Process>) {
        let current = lock(&self.functions).get(&function.spec.name).cloned();
        if !current.is_some_and(|current| Arc::ptr_eq(&current, function)) {
            process.kill();
            return;
        }
        lock(&function.idle).push((process, Instant::now()));
        let functions: Vec<_> = lock(&self.functions).values().cloned().collect();
        let count: usize = functions.iter().map(|function| lock(&function.idle).len()).sum();
        if count > self.options.max_idle {
            let since = |function: &Arc<Function>| lock(&function.idle).first().map(|(_, since)| *since);
            let oldest = functions
                .iter()
                .filter(|function| since(function).is_some())
                .min_by_key(|function| since(function));
            if let Some(function) = oldest {
                function.end_first_idle();
            }
        }
    }
}

impl Function {
    fn end_idle(&self) {
        for (process, _) in lock(&self.idle).drain(..) {
            process.kill();
        }
    }

    fn end_first_idle(&self) {
        let mut idle = lock(&self.idle);
        if !idle.is_empty() {
            idle.remove(0).0.kill();
        }
    }

    fn end_idle_since(&self, limit: Duration) {
        lock(&self.idle).retain(|(process, since)| {
            let keep = since.elapsed() < limit;
            if !keep {
                process.kill();
            }
            keep
        });
    }
}

/// Ends processes that have had nothing to do for long, until the host is gone
async fn reap(host: std::sync::Weak<Inner>) {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let Some(inner) = host.upgrade() else { return };
        let functions: Vec<_> = lock(&inner.functions).values().cloned().collect();
        for function in functions {
            function.end_idle_since(inner.options.idle);
        }
    }
}

/// A lock whose former holder panicked still guards consistent data: every change under it is one step
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
