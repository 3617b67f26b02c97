//! SQS, as the engine needs it: send a hint. What a message asks for is never believed, only looked up
//!
//! What it says of an attempt's time limits is: the claim of that attempt returned them, and nothing changes them
//! afterwards (ADR 32).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use weir_domain::{
    id::{GateId, OperationId},
    scope::Scope,
    time::Millis,
};

/// One attempt of a node that a function has to run
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Whose
    pub scope: Scope,
    /// Which operation
    pub operation: OperationId,
    /// Which node of it
    pub ordinal: u32,
    /// Which attempt
    pub attempt: u32,
    /// The attempt's time limit in seconds: what the claim returned, and nothing changes any more
    pub timeout_s: u32,
    /// When all attempts together have to have ended, if there is a limit to that
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_by: Option<Millis>,
}

/// Something that people should hear of
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Whose
    pub scope: Scope,
    /// The gate that opened or was decided
    pub gate: GateId,
}

/// The queue did not answer
#[derive(Debug, thiserror::Error)]
#[error("the queue did not answer")]
pub struct QueueError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The two queues
#[async_trait]
pub trait Queues: Send + Sync {
    /// Sends a job, held back for `delay` (at most 900 s)
    async fn send_job(&self, job: &Job, delay: Millis) -> Result<(), QueueError>;

    /// Sends a notice
    async fn send_notice(&self, notice: &Notice) -> Result<(), QueueError>;
}
