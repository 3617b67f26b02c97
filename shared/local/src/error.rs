//! What can go wrong on this machine, each with what to do about it

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A failure of the local stack, worded for the person at the terminal
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// There is no Python, or only an old one
    #[error("Python 3.10 or later with `venv` is needed for the local emulator: {found}\n  {install}")]
    NoPython {
        /// What was found instead
        found: String,
        /// The command that installs it here
        install: &'static str,
    },
    /// The emulator could not be installed
    #[error("the emulator could not be installed into `{venv}`:\n{output}")]
    Install {
        /// Where it was to be installed
        venv: PathBuf,
        /// The end of what the installer said
        output: String,
    },
    /// The emulator did not start, or not in time
    #[error("the emulator did not start: {reason}\n  its log: {log}")]
    EmulatorStart {
        /// Why
        reason: String,
        /// Where it says more
        log: PathBuf,
    },
    /// The emulator ended while the stack was up; its state went with it
    #[error(
        "the emulator (process {pid}) died: everything in the stack is lost, since it keeps its state in memory\n  its log: {log}\n  start again with `weir-local up`"
    )]
    EmulatorDied {
        /// Which process it was
        pid: u32,
        /// Where it says more
        log: PathBuf,
    },
    /// The endpoint given does not answer
    #[error("nothing that speaks the AWS API answers at `{url}`: {reason}")]
    Endpoint {
        /// As it was given
        url: String,
        /// What was tried
        reason: String,
    },
    /// Another `weir-local` has the folder
    #[error(
        "a weir-local is already running here: {holder}\n  stop it with `weir-local down`, or use another folder with `--dir`"
    )]
    AlreadyRunning {
        /// Its process and its address, as far as known
        holder: String,
    },
    /// Somebody else listens on the port
    #[error("port {} is taken by another program: choose another with `--port`, or leave it out for a free one", .address.port())]
    PortTaken {
        /// The address that was wanted
        address: SocketAddr,
    },
    /// Cargo could not build the functions
    #[error("the functions could not be built ({status}): see the compiler's messages above")]
    Build {
        /// How cargo ended
        status: String,
    },
    /// A binary that the workspace should have is missing
    #[error("the build made no binary `{name}`")]
    NoBinary {
        /// Which
        name: String,
    },
    /// The template can not be read
    #[error("`{path}` can not be used: {reason}")]
    Template {
        /// Where it is
        path: PathBuf,
        /// What is wrong with it
        reason: String,
    },
    /// CloudFormation refused or failed
    #[error("the stack `{stack}` could not be deployed: {reason}")]
    Deploy {
        /// Which stack
        stack: String,
        /// The first resource that failed and why, or the refusal
        reason: String,
    },
    /// A call to the endpoint failed
    #[error("{call} failed: {reason}")]
    Call {
        /// Which call
        call: String,
        /// What came back
        reason: String,
    },
    /// There is no such function or log
    #[error("there is no log of `{name}` in {folder}: known are {known}")]
    NoLog {
        /// As it was asked for
        name: String,
        /// Where logs are
        folder: PathBuf,
        /// Which there are
        known: String,
    },
    /// The story went wrong
    #[error("{0}")]
    Story(String),
    /// The machine refused
    #[error("{what}: {cause}")]
    Io {
        /// What was being done
        what: String,
        /// Why it could not be
        #[source]
        cause: std::io::Error,
    },
}

/// What the local stack gives back
pub type Result<T> = std::result::Result<T, LocalError>;

/// Says what was being done when the machine refused
pub trait Doing<T> {
    /// With the words of `what`
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
    /// With a path
    fn at(self, verb: &str, path: &Path) -> Result<T>
    where
        Self: Sized,
    {
        self.doing(|| format!("{verb} `{}`", path.display()))
    }
}

impl<T, E: Into<std::io::Error>> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| LocalError::Io { what: what(), cause: cause.into() })
    }
}
