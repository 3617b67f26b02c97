//! A graph with a patch: the old nodes keep their numbers, the new ones get numbers of new segments

use super::{ADDED_MAX, Changed, PatchChanges, PatchError, Rewired, diff};
use crate::plan::{Executor, Graph, JobContract, NodeId, NodeType, PlanNode, first_ordinal, graph::Parts};
use std::collections::{BTreeMap, BTreeSet};

/// `graph` with `changes`, which are those of its patch `sequence`; nodes are added from `segment` on
///
/// Everything that depends on the plan alone is checked here, so that whoever replays a chain refuses what the
/// engine had to refuse. What depends on how far the operation is, is checked in [`crate::engine::patch_moves`].
pub fn apply(
    graph: &Graph,
    changes: &PatchChanges,
    sequence: u32,
    segment: u32,
) -> Result<Graph, PatchError> {
    if changes.is_empty() {
        return Err(PatchError::Empty);
    }
    if changes.added.len() > ADDED_MAX {
        return Err(PatchError::TooManyAdded { found: changes.added.len() });
    }
    let mut edit = Edit::new(graph);
    changes.removed.iter().try_for_each(|node| edit.remove(node))?;
    edit.add(&changes.added, first_ordinal(segment))?;
    changes.rewired.iter().try_for_each(|rewired| edit.rewire(rewired))?;
    changes.changed.iter().try_for_each(|changed| edit.change(changed))?;
    let after = graph.patched(edit.nodes, edit.removed, sequence)?;
    if diff(graph, &after) == super::Diff::default() {
        return Err(PatchError::Empty);
    }
    held(graph, &after)?;
    Ok(after)
}

/// The graph while it is changed
struct Edit {
    nodes: BTreeMap<u32, PlanNode>,
    ordinals: BTreeMap<NodeId, u32>,
    removed: BTreeSet<u32>,
}

impl Edit {
    fn new(graph: &Graph) -> Self {
        let Parts { nodes, ordinals, removed } = graph.parts();
        Self { nodes, ordinals, removed }
    }

    /// A node that is a part of the plan
    fn living(&mut self, id: &NodeId) -> Result<(u32, &mut PlanNode), PatchError> {
        let unknown = || PatchError::Unknown { node: id.clone() };
        let ordinal = *self.ordinals.get(id).ok_or_else(unknown)?;
        if self.removed.contains(&ordinal) {
            return Err(unknown());
        }
        Ok((ordinal, self.nodes.get_mut(&ordinal).ok_or_else(unknown)?))
    }

    fn remove(&mut self, id: &NodeId) -> Result<(), PatchError> {
        let (ordinal, node) = self.living(id)?;
        match node.node_type {
            NodeType::Gate => return Err(PatchError::Gate { node: id.clone() }),
            NodeType::Join => return Err(PatchError::Join { node: id.clone() }),
            NodeType::Job
            | NodeType::Verification
            | NodeType::Intervention
            | NodeType::SubOperation
            | NodeType::Change
            | NodeType::Evidence => {}
        }
        let inherited = std::mem::take(&mut node.depends_on);
        for waiting in self.nodes.values_mut() {
            if waiting.depends_on.remove(id) {
                waiting.depends_on.extend(inherited.iter().cloned());
            }
        }
        self.removed.insert(ordinal);
        Ok(())
    }

    fn add(&mut self, added: &[PlanNode], first: u32) -> Result<(), PatchError> {
        for (ordinal, node) in (first..).zip(added) {
            if node.node_type == NodeType::Join || node.runs == Executor::Join {
                return Err(PatchError::Join { node: node.node_id.clone() });
            }
            let taken = self.ordinals.insert(node.node_id.clone(), ordinal).is_some();
            if taken || self.nodes.insert(ordinal, node.clone()).is_some() {
                return Err(PatchError::Exists { node: node.node_id.clone() });
            }
        }
        added.iter().flat_map(|node| &node.depends_on).try_for_each(|id| self.living(id).map(drop))
    }

    fn rewire(&mut self, rewired: &Rewired) -> Result<(), PatchError> {
        for id in &rewired.wait_for {
            self.living(id)?;
        }
        let (_, node) = self.living(&rewired.node_id)?;
        for id in &rewired.wait_no_more {
            if !node.depends_on.remove(id) {
                let (node, dependency) = (rewired.node_id.clone(), id.clone());
                return Err(PatchError::NoEdge { node, dependency });
            }
        }
        node.depends_on.extend(rewired.wait_for.iter().cloned());
        Ok(())
    }

