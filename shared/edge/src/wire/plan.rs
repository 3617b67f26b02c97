//! Plans: the concrete graph for one intent

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::{
    id::OperationId,
    plan::{Plan, PlanNode},
};

/// `GET /v1/plans`: a plan without its graph
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct PlanRecord {
    /// The plan's record, with as many to its effective version as its operation has patches
    #[serde(flatten)]
    pub plan: Plan,
    /// The operation that runs it, the last one where it was run more than once; absent before the first
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
}

/// `GET /v1/plans/{plan}`: a plan and its graph
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct PlanView {
    /// The plan's record, with as many to its effective version as its operation has patches
    #[serde(flatten)]
    pub plan: Plan,
    /// The operation that runs it, the last one where it was run more than once; absent before the first
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// Its nodes in topological order, joins included: `graph_hash` is the digest of this list as canonical JSON
    pub graph: Vec<PlanNode>,
    /// The plans of the operations that it runs, each named by `sub_operation_plan_id` of a binding
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sub_operations: Vec<PlanView>,
}
