//! Many operations that all wait: looking after them changes nothing

use super::{
    SimError,
    chance::Chance,
    fault::{Faults, Plan},
    pace::{Latency, Pace},
    record::Record,
    setup,
    violation::Violation,
    workload::{Story, waiting},
    world::{World, locked},
};
use std::{collections::BTreeMap, time::Duration};
use weir_domain::{
    engine::{NodeRun, Operation},
    plan::NodeStatus,
    scope::Scope,
};
use weir_store::memory::Snapshot;

/// By then everybody waits, and everything has been due once
const SETTLED: Duration = Duration::from_secs(90);

/// What one pass of reconcile over operations that wait came to
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// How many operations there were, none of which had ended
    pub waiting: usize,
    /// Nodes by how they stood
    pub nodes: BTreeMap<NodeStatus, usize>,
    /// What was due and was looked at
    pub looked_at: u64,
    /// Items that are otherwise afterwards than that they are looked at later
    pub changed: usize,
    /// Messages that were sent by the pass
    pub sent: usize,
    /// What should never have happened
    pub violations: Vec<Violation>,
}

/// Lets `count` operations wait, half of them for a person and half for an agent, and reconciles once
pub fn standing(count: usize, seed: u64) -> Result<Standing, SimError> {
    let [gate, agent] = waiting()?;
    let mut story = Story::of(gate.graph.clone());
    story.parts = [gate, agent].into_iter().cycle().take(count).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| SimError::SetUp(error.to_string()))?;
    runtime.block_on(look(&story, seed))
}

async fn look(story: &Story, seed: u64) -> Result<Standing, SimError> {
    let pace = Pace { workers: story.parts.len(), latency: Latency::default(), spread: false };
    let plan = Plan::new(Faults::None, Chance::new(seed));
    let world = World::new(pace, seed, plan, Record::new(false), false);
    let scope: Scope = "sim".parse().map_err(|_| SimError::SetUp("no scope".to_owned()))?;
    let engine = setup::engine(&world, &scope)?;
    world.connect(&engine);
    let operations = setup::operations(&world, &engine, &scope, story).await?;
    locked(&world.record).to_place = operations.len();
    for operation in operations {
        tokio::spawn(world.clone().place(operation, Duration::ZERO));
    }
    tokio::time::sleep(SETTLED).await;
    let (before, writes) = (world.memory.snapshot(), locked(&world.record).writes_made.len());
    let pass = world.invoke("reconcile", |_, engine| async move { engine.reconcile().await }).await;
    let pass = pass.map_err(|error| SimError::SetUp(error.to_string()))?;
    let after = world.memory.snapshot();
    let made = locked(&world.record).writes_made.split_off(writes);
    let mut nodes = BTreeMap::new();
    for (_, node) in &after.nodes {
        *nodes.entry(node.status).or_default() += 1;
    }
    let violations = locked(&world.watch).found.clone();
    Ok(Standing {
        waiting: after.operations.iter().filter(|it| it.is_active()).count(),
        nodes,
        looked_at: pass.nodes + pass.operations,
        changed: changed(&before, &after),
        sent: made.iter().filter(|point| matches!(point.op, "send_job" | "send_notice" | "send")).count(),
        violations,
    })
}

/// How many items are otherwise than before, apart from when they are looked at next
fn changed(before: &Snapshot, after: &Snapshot) -> usize {
    let node = |node: &NodeRun| NodeRun { wake: None, ..node.clone() };
    let operation = |it: &Operation| Operation { wake: None, ..it.clone() };
    let nodes = before.nodes.iter().zip(&after.nodes).filter(|((_, a), (_, b))| node(a) != node(b)).count();
    let operations = before.operations.iter().zip(&after.operations);
    nodes
        + operations.filter(|(a, b)| operation(a) != operation(b)).count()
        + before.nodes.len().abs_diff(after.nodes.len())
        + before.operations.len().abs_diff(after.operations.len())
}
