//! The way back: what undoes the jobs that an operation has done, the last of them first
//!
//! ```text
//! done    create ─┬ grow ─ check ─ warm       undone    undo.warm ─ undo.grow ─┐
//!                 └ tell                                           undo.tell ─┴ undo.create
//! ```
//!
//! A job is undone after everything that came behind it, directly or through nodes that have nothing to undo; these
//! become joins where several ways meet, so that a wide plan has a way back with as few edges.

use crate::{
    definition::{
        expression::fill_outputs,
        secrets::{marked, unmarked},
    },
    plan::{Compensation, Executor, Graph, GraphError, JobContract, NodeId, NodeIdError, NodeType, PlanNode},
    planner::NOT_UNDONE,
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the nodes of every way back begin with
const PREFIX: &str = "undo";

/// What was done and may have to be undone
#[derive(Debug, Clone)]
pub struct Undoing {
    /// What was run
    pub graph: Arc<Graph>,
    /// The nodes that were done
    pub done: BTreeMap<u32, Done>,
    /// The operations that were run by nodes that were done
    pub children: BTreeMap<u32, Undoing>,
}

/// What is known of a node that was done
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// What it gave; none where that is not known yet, and is left as it is written
    pub gave: Option<Map<String, Value>>,
    /// The inputs that a person put in place of the plan's, and with which it was done
    pub replaced: Map<String, Value>,
}

