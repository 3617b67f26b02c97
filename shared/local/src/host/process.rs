//! One function process and the mailbox through which it gets its work

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::{Function, Inner, lock, runtime_api};
use crate::net::loopback;

/// What a process answers: its result, or the body of its error report
pub(super) type Outcome = std::result::Result<Bytes, Bytes>;

/// One piece of work
#[derive(Debug)]
pub(super) struct Invocation {
    /// Its request id
    pub(super) id: String,
    /// The event, as JSON
    pub(super) event: Bytes,
    /// When it is given up, in milliseconds since the epoch, as the Runtime API tells it
    pub(super) deadline_ms: u128,
}

/// Which build of the artefact a process runs
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Build(Option<(SystemTime, u64)>);

/// A live function process
#[derive(Debug)]
pub(super) struct Process {
    /// The port of its own Runtime API, by which the host knows it
    pub(super) port: u16,
    /// Its process id
    pub(super) pid: u32,
    /// Which function it is
    pub(super) function: String,
    /// From which build
    pub(super) build: Build,
    send: mpsc::Sender<Invocation>,
    inbox: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    current: Mutex<Option<(String, oneshot::Sender<Outcome>)>>,
    init_error: Mutex<Option<Bytes>>,
    taken: AtomicBool,
    doomed: AtomicBool,
    kill: Notify,
    exit: watch::Receiver<Option<String>>,
}

impl Build {
    /// What is on disk now
    pub(super) fn of(artefact: &std::path::Path) -> Self {
        let meta = std::fs::metadata(artefact).ok();
        Self(meta.and_then(|meta| Some((meta.modified().ok()?, meta.len()))))
    }
}

impl Process {
    /// Starts a process of `function`, with a Runtime API of its own
    pub(super) fn spawn(inner: &Arc<Inner>, function: &Arc<Function>) -> std::io::Result<Arc<Self>> {
        let listener = std::net::TcpListener::bind(loopback(0))?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let port = listener.local_addr()?.port();
        let build = Build::of(&function.spec.artefact);
        let mut child = command(function, port).spawn()?;
        let outputs = (child.stdout.take(), child.stderr.take());
        let (stdout_log, stderr_log) = (Arc::clone(function), Arc::clone(function));
        if let (Some(stdout), Some(stderr)) = outputs {
            tokio::spawn(async move { stdout_log.log.copy(stdout).await });
            tokio::spawn(async move { stderr_log.log.copy(stderr).await });
        }
        let (send, inbox) = mpsc::channel(1);
        let (ended, exit) = watch::channel(None);
        let process = Arc::new(Self {
            port,
            pid: child.id().unwrap_or_default(),
            function: function.spec.name.clone(),
            build,
            send,
            inbox: tokio::sync::Mutex::new(inbox),
            current: Mutex::default(),
            init_error: Mutex::default(),
            taken: AtomicBool::new(false),
            doomed: AtomicBool::new(false),
            kill: Notify::new(),
            exit,
        });
        lock(&inner.processes).insert(port, Arc::clone(&process));
        let server = axum::serve(listener, runtime_api::router(Arc::clone(&process)));
        let api = tokio::spawn(async move { drop(server.await) });
        tokio::spawn(watch_child(Arc::clone(inner), Arc::clone(&process), child, ended, api));
        Ok(process)
    }

    /// Gives it one piece of work; it must have none
    pub(super) fn hand(&self, invocation: Invocation) -> oneshot::Receiver<Outcome> {
        let (send, outcome) = oneshot::channel();
        self.taken.store(false, Ordering::SeqCst);
        *lock(&self.current) = Some((invocation.id.clone(), send));
        // Full or closed only if the process is ending, which its waiter sees by `exited`.
        drop(self.send.try_send(invocation));
        outcome
    }

    /// Its next piece of work: what the Runtime API's `next` waits for
    pub(super) async fn next(&self) -> Option<Invocation> {
        let next = self.inbox.lock().await.recv().await;
        self.taken.store(true, Ordering::SeqCst);
        next
    }

    /// Whether it began what it was handed last
    pub(super) fn took_it(&self) -> bool {
        self.taken.load(Ordering::SeqCst)
    }

    /// Ends the invocation `id`; false if that is not what it is working on
    pub(super) fn answer(&self, id: &str, outcome: Outcome) -> bool {
        let mut current = lock(&self.current);
        match current.take() {
            Some((running, send)) if running == id => {
                drop(send.send(outcome));
                true
            }
            other => {
                *current = other;
                false
            }
        }
    }

    /// Remembers why it could not start
    pub(super) fn fail_init(&self, body: Bytes) {
        *lock(&self.init_error) = Some(body);
    }

    /// Why it could not start, as it said itself
    pub(super) fn init_error(&self) -> Option<Bytes> {
        lock(&self.init_error).clone()
    }

    /// Kills it; it is gone soon after, and gets no more work from now on
    pub(super) fn kill(&self) {
        self.doomed.store(true, Ordering::SeqCst);
        self.kill.notify_one();
    }

    /// Whether it has ended, or is about to
    pub(super) fn is_over(&self) -> bool {
        self.doomed.load(Ordering::SeqCst) || self.exit.borrow().is_some()
    }

    /// Waits for its end and says how it ended
    pub(super) async fn ended(&self) -> String {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.ok().and_then(|status| status.clone());
        status.unwrap_or_else(|| "ended".to_owned())
    }
}

/// Owns the child: kills it when asked, and tells everybody when it has ended
async fn watch_child(
    inner: Arc<Inner>,
    process: Arc<Process>,
    mut child: Child,
    ended: watch::Sender<Option<String>>,
    api: JoinHandle<()>,
) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = process.kill.notified() => {
            drop(child.start_kill());
            child.wait().await
        }
    };
    lock(&inner.processes).remove(&process.port);
    api.abort();
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    drop(ended.send(Some(status)));
}

fn command(function: &Function, port: u16) -> Command {
    let spec = &function.spec;
    let mut command = Command::new(&spec.artefact);
    command.env_clear().envs(&spec.environment);
    command.envs([
        ("_HANDLER", spec.handler.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.name.as_str()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
        ("LANG", "C.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("TZ", ":UTC"),
    ]);
    command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory_mb.to_string());
    command.env("AWS_LAMBDA_RUNTIME_API", loopback(port).to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: Ctrl-C at the terminal is for weir-local, which ends its functions in order.
    command.process_group(0).kill_on_drop(true);
    command
}

/// Milliseconds since the epoch, `after` from now
#[expect(
    clippy::disallowed_methods,
    reason = "the Runtime API gives functions their deadline as a time of the clock"
)]
pub(super) fn epoch_ms(after: Duration) -> u128 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (now + after).as_millis()
}
