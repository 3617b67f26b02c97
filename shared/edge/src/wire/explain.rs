//! Why an operation is not further, and when it could be

use super::operation::{QueuedBehind, Wait};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_domain::{
    failure::FailureSummary,
    id::OperationId,
    operation::{EarliestStart, Held, OperationStatus},
    time::Time,
};

/// `GET /v1/operations/{operation}/explain`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Explanation {
    /// The operation
    pub operation_id: OperationId,
    /// What it is about, for people
    pub title: String,
    /// Where it stands
    pub status: OperationStatus,
    /// When it moved last
    pub since: Time,
    /// What holds it as a whole
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// The resources that it waits for before it begins, each with who has to leave it first
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queued_behind: Vec<QueuedBehind>,
    /// Why it did not succeed, once it has ended
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureSummary>,
    /// Everything that its nodes wait for now
    pub waits: Vec<Obstacle>,
    /// The operations that have to end before it goes on: those before it in the queues that it stands in, those that its
    /// nodes run, those that its gates wait for, and what these wait for in turn. At most 32 of them, four deep
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<OperationAhead>,
    /// When the next piece of work could begin; absent where none is left that could
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<EarliestStart>,
    /// What can be done about it, as commands
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

/// Something that a node waits for, with what has been said and who cannot say it
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Obstacle {
    /// What, who can end it, since when
    #[serde(flatten)]
    pub wait: Wait,
    /// What has been said so far: `bob approved at …`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
    /// Who may not decide, and why: `alice: asked for it …`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<String>,
}

/// An operation that has to end before another one goes on
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct OperationAhead {
    /// The operation
    pub operation_id: OperationId,
    /// What it is about, for people
    pub title: String,
    /// What holds it as a whole
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// It could have ended well at this time at the earliest, were its work done at once; absent where it will not end
    /// well
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Time>,
    /// Only after somebody, or something, has done what it waits for
    #[serde(default)]
    pub after_somebody: bool,
    /// What its nodes wait for now: at most fifty of them
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Obstacle>,
}
