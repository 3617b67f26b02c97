//! What is left to do after a write: a list, not a recursion, since a skipped chain may be 10,000 nodes long

use weir_domain::engine::NodeRun;
use weir_store::NodeKey;

/// One thing to do
pub(super) enum Step {
    /// Look at a node as it was just returned by a write
    Drive(NodeKey, NodeRun),
    /// Do the consequences of a node that has ended
    Consequences(NodeKey, NodeRun),
}

/// What is left to do
#[derive(Default)]
pub(super) struct Work(Vec<Step>);

impl Work {
    /// Look at `node`
    pub fn drive(&mut self, key: NodeKey, node: NodeRun) {
        self.0.push(Step::Drive(key, node));
    }

    /// Do what follows from the end of `node`
    pub fn ended(&mut self, key: NodeKey, node: NodeRun) {
        self.0.push(Step::Consequences(key, node));
    }

    /// Everything that can be done now: the steps of a wave do not wait for each other
    pub fn wave(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.0)
    }

    /// What another step has left to do
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}
