//! One node run, as its item holds it

use crate::{
    failure::FailureSummary,
    id::InterventionId,
    plan::{Backoff, Executor, NodeStatus, NodeType, OnFailure},
    time::Millis,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};

/// What the engine has to know of a node's contract to move it, fixed when the node is put
///
/// Names, inputs and everything else stay in the plan's snapshot: each write is billed for the whole item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What kind of node it is
    pub kind: NodeType,
    /// Who executes it
    pub runs: Executor,
    /// What a failure means for its dependents
    pub on_failure: OnFailure,
    /// How many attempts it has at most
    pub attempts: u32,
    /// How long one attempt may take, in seconds
    pub timeout_s: u32,
    /// How long to wait before the next attempt
    pub backoff: Backoff,
    /// How long all attempts together may take, in seconds from the first claim
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_s: Option<u32>,
}

impl Terms {
    /// When the attempts have to be over that begin with a claim at `now`
    pub fn ends_by(&self, now: Millis) -> Option<Millis> {
        self.deadline_s.map(|seconds| now + Millis::from_secs(i64::from(seconds)))
    }
}

/// One attempt that ended without ending the node
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Which attempt
    pub attempt: u32,
    /// When its work began, if it did
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Millis>,
    /// When it ended
    pub ended_at: Millis,
    /// Why it ended
    pub error: FailureSummary,
}

/// One node of one operation: what runs, what it waits for, and who waits for it
///
/// INVARIANT: `succeeded`, `failed` and `skipped` are final: nothing ever leaves them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRun {
    /// The node's number in the operation: fixed when it is appended, never reused
    pub ordinal: u32,
    /// Which segment it belongs to
    pub segment: u32,
    /// What the engine has to know of its contract
    pub terms: Terms,
    /// Where it stands
    pub status: NodeStatus,
    /// The nodes that it still waits for
    pub unmet: BTreeSet<u32>,
    /// The nodes that wait for it
    pub out: BTreeSet<u32>,
    /// Grows with every change of `out`
    pub out_ver: u32,
    /// Every task token that arrived: a set, since an arrival may be repeated with another token
    pub tokens: BTreeSet<String>,
    /// 0 before the first claim; the attempt's id is `op/ordinal/attempt`
    pub attempt: u32,
    /// Until when the holder of the attempt may work without a sign of life
    pub lease_until: Option<Millis>,
    /// The attempt may not start before this
    pub not_before: Option<Millis>,
    /// The attempt must have ended by this
    pub deadline: Option<Millis>,
    /// All attempts must have ended by this
    pub ends_by: Option<Millis>,
    /// The intervention whose inputs its attempts are given
    pub inputs_from: Option<InterventionId>,
    /// Who claimed it
    pub claim_id: Option<String>,
    /// Whose report ended it
    pub result_id: Option<String>,
    /// Who holds the running attempt: an agent's id, or the function that runs the job
    pub holder: Option<String>,
    /// A running node has been asked to stop
    pub cancel: bool,
    /// Its consequences have all been done
    pub closed: bool,
    /// When somebody has to look at it again, if nobody has by then
    pub wake: Option<Millis>,
    /// When it was claimed last
    pub ready_at: Option<Millis>,
    /// When the current attempt began
    pub started_at: Option<Millis>,
    /// When it ended
    pub finished_at: Option<Millis>,
    /// Why it failed or was skipped
    pub error: Option<FailureSummary>,
    /// The attempts that did not end the node
    pub past: Vec<Past>,
    /// When the table may forget it, in whole seconds: only of a node that a patch has not admitted yet
    pub expires_at: Option<Millis>,
}

