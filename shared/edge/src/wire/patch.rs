//! Patches: what is appended to a plan while it runs

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::{
    canonical::Digest,
    id::{OperationId, PlanId},
    plan::{PatchChanges, patch::PatchRecord},
};

/// `POST /v1/operations/{operation}/patches`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct PatchCreate {
    /// Why, in the caller's words: for timeline, audit and the patch itself; 1 to 500 characters
    pub reason: String,
    /// What changes
    pub changes: PatchChanges,
}

/// `GET /v1/operations/{operation}/patches`: the chain from the plan to what the operation runs
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Patches {
    /// The operation
    pub operation_id: OperationId,
    /// The plan that it runs
    pub plan_id: PlanId,
    /// The hash of the plan's graph: where the chain begins
    pub graph_hash: Digest,
    /// Where it ends: the same where there are no patches
    pub effective_hash: Digest,
    /// The patches, the first one first
    pub items: Vec<PatchRecord>,
}
