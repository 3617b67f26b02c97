//! `GET /v1/operations/{operation}`: an operation, its nodes, what they wait for

use super::{OperationPath, find, view, waits::Facts};
use std::collections::BTreeMap;
use weir_domain::{
    delivery::Promotion,
    engine::{NodeRun, Operation},
    id::{EvidenceId, OperationId},
    operation::{OperationStatus, OperationType},
    plan::NodeType,
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Nothing, Problem, Route, Use,
    wire::operation::{OperationView, QueuedBehind},
};
use weir_orchestration::{rollback::rollback_id, scenario::retried_by};
use weir_store::{Entity as _, EvidenceRow, Key, Query};

/// An operation leaves a handful of packets
const EVIDENCE_MAX: usize = 100;

/// Shows an operation with its nodes and what they wait for
pub struct OperationGet;

impl Endpoint for OperationGet {
    const ROUTE: Route = Route {
        path: "/v1/operations/{operation}",
        operation: "operation_get",
        permission: "operation:read",
        summary: "Shows an operation, its nodes, and who can end what they wait for",
        uses: &[Use::TableRead, Use::ObjectsRead("plans/"), Use::ObjectsRead("outputs/"), Use::LargeAnswers],
        ..Route::GET
    };
    type Path = OperationPath;
    type Query = Nothing;
    type Body = Nothing;
    type Reply = OperationView;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<OperationView>, Problem> {
        let operation = find(cx, &call.scope, call.path.operation).await?;
        let graph = cx.engine().graph_of(&operation).await?;
        let nodes = cx.engine().all_nodes(&operation).await?;
        let facts = Facts::gather(cx, &operation, &graph, &nodes, call.now).await?;
        let mut shown = view::view(&operation, &nodes, call.now);
        let runs: BTreeMap<u32, &NodeRun> = nodes.iter().map(|node| (node.ordinal, node)).collect();
        for (ordinal, plan_node) in graph.numbered().filter(|(_, node)| node.node_type != NodeType::Join) {
            let run = runs.get(&ordinal).copied();
            let waits = run.filter(|_| operation.is_active());
            let wait = waits.and_then(|run| facts.wait(run, plan_node));
            shown.waits.extend(wait.clone());
            shown.nodes.push(view::node_view(&graph, ordinal, plan_node, run, wait));
        }
        shown.current_phase = view::phase(shown.status, &shown.nodes);
        if operation.is_active() && !operation.materialised {
            queued(cx, &operation, &mut shown).await?;
        }
        shown.evidence_ids = evidence(cx, &operation).await?;
        if operation.finished && operation.info.operation_type == OperationType::ScenarioRun {
            shown.outputs = cx.engine().own_outputs(operation.info.operation_id).await?;
        }
        if operation.info.operation_type == OperationType::ScenarioRun && !operation.is_active() {
            shown.retried_by = retried_by(cx.engine(), &call.scope, operation.info.operation_id).await?;
        }
        shown.rolled_back_by = rolled_back_by(cx, &operation).await?;
        Ok(shown.into())
    }
}

/// What an operation that has not begun waits for
async fn queued(cx: &Cx, operation: &Operation, shown: &mut OperationView) -> Result<(), Problem> {
    let behind = behind(cx, operation).await?;
    let words: Vec<_> = behind.iter().map(|it| format!("{} to leave {}", it.who(), it.resource)).collect();
    if !words.is_empty() {
        shown.current_phase = format!("waits for {}", words.join(", "));
    }
    shown.queued_behind = behind;
    Ok(())
}

/// The resources that an operation waits for before it begins, each with who has to leave it first
///
/// Tenants wait for each other where a resource is the workspace's: whose operations the others' are is not told.
pub(super) async fn behind(cx: &Cx, operation: &Operation) -> Result<Vec<QueuedBehind>, Problem> {
    let mut seen = Vec::new();
    for it in cx.engine().behind(operation).await? {
        let own = cx.table().operation_get(&operation.info.scope, it.operation).await?;
        let operation_id = own.map(|own| own.info.operation_id);
        seen.push(QueuedBehind { resource: it.resource, operation_id, before: it.before });
    }
    Ok(seen)
}

/// The packets that were written for it, the earliest first
async fn evidence(cx: &Cx, operation: &Operation) -> Result<Vec<EvidenceId>, Problem> {
    let info = &operation.info;
    let list = Key::list(&info.scope, EvidenceRow::KIND, &info.operation_id.to_string());
    let (mut rows, _) = cx.table().list::<EvidenceRow>(&Query::Lists(vec![list]), None, EVIDENCE_MAX).await?;
    rows.sort_by_key(|row| row.created_at);
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// The operation that took this one back: a delivery's promotion knows, a scenario's has an id that follows from it
async fn rolled_back_by(cx: &Cx, operation: &Operation) -> Result<Option<OperationId>, Problem> {
    let info = &operation.info;
    if info.operation_type == OperationType::ScenarioRun && operation.status == OperationStatus::Failed {
        let Some(id) = rollback_id(operation) else { return Ok(None) };
        let found = cx.table().operation_get(&info.scope, id).await?;
        return Ok(found.filter(|found| found.status == OperationStatus::Succeeded).map(|_| id));
    }
    let Some(id) = info.promotion_id.filter(|_| info.operation_type != OperationType::Rollback) else {
        return Ok(None);
    };
    let found = cx.table().read::<Promotion>(&Key::entity(&info.scope, Promotion::KIND, id)).await?;
    Ok(found.and_then(|(promotion, _)| promotion.rolled_back_by))
}
