//! The service on a target: one process group, which outlives the agent
//!
//! The process records itself (`service.pid`: its id and when it began) *before* it becomes the
//! service, and until it has, it holds a lock (`service.lock`) that whoever looks for it waits for: there is no
//! moment at which a service runs that the next agent would not find.

use crate::agent::{
    files::{self, FileError},
    site::{Deployment, Site},
};
use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Signal, kill_process_group},
};
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tokio::{process::Command, sync::watch};
use weir_domain::canonical::Digest;

/// How often a process that is not our child is looked at
const LOOK: Duration = Duration::from_millis(50);

/// How long a process may take to record itself; it has two lines to write
const RECORDED_WITHIN: Duration = Duration::from_secs(10);

/// Writes who it is, then becomes the service. Beginning is told as `/proc` or `ps` tell it. Its input is the lock,
/// which ends with it.
pub const LAUNCH: &str = r#"
{ echo "$$"; if [ -r "/proc/$$/stat" ]; then cat "/proc/$$/stat"; else ps -o lstart= -p "$$"; fi; } > "$0.new" &&
mv "$0.new" "$0" && exec "$@" < /dev/null
"#;

/// What the agent passes on of its own environment
pub const PASSED_ON: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// A process, and when it began, so that another with the same number is not taken for it
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    id: i32,
    began: String,
}

/// What was started
#[derive(Debug, Serialize, Deserialize)]
struct Started {
    digest: Digest,
    port: u16,
}

/// How a service that this agent started has ended; none while it runs
pub type Ended = watch::Receiver<Option<ExitStatus>>;

/// The release whose service runs on the target
pub fn running(site: &Site) -> Option<Digest> {
    let process = recorded(site)?;
    let started: Started = files::read_json(&site.path("service.json")).ok().flatten()?;
    (is_alive(&process) && started.port == site.port).then_some(started.digest)
}

/// Starts the service of `deployment` from its release's folder
pub fn start(
    site: &Site,
    deployment: &Deployment,
    passed_on: &[(OsString, OsString)],
) -> Result<Ended, FileError> {
    let (record, log) = (site.path("service.pid"), site.path("logs/service.log"));
    files::remove(&record)?;
    files::write_json(
        &site.path("service.json"),
        &Started { digest: deployment.digest.clone(), port: site.port },
    )?;
    if log.exists() {
        files::rename(&log, &site.path("logs/service.log.1"))?;
    }
    let output = OpenOptions::new().create(true).append(true).mode(0o600).open(&log);
    let output = output.map_err(FileError::when("open", &log))?;
    let errors = output.try_clone().map_err(FileError::when("open", &log))?;
    let run = &deployment.run;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", LAUNCH]).arg(&record).args(&run.command);
    command.env_clear().envs(passed_on.iter().map(|(name, value)| (name, value)));
    command.envs(&run.env).envs(run.secret_env.iter().map(|(name, value)| (name, value.expose())));
    command
        .env("PORT", site.port.to_string())
        .env("WEIR_TARGET", site.target.as_str())
        .env("WEIR_COMPONENT", deployment.component.as_str())
        .env("WEIR_RELEASE", deployment.release.to_string())
        .env("WEIR_DIGEST", deployment.digest.as_str());
    command.current_dir(site.release(&deployment.digest));
    let lock = lock_file(site)?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)
        .map_err(|error| FileError::when("lock", &site.path("service.lock"))(error.into()))?;
    command.stdin(Stdio::from(lock)).stdout(output).stderr(errors).process_group(0);
    let mut child = command.spawn().map_err(FileError::when("run", Path::new("/bin/sh")))?;
    let (tell, ended) = watch::channel(None);
    // Somebody has to wait for the child, or it stays as a zombie for as long as the agent lives.
    tokio::spawn(async move { tell.send_replace(child.wait().await.ok()) });
    Ok(ended)
}

