//! The state machines on AWS: the only caller of Step Functions

use crate::machines::{Machines, MachinesError, OperationInput, SegmentInput, Sent};
use async_trait::async_trait;
use aws_sdk_sfn::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        send_task_success::{SendTaskSuccessError, SendTaskSuccessOutput},
        start_execution::StartExecutionError,
    },
    types::ExecutionStatus,
};
use serde::Serialize;

/// The two state machines, by their ARNs
#[derive(Debug)]
pub struct StepFunctions {
    client: Client,
    operation: String,
    segment: String,
}

impl StepFunctions {
    /// The machines `operation` and `segment`, both ARNs
    pub const fn new(client: Client, operation: String, segment: String) -> Self {
        Self { client, operation, segment }
    }

    async fn start(&self, machine: &str, name: String, input: &impl Serialize) -> Result<(), MachinesError> {
        let input = serde_json::to_string(input).map_err(failed)?;
        match self.client.start_execution().state_machine_arn(machine).name(name).input(input).send().await {
            Ok(_) => Ok(()),
            // It *was* started; whether it still runs is another question, which reconcile asks.
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(StartExecutionError::ExecutionAlreadyExists(_))
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(failed(error)),
        }
    }
}

#[async_trait]
impl Machines for StepFunctions {
    async fn start_operation(&self, input: &OperationInput) -> Result<(), MachinesError> {
        self.start(&self.operation, input.operation.to_string(), input).await
    }

    async fn start_segment(&self, input: &SegmentInput) -> Result<(), MachinesError> {
        self.start(&self.segment, input.name(), input).await
    }

    async fn succeed(&self, token: &str, output: &str) -> Result<Sent, MachinesError> {
        sent(self.client.send_task_success().task_token(token).output(output).send().await)
    }

    async fn segment_runs(&self, input: &SegmentInput) -> Result<bool, MachinesError> {
        let arn = format!("{}:{}", self.segment.replace(":stateMachine:", ":execution:"), input.name());
        match self.client.describe_execution().execution_arn(arn).send().await {
            Ok(found) => {
                Ok(matches!(found.status(), ExecutionStatus::Running | ExecutionStatus::PendingRedrive))
            }
            Err(error) if error.as_service_error().is_some_and(|e| e.is_execution_does_not_exist()) => {
                Ok(false)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// What became of a token: where the service could not be asked, or would not listen, it waits still
fn sent<R: std::fmt::Debug + Send + Sync + 'static>(
    answer: Result<SendTaskSuccessOutput, SdkError<SendTaskSuccessError, R>>,
) -> Result<Sent, MachinesError> {
    match answer {
        Ok(_) => Ok(Sent::Accepted),
        Err(error) if is_gone(&error) => Ok(Sent::Gone),
        Err(error) => Err(failed(error)),
    }
}

/// The three answers that mean "nobody waits for this token any more"
fn is_gone<R>(error: &SdkError<SendTaskSuccessError, R>) -> bool {
    let Some(error) = error.as_service_error() else { return false };
    error.is_invalid_token()
        || error.is_task_does_not_exist()
        || error.is_task_timed_out()
        || matches!(error.code(), Some("InvalidToken" | "TaskDoesNotExist" | "TaskTimedOut"))
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> MachinesError {
    MachinesError(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sfn::{
        error::ErrorMetadata,
        types::error::{InvalidOutput, InvalidToken, TaskDoesNotExist, TaskTimedOut},
    };

    #[test]
    fn only_three_answers_mean_that_nobody_waits_any_more() {
        let is_gone = |error: SendTaskSuccessError| match sent(Err(SdkError::service_error(error, ()))) {
            Ok(sent) => sent == Sent::Gone,
            Err(_) => false,
        };
        let called = |code: &str| SendTaskSuccessError::generic(ErrorMetadata::builder().code(code).build());
        assert!(is_gone(SendTaskSuccessError::InvalidToken(InvalidToken::builder().build())));
        assert!(is_gone(SendTaskSuccessError::TaskDoesNotExist(TaskDoesNotExist::builder().build())));
        assert!(is_gone(SendTaskSuccessError::TaskTimedOut(TaskTimedOut::builder().build())));
        for code in ["InvalidToken", "TaskDoesNotExist", "TaskTimedOut"] {
            assert!(is_gone(called(code)), "an emulator says no more than {code}");
        }
        assert!(!is_gone(SendTaskSuccessError::InvalidOutput(InvalidOutput::builder().build())));
        for code in ["ThrottlingException", "ServiceUnavailable", "KmsThrottlingException"] {
            assert!(!is_gone(called(code)), "{code}: the token still waits");
        }
        let silent: SdkError<SendTaskSuccessError, ()> = SdkError::timeout_error("no answer");
        assert!(sent(Err(silent)).is_err());
    }
}
