//! What the renderings are tested with

use serde_json::{Value, json};
use std::collections::BTreeMap;
use weir_domain::{
    actor::Actor,
    canonical::Digest,
    definition::{
        bundle::Bundle,
        document::{Definition, read},
        plan::{DefinitionPlan, diff},
        state::{AppliedResource, State},
    },
    failure::FailureSummary,
    id::{EvidenceId, GateId, Id as _, IntentId, OperationId, PlanId},
    operation::{Freshness, OperationStatus, OperationType},
    plan::{Executor, NodeStatus, NodeType},
    time::{Millis, Time},
};
use weir_edge::wire::operation::{NodeView, OperationView, Wait, WaitKind};

/// A point in time: milliseconds after a fixed one
pub(crate) fn at(millis: i64) -> Time {
    Time::from(Millis(1_763_700_000_000 + millis))
}

pub(crate) fn operation(
    number: u128,
    status: OperationStatus,
    title: &str,
    nodes: Vec<NodeView>,
) -> OperationView {
    OperationView {
        operation_id: OperationId::new(at(0).millis().0, number),
        operation_type: OperationType::Promote,
        title: title.to_owned(),
        status,
        current_phase: String::new(),
        plan_id: PlanId::new(1, number),
        intent_id: IntentId::new(1, number),
        promotion_id: None,
        release_id: None,
        environment: None,
        deployment_id: None,
        rollback_of: None,
        retry_of: None,
        retried_by: None,
        rolled_back_by: None,
        actor: Actor::system("test"),
        actor_id: "test".to_owned(),
        workspace_id: "harbor".parse().unwrap(),
        tenant_id: None,
        user_id: "alice".to_owned(),
        initiator_name: "Alice".to_owned(),
        run_identity_hash: Digest::of_bytes(b""),
        run_status: status.run_status(),
        outcome: status.run_outcome(),
        freshness: Freshness::FreshActive,
        cancel_requested: false,
        paused_by: None,
        paused_at: None,
        created_at: at(0),
        updated_at: at(0),
        started_at: Some(at(0)),
        completed_at: status.is_terminal().then(|| at(42_500)),
        settled: status.is_terminal(),
        failure_summary: None,
        summary_counts: BTreeMap::new(),
        outputs: serde_json::Map::new(),
        waits: Vec::new(),
        queued_behind: Vec::new(),
        evidence_ids: Vec::new(),
        nodes,
    }
}

fn node(ordinal: u32, id: &str, title: &str, status: NodeStatus, needs: &[&str]) -> NodeView {
    let begun = !matches!(status, NodeStatus::Pending | NodeStatus::Ready | NodeStatus::Skipped);
    NodeView {
        node_id: id.parse().unwrap(),
        ordinal,
        node_type: NodeType::Job,
        title: title.to_owned(),
        status,
        depends_on: needs.iter().map(|need| need.parse().unwrap()).collect(),
        runs: Executor::Job,
        attempt: u32::from(begun),
        attempts_max: 2,
        batch: None,
        target: None,
        holder: None,
        started_at: begun.then(|| at(i64::from(ordinal) * 1_000)),
        finished_at: (begun && status.is_terminal()).then(|| at(i64::from(ordinal) * 1_900)),
        error: None,
        waits_for: None,
    }
}

fn on(target: &str, batch: u32, node: NodeView) -> NodeView {
    NodeView { target: Some(format!("target.staging.{target}").parse().unwrap()), batch: Some(batch), ..node }
}

fn target(first: u32, name: &str, batch: u32, needs: &[&str], statuses: [NodeStatus; 2]) -> [NodeView; 2] {
    let (deploy, verify) = (format!("deploy.{name}"), format!("verify.{name}"));
    [
        on(name, batch, node(first, &deploy, &format!("Deploy {name}"), statuses[0], needs)),
        on(name, batch, node(first + 1, &verify, &format!("Verify {name}"), statuses[1], &[&deploy])),
    ]
}

/// One that succeeded, one that waits, one that failed and was taken back, one change of the definition
pub(crate) fn operations() -> Vec<OperationView> {
    vec![succeeded(), waiting(), failed(), applied()]
}

fn succeeded() -> OperationView {
    use NodeStatus::Succeeded as S;
    let mut nodes =
        vec![node(1, "freeze", "Freeze windows", S, &[]), node(2, "decision", "Decision", S, &["freeze"])];
    nodes.extend(target(3, "stg-1", 1, &["decision"], [S, S]));
    nodes.extend(target(5, "stg-2", 1, &["decision"], [S, S]));
    let mut operation = operation(1, OperationStatus::Succeeded, "shop 1.0.0 → staging", nodes);
    operation.evidence_ids = vec![EvidenceId::new(1, 1), EvidenceId::new(1, 2)];
    operation
}

pub(crate) fn waiting() -> OperationView {
    use NodeStatus::{Pending as P, Succeeded as S, Waiting as W};
    let mut approval = node(2, "approval", "Approval", W, &["freeze"]);
    approval.node_type = NodeType::Gate;
    let wait = Wait {
        node_id: approval.node_id.clone(),
        kind: WaitKind::Approval,
        what: "approvals 0 of 1".to_owned(),
        who: "anyone of release-managers but alice".to_owned(),
        since: at(58_000),
        until: None,
        gate_id: Some(GateId::new(1, 7)),
        intervention_id: None,
        may: Vec::new(),
        operation_id: None,
    };
    approval.waits_for = Some(wait.clone());
    let mut nodes = vec![
        node(1, "freeze", "Freeze windows", S, &[]),
        approval,
        node(3, "decision", "Decision", P, &["approval"]),
    ];
    nodes.extend(target(4, "prd-1", 1, &["decision"], [P, P]));
    nodes.extend(target(6, "prd-2", 2, &["verify.prd-1"], [P, P]));
    let mut operation = operation(2, OperationStatus::WaitingGate, "shop 1.0.0 → production", nodes);
    operation.waits = vec![wait];
    operation
}

