//! What a report says of a task that failed, whatever kind of task it was

use super::{command::CommandError, deploy::DeployError, held::Stop};

/// A task that did not succeed
#[derive(Debug)]
pub struct TaskFailure {
    /// A stable code
    pub code: &'static str,
    /// What happened, for people
    pub message: String,
    /// Whether another attempt, unchanged, might succeed
    pub retryable: bool,
}

impl TaskFailure {
    /// It was stopped, since the control plane wants it no more
    pub fn cancelled() -> Self {
        Self { code: "cancelled", message: Stop::Cancelled.to_string(), retryable: false }
    }
}

impl From<DeployError> for TaskFailure {
    fn from(error: DeployError) -> Self {
        Self { code: error.code(), message: error.to_string(), retryable: error.is_retryable() }
    }
}

impl From<CommandError> for TaskFailure {
    fn from(error: CommandError) -> Self {
        Self { code: error.code(), message: error.to_string(), retryable: error.is_retryable() }
    }
}
