//! What makes nodes a plan, apart from having no cycle

use super::{DEGREE_MAX, EDGES_MAX, GRAPH_BYTES_MAX, NODE_BYTES_MAX, NODES_MAX, by_hand};
use crate::{
    plan::node::{Executor, Idempotency, NodeId, NodeType, OnFailure, PlanNode},
    planner::{BATCH_CHECK, NOT_UNDONE},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Longest time, in seconds, that anything of an operation may take: an execution ends after a year
const LONGEST_S: u32 = 360 * 24 * 60 * 60;

/// Why nodes are not a plan
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Nothing would be done
    #[error("the plan has no nodes")]
    Empty,
    /// More nodes than one operation can run
    #[error("the plan has {found} nodes; {NODES_MAX} are the most")]
    TooManyNodes {
        /// How many
        found: usize,
    },
    /// More dependencies than one operation can follow
    #[error("the plan has {found} dependencies; {EDGES_MAX} are the most")]
    TooManyEdges {
        /// How many
        found: usize,
    },
    /// Two nodes have one name
    #[error("two nodes are called `{node}`")]
    Duplicate {
        /// Their name
        node: NodeId,
    },
    /// A node waits for itself
    #[error("node `{node}` waits for itself")]
    SelfEdge {
        /// Which
        node: NodeId,
    },
    /// A node waits for one that is not there
    #[error("node `{node}` waits for `{missing}`, which is not in the plan")]
    Missing {
        /// Which
        node: NodeId,
        /// What it waits for
        missing: NodeId,
    },
    /// Nodes wait for each other; the first is also the last
    #[error("these nodes wait for each other: {}", joined(.0))]
    Cycle(Vec<NodeId>),
    /// A node is larger than a job can be given
    #[error("node `{node}` has {found} bytes; {NODE_BYTES_MAX} are the most")]
    NodeTooLarge {
        /// Which
        node: NodeId,
        /// How large it is
        found: usize,
    },
    /// The nodes together are larger than a function can read
    #[error("the plan has {found} bytes; {GRAPH_BYTES_MAX} are the most")]
    TooLarge {
        /// How large they are
        found: usize,
    },
    /// A patch gives a node more edges than its item can hold
    #[error(
        "node `{node}` has {found} dependencies or dependents; {DEGREE_MAX} are the most that a patch may lead to"
    )]
    Degree {
        /// Which
        node: NodeId,
        /// How many
        found: usize,
    },
    /// A node does not make sense by itself
    #[error("node `{node}` {fault}")]
    Node {
        /// Which
        node: NodeId,
        /// What is wrong
        fault: NodeFault,
    },
}

/// What is wrong with one node
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NodeFault {
    /// Nobody could do it
    #[error("has no contract, so nobody knows what to do")]
    NoContract,
    /// It is no gate, or it does not say what it waits for
    #[error("is a gate exactly if it says what it waits for")]
    GateMismatch,
    /// Nobody of its kind could do it
    #[error("cannot be done by who is to run it")]
    WrongExecutor,
    /// It would never be tried
    #[error("has no attempts")]
    NoAttempts,
    /// It would be tried again although that is not safe
    #[error("may be done only once, but has several attempts")]
    AttemptsOfOnce,
    /// It would end at once, or later than its operation can
    #[error("has a time limit of nothing or of more than 360 days")]
    TimeLimit,
    /// Whatever happened, it would succeed
    #[error("is a verification that looks at nothing")]
    VerifiesNothing,
    /// Nobody could take its place
    #[error(
        "cannot wait for a person when it fails: only jobs, changes, verifications and sub-operations can"
    )]
    CannotPause,
    /// A manual step, or one that a person may take over, that nothing looks at afterwards
    #[error("is or may be done by hand, and no verification follows it")]
    Unverified,
    /// What follows would run before anybody has looked
    #[error("is or may be done by hand, and what follows it does not wait for its verification")]
    Unguarded,
}

fn joined(ids: &[NodeId]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" -> ")
}