pub(crate) fn failed() -> OperationView {
    use NodeStatus::{Failed as F, Pending as P, Skipped as K, Succeeded as S};
    let mut nodes = vec![node(1, "decision", "Decision", S, &[])];
    nodes.extend(target(2, "stg-1", 1, &["decision"], [S, F]));
    nodes.extend(target(4, "stg-2", 2, &["verify.stg-1"], [K, P]));
    nodes[2].error = Some(FailureSummary::new("unhealthy", "GET /healthz answered 503, 3 times"));
    nodes[2].attempt = 2;
    nodes[3].error = Some(FailureSummary::dependency(3));
    nodes[4].status = K;
    let mut operation = operation(3, OperationStatus::RolledBack, "shop 1.1.0 → staging", nodes);
    operation.failure_summary =
        Some(FailureSummary::new("unhealthy", "verify.stg-1: GET /healthz answered 503, 3 times"));
    operation.rolled_back_by = Some(OperationId::new(1, 4));
    operation
}

fn applied() -> OperationView {
    use NodeStatus::{Ready, Running, Succeeded};
    let mut retried = node(2, "change.group-2", "Group 2: pipeline.orders", Running, &["change.group-1"]);
    retried.attempt = 2;
    let nodes = vec![
        node(1, "change.group-1", "Group 1: environment.staging and 3 more", Succeeded, &[]),
        retried,
        node(3, "change.group-3", "Group 3: query.all", Ready, &["change.group-2"]),
    ];
    let mut operation = operation(5, OperationStatus::Running, "harbor: 7 changes", nodes);
    operation.operation_type = OperationType::DefinitionApply;
    operation.cancel_requested = true;
    operation
}

/// A deployment to many targets, one after the other, somewhere in the middle
pub(crate) fn wide(targets: u32) -> OperationView {
    let mut nodes = vec![node(1, "decision", "Decision", NodeStatus::Succeeded, &[])];
    for number in 1..=targets {
        let statuses = match number.cmp(&(targets / 2)) {
            std::cmp::Ordering::Less => [NodeStatus::Succeeded; 2],
            std::cmp::Ordering::Equal => [NodeStatus::Running, NodeStatus::Pending],
            std::cmp::Ordering::Greater => [NodeStatus::Pending; 2],
        };
        nodes.extend(target(number * 2, &format!("host-{number}"), number, &["decision"], statuses));
    }
    operation(6, OperationStatus::Running, "shop 1.0.0 → production", nodes)
}

/// Four targets at once, and one node that waits for all of them
pub(crate) fn diamond() -> OperationView {
    use NodeStatus::Succeeded as S;
    let mut nodes = vec![node(1, "decision", "Decision", S, &[])];
    for (number, name) in (1..).zip(["a", "b", "c", "d"]) {
        nodes.push(node(number + 1, &format!("deploy.{name}"), "Deploy", S, &["decision"]));
    }
    nodes.push(node(6, "check.bc", "Check", S, &["deploy.b", "deploy.c"]));
    nodes.push(node(7, "done", "Done", S, &["deploy.a", "deploy.d", "check.bc"]));
    operation(7, OperationStatus::Succeeded, "diamond", nodes)
}

fn definition(environments: Value, services: Value) -> Definition {
    let root = json!({ "version": 1, "workspace": "harbor", "component": { "web": {} }, "environment": environments, "service": services });
    let files = BTreeMap::from([("weir.yaml".to_owned(), root.to_string())]);
    let reading = read(&Bundle { files }, None).unwrap();
    reading.definition.unwrap_or_else(|| panic!("{:?}", reading.diagnostics))
}

/// A first plan, one with a bit of everything, and one that changes nothing
pub(crate) fn definition_plans() -> Vec<DefinitionPlan> {
    let shop = |environment: &str| json!({ "repo": "https://git.example.com/shop", "components": ["web"], "environments": [environment] });
    let before = definition(
        json!({ "staging": { "order_index": 1 }, "production": { "order_index": 2, "required_approvals": 2 } }),
        json!({ "shop": shop("production"), "old": shop("staging") }),
    );
    let after = definition(
        json!({ "staging": { "order_index": 1 }, "production": { "order_index": 2, "required_approvals": 1, "display_name": "Production" } }),
        json!({ "shop": shop("production"), "orders": shop("staging") }),
    );
    let mut state = State::new("harbor".parse().unwrap());
    state.state_revision = 41;
    state.applied_revision.resources = before
        .resources
        .iter()
        .map(|(address, it)| {
            let applied = AppliedResource {
                digest: it.digest.clone(),
                kind: it.kind,
                tenant: it.tenant.clone(),
                dependencies: it.dependencies.clone(),
                by: None,
            };
            (address.clone(), applied)
        })
        .collect();
    let was = |address: &_, digest: &_| before.spec_of(address, digest);
    vec![diff(&before, None, &was), diff(&after, Some(&state), &was), diff(&before, Some(&state), &was)]
}
