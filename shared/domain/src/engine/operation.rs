//! One operation: what it is, and the part of it that the engine moves

use crate::{
    actor::Actor,
    canonical::Digest,
    definition::address::Address,
    failure::FailureSummary,
    id::{IntentId, OperationId, PlanId, PromotionId, ReleaseId},
    operation::{OperationStatus, OperationType},
    scope::Scope,
    time::Millis,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What an operation is: written once, when it is created
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationInfo {
    /// What it is called everywhere
    pub operation_id: OperationId,
    /// Whose it is
    pub scope: Scope,
    /// What kind of change it makes
    #[serde(rename = "type")]
    pub operation_type: OperationType,
    /// What it executes
    pub plan_id: PlanId,
    /// Why there is a plan
    pub intent_id: IntentId,
    /// Where the plan's snapshot is
    pub graph_hash: Digest,
    /// How many nodes the plan has, joins included
    pub nodes: u32,
    /// How many segments they are stored in
    pub segments: u32,
    /// What makes two operations the same: at most one active operation has it within its scope
    pub run_identity_hash: Digest,
    /// Who started it
    pub actor: Actor,
    /// What it is about, for people: `shop 1.0.0 → production`
    pub title: String,
    /// When it was made
    pub created_at: Millis,
    /// When it must have ended
    pub deadline: Millis,
    /// The promotion that it carries out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<PromotionId>,
    /// The release that it deploys
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_id: Option<ReleaseId>,
    /// The environment that it changes, as an address
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The operation that it takes back
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<OperationId>,
    /// The operation whose undone part it does again
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<OperationId>,
    /// The node of another operation that runs it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentNode>,
    /// The resources that it may not share with any other operation
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub exclusive: BTreeSet<Address>,
    /// What callers may want to know and nobody may be harmed by: never a secret
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
}

/// The attempt of a node that runs an operation
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentNode {
    /// Whose node it is
    pub operation: OperationId,
    /// Which
    pub ordinal: u32,
    /// Which attempt: a further one runs another operation
    pub attempt: u32,
}

/// What an operation runs since it was patched
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effective {
    /// The effective hash of the last patch
    pub graph_hash: Digest,
    /// How many nodes there are, joins and removed ones included
    pub nodes: u32,
    /// The segments that patches have added
    pub segments: BTreeSet<u32>,
}

/// An operation as its item holds it
///
/// INVARIANT: a terminal `status` never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What it is
    pub info: OperationInfo,
    /// Where it stands: `created`, `queued`, `running` or how it ended. What people are shown is computed
    /// from this and the nodes
    pub status: OperationStatus,
    /// No node is claimed
    pub paused: bool,
    /// Who asked for that
    pub paused_by: Option<String>,
    /// When
    pub paused_at: Option<Millis>,
    /// No node is claimed any more, and every open one is ended
    pub cancel: bool,
    /// Who asked for the cancel
    pub cancelled_by: Option<String>,
    /// Why, where nobody has asked for that
    pub cancelled_because: Option<String>,
    /// All nodes have been put
    pub materialised: bool,
    /// The segments that have not finished
    pub open: BTreeSet<u32>,
    /// How many patches have been applied
    pub patch_seq: u32,
    /// How many segments were reserved for patches, those of lost ones included: no number is given twice
    pub reserved: u32,
    /// What it runs since it was patched
    pub effective: Option<Effective>,
    /// How often a segment's execution had to be started again
    pub revivals: u32,
    /// The root execution's task tokens
    pub tokens: BTreeSet<String>,
    /// Each multi-step activity under way; each adds and removes only its own name
    pub todo: BTreeSet<String>,
    /// Everything that follows from its end has been done
    pub finished: bool,
    /// When somebody has to look at it again
    pub wake: Option<Millis>,
    /// When its first node was allowed to run
    pub started_at: Option<Millis>,
    /// When it ended
    pub completed_at: Option<Millis>,
    /// Why it did not succeed
    pub failure_summary: Option<FailureSummary>,
    /// What was counted, by the keys of its type's catalogue; written once, at the end
    pub summary_counts: BTreeMap<String, u64>,
}

impl Operation {
    /// An operation as it is created: to be begun
    pub fn new(info: OperationInfo) -> Self {
        let open = (0..info.segments).collect();
        Self {
            wake: Some(info.created_at + super::TODO_PATIENCE),
            info,
            status: OperationStatus::Created,
            paused: false,
            paused_by: None,
            paused_at: None,
            cancel: false,
            cancelled_by: None,
            cancelled_because: None,
            materialised: false,
            open,
            patch_seq: 0,
            reserved: 0,
            effective: None,
            revivals: 0,
            tokens: BTreeSet::new(),
            todo: BTreeSet::from([super::TODO_BEGIN.to_owned()]),
            finished: false,
            started_at: None,
            completed_at: None,
            failure_summary: None,
            summary_counts: BTreeMap::new(),
        }
    }

    /// The graph that it runs: the plan's, or the effective hash of its last patch
    pub fn graph_hash(&self) -> &Digest {
        self.effective.as_ref().map_or(&self.info.graph_hash, |effective| &effective.graph_hash)
    }

    /// The segments that its nodes are stored in. Those that a lost patch reserved are none of them
    pub fn segments(&self) -> impl Iterator<Item = u32> {
        let added = self.effective.iter().flat_map(|effective| &effective.segments).copied();
        (0..self.info.segments).chain(added)
    }

    /// How many nodes it has, joins and removed ones included
    pub fn nodes(&self) -> u32 {
        self.effective.as_ref().map_or(self.info.nodes, |effective| effective.nodes)
    }

    /// Whether it has not ended
    pub const fn is_active(&self) -> bool {
        !self.status.is_terminal()
    }
}
