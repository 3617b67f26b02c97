//! Operations and node runs as the requirements name them: views without storage

use super::{kind::OperationType, status::OperationStatus};
use crate::{plan::NodeStatus, time::Millis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// An active operation that has not moved for this long is probably stuck
pub const STALE_AFTER: Millis = Millis::from_secs(60 * 60);

/// Where an operation run stands (requirement 003)
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RunStatus {
    /// Nothing of it runs yet
    Queued,
    /// It has begun and not ended
    Running,
    /// It has ended
    Completed,
}

/// How an operation run ended (requirement 003)
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RunOutcome {
    /// It has not
    Pending,
    /// Everything was done
    Succeeded,
    /// Something was not
    Failed,
}

/// Whether what is known of an operation run is likely to be true still (requirement 003)
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Freshness {
    /// It moved not long ago, or waits for somebody
    FreshActive,
    /// It should have moved since
    LikelyStale,
    /// Housekeeping ended it
    ReconciledFailed,
    /// It ended
    Terminal,
}

/// What a workflow run brings about (requirement 001)
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, EnumString, IntoStaticStr,
)]
pub enum WorkflowKind {
    /// A release is brought onto targets, or taken back from them
    Deploy,
    /// A release is brought into an environment, through its gates
    Promote,
}

/// Where a deployment job stands (requirement 004)
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DeploymentJobStatus {
    /// Nothing of it runs yet, or it waits for its gates
    Pending,
    /// It runs
    Running,
    /// Every target has the release
    Succeeded,
    /// One has not
    Failed,
    /// Somebody asked that it ends
    Cancelled,
    /// What it did was undone
    RolledBack,
}

/// What happens to a deployment job
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum DeploymentJobCommand {
    /// Its first target begins
    Start,
    /// Every target has the release
    Succeed,
    /// One target has not
    Fail,
    /// It is to end
    Cancel,
    /// A further job gave the targets back what they had
    RollBack,
}

/// Where a deployment task stands (requirement 004)
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DeploymentTaskStatus {
    /// Others come first
    Pending,
    /// An agent of its target may claim it
    Assigned,
    /// An agent does it
    Running,
    /// The target has the release
    Succeeded,
    /// It has not
    Failed,
    /// It was never begun, or was asked to stop
    Cancelled,
    /// The target got back what it had
    RolledBack,
}

/// What happens to a deployment task
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum DeploymentTaskCommand {
    /// It is its turn
    Assign,
    /// An agent begins
    Start,
    /// The agent was lost or failed, and there are attempts left
    Retry,
    /// The target has the release
    Succeed,
    /// It has not
    Fail,
    /// It will not be done
    Cancel,
    /// The target got back what it had
    RollBack,
}

/// What is written as callers know it
macro_rules! words {
    ($($view:ty),+) => {$(
        impl $view {
            /// The word as callers know it
            pub fn as_str(self) -> &'static str {
                self.into()
            }
        }
    )+};
}
words!(RunStatus, RunOutcome, Freshness, WorkflowKind);

impl OperationStatus {
    /// As the run ledger shows it
    pub const fn run_status(self) -> RunStatus {
        match self {
            Self::Created | Self::Queued => RunStatus::Queued,
            Self::Running
            | Self::WaitingGate
            | Self::WaitingIntervention
            | Self::Paused
            | Self::Verifying => RunStatus::Running,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::RolledBack => RunStatus::Completed,
        }
    }

    /// How it ended, as the run ledger shows it
    pub const fn run_outcome(self) -> RunOutcome {
        match self {
            Self::Created
            | Self::Queued
            | Self::Running
            | Self::WaitingGate
            | Self::WaitingIntervention
            | Self::Paused
            | Self::Verifying => RunOutcome::Pending,
            Self::Succeeded => RunOutcome::Succeeded,
            Self::Failed | Self::Cancelled | Self::RolledBack => RunOutcome::Failed,
        }
    }

    /// Whether what is known of it is likely to be true still; `reconciled` says that housekeeping ended it
    ///
    /// This is the status that is shown: `queued` is also one of which nothing runs though it might. Of one that waits
    /// for another operation, or for an agent, the caller says that it has moved now.
    pub fn freshness(self, reconciled: bool, last_moved: Millis, now: Millis) -> Freshness {
        match self {
            Self::Failed | Self::Cancelled if reconciled => Freshness::ReconciledFailed,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::RolledBack => Freshness::Terminal,
            // They wait for somebody.
            Self::WaitingGate | Self::WaitingIntervention | Self::Paused => Freshness::FreshActive,
            Self::Created | Self::Queued | Self::Running | Self::Verifying => {
                if now - last_moved > STALE_AFTER { Freshness::LikelyStale } else { Freshness::FreshActive }
            }
        }
    }

    /// As a deployment job; `undone` says that a rollback of it succeeded
    pub const fn deployment_job(self, undone: bool) -> DeploymentJobStatus {
        match self {
            Self::Created | Self::Queued | Self::WaitingGate => DeploymentJobStatus::Pending,
            Self::Running | Self::WaitingIntervention | Self::Paused | Self::Verifying => {
                DeploymentJobStatus::Running
            }
            Self::RolledBack => DeploymentJobStatus::RolledBack,
            Self::Succeeded | Self::Failed | Self::Cancelled if undone => DeploymentJobStatus::RolledBack,
            Self::Succeeded => DeploymentJobStatus::Succeeded,
            Self::Failed => DeploymentJobStatus::Failed,
            Self::Cancelled => DeploymentJobStatus::Cancelled,
        }
    }
}