/// Waits until a process that was started, by an agent that may be gone, has recorded itself or ended
pub async fn recording(site: &Site) -> Result<(), FileError> {
    let (lock, since) = (lock_file(site)?, Instant::now());
    while flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() && since.elapsed() < RECORDED_WITHIN
    {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// The lock as another holder than any before
fn lock_file(site: &Site) -> Result<File, FileError> {
    let path = site.path("service.lock");
    let file = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(&path);
    file.map_err(FileError::when("open", &path))
}

/// Stops the service, if one runs: asks it, and after `grace` makes it; true where one ran
pub async fn stop(site: &Site, grace: Duration) -> Result<bool, FileError> {
    recording(site).await?;
    let Some(process) = recorded(site).filter(is_alive) else { return Ok(false) };
    signal(&process, Signal::TERM);
    if !is_gone_within(&process, grace).await {
        tracing::warn!(pid = process.id, "the service did not stop when asked, and is killed");
    }
    // Also what the service itself has started, which may outlive it in its group.
    signal(&process, Signal::KILL);
    is_gone_within(&process, Duration::from_secs(5)).await;
    files::remove(&site.path("service.pid"))?;
    Ok(true)
}

/// Kills the process group that recorded itself at `path`; true where it lived
pub fn kill_recorded(path: &Path) -> bool {
    let Some(process) = recorded_at(path).filter(is_alive) else { return false };
    signal(&process, Signal::KILL);
    true
}

async fn is_gone_within(process: &Process, limit: Duration) -> bool {
    let since = Instant::now();
    while is_alive(process) {
        if since.elapsed() > limit {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}

fn signal(process: &Process, signal: Signal) {
    // Fails where the group is gone, which is what was wanted.
    let _ = Pid::from_raw(process.id).map(|id| kill_process_group(id, signal));
}

/// The process that recorded itself
fn recorded(site: &Site) -> Option<Process> {
    recorded_at(&site.path("service.pid"))
}

fn recorded_at(path: &Path) -> Option<Process> {
    let text = fs::read_to_string(path).ok()?;
    let (id, stat) = text.split_once('\n')?;
    let (began, _) = beginning(stat)?;
    Some(Process { id: id.trim().parse().ok()?, began })
}

fn is_alive(process: &Process) -> bool {
    describe(process.id)
        .ok()
        .and_then(|text| beginning(&text))
        .is_some_and(|(began, is_zombie)| began == process.began && !is_zombie)
}

/// What the system says of a process: its line in `/proc`, or when it began
fn describe(id: i32) -> io::Result<String> {
    if cfg!(target_os = "linux") {
        return fs::read_to_string(format!("/proc/{id}/stat"));
    }
    let output = std::process::Command::new("ps").args(["-o", "lstart=", "-p", &id.to_string()]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// When a process began, and whether it has ended without being waited for
fn beginning(text: &str) -> Option<(String, bool)> {
    let text = text.trim();
    // In `/proc` the program's name stands in parentheses and may hold anything; after it come the
    // state and, 19 fields on, the beginning.
    let Some((_, fields)) = text.rsplit_once(") ") else {
        return (!text.is_empty()).then(|| (text.to_owned(), false));
    };
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    Some((fields.nth(18)?.to_owned(), matches!(state, "Z" | "X")))
}

/// The last of what the service printed, at most `max` bytes
pub fn output_tail(site: &Site, max: usize) -> String {
    let bytes = fs::read(site.path("logs/service.log")).unwrap_or_default();
    let tail = bytes.get(bytes.len().saturating_sub(max)..).unwrap_or_default();
    String::from_utf8_lossy(tail).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_by_when_it_began() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
        assert_eq!(beginning(stat), Some(("987654".to_owned(), false)));
        assert_eq!(beginning(&stat.replace(" S ", " Z ")), Some(("987654".to_owned(), true)));
        assert_eq!(
            beginning("Sat Nov 21 02:00:00 2026\n"),
            Some(("Sat Nov 21 02:00:00 2026".to_owned(), false))
        );
        assert_eq!(beginning(""), None);
        let own = i32::try_from(std::process::id()).unwrap();
        let began = beginning(&describe(own).unwrap()).unwrap().0;
        assert!(is_alive(&Process { id: own, began }));
        assert!(!is_alive(&Process { id: own, began: "1".to_owned() }));
    }
}
