//! Intents: somebody wants something, and it becomes a plan that can be read before it runs

use super::plan::PlanView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use weir_domain::{
    actor::Actor,
    definition::address::{Address, Kind},
    failure::FailureSummary,
    id::{IntentId, PlanId},
    intent::{Intent, IntentStatus},
    planner::Preview,
    time::Time,
};

/// An intent as the API shows it
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct IntentView {
    /// Which intent
    pub id: IntentId,
    /// Who wants it
    pub actor: Actor,
    /// The same, by id alone
    #[serde(default)]
    pub actor_id: String,
    /// What is to be done: `promote`, `rollback`, `apply`
    pub action: String,
    /// To what kind of resource
    pub target_resource_type: Kind,
    /// To which one, by its address
    pub target_resource_id: String,
    /// What should be so afterwards
    #[serde(default)]
    pub desired_result: Map<String, Value>,
    /// Within which limits
    #[serde(default)]
    pub constraints: Map<String, Value>,
    /// The scenario that was asked for by name
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<Address>,
    /// What its template is given
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub inputs: Map<String, Value>,
    /// Where it stands
    pub status: IntentStatus,
    /// The plan for it that is not superseded
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
    /// Why it was rejected
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureSummary>,
    /// When it was said
    pub created_at: Time,
}

impl From<Intent> for IntentView {
    fn from(intent: Intent) -> Self {
        Self {
            id: intent.id,
            actor_id: intent.actor.id.clone(),
            actor: intent.actor,
            action: intent.action,
            target_resource_type: intent.target_resource_type,
            target_resource_id: intent.target_resource_id,
            desired_result: intent.desired_result,
            constraints: intent.constraints,
            scenario: intent.scenario,
            inputs: intent.inputs,
            status: intent.status,
            plan_id: intent.plan_id,
            failure: intent.failure,
            created_at: intent.created_at,
        }
    }
}

/// `POST /v1/intents`: asks for a plan; nothing runs before `POST /v1/plans/{plan}/operations`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct IntentCreate {
    /// What is wanted: an action of a scenario, such as `promote`, or one of your own
    pub action: String,
    /// What kind of resource it is wanted of; what `target_resource_id` says where left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_resource_type: Option<Kind>,
    /// What it is wanted of: a resource's address
    pub target_resource_id: Address,
    /// The scenario that does it; the only one that does where left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<Address>,
    /// What its template is given
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub inputs: Map<String, Value>,
    /// What should be so afterwards; for `deploy` and `promote`, `release_id` says which release should run there
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub desired_result: Map<String, Value>,
    /// What must hold on the way
    #[serde(default)]
    pub constraints: IntentConstraints,
    /// Edits of the template at its editable points: `<node>.<field>` → value
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub customizations: BTreeMap<String, Value>,
}

/// `POST /v1/intents/{intent}/cancel`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct IntentCancel {
    /// Why, in the caller's words: for the audit trail; at most 500 characters
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What `POST /v1/intents` answers
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct IntentPlanned {
    /// The intent; with `?dry_run=true` it was not recorded, and neither was its plan
    #[serde(flatten)]
    pub intent: IntentView,
    /// What would run; only with `?dry_run=true`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanView>,
    /// What that would mean; only with `?dry_run=true`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
}

/// What must hold on the way to an intent's result
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct IntentConstraints {
    /// The environment where the release has to run already; without it, the one before in the service's order
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_environment: Option<Address>,
    /// Labels of the targets that it may be done on
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The region that they are in
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The adapter: a target's type, a provider's type, or `weir` for what is built in
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// The versions of agents that will do: `>=1.2, <2`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}
