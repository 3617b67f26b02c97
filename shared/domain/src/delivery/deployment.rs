//! Deployment jobs and tasks (requirement 004): how operations that deploy and their node runs are also seen

use crate::{
    canonical::Digest,
    definition::address::Address,
    id::{AgentId, DeploymentId, PromotionId, ReleaseId, TaskId},
    operation::{DeploymentJobStatus, DeploymentTaskStatus},
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An operation of type deploy, promote or rollback, as a deployment job
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentJob {
    /// Which job; shares its body with the operation's id
    pub id: DeploymentId,
    /// The promotion that it carries out or takes back
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<PromotionId>,
    /// The release
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_id: Option<ReleaseId>,
    /// Where
    pub environment_id: Address,
    /// Where it stands
    pub status: DeploymentJobStatus,
    /// In which order: `rolling`, `all_at_once`
    pub strategy: String,
    /// The digests that it brings
    pub artifacts: Vec<Digest>,
    /// The job that it undoes
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<DeploymentId>,
    /// One for each target and component
    pub tasks: Vec<DeploymentTask>,
    /// When it was made
    pub created_at: Time,
    /// When it ended
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
}

/// A node run that deploys, as a deployment task
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentTask {
    /// Which task
    pub id: TaskId,
    /// Of which job
    pub job_id: DeploymentId,
    /// On which target
    pub target_id: Address,
    /// What is put there
    pub digest: Digest,
    /// Where it stands
    pub status: DeploymentTaskStatus,
    /// The agent that did the last attempt
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// The last lines of what it said
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<String>,
    /// What was there before
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_digest: Option<Digest>,
}
