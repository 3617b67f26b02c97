//! What is done again of an operation that has ended without succeeding
//!
//! Nothing that has ended ever starts anew: what is left becomes a plan of its own. A node that satisfied those who
//! waited for it is left out. A gate is not: what it let through then is not what it is asked about now, and the
//! windows and people that it asks may have changed.

use super::NodeRun;
use crate::plan::{Graph, GraphError, Idempotency, NodeId, NodeType, PlanNode};
use std::collections::{BTreeMap, BTreeSet};

/// The part of `graph` that its node runs have left undone, with the gates before it; `None` where nothing is left
pub fn left_undone(graph: &Graph, runs: &[NodeRun]) -> Result<Option<Graph>, GraphError> {
    let done: BTreeSet<u32> = runs.iter().filter(|run| run.is_satisfying()).map(|run| run.ordinal).collect();
    let steps = || graph.living().filter(|(_, node)| node.node_type != NodeType::Join);
    let undone: BTreeSet<u32> =
        steps().map(|(ordinal, _)| ordinal).filter(|ordinal| !done.contains(ordinal)).collect();
    if undone.is_empty() {
        return Ok(None);
    }
    let holds = |gate: u32| graph.downstream(gate).intersection(&undone).next().is_some();
    let gates = steps().filter(|(_, node)| node.node_type == NodeType::Gate).map(|(ordinal, _)| ordinal);
    let kept: BTreeSet<u32> = gates.filter(|gate| holds(*gate)).chain(undone.iter().copied()).collect();
    let before = nearest(graph, &kept);
    let again = |(ordinal, node): (u32, &PlanNode)| {
        let needs = before.get(&ordinal).into_iter().flatten();
        let depends_on: BTreeSet<NodeId> =
            needs.filter_map(|need| graph.node(*need)).map(|need| need.node_id.clone()).collect();
        PlanNode { depends_on, ..node.clone() }
    };
    let nodes = steps().filter(|(ordinal, _)| kept.contains(ordinal)).map(again).collect();
    Graph::new(nodes).map(Some)
}

/// The nodes that may be done only once and that somebody has begun, each with its run
///
/// What became of one that did not end well is not known: it may have been done all the same.
pub fn begun_once<'a>(
    graph: &'a Graph,
    runs: &'a [NodeRun],
) -> impl Iterator<Item = (&'a PlanNode, &'a NodeRun)> {
    let is_begun =
        |run: &NodeRun| run.started_at.is_some() || run.past.iter().any(|past| past.started_at.is_some());
    let is_once = |node: &PlanNode| {
        node.job_contract.as_ref().is_some_and(|contract| contract.idempotency == Idempotency::Once)
    };
    let begun = runs.iter().filter(move |run| is_begun(run));
    begun.filter_map(|run| Some((graph.node(run.ordinal)?, run))).filter(move |(node, _)| is_once(node))
}

