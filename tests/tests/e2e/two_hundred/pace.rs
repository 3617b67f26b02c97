//! How much longer it took than it had to

use std::collections::BTreeMap;
use weir_domain::plan::NodeId;
use weir_edge::wire::{
    operation::{NodeView, OperationView},
    plan::PlanView,
};
use weir_local::progress::Progress;

/// What the steps of one second may cost, all that is done for them included
const TARGET: f64 = 1.25;

/// Says how long the operation took from its first gate's opening to its last node's end, and how long its commands
/// take one after the other on the longest way through what it ran
///
/// The states of its nodes have been entered by then, as they are while people make up their minds.
///
/// A figure, not an assertion: how fast an emulator is on a busy machine is no property of this code.
pub fn say(plan: &PlanView, operation: &OperationView) {
    let floor = floor(plan, operation);
    let opened = operation.nodes.iter().filter(|node| node.node_id.as_str() == "guard.freeze");
    let opened = opened.filter_map(|node| node.finished_at).max().unwrap().millis().0;
    let last = operation.nodes.iter().filter_map(|node| node.finished_at).max().unwrap().millis().0;
    let makespan = seconds(last - opened);
    Progress::stderr().say(&format!(
        "  {} nodes in {makespan:.1} s, {floor:.1} s at least: {:.2} times that (target {TARGET})",
        operation.nodes.len(),
        makespan / floor
    ));
    let (long, between) = steps(operation);
    Progress::stderr()
        .say(&format!("  a command of 1.00 s took {long:.2} s, and {between:.2} s later the next began"));
}

/// Seconds that a command took, its claim to its report, and seconds until the one that waited for it alone was
/// claimed: both on average
fn steps(operation: &OperationView) -> (f64, f64) {
    let by_id: BTreeMap<&NodeId, &NodeView> = operation.nodes.iter().map(|it| (&it.node_id, it)).collect();
    let (mut long, mut between) = (Vec::new(), Vec::new());
    for node in operation.nodes.iter().filter(|it| it.node_id.as_str().starts_with("step-")) {
        let (Some(started), Some(finished)) = (node.started_at, node.finished_at) else { continue };
        long.push(seconds(finished.millis().0 - started.millis().0));
        let before = node.depends_on.first().filter(|_| node.depends_on.len() == 1);
        let before = before.and_then(|need| by_id.get(need)).filter(|need| need.target == node.target);
        between.extend(
            before
                .and_then(|need| need.finished_at)
                .map(|ended| seconds(started.millis().0 - ended.millis().0)),
        );
    }
    let mean = |of: &[f64]| of.iter().sum::<f64>() / f64::from(u32::try_from(of.len()).unwrap());
    (mean(&long), mean(&between))
}

fn seconds(millis: i64) -> f64 {
    f64::from(i32::try_from(millis).unwrap()) / 1_000.0
}

/// The longest way through the graph, each node as long as its command is told to take
fn floor(plan: &PlanView, operation: &OperationView) -> f64 {
    let told = |node: &NodeId| {
        let node = plan.graph.iter().find(|it| it.node_id == *node)?;
        node.job_contract.as_ref()?.inputs.get("args")?.get(0)?.as_str()?.parse::<f64>().ok()
    };
    let mut ends: BTreeMap<&NodeId, f64> = BTreeMap::new();
    // A patch has appended nodes that others wait for, so one pass is not enough.
    while ends.len() < operation.nodes.len() {
        for node in &operation.nodes {
            let before: Option<Vec<f64>> =
                node.depends_on.iter().map(|need| ends.get(need).copied()).collect();
            let Some(before) = before.filter(|_| !ends.contains_key(&node.node_id)) else { continue };
            let begins = before.into_iter().fold(0.0, f64::max);
            ends.insert(&node.node_id, begins + told(&node.node_id).unwrap_or(0.0));
        }
    }
    ends.into_values().fold(0.0, f64::max)
}