    fn change(&mut self, changed: &Changed) -> Result<(), PatchError> {
        let (_, node) = self.living(&changed.node_id)?;
        match node.node_type {
            NodeType::Gate => return Err(PatchError::Gate { node: changed.node_id.clone() }),
            NodeType::Join => return Err(PatchError::Join { node: changed.node_id.clone() }),
            NodeType::Job
            | NodeType::Verification
            | NodeType::Intervention
            | NodeType::SubOperation
            | NodeType::Change
            | NodeType::Evidence => {}
        }
        if let Some(title) = &changed.title {
            node.title.clone_from(title);
        }
        if let Some(contract) = &changed.job_contract {
            follow(node, contract);
            node.job_contract = Some(contract.clone());
        }
        if let Some(on_failure) = changed.on_failure {
            node.on_failure = on_failure;
        }
        Ok(())
    }
}

/// What undoes the node was given what the node was given, where it says nothing else: it is given what that is now
fn follow(node: &mut PlanNode, after: &JobContract) {
    let (Some(compensation), Some(before)) = (&mut node.compensation, &node.job_contract) else { return };
    let inputs = &mut compensation.job_contract.inputs;
    for (name, value) in &before.inputs {
        if inputs.get(name) == Some(value) {
            match after.inputs.get(name) {
                Some(now) => drop(inputs.insert(name.clone(), now.clone())),
                None => drop(inputs.remove(name)),
            }
        }
    }
}

/// Whether the node changes anything outside
const fn acts(node: &PlanNode) -> bool {
    match node.node_type {
        NodeType::Job | NodeType::Change | NodeType::SubOperation | NodeType::Intervention => true,
        NodeType::Gate | NodeType::Verification | NodeType::Evidence | NodeType::Join => false,
    }
}

/// Refuses to lead work past a gate: what a gate held it still holds, and a gate that held all work holds new work
fn held(before: &Graph, after: &Graph) -> Result<(), PatchError> {
    let acting = |graph: &Graph| -> BTreeSet<u32> {
        let acting = graph.living().filter(|(_, node)| acts(node));
        acting.map(|(ordinal, _)| ordinal).collect()
    };
    let (old, new) = (acting(before), acting(after));
    for (gate, node) in before.living().filter(|(_, node)| node.node_type == NodeType::Gate) {
        let held = before.downstream(gate);
        let all = old.is_subset(&held);
        let holds = after.downstream(gate);
        let wanted =
            |ordinal: &&u32| if before.node(**ordinal).is_some() { held.contains(*ordinal) } else { all };
        if let Some(past) = new.iter().filter(wanted).find(|ordinal| !holds.contains(ordinal)) {
            let name =
                |ordinal| after.node(ordinal).map_or_else(|| node.node_id.clone(), |n| n.node_id.clone());
            return Err(PatchError::Bypass { node: name(*past), gate: node.node_id.clone() });
        }
    }
    Ok(())
}

/// `changes` such that what they alter behind the gates `passed` waits for a fresh copy of each
///
/// A gate that people have opened has ended, and nothing that has ended comes back: what they did not know of when
/// they agreed is held by another gate, which asks them anew. `sequence` is the patch's, and makes the names.
pub fn reasked(
    before: &Graph,
    after: &Graph,
    changes: &PatchChanges,
    passed: &BTreeSet<u32>,
    sequence: u32,
) -> Result<PatchChanges, PatchError> {
    let mut more = changes.clone();
    let altered = diff(before, after).altered();
    for (ordinal, gate) in passed.iter().filter_map(|gate| Some((*gate, before.node(*gate)?))) {
        let mut behind: BTreeSet<u32> = after.downstream(ordinal).intersection(&altered).copied().collect();
        // What stands behind a fresh copy from an earlier patch is held by the copy of that one.
        let later = after.downstream(ordinal);
        let copies =
            passed.intersection(&later).filter(|it| before.node(**it).is_some_and(|it| it.gate == gate.gate));
        for copy in copies {
            let held = after.downstream(*copy);
            behind.retain(|altered| !held.contains(altered));
        }
        if behind.is_empty() {
            continue;
        }
        let node_id: NodeId = format!("{}.p{sequence}", gate.node_id)
            .parse()
            .map_err(|_| PatchError::Exists { node: gate.node_id.clone() })?;
        let again = PlanNode {
            node_id: node_id.clone(),
            title: format!("{}, anew: the plan has changed", gate.title),
            depends_on: BTreeSet::from([gate.node_id.clone()]),
            ..gate.clone()
        };
        for held in behind.iter().filter_map(|held| after.node(*held)) {
            match more.added.iter_mut().find(|added| added.node_id == held.node_id) {
                Some(added) => drop(added.depends_on.insert(node_id.clone())),
                None => more.rewired.push(Rewired {
                    node_id: held.node_id.clone(),
                    wait_for: BTreeSet::from([node_id.clone()]),
                    wait_no_more: BTreeSet::new(),
                }),
            }
        }
        more.added.push(again);
    }
    Ok(more)
}
