//! Promotions: a release on its way into an environment

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use weir_domain::{
    definition::address::Address,
    delivery::{Promotion, ReleaseViewStatus},
    id::{DeploymentId, ReleaseId},
};

/// `POST /v1/promotions`: asks that a release be brought into an environment
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct PromotionCreate {
    /// Which release
    pub release_id: ReleaseId,
    /// Where to
    pub target_environment_id: Address,
    /// Where it has to run already
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_environment_id: Option<Address>,
    /// Edits of the scenario's template at its editable points: `<node>.<field>` → value
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub customizations: BTreeMap<String, Value>,
}

/// A promotion as the API shows it
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct PromotionView {
    /// Its record; `workflow_run_id` is the operation that carries it out
    #[serde(flatten)]
    pub promotion: Promotion,
    /// Where the release stands in that environment (requirement 001)
    pub release_status: ReleaseViewStatus,
    /// The deployment job that it is carried out by: the operation, seen otherwise
    pub deployment_id: DeploymentId,
}

impl From<Promotion> for PromotionView {
    fn from(promotion: Promotion) -> Self {
        Self {
            release_status: promotion.status.release_view(),
            deployment_id: promotion.workflow_run_id.into(),
            promotion,
        }
    }
}