/// For each node, those of `kept` that come before it with none of them in between
///
/// In an order in which none comes before what it waits for; a patched graph's numbers are not that.
fn nearest(graph: &Graph, kept: &BTreeSet<u32>) -> BTreeMap<u32, BTreeSet<u32>> {
    let mut waits: BTreeMap<u32, usize> =
        graph.numbered().map(|(ordinal, _)| (ordinal, graph.dependencies(ordinal).len())).collect();
    let mut open: Vec<u32> =
        waits.iter().filter(|(_, waits)| **waits == 0).map(|(ordinal, _)| *ordinal).collect();
    let mut found: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    while let Some(at) = open.pop() {
        let mut own = BTreeSet::new();
        for need in graph.dependencies(at) {
            if kept.contains(need) {
                own.insert(*need);
            } else {
                own.extend(found.get(need).into_iter().flatten().copied());
            }
        }
        found.insert(at, own);
        for next in graph.dependents(at) {
            if let Some(left) = waits.get_mut(next) {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    open.push(*next);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{Past, Terms},
        failure::FailureSummary,
        gate::{ApprovalGate, GateSpec},
        plan::{Backoff, Executor, NodeStatus, OnFailure},
        time::Millis,
    };
    use proptest::prelude::*;

    fn id(name: &str) -> NodeId {
        name.parse().unwrap()
    }

    fn node(name: &str, needs: &[&str]) -> PlanNode {
        let contract = serde_json::json!({ "capability": "test", "timeout_s": 60, "attempts": 3 });
        PlanNode {
            depends_on: needs.iter().map(|need| id(need)).collect(),
            job_contract: serde_json::from_value(contract).unwrap(),
            ..PlanNode::new(id(name), NodeType::Job, name, Executor::Job)
        }
    }

    fn gate(name: &str, needs: &[&str]) -> PlanNode {
        let rule =
            serde_json::from_value(serde_json::json!({ "required_approvals": 1, "require_sod": false }))
                .unwrap();
        let spec = GateSpec::Approval(ApprovalGate { rule, policies: Vec::new(), reasons: Vec::new() });
        PlanNode {
            gate: Some(spec),
            job_contract: None,
            node_type: NodeType::Gate,
            runs: Executor::Decide,
            ..node(name, needs)
        }
    }

    /// The runs of `graph`, all of which succeeded but those that `otherwise` says something else of
    fn runs(graph: &Graph, otherwise: &[(&str, NodeStatus)]) -> Vec<NodeRun> {
        let run = |(ordinal, node): (u32, &PlanNode)| {
            let terms = Terms {
                kind: node.node_type,
                runs: node.runs.clone(),
                on_failure: node.on_failure,
                attempts: 1,
                timeout_s: 60,
                backoff: Backoff::default(),
                deadline_s: None,
            };
            let said = otherwise.iter().find(|(name, _)| *name == node.node_id.as_str());
            let status = said.map_or(NodeStatus::Succeeded, |(_, status)| *status);
            NodeRun { status, ..NodeRun::new(ordinal, 0, terms, [], []) }
        };
        graph.numbered().map(run).collect()
    }

    /// `name ← what it waits for` of each node that is left
    fn left(graph: &Graph, otherwise: &[(&str, NodeStatus)]) -> Vec<String> {
        let left = left_undone(graph, &runs(graph, otherwise)).unwrap();
        let line = |node: &PlanNode| {
            let needs: Vec<_> = node.depends_on.iter().map(NodeId::as_str).collect();
            format!("{} ← {}", node.node_id, needs.join(" "))
        };
        left.iter().flat_map(|graph| graph.nodes()).map(line).collect()
    }

    /// ask → a → b → d → e, ask → c → d, and f by itself
    fn plan() -> Graph {
        Graph::new(vec![
            gate("ask", &[]),
            node("a", &["ask"]),
            node("b", &["a"]),
            node("c", &["ask"]),
            node("d", &["b", "c"]),
            node("e", &["d"]),
            node("f", &[]),
        ])
        .unwrap()
    }

    #[test]
    fn what_failed_and_what_waited_for_it_is_left_behind_the_gates_that_held_it() {
        use NodeStatus::{Failed, Skipped};
        let graph = plan();
        assert_eq!(left(&graph, &[]), [""; 0]);
        let failed = [("b", Failed), ("d", Skipped), ("e", Skipped)];
        assert_eq!(left(&graph, &failed), ["ask ← ", "b ← ask", "d ← ask b", "e ← d"]);
        assert_eq!(left(&graph, &[("f", Failed)]), ["f ← "], "nobody is asked about what no gate held");
    }

    #[test]
    fn what_was_passed_by_or_skipped_by_a_person_is_not_done_again() {
        let mut nodes = plan().nodes().to_vec();
        nodes[1].on_failure = OnFailure::Continue;
        let graph = Graph::new(nodes).unwrap();
        assert_eq!(left(&graph, &[("a", NodeStatus::Failed)]), [""; 0]);
        let mut skipped = runs(&graph, &[("c", NodeStatus::Skipped)]);
        skipped.iter_mut().for_each(|run| run.result_id = Some("int_1".to_owned()));
        assert_eq!(left_undone(&graph, &skipped).unwrap(), None);
    }

    #[test]
    fn what_may_be_done_once_is_known_by_its_beginning() {
        let mut nodes = plan().nodes().to_vec();
        for node in &mut nodes {
            if let Some(contract) = node.job_contract.as_mut().filter(|_| node.node_id.as_str() != "c") {
                contract.idempotency = Idempotency::Once;
                contract.attempts = 1;
            }
        }
        let graph = Graph::new(nodes).unwrap();
        let mut all = runs(&graph, &[]);
        let begin = |run: &mut NodeRun| run.started_at = Some(Millis(1));
        let at = |name: &str| usize::try_from(graph.ordinal_of(&id(name)).unwrap()).unwrap() - 1;
        begin(&mut all[at("ask")]);
        begin(&mut all[at("b")]);
        begin(&mut all[at("c")]);
        all[at("f")].attempt = 1;
        let error = FailureSummary::new("lease_expired", "it was not heard of");
        let past = Past { attempt: 1, started_at: Some(Millis(1)), ended_at: Millis(2), error };
        all[at("d")].past.push(past);
        let begun: Vec<_> = begun_once(&graph, &all).map(|(node, _)| node.node_id.as_str()).collect();
        assert_eq!(begun, ["b", "d"], "one that was handed out, and that nobody took, was not begun");
    }

    #[test]
    fn a_wide_join_is_drawn_anew_for_what_is_left() {
        let names: Vec<String> = (0..200).map(|n| format!("n{n}")).collect();
        let mut nodes: Vec<PlanNode> = names.iter().map(|name| node(name, &[])).collect();
        nodes.push(node("last", &names.iter().map(String::as_str).collect::<Vec<_>>()));
        let graph = Graph::new(nodes).unwrap();
        let mut otherwise: Vec<(&str, NodeStatus)> = graph
            .nodes()
            .iter()
            .filter(|node| node.runs == Executor::Join)
            .map(|node| (node.node_id.as_str(), NodeStatus::Skipped))
            .collect();
        otherwise.extend([("n7", NodeStatus::Failed), ("last", NodeStatus::Skipped)]);
        assert_eq!(left(&graph, &otherwise), ["n7 ← ", "last ← n7"]);
    }

    proptest! {
        /// Of two nodes that are left, the one that came first still does, and no other order is added
        #[test]
        fn the_order_of_what_is_left_is_the_plan_s(
            needs in proptest::collection::vec(proptest::collection::vec(0usize..12, 0..4), 1..12),
            failing in proptest::collection::vec(any::<bool>(), 12),
        ) {
            let name = |at: usize| format!("n{at}");
            let nodes = needs.iter().enumerate().map(|(at, needs)| {
                let needs: Vec<String> = needs.iter().filter(|need| **need < at).map(|need| name(*need)).collect();
                node(&name(at), &needs.iter().map(String::as_str).collect::<Vec<_>>())
            });
            let graph = Graph::new(nodes.collect()).unwrap();
            let failed = |ordinal: u32| failing[usize::try_from(ordinal).unwrap() - 1];
            let undone = |ordinal: u32| failed(ordinal) || graph.upstream(ordinal).into_iter().any(failed);
            let mut all = runs(&graph, &[]);
            for run in &mut all {
                run.status = match (failed(run.ordinal), undone(run.ordinal)) {
                    (true, _) => NodeStatus::Failed,
                    (false, true) => NodeStatus::Skipped,
                    (false, false) => NodeStatus::Succeeded,
                };
            }
            let Some(again) = left_undone(&graph, &all).unwrap() else {
                prop_assert!((1..=graph.len()).all(|it| !undone(u32::try_from(it).unwrap())));
                return Ok(());
            };
            for (ordinal, node) in again.numbered() {
                let named = |of: &Graph, set: BTreeSet<u32>| -> BTreeSet<NodeId> {
                    set.into_iter().filter_map(|it| of.node(it)).map(|it| it.node_id.clone()).collect()
                };
                let then = graph.ordinal_of(&node.node_id).unwrap();
                let expected = graph.upstream(then).into_iter().filter(|it| undone(*it)).collect();
                prop_assert_eq!(named(&again, again.upstream(ordinal)), named(&graph, expected));
            }
        }
    }
}
