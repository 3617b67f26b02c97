//! Plans: the concrete graph for one intent, immutable once hashed

pub mod graph;
pub mod node;
pub mod patch;
mod record;
pub mod status;

pub use graph::{Graph, GraphError, NodeSeed, Segment, first_ordinal, segment_of};
pub use node::{
    Backoff, Compensation, Executor, Idempotency, JobContract, NodeId, NodeIdError, NodeType, OnFailure,
    PlanNode,
};
pub use patch::{PatchChanges, PatchError, PlanPatch};
pub use record::{
    BindingStatus, Customization, DefinitionContext, DeliveryContext, Plan, PlanContext, PlanSnapshot,
    ResourceBinding, ScenarioContext, ScenarioRef, SnapshotError,
};
pub use status::{NodeCommand, NodeStatus, PlanCommand, PlanStatus};
