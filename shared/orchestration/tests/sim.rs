//! The engine over a simulated region without faults: every graph runs to its end, in order and without waste

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use weir_domain::{
    operation::OperationStatus,
    plan::{Graph, NodeStatus},
};
use weir_orchestration::sim::{
    Case, Latency, Pace, Run, WIDEST, Work, crowd, job, play, run, shape, standing,
};

const SECOND: Work = Work { millis: 1_000, failures: 0, fatal: false };

/// `layers` layers of `width` nodes, each node waiting for three of the layer before it
fn layered(layers: usize, width: usize) -> Graph {
    let needs = |layer: usize, at: usize| {
        (0..3).filter(move |_| layer > 0).map(move |k| (layer - 1) * width + (at * 7 + k * 3) % width)
    };
    let nodes = (0..layers).flat_map(|layer| {
        (0..width).map(move |at| job(layer * width + at, needs(layer, at), SECOND).unwrap())
    });
    Graph::new(nodes.collect()).unwrap()
}

fn simulate(graph: Graph, workers: usize, seed: u64) -> Run {
    run(graph, &Pace { workers, latency: Latency::default(), spread: false }, seed).unwrap()
}

#[test]
fn graphs_of_every_shape_end_well_and_break_no_rule() {
    let node = |n: usize, needs: Vec<usize>| job(n, needs, SECOND).unwrap();
    let chain = Graph::new((0..50).map(|n: usize| node(n, n.checked_sub(1).into_iter().collect())).collect());
    let fan = Graph::new((0..200).map(|n| node(n, if n == 0 { vec![] } else { vec![0] })).collect());
    let barrier = (0..200).map(|n| node(n, vec![])).chain([node(200, (0..200).collect())]);
    let barrier = Graph::new(barrier.collect());
    let layers = Ok(layered(5, 8));
    for (name, graph) in [("chain", chain), ("fan", fan), ("barrier", barrier), ("layers", layers)] {
        let graph = graph.unwrap();
        let nodes = graph.len();
        let run = simulate(graph, 400, 7);
        assert_eq!(run.status, Some(OperationStatus::Succeeded), "{name}");
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
fn the_engine_keeps_workers_busy_and_the_longest_path_moving() {
    for (graph, workers) in [(layered(5, 8), 40), (layered(10, 40), 40), (layered(10, 40), 8)] {
        let run = simulate(graph, workers, 5);
        assert!(run.makespan_ratio() <= 1.05, "{} ms over {} ms", run.makespan.0, run.floor.0);
    }
    for seed in 0..20 {
        let run = simulate(shape(seed).unwrap(), WIDEST, seed);
        assert!(run.makespan_ratio() <= 1.05, "shape {seed}: {} ms over {} ms", run.makespan.0, run.floor.0);
    }
}

#[test]
fn five_thousand_nodes_fan_out_and_in() {
    const WIDE: usize = 5_000;
    let middle = (1..=WIDE).map(|n| job(n, [0], SECOND).unwrap());
    let nodes =
        [job(0, [], SECOND).unwrap()]
            .into_iter()
            .chain(middle)
            .chain([job(WIDE + 1, 1..=WIDE, SECOND).unwrap()]);
    let graph = Graph::new(nodes.collect()).unwrap();
    assert!(graph.len() > WIDE + 2 + 2 * WIDE / 64, "joins, out and in");
    let nodes = u64::try_from(graph.len()).unwrap();
    let run = simulate(graph, 1_000, 9);
    assert_eq!((run.status, run.violations), (Some(OperationStatus::Succeeded), vec![]));
    assert!(run.node_writes <= 7 * nodes, "{} writes", run.node_writes);
}

#[test]
fn a_thousand_operations_at_a_time_cost_each_what_ten_do() {
    let (ten, thousand) = (crowd(10, 1).unwrap(), crowd(1_000, 1).unwrap());
    assert_eq!((thousand.operations, &thousand.violations), (1_000, &vec![]));
    assert!(thousand.calls <= 100 * ten.calls * 11 / 10, "{} and {} calls", ten.calls, thousand.calls);
}

#[test]
fn ten_thousand_nodes_in_a_hundred_layers_end_well_and_cost_no_more_each() {
    let graph = layered(100, 100);
    let nodes = u64::try_from(graph.len()).unwrap();
    assert_eq!(nodes, 10_000);
    let edges: usize = (1..=10_000).map(|n| graph.dependents(n).len()).sum();
    let run = simulate(graph, 400, 11);
    assert_eq!((run.status, run.violations), (Some(OperationStatus::Succeeded), vec![]));
    assert!(run.node_writes <= 5 * nodes + u64::try_from(edges).unwrap(), "{} writes", run.node_writes);
}

#[test]
fn a_thousand_operations_that_wait_are_looked_after_and_left_as_they_are() {
    let standing = standing(1_000, 1).unwrap();
    assert_eq!((standing.waiting, standing.violations), (1_000, vec![]));
    assert_eq!(
        standing.nodes,
        [(NodeStatus::Pending, 500), (NodeStatus::Ready, 500), (NodeStatus::Waiting, 500)].into()
    );
    assert!(standing.looked_at >= 500, "{}", standing.looked_at);
    assert_eq!((standing.changed, standing.sent), (0, 0));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..40 {
        let case = Case { trace: true, ..Case::of(seed) };
        assert_eq!(play(&case).unwrap(), play(&case).unwrap(), "seed {seed}");
    }
}
