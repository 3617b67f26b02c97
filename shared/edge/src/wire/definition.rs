//! The definition: plans of its changes, and their applies

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::id::PlanId;

/// `POST /v1/definition/applies`: starts the operation that makes a plan of changes true
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct DefinitionApplyCreate {
    /// The plan, as `POST /v1/definition/plans` answered it
    pub plan_id: PlanId,
}
