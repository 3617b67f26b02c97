//! Every conditional write on a node run: its condition and what it changes
//!
//! This is section 3 of the protocol as one enum with one meaning. The table's `UpdateItem` expressions are
//! compared with it, case by case, by the store's contract tests.

use super::{Refused, node::NodeRun, node_patch::NodePatch};
use crate::{failure::FailureSummary, id::InterventionId, plan::NodeStatus, time::Millis};
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

/// One conditional write on one node run
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
pub enum NodeUpdate {
    /// A task token arrived. No condition but that the node exists
    Arrive {
        /// The token
        token: String,
    },
    /// Somebody takes it upon himself to dispatch the node. Pending, and nothing unmet: both are needed,
    /// since a patch may add a dependency between look and claim
    Claim {
        /// Who claims, so that a winner whose answer was lost recognises itself
        claim_id: String,
        /// Now
        now: Millis,
        /// When to dispatch it again if nobody has started it
        wake: Millis,
        /// When all its attempts must have ended
        ends_by: Option<Millis>,
    },
    /// A node without work of its own (a join) goes straight to its end. Condition as for a claim
    Pass {
        /// Who claims
        claim_id: String,
        /// Now
        now: Millis,
    },
    /// The attempt's work begins. One winner for each attempt
    Start {
        /// Which attempt
        attempt: u32,
        /// Who will do it
        holder: String,
        /// Now; not before the node's `not_before`
        now: Millis,
        /// Until when the holder may work without a sign of life
        lease_until: Millis,
        /// When the attempt must have ended
        deadline: Millis,
    },
    /// The holder lives
    Heartbeat {
        /// Which attempt
        attempt: u32,
        /// Until when it may work now
        lease_until: Millis,
    },
    /// The node waits for something outside: a gate's decision
    Wait {
        /// Which attempt
        attempt: u32,
        /// Now
        now: Millis,
        /// When to look at it again
        wake: Millis,
    },
    /// The last attempt failed, and the node waits for a person instead of failing
    Suspend {
        /// Which attempt
        attempt: u32,
        /// When to see that a person is asked, if that was not done
        wake: Millis,
        /// Why the attempt failed
        error: FailureSummary,
        /// For an expiry: the lease as it was seen, so that a heartbeat in between wins
        lease_seen: Option<Millis>,
    },
    /// A person has it tried once more. A node that was asked to stop cannot come back
    Again {
        /// The attempt that failed
        attempt: u32,
        /// When it was decided
        now: Millis,
        /// When to dispatch it again if nobody has started it
        wake: Millis,
        /// Why the attempt failed
        error: FailureSummary,
        /// The intervention whose inputs the attempt is given
        inputs_from: Option<InterventionId>,
        /// When all further attempts must have ended
        ends_by: Option<Millis>,
    },
    /// Look again later at a node that still waits, or at a dispatch that was sent again
    Snooze {
        /// In which status it was seen
        seen: NodeStatus,
        /// Which attempt
        attempt: u32,
        /// When to look at it again
        wake: Millis,
    },
    /// The attempt failed and there will be another. A node that was asked to stop cannot come back, and one that waits
    /// for a person only by that person's decision
    Retry {
        /// The attempt that failed
        attempt: u32,
        /// Now
        now: Millis,
        /// The next attempt may not start before this
        not_before: Millis,
        /// When to dispatch it again if nobody has started it
        wake: Millis,
        /// Why the attempt failed
        error: FailureSummary,
        /// For an expiry: the lease as it was seen, so that a heartbeat in between wins
        lease_seen: Option<Millis>,
    },
    /// The node ends
    Complete {
        /// Which attempt
        attempt: u32,
        /// How: `succeeded`, `failed` or `skipped`
        status: NodeStatus,
        /// Whose report ends it, so that the same report again is recognised
        result_id: String,
        /// Now
        now: Millis,
        /// Why it failed
        error: Option<FailureSummary>,
        /// For an expiry: the lease as it was seen, so that a heartbeat in between wins
        lease_seen: Option<Millis>,
    },
    /// A dependency ended well. Deleting from a set, so it may be repeated for ever
    Tell {
        /// The dependency
        from: u32,
    },
    /// The node will not run: a dependency failed, or the operation was cancelled before it was claimed
    Skip {
        /// Now
        now: Millis,
        /// Why
        error: FailureSummary,
    },
    /// The operation is cancelled: a node that nobody works on ends at once
    CancelIdle {
        /// In which status it was seen
        seen: NodeStatus,
        /// Which attempt
        attempt: u32,
        /// Now
        now: Millis,
        /// Why
        error: FailureSummary,
    },
    /// The operation is cancelled: whoever works on the node, here or elsewhere, is asked to stop
    CancelRunning {
        /// Which attempt
        attempt: u32,
        /// When the holder's grace ends
        wake: Millis,
    },
    /// All consequences have been done, of the dependents as they were seen
    Close {
        /// The version of `out` that was seen
        out_ver: u32,
    },
    /// A plan patch changes the node
    Patch(NodePatch),
}

