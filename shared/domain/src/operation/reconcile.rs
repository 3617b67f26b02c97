//! Housekeeping: what reconcile found due, why, and what became of it; one pass is one operation run (requirement 003)

use super::{
    kind::OperationType,
    status::OperationStatus,
    summary::count_keys,
    view::{Freshness, RunOutcome, RunStatus},
};
use crate::{
    actor::Actor,
    canonical::{Digest, NotCanonical},
    engine::{Drive, NodeRun, Operation, drive},
    failure::FailureSummary,
    id::OperationId,
    plan::{Executor, NodeStatus},
    scope::Scope,
    time::{Millis, Time},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use strum::{IntoStaticStr, VariantArray};

/// How long a pass is believed to go on: no function that runs one lives longer
pub const PASS_LEASE: Millis = Millis::from_secs(60);

/// Repairs that a pass lists one by one; it counts them all
pub const REPAIRS_MAX: usize = 100;

/// How long a pass is remembered that changed nothing: there may be one each minute
pub const IDLE_PASS_KEPT: Millis = Millis::from_secs(24 * 3_600);

/// The failure of a pass whose holder died
pub const HOLDER_LOST: &str = "holder_lost";

/// Why something was due
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RepairCause {
    /// Whoever ran the attempt fell silent
    LeaseExpired,
    /// The attempt took longer than it may
    AttemptTimedOut,
    /// The time of all attempts, or of the whole operation, is over
    DeadlinePassed,
    /// A node that was asked to stop did not
    CancelOverdue,
    /// Nobody took the attempt up: its dispatch was lost
    DispatchLost,
    /// The node waits for nothing more, and nobody claimed it
    ClaimLost,
    /// The node has ended, and not everybody was told
    ConsequencesLeft,
    /// The node waits for something outside, or for an agent to take it, and is looked at from time to time
    StillWaiting,
    /// An activity of several steps was begun and not finished
    ActivityLeft,
    /// An execution of Step Functions ended without the nodes that it waited for
    ExecutionEnded,
    /// The operation rests, and is looked at from time to time
    CheckIn,
}

/// What became of it
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RepairEffect {
    /// Another attempt follows
    Retried,
    /// The node has failed
    Failed,
    /// It goes on
    Driven,
    /// It is as it should be
    Unchanged,
    /// It could not be driven, and stays due
    NotDriven,
}

impl RepairCause {
    /// Why a node is due at `now`; `None` where it is not any more
    pub fn of_node(node: &NodeRun, now: Millis) -> Option<Self> {
        match drive(node, now) {
            Drive::Claim => Some(Self::ClaimLost),
            Drive::Dispatch if matches!(node.terms.runs, Executor::Agent(_)) => Some(Self::StillWaiting),
            Drive::Dispatch => Some(Self::DispatchLost),
            Drive::Expire if node.cancel => Some(Self::CancelOverdue),
            Drive::Expire if node.is_over(now) => Some(Self::DeadlinePassed),
            Drive::Expire if node.deadline.is_some_and(|deadline| deadline <= now) => {
                Some(Self::AttemptTimedOut)
            }
            Drive::Expire => Some(Self::LeaseExpired),
            Drive::Look => Some(Self::StillWaiting),
            Drive::Consequences => Some(Self::ConsequencesLeft),
            Drive::Nothing => None,
        }
    }

    /// Why an operation was due at `now`, which was `before` and became `after`
    pub fn of_operation(before: &Operation, after: &Operation, now: Millis) -> Self {
        if after.revivals > before.revivals {
            Self::ExecutionEnded
        } else if !before.todo.is_empty() {
            Self::ActivityLeft
        } else if before.is_active() && before.info.deadline <= now {
            Self::DeadlinePassed
        } else {
            Self::CheckIn
        }
    }

    /// The cause as callers know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl RepairEffect {
    /// What became of a node that was `before` and is `after`
    pub fn of_node(cause: RepairCause, before: &NodeRun, after: &NodeRun) -> Self {
        let begun = before.status != NodeStatus::Pending;
        if !before.status.is_terminal() && after.status == NodeStatus::Failed {
            Self::Failed
        } else if begun && after.attempt > before.attempt {
            Self::Retried
        } else if before == after || (cause == RepairCause::StillWaiting && after.status == before.status) {
            Self::Unchanged
        } else {
            Self::Driven
        }
    }

    /// What became of an operation that was `before` and is `after`
    pub fn of_operation(cause: RepairCause, before: &Operation, after: &Operation) -> Self {
        let moved = before.status != after.status || before.open != after.open;
        if cause == RepairCause::CheckIn && !moved { Self::Unchanged } else { Self::Driven }
    }

    /// The effect as callers know it
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One thing that was due
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repair {
    /// Whose operation
    pub scope: Scope,
    /// Which
    pub operation_id: OperationId,
    /// The node of it, by its number; the operation itself where absent
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordinal: Option<u32>,
    /// Why it was due; absent where it could not even be looked at
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<RepairCause>,
    /// What became of it
    pub effect: RepairEffect,
    /// More of that, in words
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// One pass of reconcile, as the run ledger keeps it
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcilePass {
    /// Its id in the run ledger
    pub id: OperationId,
    /// The same for every pass of a workspace: one is active at a time
    pub run_identity_hash: Digest,
    /// Who asked for it
    pub actor: Actor,
    /// `running`, `succeeded` or `failed`
    pub status: OperationStatus,
    /// When it began
    pub started_at: Time,
    /// Until when it is believed to go on
    pub lease_until: Time,
    /// When it ended
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// What it counted, by the keys of its type; written once, at the end
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub summary_counts: BTreeMap<String, u64>,
    /// Why it did not succeed
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_summary: Option<FailureSummary>,
    /// What it found due, those that it changed first
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<Repair>,
    /// How many more it found
    #[serde(default)]
    pub unlisted: u64,
    /// When the table may forget it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forget_at: Option<Time>,
}

impl ReconcilePass {
    /// What makes two passes over `scope` the same
    pub fn identity(scope: &Scope) -> Result<Digest, NotCanonical> {
        Digest::of(&json!({ "type": OperationType::ReconcileAdapterRuns, "scope": scope, "inputs": {} }))
    }

    /// A pass that begins
    pub fn begin(id: OperationId, run_identity_hash: Digest, actor: Actor, now: Millis) -> Self {
        Self {
            id,
            run_identity_hash,
            actor,
            status: OperationStatus::Running,
            started_at: now.into(),
            lease_until: (now + PASS_LEASE).into(),
            completed_at: None,
            summary_counts: BTreeMap::new(),
            failure_summary: None,
            repairs: Vec::new(),
            unlisted: 0,
            forget_at: None,
        }
    }

    /// The pass after it found `repairs`, and left `left` items for the next one
    #[must_use]
    pub fn end(mut self, mut repairs: Vec<Repair>, left: usize, now: Millis) -> Self {
        let count = |wanted: RepairEffect| repairs.iter().filter(|it| it.effect == wanted).count();
        let redriven = repairs.iter().filter(|it| it.ordinal.is_none() && it.effect == RepairEffect::Driven);
        let counted = [
            ("runs_examined", repairs.len()),
            ("runs_retried", count(RepairEffect::Retried)),
            ("runs_failed", count(RepairEffect::Failed)),
            ("operations_redriven", redriven.count()),
        ];
        self.summary_counts =
            count_keys(OperationType::ReconcileAdapterRuns).map(|key| (key.to_owned(), 0)).collect();
        for (key, found) in counted {
            self.summary_counts.insert(key.to_owned(), u64::try_from(found).unwrap_or(u64::MAX));
        }
        let not_driven = count(RepairEffect::NotDriven);
        self.status = if not_driven == 0 { OperationStatus::Succeeded } else { OperationStatus::Failed };
        self.failure_summary = (not_driven > 0).then(|| {
            let message = format!("{not_driven} of {} could not be driven, and stay due", repairs.len());
            FailureSummary::new("not_driven", message)
        });
        let is_idle = repairs.iter().all(|it| it.effect == RepairEffect::Unchanged) && left == 0;
        self.forget_at = is_idle.then(|| (now + IDLE_PASS_KEPT).into());
        repairs.sort_by_key(|it| it.effect == RepairEffect::Unchanged);
        let unlisted = repairs.len().saturating_sub(REPAIRS_MAX) + left;
        repairs.truncate(REPAIRS_MAX);
        self.unlisted = u64::try_from(unlisted).unwrap_or(u64::MAX);
        self.repairs = repairs;
        self.completed_at = Some(now.into());
        self
    }

    /// The pass after its lease ran out: whoever ran it is gone
    #[must_use]
    pub fn lost(self, now: Millis) -> Self {
        let message = "whoever ran the pass fell silent; what it had left to do is due still";
        // What it did it took with it. Every run that has ended counts by its whole catalogue.
        let nothing = count_keys(OperationType::ReconcileAdapterRuns).map(|key| (key.to_owned(), 0));
        Self {
            status: OperationStatus::Failed,
            summary_counts: nothing.collect(),
            failure_summary: Some(FailureSummary::new(HOLDER_LOST, message)),
            completed_at: Some(now.into()),
            ..self
        }
    }

    /// Whether what is known of it is likely to be true still
    pub fn freshness(&self, now: Millis) -> Freshness {
        let lost = self.failure_summary.as_ref().is_some_and(|failure| failure.code == HOLDER_LOST);
        match self.status.run_status() {
            RunStatus::Completed if lost => Freshness::ReconciledFailed,
            RunStatus::Completed => Freshness::Terminal,
            RunStatus::Queued | RunStatus::Running if self.lease_until.millis() <= now => {
                Freshness::LikelyStale
            }
            RunStatus::Queued | RunStatus::Running => Freshness::FreshActive,
        }
    }

    /// How it ended
    pub const fn outcome(&self) -> RunOutcome {
        self.status.run_outcome()
    }
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
