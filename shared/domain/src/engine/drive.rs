//! What to do about a node, from its item alone
//!
//! Total over every status. The stream, reconcile, resume, cancel and each arrival all ask this one function;
//! a message or a stream record is a hint to ask it, its content is never believed.

use super::{CLOCKS, NodeRun, NodeUpdate, Operation};
use crate::{
    failure::FailureSummary,
    plan::{Executor, NodeStatus, OnFailure},
    time::Millis,
};

/// What a node needs now
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// Nothing unmet: read the operation *after* this look, then claim, skip or leave it
    Claim,
    /// Nobody has started it in time: dispatch the attempt again
    Dispatch,
    /// Its holder fell silent or took too long, or its time is over: end or retry the attempt
    Expire,
    /// It waits for something outside: look whether that has happened
    Look,
    /// It has ended: do its consequences
    Consequences,
    /// Nothing
    Nothing,
}

/// What `node` needs at `now`
pub fn drive(node: &NodeRun, now: Millis) -> Drive {
    match node.status {
        NodeStatus::Pending if node.unmet.is_empty() => Drive::Claim,
        NodeStatus::Pending => Drive::Nothing,
        // Whoever begins it goes by a clock that may be so much behind.
        NodeStatus::Ready if node.is_over(now - CLOCKS) => Drive::Expire,
        NodeStatus::Ready if node.is_due(now) => Drive::Dispatch,
        NodeStatus::Running if node.is_due(now) => Drive::Expire,
        NodeStatus::Waiting => Drive::Look,
        NodeStatus::Ready | NodeStatus::Running => Drive::Nothing,
        NodeStatus::Succeeded | NodeStatus::Failed | NodeStatus::Skipped if node.closed => Drive::Nothing,
        NodeStatus::Succeeded | NodeStatus::Failed | NodeStatus::Skipped => Drive::Consequences,
    }
}

/// Whether the operation lets a claimable node be claimed
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Claim it
    Go,
    /// Not all nodes have been put yet: begin will drive it
    NotYet,
    /// Paused: resume will drive it
    Paused,
    /// Cancelled: skip it
    Cancelled,
}

/// Whether `operation`, read after the node was seen claimable, lets it be claimed
pub const fn claim_allowed(operation: &Operation) -> Hold {
    if !operation.materialised {
        Hold::NotYet
    } else if operation.cancel {
        Hold::Cancelled
    } else if operation.paused {
        Hold::Paused
    } else {
        Hold::Go
    }
}

/// When an attempt that is handed out at `at` is looked at again, unless somebody starts it before
///
/// A message that is lost is sent again soon. A task stands in its target's queue until an agent takes it: only the end
/// of its time has to be noticed.
pub fn look_again(runs: &Executor, ends_by: Option<Millis>, at: Millis) -> Millis {
    match runs {
        Executor::Agent(_) => {
            let later = at + super::AGENT_PATIENCE;
            ends_by.map_or(later, |end| later.min(end + CLOCKS))
        }
        Executor::Job | Executor::Decide | Executor::Join => at + super::DISPATCH_PATIENCE,
    }
}

/// What a failed attempt leads to: another attempt after its backoff, a person, or the node's end
///
/// `jitter` in 0..=1000 spreads retries: up to a quarter of the backoff is taken off.
pub fn after_failure(
    node: &NodeRun,
    error: FailureSummary,
    retryable: bool,
    result_id: String,
    now: Millis,
    jitter: u16,
    lease_seen: Option<Millis>,
) -> NodeUpdate {
    let attempt = node.attempt;
    let wait = Millis::from_secs(i64::from(node.terms.backoff.after_attempt(attempt)));
    let off = wait.0 / 4 * i64::from(jitter.min(1000)) / 1000;
    let not_before = Millis(now.0.saturating_add(wait.0 - off));
    if retryable && attempt < node.terms.attempts && !node.cancel && !node.is_over(not_before) {
        let wake = match &node.terms.runs {
            // Whoever finds it due decides it: there is nobody else to do that.
            Executor::Decide | Executor::Join => not_before,
            runs @ (Executor::Job | Executor::Agent(_)) => look_again(runs, node.ends_by, not_before),
        };
        return NodeUpdate::Retry { attempt, now, not_before, wake, error, lease_seen };
    }
    after_last_failure(node, error, result_id, now, lease_seen)
}

/// What the failure of the last attempt leads to: the node waits for a person if its plan says so, and ends otherwise
pub fn after_last_failure(
    node: &NodeRun,
    error: FailureSummary,
    result_id: String,
    now: Millis,
    lease_seen: Option<Millis>,
) -> NodeUpdate {
    let attempt = node.attempt;
    if node.terms.on_failure == OnFailure::Pause && !node.cancel {
        return NodeUpdate::Suspend { attempt, wake: now + super::CONSEQUENCE_PATIENCE, error, lease_seen };
    }
    let (status, error) = (NodeStatus::Failed, Some(error));
    NodeUpdate::Complete { attempt, status, result_id, now, error, lease_seen }
}
