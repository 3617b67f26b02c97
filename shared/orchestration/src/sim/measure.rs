//! What the engine costs where nothing goes wrong: time, states, writes

use super::{
    SimError,
    case::simulate,
    chance::Chance,
    fault::{Faults, Plan},
    pace::{Latency, Pace},
    violation::Violation,
    work::Work,
    workload::{Part, Story, StoryError, job},
};
use std::collections::BTreeMap;
use weir_domain::{
    operation::OperationStatus,
    plan::{Executor, Graph},
    time::Millis,
};

/// What one run came to
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// How the operation ended
    pub status: Option<OperationStatus>,
    /// From its creation to its end
    pub makespan: Millis,
    /// No engine can be faster: the longest path, or the work shared out over every worker
    pub floor: Millis,
    /// Writes to node runs after they were put
    pub node_writes: u64,
    /// States entered over all executions
    pub transitions: u64,
    /// What should never have happened
    pub violations: Vec<Violation>,
}

impl Run {
    /// How much longer it took than any engine must
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a run are far below 2^52")]
    pub fn makespan_ratio(&self) -> f64 {
        self.makespan.0 as f64 / self.floor.0.max(1) as f64
    }
}

/// Runs `graph` once, to its end, without faults, stream or schedule
pub fn run(graph: Graph, pace: &Pace, seed: u64) -> Result<Run, SimError> {
    let floor = floor(&graph, pace.workers);
    let report =
        simulate(Story::of(graph), pace.clone(), seed, Plan::new(Faults::None, Chance::new(seed)), false)?;
    Ok(Run {
        status: report.status,
        makespan: report.makespan,
        floor,
        node_writes: report.node_writes,
        transitions: report.transitions,
        violations: report.violations,
    })
}

/// What many operations at a time came to
#[derive(Debug, Clone, PartialEq)]
pub struct Crowd {
    /// How many there were
    pub operations: u64,
    /// Calls of services, over all of them
    pub calls: u64,
    /// What should never have happened
    pub violations: Vec<Violation>,
}

/// Runs `count` operations of four nodes at the same time in one table, without faults, stream or schedule
pub fn crowd(count: usize, seed: u64) -> Result<Crowd, SimError> {
    let work = Work { millis: 1_000, failures: 0, fatal: false };
    let needs: [&[usize]; 4] = [&[], &[0], &[0], &[1, 2]];
    let nodes = needs.iter().enumerate().map(|(number, needs)| job(number, needs.iter().copied(), work));
    let graph =
        Graph::new(nodes.collect::<Result<_, _>>().map_err(StoryError::from)?).map_err(StoryError::from)?;
    let mut story = Story::of(graph);
    story.parts = story.parts.into_iter().cycle().take(count).collect::<Vec<Part>>();
    let pace = Pace { workers: count, latency: Latency::default(), spread: false };
    let report = simulate(story, pace, seed, Plan::new(Faults::None, Chance::new(seed)), false)?;
    let operations = report.deeds.get("operation").copied().unwrap_or(0);
    Ok(Crowd { operations, calls: report.calls, violations: report.violations })
}

/// The widest layer of a [`shape`]
pub const WIDEST: usize = 60;

/// A graph of 40 to 400 nodes of one second, as `seed` decides: layers of random widths, and about three edges a node
///
/// A layer has at most an eighth of the nodes: what an operation costs once is shared by several seconds of work.
pub fn shape(seed: u64) -> Result<Graph, StoryError> {
    let chance = Chance::new(seed).of("shape");
    let below = |name: &str, most: usize| usize::try_from(chance.of(name).below(most as u64)).unwrap_or(0);
    let count = 40 + below("nodes", 361);
    let widest = 1 + below("width", WIDEST.min(count / 8));
    let work = Work { millis: 1_000, failures: 0, fatal: false };
    let (mut nodes, mut before) = (Vec::with_capacity(count), 0..0);
    while nodes.len() < count {
        let first = nodes.len();
        let last = first + 1 + below(&format!("layer {first}"), widest);
        for number in first..last {
            let edges = chance.of("edges").at(number as u64);
            let needs = before.clone().filter(|need| edges.at(*need as u64).below(before.len() as u64) < 3);
            nodes.push(job(number, needs, work)?);
        }
        before = first..last;
    }
    Ok(Graph::new(nodes)?)
}

/// The least time that `graph` can take: its longest path, or its work over every worker
fn floor(graph: &Graph, workers: usize) -> Millis {
    let (mut ends, mut works) = (BTreeMap::new(), 0i64);
    for (ordinal, node) in graph.numbered() {
        let contract = node.job_contract.as_ref().filter(|_| node.runs != Executor::Join);
        let own = contract.map_or(0, |contract| i64::try_from(Work::of(contract).millis).unwrap_or(0));
        let before = graph.dependencies(ordinal).iter().filter_map(|need| ends.get(need)).max();
        ends.insert(ordinal, before.copied().unwrap_or(0) + own);
        works += own;
    }
    let longest = ends.values().max().copied().unwrap_or(0);
    let workers = i64::try_from(workers).unwrap_or(i64::MAX).max(1);
    Millis(longest.max(works / workers))
}
