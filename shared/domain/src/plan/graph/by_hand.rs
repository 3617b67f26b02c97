//! What a person does, or may take over, is verified before anything that follows it runs

use super::check::{GraphError, NodeFault};
use crate::plan::node::{Executor, NodeId, NodeType, OnFailure, PlanNode};
use std::collections::{BTreeMap, BTreeSet};

/// Refuses a manual step, and a node that waits for a person when it fails, unless a verification waits for it, and
/// everything else that waits for it waits for that verification too. Joins stand for what is behind them
///
/// A verification whose failure is passed by guards nothing.
pub(super) fn verified(nodes: &[PlanNode]) -> Result<(), GraphError> {
    let by_hand =
        |node: &&PlanNode| node.node_type == NodeType::Intervention || node.on_failure == OnFailure::Pause;
    if !nodes.iter().any(|node| by_hand(&node)) {
        return Ok(());
    }
    let edges = Edges::of(nodes);
    let mut needs: BTreeMap<&NodeId, BTreeSet<&NodeId>> = BTreeMap::new();
    for node in nodes.iter().filter(by_hand) {
        let wrong = |fault| Err(GraphError::Node { node: node.node_id.clone(), fault });
        let followers = edges.dependents(&node.node_id);
        let (checks, others): (Vec<&PlanNode>, Vec<&PlanNode>) =
            followers.into_iter().partition(|node| guards(node));
        if checks.is_empty() {
            return wrong(NodeFault::Unverified);
        }
        for other in others {
            let needs = needs.entry(&other.node_id).or_insert_with(|| edges.dependencies(other));
            if !checks.iter().any(|check| needs.contains(&check.node_id)) {
                return wrong(NodeFault::Unguarded);
            }
        }
    }
    Ok(())
}

fn guards(node: &PlanNode) -> bool {
    node.node_type == NodeType::Verification && node.on_failure != OnFailure::Continue
}

/// Who waits for whom, with what is behind each join in the join's place
struct Edges<'a> {
    joins: BTreeMap<&'a NodeId, &'a PlanNode>,
    direct: BTreeMap<&'a NodeId, Vec<&'a PlanNode>>,
}

impl<'a> Edges<'a> {
    fn of(nodes: &'a [PlanNode]) -> Self {
        let joins = nodes.iter().filter(|node| node.runs == Executor::Join);
        let mut direct: BTreeMap<&NodeId, Vec<&PlanNode>> = BTreeMap::new();
        for node in nodes {
            for need in &node.depends_on {
                direct.entry(need).or_default().push(node);
            }
        }
        Self { joins: joins.map(|join| (&join.node_id, join)).collect(), direct }
    }

    fn dependents(&self, id: &'a NodeId) -> Vec<&'a PlanNode> {
        let (mut open, mut seen, mut found) = (vec![id], BTreeSet::new(), Vec::new());
        while let Some(from) = open.pop() {
            for node in self.direct.get(from).into_iter().flatten().copied() {
                if node.runs != Executor::Join {
                    found.push(node);
                } else if seen.insert(&node.node_id) {
                    open.push(&node.node_id);
                }
            }
        }
        found
    }

    fn dependencies(&self, node: &'a PlanNode) -> BTreeSet<&'a NodeId> {
        let (mut open, mut found) = (vec![node], BTreeSet::new());
        while let Some(from) = open.pop() {
            for need in &from.depends_on {
                match self.joins.get(need) {
                    Some(join) => open.push(*join),
                    None => drop(found.insert(need)),
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Backoff, Graph, Idempotency, JobContract};

    fn id(name: &str) -> NodeId {
        name.parse().unwrap()
    }

    fn node(name: &str, kind: NodeType, needs: &[&str]) -> PlanNode {
        let runs = if kind == NodeType::Intervention { Executor::Decide } else { Executor::Job };
        let mut node = PlanNode::new(id(name), kind, name, runs);
        node.depends_on = needs.iter().map(|need| id(need)).collect();
        node.job_contract = (kind != NodeType::Intervention).then(|| JobContract {
            capability: "http".to_owned(),
            inputs: serde_json::Map::new(),
            outputs: Vec::new(),
            timeout_s: 60,
            attempts: 1,
            backoff: Backoff::default(),
            idempotency: Idempotency::Natural,
            secrets: Vec::new(),
            deadline_s: None,
        });
        node
    }

    fn fault(nodes: Vec<PlanNode>) -> Option<NodeFault> {
        match Graph::new(nodes) {
            Ok(_) => None,
            Err(GraphError::Node { fault, .. }) => Some(fault),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn what_follows_a_person_waits_for_the_verification() {
        use NodeType::{Intervention, Job, Verification};
        for kind in [Intervention, Job] {
            let pausing = |node: PlanNode| {
                let on_failure = if kind == Job { OnFailure::Pause } else { OnFailure::Fail };
                PlanNode { on_failure, ..node }
            };
            let hand = || pausing(node("hand", kind, &[]));
            let check = || node("check", Verification, &["hand"]);
            let passed_by = PlanNode { on_failure: OnFailure::Continue, ..check() };
            for (rest, expected) in [
                (vec![], Some(NodeFault::Unverified)),
                (vec![node("next", Job, &["hand"])], Some(NodeFault::Unverified)),
                (vec![passed_by], Some(NodeFault::Unverified)),
                (vec![check()], None),
                (vec![check(), node("next", Job, &["check"])], None),
                (vec![check(), node("next", Job, &["hand"])], Some(NodeFault::Unguarded)),
                (vec![check(), node("next", Job, &["hand", "check"])], None),
            ] {
                let names: Vec<_> = rest.iter().map(|node| node.node_id.to_string()).collect();
                let nodes = std::iter::once(hand()).chain(rest).collect();
                assert_eq!(fault(nodes), expected, "{kind:?} {names:?}");
            }
        }
    }

    #[test]
    fn what_stands_behind_joins_counts_and_a_plan_reads_back_as_itself() {
        let hands = (0..200).map(|n| {
            let node = node(&format!("hand-{n}"), NodeType::Job, &[]);
            PlanNode { on_failure: OnFailure::Pause, ..node }
        });
        let names: Vec<String> = (0..200).map(|n| format!("hand-{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let check = node("check", NodeType::Verification, &names);
        let graph = Graph::new(hands.chain([check]).collect()).unwrap();
        assert!(graph.len() > 201, "joins were inserted");
        assert_eq!(Graph::new(graph.nodes().to_vec()).unwrap(), graph);
    }

    #[test]
    fn a_gate_that_denies_is_overruled_by_nobody() {
        let mut evidence = PlanNode::new(id("evidence"), NodeType::Evidence, "evidence", Executor::Decide);
        evidence.on_failure = OnFailure::Pause;
        let check = node("check", NodeType::Verification, &["evidence"]);
        assert_eq!(fault(vec![evidence, check]), Some(NodeFault::CannotPause));
    }
}
