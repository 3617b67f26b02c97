//! An operation and its nodes as callers see them

use std::collections::{BTreeMap, BTreeSet};
use weir_domain::{
    engine::{NodeRun, Operation},
    id::DeploymentId,
    operation::{OperationStatus, Shown, shown_status},
    plan::{Executor, Graph, NodeId, NodeStatus, NodeType, PlanNode},
    time::Millis,
};
use weir_edge::wire::operation::{NodeView, OperationView, Wait};

/// How many nodes the current phase names
const PHASE_NODES_MAX: usize = 3;

/// The status that people are shown
pub(crate) fn shown(operation: &Operation, nodes: &[NodeRun]) -> OperationStatus {
    let mut counts = BTreeMap::new();
    for node in nodes {
        // A job that goes on elsewhere runs, as people see it.
        let status = if node.waits_for_callback() { NodeStatus::Running } else { node.status };
        *counts.entry((status, node.terms.kind)).or_default() += 1;
    }
    shown_status(&Shown {
        outcome: operation.status.is_terminal().then_some(operation.status),
        asked_cancel: operation.cancel,
        paused: operation.paused,
        queued: operation.status == OperationStatus::Queued,
        materialised: operation.materialised,
        counts,
    })
}

/// The operation without its nodes
pub(super) fn view(operation: &Operation, nodes: &[NodeRun], now: Millis) -> OperationView {
    let info = &operation.info;
    let status = shown(operation, nodes);
    let moved = last_moved(operation, nodes);
    let alive = last_sign_of_life(operation, nodes, now).map_or(moved, |at| at.max(moved));
    OperationView {
        operation_id: info.operation_id,
        operation_type: info.operation_type,
        title: info.title.clone(),
        status,
        current_phase: status.as_str().to_owned(),
        plan_id: info.plan_id,
        intent_id: info.intent_id,
        promotion_id: info.promotion_id,
        release_id: info.release_id,
        environment: info.environment.as_deref().and_then(|address| address.parse().ok()),
        // What takes a scenario back is a rollback too, and deploys nothing.
        deployment_id: (info.operation_type.is_deployment() && info.release_id.is_some())
            .then(|| DeploymentId::from(info.operation_id)),
        rollback_of: info.rollback_of,
        retry_of: info.retry_of,
        retried_by: None,
        rolled_back_by: None,
        actor: info.actor.clone(),
        actor_id: info.actor.id.clone(),
        workspace_id: info.scope.workspace.clone(),
        tenant_id: info.scope.tenant.clone(),
        user_id: info.actor.person().to_owned(),
        initiator_name: match &info.actor.on_behalf_of {
            Some(person) => format!("{} for {person}", info.actor.id),
            None => info.actor.id.clone(),
        },
        run_identity_hash: info.run_identity_hash.clone(),
        run_status: status.run_status(),
        outcome: status.run_outcome(),
        freshness: status.freshness(was_reconciled(operation), alive, now),
        cancel_requested: operation.cancel,
        paused_by: operation.paused_by.clone(),
        paused_at: operation.paused_at.map(Into::into),
        created_at: info.created_at.into(),
        updated_at: moved.into(),
        started_at: operation.started_at.map(Into::into),
        completed_at: operation.completed_at.map(Into::into),
        settled: operation.finished,
        failure_summary: operation.failure_summary.clone(),
        summary_counts: operation.summary_counts.clone(),
        outputs: serde_json::Map::new(),
        nodes: Vec::new(),
        waits: Vec::new(),
        queued_behind: Vec::new(),
        evidence_ids: Vec::new(),
    }
}

/// Whether what ended it badly was found by housekeeping, and reported by nobody
pub(super) fn was_reconciled(operation: &Operation) -> bool {
    operation.failure_summary.as_ref().is_some_and(|failure| failure.reconciled)
}

