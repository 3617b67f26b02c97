//! Hashes that every version has to come to, and graphs of the largest size

use super::*;
use crate::{
    actor::Actor,
    gate::{ApprovalGate, GateSpec},
    golden,
    id::{Id as _, OperationId, PlanId},
    plan::{
        JobContract, PatchChanges, PlanPatch,
        patch::{NewPatch, Rewired, replay},
    },
    time::Millis,
};
use serde_json::{Value, json};

fn named(name: &str, needs: impl IntoIterator<Item = String>) -> PlanNode {
    let mut node = PlanNode::new(name.parse().unwrap(), NodeType::Evidence, name, Executor::Decide);
    node.depends_on = needs.into_iter().map(|need| need.parse().unwrap()).collect();
    node
}

fn none() -> Vec<String> {
    Vec::new()
}

/// One of everything that a node may say, with texts and numbers that a careless encoding would change
fn rich() -> Vec<PlanNode> {
    let rule = serde_json::from_value(json!({ "required_approvals": 2, "require_sod": true })).unwrap();
    let spec = ApprovalGate {
        rule,
        policies: vec!["policy.four-eyes".parse().unwrap()],
        reasons: vec!["größer ↯ \"so\"".into()],
    };
    let gate = PlanNode {
        gate: Some(GateSpec::Approval(spec)),
        ..PlanNode::new("gate".parse().unwrap(), NodeType::Gate, "waits", Executor::Decide)
    };
    let contract: JobContract = serde_json::from_value(json!({
        "capability": "deploy.host", "timeout_s": 300, "attempts": 3, "deadline_s": 900,
        "inputs": { "z": 1.5, "a": [1e3, -0.0, 9_007_199_254_740_991_u64], "é": null, "b": { "y": true, "x": "\u{1f600}" } },
        "outputs": ["digest"], "secrets": ["TOKEN"], "idempotency": "attempt_key",
    }))
    .unwrap();
    let deploy = PlanNode {
        depends_on: BTreeSet::from(["gate".parse().unwrap()]),
        job_contract: Some(contract),
        on_failure: OnFailure::Rollback,
        target: Some("target.prod.web-1".parse().unwrap()),
        batch: Some(1),
        requires: vec!["deploy.host".into()],
        produces: vec!["site".into()],
        ..PlanNode::new(
            "deploy.web-1".parse().unwrap(),
            NodeType::Job,
            "deploy",
            Executor::Agent("target.prod.web-1".parse().unwrap()),
        )
    };
    vec![gate, deploy]
}

/// `width` nodes between one before and one after
fn fan(width: usize) -> Vec<PlanNode> {
    let name = |n: usize| format!("n{n:05}");
    let mut nodes = vec![named("first", none())];
    nodes.extend((0..width).map(|n| named(&name(n), ["first".to_owned()])));
    nodes.push(named("last", (0..width).map(name)));
    nodes
}

#[test]
fn every_version_comes_to_these_hashes() {
    let diamond = vec![
        named("a", none()),
        named("b", ["a".into()]),
        named("c", ["a".into()]),
        named("d", ["b".into(), "c".into()]),
    ];
    let graphs =
        [("one", vec![named("a", none())]), ("diamond", diamond.clone()), ("rich", rich()), ("fan", fan(70))];
    let mut vectors: Vec<Value> = Vec::new();
    for (name, nodes) in graphs {
        let graph = Graph::new(nodes).unwrap();
        vectors.push(json!({ "name": name, "graph": graph, "graph_hash": graph.graph_hash().unwrap() }));
    }
    let base = Graph::new(diamond).unwrap();
    let rewired = Rewired {
        node_id: "d".parse().unwrap(),
        wait_for: BTreeSet::from(["x".parse().unwrap()]),
        wait_no_more: BTreeSet::from(["b".parse().unwrap()]),
    };
    let added = PatchChanges {
        added: vec![named("x", ["b".into()])],
        rewired: vec![rewired],
        ..PatchChanges::default()
    };
    let removed = PatchChanges { removed: BTreeSet::from(["c".parse().unwrap()]), ..PatchChanges::default() };
    let (mut hash, mut chain) = (base.graph_hash().unwrap(), Vec::new());
    for (sequence, changes) in (1..).zip([added, removed]) {
        let patch = PlanPatch::new(NewPatch {
            plan_id: PlanId::new(1, 1),
            operation_id: OperationId::new(1, 2),
            sequence,
            actor: Actor::system("vectors"),
            reason: "größer ↯".into(),
            base_hash: hash,
            segment: sequence,
            changes,
            created_at: Millis(1_700_000_000_000).into(),
        })
        .unwrap();
        hash = patch.effective_hash.clone();
        chain.push(patch);
    }
    vectors.push(json!({ "name": "patched", "graph": base, "patches": chain, "effective_hash": hash }));
    golden::check("graph-vectors.json", &format!("{:#}\n", Value::Array(vectors)));
}

/// As another process would: from the file alone
#[test]
fn who_reads_the_vectors_comes_to_the_same_hashes() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/graph-vectors.json")).unwrap();
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(vectors.len(), 5);
    for vector in vectors {
        let graph: Graph = serde_json::from_value(vector["graph"].clone()).unwrap();
        if let Some(hash) = vector["graph_hash"].as_str() {
            assert_eq!(graph.graph_hash().unwrap().as_str(), hash, "{}", vector["name"]);
        } else {
            let patches: Vec<PlanPatch> = serde_json::from_value(vector["patches"].clone()).unwrap();
            let (after, hash) = replay(&graph, &patches).unwrap();
            assert_eq!(vector["effective_hash"], hash.as_str());
            assert!(after.is_removed(after.ordinal_of(&"c".parse().unwrap()).unwrap()));
        }
    }
}

#[test]
fn ten_thousand_nodes_with_a_fan_of_five_thousand_are_a_graph() {
    let mut nodes = fan(5_000);
    let chain = (0..4_998).map(|n: usize| {
        let before = n.checked_sub(1).map_or_else(|| "last".to_owned(), |before| format!("c{before:05}"));
        named(&format!("c{n:05}"), [before])
    });
    nodes.extend(chain);
    assert_eq!(nodes.len(), NODES_MAX);
    let graph = Graph::new(nodes).unwrap();
    // 5,000 edges in and out become trees: 79 joins and 2 above them, each way.
    assert_eq!(graph.len(), NODES_MAX + 2 * (79 + 2));
    for (ordinal, node) in graph.numbered() {
        let most = graph.dependencies(ordinal).len().max(graph.dependents(ordinal).len());
        assert!(most <= DEGREE_MAX, "{} has {most}", node.node_id);
    }
    let at = |name: &str| graph.ordinal_of(&name.parse().unwrap()).unwrap();
    assert_eq!(graph.upstream(at("last")).len(), 5_001 + 2 * 81);
    let read: Graph = serde_json::from_value(serde_json::to_value(&graph).unwrap()).unwrap();
    assert_eq!(read.graph_hash().unwrap(), graph.graph_hash().unwrap());
}
