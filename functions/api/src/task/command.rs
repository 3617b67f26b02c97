//! What a claimed node asks its agent to run

use weir_domain::plan::JobContract;
use weir_edge::wire::task::{COMMAND_RUN, CommandInput, TaskWork, VERIFY_COMMAND};

/// Whether `contract` asks for a command, which puts nothing on the target
pub(super) fn is_command(contract: &JobContract) -> bool {
    matches!(contract.capability.as_str(), COMMAND_RUN | VERIFY_COMMAND)
}

/// The command that `contract` asks for; `None` where it asks for none, or is not one that this version knows
pub(super) fn command(contract: &JobContract) -> Option<TaskWork> {
    let read = || serde_json::from_value::<CommandInput>(contract.inputs.clone().into()).ok();
    match contract.capability.as_str() {
        COMMAND_RUN => read().map(TaskWork::CommandRun),
        VERIFY_COMMAND => read().map(TaskWork::VerifyCommand),
        _ => None,
    }
}
