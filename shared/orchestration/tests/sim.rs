//! The engine over a simulated cloud, without faults: every graph runs to its end, in order and without waste

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::{collections::BTreeSet, time::Duration};
use weir_domain::{
    operation::OperationStatus,
    plan::{Backoff, Executor, Graph, Idempotency, JobContract, NodeId, NodeType, PlanNode},
};
use weir_orchestration::sim::{Latency, Run, Workload, run};

fn id(n: usize) -> NodeId {
    format!("n{n:05}").parse().unwrap()
}

fn job(n: usize, needs: impl IntoIterator<Item = usize>) -> PlanNode {
    let mut node = PlanNode::new(id(n), NodeType::Job, format!("job {n}"), Executor::Job);
    node.depends_on = needs.into_iter().map(id).collect::<BTreeSet<_>>();
    node.job_contract = Some(JobContract {
        capability: "sim".to_owned(),
        inputs: serde_json::Map::new(),
        outputs: Vec::new(),
        timeout_s: 600,
        attempts: 3,
        backoff: Backoff::default(),
        idempotency: Idempotency::Natural,
        secrets: Vec::new(),
        deadline_s: None,
    });
    node
}

/// `layers` layers of `width` nodes, each node waiting for three of the layer before it
fn layered(layers: usize, width: usize) -> Graph {
    let needs = |layer: usize, at: usize| {
        (0..3).filter(move |_| layer > 0).map(move |k| (layer - 1) * width + (at * 7 + k * 3) % width)
    };
    let nodes =
        (0..layers).flat_map(|layer| (0..width).map(move |at| job(layer * width + at, needs(layer, at))));
    Graph::new(nodes.collect()).unwrap()
}

fn simulate(graph: Graph, workers: usize, seed: u64) -> Run {
    let workload = Workload { work: Duration::from_secs(1), workers, latency: Latency::default() };
    run(graph, &workload, seed).unwrap()
}

#[test]
fn graphs_of_every_shape_end_well_and_break_no_rule() {
    let chain = Graph::new((0..50).map(|n| job(n, n.checked_sub(1))).collect()).unwrap();
    let fan = Graph::new(std::iter::once(job(0, [])).chain((1..200).map(|n| job(n, [0]))).collect()).unwrap();
    let barrier = (0..200).map(|n| job(n, [])).chain([job(200, 0..200)]);
    let barrier = Graph::new(barrier.collect()).unwrap();
    for (name, graph) in [("chain", chain), ("fan", fan), ("barrier", barrier), ("layers", layered(5, 8))] {
        let nodes = graph.len();
        let run = simulate(graph, 400, 7);
        assert_eq!(run.status, OperationStatus::Succeeded, "{name}");
        assert_eq!(run.violations, [], "{name}");
        assert!(run.transitions >= u64::try_from(nodes).unwrap() / 2, "{name}: {run:?}");
    }
}

#[test]
fn forty_nodes_cost_at_most_forty_seven_states() {
    assert!(simulate(layered(5, 8), 40, 1).transitions <= 47);
}

#[test]
fn a_node_costs_five_writes_and_one_for_each_dependent() {
    let graph = layered(10, 40);
    let nodes = u64::try_from(graph.len()).unwrap();
    let edges: usize = (1..=u32::try_from(graph.len()).unwrap()).map(|n| graph.dependents(n).len()).sum();
    let run = simulate(graph, 400, 3);
    assert!(run.node_writes <= 5 * nodes + u64::try_from(edges).unwrap(), "{run:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(simulate(layered(4, 10), 5, 11), simulate(layered(4, 10), 5, 11));
}

#[test]
fn the_engine_keeps_workers_busy_and_the_longest_path_moving() {
    for (graph, workers) in [(layered(5, 8), 40), (layered(10, 40), 40), (layered(10, 40), 8)] {
        let run = simulate(graph, workers, 5);
        assert!(run.makespan_ratio() <= 1.25, "{} ms over {} ms", run.makespan.0, run.floor.0);
    }
}
