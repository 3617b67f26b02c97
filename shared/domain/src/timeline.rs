//! The timeline of an operation: append-only

use crate::{actor::Actor, id::EventId, plan::NodeId, time::Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How much an event matters
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be
    Info,
    /// Not as hoped
    Warn,
    /// Something failed
    Error,
}

/// Something that happened to an operation
///
/// What commands did is written with them, in their transaction. What nodes did stands on the nodes' items
/// and is merged in when the timeline is read, so that moving a node costs no write more than the move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineEvent {
    /// What it is called everywhere; sorts by time
    pub id: EventId,
    /// When
    pub ts: Time,
    /// How much it matters
    pub level: Level,
    /// What, as `noun.verb`
    pub event: String,
    /// The same for people
    pub message: String,
    /// Which node it happened to, if to one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<NodeId>,
    /// Who did it, if somebody did
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// What else is worth knowing
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub meta: Value,
}
