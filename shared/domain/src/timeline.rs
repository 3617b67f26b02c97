//! The timeline of an operation: append-only, ordered by time, for people

use crate::{
    id::{EventId, OperationId},
    plan::NodeId,
    time::Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{IntoStaticStr, VariantArray};

/// How much an event matters
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Level {
    /// As expected
    Info,
    /// Worth a look
    Warn,
    /// Something failed
    Error,
}

/// What happened; part of the contract: add, never rename
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TimelineKind {
    /// The operation's record was made
    OperationCreated,
    /// Its first nodes may run
    OperationStarted,
    /// Somebody paused it
    OperationPaused,
    /// Somebody let it go on
    OperationResumed,
    /// Somebody asked that it ends
    OperationCancelRequested,
    /// Somebody changed the plan that it runs
    PlanPatched,
    /// It ended
    OperationEnded,
    /// A node moved
    NodeStatusChanged,
    /// A node is tried again
    NodeRetried,
    /// A gate began to wait
    GateOpened,
    /// Somebody decided at a gate
    GateDecided,
    /// Somebody's decision did not count
    GateDecisionRefused,
    /// A gate does not wait any more
    GateEnded,
    /// A node waits for a person to take it by hand
    InterventionOpened,
    /// Somebody took a node by hand
    InterventionDecided,
    /// A batch of a deployment began
    BatchStarted,
    /// A rollback was started
    RollbackStarted,
    /// A rollback has ended, well or not
    RollbackEnded,
    /// An evidence packet was written
    EvidenceWritten,
}

/// Something that happened in an operation
///
/// It is also an entry of a workflow run's log (requirement 001): `ts`, `level`, `message`, `meta`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineEvent {
    /// Which event; ids sort by time
    pub id: EventId,
    /// When
    pub ts: Time,
    /// In which operation
    pub operation_id: OperationId,
    /// What
    pub kind: TimelineKind,
    /// How much it matters
    pub level: Level,
    /// In words
    pub message: String,
    /// At which node
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<NodeId>,
    /// That node's number
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordinal: Option<u32>,
    /// Who did it, by the actor's id
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<String>,
    /// More, for programs; never a secret
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
}

impl TimelineEvent {
    /// That something as expected happened to a whole operation
    pub fn new(
        id: EventId,
        ts: Time,
        operation_id: OperationId,
        kind: TimelineKind,
        message: impl Into<String>,
    ) -> Self {
        Self {
            id,
            ts,
            operation_id,
            kind,
            level: Level::Info,
            message: message.into(),
            node_id: None,
            ordinal: None,
            actor_id: None,
            meta: Map::new(),
        }
    }

    /// The same, at a node
    #[must_use]
    pub fn at_node(self, ordinal: u32, node_id: NodeId) -> Self {
        Self { ordinal: Some(ordinal), node_id: Some(node_id), ..self }
    }
}
