//! What a patch writes onto the nodes that are there already

use super::{NodePatch, NodeRun, NodeUpdate, Terms};
use crate::{
    failure::FailureSummary,
    plan::{
        Graph, NodeId, NodeStatus,
        patch::{Diff, PatchError, TOUCHED_MAX},
    },
    time::Millis,
};
use std::collections::{BTreeMap, BTreeSet};

/// The graph around a patch, and how far the operation is
#[derive(Debug, Clone, Copy)]
pub struct PatchOn<'a> {
    /// The graph that the operation runs
    pub before: &'a Graph,
    /// The graph with the patch
    pub after: &'a Graph,
    /// What differs
    pub diff: &'a Diff,
    /// Every node run of the operation, as it was read after the operation
    pub runs: &'a BTreeMap<u32, NodeRun>,
}

/// The writes that carry the patch out on nodes that are there already, each with its own condition
///
/// Every condition repeats what is decided on here, so a node that moves meanwhile refuses the whole transaction.
/// `terms` is what the engine keeps of a node of the graph after the patch.
pub fn patch_moves(
    on: PatchOn<'_>,
    sequence: u32,
    terms: impl Fn(u32) -> Option<Terms>,
    now: Millis,
) -> Result<Vec<(u32, NodeUpdate)>, PatchError> {
    let mut moves = Vec::new();
    for ordinal in on.diff.added.iter().chain(&on.diff.changed) {
        on.reachable(*ordinal)?;
    }
    for ordinal in &on.diff.removed {
        on.pending(*ordinal)?;
        let error = FailureSummary::new("removed", format!("removed from the plan by patch {sequence}"));
        moves.push((*ordinal, NodeUpdate::Patch(NodePatch::Remove { now, error })));
    }
    for ordinal in &on.diff.changed {
        let run = on.pending(*ordinal)?;
        let (was, is) = (on.before.dependencies(*ordinal), on.after.dependencies(*ordinal));
        let kept = run.unmet.iter().filter(|unmet| is.contains(unmet) || !was.contains(unmet)).copied();
        let unmet = kept.chain(is.difference(was).copied()).collect();
        let out = on.after.dependents(*ordinal).clone();
        let terms = terms(*ordinal).map(Box::new);
        let rewire = NodePatch::Rewire { seen: run.unmet.clone(), unmet, out, terms };
        moves.push((*ordinal, NodeUpdate::Patch(rewire)));
    }
    for ordinal in &on.diff.linked {
        moves.extend(on.linked(*ordinal, now).map(|patch| (*ordinal, NodeUpdate::Patch(patch))));
    }
    if moves.len() > TOUCHED_MAX {
        return Err(PatchError::TooManyTouched { found: moves.len() });
    }
    Ok(moves)
}

impl PatchOn<'_> {
    fn name(&self, ordinal: u32) -> NodeId {
        let node = self.after.node(ordinal).or_else(|| self.before.node(ordinal));
        node.map_or_else(|| NodeId::join(0), |node| node.node_id.clone())
    }

    /// The node run, which must not have started
    fn pending(&self, ordinal: u32) -> Result<&NodeRun, PatchError> {
        let node = || self.name(ordinal);
        let run = self.runs.get(&ordinal).ok_or_else(|| PatchError::Unknown { node: node() })?;
        if run.status == NodeStatus::Pending {
            Ok(run)
        } else {
            Err(PatchError::Started { node: node(), status: run.status })
        }
    }

    /// Refuses where what is waited for newly has ended badly, and where what is not waited for any more has: then
    /// the node is about to be skipped, and nothing can hold that up
    fn reachable(&self, ordinal: u32) -> Result<(), PatchError> {
        let (was, is) = (self.before.dependencies(ordinal), self.after.dependencies(ordinal));
        for dependency in is.symmetric_difference(was) {
            let lost = |run: &&NodeRun| run.status.is_terminal() && !run.is_satisfying();
            let removed = self.diff.removed.contains(dependency);
            if let Some(run) = self.runs.get(dependency).filter(lost).filter(|_| !removed) {
                let (node, dependency) = (self.name(ordinal), self.name(*dependency));
                return Err(PatchError::Lost { node, dependency, status: run.status });
            }
        }
        Ok(())
    }

    /// What is written onto a node that only others wait for than before; nothing onto one that has ended and that
    /// nobody waits for newly: what it tells those who do not wait any more is true and changes nothing
    fn linked(&self, ordinal: u32, now: Millis) -> Option<NodePatch> {
        let run = self.runs.get(&ordinal)?;
        let out: BTreeSet<u32> = self.after.dependents(ordinal).clone();
        if !run.status.is_terminal() {
            return Some(NodePatch::Link { out });
        }
        // By the graph, not by the item, in which those who waited before the last patches may still stand: one that
        // waits again has to be told again.
        let newly = !out.is_subset(self.before.dependents(ordinal));
        newly.then_some(NodePatch::Reopen { out, now })
    }
}
