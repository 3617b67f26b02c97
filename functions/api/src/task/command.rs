//! What a claimed node asks its agent to run

use weir_domain::plan::PlanNode;
use weir_edge::wire::task::{COMMAND_RUN, CommandInput, TaskWork, VERIFY_COMMAND};

/// The command that `node` runs; `None` where it runs none, or its contract is not one that this version knows
pub(super) fn command(node: &PlanNode) -> Option<TaskWork> {
    let contract = node.job_contract.as_ref()?;
    let read = || serde_json::from_value::<CommandInput>(contract.inputs.clone().into()).ok();
    match contract.capability.as_str() {
        COMMAND_RUN => read().map(TaskWork::CommandRun),
        VERIFY_COMMAND => read().map(TaskWork::VerifyCommand),
        _ => None,
    }
}