impl DeploymentJobStatus {
    /// The status as callers know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The status after `command`, or `None` where the command is not allowed
    pub const fn after(self, command: DeploymentJobCommand) -> Option<Self> {
        use DeploymentJobCommand as C;
        use DeploymentJobStatus::{Cancelled, Failed, Pending, RolledBack, Running, Succeeded};
        match (self, command) {
            (Pending, C::Start) => Some(Running),
            (Running, C::Succeed) => Some(Succeeded),
            (Pending | Running, C::Fail) => Some(Failed),
            (Pending | Running, C::Cancel) => Some(Cancelled),
            (Succeeded | Failed | Cancelled, C::RollBack) => Some(RolledBack),
            (Pending | Running | Succeeded | Failed | Cancelled | RolledBack, _) => None,
        }
    }
}

impl DeploymentTaskStatus {
    /// The status as callers know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The status after `command`, or `None` where the command is not allowed
    pub const fn after(self, command: DeploymentTaskCommand) -> Option<Self> {
        use DeploymentTaskCommand as C;
        use DeploymentTaskStatus::{Assigned, Cancelled, Failed, Pending, RolledBack, Running, Succeeded};
        match (self, command) {
            (Pending, C::Assign) | (Running, C::Retry) => Some(Assigned),
            (Assigned, C::Start) => Some(Running),
            (Running, C::Succeed) => Some(Succeeded),
            (Assigned | Running, C::Fail) => Some(Failed),
            (Pending | Assigned | Running, C::Cancel) => Some(Cancelled),
            (Succeeded | Failed | Cancelled, C::RollBack) => Some(RolledBack),
            (Pending | Assigned | Running | Succeeded | Failed | Cancelled | RolledBack, _) => None,
        }
    }

    /// A node run as a deployment task; `undone` says that a rollback gave the target back what it had
    pub const fn of_node(status: NodeStatus, undone: bool) -> Self {
        match status {
            NodeStatus::Succeeded | NodeStatus::Failed if undone => Self::RolledBack,
            NodeStatus::Pending => Self::Pending,
            NodeStatus::Ready => Self::Assigned,
            NodeStatus::Running | NodeStatus::Waiting => Self::Running,
            NodeStatus::Succeeded => Self::Succeeded,
            NodeStatus::Failed => Self::Failed,
            NodeStatus::Skipped => Self::Cancelled,
        }
    }
}

impl OperationType {
    /// The kind of workflow run that it is (requirement 001), if it is one
    pub const fn workflow_kind(self) -> Option<WorkflowKind> {
        match self {
            Self::Deploy | Self::Rollback => Some(WorkflowKind::Deploy),
            Self::Promote => Some(WorkflowKind::Promote),
            Self::ScenarioRun
            | Self::DefinitionApply
            | Self::PipelineRun
            | Self::AssignmentsFetch
            | Self::AssignmentsRestore
            | Self::ProjectionsRebuild
            | Self::ReconcileAdapterRuns => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    #[test]
    fn transitions_are_these() {
        crate::golden::matrix("deployment-job-transitions.txt", DeploymentJobStatus::after);
        crate::golden::matrix("deployment-task-transitions.txt", DeploymentTaskStatus::after);
    }

    #[test]
    fn views_are_these() {
        let mut views = String::new();
        for status in OperationStatus::VARIANTS {
            let (run, outcome): (&str, &str) = (status.run_status().into(), status.run_outcome().into());
            let (job, undone) = (status.deployment_job(false).as_str(), status.deployment_job(true).as_str());
            writeln!(views, "{:<20} {run:<10} {outcome:<10} {job:<12} {undone}", status.as_str()).unwrap();
        }
        for status in NodeStatus::VARIANTS {
            let task = |undone| DeploymentTaskStatus::of_node(*status, undone).as_str();
            writeln!(views, "{:<20} {:<10} {}", status.as_str(), task(false), task(true)).unwrap();
        }
        crate::golden::check("operation-views.txt", &views);
    }

    #[test]
    fn only_what_should_have_moved_is_stale() {
        let (then, now) = (Millis(0), STALE_AFTER + Millis(1));
        assert_eq!(OperationStatus::Running.freshness(false, then, now), Freshness::LikelyStale);
        assert_eq!(OperationStatus::Running.freshness(false, now, now), Freshness::FreshActive);
        assert_eq!(OperationStatus::WaitingGate.freshness(false, then, now), Freshness::FreshActive);
        assert_eq!(OperationStatus::Queued.freshness(false, then, now), Freshness::LikelyStale);
        assert_eq!(OperationStatus::Queued.freshness(false, now, now), Freshness::FreshActive);
        assert_eq!(OperationStatus::Failed.freshness(true, then, now), Freshness::ReconciledFailed);
        assert_eq!(OperationStatus::Succeeded.freshness(false, then, now), Freshness::Terminal);
    }
}
