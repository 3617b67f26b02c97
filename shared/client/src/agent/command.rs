//! `command.run` and `verify.command`: runs what the owner of this machine has allowed, and nothing else
//!
//! A task names a command; what that runs is said here, by `--allow-command`. The control plane can neither name a
//! program nor, unless it is let, add arguments or set variables. A command is a process group that does not outlive
//! its task: it is killed when it takes too long, when it is cancelled, and by the next agent if this one is killed.

use crate::agent::{
    files::{self, FileError},
    log::TaskLog,
    service::{self, LAUNCH},
    site::Site,
};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader},
    process::Command,
};
use weir_domain::{id::TaskId, sanitise::sanitise};
use weir_edge::wire::task::CommandInput;

/// What a command says of itself to be tried again (`EX_TEMPFAIL` of sysexits)
const TRY_AGAIN: i32 = 75;

/// How much of what a command prints is kept
const PRINTED_MAX: usize = 32 * 1024;

/// The longest line that is read at once
const LINE_MAX: u64 = 8 * 1024;

/// How long what a command has printed is read on after it has ended
const READ_ON: Duration = Duration::from_secs(2);

/// One command that may be run
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedCommand {
    /// What tasks call it
    pub name: String,
    /// Program and arguments
    pub line: Vec<String>,
    /// Whether tasks may add arguments
    pub open: bool,
}

impl std::str::FromStr for AllowedCommand {
    type Err = String;
    /// `smoke=/opt/smoke --fast`, and `smoke=/opt/smoke --fast ...` where tasks may add arguments
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not NAME=PROGRAM, with its arguments and at last `...` if tasks may add some"
            )
        };
        let (name, line) = text.split_once('=').ok_or_else(wrong)?;
        let mut line: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let open = line.last().is_some_and(|last| last == "...");
        if open {
            line.pop();
        }
        if name.is_empty() || !line.first().is_some_and(|program| program.starts_with('/')) {
            return Err(format!("{}; the program is an absolute path", wrong()));
        }
        Ok(Self { name: name.to_owned(), line, open })
    }
}

/// What the owner of this machine allows tasks to run
#[derive(Debug, Clone, Default)]
pub struct CommandSettings {
    /// The commands, by name
    pub allowed: BTreeMap<String, AllowedCommand>,
    /// The variables that tasks may set
    pub variables: BTreeSet<String>,
    /// What commands are given of the agent's own environment
    pub passed_on: Vec<(OsString, OsString)>,
}

/// A command that did not succeed
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The owner has not allowed it
    #[error("`{0}` is not a command that this agent may run (--allow-command)")]
    NotAllowed(String),
    /// The owner has not allowed arguments
    #[error("`{0}` takes no arguments from tasks (`...` at the end of --allow-command)")]
    Arguments(String),
    /// The owner has not allowed the variable
    #[error("`{0}` is not a variable that tasks may set here (--allow-env)")]
    Variable(String),
    /// It could not be started
    #[error(transparent)]
    Disk(#[from] FileError),
    /// It ended with another code than was expected
    #[error("`{name}` exited with {code}")]
    Exited {
        /// Which
        name: String,
        /// Its code
        code: i32,
    },
    /// It was ended by a signal
    #[error("`{0}` was ended by a signal")]
    Signalled(String),
}

impl CommandError {
    /// A stable code
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAllowed(_) | Self::Arguments(_) | Self::Variable(_) => "command_not_allowed",
            Self::Disk(_) => "command_not_started",
            Self::Exited { .. } | Self::Signalled(_) => "command_failed",
        }
    }

    /// Whether another attempt, unchanged, might succeed
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Exited { code, .. } => *code == TRY_AGAIN,
            Self::Signalled(_) | Self::Disk(_) => true,
            Self::NotAllowed(_) | Self::Arguments(_) | Self::Variable(_) => false,
        }
    }
}

impl CommandSettings {
    /// The command line that `input` asks for, if it may
    fn line(&self, input: &CommandInput) -> Result<Vec<String>, CommandError> {
        let allowed = self.allowed.get(&input.command);
        let allowed = allowed.ok_or_else(|| CommandError::NotAllowed(input.command.clone()))?;
        if !input.args.is_empty() && !allowed.open {
            return Err(CommandError::Arguments(input.command.clone()));
        }
        match input.env.keys().find(|name| !self.variables.contains(*name)) {
            Some(name) => Err(CommandError::Variable(name.clone())),
            None => Ok(allowed.line.iter().chain(&input.args).cloned().collect()),
        }
    }
}

/// Runs the command, as often as it is asked to; dropping the future kills it
pub async fn run(
    site: &Site,
    task: (TaskId, u32),
    input: &CommandInput,
    settings: &CommandSettings,
    log: &TaskLog,
) -> Result<(), CommandError> {
    let line = settings.line(input)?;
    let tries = input.attempts.max(1);
    let mut tried = 1;
    loop {
        let ended = once(site, task, input, settings, &line, log).await;
        match ended {
            Err(error) if tried < tries && error.code() == "command_failed" => {
                log.line(format!("{error}; tried {tried} of {tries} times"));
                tokio::time::sleep(Duration::from_secs(input.interval_s)).await;
                tried += 1;
            }
            ended => return ended,
        }
    }
}

