//! What goes wrong around a demo: each time it is said, the exit code tells, and nothing is left running

#![cfg(test)]

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use serde_json::Value;
use weir_local::{artefacts, process};

/// How long a process may take to get somewhere on a busy machine
const LIMIT: Duration = Duration::from_secs(180);

fn weir_local() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let built = runtime.block_on(artefacts::build(env!("CARGO").as_ref(), &xtask::root())).unwrap();
        built.path("weir-local").unwrap().to_owned()
    })
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(weir_local());
    command.arg("--dir").arg(dir).args(arguments).current_dir(xtask::root());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < LIMIT, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn read(dir: &Path, name: &str) -> Option<Value> {
    serde_json::from_slice(&fs::read(dir.join(name)).ok()?).ok()
}

fn pid(value: &Value) -> Option<u32> {
    value.get("pid")?.as_u64()?.try_into().ok()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A demo that has come so far that all its agents run
struct Demo {
    dir: tempfile::TempDir,
    process: Child,
    emulator: u32,
    agents: Vec<u32>,
    ports: Vec<u16>,
}

impl Demo {
    fn under_way() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let process = command(dir.path(), &["demo", "--stay"]).spawn().unwrap();
        let agents = wait("four agents", || {
            let all = read(dir.path(), "agents.json")?.as_object()?.clone();
            let agents: Vec<_> = all.values().filter_map(pid).collect();
            let ports = all.values().filter_map(|it| it.get("port")?.as_u64()?.try_into().ok()).collect();
            (agents.len() == 4).then_some((agents, ports))
        });
        let emulator = pid(&read(dir.path(), "emulator.json").unwrap()).unwrap();
        let (agents, ports) = agents;
        Self { dir, process, emulator, agents, ports }
    }

    /// Waits until a service answers, so that there is something to be left behind
    fn serving(&self) {
        wait("a service", || self.ports.iter().any(|port| accepts(*port)).then_some(()));
    }

    /// Waits for its end, and looks whether anything of it is still there
    fn ended(self) -> Output {
        let children = process::children(self.process.id());
        let output = self.process.wait_with_output().unwrap();
        for pid in self.agents.iter().copied().chain([self.emulator]) {
            assert!(!process::exists(pid), "process {pid} is left running: {}", told(&output));
        }
        for port in &self.ports {
            assert!(!accepts(*port), "a service is left running on {port}");
        }
        // A function ends when it next asks its host for work.
        for (pid, program) in children {
            let is_left = || process::shows(pid, &program);
            wait("the end of the function processes", || (!is_left()).then_some(()));
        }
        output
    }
}

fn accepts(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[test]
fn a_port_that_is_taken_is_named() {
    let (dir, taken) = (tempfile::tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = taken.local_addr().unwrap().port();
    let output = command(dir.path(), &["demo", "--port", &port.to_string()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains(&format!("port {port} is taken")), "{}", told(&output));
    assert!(!dir.path().join("emulator.json").exists(), "nothing was started");
}

#[test]
fn an_emulator_that_dies_ends_the_demo_and_a_second_demo_is_refused_before() {
    let demo = Demo::under_way();
    let second = command(demo.dir.path(), &["demo"]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(told(&second).contains("already running here"), "{}", told(&second));

    demo.serving();
    process::kill(demo.emulator);
    let output = demo.ended();
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("died: everything in the stack is lost"), "{}", told(&output));
}

#[test]
fn ctrl_c_stops_everything_that_was_started() {
    let demo = Demo::under_way();
    demo.serving();
    let status = Command::new("kill").args(["-INT", &demo.process.id().to_string()]).status().unwrap();
    assert!(status.success());
    let output = demo.ended();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}
