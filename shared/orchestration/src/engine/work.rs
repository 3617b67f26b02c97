//! What is left to do after a write: a list, not a recursion, since a skipped chain may be 10,000 nodes long

use std::collections::VecDeque;
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
pub(super) struct Work(VecDeque<Step>);

impl Work {
    /// Look at `node`
    pub fn drive(&mut self, key: NodeKey, node: NodeRun) {
        self.0.push_back(Step::Drive(key, node));
    }

    /// Do what follows from the end of `node`
    pub fn ended(&mut self, key: NodeKey, node: NodeRun) {
        self.0.push_back(Step::Consequences(key, node));
    }

    /// The next thing to do
    pub fn next(&mut self) -> Option<Step> {
        self.0.pop_front()
    }
}
