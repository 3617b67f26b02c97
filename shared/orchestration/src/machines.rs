//! Step Functions, as the engine needs it: start executions, end task tokens, ask whether one still runs

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use weir_domain::{id::OperationId, plan::NodeStatus, scope::Scope};

/// What the operation machine is started with. State carries ids only: plans may be larger than 256 KiB
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationInput {
    /// Whose
    pub scope: Scope,
    /// Which
    pub operation: OperationId,
}

/// What the segment machine is started with: a pure function of the execution's name, without a time in it
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentInput {
    /// Whose
    pub scope: Scope,
    /// Which operation
    pub operation: OperationId,
    /// Which segment of it
    pub segment: u32,
    /// The nodes of the segment that have a state of their own: all but joins
    pub nodes: Vec<u32>,
    /// By which patch the segment was added
    pub patch: u32,
    /// How often its execution had to be started again
    pub revival: u32,
}

impl SegmentInput {
    /// The execution's name: at most 80 characters, the same for whoever starts it
    pub fn name(&self) -> String {
        format!("{}-s{}-p{}-r{}", self.operation, self.segment, self.patch, self.revival)
    }
}

/// What a node's state is ended with: a function of the node's final item, so that a repetition is the same
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeEnd {
    /// Which node
    pub node: u32,
    /// How it ended
    pub status: NodeStatus,
}

/// What became of a token that was ended
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The state went on
    Accepted,
    /// Nobody waits for the token any more, which is as good
    Gone,
}

/// The service did not answer, or refused for a reason that may pass
#[derive(Debug, thiserror::Error)]
#[error("step functions did not answer")]
pub struct MachinesError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The two state machines
#[async_trait]
pub trait Machines: Send + Sync {
    /// Starts an operation's root execution; one that was started already is left alone
    async fn start_operation(&self, input: &OperationInput) -> Result<(), MachinesError>;

    /// Starts a segment's execution; one that was started already is left alone
    async fn start_segment(&self, input: &SegmentInput) -> Result<(), MachinesError>;

    /// Ends the state that waits for `token` with `output`
    async fn succeed(&self, token: &str, output: &str) -> Result<Sent, MachinesError>;

    /// Whether a segment's execution is still running
    async fn segment_runs(&self, input: &SegmentInput) -> Result<bool, MachinesError>;
}
