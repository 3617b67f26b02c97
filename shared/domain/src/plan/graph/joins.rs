//! Joins: nodes that do nothing, inserted where a node would have too many edges
//!
//! What could be reached from a node before can be reached after, and nothing else.

use super::DEGREE_MAX;
use crate::plan::node::{NodeId, PlanNode};
use std::collections::{BTreeMap, BTreeSet};

/// `nodes`, with joins such that none has more than 64 dependencies or dependents
///
/// Dependencies first: the joins made for them have few, and out-going edges are split afterwards without adding
/// an in-coming one anywhere.
pub(super) fn insert(mut nodes: Vec<PlanNode>) -> Vec<PlanNode> {
    let taken = nodes.iter().map(|node| node.node_id.clone()).collect();
    let mut joins = Joins { taken, next: 1, made: Vec::new(), known: BTreeMap::new() };
    for node in &mut nodes {
        while node.depends_on.len() > DEGREE_MAX {
            node.depends_on = joins.of_each_chunk(&node.depends_on);
        }
    }
    nodes.append(&mut joins.made);
    split_dependents(&mut nodes, &mut joins);
    nodes
}

/// The joins made so far
struct Joins {
    taken: BTreeSet<NodeId>,
    next: usize,
    made: Vec<PlanNode>,
    /// Nodes that wait for the same share their joins, so that a barrier of m by n costs m + n edges
    known: BTreeMap<BTreeSet<NodeId>, NodeId>,
}

impl Joins {
    /// One join for every 64 of `ids`; one that is left over stands for itself
    fn of_each_chunk(&mut self, ids: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        let ids: Vec<_> = ids.iter().cloned().collect();
        ids.chunks(DEGREE_MAX)
            .map(|chunk| match chunk {
                [single] => single.clone(),
                chunk => self.of(chunk.iter().cloned().collect()),
            })
            .collect()
    }

    /// The join of exactly `ids`
    fn of(&mut self, ids: BTreeSet<NodeId>) -> NodeId {
        if let Some(known) = self.known.get(&ids) {
            return known.clone();
        }
        let id = self.add(ids.clone());
        self.known.insert(ids, id.clone());
        id
    }

    /// A further join of `ids`
    fn add(&mut self, ids: BTreeSet<NodeId>) -> NodeId {
        let mut id = NodeId::join(self.next);
        while !self.taken.insert(id.clone()) {
            self.next += 1;
            id = NodeId::join(self.next);
        }
        self.next += 1;
        self.made.push(PlanNode::join(id.clone(), ids));
        id
    }
}

/// Puts joins between a node and its dependents, 64 of them behind each
fn split_dependents(nodes: &mut Vec<PlanNode>, joins: &mut Joins) {
    let mut moves: BTreeMap<NodeId, Vec<(NodeId, NodeId)>> = BTreeMap::new();
    for (id, mut waiting) in dependents(nodes) {
        while waiting.len() > DEGREE_MAX {
            let mut fewer = Vec::new();
            for chunk in waiting.chunks(DEGREE_MAX) {
                if let [single] = chunk {
                    fewer.push(single.clone());
                    continue;
                }
                let join = joins.add(BTreeSet::from([id.clone()]));
                for dependent in chunk {
                    moves.entry(dependent.clone()).or_default().push((id.clone(), join.clone()));
                }
                fewer.push(join);
            }
            waiting = fewer;
        }
    }
    nodes.append(&mut joins.made);
    for node in nodes {
        for (from, to) in moves.remove(&node.node_id).into_iter().flatten() {
            if node.depends_on.remove(&from) {
                node.depends_on.insert(to);
            }
        }
    }
}

/// Who waits for whom: only the nodes that have too many dependents
fn dependents(nodes: &[PlanNode]) -> BTreeMap<NodeId, Vec<NodeId>> {
    let mut dependents: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    for node in nodes {
        for id in &node.depends_on {
            dependents.entry(id.clone()).or_default().push(node.node_id.clone());
        }
    }
    dependents.retain(|_, waiting| waiting.len() > DEGREE_MAX);
    dependents
}