impl NodeUpdate {
    /// The node after the update, or `Refused` where its condition does not hold
    pub fn apply(&self, node: &NodeRun) -> Result<NodeRun, Refused> {
        if !self.allows(node) {
            return Err(Refused);
        }
        let mut after = node.clone();
        self.change(&mut after);
        Ok(after)
    }

    /// The same, but for a further attempt that is not to begin before `until`
    pub fn held(mut self, until: Millis) -> Self {
        if let Self::Retry { not_before, wake, .. } = &mut self
            && *not_before < until
        {
            *wake = *wake + (until - *not_before);
            *not_before = until;
        }
        self
    }

    /// The condition
    pub fn allows(&self, node: &NodeRun) -> bool {
        use NodeStatus::{Pending, Ready, Running, Waiting};
        let is = |status| node.status == status;
        match self {
            Self::Arrive { .. } | Self::Tell { .. } => true,
            Self::Claim { .. } | Self::Pass { .. } => node.is_claimable(),
            Self::Start { attempt, now, .. } => {
                is(Ready) && node.attempt == *attempt && node.not_before.is_none_or(|t| t <= *now)
            }
            Self::Heartbeat { attempt, .. } => is(Running) && node.attempt == *attempt,
            Self::CancelRunning { attempt, .. } => {
                (is(Running) || is(Waiting)) && node.attempt == *attempt && node.error.is_none()
            }
            Self::Wait { attempt, .. } => (is(Ready) || is(Running)) && node.attempt == *attempt,
            Self::Snooze { seen, attempt, .. } => {
                is(*seen) && node.attempt == *attempt && !node.status.is_terminal()
            }
            Self::CancelIdle { seen, attempt, .. } => {
                is(*seen) && node.attempt == *attempt && (is(Pending) || is(Ready) || is(Waiting))
            }
            Self::Retry { attempt, lease_seen, .. } => {
                (is(Running) || is(Waiting))
                    && node.attempt == *attempt
                    && !node.cancel
                    && node.error.is_none()
                    && lease_seen.is_none_or(|seen| node.lease_until == Some(seen))
            }
            Self::Suspend { attempt, lease_seen, .. } => {
                (is(Ready) || is(Running) || is(Waiting))
                    && node.attempt == *attempt
                    && !node.cancel
                    && node.error.is_none()
                    && lease_seen.is_none_or(|seen| node.lease_until == Some(seen))
            }
            Self::Again { attempt, .. } => {
                is(Waiting) && node.attempt == *attempt && !node.cancel && node.error.is_some()
            }
            Self::Complete { attempt, lease_seen, .. } => {
                (is(Ready) || is(Running) || is(Waiting))
                    && node.attempt == *attempt
                    && lease_seen.is_none_or(|seen| node.lease_until == Some(seen))
            }
            Self::Skip { .. } => is(Pending),
            Self::Close { out_ver } => node.status.is_terminal() && node.out_ver == *out_ver,
            Self::Patch(patch) => patch.allows(node),
        }
    }

    fn change(&self, node: &mut NodeRun) {
        match self {
            Self::Arrive { token } => {
                node.tokens.insert(token.clone());
            }
            Self::Tell { from } => {
                node.unmet.remove(from);
            }
            Self::Heartbeat { lease_until, .. } => {
                node.lease_until = Some(*lease_until);
                node.wake = Some(*lease_until);
            }
            Self::Snooze { wake, .. } => node.wake = Some(*wake),
            Self::CancelRunning { wake, .. } => {
                node.cancel = true;
                node.wake = Some(*wake);
            }
            Self::Close { .. } => {
                node.closed = true;
                node.wake = None;
            }
            Self::Patch(patch) => patch.change(node),
            Self::Claim { .. }
            | Self::Start { .. }
            | Self::Wait { .. }
            | Self::Suspend { .. }
            | Self::Again { .. }
            | Self::Retry { .. } => self.advance(node),
            Self::Pass { .. } | Self::Complete { .. } | Self::Skip { .. } | Self::CancelIdle { .. } => {
                self.end(node)
            }
        }
    }

