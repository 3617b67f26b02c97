//! How a command ends: exit codes, and the errors that lead to them

use crate::api::ApiError;
use std::{io, path::PathBuf};

/// How a command ended, as scripts see it
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for is done
    Done,
    /// It is not
    Failed,
    /// The command line itself is wrong
    Usage,
    /// `plan --detailed-exitcode`: there is something to apply
    Changes,
    /// `--no-wait`: it waits for somebody
    Waiting,
    /// A rule or a person refused
    Refused,
    /// Somebody pressed Ctrl-C; what was started goes on
    Interrupted,
}

impl Exit {
    /// The process's exit code
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage | Self::Changes => 2,
            Self::Waiting => 3,
            Self::Refused => 4,
            Self::Interrupted => 130,
        }
    }
}

/// What `weir help exit-codes` says
pub const EXIT_CODES: &str = "\
Exit codes

  0    what was asked for is done
  1    it failed: an operation failed or was cancelled, a definition has errors, the server was not reached
  2    the command line is wrong; for `weir plan --detailed-exitcode`: there are changes to apply
  3    it waits for somebody, and `--no-wait` was given
  4    a rule or a person refused: no permission, separation of duties, a rejected gate
  130  interrupted (Ctrl-C); an operation that was started goes on
";

/// The problems by which a rule says no, rather than something being wrong
const REFUSALS: [&str; 4] = ["W0403", "W0412", "W0414", "W0434"];

/// Why a command could not do what was asked
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server refused, or was not reached
    #[error(transparent)]
    Api(Box<ApiError>),
    /// No server was named
    #[error("no server is named: give `--server URL`, set WEIR_SERVER, or write a profile")]
    NoServer,
    /// A value of the command line is wrong in a way that only shows later
    #[error("{0}")]
    Usage(String),
    /// A file cannot be used
    #[error("`{}`: {reason}", path.display())]
    File {
        /// Which
        path: PathBuf,
        /// Why not
        reason: String,
    },
    /// What was read or asked for is not right
    #[error("{0}")]
    Wrong(String),
    /// The output cannot be written
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// That the file at `path` cannot be read or written
    pub fn file(path: impl Into<PathBuf>, error: &io::Error) -> Self {
        Self::File { path: path.into(), reason: error.to_string() }
    }

    /// How the command ends
    pub fn exit(&self) -> Exit {
        match self {
            Self::Api(error) if error.code().is_some_and(|code| REFUSALS.contains(&code)) => Exit::Refused,
            Self::Api(error) if matches!(**error, ApiError::BadServer(_)) => Exit::Usage,
            Self::NoServer | Self::Usage(_) => Exit::Usage,
            // Whoever read our output has seen enough of it.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Api(_) | Self::File { .. } | Self::Wrong(_) | Self::Output(_) => Exit::Failed,
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: &str) -> Failure {
        Failure::from(ApiError::Problem {
            status: 403,
            code: code.to_owned(),
            title: String::new(),
            detail: None,
            request_id: None,
            errors: Vec::new(),
        })
    }

    #[test]
    fn every_end_has_its_code() {
        for (failure, code) in [
            (problem("W0412"), 4),
            (problem("W0409"), 1),
            (Failure::NoServer, 2),
            (ApiError::BadServer(String::new()).into(), 2),
            (ApiError::Unreachable(String::new()).into(), 1),
            (Failure::Usage(String::new()), 2),
            (Failure::Output(io::ErrorKind::BrokenPipe.into()), 0),
            (Failure::Output(io::ErrorKind::StorageFull.into()), 1),
        ] {
            assert_eq!(failure.exit().code(), code, "{failure:?}");
        }
    }
}
