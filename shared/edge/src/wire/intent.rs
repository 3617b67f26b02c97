//! Intents: somebody wants something, and it becomes a plan that can be read before it runs

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::{definition::address::Address, id::ReleaseId};

/// An intent as the API shows it
pub use weir_domain::intent::Intent as IntentView;

/// `POST /v1/intents`: asks for a plan; nothing runs before `POST /v1/plans/{plan}/operations`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct IntentCreate {
    /// What is wanted
    pub action: IntentAction,
    /// What it is wanted of: an environment's address
    pub target_resource_id: Address,
    /// What should be so afterwards
    pub desired_result: DesiredResult,
    /// What must hold on the way
    #[serde(default)]
    pub constraints: IntentConstraints,
}

/// What somebody may want
///
/// A rollback is started by the deployment that failed, a change of the definition by its own plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntentAction {
    /// A release on the targets of an environment, through its gates
    Deploy,
    /// The same of a release that came through the environments before
    Promote,
}

/// What should be so when an intent is fulfilled
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct DesiredResult {
    /// The release that should run there
    pub release_id: ReleaseId,
}

/// What must hold on the way to an intent's result
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct IntentConstraints {
    /// The environment where the release has to run already; without it, the one before in the service's order
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_environment: Option<Address>,
}
