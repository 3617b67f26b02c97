//! Plan patches: what is appended to a plan while it runs
//!
//! A plan never changes; patches are appended to it, each naming by its hash what it was made on. So a chain of
//! them is as good as the plan that it makes, can be replayed by anyone from the base graph alone, and does not
//! survive a change of any of its links.

mod apply;
mod diff;
mod error;
mod gated;
#[cfg(test)]
mod gated_tests;
mod reach;
#[cfg(test)]
mod reach_tests;
mod secrets;
#[cfg(test)]
mod tests;
mod work;

use super::{Graph, JobContract, NodeId, OnFailure, PlanNode};
use crate::{
    actor::Actor,
    canonical::{Digest, NotCanonical},
    id::{OperationId, PatchId, PlanId},
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub use apply::{apply, reasked};
pub use diff::{Diff, diff};
pub use error::PatchError;
pub(crate) use reach::PLACES;
pub use reach::{Reach, reaches_out, within_reach};

/// Most items of the table that one patch may touch besides its own: a transaction holds a hundred
pub const TOUCHED_MAX: usize = 96;
/// Most nodes that one patch may add
pub const ADDED_MAX: usize = 400;
/// Most patches of one operation: a process that knows none of them reads them one after the other
pub const PATCHES_MAX: u32 = 100;
/// Longest reason, in characters
pub const REASON_MAX: usize = 500;

/// What a patch changes, in the order in which it is done: remove, add, rewire, change
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct PatchChanges {
    /// Nodes that are appended, each with what it waits for
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<PlanNode>,
    /// Nodes that will not run; what waited for one waits for what that one waited for
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub removed: BTreeSet<NodeId>,
    /// Nodes that wait for others than before
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewired: Vec<Rewired>,
    /// Nodes that are done in another way
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed>,
}

impl PatchChanges {
    /// Whether there is nothing to do
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.rewired.is_empty() && self.changed.is_empty()
    }
}

/// A node that waits for others than before
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Rewired {
    /// Which node
    pub node_id: NodeId,
    /// What it waits for from now on, besides
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub wait_for: BTreeSet<NodeId>,
    /// What it does not wait for any more
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub wait_no_more: BTreeSet<NodeId>,
}

/// A node that is done in another way: what is absent stays
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Changed {
    /// Which node
    pub node_id: NodeId,
    /// What it does, in words
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it asks of who does it, whole
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_contract: Option<JobContract>,
    /// What happens when it fails
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

/// One link of the chain, as it lies in S3 at `plans/<effective_hash>.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct PlanPatch {
    /// The form of this document
    pub format: u32,
    /// The plan that it is appended to
    pub plan_id: PlanId,
    /// The operation that runs it
    pub operation_id: OperationId,
    /// Its number, from 1
    pub sequence: u32,
    /// Who made it
    pub actor: Actor,
    /// Why
    pub reason: String,
    /// What it was made on: the graph's hash, or the effective hash of the patch before
    pub base_hash: Digest,
    /// What it makes: the digest of all the rest of this document, which holds `base_hash`
    pub effective_hash: Digest,
    /// The first segment of the nodes that it adds: forty numbers each
    pub segment: u32,
    /// What it changes
    pub changes: PatchChanges,
    /// When it was made
    pub created_at: Time,
}

/// What the digest of a patch is made over: everything but the digest
#[derive(Serialize)]
struct Linked<'a> {
    format: u32,
    plan_id: PlanId,
    operation_id: OperationId,
    sequence: u32,
    actor: &'a Actor,
    reason: &'a str,
    base_hash: &'a Digest,
    segment: u32,
    changes: &'a PatchChanges,
    created_at: Time,
}

/// Everything of a patch but its digest
#[derive(Debug, Clone, PartialEq)]
pub struct NewPatch {
    /// The plan that it is appended to
    pub plan_id: PlanId,
    /// The operation that runs it
    pub operation_id: OperationId,
    /// Its number, from 1
    pub sequence: u32,
    /// Who made it
    pub actor: Actor,
    /// Why
    pub reason: String,
    /// What it was made on
    pub base_hash: Digest,
    /// The first segment of the nodes that it adds
    pub segment: u32,
    /// What it changes
    pub changes: PatchChanges,
    /// When it was made
    pub created_at: Time,
}