async fn once(
    site: &Site,
    (task, attempt): (TaskId, u32),
    input: &CommandInput,
    settings: &CommandSettings,
    line: &[String],
    log: &TaskLog,
) -> Result<(), CommandError> {
    files::make_folder(&site.path("commands"))?;
    let record = Record(site.path("commands").join(format!("{task}-{attempt}.pid")));
    let mut command = Command::new("/bin/sh");
    command.args(["-c", LAUNCH]).arg(&record.0).args(line).current_dir(site.path(""));
    command.env_clear().envs(settings.passed_on.iter().map(|(name, value)| (name, value))).envs(&input.env);
    command.env("WEIR_TARGET", site.target.as_str()).env("WEIR_TASK", task.to_string());
    command.env("WEIR_ATTEMPT", format!("{task}/{attempt}"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let spawned = command.process_group(0).kill_on_drop(true).spawn();
    let mut child = spawned.map_err(FileError::when("run", Path::new("/bin/sh")))?;
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    log.line(format!("started `{}`", input.command));
    let printed = Arc::new(Mutex::new(String::new()));
    let readers = [
        child.stdout.take().map(|out| tokio::spawn(read(out, printed.clone()))),
        child.stderr.take().map(|out| tokio::spawn(read(out, printed.clone()))),
    ];
    let status = child.wait().await.map_err(FileError::when("wait for", Path::new(&input.command)));
    // Whatever it has left behind in its group, which would also hold its output open.
    drop(group);
    for reader in readers.into_iter().flatten() {
        let abort = reader.abort_handle();
        if tokio::time::timeout(READ_ON, reader).await.is_err() {
            abort.abort();
        }
    }
    let printed = printed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    log.block("what it printed", &printed);
    ended(input, status?)
}

fn ended(input: &CommandInput, status: ExitStatus) -> Result<(), CommandError> {
    match status.code() {
        Some(code) if code == 0 && input.expect_exit.is_empty() || input.expect_exit.contains(&code) => {
            Ok(())
        }
        Some(code) => Err(CommandError::Exited { name: input.command.clone(), code }),
        None => Err(CommandError::Signalled(input.command.clone())),
    }
}

/// Keeps the last lines of `out`, without what may be secret
async fn read(out: impl AsyncRead + Unpin, into: Arc<Mutex<String>>) {
    let mut reader = BufReader::new(out);
    loop {
        let mut line = Vec::new();
        match (&mut reader).take(LINE_MAX).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = sanitise(&String::from_utf8_lossy(&line));
        let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_str(&line);
        kept.push('\n');
        let over = kept.len().saturating_sub(PRINTED_MAX);
        let cut = (over..=kept.len()).find(|at| kept.is_char_boundary(*at)).unwrap_or(over);
        kept.drain(..cut);
    }
}

/// A process group that is killed when its owner is dropped
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        // Fails where nobody is left of the group, which is what is wanted.
        let _ = self.0.map(|id| kill_process_group(id, Signal::KILL));
    }
}

/// Which process the command is, for the next agent
struct Record(PathBuf);

impl Drop for Record {
    fn drop(&mut self) {
        // A record that stays names a process that is gone, and is removed at the next start.
        let _ = files::remove(&self.0);
    }
}

/// Kills the commands of an agent that was killed itself: their tasks are given out again
pub fn stop_left_behind(site: &Site) -> Result<(), FileError> {
    let folder = site.path("commands");
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(()) };
    for record in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if service::kill_recorded(&record) {
            tracing::warn!(record = %record.display(), "a command of an agent that is gone was killed");
        }
        files::remove(&record)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> CommandSettings {
        let allowed = ["fixed=/bin/true --now", "open=/bin/echo ..."]
            .map(|text| text.parse::<AllowedCommand>().unwrap());
        CommandSettings {
            allowed: allowed.into_iter().map(|it| (it.name.clone(), it)).collect(),
            variables: BTreeSet::from(["COLOUR".to_owned()]),
            passed_on: Vec::new(),
        }
    }

    fn input(command: &str, args: &[&str], env: &[&str]) -> CommandInput {
        CommandInput {
            command: command.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: env.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect(),
            expect_exit: Vec::new(),
            attempts: 1,
            interval_s: 0,
        }
    }

    #[test]
    fn only_what_the_owner_allowed_is_run() {
        let line = |input: CommandInput| settings().line(&input).map_err(|error| error.code());
        assert_eq!(line(input("fixed", &[], &[])).unwrap(), ["/bin/true", "--now"]);
        assert_eq!(line(input("open", &["a b"], &["COLOUR"])).unwrap(), ["/bin/echo", "a b"]);
        for refused in [
            input("other", &[], &[]),
            input("/bin/true", &[], &[]),
            input("fixed", &["--later"], &[]),
            input("open", &[], &["LD_PRELOAD"]),
        ] {
            assert_eq!(line(refused), Err("command_not_allowed"));
        }
    }

    #[test]
    fn a_command_is_a_name_and_an_absolute_program() {
        for text in ["", "x", "=/bin/true", "x=", "x=true", "x=..."] {
            assert!(text.parse::<AllowedCommand>().is_err(), "{text}");
        }
        let open: AllowedCommand = "x=/bin/a b ...".parse().unwrap();
        assert_eq!((open.line.len(), open.open), (2, true));
    }
}
