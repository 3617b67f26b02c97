//! The plan that an operation runs, and that its items are exactly that: a patch is there whole or not at all

use super::{super::violation::Violation, seen::Seen};
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    canonical::Digest,
    engine::{GUARD, NodeRun},
    plan::{Graph, NodeStatus, PlanPatch, PlanSnapshot, patch::apply},
};

/// Every plan and patch that was kept
#[derive(Default)]
pub(super) struct Plans {
    base: BTreeMap<Digest, Graph>,
    patches: BTreeMap<Digest, PlanPatch>,
}

impl Plans {
    pub fn base(&mut self, hash: Digest, graph: Graph) {
        self.base.insert(hash, graph);
    }

    pub fn kept(&mut self, key: &str, bytes: &[u8]) {
        if !key.contains("plans/") {
            return;
        }
        if let Ok(patch) = serde_json::from_slice::<PlanPatch>(bytes) {
            self.patches.insert(patch.effective_hash.clone(), patch);
        } else if let Ok(snapshot) = serde_json::from_slice::<PlanSnapshot>(bytes) {
            self.base.insert(snapshot.graph_hash, snapshot.nodes);
        }
    }

    /// The graph called `hash`; `before` is the one that it follows, if it is a patch
    pub fn follow(&self, hash: &Digest, before: Option<&Graph>) -> Option<Graph> {
        match (self.base.get(hash), self.patches.get(hash), before) {
            (Some(graph), ..) => Some(graph.clone()),
            (None, Some(patch), Some(before)) => {
                apply(before, &patch.changes, patch.sequence, patch.segment).ok()
            }
            (None, ..) => None,
        }
    }
}

impl Seen {
    /// Whether the node is a part of what the operation runs
    pub fn is_planned(&self, ordinal: u32) -> bool {
        self.graph.as_ref().is_some_and(|graph| graph.node(ordinal).is_some())
    }

    /// Every node of the plan is there and as the plan says
    pub fn all_as_planned(&self, found: &mut Vec<Violation>) {
        for (ordinal, _) in self.graph.iter().flat_map(Graph::numbered) {
            match self.node(ordinal) {
                Some(_) => self.is_as_planned(ordinal, found),
                None => found.push(Violation::NotThere(ordinal)),
            }
        }
    }

    /// The node is as the plan says; where no plan has it, it is guarded and has not moved
    pub fn is_as_planned(&self, ordinal: u32, found: &mut Vec<Violation>) {
        let (Some(graph), Some(node)) = (&self.graph, self.node(ordinal)) else { return };
        let Some(planned) = graph.node(ordinal) else {
            if node.status != NodeStatus::Pending || !node.unmet.contains(&GUARD) {
                found.push(Violation::Uncommitted(ordinal));
            }
            return;
        };
        let none = BTreeSet::new();
        let out = if graph.is_removed(ordinal) { &none } else { graph.dependents(ordinal) };
        // What an ended node tells those who do not wait for it any more changes nothing.
        let told = node.status.is_terminal() && node.out.is_superset(out);
        let right =
            (node.out == *out || told) && (!graph.is_removed(ordinal) || node.status == NodeStatus::Skipped);
        if !(right && is_done_as_planned(node, planned.on_failure, planned.job_contract.as_ref())) {
            found.push(Violation::NotAsPlanned(ordinal));
        }
    }
}

fn is_done_as_planned(
    node: &NodeRun,
    on_failure: weir_domain::plan::OnFailure,
    contract: Option<&weir_domain::plan::JobContract>,
) -> bool {
    let attempts = contract.map_or(1, |contract| contract.attempts);
    let deadline = contract.and_then(|contract| contract.deadline_s);
    (node.terms.on_failure, node.terms.attempts, node.terms.deadline_s) == (on_failure, attempts, deadline)
}