/// Why there is no way back
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UndoError {
    /// A name that cannot be a node's
    #[error(transparent)]
    NodeId(#[from] NodeIdError),
    /// What undoes everything is no graph
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// What undoes everything that was done; none where there is nothing to undo
pub fn plan_undo(undoing: &Undoing) -> Result<Option<Graph>, UndoError> {
    if !undoing.undoes_any() {
        return Ok(None);
    }
    let mut made = Vec::new();
    undoing.lay(PREFIX, &BTreeSet::new(), &mut made)?;
    Ok(Some(Graph::new(made)?))
}

impl Undoing {
    /// Everything of `graph`, as if it had been done; `children` are the operations that its nodes run
    pub(super) fn of_all(graph: &Graph, children: BTreeMap<u32, Self>) -> Self {
        let done = graph.living().map(|(ordinal, _)| (ordinal, Done::default())).collect();
        Self { graph: Arc::new(graph.clone()), done, children }
    }

    fn undoes_any(&self) -> bool {
        self.done.keys().any(|ordinal| self.undoes(*ordinal))
    }

    fn undoes(&self, ordinal: u32) -> bool {
        self.done.contains_key(&ordinal)
            && (self.child(ordinal).is_some() || self.compensation(ordinal).is_some())
    }

    fn compensation(&self, ordinal: u32) -> Option<&Compensation> {
        self.graph.node(ordinal)?.compensation.as_deref()
    }

    fn child(&self, ordinal: u32) -> Option<&Self> {
        self.children.get(&ordinal).filter(|child| child.undoes_any())
    }

    /// Lays the nodes that undo this, the first of which wait for `after`; returns the last of them
    fn lay(
        &self,
        prefix: &str,
        after: &BTreeSet<NodeId>,
        made: &mut Vec<PlanNode>,
    ) -> Result<BTreeSet<NodeId>, UndoError> {
        let order = self.order();
        let led_to = self.led_to(&order);
        let mut behind: BTreeMap<u32, BTreeSet<NodeId>> = BTreeMap::new();
        for ordinal in order.iter().rev() {
            let dependents = self.graph.dependents(*ordinal).iter().filter_map(|it| behind.get(it));
            let mut waits: BTreeSet<NodeId> = dependents.flatten().cloned().collect();
            if waits.is_empty() {
                waits.clone_from(after);
            }
            let left = self.lay_one(prefix, *ordinal, waits, led_to.contains(ordinal), made)?;
            behind.insert(*ordinal, left);
        }
        let roots = order.iter().filter(|ordinal| self.graph.dependencies(**ordinal).is_empty());
        Ok(roots.filter_map(|root| behind.get(root)).flatten().cloned().collect())
    }

    /// Lays what undoes one node behind `waits`; returns what has to be undone before anything that came before the node
    fn lay_one(
        &self,
        prefix: &str,
        ordinal: u32,
        waits: BTreeSet<NodeId>,
        is_led_to: bool,
        made: &mut Vec<PlanNode>,
    ) -> Result<BTreeSet<NodeId>, UndoError> {
        let Some(node) = self.graph.node(ordinal) else { return Ok(waits) };
        let id: NodeId = format!("{prefix}.{}", node.node_id).parse()?;
        let done = self.done.get(&ordinal);
        let left = match (done, self.child(ordinal), &node.compensation) {
            (Some(_), Some(child), _) => child.lay(id.as_str(), &waits, made)?,
            (Some(done), None, Some(compensation)) => {
                let undo = undo(id.clone(), node, compensation, done);
                made.push(PlanNode { depends_on: waits, ..undo });
                return Ok(BTreeSet::from([id]));
            }
            (Some(_), None, None) | (None, _, _) => waits,
        };
        if left.len() < 2 || !is_led_to {
            return Ok(left);
        }
        made.push(PlanNode::join(id.clone(), left));
        Ok(BTreeSet::from([id]))
    }

    /// The nodes, none before what it waits for; a patched graph's numbers are not in that order
    fn order(&self) -> Vec<u32> {
        let living: BTreeSet<u32> = self.graph.living().map(|(ordinal, _)| ordinal).collect();
        let needs = |ordinal: u32| self.graph.dependencies(ordinal).intersection(&living).count();
        let mut unmet: BTreeMap<u32, usize> = living.iter().map(|it| (*it, needs(*it))).collect();
        let mut free: BTreeSet<u32> =
            unmet.iter().filter(|(_, left)| **left == 0).map(|(it, _)| *it).collect();
        let mut order = Vec::with_capacity(living.len());
        while let Some(next) = free.pop_first() {
            order.push(next);
            for dependent in self.graph.dependents(next) {
                let Some(left) = unmet.get_mut(dependent) else { continue };
                *left = left.saturating_sub(1);
                if *left == 0 {
                    free.insert(*dependent);
                }
            }
        }
        order
    }

    /// The nodes behind something that is undone
    fn led_to(&self, order: &[u32]) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        for ordinal in order {
            let before = self.graph.dependencies(*ordinal);
            if before.iter().any(|it| found.contains(it) || self.undoes(*it)) {
                found.insert(*ordinal);
            }
        }
        found
    }
}

/// The node that undoes `node`. Where it fails, what would be undone after it is not: it may be in use still
///
/// One that needs what its node did not give fails as it is decided, with that reason; whatever does not come after it is
/// undone all the same.
fn undo(id: NodeId, node: &PlanNode, compensation: &Compensation, done: &Done) -> PlanNode {
    let title = format!("Undo {}", node.title);
    let planned = compensation.job_contract.inputs.clone();
    let capability = &compensation.job_contract.capability;
    let inputs = match &done.gave {
        Some(gave) => fill_outputs(&Value::Object(planned), gave)
            .map(|filled| unmarked(capability, super::fragment::object(filled))),
        None => Ok(planned),
    };
    let mut contract = JobContract { inputs: Map::new(), ..compensation.job_contract.clone() };
    let (node_type, runs) = match inputs {
        Ok(inputs) => {
            // Read as the job's contract is, for which they were put there.
            let was = node.job_contract.as_ref().map_or("", |contract| &contract.capability);
            let replaced = unmarked(capability, marked(was, done.replaced.clone())).into_iter();
            contract.inputs = inputs;
            contract.inputs.extend(replaced.filter(|(name, _)| compensation.inherits.contains(name)));
            (NodeType::Job, compensation.runs.clone())
        }
        Err(error) => {
            let reason = format!("`{}` cannot be undone: {error}", node.node_id);
            contract.inputs.insert("reason".to_owned(), json!(reason));
            contract.capability = NOT_UNDONE.to_owned();
            (NodeType::Verification, Executor::Decide)
        }
    };
    let mut undo = PlanNode::new(id, node_type, title, runs);
    undo.requires = vec![compensation.job_contract.capability.clone()];
    undo.target.clone_from(&compensation.target);
    undo.job_contract = Some(contract);
    undo
}