/// Checks names, edges and each node by itself
pub(super) fn shape(nodes: &[PlanNode]) -> Result<(), GraphError> {
    let own = || nodes.iter().filter(|node| node.runs != Executor::Join);
    let (found, edges) = (own().count(), own().map(|node| node.depends_on.len()).sum());
    if found == 0 {
        return Err(GraphError::Empty);
    }
    if found > NODES_MAX || nodes.len() - found > NODES_MAX {
        return Err(GraphError::TooManyNodes { found: nodes.len() });
    }
    if edges > EDGES_MAX {
        return Err(GraphError::TooManyEdges { found: edges });
    }
    let mut known: BTreeMap<&NodeId, &PlanNode> = BTreeMap::new();
    for node in nodes {
        if known.insert(&node.node_id, node).is_some() {
            return Err(GraphError::Duplicate { node: node.node_id.clone() });
        }
    }
    for node in nodes {
        if node.depends_on.contains(&node.node_id) {
            return Err(GraphError::SelfEdge { node: node.node_id.clone() });
        }
        if let Some(missing) = node.depends_on.iter().find(|id| !known.contains_key(id)) {
            return Err(GraphError::Missing { node: node.node_id.clone(), missing: missing.clone() });
        }
        by_itself(node).map_err(|fault| GraphError::Node { node: node.node_id.clone(), fault })?;
    }
    by_hand::verified(nodes)
}

/// Checks what is true of a node whatever is around it
fn by_itself(node: &PlanNode) -> Result<(), NodeFault> {
    let fits = match (node.node_type, &node.runs) {
        (NodeType::Job | NodeType::Verification, Executor::Job | Executor::Agent(_))
        | (NodeType::Change, Executor::Job)
        | (
            NodeType::Gate
            | NodeType::Intervention
            | NodeType::SubOperation
            | NodeType::Evidence
            | NodeType::Verification,
            Executor::Decide,
        )
        | (NodeType::Join, Executor::Join) => true,
        (_, Executor::Decide | Executor::Job | Executor::Agent(_) | Executor::Join) => false,
    };
    if !fits {
        return Err(NodeFault::WrongExecutor);
    }
    if (node.node_type == NodeType::Gate) != node.gate.is_some() {
        return Err(NodeFault::GateMismatch);
    }
    if node.node_type == NodeType::Verification && node.runs == Executor::Decide && !is_decided(node) {
        return Err(NodeFault::VerifiesNothing);
    }
    let takes_over = matches!(
        node.node_type,
        NodeType::Job | NodeType::Change | NodeType::Verification | NodeType::SubOperation
    );
    if node.on_failure == OnFailure::Pause && !takes_over {
        return Err(NodeFault::CannotPause);
    }
    match (&node.job_contract, &node.runs) {
        (None, Executor::Job | Executor::Agent(_)) => Err(NodeFault::NoContract),
        (None, Executor::Decide | Executor::Join) => Ok(()),
        (Some(contract), _) => {
            let limit = |seconds: u32| (1..=LONGEST_S).contains(&seconds);
            if contract.attempts == 0 {
                Err(NodeFault::NoAttempts)
            } else if contract.idempotency == Idempotency::Once && contract.attempts > 1 {
                Err(NodeFault::AttemptsOfOnce)
            } else if !limit(contract.timeout_s) || !contract.deadline_s.is_none_or(limit) {
                Err(NodeFault::TimeLimit)
            } else {
                Ok(())
            }
        }
    }
}

/// Whether a verification that nobody works on says what it comes to: how much may have failed before it, or why it fails
fn is_decided(node: &PlanNode) -> bool {
    node.job_contract.as_ref().is_some_and(|contract| match contract.capability.as_str() {
        BATCH_CHECK => contract.inputs.get("max_failed").is_some_and(Value::is_u64),
        NOT_UNDONE => contract.inputs.get("reason").is_some_and(Value::is_string),
        _ => false,
    })
}

/// Checks that each node, and all of them together, can be read where they are needed
pub(super) fn sizes(nodes: &[PlanNode]) -> Result<(), GraphError> {
    let mut total = 0;
    for node in nodes.iter().filter(|node| node.runs != Executor::Join) {
        // A node's JSON always can be written: its keys are texts and its numbers finite.
        let found = serde_json::to_vec(node).map_or(usize::MAX, |bytes| bytes.len());
        if found > NODE_BYTES_MAX {
            return Err(GraphError::NodeTooLarge { node: node.node_id.clone(), found });
        }
        total += found;
    }
    if total > GRAPH_BYTES_MAX { Err(GraphError::TooLarge { found: total }) } else { Ok(()) }
}
