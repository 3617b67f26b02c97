//! Operations that come: one of an identity at a time, and of a retry exactly what was left

use super::Watch;
use crate::sim::violation::Violation;
use std::collections::BTreeSet;
use weir_domain::{
    engine::{NodeRun, Operation},
    id::OperationId,
    plan::{Graph, NodeId, NodeType},
};

/// The steps of a graph, or those that `wanted` wants; gates are asked anew
fn steps(graph: &Graph, wanted: impl Fn(u32) -> bool) -> BTreeSet<&NodeId> {
    let step = |kind: NodeType| !matches!(kind, NodeType::Join | NodeType::Gate);
    let living = graph.living().filter(|(ordinal, node)| step(node.node_type) && wanted(*ordinal));
    living.map(|(_, node)| &node.node_id).collect()
}

impl Watch {
    /// An operation is there that was not
    pub(super) fn came(&mut self, new: &Operation) {
        let (id, identity) = (new.info.operation_id, &new.info.run_identity_hash);
        let mut others = self.operations.values().filter_map(|seen| seen.operation.as_ref());
        let rival = |it: &Operation| {
            it.is_active() && it.info.operation_id != id && it.info.run_identity_hash == *identity
        };
        if others.any(rival) {
            self.found.push(Violation::SameRunTwice(id));
        }
        self.takes_back(new);
        if let Some(failed) = new.info.retry_of
            && let Some(wrong) = self.wrongly_retried(new, failed)
        {
            self.found.push(Violation::RetriesWrongly(id, wrong));
        }
        let retried = |it: &Operation| it.info.retry_of.is_some() && it.info.retry_of == new.info.rollback_of;
        if self.operations.values().filter_map(|seen| seen.operation.as_ref()).any(retried) {
            self.found.push(Violation::TakesBackWrongly(id, "what is being retried"));
        }
    }

    /// What is wrong with the retry of `failed`, if anything is
    fn wrongly_retried(&self, new: &Operation, failed: OperationId) -> Option<&'static str> {
        let seen = self.operations.get(&failed)?;
        let it = seen.operation.as_ref()?;
        if it.is_active() || !it.finished {
            return Some("what is not over");
        }
        if self.way_back(failed).is_some() {
            return Some("what is taken back");
        }
        let again = self.operations.get(&new.info.operation_id).and_then(|seen| seen.graph.as_ref());
        let (before, again) = seen.graph.as_ref().zip(again)?;
        let done = |ordinal: u32| seen.node(ordinal).is_some_and(NodeRun::is_satisfying);
        let (left, again) = (steps(before, |ordinal| !done(ordinal)), steps(again, |_| true));
        match (again.is_subset(&left), left.is_subset(&again)) {
            (true, true) => None,
            (false, _) => Some("what is done"),
            (true, false) => Some("less than was left"),
        }
    }
}
