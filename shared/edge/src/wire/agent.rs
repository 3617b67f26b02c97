//! What an agent and the API say to each other: registration and heartbeats
//!
//! Lengths of time (`*_remaining_ms`) stand beside every limit: the holder of a lease measures from
//! the moment it *sent* its request by its own monotonic clock, so the clocks need not agree. A claim that
//! waited says for how long, and is measured from so much later (ADR 51).
//!
//! Heartbeats and claims carry no `Idempotency-Key`: a heartbeat may be repeated at any time, and the
//! tasks of a claim whose answer was lost come back as another attempt when their lease has passed.
//! Every other `POST` here carries one.

use crate::wire::secret::Secret;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use weir_domain::delivery::AgentStatus;
use weir_domain::{
    canonical::Digest,
    definition::address::Address,
    id::{AgentId, TaskId},
};

/// `POST /v1/agents/tokens`: asks for a token that registers one agent for these targets
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct AgentTokenCreate {
    /// The targets that the agent will serve
    pub targets: Vec<Address>,
}

/// The token, which is shown this once
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct AgentToken {
    /// Registers one agent, once
    pub token: Secret,
    /// When it stops doing so
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub expires_at: Timestamp,
    /// The targets it was made for
    pub targets: Vec<Address>,
}

/// `POST /v1/agents`: spends a registration token
///
/// Its `Idempotency-Key` is derived from the token, so an agent that is killed before it has stored
/// the answer gets the same answer when it asks again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct AgentRegister {
    /// The one-time token
    pub token: Secret,
    /// What people call the agent
    pub name: String,
    /// The agent's version
    pub version: String,
    /// The kinds of task it can do, such as `deploy.host`
    pub capabilities: Vec<String>,
    /// The targets it serves; each must be one that the token was made for
    pub targets: Vec<AgentTarget>,
}

/// One target that an agent serves
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct AgentTarget {
    /// The target's address
    pub target: Address,
    /// Where the service on it answers, for verifications
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
}

/// The registered agent and its credential, which is shown this once
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct AgentRegistered {
    /// The agent as listed
    pub agent: AgentView,
    /// What later requests carry as `Authorization: Bearer …`
    pub credential: Secret,
}

/// `GET /v1/agents`: one agent as listed
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct AgentView {
    /// The agent
    pub id: AgentId,
    /// What people call it
    pub name: String,
    /// Its version
    pub version: String,
    /// The kinds of task it can do
    pub capabilities: Vec<String>,
    /// The targets whose tasks it may claim
    pub targets: Vec<AgentTarget>,
    /// How it is, from its heartbeats
    pub status: AgentStatus,
    /// When it last sent one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_heartbeat: Option<Timestamp>,
    /// When it registered
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: Timestamp,
}

/// One attempt at one task
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct TaskAttempt {
    /// The task
    pub task: TaskId,
    /// Which attempt at it, from 1; every answer and report of another attempt is void
    pub attempt: u32,
}

/// `POST /v1/agents/{id}/heartbeat`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Heartbeat {
    /// How the agent finds itself; never `offline`
    pub status: AgentStatus,
    /// The attempts it is working on, whose leases this renews
    pub tasks: Vec<TaskAttempt>,
    /// What it finds on its targets
    pub targets: Vec<TargetState>,
    /// The kinds of task it can do now; as it registered where it says nothing
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
}

/// What an agent finds on one target
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct TargetState {
    /// The target's address
    pub target: Address,
    /// The release folder that `current` points at
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_digest: Option<Digest>,
    /// The hash of the sticker's content as it lies on disk
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticker_digest: Option<Digest>,
    /// Both compared with what was last put there
    pub sticker: StickerState,
    /// Whether the service runs
    pub service: ServiceState,
}

/// A target's sticker and digest compared with what was last put there
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StickerState {
    /// Nothing was ever put there
    Absent,
    /// As it was put there
    Ok,
    /// Somebody or something else changed it
    Drift,
    /// A task is changing it, or one was cut off and will be done again
    Changing,
}

/// Whether a target's service runs
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// Its process is there
    Running,
    /// It should be and is not
    Stopped,
    /// There is none: nothing was deployed, or the last deployment failed
    Absent,
}

/// The answer to a heartbeat
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct HeartbeatAck {
    /// Attempts to stop at once: their node was asked to stop, or they are no longer current
    pub cancel: Vec<TaskAttempt>,
    /// The leases that were renewed
    pub leases: Vec<Lease>,
}

/// How long one attempt is its agent's
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Lease {
    /// The task
    pub task: TaskId,
    /// Which attempt at it
    pub attempt: u32,
    /// When the lease passes, by the engine's clock: for people
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub lease_until: Timestamp,
    /// The same as a length of time from the answer: what the agent measures
    pub lease_remaining_ms: u64,
}