/// Until when whoever works is known to be alive; what waits for a call from outside, for an agent or for its turn
/// does as it should
fn last_sign_of_life(operation: &Operation, nodes: &[NodeRun], now: Millis) -> Option<Millis> {
    if operation.status == OperationStatus::Queued {
        return Some(now);
    }
    let sign = |node: &NodeRun| match node.status {
        NodeStatus::Running => node.lease_until,
        _ if node.waits_for_callback() => Some(now),
        NodeStatus::Ready if matches!(node.terms.runs, Executor::Agent(_)) => Some(now),
        NodeStatus::Pending
        | NodeStatus::Ready
        | NodeStatus::Waiting
        | NodeStatus::Succeeded
        | NodeStatus::Failed
        | NodeStatus::Skipped => None,
    };
    nodes.iter().filter_map(sign).max()
}

fn last_moved(operation: &Operation, nodes: &[NodeRun]) -> Millis {
    let of_nodes = nodes.iter().flat_map(|node| [node.ready_at, node.started_at, node.finished_at]);
    let own = [operation.started_at, operation.completed_at];
    of_nodes
        .chain(own)
        .flatten()
        .max()
        .map_or(operation.info.created_at, |at| at.max(operation.info.created_at))
}

/// What the operation is at: the nodes that run, else those that wait, else how it stands
pub(super) fn phase(status: OperationStatus, nodes: &[NodeView]) -> String {
    if status.is_terminal() {
        return status.as_str().to_owned();
    }
    let titles = |wanted: NodeStatus| -> Vec<&str> {
        nodes.iter().filter(|node| node.status == wanted).map(|node| node.title.as_str()).collect()
    };
    let found = [NodeStatus::Running, NodeStatus::Waiting, NodeStatus::Ready].map(titles);
    let Some(at) = found.into_iter().find(|titles| !titles.is_empty()) else {
        return status.as_str().to_owned();
    };
    let more = at.len().saturating_sub(PHASE_NODES_MAX);
    let named = at.into_iter().take(PHASE_NODES_MAX).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

/// One node with what the plan says of it; without a run it has not been put yet, and is pending
pub(super) fn node_view(
    graph: &Graph,
    ordinal: u32,
    plan_node: &PlanNode,
    run: Option<&NodeRun>,
    waits_for: Option<Wait>,
) -> NodeView {
    let asked = plan_node.job_contract.as_ref().map_or(1, |contract| contract.attempts);
    let error = run.and_then(|run| match run.status.is_terminal() || run.awaits_person() {
        true => run.error.clone(),
        false => run.past.last().map(|past| past.error.clone()),
    });
    NodeView {
        node_id: plan_node.node_id.clone(),
        ordinal,
        node_type: plan_node.node_type,
        title: plan_node.title.clone(),
        status: run.map_or(NodeStatus::Pending, |run| run.status),
        depends_on: behind_joins(graph, ordinal),
        runs: plan_node.runs.clone(),
        attempt: run.map_or(0, |run| run.attempt),
        attempts_max: run.map_or(asked, |run| run.terms.attempts),
        batch: plan_node.batch,
        target: plan_node.target.clone(),
        holder: run.and_then(|run| run.holder.clone()),
        started_at: run.and_then(|run| run.started_at).map(Into::into),
        finished_at: run.and_then(|run| run.finished_at).map(Into::into),
        error,
        waits_for,
    }
}

/// What `ordinal` waits for, with what stands behind each join in the join's place
fn behind_joins(graph: &Graph, ordinal: u32) -> Vec<NodeId> {
    let mut open: Vec<u32> = graph.dependencies(ordinal).iter().copied().collect();
    let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
    while let Some(next) = open.pop() {
        match graph.node(next).filter(|_| seen.insert(next)) {
            Some(node) if node.node_type == NodeType::Join => open.extend(graph.dependencies(next)),
            Some(_) => {
                found.insert(next);
            }
            None => {}
        }
    }
    found.into_iter().filter_map(|next| graph.node(next)).map(|node| node.node_id.clone()).collect()
}
