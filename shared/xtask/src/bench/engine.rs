//! What the engine costs, from the fault-free simulator

use crate::Error;
use weir_domain::plan::Graph;
use weir_orchestration::sim::{Latency, Pace, WIDEST, Work, job, run, shape};

/// What each node does
const SECOND: Work = Work { millis: 1_000, failures: 0, fatal: false };

/// The engine's figures for one graph
pub(super) struct Figures {
    pub transitions_per_node: f64,
    pub writes_per_node: f64,
    pub writes_limit: f64,
    pub makespan_ratio: f64,
}

/// Runs `layers` layers of `width` nodes, each node waiting for three of the layer before it
pub(super) fn figures(layers: usize, width: usize) -> Result<Figures, Error> {
    let wrong = |error: &dyn std::fmt::Display| Error::Failed(format!("simulating: {error}"));
    let mut nodes = Vec::new();
    for layer in 0..layers {
        for at in 0..width {
            let needs = (0..3).filter(|_| layer > 0).map(|k| (layer - 1) * width + (at * 7 + k * 3) % width);
            nodes.push(job(layer * width + at, needs, SECOND).map_err(|e| wrong(&e))?);
        }
    }
    let graph = Graph::new(nodes).map_err(|e| wrong(&e))?;
    let count = graph.len() as f64;
    let edges: usize = graph.numbered().map(|(ordinal, _)| graph.dependents(ordinal).len()).sum();
    let pace = Pace { workers: 40, latency: Latency::default(), spread: false };
    let run = run(graph, &pace, 1).map_err(|e| wrong(&e))?;
    if let Some(violation) = run.violations.first() {
        return Err(wrong(violation));
    }
    Ok(Figures {
        transitions_per_node: run.transitions as f64 / count,
        writes_per_node: run.node_writes as f64 / count,
        writes_limit: 5.0 + edges as f64 / count,
        makespan_ratio: run.makespan_ratio(),
    })
}

/// The worst makespan ÷ floor over `count` graphs of random shape
///
/// There is a worker for each node of the widest layer: 60 nodes of a second on 40 workers take two seconds with any
/// engine, which a floor of work ÷ workers does not know.
pub(super) fn worst_makespan(count: u64) -> Result<f64, Error> {
    let wrong = |error: &dyn std::fmt::Display| Error::Failed(format!("simulating: {error}"));
    let pace = Pace { workers: WIDEST, latency: Latency::default(), spread: false };
    let mut worst = 0.0f64;
    for seed in 0..count {
        let run = run(shape(seed).map_err(|e| wrong(&e))?, &pace, seed).map_err(|e| wrong(&e))?;
        if let Some(violation) = run.violations.first() {
            return Err(wrong(violation));
        }
        worst = worst.max(run.makespan_ratio());
    }
    Ok(worst)
}
