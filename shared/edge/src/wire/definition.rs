//! The definition: plans of its changes, and their applies

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::{canonical::Digest, definition::plan::DefinitionPlan, id::PlanId};

/// `POST /v1/definition/applies`: starts the operation that makes a plan of changes true
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct DefinitionApplyCreate {
    /// The plan, as `POST /v1/definition/plans` answered it
    pub plan_id: PlanId,
}

/// `POST /v1/definition/plans`: asks what an uploaded definition would change
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct DefinitionPlanCreate {
    /// The digest of the bundle, as it was uploaded
    pub definition: Digest,
}

/// What would change
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct DefinitionPlanView {
    /// What `POST /v1/definition/applies` takes; absent where nothing would change or something stands in the way
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
    /// What would change, and how
    pub changes: DefinitionPlan,
}
