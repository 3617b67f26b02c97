//! Planners: what turns an intent into a graph that can be read before it runs
//!
//! A change differs from another only in its planner. All of them are pure: the same request gives the same
//! graph, and so the same hash, wherever and whenever it is planned.

mod assignments;
mod binding;
mod builtin;
mod capability;
mod customize;
mod definition;
mod delivery;
mod fragment;
mod gates;
mod inputs;
mod limits;
mod outputs;
mod preview;
#[cfg(test)]
mod recipe_tests;
mod select;
mod template;
#[cfg(test)]
mod tests;
mod undo;
#[cfg(test)]
mod undo_tests;

pub use assignments::{RESTORE_BATCH, RestoreRequest, plan_fetch, plan_restore};
pub use binding::{AgentOffer, Offers, Site};
pub use builtin::{builtin_template, builtin_templates};
pub use capability::{
    APPLY_GROUP, ASSIGNMENTS_FETCH, ASSIGNMENTS_RESTORE, BATCH_CHECK, BY_HAND, CAPABILITIES, COMMAND_RUN,
    Capability, DEPLOY_HOST, EVIDENCE, HTTP_CALL, LAMBDA_INVOKE, NOT_UNDONE, Performer, REBUILD_ROWS,
    SUB_OPERATION, VERIFY_COMMAND, VERIFY_HTTP, VERIFY_METRIC, VERIFY_TCP, capability,
};
pub use customize::{CustomizeError, customize};
pub use definition::{Approval, DefinitionRequest, plan_definition, plan_rebuild};
pub use delivery::{
    DeliveryRequest, Deployable, RollbackRequest, bind_delivery, plan_delivery, plan_rollback,
};
pub(crate) use fragment::ENVIRONMENT;
pub use fragment::{DELIVERY_INPUTS, Place, Recipe};
pub use gates::gate_node;
pub use limits::{ATTEMPT_MAX_S, JOB_FUNCTION_S};
pub(crate) use limits::{TooLong, too_long};
pub use outputs::{collect_outputs, output_nodes};
pub use preview::{BlastRadius, GateAhead, Preview, Quorum, missing, preview};
pub use select::{SelectError, select};
pub use template::{
    Child, EXCLUSIVE_MAX, Guarded, Library, PlannedScenario, ScenarioRequest, Subject, plan_scenario,
};
pub use undo::{Done, UndoError, Undoing, plan_undo};

use crate::{
    definition::{address::Address, expression::ExpressionError},
    gate::GateConfigError,
    plan::{GraphError, NodeId, NodeIdError},
};

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
    /// The template is one of deliveries, or uses what deliveries do not
    #[error("node `{node}` of the template has {what}")]
    NotHere {
        /// Which node of the template
        node: String,
        /// What it has that cannot be planned here
        what: &'static str,
    },
    /// What the template is given is not what it asks for
    #[error("input `{input}` {problem}")]
    Input {
        /// Which
        input: String,
        /// What is wrong with it
        problem: String,
    },
    /// A node refers to what is not there
    #[error("node `{node}` of the template: {error}")]
    Expression {
        /// Which node of the template
        node: String,
        /// Why
        error: ExpressionError,
    },
    /// A node cannot be what it says
    #[error("node `{node}` of the template {problem}")]
    Node {
        /// Which node of the template
        node: String,
        /// Why
        problem: String,
    },
    /// Every node was left out by its condition
    #[error("nothing is left to do: the condition of every node of `{0}` does not hold")]
    NothingLeft(Address),
    /// A scenario provides what it needs itself, or needs too many others
    #[error("scenarios would run each other without end, or more than {max} deep: {}", .path.join(" → "))]
    TooDeep {
        /// The scenarios, from the outermost
        path: Vec<String>,
        /// How deep they may be
        max: usize,
    },
    /// More of something than one plan may have
    #[error("the plan has {found} {what}; {max} are the most")]
    TooMany {
        /// Of what
        what: &'static str,
        /// How many there are
        found: usize,
        /// How many there may be
        max: usize,
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
    /// What is done could not be undone
    #[error("the way back: {0}")]
    Undo(#[from] UndoError),
    /// What was planned is no graph
    #[error(transparent)]
    Graph(#[from] GraphError),
}
