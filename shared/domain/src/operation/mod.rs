//! Operations: executions of plans

pub mod explain;
pub mod kind;
pub mod reconcile;
pub mod status;
pub mod summary;
pub mod view;

pub use explain::{EarliestStart, Held, Opens, earliest_end, earliest_start, held};
pub use kind::OperationType;
pub use reconcile::{ReconcilePass, Repair, RepairCause, RepairEffect};
pub use status::{OperationCommand, OperationStatus, Shown, shown_status};
pub use summary::{UnknownCount, check_counts, count_keys, node_counts, target_counts};
pub use view::{
    DeploymentJobCommand, DeploymentJobStatus, DeploymentTaskCommand, DeploymentTaskStatus, Freshness,
    RunOutcome, RunStatus, WorkflowKind,
};
