//! Why a patch is refused

use super::{ADDED_MAX, PATCHES_MAX, REASON_MAX, TOUCHED_MAX};
use crate::{
    definition::address::Address,
    plan::{GraphError, NodeId, NodeStatus},
};

/// Why a patch is refused
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// Nothing would change
    #[error("the patch changes nothing")]
    Empty,
    /// It says nothing, or more than people read
    #[error("the reason has {found} characters; there have to be 1 to {REASON_MAX}")]
    Reason {
        /// How many
        found: usize,
    },
    /// More nodes than a patch may add
    #[error("the patch adds {found} nodes; {ADDED_MAX} are the most")]
    TooManyAdded {
        /// How many
        found: usize,
    },
    /// More patches than one operation may have
    #[error("the operation has {PATCHES_MAX} patches, which is the most")]
    TooManyPatches,
    /// More items than one transaction holds
    #[error("the patch touches {found} nodes and gates that are there already; {TOUCHED_MAX} are the most")]
    TooManyTouched {
        /// How many
        found: usize,
    },
    /// There is no such node
    #[error("the plan has no node `{node}`")]
    Unknown {
        /// Which
        node: NodeId,
    },
    /// There was one of that name
    #[error("node `{node}` is there already, or was")]
    Exists {
        /// Which
        node: NodeId,
    },
    /// A join keeps the number of edges small, and cannot be taken away or made by hand
    #[error("node `{node}` is a join: it can be rewired, not added, changed or removed")]
    Join {
        /// Which
        node: NodeId,
    },
    /// A gate holds what the plan's author wanted held
    #[error("node `{node}` is a gate: it can neither be removed nor changed")]
    Gate {
        /// Which
        node: NodeId,
    },
    /// The edge that would be taken away is not there
    #[error("node `{node}` does not wait for `{dependency}`")]
    NoEdge {
        /// Which
        node: NodeId,
        /// What it does not wait for
        dependency: NodeId,
    },
    /// Work would go past a gate
    #[error("node `{node}` would not wait for the gate `{gate}`, which holds the rest of the plan")]
    Bypass {
        /// Which
        node: NodeId,
        /// Which gate
        gate: NodeId,
    },
    /// What only planners ask for, or would be planned in another way
    #[error(
        "node `{node}` asks for `{what}`, which is planned only: a patch may ask for nothing of the kind, or for nothing but what the plan says"
    )]
    Planned {
        /// Which
        node: NodeId,
        /// A type of node, or a capability
        what: String,
    },
    /// Nobody would do it
    #[error("node `{node}` asks for `{capability}`, which nothing here does")]
    NoCapability {
        /// Which
        node: NodeId,
        /// What it asks for
        capability: String,
    },
    /// Other gates stand there than those of the plan
    #[error(
        "node `{node}` is about `{place}`, which belongs to no environment that the operation changes: its gates would not be asked"
    )]
    Elsewhere {
        /// Which
        node: NodeId,
        /// Where it would be done
        place: String,
    },
    /// Others may be using it
    #[error(
        "node `{node}` is about `{resource}`, which one operation at a time may use, and this one has not queued for it"
    )]
    NotQueued {
        /// Which
        node: NodeId,
        /// What it would use
        resource: Address,
    },
    /// Nobody would be asked about it
    #[error(
        "no gate of the plan is asked about what node `{node}` brings: a patch may take away, reorder and change limits there, and nothing else"
    )]
    Ungated {
        /// Which
        node: NodeId,
    },
    /// Nobody has said that it may be told there
    #[error(
        "node `{node}` asks for the secret `{secret}`, which the plan tells nothing of the same capability and address"
    )]
    Secret {
        /// Which
        node: NodeId,
        /// The secret's name
        secret: String,
    },
    /// A secret where none is filled in
    #[error("node `{node}` cannot be told this: {message}")]
    Misplaced {
        /// Which
        node: NodeId,
        /// What is wrong
        message: String,
    },
    /// Gates hold what acts, and verifications are not among it
    #[error("node `{node}` is a verification, and `{capability}` may do more than look: ask for it as a job")]
    Acts {
        /// Which
        node: NodeId,
        /// What it asks for
        capability: String,
    },
    /// What runs or has run cannot be changed
    #[error("node `{node}` has started: it is {}", .status.as_str())]
    Started {
        /// Which
        node: NodeId,
        /// Where it stands
        status: NodeStatus,
    },
    /// What would be waited for will never come
    #[error("node `{node}` cannot wait for `{dependency}`, or stop to: that one is {}", .status.as_str())]
    Lost {
        /// Which
        node: NodeId,
        /// What it waits for
        dependency: NodeId,
        /// Where that stands
        status: NodeStatus,
    },
    /// What comes out is not a plan
    #[error(transparent)]
    Graph(#[from] GraphError),
}
