//! What somebody wants to change of a plan that runs, by chance

use super::chance::Chance;
use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    engine::NodeRun,
    plan::{
        Executor, Graph, JobContract, NodeId, NodeStatus, NodeType, PatchChanges, PlanNode,
        patch::{Changed, Rewired},
    },
};

/// More nodes than a segment holds
const MANY: u64 = 43;

/// What is looked at while something is thought of
struct Look<'a> {
    chance: Chance,
    graph: &'a Graph,
    runs: &'a BTreeMap<u32, NodeRun>,
    number: u32,
    contract: &'a JobContract,
}

/// The changes number `number` of an operation that runs `graph`, whose nodes stand as in `runs`; `None` for none
///
/// Most can be made, some are refused, and some are overtaken by what they change.
pub(super) fn changes(
    chance: Chance,
    graph: &Graph,
    runs: &BTreeMap<u32, NodeRun>,
    number: u32,
    contract: &JobContract,
) -> Option<PatchChanges> {
    let look = Look { chance, graph, runs, number, contract };
    let mut changes = PatchChanges::default();
    // One or several at once: remove, add, rewire, change.
    let what = 1 + chance.of("what").below(15);
    if chance.of("again").one_in(3) {
        changes.added = look.copies();
    }
    if what & 1 != 0 && changes.added.is_empty() {
        changes.added = look.new_nodes()?;
        changes.rewired.extend(look.wait_for_new(&changes.added));
    }
    if what & 2 != 0 {
        changes.removed.extend(look.pending("removes").map(|(_, node)| node.node_id.clone()));
    }
    if what & 4 != 0 {
        changes.rewired.extend(look.rewired());
    }
    if what & 8 != 0 {
        changes.changed.extend(look.changed());
    }
    let gone = changes.removed.clone();
    changes.rewired.retain(|it| !gone.contains(&it.node_id));
    changes.changed.retain(|it| !gone.contains(&it.node_id));
    (!changes.is_empty()).then_some(changes)
}

impl<'a> Look<'a> {
    fn one_of<T>(&self, name: &str, all: &[T]) -> Option<usize> {
        let place = usize::try_from(self.chance.of(name).below(all.len() as u64)).ok()?;
        (!all.is_empty()).then_some(place)
    }

    fn named(&self, name: &str, index: u64) -> Option<NodeId> {
        format!("p{}.{name}{index}", self.number).parse().ok()
    }

    fn living(&self) -> Vec<(u32, &'a PlanNode)> {
        self.graph.living().filter(|(_, node)| node.runs != Executor::Join).collect()
    }

    /// One node that has not started and is no gate
    fn pending(&self, why: &str) -> Option<(u32, &'a PlanNode)> {
        let mut all = self.living();
        all.retain(|(ordinal, node)| {
            node.node_type != NodeType::Gate
                && self.runs.get(ordinal).is_some_and(|run| run.status == NodeStatus::Pending)
        });
        self.one_of(why, &all).and_then(|place| all.get(place).copied())
    }

    /// Nodes that wait for some that are there, and for each other
    fn new_nodes(&self) -> Option<Vec<PlanNode>> {
        let living = self.living();
        let count =
            if self.chance.of("many").one_in(40) { MANY } else { 1 + self.chance.of("count").below(3) };
        let mut added: Vec<PlanNode> = Vec::new();
        for index in 0..count {
            let chance = self.chance.of("added").at(index);
            let mut node = PlanNode::new(self.named("n", index)?, NodeType::Job, "added", Executor::Job);
            node.job_contract = Some(self.contract.clone());
            for edge in 0..chance.of("edges").below(3) {
                let place = usize::try_from(chance.of("edge").at(edge).below(living.len() as u64)).ok()?;
                node.depends_on.extend(living.get(place).map(|(_, node)| node.node_id.clone()));
            }
            if let Some(last) = added.last().filter(|_| chance.of("chained").one_in(2)) {
                node.depends_on.insert(last.node_id.clone());
            }
            added.push(node);
        }
        Some(added)
    }

    /// A node that has not started waits for a new one
    fn wait_for_new(&self, added: &[PlanNode]) -> Option<Rewired> {
        let last = added.last().filter(|_| self.chance.of("held").one_in(2))?;
        let (_, node) = self.pending("holds")?;
        let wait_for = BTreeSet::from([last.node_id.clone()]);
        Some(Rewired { node_id: node.node_id.clone(), wait_for, wait_no_more: BTreeSet::new() })
    }

    /// A node that has not started waits for another one than before, or for one more, or for one less
    fn rewired(&self) -> Option<Rewired> {
        let (ordinal, node) = self.pending("rewires")?;
        let mut wait_for = BTreeSet::new();
        if !self.chance.of("less").one_in(3) {
            let behind = self.graph.downstream(ordinal);
            let mut others = self.living();
            others.retain(|(other, _)| *other != ordinal && !behind.contains(other));
            let place = self.one_of("more", &others)?;
            wait_for.extend(others.get(place).map(|(_, node)| node.node_id.clone()));
        }
        let mut wait_no_more = BTreeSet::new();
        if self.chance.of("less").below(3) < 2 {
            let needs: Vec<_> = node.depends_on.difference(&wait_for).collect();
            wait_no_more
                .extend(self.one_of("drops", &needs).and_then(|place| needs.get(place).copied().cloned()));
        }
        Some(Rewired { node_id: node.node_id.clone(), wait_for, wait_no_more })
    }

    /// A node that has not started is done in another way; at a target it is only given other limits, since what is done
    /// there needs a gate before it
    fn changed(&self) -> Option<Changed> {
        let (_, node) = self.pending("changes")?;
        let job_contract = node.job_contract.as_ref().map(|planned| match node.runs {
            Executor::Agent(_) => JobContract { attempts: planned.attempts + 1, ..planned.clone() },
            Executor::Job | Executor::Decide | Executor::Join => self.contract.clone(),
        });
        let title = Some("changed".to_owned());
        Some(Changed { node_id: node.node_id.clone(), title, job_contract, on_failure: None })
    }

    /// Fresh copies of whatever has failed or was skipped: what a retry of a running operation adds
    fn copies(&self) -> Vec<PlanNode> {
        let ended = |ordinal: &u32| {
            self.runs.get(ordinal).is_some_and(|run| run.status.is_terminal() && !run.is_satisfying())
        };
        let lost: Vec<_> = self.living().into_iter().filter(|(ordinal, _)| ended(ordinal)).collect();
        let names: BTreeMap<&NodeId, NodeId> = lost
            .iter()
            .filter_map(|(ordinal, node)| Some((&node.node_id, self.named("r", u64::from(*ordinal))?)))
            .collect();
        let copy = |node: &PlanNode| {
            let depends_on = node.depends_on.iter().map(|need| names.get(need).unwrap_or(need).clone());
            Some(PlanNode {
                node_id: names.get(&node.node_id)?.clone(),
                depends_on: depends_on.collect(),
                ..node.clone()
            })
        };
        lost.iter().filter_map(|(_, node)| copy(node)).collect()
    }
}
