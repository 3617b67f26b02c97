//! Other processes: which is which, and how to end one that is certainly ours
//!
//! A process id alone proves nothing, since the system gives ids out again. Whatever is to be ended
//! later is started with a random mark in its arguments, and is only touched while it still shows it.

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// A mark that no other process has
pub fn new_mark() -> String {
    let mut bytes = [0; 12];
    // A system without random numbers still keeps two running processes apart by their ids.
    if getrandom::fill(&mut bytes).is_err() {
        bytes[..4].copy_from_slice(&std::process::id().to_be_bytes());
    }
    hex::encode(bytes)
}

/// Whether process `pid` is alive and shows `mark` in its arguments
///
/// A dead child that nobody has collected shows no arguments and counts as dead.
pub fn shows(pid: u32, mark: &str) -> bool {
    arguments(pid).is_some_and(|arguments| arguments.contains(mark))
}

fn arguments(pid: u32) -> Option<String> {
    if cfg!(target_os = "linux") {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        return Some(String::from_utf8_lossy(&bytes).replace('\0', " "));
    }
    let ps = Command::new("ps")
        .args(["-ww", "-o", "command=", "-p", &pid.to_string()])
        .stderr(Stdio::null())
        .output();
    ps.ok().map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The children of process `pid`, each with the program that it runs
pub fn children(pid: u32) -> Vec<(u32, String)> {
    let listed = Command::new("ps").args(["-A", "-o", "pid=,ppid=,command="]).stderr(Stdio::null()).output();
    match listed {
        Ok(listed) if listed.status.success() && !listed.stdout.is_empty() => {
            let text = String::from_utf8_lossy(&listed.stdout).into_owned();
            text.lines().filter_map(|line| child(line, pid)).collect()
        }
        Ok(_) | Err(_) => children_in_proc(pid),
    }
}

/// One line of `ps`, if it is a child of `parent`
fn child(line: &str, parent: u32) -> Option<(u32, String)> {
    let mut words = line.split_whitespace();
    let (pid, of) = (words.next()?.parse().ok()?, words.next()?.parse::<u32>().ok()?);
    (of == parent).then_some((pid, words.next()?.to_owned()))
}

/// The same where there is no `ps`
fn children_in_proc(parent: u32) -> Vec<(u32, String)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name in parentheses may hold anything; state and parent come after it.
        let own: u32 = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        let program = arguments(pid)?.split(' ').next()?.to_owned();
        (own == parent).then_some((pid, program))
    };
    entries.filter_map(of).collect()
}

/// Ends the process and its group, kindly at first, if it still shows `mark`; true if it is gone
pub async fn end(pid: u32, mark: &str, patience: Duration) -> bool {
    for signal in [Signal::TERM, Signal::KILL] {
        if !shows(pid, mark) {
            return true;
        }
        send_group(pid, signal);
        if tokio::time::timeout(patience, gone(pid, mark)).await.is_ok() {
            return true;
        }
    }
    !shows(pid, mark)
}

/// Waits until the process no longer shows `mark`
pub async fn gone(pid: u32, mark: &str) {
    while shows(pid, mark) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Signals the group led by `pid`
fn send_group(pid: u32, signal: Signal) {
    if let Some(pid) = to_pid(pid) {
        let _ = kill_process_group(pid, signal);
    }
}

/// Kills a process at once
pub fn kill(pid: u32) {
    if let Some(pid) = to_pid(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Whether there is a process `pid` that has not ended, whichever it is
pub fn exists(pid: u32) -> bool {
    arguments(pid).is_some_and(|arguments| !arguments.is_empty())
}

/// Asks a process to end
pub fn terminate(pid: u32) {
    if let Some(pid) = to_pid(pid) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;

    use super::*;

    #[test]
    fn children_are_found_with_their_programs() {
        let mut child = Command::new("sh").args(["-c", "read _"]).stdin(Stdio::piped()).spawn().unwrap();
        let is_it = |(pid, program): &(u32, String)| *pid == child.id() && program.ends_with("sh");
        assert!(children(std::process::id()).iter().any(is_it));
        if cfg!(target_os = "linux") {
            assert!(children_in_proc(std::process::id()).iter().any(is_it));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn only_a_process_with_the_mark_is_ended() {
        let mark = new_mark();
        let mut child = Command::new("sh")
            .args(["-c", "read _", &mark])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        while !shows(child.id(), &mark) {
            tokio::task::yield_now().await;
        }
        assert!(end(child.id(), "another mark", Duration::from_secs(5)).await);
        assert!(child.try_wait().unwrap().is_none(), "it was not ours to end");
        assert!(end(child.id(), &mark, Duration::from_secs(5)).await);
        assert!(!child.wait().unwrap().success());
    }
}
