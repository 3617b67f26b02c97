//! Services: what of each was brought where last

use super::workflow::{WorkflowLog, WorkflowRun};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::{
    definition::{address::Address, spec::Adapters},
    delivery::Deployed,
    id::{OperationId, ReleaseId},
    scope::Name,
};

/// A service of the definition, and the latest release of each of its environments
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct ServiceView {
    /// Its address
    pub id: Address,
    /// The tenant; null for the workspace's own
    pub tenant_id: Option<Name>,
    /// As people read it
    pub name: String,
    /// Where its source is
    pub repo: String,
    /// Its deployable parts
    pub components: Vec<Address>,
    /// What deploys it
    pub adapters: Adapters,
    /// Where it may be brought
    pub environments: Vec<ServiceEnvironment>,
}

/// An environment of a service
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct ServiceEnvironment {
    /// The environment
    pub environment_id: Address,
    /// What was brought there last and ended well, if anything
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_release: Option<Deployed>,
}

/// `GET /v1/releases/{release}/timeline`: everything that ran for a release, as one story
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct ReleaseTimeline {
    /// The release
    pub release_id: ReleaseId,
    /// Its runs, the newest first
    pub runs: Vec<WorkflowRun>,
    /// What happened in them, the earliest first
    pub logs: Vec<ReleaseLog>,
}

/// One entry of the timeline of a release
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct ReleaseLog {
    /// In which run
    pub workflow_run_id: OperationId,
    /// What happened
    #[serde(flatten)]
    pub entry: WorkflowLog,
}
