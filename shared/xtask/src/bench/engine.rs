//! What the engine costs, from the fault-free simulator

use crate::Error;
use std::{collections::BTreeSet, time::Duration};
use weir_domain::plan::{Backoff, Executor, Graph, Idempotency, JobContract, NodeId, NodeType, PlanNode};
use weir_orchestration::sim::{Latency, Workload, run};

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
            nodes.push(job(layer * width + at, needs).map_err(|e| wrong(&e))?);
        }
    }
    let graph = Graph::new(nodes).map_err(|e| wrong(&e))?;
    let count = graph.len() as f64;
    let edges: usize = (1..).zip(graph.nodes()).map(|(ordinal, _)| graph.dependents(ordinal).len()).sum();
    let workload = Workload { work: Duration::from_secs(1), workers: 40, latency: Latency::default() };
    let run = run(graph, &workload, 1).map_err(|e| wrong(&e))?;
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

fn job(n: usize, needs: impl Iterator<Item = usize>) -> Result<PlanNode, weir_domain::plan::NodeIdError> {
    let id = |n: usize| format!("n{n:05}").parse::<NodeId>();
    let mut node = PlanNode::new(id(n)?, NodeType::Job, format!("job {n}"), Executor::Job);
    node.depends_on = needs.map(id).collect::<Result<BTreeSet<_>, _>>()?;
    node.job_contract = Some(JobContract {
        capability: "bench".to_owned(),
        inputs: serde_json::Map::new(),
        outputs: Vec::new(),
        timeout_s: 600,
        attempts: 1,
        backoff: Backoff::default(),
        idempotency: Idempotency::Natural,
        secrets: Vec::new(),
        deadline_s: None,
    });
    Ok(node)
}
