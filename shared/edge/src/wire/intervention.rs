//! Interventions: what a person decides of a node that waits for one

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use weir_domain::{canonical::Digest, intervention::InterventionAction};

/// `POST /v1/interventions/{intervention}/decisions`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct InterventionDecide {
    /// What
    pub action: InterventionAction,
    /// Why, in their words; at most 2,000 characters
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// With `replace_inputs`: the inputs that the next attempt is given instead of the plan's, by name; never a secret
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub inputs: Map<String, Value>,
    /// The `graph_hash` of the plan that they were shown: refused where it has changed since
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph_hash: Option<Digest>,
}
