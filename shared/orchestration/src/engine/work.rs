//! What is left to do after a write: a list, not a recursion, since a skipped chain may be 10,000 nodes long

use std::{collections::BTreeSet, sync::Arc};
use weir_domain::engine::{NodeRun, Operation};
use weir_store::NodeKey;

/// One thing to do
pub(super) enum Step {
    /// Look at a node as it was just returned by a write; with the operation, where that was read at the same time
    Drive(NodeKey, NodeRun, Option<Arc<Operation>>),
    /// Do the consequences of a node that has ended; with the operation, where that was read a moment before
    Consequences(NodeKey, NodeRun, Option<Arc<Operation>>),
}

/// What is left to do
#[derive(Default)]
pub(super) struct Work {
    steps: Vec<Step>,
    /// Nodes that can be closed once `steps` have been done
    closing: Vec<(NodeKey, NodeRun)>,
}

impl Work {
    /// Look at `node`
    pub fn drive(&mut self, key: NodeKey, node: NodeRun) {
        self.steps.push(Step::Drive(key, node, None));
    }

    /// Look at `node`, knowing the operation as it was `seen`
    pub fn drive_seen(&mut self, key: NodeKey, node: NodeRun, seen: Option<Arc<Operation>>) {
        self.steps.push(Step::Drive(key, node, seen));
    }

    /// Do what follows from the end of `node`
    pub fn ended(&mut self, key: NodeKey, node: NodeRun) {
        self.ended_seen(key, node, None);
    }

    /// Do what follows from the end of `node`, knowing the operation as it was `seen`
    pub fn ended_seen(&mut self, key: NodeKey, node: NodeRun, seen: Option<Arc<Operation>>) {
        self.steps.push(Step::Consequences(key, node, seen));
    }

    /// Close `node`, whose dependents have been told, once they have been driven
    pub fn close(&mut self, key: NodeKey, node: NodeRun) {
        self.closing.push((key, node));
    }

    /// Everything that can be done now: the steps of a wave do not wait for each other, only what closes waits for them
    pub fn wave(&mut self) -> (Vec<Step>, Vec<(NodeKey, NodeRun)>) {
        // Of a skipped layer each node finds each of the next one ended: what follows from that is done once, not once
        // for each edge.
        let mut ended = BTreeSet::new();
        self.steps.retain(|step| match step {
            Step::Drive(..) => true,
            Step::Consequences(key, ..) => ended.insert((key.operation, key.ordinal)),
        });
        (std::mem::take(&mut self.steps), std::mem::take(&mut self.closing))
    }

    /// What another step has left to do
    pub fn extend(&mut self, other: Self) {
        self.steps.extend(other.steps);
        self.closing.extend(other.closing);
    }
}