impl NodeRun {
    /// A node as it is put: pending, waiting for `unmet`
    pub fn new(
        ordinal: u32,
        segment: u32,
        terms: Terms,
        unmet: impl IntoIterator<Item = u32>,
        out: impl IntoIterator<Item = u32>,
    ) -> Self {
        Self {
            ordinal,
            segment,
            terms,
            status: NodeStatus::Pending,
            unmet: unmet.into_iter().collect(),
            out: out.into_iter().collect(),
            out_ver: 0,
            tokens: BTreeSet::new(),
            attempt: 0,
            lease_until: None,
            not_before: None,
            deadline: None,
            ends_by: None,
            inputs_from: None,
            claim_id: None,
            result_id: None,
            holder: None,
            cancel: false,
            closed: false,
            wake: None,
            ready_at: None,
            started_at: None,
            finished_at: None,
            error: None,
            past: Vec::new(),
            expires_at: None,
        }
    }

    /// The same node as a patch puts it: never ready and not a part of the operation until it is admitted
    #[must_use]
    pub fn guarded(mut self, now: Millis) -> Self {
        self.unmet.insert(super::GUARD);
        self.expires_at = Some(Millis::from_secs((now + super::GUARDED_LIFE).0.div_euclid(1_000)));
        self
    }

    /// Whether its dependents may run because of it: it succeeded, its failure is to be passed by, or a person skipped
    /// it, which names the intervention as its result; then its verification, which comes first, has the say
    pub const fn is_satisfying(&self) -> bool {
        match self.status {
            NodeStatus::Succeeded => true,
            NodeStatus::Failed => matches!(self.terms.on_failure, OnFailure::Continue),
            NodeStatus::Pending | NodeStatus::Ready | NodeStatus::Running | NodeStatus::Waiting => false,
            NodeStatus::Skipped => self.result_id.is_some(),
        }
    }

    /// Whether it waits for a person to take it by hand: it is a manual step, or its last attempt has failed
    pub fn awaits_person(&self) -> bool {
        self.status == NodeStatus::Waiting
            && (self.terms.kind == NodeType::Intervention || self.error.is_some())
    }

    /// Whether it waits for the operation that it runs
    pub fn runs_operation(&self) -> bool {
        self.terms.kind == NodeType::SubOperation
            && self.status == NodeStatus::Waiting
            && !self.awaits_person()
    }

    /// Whether a person may have taken it by hand
    pub fn may_be_by_hand(&self) -> bool {
        self.attempt > 0
            && (self.terms.kind == NodeType::Intervention || self.terms.on_failure == OnFailure::Pause)
    }

    /// Whether the time of all its attempts is over
    pub fn is_over(&self, now: Millis) -> bool {
        self.ends_by.is_some_and(|end| end <= now)
    }

    /// How long the attempt that runs may take, from its start; nothing if none runs
    pub fn time_limit(&self) -> Duration {
        let limit = self.deadline.zip(self.started_at).map_or(0, |(end, start)| (end - start).0);
        Duration::from_millis(u64::try_from(limit).unwrap_or(0))
    }

    /// The next attempt: the current one is over, for `error`
    pub(super) fn try_again(&mut self, now: Millis, not_before: Millis, wake: Millis, error: FailureSummary) {
        let (attempt, started_at) = (self.attempt, self.started_at.take());
        self.past.push(Past { attempt, started_at, ended_at: now, error });
        self.status = NodeStatus::Ready;
        self.attempt += 1;
        self.not_before = Some(not_before);
        self.ready_at = Some(now);
        self.wake = Some(wake);
        self.lease_until = None;
        self.deadline = None;
        self.holder = None;
    }

    /// Whether it waits for nothing any more and has not been claimed
    pub fn is_claimable(&self) -> bool {
        self.status == NodeStatus::Pending && self.unmet.is_empty()
    }

    /// Whether it is a job that goes on elsewhere, until somebody calls back; one that failed waits for a person
    pub fn waits_for_callback(&self) -> bool {
        self.status == NodeStatus::Waiting && self.terms.runs == Executor::Job && self.error.is_none()
    }

    /// Whether its wake time has passed
    pub fn is_due(&self, now: Millis) -> bool {
        self.wake.is_some_and(|wake| wake <= now)
    }
}