    /// The updates that bring a node closer to its end
    fn advance(&self, node: &mut NodeRun) {
        match self {
            Self::Claim { claim_id, now, wake, ends_by } => {
                node.status = NodeStatus::Ready;
                node.attempt += 1;
                node.claim_id = Some(claim_id.clone());
                node.not_before = Some(*now);
                node.ready_at = Some(*now);
                node.wake = Some(*wake);
                node.ends_by = *ends_by;
            }
            Self::Start { holder, now, lease_until, deadline, .. } => {
                node.status = NodeStatus::Running;
                node.holder = Some(holder.clone());
                node.started_at = Some(*now);
                node.lease_until = Some(*lease_until);
                node.deadline = Some(*deadline);
                node.wake = Some(*lease_until);
            }
            Self::Wait { now, wake, .. } => {
                node.status = NodeStatus::Waiting;
                node.started_at = Some(*now);
                node.lease_until = None;
                node.wake = Some(*wake);
            }
            Self::Suspend { wake, error, .. } => {
                node.status = NodeStatus::Waiting;
                node.error = Some(error.clone());
                node.lease_until = None;
                node.wake = Some(*wake);
            }
            Self::Retry { now, not_before, wake, error, .. } => {
                node.try_again(*now, *not_before, *wake, error.clone());
            }
            Self::Again { now, wake, error, inputs_from, ends_by, .. } => {
                node.try_again(*now, *now, *wake, error.clone());
                node.error = None;
                node.inputs_from = inputs_from.or(node.inputs_from);
                node.ends_by = *ends_by;
            }
            Self::Arrive { .. }
            | Self::Pass { .. }
            | Self::Heartbeat { .. }
            | Self::Snooze { .. }
            | Self::Complete { .. }
            | Self::Tell { .. }
            | Self::Skip { .. }
            | Self::CancelIdle { .. }
            | Self::CancelRunning { .. }
            | Self::Close { .. }
            | Self::Patch(_) => {}
        }
    }

    /// The updates after which nothing leaves the node's status any more
    fn end(&self, node: &mut NodeRun) {
        let (status, now, error) = match self {
            Self::Pass { claim_id, now } => {
                node.claim_id = Some(claim_id.clone());
                (NodeStatus::Succeeded, now, None)
            }
            Self::Complete { status, result_id, now, error, .. } => {
                node.result_id = Some(result_id.clone());
                (*status, now, error.clone())
            }
            Self::Skip { now, error } | Self::CancelIdle { now, error, .. } => {
                (NodeStatus::Skipped, now, Some(error.clone()))
            }
            Self::Arrive { .. }
            | Self::Claim { .. }
            | Self::Start { .. }
            | Self::Heartbeat { .. }
            | Self::Wait { .. }
            | Self::Suspend { .. }
            | Self::Again { .. }
            | Self::Snooze { .. }
            | Self::Retry { .. }
            | Self::Tell { .. }
            | Self::CancelRunning { .. }
            | Self::Close { .. }
            | Self::Patch(_) => return,
        };
        node.status = status;
        node.finished_at = Some(*now);
        node.error = error;
        node.wake = Some(*now);
        node.lease_until = None;
    }

    /// Whether the node as it stands now shows that this very update has been carried out: a lost answer
    pub fn is_mine(&self, node: &NodeRun) -> bool {
        match self {
            Self::Claim { claim_id, .. } | Self::Pass { claim_id, .. } => {
                node.claim_id.as_ref() == Some(claim_id)
            }
            Self::Start { attempt, holder, .. } => {
                node.status == NodeStatus::Running
                    && node.attempt == *attempt
                    && node.holder.as_ref() == Some(holder)
            }
            Self::Complete { result_id, .. } => node.result_id.as_ref() == Some(result_id),
            Self::Wait { attempt, .. } => node.status == NodeStatus::Waiting && node.attempt == *attempt,
            Self::Suspend { attempt, error, .. } => {
                node.awaits_person() && node.attempt == *attempt && node.error.as_ref() == Some(error)
            }
            Self::Retry { attempt, now, .. } | Self::Again { attempt, now, .. } => {
                node.past.iter().any(|past| past.attempt == *attempt && past.ended_at == *now)
            }
            Self::Close { .. } => node.closed,
            Self::Skip { .. } | Self::CancelIdle { .. } => node.status == NodeStatus::Skipped,
            Self::Arrive { .. }
            | Self::Heartbeat { .. }
            | Self::Snooze { .. }
            | Self::Tell { .. }
            | Self::CancelRunning { .. }
            | Self::Patch(_) => false,
        }
    }
}