/// One patch as it is listed: the whole of it lies in S3
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct PatchRecord {
    /// Which patch
    pub patch_id: PatchId,
    /// The operation that it was appended to
    pub operation_id: OperationId,
    /// The plan that the operation runs
    pub plan_id: PlanId,
    /// Its number, from 1
    pub sequence: u32,
    /// Who made it
    pub actor: Actor,
    /// Why
    pub reason: String,
    /// What it was made on
    pub base_hash: Digest,
    /// What it makes
    pub effective_hash: Digest,
    /// The nodes that it added, the gates included that have to be opened anew
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<NodeId>,
    /// The nodes that it removed
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<NodeId>,
    /// The nodes that wait for others than before
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewired: Vec<NodeId>,
    /// The nodes that are done in another way; in records of before `rewired`, those that wait for others, too
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<NodeId>,
    /// The gates whose approvals it voided
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voided: Vec<NodeId>,
    /// When it was made
    pub created_at: Time,
}

/// A patch that does not follow from what stands before it
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// It is of a later version
    #[error("the patch has form {0}, which this version does not know")]
    Format(u32),
    /// A patch is missing before it, or it stands there twice
    #[error("the patch has the number {found}, and {expected} was expected")]
    Sequence {
        /// The number that had to come
        expected: u32,
        /// The number that it has
        found: u32,
    },
    /// It was made on something else
    #[error("the patch was made on `{found}`, and what stands before it is `{expected}`")]
    Base {
        /// What stands before it
        expected: Digest,
        /// What it was made on
        found: Digest,
    },
    /// It was changed after it was made
    #[error("the patch says `{expected}` of itself, and is `{found}`")]
    Changed {
        /// What it says
        expected: Digest,
        /// What it is
        found: Digest,
    },
    /// It cannot be applied to what stands before it
    #[error(transparent)]
    Refused(#[from] PatchError),
    /// It cannot be hashed
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

impl PlanPatch {
    /// The form that this version writes; a plan's snapshot has form 1
    pub const FORMAT: u32 = 2;

    /// The patch, with its digest
    pub fn new(new: NewPatch) -> Result<Self, NotCanonical> {
        let mut patch = Self {
            format: Self::FORMAT,
            plan_id: new.plan_id,
            operation_id: new.operation_id,
            sequence: new.sequence,
            actor: new.actor,
            reason: new.reason,
            effective_hash: new.base_hash.clone(),
            base_hash: new.base_hash,
            segment: new.segment,
            changes: new.changes,
            created_at: new.created_at,
        };
        patch.effective_hash = patch.link()?;
        Ok(patch)
    }

    /// `H(base_hash, patch)`: what [`Self::effective_hash`] has to be
    pub fn link(&self) -> Result<Digest, NotCanonical> {
        Digest::of(&Linked {
            format: self.format,
            plan_id: self.plan_id,
            operation_id: self.operation_id,
            sequence: self.sequence,
            actor: &self.actor,
            reason: &self.reason,
            base_hash: &self.base_hash,
            segment: self.segment,
            changes: &self.changes,
            created_at: self.created_at,
        })
    }

    /// The graph after this patch, if it follows from `graph`, which is called `hash` and had `sequence` patches
    pub fn follow(&self, graph: &Graph, hash: &Digest, sequence: u32) -> Result<Graph, ChainError> {
        if self.format != Self::FORMAT {
            return Err(ChainError::Format(self.format));
        }
        if self.sequence != sequence + 1 {
            return Err(ChainError::Sequence { expected: sequence + 1, found: self.sequence });
        }
        if self.base_hash != *hash {
            return Err(ChainError::Base { expected: hash.clone(), found: self.base_hash.clone() });
        }
        let found = self.link()?;
        if found != self.effective_hash {
            return Err(ChainError::Changed { expected: self.effective_hash.clone(), found });
        }
        Ok(apply(graph, &self.changes, self.sequence, self.segment)?)
    }
}

/// The graph and its hash after all of `patches`, in their order
pub fn replay(base: &Graph, patches: &[PlanPatch]) -> Result<(Graph, Digest), ChainError> {
    let mut now = (base.clone(), base.graph_hash()?);
    for (sequence, patch) in (0u32..).zip(patches) {
        now = (patch.follow(&now.0, &now.1, sequence)?, patch.effective_hash.clone());
    }
    Ok(now)
}
