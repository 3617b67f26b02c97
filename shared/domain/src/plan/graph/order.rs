//! The topological order of a graph, and its segments

use super::{GraphError, Segment, segment_of};
use crate::plan::node::{Executor, NodeId, PlanNode};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

/// `nodes` such that each comes after all it waits for; of those that could come next, the one given first does
pub(super) fn topological(nodes: Vec<PlanNode>) -> Result<Vec<PlanNode>, GraphError> {
    let place: BTreeMap<&NodeId, usize> =
        nodes.iter().enumerate().map(|(place, node)| (&node.node_id, place)).collect();
    let mut waiting: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut unmet: BTreeMap<usize, usize> = BTreeMap::new();
    let mut free: BinaryHeap<Reverse<usize>> = BinaryHeap::new();
    for (here, node) in nodes.iter().enumerate() {
        let needs: Vec<_> = node.depends_on.iter().filter_map(|id| place.get(id)).collect();
        if needs.is_empty() {
            free.push(Reverse(here));
        } else {
            unmet.insert(here, needs.len());
        }
        for need in needs {
            waiting.entry(*need).or_default().push(here);
        }
    }
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse(next)) = free.pop() {
        order.push(next);
        for dependent in waiting.remove(&next).into_iter().flatten() {
            if let Some(left) = unmet.get_mut(&dependent) {
                *left -= 1;
                if *left == 0 {
                    unmet.remove(&dependent);
                    free.push(Reverse(dependent));
                }
            }
        }
    }
    if !unmet.is_empty() {
        let stuck = unmet.keys().filter_map(|place| nodes.get(*place));
        return Err(GraphError::Cycle(cycle(stuck)));
    }
    let mut nodes: Vec<Option<PlanNode>> = nodes.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|place| nodes.get_mut(place)?.take()).collect())
}

/// One cycle among `stuck`, each of which waits for another of them: in the order of waiting, the first also last
fn cycle<'a>(stuck: impl Iterator<Item = &'a PlanNode>) -> Vec<NodeId> {
    let stuck: BTreeMap<&NodeId, &PlanNode> = stuck.map(|node| (&node.node_id, node)).collect();
    let mut path: Vec<&NodeId> = Vec::new();
    let mut next = stuck.keys().next().copied();
    while let Some(id) = next {
        if let Some(start) = path.iter().position(|seen| *seen == id) {
            let mut ring: Vec<NodeId> = path.into_iter().skip(start).cloned().collect();
            let least = ring.iter().enumerate().min_by_key(|(_, id)| *id).map_or(0, |(place, _)| place);
            ring.rotate_left(least);
            ring.extend(ring.first().cloned());
            return ring;
        }
        path.push(id);
        next = stuck.get(id).and_then(|node| node.depends_on.iter().find(|need| stuck.contains_key(need)));
    }
    Vec::new()
}

/// The same edges, seen from the other end
///
/// `numbers` are those of the nodes that `edges` lead to, in order.
pub(super) fn reversed(numbers: &[u32], edges: &[BTreeSet<u32>]) -> Vec<BTreeSet<u32>> {
    let mut reversed = vec![BTreeSet::new(); edges.len()];
    for (to, from) in numbers.iter().zip(edges) {
        for from in from {
            let place = numbers.binary_search(from).ok();
            if let Some(set) = place.and_then(|place| reversed.get_mut(place)) {
                set.insert(*to);
            }
        }
    }
    reversed
}

/// The segments of `nodes`: forty ordinals each, so that a node's segment follows from its ordinal alone
pub(super) fn segments<'a>(nodes: impl Iterator<Item = (u32, &'a PlanNode)>, patch: u32) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for (ordinal, node) in nodes {
        let index = segment_of(ordinal);
        if segments.last().is_none_or(|last| last.index != index) {
            segments.push(Segment { index, mapped: Vec::new(), joins: Vec::new(), patch });
        }
        if let Some(segment) = segments.last_mut() {
            let kind = if node.runs == Executor::Join { &mut segment.joins } else { &mut segment.mapped };
            kind.push(ordinal);
        }
    }
    segments
}
