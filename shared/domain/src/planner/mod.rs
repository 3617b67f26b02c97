//! Planners: what turns an intent into a graph that can be read before it runs
//!
//! A change differs from another only in its planner. All of them are pure: the same request gives the same
//! graph, and so the same hash, wherever and whenever it is planned.

mod definition;
mod delivery;
mod fragment;
mod gates;
#[cfg(test)]
mod tests;

pub use definition::{Approval, DefinitionRequest, plan_definition};
pub use delivery::{DeliveryRequest, Deployable, Planned, RollbackRequest, plan_delivery, plan_rollback};
pub use fragment::Place;
pub use gates::gate_node;

use crate::{
    definition::address::Address,
    gate::GateConfigError,
    plan::{GraphError, NodeId, NodeIdError},
};

/// Asks an agent of the target to put a release's component on it
pub const DEPLOY_HOST: &str = "deploy.host";
/// Asks a target over HTTP how it is
pub const VERIFY_HTTP: &str = "verify.http";
/// Makes one apply group of a definition true
pub const APPLY_GROUP: &str = "definition.apply_group";
/// Writes an evidence packet
pub const EVIDENCE: &str = "weir.evidence";
/// Counts how many targets of the batches so far have failed
pub const BATCH_CHECK: &str = "weir.batch_check";

/// What this version of Weir can do by itself or through its agents
pub const CAPABILITIES: [&str; 5] = [DEPLOY_HOST, VERIFY_HTTP, APPLY_GROUP, EVIDENCE, BATCH_CHECK];

/// Why there is no plan
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The environment has nothing to deploy to
    #[error("`{0}` has no target")]
    NoTargets(Address),
    /// The release has nothing to deploy
    #[error("the release has no component to deploy")]
    NoComponents,
    /// Nothing can do what a node asks for
    #[error("node `{node}` asks for `{capability}`, which nothing provides")]
    Unbound {
        /// Which node of the template
        node: String,
        /// What it asks for
        capability: String,
    },
    /// A component that has to run does not say how
    #[error("`{0}` does not say how it is run: add `run.command`")]
    NoCommand(Address),
    /// A component that has to run needs secrets, which agents are not given
    #[error("`{0}` needs secrets in its environment (`run.secret_env`), which agents are not given")]
    Secrets(Address),
    /// The template uses what this version does not carry out
    #[error("node `{node}` of the template is of type `{node_type}`, which cannot be planned here")]
    NodeType {
        /// Which node of the template
        node: String,
        /// Its type
        node_type: String,
    },
    /// A name that cannot be a node's
    #[error(transparent)]
    NodeId(#[from] NodeIdError),
    /// A gate asks for what this plan cannot give
    #[error("gate `{node}`: {cause}")]
    Gate {
        /// Which node
        node: NodeId,
        /// What is wrong
        cause: GateConfigError,
    },
    /// What was planned is no graph
    #[error(transparent)]
    Graph(#[from] GraphError),
}
