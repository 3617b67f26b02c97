//! One agent process, its folder and its server; nothing of it is left behind

use crate::{
    server::{Server, TARGET, TOKEN},
    server_http::serve,
};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use weir_client::api::http_client;
use weir_domain::canonical::Digest;

pub struct Rig {
    pub server: Server,
    pub folder: tempfile::TempDir,
    pub port: u16,
    agent: Option<Child>,
}

impl Rig {
    /// A registered agent at work
    pub async fn start(lease: Duration) -> Self {
        let mut rig = Self::idle(lease).await;
        rig.start_agent(&[]);
        rig
    }

    /// Everything but the agent
    pub async fn idle(lease: Duration) -> Self {
        let server = serve(lease).await;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), TOKEN).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { server, folder, port, agent: None }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("site").join(name)
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir-agent"));
        command.args(["--server", &self.server.url, "--name", "stg-1", "--target", TARGET]);
        command.args(["--heartbeat", "100ms", "--poll", "100ms", "--stop-grace", "3s"]);
        command.arg("--dir").arg(self.path("")).args(["--listen-port", &self.port.to_string()]);
        command.arg("--token-file").arg(self.folder.path().join("token"));
        command.stderr(Stdio::from(
            fs::File::options().create(true).append(true).open(self.folder.path().join("agent.log")).unwrap(),
        ));
        command
    }

    pub fn start_agent(&mut self, more: &[&str]) {
        self.agent = Some(self.command().args(more).spawn().unwrap());
    }

    /// Kills the agent, and only it
    pub fn kill_agent(&mut self) {
        let mut agent = self.agent.take().unwrap();
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    /// Asks the agent to end, and waits for it
    pub fn end_agent(&mut self) -> ExitStatus {
        let mut agent = self.agent.take().unwrap();
        kill_process(Pid::from_child(&agent), Signal::TERM).unwrap();
        agent.wait().unwrap()
    }

    /// Waits for the agent to end by itself
    pub fn wait_agent(&mut self) -> ExitStatus {
        self.agent.take().unwrap().wait().unwrap()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("agent.log")).unwrap_or_default()
    }

    /// The service's process, as it recorded itself
    pub fn service(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.path("service.pid")).ok()?;
        Pid::from_raw(text.lines().next()?.parse().ok()?)
    }

    /// Kills the service, and waits until it is gone: a process may outlive its signal on a busy machine
    pub fn kill_service(&self) {
        let Some(id) = self.service() else { return };
        let _ = kill_process_group(id, Signal::KILL);
        let stat = format!("/proc/{}/stat", id.as_raw_nonzero());
        while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the service answers; none where nothing does
    pub async fn answer(&self) -> Option<String> {
        let url = format!("http://127.0.0.1:{}/", self.port).parse().unwrap();
        http_client(&url).unwrap().get(url).send().await.ok()?.text().await.ok()
    }

    /// The release that `current` leads to
    pub fn current(&self) -> Option<Digest> {
        let to = fs::read_link(self.path("current")).ok()?;
        format!("sha256:{}", to.file_name()?.to_str()?).parse().ok()
    }

    /// Waits until `see` sees something outside the server
    pub async fn until<T>(&self, what: &str, mut see: impl AsyncFnMut(&Self) -> Option<T>) -> T {
        let since = Instant::now();
        loop {
            if let Some(seen) = see(self).await {
                return seen;
            }
            assert!(since.elapsed() < Duration::from_secs(60), "waited in vain for {what}:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(agent) = &mut self.agent {
            let _ = agent.kill();
            let _ = agent.wait();
        }
        self.kill_service();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}
