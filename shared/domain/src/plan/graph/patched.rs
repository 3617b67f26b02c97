//! A graph that was patched: numbers with gaps, and nodes that will not run

use super::{DEGREE_MAX, Graph, GraphError, NodeId, PlanNode, check, order};
use std::collections::{BTreeMap, BTreeSet};

/// What a graph is made of, to be changed and put together again
pub(in crate::plan) struct Parts {
    /// Every node, by ordinal
    pub nodes: BTreeMap<u32, PlanNode>,
    /// Every name that was ever given
    pub ordinals: BTreeMap<NodeId, u32>,
    /// The nodes that will not run
    pub removed: BTreeSet<u32>,
}

impl Graph {
    /// Every node with its ordinal, those that were removed included
    pub fn numbered(&self) -> impl Iterator<Item = (u32, &PlanNode)> {
        self.numbers.iter().copied().zip(&self.nodes)
    }

    /// Every node that is a part of the plan, with its ordinal
    pub fn living(&self) -> impl Iterator<Item = (u32, &PlanNode)> {
        self.numbered().filter(|(ordinal, _)| !self.removed.contains(ordinal))
    }

    /// Whether a patch has removed the node `ordinal`
    pub fn is_removed(&self, ordinal: u32) -> bool {
        self.removed.contains(&ordinal)
    }

    /// The ordinals of the nodes that are a part of the plan, each after those of all that it waits for
    ///
    /// After a patch that is not the order of the numbers: an old node may wait for a new one.
    pub fn in_order(&self) -> Vec<u32> {
        let mut unmet: BTreeMap<u32, usize> =
            self.living().map(|(ordinal, _)| (ordinal, self.dependencies(ordinal).len())).collect();
        let free = unmet.iter().filter(|(_, unmet)| **unmet == 0);
        let mut free: BTreeSet<u32> = free.map(|(ordinal, _)| *ordinal).collect();
        let mut order = Vec::with_capacity(unmet.len());
        while let Some(next) = free.pop_first() {
            order.push(next);
            for dependent in self.dependents(next) {
                if let Some(left) = unmet.get_mut(dependent) {
                    *left -= 1;
                    if *left == 0 {
                        free.insert(*dependent);
                    }
                }
            }
        }
        order
    }

    pub(in crate::plan) fn parts(&self) -> Parts {
        let nodes = self.numbered().map(|(ordinal, node)| (ordinal, node.clone())).collect();
        Parts { nodes, ordinals: self.ordinals.clone(), removed: self.removed.clone() }
    }

    /// The graph of `nodes`, which are this one's and those that the patch `sequence` adds, less `removed`
    ///
    /// No joins are inserted: a patch that would need one is refused, since a join would move edges that it does not name.
    pub(in crate::plan) fn patched(
        &self,
        nodes: BTreeMap<u32, PlanNode>,
        removed: BTreeSet<u32>,
        sequence: u32,
    ) -> Result<Self, GraphError> {
        let living = nodes.iter().filter(|(ordinal, _)| !removed.contains(ordinal));
        let living: Vec<PlanNode> = living.map(|(_, node)| node.clone()).collect();
        check::shape(&living)?;
        check::sizes(&living)?;
        order::topological(living)?;
        let added = nodes.iter().filter(|(ordinal, _)| self.place(**ordinal).is_none());
        let added = order::segments(added.map(|(ordinal, node)| (*ordinal, node)), sequence);
        let (numbers, nodes): (Vec<u32>, Vec<PlanNode>) = nodes.into_iter().unzip();
        let after = Self::of(numbers, nodes, removed, [self.segments.clone(), added].concat());
        for (ordinal, node) in after.numbered() {
            let found = after.dependencies(ordinal).len().max(after.dependents(ordinal).len());
            if found > DEGREE_MAX {
                return Err(GraphError::Degree { node: node.node_id.clone(), found });
            }
        }
        Ok(after)
    }
}
